// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/views.hpp>
#include <weft/linalg/matmul.hpp>
#include <weft/so3/components.hpp>
#include <weft/so3/irreps.hpp>
#include <weft/so3/normalize2mom.hpp>
#include <weft/so3/spherical_harmonics_alpha_beta.hpp>

#include <numbers>
#include <utility>

/// Functions on the sphere by their values on a grid of angles: beta_i = pi (i + 1/2) / res_beta from the pole y,
/// alpha_j = 2 pi j / res_alpha around it. As e3nn.o3.ToS2Grid and FromS2Grid. Both ways are products with a matrix
/// that is made once.
namespace weft::inline WEFT_ABI::so3 {

/// The grid for functions of degree up to lmax.
class SphereGrid {
public:
    SphereGrid() = default;
    /// By default 2 (lmax + 1) angles beta and max(2 lmax + 1, res_beta - 1) angles alpha. Errors: lmax is negative;
    /// res_beta is odd or below 2 (lmax + 1); res_alpha is below 1.
    explicit SphereGrid(int lmax, const SphereResolution& resolution = {}) : lmax_(lmax) {
        if (lmax < 0) throw error("SphereGrid", "lmax is {}: must not be negative", lmax);
        const index least = 2 * (lmax + 1);
        res_beta_ = resolution.beta == 0 ? least : resolution.beta;
        res_alpha_ = resolution.alpha == 0 ? std::max<index>(2 * lmax + 1, res_beta_ - 1) : resolution.alpha;
        if (res_beta_ % 2 != 0 || res_beta_ < least)
            throw error("SphereGrid", "{} angles beta for lmax {}: must be an even number from {} on", res_beta_, lmax,
                        least);
        if (res_alpha_ < 1) throw error("SphereGrid", "{} angles alpha: must be at least 1", res_alpha_);
    }

    /// The largest degree that the grid resolves, as given.
    int lmax() const { return lmax_; }
    /// Circles.
    index res_beta() const { return res_beta_; }
    /// Points of a circle.
    index res_alpha() const { return res_alpha_; }
    /// (lmax + 1)^2
    index components() const { return index{lmax_ + 1} * (lmax_ + 1); }
    /// [res_beta]
    Tensor<double, 1> betas() const {
        return angles(res_beta_, [&](double i) { return std::numbers::pi * (i + 0.5) / double(res_beta_); });
    }
    /// [res_alpha]
    Tensor<double, 1> alphas() const {
        return angles(res_alpha_, [&](double j) { return 2 * std::numbers::pi * j / double(res_alpha_); });
    }
    /// The points [res_beta, res_alpha, 3].
    Tensor<double, 3> points() const {
        auto xyz = Tensor<double, 3>::empty({res_beta_, res_alpha_, 3});
        const auto b = betas(), a = alphas();
        double* to = xyz.mutable_data();
        for (index i = 0; i < res_beta_; ++i)
            for (index j = 0; j < res_alpha_; ++j) {
                *to++ = std::sin(b(i)) * std::sin(a(j));
                *to++ = std::cos(b(i));
                *to++ = std::sin(b(i)) * std::cos(a(j));
            }
        return xyz;
    }
    /// Weights [res_beta] with which the mean over alpha and the sum over beta integrate exactly what has degrees below
    /// res_beta; they add up to 1. (Driscoll & Healy, 1994.)
    Tensor<double, 1> quadrature_weights() const {
        const index b = res_beta_ / 2;
        return angles(res_beta_, [&](double i) {
            double sum = 0;
            for (index k = 0; k < b; ++k) {
                const auto odd = static_cast<double>(2 * k + 1);
                sum += std::sin((2 * i + 1) * odd * std::numbers::pi / static_cast<double>(4 * b)) / odd;
            }
            return 2 / static_cast<double>(b) * std::sin(std::numbers::pi * (2 * i + 1) / static_cast<double>(4 * b)) *
                   sum / 2;
        });
    }
    /// The harmonics on the grid, `integral`, each degree times scale(l), and each row of beta times weight(i):
    /// [components, res_beta res_alpha].
    template <class Scale, class Weight>
    Tensor<double, 2> harmonics(Scale&& scale, Weight&& weight) const {
        const auto around = spherical_harmonics_alpha(lmax_, alphas());
        const auto along = legendre(degrees_up_to(lmax_), betas());
        auto matrix = Tensor<double, 2>::empty({components(), res_beta_ * res_alpha_});
        double* to = matrix.mutable_data();
        for (int l = 0, at = 0; l <= lmax_; ++l)
            for (int m = -l; m <= l; ++m, ++at)
                for (index i = 0; i < res_beta_; ++i)
                    for (index j = 0; j < res_alpha_; ++j)
                        *to++ = scale(l) * weight(i) * along(i, at) * around(j, m + lmax_);
        return matrix;
    }

private:
    template <class F>
    static Tensor<double, 1> angles(index n, F&& f) {
        auto all = Tensor<double, 1>::empty({n});
        for (index i = 0; i < n; ++i) all.mutable_data()[i] = f(static_cast<double>(i));
        return all;
    }

    int lmax_ = 0;
    index res_beta_ = 2, res_alpha_ = 1;
};

/// From components [N, (lmax + 1)^2] of degrees 0 ... lmax to values [N, res_beta, res_alpha]. With `component` and
/// `norm` values have variance 1 where the components have, or where each degree has a norm of variance 1.
template <class T>
class ToS2Grid {
public:
    /// Of nothing, to be assigned to.
    ToS2Grid() : ToS2Grid(0) {}
    /// Errors: see SphereGrid.
    explicit ToS2Grid(int lmax, const SphereResolution& resolution = {},
                      Normalization normalization = Normalization::component)
        : grid_(lmax, resolution), matrix_(cast<T>(grid_.harmonics([&](int l) { return scale(normalization, l, lmax); },
                                                                   [](index) { return 1.0; }))) {}
    /// The grid.
    const SphereGrid& grid() const { return grid_; }

    /// x [N, (lmax + 1)^2] to values [N, res_beta, res_alpha]. Errors: another last extent.
    template <Expression X>
    auto operator()(const X& x) const {
        static_assert(X::rank == 2, "weft: ToS2Grid: the components are [N, (lmax + 1)^2]");
        if (x.extent(1) != grid_.components())
            throw error("ToS2Grid", "x is {}: its last extent must be {}, the components of degrees 0 to {}",
                        weft::detail::shape_text(x.shape()), grid_.components(), grid_.lmax());
        return reshape(matmul(x, matrix_), Extents<3>{x.extent(0), grid_.res_beta(), grid_.res_alpha()});
    }

    /// What harmonics of degree l, of integral 1 over the sphere of their squares, are multiplied by on the grid.
    static double scale(Normalization n, int l, int lmax) {
        constexpr double sphere = 4 * std::numbers::pi;
        if (n == Normalization::component) return std::sqrt(sphere / (2 * l + 1) / (lmax + 1));
        return n == Normalization::norm ? std::sqrt(sphere / (lmax + 1)) : 1;
    }

private:
    SphereGrid grid_;
    Tensor<T, 2> matrix_;
};

/// From values [N, res_beta, res_alpha] to components [N, (lmax + 1)^2]: the inverse of ToS2Grid(lmax_in, ...) for
/// functions of degree up to lmax; of others the projection, exact where the degrees in both together are below
/// res_beta and no more than res_alpha.
template <class T>
class FromS2Grid {
public:
    /// Of nothing, to be assigned to.
    FromS2Grid() : FromS2Grid(0) {}
    /// `lmax_in`: the degree of the function that ToS2Grid was given; negative: lmax. Errors: see SphereGrid.
    explicit FromS2Grid(int lmax, const SphereResolution& resolution = {},
                        Normalization normalization = Normalization::component, int lmax_in = -1)
        : grid_(lmax, resolution) {
        const auto weights = grid_.quadrature_weights();
        const auto matrix =
            grid_.harmonics([&](int l) { return scale(normalization, l, lmax_in < 0 ? lmax : lmax_in); },
                            [&](index i) { return weights(i) / static_cast<double>(grid_.res_alpha()); });
        matrix_ = cast<T>(transpose(matrix));
    }
    /// The grid.
    const SphereGrid& grid() const { return grid_; }

    /// x [N, res_beta, res_alpha] to components [N, (lmax + 1)^2]. Errors: other extents.
    template <Expression X>
    auto operator()(const X& x) const {
        static_assert(X::rank == 3, "weft: FromS2Grid: the values are [N, res_beta, res_alpha]");
        if (x.extent(1) != grid_.res_beta() || x.extent(2) != grid_.res_alpha())
            throw error("FromS2Grid", "x is {}: must be [N, {}, {}], values on the grid",
                        weft::detail::shape_text(x.shape()), grid_.res_beta(), grid_.res_alpha());
        return matmul(reshape(contiguous(x), Extents<2>{x.extent(0), grid_.res_beta() * grid_.res_alpha()}), matrix_);
    }

    /// What harmonics of degree l are multiplied by, so that it undoes ToS2Grid::scale.
    static double scale(Normalization n, int l, int lmax_in) {
        constexpr double sphere = 4 * std::numbers::pi;
        if (n == Normalization::component) return std::sqrt(sphere * (2 * l + 1) * (lmax_in + 1));
        return n == Normalization::norm ? std::sqrt(sphere * (lmax_in + 1)) : sphere;
    }

private:
    SphereGrid grid_;
    Tensor<T, 2> matrix_;
};

/// A function of the values of a function on the sphere: components to a grid, the function there, and back.
/// e3nn.nn.S2Activation. Equivariant up to what the result has beyond degree lmax_out and the grid cannot tell apart:
/// the finer the grid, the nearer.
template <class T>
class S2Activation {
public:
    S2Activation() = default;
    /// `irreps`: degrees 0 to lmax once each, of parities p, p q, p, ... . `lmax_out`: negative for lmax. Errors: other
    /// irreps; odd values (p = -1) and a function that is neither even nor odd; see SphereGrid.
    S2Activation(const Irreps& irreps, Function function, const SphereResolution& resolution = {},
                 Normalization normalization = Normalization::component, int lmax_out = -1)
        : in_(irreps), function_(function) {
        const int lmax = irreps.lmax();
        const int p = irreps.empty() ? 1 : irreps[0].ir.p, q = lmax > 0 ? irreps[1].ir.p * p : 1;
        for (index l = 0; l < irreps.size(); ++l)
            if (irreps[l] != MulIrrep{1, {static_cast<int>(l), l % 2 == 0 ? p : p * q}}) wrong_irreps(irreps);
        if (lmax < 0) wrong_irreps(irreps);
        const int to = lmax_out < 0 ? lmax : lmax_out;
        int p_out = 1;
        if (p == -1) {
            p_out = detail::facts(function).parity;
            if (p_out == 0)
                throw error("S2Activation", "the values of {} are odd: the function must be even or odd",
                            detail::irreps_text(irreps));
        }
        std::vector<MulIrrep> terms;
        for (int l = 0; l <= to; ++l) terms.push_back({1, {l, l % 2 == 0 ? p_out : p_out * q}});
        out_ = terms;
        const SphereGrid widest(std::max(lmax, to), resolution);
        const SphereResolution used{widest.res_beta(), widest.res_alpha()};
        to_grid_ = ToS2Grid<T>(lmax, used, normalization);
        from_grid_ = FromS2Grid<T>(to, used, normalization, lmax);
    }

    const Irreps& irreps_in() const { return in_; }
    const Irreps& irreps_out() const { return out_; }

    /// x [N, dim] to [N, dim of the result]. Errors: the dimension is another.
    template <Expression X>
    auto operator()(const X& x) const {
        return from_grid_(apply_function(function_, to_grid_(x), normalize2mom(function_)));
    }
    void visit(auto&&) {}

private:
    [[noreturn]] static void wrong_irreps(const Irreps& irreps) {
        throw error("S2Activation", "{} must be degrees 0 to lmax once each, of the same or of alternating parity",
                    detail::irreps_text(irreps));
    }

    Irreps in_, out_;
    Function function_ = Function::none;
    ToS2Grid<T> to_grid_;
    FromS2Grid<T> from_grid_;
};

} // namespace weft::inline WEFT_ABI::so3
