// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/random.hpp>
#include <weft/linalg/svd.hpp>
#include <weft/so3/components.hpp>
#include <weft/so3/wigner_3j.hpp>

#include <vector>

/// What an equivariant product can express: which degrees interact, and how many parameters its couplings have when
/// linear maps surround it. Xie et al., The Price of Freedom (arXiv 2506.13523).
namespace weft::inline WEFT_ABI::so3 {

/// Degrees that a product couples, and its factor of the real 3j symbols.
struct Interaction {
    int l1, l2, l3;
    double factor;
};

/// The interactions of a product of components of degrees 0 to l1 and 0 to l2, in rows [N, (l + 1)^2], with factors
/// above 1e-10. The product is evaluated for all pairs of components. Errors: it is not equivariant.
template <class Product>
std::vector<Interaction> interactions(const Product& product, int l1, int l2, int l3) {
    const index dim1 = components_up_to(l1), dim2 = components_up_to(l2);
    auto x1 = Tensor<double, 2>::zeros({dim1 * dim2, dim1}), x2 = Tensor<double, 2>::zeros({dim1 * dim2, dim2});
    for (index i = 0; i < dim1; ++i)
        for (index j = 0; j < dim2; ++j) {
            x1.mutable_data()[(i * dim2 + j) * dim1 + i] = 1;
            x2.mutable_data()[(i * dim2 + j) * dim2 + j] = 1;
        }
    const Tensor<double, 2> y = product(x1, x2);
    double all = 0, explained = 0;
    for (const double value : y.values()) all += value * value;
    std::vector<Interaction> found;
    for (int a = 0; a <= l1; ++a)
        for (int b = 0; b <= l2; ++b)
            for (int c = std::abs(a - b); c <= std::min(l3, a + b); ++c) {
                double factor = 0;
                for (const Coupling& k : *detail::couplings(a, b, c))
                    factor += k.value * y((a * a + k.i) * dim2 + b * b + k.j, c * c + k.k);
                explained += factor * factor;
                if (std::abs(factor) > 1e-10) found.push_back({a, b, c, factor});
            }
    if (std::abs(all - explained) > 1e-9 * (1 + all))
        throw error("interactions", "the product has parts that are no coupling of degrees: {} of {}", all - explained,
                    all);
    return found;
}

/// The number of parameters of all maps Linear(product(Linear, Linear)) from one copy of each degree to one of each,
/// with `channels` copies between, on which the product works one by one: the rank of the derivative of their couplings
/// by the weights, at random weights.
template <std::same_as<double> Real = double>
index expressivity(const std::vector<Interaction>& interactions, int channels = 1) {
    int degrees[3] = {};
    for (const Interaction& i : interactions) {
        degrees[0] = std::max(degrees[0], i.l1 + 1);
        degrees[1] = std::max(degrees[1], i.l2 + 1);
        degrees[2] = std::max(degrees[2], i.l3 + 1);
    }
    const index rows = static_cast<index>(interactions.size());
    const index columns = index{channels} * (degrees[0] + degrees[1] + degrees[2]);
    index best = 0;
    for (std::uint64_t seed = 0; seed < 3; ++seed) {
        Generator generator{seed};
        auto weights = Tensor<Real, 1>::empty({columns});
        fill_normal(generator, weights.mutable_data(), columns, 0.0, 1.0);
        auto jacobian = Tensor<Real, 2>::zeros({rows, columns});
        index row = 0;
        for (const Interaction& i : interactions) {
            for (index k = 0; k < channels; ++k) {
                const index at[] = {k * degrees[0] + i.l1, channels * degrees[0] + k * degrees[1] + i.l2,
                                    channels * (degrees[0] + degrees[1]) + k * degrees[2] + i.l3};
                const double a = weights(at[0]), b = weights(at[1]), c = weights(at[2]);
                double* const to = jacobian.mutable_data() + row * columns;
                to[at[0]] += i.factor * b * c;
                to[at[1]] += i.factor * a * c;
                to[at[2]] += i.factor * a * b;
            }
            ++row;
        }
        if (rows == 0) return 0;
        const auto values = svd(jacobian).s;
        index rank = 0;
        for (const double value : values.values()) rank += value > 1e-9 * values(0);
        best = std::max(best, rank);
    }
    return best;
}

} // namespace weft::inline WEFT_ABI::so3
