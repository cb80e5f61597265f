// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/error.hpp>
#include <weft/core/tensor.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <span>

/// The elements that a model knows, by atomic numbers; it has other parameters for each.
namespace weft::inline WEFT_ABI::potential::detail {

/// Errors: no element; a number that is none, or is there twice; not as many `energies` as elements.
template <class Numbers>
void require_elements(const char* model, const Numbers& known, std::size_t energies) {
    const auto require = [&](bool holds, const char* what, const auto& value, const char* rule) {
        if (!holds) throw error(model, "{} is {}: {}", what, value, rule);
    };
    require(!known.empty(), "the number of elements", known.size(), "there must be one");
    for (auto z = known.begin(); z != known.end(); ++z) {
        require(*z >= 1 && *z <= 118, "an atomic number", *z, "must be from 1 to 118");
        require(std::find(known.begin(), z, *z) == z, "an atomic number", *z, "must not be there twice");
    }
    require(energies == known.size(), "the number of atomic energies", energies, "there must be one for each element");
}

/// The places [atoms] of atomic numbers among the known ones. Errors: one that is not among them.
template <class Numbers>
Tensor<std::int32_t, 1> elements_of(const char* model, const Numbers& known, std::span<const std::int32_t> numbers) {
    auto element = Tensor<std::int32_t, 1>::empty({static_cast<index>(numbers.size())});
    std::int32_t* const to = element.mutable_data();
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        const auto at = std::find(known.begin(), known.end(), numbers[i]);
        if (at == known.end())
            throw error(model, "atom {} has the atomic number {}: the model knows {}", i, numbers[i],
                        fmt::format("{}", fmt::join(known, ", ")));
        to[i] = static_cast<std::int32_t>(at - known.begin());
    }
    return element;
}

} // namespace weft::inline WEFT_ABI::potential::detail
