// SPDX-License-Identifier: MIT
#pragma once

#include <weft/so3/components.hpp>
#include <weft/so3/gaunt_kernel.hpp>

namespace weft::inline WEFT_ABI::so3 {

/// How a Gaunt product is computed; all are exact. `automatic`: what costs least for the degrees.
enum class GauntMethod {
    automatic,
    list,    ///< every integral of three harmonics that is not 0: the fastest for low degrees
    circles, ///< on circles around the axis, where products are convolutions of Fourier coefficients: O(L^3)
};

namespace detail {

/// The product of degrees a, b, to y, and those of its gradients: the integral of three functions is symmetric.
struct GauntPlan {
    int l1, l2, l3;
    bool circles;
    GauntList lists[3]; // to the result; from its gradient and x2 to that of x1; from its gradient and x1 to that of x2
    GauntCircles rounds[3];
    double cost;

    GauntPlan(int a, int b, int y, GauntMethod method) : l1(a), l2(b), l3(y) {
        const int degrees[3][3] = {{a, b, y}, {y, b, a}, {y, a, b}};
        circles = method == GauntMethod::circles;
        if (method == GauntMethod::automatic) // long lists are not even made
            circles = std::min(a, b) > 5 || GauntList(a, b, y).cost() > GauntCircles(a, b, y).cost();
        for (int d = 0; d < 3; ++d) {
            const auto& [first, second, to] = degrees[d];
            if (circles)
                rounds[d] = GauntCircles(first, second, to);
            else
                lists[d] = GauntList(first, second, to);
        }
        cost = (circles ? rounds[0].cost() : lists[0].cost()) * 0.05; // nanoseconds a row, measured
    }
    /// d: 0 the product, 1 and 2 the gradients.
    template <class T>
    void multiply(int d, const T* a, const T* b, T* y, T* scratch) const {
        circles ? rounds[d].multiply(a, b, y, scratch) : lists[d].multiply(a, b, y);
    }
    template <class T>
    index scratch() const {
        return circles ? std::max({rounds[0].scratch<T>(), rounds[1].scratch<T>(), rounds[2].scratch<T>()}) : 0;
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
        return for_rows_of_both(a, b, components_up_to(lmax), plan->cost * 16 / static_cast<double>(lanes<T>),
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
    GauntTensorProduct() : GauntTensorProduct(0, 0, 0) {}
    /// Errors: a degree is negative. (Degrees beyond l1 + l2 are 0.)
    GauntTensorProduct(int l1, int l2, int l3, GauntMethod method = GauntMethod::automatic) {
        if (std::min({l1, l2, l3}) < 0)
            throw error("GauntTensorProduct", "degrees {}, {}, {}: must not be negative", l1, l2, l3);
        plan_ = std::make_shared<const detail::GauntPlan>(l1, l2, l3, method);
    }
    int l1() const { return plan_->l1; }
    int l2() const { return plan_->l2; }
    int l3() const { return plan_->l3; }
    /// What `automatic` has chosen.
    GauntMethod method() const { return plan_->circles ? GauntMethod::circles : GauntMethod::list; }

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
