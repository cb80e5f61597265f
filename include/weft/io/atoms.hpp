// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/tensor.hpp>
#include <weft/io/json.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace weft::inline WEFT_ABI::io {

/// Values by name, in the order in which they were added. Looking for a name is linear in their number.
template <class V>
class NamedValues {
public:
    /// The value of a name; a new name gets V{}.
    V& operator[](std::string_view name) {
        if (V* const found = find(name)) return *found;
        return append(std::string(name), V{});
    }
    /// The value of a name, or nullptr.
    V* find(std::string_view name) { return const_cast<V*>(std::as_const(*this).find(name)); }
    /// The value of that name; null if there is none.
    const V* find(std::string_view name) const {
        const auto entry = std::find_if(begin(), end(), [&](const auto& e) { return e.first == name; });
        return entry == end() ? nullptr : &entry->second;
    }
    /// Whether there is a value of that name.
    bool contains(std::string_view name) const { return find(name) != nullptr; }
    /// Adds a name that is not there yet, without looking.
    V& append(std::string name, V value) { return entries_.emplace_back(std::move(name), std::move(value)).second; }
    /// Removes a name, if it is there.
    void erase(std::string_view name) {
        std::erase_if(entries_, [&](const auto& e) { return e.first == name; });
    }

    std::size_t size() const noexcept { return entries_.size(); }
    bool empty() const noexcept { return entries_.empty(); }
    auto begin() const noexcept { return entries_.begin(); }
    auto end() const noexcept { return entries_.end(); }

private:
    std::vector<std::pair<std::string, V>> entries_;
};

/// What is known of a structure as a whole. JSON is a text that begins with "_JSON ".
using InfoValue = std::variant<std::string, double, std::int64_t, bool, std::vector<double>, std::vector<std::int64_t>,
                               std::vector<bool>>;

/// Texts of atoms, [n, columns], row-major.
struct TextColumns {
    std::vector<std::string> values;
    index columns = 1;
};

/// What is known of each atom, [n, columns]: real, integer or logical numbers, or texts.
using AtomArray = std::variant<Tensor<double, 2>, Tensor<std::int64_t, 2>, Tensor<bool, 2>, TextColumns>;

/// A molecule or a crystal, as ase.Atoms. Lengths are in Angstrom.
struct Atoms {
    /// Atomic numbers, [n].
    Tensor<std::int32_t, 1> numbers;
    /// [n, 3].
    Tensor<double, 2> positions = Tensor<double, 2>::empty({0, 3});
    /// The vectors of the lattice are rows: cell[3 * i + k] is component k of vector i. Zeros: there is none.
    std::array<double, 9> cell{};
    /// The vectors along which the structure repeats.
    std::array<bool, 3> pbc{};
    /// Values of the structure and of its atoms by name.
    NamedValues<InfoValue> info;
    NamedValues<AtomArray> arrays;

    index size() const noexcept { return numbers.size(); }

    /// The number `key` of info; nothing when there is none. Errors: the value is something else.
    std::optional<double> energy(std::string_view key = "energy") const;
    /// The array `key`, [n, 3]; nothing when there is none. Errors: it is not real or integer numbers of that shape.
    std::optional<Tensor<double, 2>> forces(std::string_view key = "forces") const;
    /// The matrix `key` of info, [3, 3], row by row; nothing when there is none. The value is 9 numbers, column by
    /// column (as ASE has it), or the 6 numbers xx, yy, zz, yz, xz, xy of a symmetric matrix (Voigt). Errors: it is
    /// something else.
    std::optional<std::array<double, 9>> stress(std::string_view key = "stress") const { return matrix(key, "stress"); }
    /// The same of the virial, minus the stress times the volume.
    std::optional<std::array<double, 9>> virial(std::string_view key = "virial") const { return matrix(key, "virial"); }

private:
    std::optional<std::array<double, 9>> matrix(std::string_view key, std::string_view operation) const;
};

inline std::optional<double> Atoms::energy(std::string_view key) const {
    const InfoValue* const value = info.find(key);
    if (value == nullptr) return {};
    if (const auto* const real = std::get_if<double>(value)) return *real;
    if (const auto* const integer = std::get_if<std::int64_t>(value)) return static_cast<double>(*integer);
    throw error("energy", "info {} is no number", detail::quote_name(key));
}

inline std::optional<Tensor<double, 2>> Atoms::forces(std::string_view key) const {
    const AtomArray* const array = arrays.find(key);
    if (array == nullptr) return {};
    const auto checked = [&](const auto& values) -> const auto& {
        if (values.shape() != Extents<2>{size(), 3})
            throw error("forces", "array {} is {}: must be {}", detail::quote_name(key),
                        weft::detail::shape_text(values.shape()), weft::detail::shape_text(Extents<2>{size(), 3}));
        return values;
    };
    if (const auto* const real = std::get_if<Tensor<double, 2>>(array)) return checked(*real);
    if (const auto* const integers = std::get_if<Tensor<std::int64_t, 2>>(array)) {
        auto reals = Tensor<double, 2>::empty(checked(*integers).shape());
        std::transform(integers->values().begin(), integers->values().end(), reals.mutable_data(),
                       [](std::int64_t x) { return static_cast<double>(x); });
        return reals;
    }
    throw error("forces", "array {} is no numbers", detail::quote_name(key));
}

inline std::optional<std::array<double, 9>> Atoms::matrix(std::string_view key, std::string_view operation) const {
    const InfoValue* const value = info.find(key);
    if (value == nullptr) return {};
    std::vector<double> v;
    if (const auto* const reals = std::get_if<std::vector<double>>(value)) v = *reals;
    if (const auto* const integers = std::get_if<std::vector<std::int64_t>>(value))
        for (const std::int64_t x : *integers) v.push_back(static_cast<double>(x));
    if (v.size() == 9) return std::array{v[0], v[3], v[6], v[1], v[4], v[7], v[2], v[5], v[8]};
    if (v.size() == 6) return std::array{v[0], v[5], v[4], v[5], v[1], v[3], v[4], v[3], v[2]};
    throw error(operation, "info {} must be 9 or 6 numbers", detail::quote_name(key));
}

} // namespace weft::inline WEFT_ABI::io
