// SPDX-License-Identifier: MIT
#pragma once

#include <weft/so3/components.hpp>
#include <weft/so3/gaunt_circles.hpp>
#include <weft/so3/gaunt_fourier.hpp>
#include <weft/so3/gaunt_grid.hpp>
#include <weft/so3/gaunt_list.hpp>
#include <weft/so3/row_lanes.hpp>

#include <variant>

namespace weft::inline WEFT_ABI::so3 {

/// How a Gaunt product is computed; all are exact.
enum class GauntMethod {
    automatic, ///< what costs least for the degrees: by the number of multiplications and what they took when measured
    list,      ///< every integral of three harmonics that is not 0: the fastest for low degrees
    circles,   ///< on circles around the axis, where products are convolutions of Fourier coefficients: O(L^3)
    grid,      ///< on a grid of angles, where products are those of values
    fourier,   ///< by Fourier coefficients in both angles, with convolutions by their definition: O(L^4)
};

namespace detail {

/// Nanoseconds for as many products as a packet of 16 floats holds, to choose by. The numbers were measured once, with
/// AVX-512 at about 2.8 GHz (most degrees up to 8 took within a quarter of what this says), and stand here: times that
/// each process measured would make the choice, and with it the last digits of results, depend on noise.
inline double gaunt_cost(GauntMethod method, int a, int b, int y) {
    switch (method) {
    case GauntMethod::list:
        return 4 + 0.95 * GauntList::cost(a, b, y);
    case GauntMethod::circles:
        return 80 + 0.4 * GauntCircles::cost(a, b, y);
    case GauntMethod::grid:
        return 80 + 0.33 * GauntGrid::cost(a, b, y);
    case GauntMethod::fourier:
        return 80 + 0.4 * GauntFourier::cost(a, b, y);
    case GauntMethod::automatic:
        break;
    }
    return 0;
}
inline GauntMethod cheapest_gaunt_method(int a, int b, int y) {
    GauntMethod best = GauntMethod::list;
    for (const GauntMethod m : {GauntMethod::circles, GauntMethod::grid, GauntMethod::fourier})
        if (gaunt_cost(m, a, b, y) < gaunt_cost(best, a, b, y)) best = m;
    return best;
}

/// The product of degrees a, b, to y, and those of its gradients: the integral of three functions is symmetric.
struct GauntPlan {
    using Kernel = std::variant<GauntList, GauntCircles, GauntGrid, GauntFourier>;
    int l1, l2, l3;
    GauntMethod method;
    double cost;
    Kernel kernels[3]; // to the result; from its gradient and x2 to that of x1; from its gradient and x1 to that of x2

    GauntPlan(int a, int b, int y, GauntMethod wanted, const SphereResolution& grid)
        : l1(a), l2(b), l3(y), method(wanted == GauntMethod::automatic ? cheapest_gaunt_method(a, b, y) : wanted),
          cost(gaunt_cost(method, a, b, y)) {
        const int degrees[3][3] = {{a, b, y}, {y, b, a}, {y, a, b}};
        for (int d = 0; d < 3; ++d) {
            const int p = degrees[d][0], q = degrees[d][1], to = degrees[d][2];
            if (method == GauntMethod::list) kernels[d] = GauntList(p, q, to);
            if (method == GauntMethod::circles) kernels[d] = GauntCircles(p, q, to);
            if (method == GauntMethod::grid) kernels[d] = GauntGrid(p, q, to, grid);
            if (method == GauntMethod::fourier) kernels[d] = GauntFourier(p, q, to);
        }
    }
    /// d: 0 the product, 1 and 2 the gradients.
    template <class T>
    void multiply(int d, const T* a, const T* b, T* y, T* scratch) const {
        std::visit([&](const auto& kernel) { kernel.multiply(a, b, y, scratch); }, kernels[d]);
    }
    template <class T>
    index scratch() const {
        index most = 0;
        for (const Kernel& k : kernels)
            most = std::max(most, std::visit([](const auto& kernel) { return kernel.template scratch<T>(); }, k));
        return most;
    }
};

/// Rows x1 [N, (l1 + 1)^2], x2 [N, (l2 + 1)^2] to [N, (l3 + 1)^2].
struct GauntOperation {
    static constexpr auto name = "gaunt_tensor_product";
    std::shared_ptr<const GauntPlan> plan;

    template <class T>
    Tensor<T, 2> forward(const Tensor<T, 2>& x1, const Tensor<T, 2>& x2) const {
        return run<T>(0, x1, x2, plan->l3);
    }
    template <class T, class Sink>
    void backward(const Tensor<T, 2>& dy, const Tensor<T, 2>&, Sink& sink, const Tensor<T, 2>& x1,
                  const Tensor<T, 2>& x2) const {
        if (sink.template wants<0>()) sink.template add<0>(run<T>(1, dy, x2, plan->l1));
        if (sink.template wants<1>()) sink.template add<1>(run<T>(2, dy, x1, plan->l2));
    }

private:
    template <class T>
    Tensor<T, 2> run(int d, const Tensor<T, 2>& a, const Tensor<T, 2>& b, int lmax) const {
        return for_rows_of_both(a, b, components_up_to(lmax), plan->cost / static_cast<double>(lanes<T>),
                                plan->scratch<T>(),
                                [&](const T* x, const T* z, T* y, T* scratch) { plan->multiply(d, x, z, y, scratch); });
    }
};

} // namespace detail

/// The product of two functions on the sphere, each by its components [..., (l + 1)^2] of degrees 0 to l (`integral`
/// harmonics), projected on degrees 0 to l3: exact, commutative, without weights. It couples what FullTensorProduct
/// couples where l1 + l2 + l3 is even, one result for each degree, in O(L^3) instead of O(L^6). Luo, Chen &
/// Krishnapriyan, Gaunt tensor products (arXiv 2401.10216). Gradients of any order by both operands.
class GauntTensorProduct {
public:
    /// Of nothing, to be assigned to.
    GauntTensorProduct() : GauntTensorProduct(0, 0, 0) {}
    /// `grid`: its numbers of angles, where that is the method; by default (and at least) (l1 + l2 + l3) / 2 + 1 of
    /// beta and l1 + l2 + l3 + 1 of alpha. Errors: a degree is negative; a grid too coarse to be exact, or another
    /// method. (Degrees beyond l1 + l2 are 0.)
    GauntTensorProduct(int l1, int l2, int l3, GauntMethod method = GauntMethod::automatic,
                       const SphereResolution& grid = {}) {
        if (std::min({l1, l2, l3}) < 0)
            throw error("GauntTensorProduct", "degrees {}, {}, {}: must not be negative", l1, l2, l3);
        const SphereResolution least{detail::GauntGrid::least_beta(l1, l2, l3),
                                     detail::GauntGrid::least_alpha(l1, l2, l3)};
        const SphereResolution used{grid.beta == 0 ? least.beta : grid.beta,
                                    grid.alpha == 0 ? least.alpha : grid.alpha};
        if ((grid.beta != 0 || grid.alpha != 0) && method != GauntMethod::grid)
            throw error("GauntTensorProduct", "a grid of {} x {} angles: only the method grid has one", grid.beta,
                        grid.alpha);
        if (used.beta < least.beta || used.alpha < least.alpha)
            throw error("GauntTensorProduct",
                        "a grid of {} x {} angles beta and alpha: degrees {}, {}, {} need at least {} x {}, or the "
                        "product is wrong",
                        used.beta, used.alpha, l1, l2, l3, least.beta, least.alpha);
        plan_ = std::make_shared<const detail::GauntPlan>(l1, l2, l3, method, used);
    }
    /// Degree of the first function, at most.
    int l1() const { return plan_->l1; }
    /// Degree of the second function, at most.
    int l2() const { return plan_->l2; }
    /// Degree of the result, at most.
    int l3() const { return plan_->l3; }
    /// What `automatic` has chosen.
    GauntMethod method() const { return plan_->method; }

    /// x1 [..., (l1 + 1)^2], x2 [..., (l2 + 1)^2] to [..., (l3 + 1)^2]. Errors: the extents do not fit.
    template <Expression X1, Expression X2>
    auto operator()(const X1& x1, const X2& x2) const {
        return detail::apply_to_components("GauntTensorProduct", detail::GauntOperation{plan_}, x1, plan_->l1, x2,
                                           plan_->l2, plan_->l3);
    }

private:
    std::shared_ptr<const detail::GauntPlan> plan_;
};

} // namespace weft::inline WEFT_ABI::so3
