// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/error.hpp>
#include <weft/core/ops/abs.hpp>
#include <weft/core/ops/cos.hpp>
#include <weft/core/ops/elu.hpp>
#include <weft/core/ops/gelu.hpp>
#include <weft/core/ops/gelu_tanh.hpp>
#include <weft/core/ops/relu.hpp>
#include <weft/core/ops/sigmoid.hpp>
#include <weft/core/ops/silu.hpp>
#include <weft/core/ops/sin.hpp>
#include <weft/core/ops/softplus.hpp>
#include <weft/core/ops/tanh.hpp>
#include <weft/io/message.hpp>

#include <iterator>

/// Functions of one number that are chosen at run time: lists of irreps have one for each term.
namespace weft::inline WEFT_ABI::so3 {

/// A function of one number, e3nn's activations among them.
enum class Function {
    none,             ///< no function: what is to be left as it is
    identity,         ///< x, as a function: normalised like the others
    abs,              ///< |x|
    relu,             ///< max(x, 0)
    silu,             ///< x sigmoid(x)
    tanh,             ///< the hyperbolic tangent
    sigmoid,          ///< 1 / (1 + e^-x)
    gelu,             ///< x Phi(x), with the normal distribution Phi
    gelu_tanh,        ///< gelu, approximated by a hyperbolic tangent
    elu,              ///< x where it is positive, else e^x - 1
    softplus,         ///< log(1 + e^x)
    shifted_softplus, ///< log((1 + e^x) / 2)
    sin,
    cos,
};

namespace detail {

struct IdentityFunction {
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a) {
        return a;
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P adjoint(const P& adj, const P&, const P&) {
        return adj;
    }
};
struct EluFunction {
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a) {
        return Elu::value(a, P(1));
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P adjoint(const P& adj, const P& a, const P& y) {
        return Elu::adjoint_a(adj, a, P(1), y);
    }
};
struct ShiftedSoftplusFunction {
    template <class P>
    static WEFT_ALWAYS_INLINE P value(const P& a) {
        return Softplus::value(a) - math::number<P>(std::numbers::ln2);
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P slope(const P& a, const P& y) {
        return Softplus::slope(a, y);
    }
};

/// What is to be known of a function: +1 if it is even, -1 if it is odd, 0 if it is neither; and the factor that e3nn
/// 0.6 normalises it by, from a million normal numbers that it draws.
struct FunctionFacts {
    std::string_view name;
    int parity;
    double sampled_factor;
};
inline constexpr FunctionFacts function_facts[] = {
    {"none", -1, 1},
    {"identity", -1, 1.001110600838467},
    {"abs", 1, 1.001110600838467},
    {"relu", 0, 1.4163393446331365},
    {"silu", 0, 1.6791767923989418},
    {"tanh", -1, 1.5937334472592695},
    {"sigmoid", 0, 1.8467055342154763},
    {"gelu", 0, 1.5360642850770576},
    {"gelu_tanh", 0, 1.5361148025478055},
    {"elu", 0, 1.2467863885570512},
    {"softplus", 0, 1.0426436590527184},
    {"shifted_softplus", 0, 1.878204668541552},
    {"sin", -1, 1.5218334864623193},
    {"cos", 1, 1.326609063570005},
};
inline const FunctionFacts& facts(Function f) { return function_facts[static_cast<std::size_t>(f)]; }

/// body(operation of f)
template <class F>
void with_operation(Function f, F&& body) {
    switch (f) {
    case Function::none:
    case Function::identity:
        return body(IdentityFunction{});
    case Function::abs:
        return body(Abs{});
    case Function::relu:
        return body(Relu{});
    case Function::silu:
        return body(Silu{});
    case Function::tanh:
        return body(Tanh{});
    case Function::sigmoid:
        return body(Sigmoid{});
    case Function::gelu:
        return body(Gelu{});
    case Function::gelu_tanh:
        return body(GeluTanh{});
    case Function::elu:
        return body(EluFunction{});
    case Function::softplus:
        return body(Softplus{});
    case Function::shifted_softplus:
        return body(ShiftedSoftplusFunction{});
    case Function::sin:
        return body(Sin{});
    case Function::cos:
        return body(Cos{});
    }
}

/// The packet at p, of which n elements are there.
template <class T>
WEFT_ALWAYS_INLINE Packet<T> load_some(const T* p, index n) {
    return n >= lanes<T> ? load_packet(p) : load_first(p, n, T{});
}
template <class T>
WEFT_ALWAYS_INLINE void store_some(T* p, const Packet<T>& a, index n) {
    if (n >= lanes<T>)
        store_packet(p, a);
    else
        store_first(p, a, n);
}
template <class Op, class T>
WEFT_NOINLINE void run_values(const T* x, index n, T factor, T* y) {
    const Packet<T> c = splat(factor);
    for (index i = 0; i < n; i += lanes<T>) store_some<T>(y + i, Op::value(load_some(x + i, n - i)) * c, n - i);
}
template <class Op, class T>
WEFT_NOINLINE void run_adjoints(const T* x, const T* dy, index n, T factor, T* dx) {
    const Packet<T> c = splat(factor);
    for (index i = 0; i < n; i += lanes<T>) {
        const Packet<T> a = load_some(x + i, n - i), adj = load_some(dy + i, n - i) * c;
        store_some<T>(dx + i, weft::detail::unary_adjoint<Op, Packet<T>>(adj, a, Op::value(a)), n - i);
    }
}

/// y = factor f(x) of n neighbouring numbers.
template <class T>
void function_values(Function f, const T* x, index n, double factor, T* y) {
    with_operation(f, [&]<class Op>(Op) { run_values<Op>(x, n, T(factor), y); });
}
/// dx = factor f'(x) dy
template <class T>
void function_adjoints(Function f, const T* x, const T* dy, index n, double factor, T* dx) {
    with_operation(f, [&]<class Op>(Op) { run_adjoints<Op>(x, dy, n, T(factor), dx); });
}

struct FunctionOperation {
    static constexpr auto name = "function";
    Function f;
    double factor;

    template <class T, int N>
    Tensor<T, N> forward(const Tensor<T, N>& x) const {
        auto y = Tensor<T, N>::empty(x.shape());
        T* const to = y.mutable_data();
        each_piece(x.size(), [&](index at, index n) { function_values(f, x.data() + at, n, factor, to + at); });
        return y;
    }
    template <class T, int N, class Sink>
    void backward(const Tensor<T, N>& dy, const Tensor<T, N>&, Sink& sink, const Tensor<T, N>& x) const {
        if (!sink.template wants<0>()) return;
        auto dx = Tensor<T, N>::empty(x.shape());
        T* const to = dx.mutable_data();
        each_piece(x.size(),
                   [&](index at, index n) { function_adjoints(f, x.data() + at, dy.data() + at, n, factor, to + at); });
        sink.template add<0>(dx);
    }

private:
    template <class F>
    static void each_piece(index size, F&& body) {
        constexpr index piece = index{1} << 14;
        weft::detail::for_each_chunk((size + piece - 1) / piece, static_cast<double>(size),
                                     [&](index chunk) { body(chunk * piece, std::min(piece, size - chunk * piece)); });
    }
};

} // namespace detail

/// The name of a function.
inline std::string_view name_of(Function f) { return detail::facts(f).name; }
/// The function of that name. Errors: there is none.
inline Function function_named(std::string_view name) {
    std::string known;
    for (std::size_t k = 0; k < std::size(detail::function_facts); ++k) {
        if (detail::function_facts[k].name == name) return static_cast<Function>(k);
        known += (k == 0 ? "" : ", ") + std::string(detail::function_facts[k].name);
    }
    throw error("function_named", "{} must be one of {}", io::detail::quote_name(name), known);
}

/// factor f(x) of every element; gradients of any order.
template <Expression X>
auto apply_function(Function f, const X& x, double factor = 1) {
    return apply_operation(detail::FunctionOperation{f, factor}, x);
}

} // namespace weft::inline WEFT_ABI::so3
