// SPDX-License-Identifier: MIT
// Any text as a name: of an element, a function, a mode or kind of tensor product, and as the symmetry of a tensor.
#include "require.hpp"

#include <weft/io/elements.hpp>
#include <weft/so3/feature_product.hpp>
#include <weft/so3/function.hpp>
#include <weft/so3/instruction.hpp>
#include <weft/so3/reduced_tensor_products.hpp>

#include <cstdint>
#include <cstdlib>

using namespace weft;
using weft_test::require;

namespace {

/// find(text) names what `text` names, or is an error.
template <class Find>
void check(std::string_view text, const Find& find) {
    try {
        require(find(text) == text);
    } catch (const Error& e) {
        require(io::detail::is_utf8(e.what()) && std::string_view(e.what()).size() < 2000);
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    check(text,
          [](std::string_view t) { return io::chemical_symbols[static_cast<std::size_t>(io::atomic_number(t))]; });
    check(text, [](std::string_view t) { return so3::name_of(so3::function_named(t)); });
    check(text, [](std::string_view t) { return so3::detail::mode_name(so3::product_mode(t)); });
    check(text, [](std::string_view t) { return so3::FeatureProduct(t, 1, 1, 1).name(); });
    check(text, [](std::string_view t) {
        if (t.find('=') > 6) return t; // eight axes have 80640 symmetries, which takes seconds
        const so3::detail::IndexSymmetry symmetry(t.substr(0, 60));
        std::size_t most = 2;
        for (std::size_t k = 2; k <= symmetry.axes.size(); ++k) most *= k;
        require(!symmetry.permutations.empty() && symmetry.permutations.size() <= most);
        for (const auto& [axes, sign] : symmetry.permutations) {
            require(axes.size() == symmetry.axes.size() && (sign == 1 || sign == -1));
            for (const std::size_t axis : axes) require(axis < axes.size());
        }
        return t;
    });
    return 0;
}
