// SPDX-License-Identifier: MIT
#pragma once

#include <weft/so3/components.hpp>
#include <weft/so3/gaunt_kernel.hpp>

namespace weft::inline WEFT_ABI::so3::detail {

/// Calls f(l1, l2, l3) for all degrees, up to a, b and y, of harmonics whose integral is not always 0, by l3.
template <class F>
void for_gaunt_degrees(int a, int b, int y, F&& f) {
    for (int l3 = 0; l3 <= y; ++l3)
        for (int l1 = 0; l1 <= a; ++l1)
            for (int l2 = std::abs(l1 - l3); l2 <= std::min(b, l1 + l3); l2 += 2) f(l1, l2, l3);
}

/// y = P(a b), from degrees a and b to y, by all integrals of three harmonics that are not 0.
class GauntList {
public:
    GauntList() = default;
    GauntList(int a, int b, int y) {
        struct Integral {
            int i, j;
            double value;
        };
        std::vector<std::vector<Integral>> of_component(static_cast<std::size_t>(components_up_to(y)));
        for_gaunt_degrees(a, b, y, [&](int l1, int l2, int l3) {
            const double factor = gaunt_factor(l1, l2, l3);
            for (const Coupling& c : *couplings(l1, l2, l3))
                of_component[static_cast<std::size_t>(l3 * l3 + c.k)].push_back(
                    {l1 * l1 + c.i, l2 * l2 + c.j, factor * c.value});
        });
        std::vector<double> values;
        for (auto& integrals : of_component) {
            size_ += static_cast<index>(integrals.size());
            if (integrals.size() % 2 != 0) integrals.push_back({0, 0, 0});
            for (const Integral& x : integrals) {
                factors_.push_back({x.i, x.j});
                values.push_back(x.value);
            }
            end_.push_back(factors_.size());
        }
        values_ = Constants(std::move(values));
    }
    /// The number of the integrals.
    index size() const { return size_; }
    /// Their number by the rules that orders of real harmonics follow: a few of them are 0 by chance.
    static double cost(int a, int b, int y) {
        double terms = 0;
        for_gaunt_degrees(a, b, y, [&](int l1, int l2, int l3) {
            for (int m1 = 0; m1 <= l1; ++m1)
                for (int m2 = 0; m2 <= l2; ++m2) {
                    const bool both = m1 > 0 && m2 > 0;
                    if (m1 + m2 <= l3) terms += both ? 4 : m1 + m2 > 0 ? 2 : 1;
                    if (both && std::abs(m1 - m2) <= l3) terms += m1 == m2 ? 2 : 4;
                }
        });
        return terms;
    }
    /// Elements that multiply() needs.
    template <class T>
    index scratch() const {
        return 0;
    }

    template <class T>
    WEFT_NOINLINE void multiply(const T* a, const T* b, T* y, T*) const {
        constexpr index w = lanes<T>;
        const auto* value = values_.of<T>();
        const Factors* at = factors_.data();
        for (const std::size_t end : end_) {
            Packet<T> even = splat(T{}), odd = even;
            for (const Factors* const last = factors_.data() + end; at != last; at += 2, value += 2) {
                even = multiply_add(Packet<T>(constant<T>(value[0]) * load_packet(a + at[0].i * w)),
                                    load_packet(b + at[0].j * w), even);
                odd = multiply_add(Packet<T>(constant<T>(value[1]) * load_packet(a + at[1].i * w)),
                                   load_packet(b + at[1].j * w), odd);
            }
            store_packet(y, even + odd);
            y += w;
        }
    }

private:
    struct Factors { // components
        int i, j;
    };
    std::vector<Factors> factors_; // an even number for each component of y
    Constants values_;
    std::vector<std::size_t> end_;
    index size_ = 0;
};

} // namespace weft::inline WEFT_ABI::so3::detail
