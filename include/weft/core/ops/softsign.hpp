// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/math.hpp>

namespace weft::inline WEFT_ABI {

/// a / (1 + |a|), +-1 at +-infinity. Slope 1 / (1 + |a|)^2.
struct Softsign {
    static constexpr auto name = "softsign";
    static constexpr double cost = 0.3;
    static constexpr math::Accuracy accuracy{1.5, 1.5};
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a) {
        const P finite = math::within(a, std::numeric_limits<float>::max());
        return finite / (P(1) + math::abs(finite));
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P slope(const P& a, const P&) {
        const P root = P(1) / (P(1) + math::abs(a));
        return root * root;
    }
};

/// @copydoc weft::Softsign
template <Expression A>
auto softsign(A&& a) {
    return apply<Softsign>(std::forward<A>(a));
}

} // namespace weft::inline WEFT_ABI
