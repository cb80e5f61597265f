// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/bfloat16.hpp>
#include <weft/core/half.hpp>
#include <weft/core/kernel.hpp>
#include <weft/core/tensor.hpp>

#include <complex>

namespace weft::inline WEFT_ABI {

/// How an expression is evaluated. Parameters and tensors are values; one Var among the leaves makes it recorded.
enum class Kind { tensor, var };

/// A number in an expression: `2 * x`.
template <class T>
struct Constant : detail::ExpressionBase {
    using value_type = T;
    static constexpr int rank = 0;
    T value;
    /// The number v.
    explicit constexpr Constant(T v) : value(v) {}
    Extents<0> shape() const { return {}; }
};

namespace detail {

template <class T>
struct IsDual : std::false_type {};
template <class T>
struct IsDual<Dual<T>> : std::true_type {
    using part = T;
};
template <class T>
struct IsComplex : std::false_type {};
template <class T>
struct IsComplex<std::complex<T>> : std::true_type {
    using part = T;
};

template <class T>
inline constexpr bool is_number = std::is_arithmetic_v<T> || IsDual<T>::value || IsComplex<T>::value ||
                                  std::is_same_v<T, half> || std::is_same_v<T, bfloat16>;

/// The type an element of storage type T is computed in.
template <class T>
struct ComputeOf {
    using type = T;
};
template <>
struct ComputeOf<half> {
    using type = float;
};
template <>
struct ComputeOf<bfloat16> {
    using type = float;
};

/// The type two operands are computed in: bool goes with everything, the wider float wins, a Dual or complex number
/// takes real partners. Integers and floats do not mix by themselves: beyond 2^24 that would lose digits silently.
template <class A, class B>
struct Promote {
    static constexpr bool both_float = std::is_floating_point_v<A> && std::is_floating_point_v<B>;
    static constexpr bool both_integer = std::is_integral_v<A> && std::is_integral_v<B>;
    static_assert(
        both_float || both_integer,
        "weft: integers and floating-point numbers do not mix in one expression: use cast<T>(x) on one of them");
    using type = decltype(A{} + B{});
};
template <class A>
struct Promote<A, A> {
    using type = A;
};
template <class A>
requires(!std::same_as<A, bool>) struct Promote<A, bool> {
    using type = A;
};
template <class A>
requires(!std::same_as<A, bool>) struct Promote<bool, A> {
    using type = A;
};
template <class A>
struct Promote<Dual<A>, A> {
    using type = Dual<A>;
};
template <class A>
struct Promote<A, Dual<A>> {
    using type = Dual<A>;
};
template <class A>
struct Promote<std::complex<A>, A> {
    using type = std::complex<A>;
};
template <class A>
struct Promote<A, std::complex<A>> {
    using type = std::complex<A>;
};
template <class... A>
struct PromoteAll;
template <class A>
struct PromoteAll<A> {
    using type = A;
};
template <class A, class B, class... C>
struct PromoteAll<A, B, C...> : PromoteAll<typename Promote<A, B>::type, C...> {};

template <class E>
inline constexpr bool is_constant = false;
template <class T>
inline constexpr bool is_constant<Constant<T>> = true;
template <class E>
inline constexpr bool is_node = false;
/// Whether E speaks of the edges of a graph (src, dst, edge).
template <class E>
inline constexpr bool is_edge_expression = requires {
    requires E::edge_expression;
};

/// What operand E contributes to the compute type of its node: a number follows its partners.
template <class E>
struct OperandType {
    using type = typename ComputeOf<typename E::value_type>::type;
};
template <class T>
struct OperandType<Constant<T>> {
    using type = std::conditional_t<std::is_arithmetic_v<T>, bool, T>;
};

template <class E>
struct ComputeType {
    using type = typename ComputeOf<typename E::value_type>::type;
};
template <class E>
using compute_type = typename ComputeType<std::remove_cvref_t<E>>::type;

/// The element type of the result of Op on compute type T: Op::result<T> where it defines one (comparisons).
template <class Op, class T>
struct ResultOf {
    using type = T;
};
template <class Op, class T>
requires requires { typename Op::template result<T>; }
struct ResultOf<Op, T> {
    using type = typename Op::template result<T>;
};

/// The fractional type of a number, which partners that are all masks take.
template <class E>
struct FractionOf {
    using type = bool;
};
template <std::floating_point T>
struct FractionOf<Constant<T>> {
    using type = T;
};

/// The type that all operands that are masks computed from something else are computed in, so that `x > 0 && x < 1` is
/// one loop; bool when there is none, or when they differ.
template <class Common, class... A>
struct MaskCompute {
    using type = Common;
};
template <class Common, class A, class... B>
struct MaskCompute<Common, A, B...> : MaskCompute<Common, B...> {};
template <class Common, class A, class... B>
requires requires { typename A::compute; }
struct MaskCompute<Common, A, B...>
    : std::conditional_t<std::is_same_v<Common, bool> || std::is_same_v<Common, typename A::compute>,
                         MaskCompute<typename A::compute, B...>, MaskCompute<bool>> {};

/// The type the node of Op over operands A is computed in.
template <class Op, class... A>
struct NodeCompute {
    using promoted = typename PromoteAll<typename OperandType<A>::type...>::type;
    using fraction = typename PromoteAll<typename FractionOf<A>::type...>::type;
    static constexpr bool masks = std::is_same_v<promoted, bool>;
    static_assert(masks || !std::is_integral_v<promoted> || std::is_same_v<fraction, bool>,
                  "weft: a fractional number and a tensor of integers do not mix: use cast<float>(x) on the tensor");
    using shared = typename MaskCompute<bool, A...>::type;
    static constexpr bool keep =
        std::is_same_v<typename ResultOf<Op, std::int64_t>::type, bool> && !std::is_same_v<shared, bool>;
    // Masks alone are combined as integers, unless only truth matters.
    using of_masks =
        std::conditional_t<!std::is_same_v<fraction, bool>, fraction, std::conditional_t<keep, shared, std::int64_t>>;
    using type = std::conditional_t<masks, of_masks, promoted>;
};

} // namespace detail

namespace detail {

/// The operands of a node under the name of their position. (std::tuple costs the compiler more than all the rest.)
template <class A, class B = void, class C = void>
struct Operands {
    A a;
    B b;
    C c;
};
template <class A, class B>
struct Operands<A, B, void> {
    A a;
    B b;
};
template <class A>
struct Operands<A, void, void> {
    A a;
};

} // namespace detail

/// An element-wise operation and its operands, owned by value; computed when it lands in a Tensor or Var.
/// `Op` is a struct of static functions over packets: `value`, and `slope` or `adjoint` per operand; see core/ops.
template <class Op, class... A>
class Node : public detail::ExpressionBase {
    static_assert(sizeof...(A) >= 1 && sizeof...(A) <= 3, "weft: element-wise operations have one to three operands");

public:
    using operation = Op;
    using compute = typename detail::NodeCompute<Op, A...>::type;
    using value_type = typename detail::ResultOf<Op, compute>::type;
    static constexpr int rank = std::max({A::rank...});
    static constexpr int arity = sizeof...(A);
    static constexpr bool edge_expression = (detail::is_edge_expression<A> || ...);
    using shape_type = AnyShape<rank>;

    /// Operands are what `make` returns for each source: they are made in their place, and never moved.
    template <class Make, class... Source>
    Node(const Make& make, Source&&... sources)
        : operands_{make(std::forward<Source>(sources))...}, extents_(broadcast()) {}

    const Extents<rank>& shape() const noexcept { return extents_; }
    index extent(int axis) const { return extents_[static_cast<std::size_t>(normalize_axis(axis, rank, "extent"))]; }
    index size() const noexcept { return detail::product(extents_); }
    /// The K-th operand: expressions can be walked.
    template <int K>
    const auto& operand() const noexcept {
        if constexpr (K == 0)
            return operands_.a;
        else if constexpr (K == 1)
            return operands_.b;
        else
            return operands_.c;
    }

private:
    Extents<rank> broadcast() const {
        if constexpr (sizeof...(A) == 1)
            return operands_.a.shape();
        else if constexpr (sizeof...(A) == 2)
            return join(operands_.a.shape(), operands_.b.shape());
        else
            return join(join(operands_.a.shape(), operands_.b.shape()), operands_.c.shape());
    }
    static auto join(const auto& a, const auto& b) {
        if constexpr (edge_expression)
            return broadcast_rows(a, b, Op::name);
        else
            return broadcast_shapes(a, b, Op::name);
    }

    detail::Operands<A...> operands_;
    Extents<rank> extents_;
};

namespace detail {

template <class Op, class... A>
inline constexpr bool is_node<Node<Op, A...>> = true;

template <class Op, class... A>
struct ComputeType<Node<Op, A...>> {
    using type = typename Node<Op, A...>::compute;
};

/// Whether leaf E is said to have one value for each run of neighbouring elements.
template <class E>
inline constexpr bool one_value_per_run = requires {
    E::one_value_per_run;
};

/// Leaves of dense expressions: memory at p[I] + i.
struct DenseLeaves {
    template <class E, int I, bool Gradient>
    using leaf = LeafKernel<I, Gradient, one_value_per_run<E>>;
};

/// What the kernel of E looks like: numbers of leaves and constants, and their positions in the tables. `Leaves` says
/// how a leaf reads its elements.
template <class E>
struct Structure {
    static constexpr int leaves = 1, constants = 0;
    static constexpr unsigned unit_slopes = 1; // bit k: the derivative by leaf k is 1
    static constexpr double cost = 0;
    static constexpr bool staged = false; // has statistics among its leaves: core/moments.hpp
    static constexpr bool runs = one_value_per_run<E>;
    static constexpr bool recorded = [] {
        if constexpr (requires { E::recorded; })
            return E::recorded;
        else
            return false;
    }();
    static constexpr bool differentiable = [] {
        if constexpr (requires { E::differentiable; })
            return E::differentiable;
        else
            return false;
    }();
    template <class Leaves, int I, int J, bool Gradient>
    using kernel = typename Leaves::template leaf<E, I, Gradient && differentiable>;
};
template <class T>
struct Structure<Constant<T>> {
    static constexpr int leaves = 0, constants = 1;
    static constexpr unsigned unit_slopes = 0;
    static constexpr double cost = 0;
    static constexpr bool staged = false, runs = false, recorded = false, differentiable = false;
    template <class Leaves, int I, int J, bool Gradient>
    using kernel = ConstantKernel<J>;
};

template <class Op>
constexpr bool op_differentiable() {
    if constexpr (requires { Op::differentiable; })
        return Op::differentiable;
    else
        return true;
}
template <class Op>
constexpr double op_cost() {
    if constexpr (requires { Op::cost; })
        return Op::cost;
    else
        return 0.1;
}

template <class Op, class A>
struct Structure<Node<Op, A>> {
    using SA = Structure<A>;
    static constexpr int leaves = SA::leaves, constants = SA::constants;
    static constexpr unsigned unit_slopes = 0;
    static constexpr double cost = SA::cost + op_cost<Op>();
    static constexpr bool staged = SA::staged, runs = SA::runs;
    static constexpr bool recorded = SA::recorded, differentiable = op_differentiable<Op>() && SA::differentiable;
    template <class Leaves, int I, int J, bool Gradient>
    using kernel = ApplyKernel<Op, typename SA::template kernel<Leaves, I, J, Gradient && op_differentiable<Op>()>>;
};
template <class Op, class A, class B>
struct Structure<Node<Op, A, B>> {
    using SA = Structure<A>;
    using SB = Structure<B>;
    static constexpr int leaves = SA::leaves + SB::leaves, constants = SA::constants + SB::constants;
    static constexpr unsigned unit_slopes = [] {
        if constexpr (requires { Op::unit_slopes; })
            return (Op::unit_slopes & 1u ? SA::unit_slopes : 0u) |
                   (Op::unit_slopes & 2u ? SB::unit_slopes << SA::leaves : 0u);
        else
            return 0u;
    }();
    static constexpr double cost = SA::cost + SB::cost + op_cost<Op>();
    static constexpr bool staged = SA::staged || SB::staged, runs = SA::runs || SB::runs;
    static constexpr bool recorded = SA::recorded || SB::recorded;
    static constexpr bool differentiable = op_differentiable<Op>() && (SA::differentiable || SB::differentiable);
    template <class Leaves, int I, int J, bool Gradient>
    using kernel = ApplyKernel<
        Op, typename SA::template kernel<Leaves, I, J, Gradient && op_differentiable<Op>()>,
        typename SB::template kernel<Leaves, I + SA::leaves, J + SA::constants, Gradient && op_differentiable<Op>()>>;
};
template <class Op, class A, class B, class C>
struct Structure<Node<Op, A, B, C>> {
    using SA = Structure<A>;
    using SB = Structure<B>;
    using SC = Structure<C>;
    static constexpr int leaves = SA::leaves + SB::leaves + SC::leaves;
    static constexpr int constants = SA::constants + SB::constants + SC::constants;
    static constexpr unsigned unit_slopes = 0;
    static constexpr double cost = SA::cost + SB::cost + SC::cost + op_cost<Op>();
    static constexpr bool staged = SA::staged || SB::staged || SC::staged;
    static constexpr bool runs = SA::runs || SB::runs || SC::runs;
    static constexpr bool recorded = SA::recorded || SB::recorded || SC::recorded;
    static constexpr bool differentiable =
        op_differentiable<Op>() && (SA::differentiable || SB::differentiable || SC::differentiable);
    template <class Leaves, int I, int J, bool Gradient>
    using kernel = ApplyKernel<
        Op, typename SA::template kernel<Leaves, I, J, Gradient && op_differentiable<Op>()>,
        typename SB::template kernel<Leaves, I + SA::leaves, J + SA::constants, Gradient && op_differentiable<Op>()>,
        typename SC::template kernel<Leaves, I + SA::leaves + SB::leaves, J + SA::constants + SB::constants,
                                     Gradient && op_differentiable<Op>()>>;
};

} // namespace detail

/// Whether an expression lands as a Var by itself. Masks of Vars do not: no gradient flows through them.
template <class E>
inline constexpr Kind kind_of =
    detail::Structure<std::remove_cvref_t<E>>::recorded&& detail::Structure<std::remove_cvref_t<E>>::differentiable
        ? Kind::var
        : Kind::tensor;

} // namespace weft::inline WEFT_ABI
