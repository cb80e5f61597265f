// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/dense.hpp>
#include <weft/core/expression.hpp>
#include <weft/core/transposed_copy.hpp>

namespace weft::inline WEFT_ABI {

namespace detail {

/// Fills the tables of operands and constants, left to right.
template <class T, class E>
void collect(const E& e, Operand<T>*& operands, T*& constants) {
    if constexpr (is_node<E>) {
        [[maybe_unused]] Operand<T>* const first = operands;
        collect<T>(e.template operand<0>(), operands, constants);
        if constexpr (E::arity > 1) collect<T>(e.template operand<1>(), operands, constants);
        if constexpr (E::arity > 2) collect<T>(e.template operand<2>(), operands, constants);
        // No gradient passes a comparison: what is below it is a constant to the tape.
        if constexpr (!op_differentiable<typename E::operation>())
            for (Operand<T>* o = first; o != operands; ++o) o->node = nullptr;
    } else if constexpr (is_constant<E>) {
        *constants++ = static_cast<T>(e.value);
    } else if constexpr (requires { e.describe_statistic(operands); }) {
        e.describe_statistic(operands);
        operands += 2;
    } else if constexpr (requires { e.describe(*operands); }) {
        e.describe(*operands++);
    } else {
        describe_operand(e, *operands);
        copy_transposed(*operands++);
    }
}

/// The tables of one expression, ready for the dense loops. What does not depend on the expression itself is here, so
/// that it is compiled once for all of them.
template <class T, int Leaves, int Constants, int Rank>
struct DenseTables {
    Operand<T> operands[Leaves + 1];
    T constants[Constants + 1];
    Extents<Rank> extents;
    DenseForward<T> forward = nullptr;
    double cost = 0;
    unsigned unit_slopes = 0;

    DenseTask<T> task() const { return {forward, operands, Leaves, constants, extents, cost}; }
};

template <class E>
using DenseTablesOf = DenseTables<compute_type<E>, Structure<E>::leaves, Structure<E>::constants, E::rank>;

template <class E>
struct Prepared : DenseTablesOf<E> {
    using T = compute_type<E>;
    using S = Structure<E>;
    static_assert(S::leaves <= max_operands - 2,
                  "weft: an expression has at most 22 leaves: land a part of it first, const auto h = eval(part);");
    using kernel = typename S::template kernel<DenseLeaves, 0, 0, false>;

    explicit Prepared(const E& e) {
        static_assert(!is_edge_expression<E>,
                      "weft: an expression over edges lands through a reduction: sum_in(g, e), edges(g, e), ...");
        this->extents = e.shape();
        this->forward = &dense_forward_kernel<kernel, S::leaves, S::constants, S::runs, T>;
        this->cost = S::cost;
        this->unit_slopes = S::unit_slopes;
        Operand<T>* o = this->operands;
        T* c = this->constants;
        collect<T>(e, o, c);
    }
};

/// The loops of expressions with statistics among their leaves: core/staged.hpp.
template <class T>
void staged_evaluate(const DenseTask<T>& task, std::byte* out, index item, typename ForwardSweep<T>::Write write);

template <class T>
using Evaluate = void (*)(const DenseTask<T>&, std::byte*, index, typename ForwardSweep<T>::Write);
template <class E>
constexpr Evaluate<compute_type<E>> evaluate_of() {
    if constexpr (Structure<E>::staged)
        return &staged_evaluate<compute_type<E>>;
    else
        return &dense_evaluate<compute_type<E>>;
}

template <class T, class S>
void write_converted(const T* from, std::byte* to, index n) {
    S* const out = reinterpret_cast<S*>(to);
    for (index i = 0; i < n; ++i) {
        if constexpr (IsDual<T>::value && !IsDual<S>::value)
            out[i] = static_cast<S>(from[i].value); // a mask
        else
            out[i] = static_cast<S>(from[i]);
    }
}

template <class L>
concept TensorLike = requires(const L& x) {
    {x.tensor()};
};

/// How results land, by the kind of their operands; the specialisation for Kind::var lives with Var.
template <Kind K>
struct Lander;

} // namespace detail

/// Evaluates an expression into a tensor: one fused loop, or no loop at all when a tensor can be shared.
template <class T, int N, class S>
void land(Tensor<T, N, S>& target, const Expression auto& expression) {
    using E = std::remove_cvref_t<decltype(expression)>;
    if constexpr (requires { expression.tensor(); } && !std::same_as<decltype(detail::compute_type<E>{}), void>) {
        using Source = std::remove_cvref_t<decltype(expression.tensor())>;
        if constexpr (std::same_as<typename Source::value_type, T>) {
            const auto& source = expression.tensor();
            if (detail::is_contiguous(source.shape(), source.strides()) && !source.storage().foreign() &&
                source.storage()) {
                if constexpr (!std::same_as<S, AnyShape<N>>) target = Tensor<T, N, S>::empty(source.shape());
                target = Tensor<T, N, S>::share(source.storage(), source.data(), source.shape());
                return;
            }
            if (const detail::TransposedCopy<T> copy(source.shape(), source.strides().data()); copy) {
                auto copied = Tensor<T, N, S>::empty(source.shape());
                copy(source.data(), copied.mutable_data());
                target = std::move(copied);
                return;
            }
        }
    }
    const detail::Prepared<E> prepared(expression);
    target = Tensor<T, N, S>::empty(expression.shape());
    using C = detail::compute_type<E>;
    if constexpr (std::same_as<C, T>) {
        detail::evaluate_of<E>()(prepared.task(), reinterpret_cast<std::byte*>(target.mutable_data()), sizeof(T),
                                 nullptr);
    } else {
        static_assert(detail::is_number<T> && (std::same_as<T, typename E::value_type> || std::is_convertible_v<C, T> ||
                                               std::is_constructible_v<T, C>),
                      "weft: the expression's element type does not convert to the tensor's");
        detail::evaluate_of<E>()(prepared.task(), reinterpret_cast<std::byte*>(target.mutable_data()), sizeof(T),
                                 &detail::write_converted<C, T>);
    }
}

/// The value of an expression, computed once: a Tensor or Var of it; leaves are returned as they are. What is used
/// more than once is landed first: `const auto h = eval(x);`.
template <Expression E>
auto eval(const E& expression) {
    if constexpr (detail::is_node<E> || detail::Structure<E>::staged)
        return detail::Lander<kind_of<E>>::land(expression);
    else
        return expression;
}

/// A tensor-like leaf in row-major order without gaps, as operations with a kernel of their own want it.
template <Expression E>
auto contiguous(const E& expression) {
    if constexpr (requires { expression.copied(); }) // a Var or Parameter stays one
        return expression.strides() == detail::contiguous_strides(expression.shape()) ? expression
                                                                                      : expression.copied();
    else
        return detail::Lander<kind_of<E>>::contiguous(expression);
}

/// Leaf x, which broadcasts, as one that has the same value for whole runs of neighbouring elements (rows, channels):
/// where it does, the loop reads one packet per run instead of one at every position. Nothing else changes.
template <class X>
struct PerRun : detail::ExpressionBase {
    using value_type = typename X::value_type;
    static constexpr int rank = X::rank;
    static constexpr bool one_value_per_run = true;
    static constexpr bool recorded = detail::Structure<X>::recorded,
                          differentiable = detail::Structure<X>::differentiable;
    X leaf;

    const Extents<rank>& shape() const noexcept { return leaf.shape(); }
    /// The leaf as an operand of a kernel over elements of type C, of one value per run.
    template <class C>
    void describe(detail::Operand<C>& o) const {
        if constexpr (requires { leaf.describe(o); })
            leaf.describe(o);
        else
            detail::describe_operand(leaf, o);
        o.one_value_per_run = true;
    }
};
/// PerRun of `e`, landed.
template <Expression E>
auto per_run(const E& e) {
    const auto x = eval(e);
    return PerRun<std::remove_cvref_t<decltype(x)>>{{}, x};
}

namespace detail {

template <>
struct Lander<Kind::tensor> {
    template <class E>
    static auto land(const E& e) {
        return Tensor<typename E::value_type, E::rank>(e);
    }
    template <class E>
    static Tensor<typename E::value_type, E::rank> contiguous(const E& e) {
        if constexpr (requires { e.tensor(); })
            return e.tensor();
        else
            return e;
    }
    /// An operation with a rule of its own on values.
    template <class Op, class... E>
    static auto apply(const Op& op, const E&... operands) {
        return op.forward(contiguous(operands)...);
    }
    template <class Monoid, class E, std::size_t N>
    static auto reduce(const E& e, const Extents<E::rank>& kept, const std::array<index, N>& shape) {
        return reduce_value<Monoid>(e, kept, shape).second;
    }
    /// The prepared operand and the value of its reduction. `kept`: the operand's extents, 1 along reduced axes.
    template <class Monoid, class E, std::size_t N>
    static auto reduce_value(const E& e, const Extents<E::rank>& kept, const std::array<index, N>& shape) {
        using T = compute_type<E>;
        Prepared<E> prepared(e);
        auto result = Tensor<T, static_cast<int>(N)>::full(shape, Monoid::template identity<T>());
        Extents<E::rank> strides = contiguous_strides(kept);
        for (std::size_t a = 0; a < strides.size(); ++a)
            if (kept[a] != prepared.extents[a]) strides[a] = 0;
        DenseTask<T> task = prepared.task();
        if constexpr (!is_node<E>) task.forward = nullptr;
        dense_reduce<Monoid>(task, strides.data(), result.mutable_data());
        return std::pair(std::move(prepared), std::move(result));
    }
};

template <class... E>
inline constexpr Kind joined_kind = ((kind_of<E> == Kind::var) || ...) ? Kind::var : Kind::tensor;

} // namespace detail

/// Applies an operation with rules of its own. `Op` has `name`, `forward(values...)`, and
/// `backward(dy, y, sink, values...)`, which hands gradients to `sink.template add<K>(expression)` for the operands K
/// with `sink.template wants<K>()`.
template <class Op, class... E>
auto apply_operation(const Op& op, const E&... operands) {
    return detail::Lander<detail::joined_kind<E...>>::apply(op, operands...);
}

namespace detail {

template <class X>
concept OperandOf = Expression<X> || is_number<std::remove_cvref_t<X>>;

template <class X>
struct AsExpression {
    using type = std::conditional_t<Expression<X>, std::remove_cvref_t<X>, Constant<std::remove_cvref_t<X>>>;
};
template <class X>
using as_expression = typename AsExpression<X>::type;

/// Makes the operands of a node computed in T from what they are given as: numbers become constants; an expression
/// computed in another type (a mask of integers) lands first, and so does one over tensors within one over edges.
template <class T, bool Edge>
struct MakeOperand {
    template <class X>
    auto operator()(X&& operand) const {
        using E = std::remove_cvref_t<X>;
        if constexpr (!Expression<E>)
            return Constant<E>(operand);
        else if constexpr (Edge && !is_edge_expression<E> && !is_constant<E>)
            return contiguous(operand);
        else if constexpr (is_node<E> && !std::same_as<compute_type<E>, T>)
            return Lander<kind_of<E>>::land(operand);
        else
            return E(std::forward<X>(operand));
    }
};

} // namespace detail

/// The node of an element-wise operation: `apply<Relu>(x)`. Numbers among the operands become constants.
template <class Op, detail::OperandOf... A>
requires(Expression<A> || ...) auto apply(A&&... operands) {
    using T = typename detail::NodeCompute<Op, detail::as_expression<A>...>::type;
    using Make = detail::MakeOperand<T, (detail::is_edge_expression<detail::as_expression<A>> || ...)>;
    return Node<Op, decltype(Make{}(std::forward<A>(operands)))...>(Make{}, std::forward<A>(operands)...);
}

/// Operands of a binary operator: two expressions, or an expression and a number.
template <class A, class B>
concept Operands = (Expression<A> && detail::OperandOf<B>) || (detail::OperandOf<A> && Expression<B>);

} // namespace weft::inline WEFT_ABI
