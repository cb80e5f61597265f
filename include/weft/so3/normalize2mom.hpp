// SPDX-License-Identifier: MIT
#pragma once

#include <weft/so3/function.hpp>

namespace weft::inline WEFT_ABI::so3 {

/// Where the factor of a normalised function comes from: that of e3nn (PyTorch), which estimates it from a million
/// samples, so that parameters trained there fit; or the integral, as in e3nn-jax. They differ by about 0.1 %.
enum class SecondMoment { sampled, exact };

/// The factor c for which the mean of (c f(z))^2 over normal z is 1, by quadrature, for any function of a double.
template <class F>
requires std::invocable<const F&, double>
double normalize2mom(const F& f) {
    // Simpson's rule on both sides of 0, where functions may have kinks.
    constexpr index intervals = 6144;
    constexpr double end = 12, step = end / intervals;
    double sum = 0;
    for (index i = -intervals; i <= intervals; ++i) {
        const double z = static_cast<double>(i) * step, y = f(z);
        const double weight = i == -intervals || i == intervals ? 1 : i % 2 == 0 ? 2 : 4;
        sum += weight * y * y * std::exp(-0.5 * z * z);
    }
    return 1 / std::sqrt(sum * step / 3 * (std::numbers::inv_sqrtpi / std::numbers::sqrt2));
}
/// Of a function chosen at run time; 1 for none.
inline double normalize2mom(Function f, SecondMoment moment = SecondMoment::sampled) {
    if (f == Function::none) return 1;
    if (moment == SecondMoment::sampled) return detail::facts(f).sampled_factor;
    return normalize2mom([f](double z) {
        double y;
        detail::function_values(f, &z, 1, 1, &y);
        return y;
    });
}

} // namespace weft::inline WEFT_ABI::so3
