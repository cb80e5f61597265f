// SPDX-License-Identifier: MIT
#pragma once

#include <weft/so3/radial.hpp>

namespace weft::inline WEFT_ABI::potential::detail {

/// prefactor sin(w r) / r times the envelope, of distances r [edges] with an envelope [edges], for each of the rates
/// w [K]: [edges, K].
template <class R, class W, class E>
auto bessel_functions(const R& r, const W& rates, double prefactor, const E& envelope) {
    const auto scales = eval(rates * math::number<typename R::value_type>(prefactor));
    return eval(apply<so3::detail::Sinc>(unsqueeze(r, 1) * rates) * scales * unsqueeze(envelope, 1));
}

} // namespace weft::inline WEFT_ABI::potential::detail
