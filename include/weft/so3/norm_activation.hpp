// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/ops/add.hpp>
#include <weft/core/ops/divide.hpp>
#include <weft/core/ops/maximum.hpp>
#include <weft/nn/module.hpp>
#include <weft/so3/function.hpp>
#include <weft/so3/norm.hpp>

namespace weft::inline WEFT_ABI::so3 {

/// Options of `NormActivation`.
struct NormActivationOptions {
    /// Whether only the direction of x is kept: f(|x|) x / |x|; else f(|x|) x.
    bool normalize = true;
    /// Lengths below count as this one; their gradient is 0. With `normalize` only.
    double epsilon = 1e-8;
    /// Whether a learnt number for each copy is added to its length: f(|x| + b).
    bool bias = false;
};

/// Each copy of an irrep in its direction, as long as a function of its length says: e3nn.nn.NormActivation. The
/// function is not normalised. Parameter `biases` [num_irreps] (zeros), or none.
template <class T>
struct NormActivation {
    Irreps irreps;
    Function function = Function::none;
    NormActivationOptions options;
    std::optional<Parameter<T, 1>> biases;

    NormActivation() = default;
    /// Errors: epsilon is not positive.
    NormActivation(const Irreps& irreps_in, Function f, const NormActivationOptions& o = {})
        : irreps(irreps_in), function(f), options(o) {
        if (o.normalize && !(o.epsilon > 0))
            throw error("NormActivation", "epsilon is {}: must be positive", o.epsilon);
        if (o.bias) biases.emplace(Tensor<T, 1>::zeros({irreps.num_irreps()}));
    }

    const Irreps& irreps_in() const { return irreps; }
    const Irreps& irreps_out() const { return irreps; }

    /// x [..., dim] to [..., dim]. Errors: the dimension is another.
    template <Expression X>
    auto operator()(const X& expression) const {
        detail::require_features("NormActivation", expression, irreps);
        const auto x = eval(expression);
        if (!options.normalize) {
            const auto length = Norm(irreps)(x);
            return scale_copies(irreps, x, value(length));
        }
        const auto square = dot_copies(irreps, x, x);
        const auto length = eval(sqrt(maximum(square, options.epsilon * options.epsilon)));
        return scale_copies(irreps, x, eval(value(length) / length));
    }

    void visit(auto&& v) { v("biases", biases); }

private:
    template <class L>
    auto value(const L& length) const {
        using Y = decltype(eval(length + *biases));
        return apply_function(function, biases ? eval(length + *biases) : Y(length));
    }
};

} // namespace weft::inline WEFT_ABI::so3
