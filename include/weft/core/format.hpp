// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/format_scalar.hpp>
#include <weft/core/tensor.hpp>

#include <fmt/format.h>

#include <iosfwd>

/// Tensors, views (and whatever else has strided elements) and shapes print with fmt and with streams:
///
///     float32 [2, 3]
///     [[1, 2.5, 3],
///      [4,   5, 6]]
///
/// Of more than 1000 elements the first and last three along each axis are shown. A format specification applies to
/// the elements: "{:.2f}".
namespace weft::inline WEFT_ABI {

namespace detail {

template <class T>
std::string type_text() {
    if constexpr (std::same_as<T, bool>)
        return "bool";
    else if constexpr (std::is_integral_v<T>)
        return (std::is_signed_v<T> ? "int" : "uint") + std::to_string(8 * sizeof(T));
    else if constexpr (std::is_floating_point_v<T>)
        return "float" + std::to_string(8 * sizeof(T));
    else if constexpr (std::same_as<T, half>)
        return "float16";
    else if constexpr (std::same_as<T, bfloat16>)
        return "bfloat16";
    else if constexpr (requires(T x) { x.tangent; })
        return "dual " + type_text<decltype(T::value)>();
    else if constexpr (requires(T x) { x.imag(); })
        return "complex" + std::to_string(8 * sizeof(T));
    else
        return std::to_string(sizeof(T)) + " bytes";
}

/// A strided array whose elements are turned into text by a function: printing is compiled once.
struct PrintedArray {
    std::span<const index> extents, strides;
    std::string (*text)(const void* state, index offset);
    const void* state;
    static constexpr index edge = 3;

    std::string print() const {
        index size = 1;
        for (const index e : extents) size *= e;
        const bool elide = size > 1000;
        std::vector<std::string> cells;
        collect(0, 0, elide, cells);
        std::size_t width = 0;
        for (const std::string& c : cells) width = std::max(width, c.size());
        std::string out;
        auto cell = cells.cbegin();
        append(0, elide, width, cell, out);
        return out;
    }

private:
    template <class F>
    void each_shown(std::size_t axis, bool elide, F&& f) const {
        const index n = extents[axis];
        const bool gap = elide && n > 2 * edge;
        for (index i = 0; i < n; ++i) {
            if (gap && i == edge) {
                f(index{-1});
                i = n - edge;
            }
            f(i);
        }
    }
    void collect(std::size_t axis, index offset, bool elide, std::vector<std::string>& cells) const {
        if (axis == extents.size()) return cells.push_back(text(state, offset));
        each_shown(axis, elide, [&](index i) {
            if (i >= 0) collect(axis + 1, offset + i * strides[axis], elide, cells);
        });
    }
    void append(std::size_t axis, bool elide, std::size_t width, std::vector<std::string>::const_iterator& cell,
                std::string& out) const {
        if (axis == extents.size()) {
            out.append(axis == 0 ? 0 : width - cell->size(), ' ');
            out += *cell++;
            return;
        }
        const bool row = axis + 1 == extents.size();
        bool first = true;
        out += '[';
        each_shown(axis, elide, [&](index i) {
            if (!first) {
                out += row ? ", " : ",";
                if (!row) out.append(extents.size() - axis - 1, '\n').append(axis + 1, ' ');
            }
            first = false;
            if (i < 0)
                out += "...";
            else
                append(axis + 1, elide, width, cell, out);
        });
        out += ']';
    }
};

/// Whatever has elements at strides: tensors, views, recorded values.
template <class L>
concept Printable = std::derived_from<L, ExpressionBase> && requires(const L& x) {
    x.data();
    x.strides();
    x.shape();
};

} // namespace detail

template <class Char, class Traits, detail::Printable L>
std::basic_ostream<Char, Traits>& operator<<(std::basic_ostream<Char, Traits>& out, const L& x) {
    const std::string text = fmt::format("{}", x);
    return out.write(text.data(), static_cast<std::streamsize>(text.size()));
}
template <class Char, class Traits, index... E>
std::basic_ostream<Char, Traits>& operator<<(std::basic_ostream<Char, Traits>& out, const Shape<E...>& shape) {
    const std::string text = fmt::format("{}", shape);
    return out.write(text.data(), static_cast<std::streamsize>(text.size()));
}

} // namespace weft::inline WEFT_ABI

template <class L>
requires weft::detail::Printable<L>
struct fmt::formatter<L, char> : private weft::detail::NumberFormatter {
    using T = typename L::value_type;

    constexpr auto parse(fmt::format_parse_context& context) {
        plain_ = context.begin() == context.end() || *context.begin() == '}';
        return NumberFormatter::parse(context);
    }
    template <class Context>
    auto format(const L& x, Context& context) const {
        const auto strides = x.strides();
        const State state{this, x.data()};
        const weft::detail::PrintedArray array{x.shape(), strides, &element_text, &state};
        const std::string text =
            weft::detail::type_text<T>() + ' ' + weft::detail::shape_text(x.shape()) + '\n' + array.print();
        return std::copy(text.begin(), text.end(), context.out());
    }

private:
    struct State {
        const formatter* self;
        const T* data;
    };
    // Integers of one byte are numbers, not characters; 16-bit floats print as the float they are.
    using Shown = std::conditional_t<
        std::is_same_v<T, bool>, bool,
        std::conditional_t<std::is_integral_v<T>, long long,
                           std::conditional_t<std::is_convertible_v<T, float> && sizeof(T) == 2, float, T>>>;
    static std::string element_text(const void* state, weft::index offset) {
        const State& s = *static_cast<const State*>(state);
        const auto value = static_cast<Shown>(s.data[offset]);
        if constexpr (std::is_floating_point_v<Shown>)
            if (s.self->plain_) return fmt::format("{:.6g}", value);
        return s.self->number(value);
    }

    bool plain_ = true;
};

/// `[?, 3]`: extents known only at run time print as a question mark.
template <weft::index... E>
struct fmt::formatter<weft::Shape<E...>> {
    constexpr auto parse(fmt::format_parse_context& context) { return context.begin(); }
    template <class Context>
    auto format(const weft::Shape<E...>&, Context& context) const {
        std::string text = "[";
        ((text += (text.size() > 1 ? ", " : "") + (E == weft::dyn ? std::string("?") : std::to_string(E))), ...);
        return fmt::format_to(context.out(), "{}]", text);
    }
};
