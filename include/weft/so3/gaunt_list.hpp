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

/// y = P(a b), from degrees a and b to y, by all integrals of three harmonics that are not 0: for each component of y
/// and each of a with it, a sum over those of b.
class GauntList {
public:
    GauntList() = default;
    GauntList(int a, int b, int y) {
        std::vector<std::vector<Term>> of_component(static_cast<std::size_t>(components_up_to(y)));
        for_gaunt_degrees(a, b, y, [&](int l1, int l2, int l3) {
            const double factor = gaunt_factor(l1, l2, l3);
            for (const Coupling& c : *couplings(l1, l2, l3))
                of_component[static_cast<std::size_t>(l3 * l3 + c.k)].push_back(
                    {l1 * l1 + c.i, l2 * l2 + c.j, factor * c.value});
        });
        std::vector<double> values;
        for (auto& terms : of_component) {
            std::sort(terms.begin(), terms.end(),
                      [](const Term& p, const Term& q) { return std::pair(p.i, p.j) < std::pair(q.i, q.j); });
            int sums = 0;
            for (std::size_t n = 0; n < terms.size(); ++sums) {
                const std::size_t first = n;
                for (; n < terms.size() && terms[n].i == terms[first].i; ++n) {
                    others_.push_back(terms[n].j);
                    values.push_back(terms[n].value);
                }
                sums_.push_back({terms[first].i, static_cast<int>(n - first)});
            }
            begin_.push_back(sums);
        }
        values_ = Constants(std::move(values));
    }
    /// The number of the integrals.
    index size() const { return static_cast<index>(others_.size()); }
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
        const int* other = others_.data();
        const Sum* sum = sums_.data();
        for (std::size_t k = 0; k < begin_.size(); ++k, y += w) {
            Packet<T> even = splat(T{}), odd = even;
            for (const Sum* const end = sum + begin_[k]; sum != end; ++sum) {
                Packet<T> s = constant<T>(*value++) * load_packet(b + *other++ * w);
                for (int n = 1; n < sum->terms; ++n)
                    s = multiply_add(constant<T>(*value++), load_packet(b + *other++ * w), s);
                odd = multiply_add(load_packet(a + sum->i * w), s, odd);
                std::swap(even, odd);
            }
            store_packet(y, even + odd);
        }
    }

private:
    struct Term {
        int i, j;
        double value;
    };
    struct Sum { // of terms with component i of a
        int i, terms;
    };
    std::vector<int> others_; // components of b
    Constants values_;        // of each
    std::vector<Sum> sums_;
    std::vector<int> begin_; // sums of each component of y
};

} // namespace weft::inline WEFT_ABI::so3::detail
