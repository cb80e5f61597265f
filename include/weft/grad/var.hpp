// SPDX-License-Identifier: MIT
#pragma once

#include <weft/grad/tape_node.hpp>

namespace weft::inline WEFT_ABI {

namespace detail {

template <class E>
NodeRef<ValueNode<compute_type<E>>> make_fused_node(Prepared<E>& prepared, const Extents<E::rank>& adjoint_strides,
                                                    const Storage& value, const compute_type<E>* data, index size);

/// A strided window on a recorded value; what Var and Parameter share.
template <template <class, int> class Self, class T, int N>
class Recorded : public ExpressionBase {
public:
    using value_type = T;
    using shape_type = AnyShape<N>;
    static constexpr int rank = N;
    static constexpr bool differentiable = true;

    const Extents<N>& shape() const noexcept { return extents_; }
    const Extents<N>& strides() const noexcept { return strides_; }
    index extent(int axis) const { return extents_[static_cast<std::size_t>(normalize_axis(axis, N, "extent"))]; }
    index size() const noexcept { return product(extents_); }
    const T* data() const noexcept { return node_->data + offset_; }
    const Storage& storage() const noexcept { return node_->value; }

    /// The value as a view; `value()` as a tensor.
    View<T, N> tensor() const { return View<T, N>(node_->value, data(), extents_, strides_); }
    Tensor<T, N> value() const { return tensor(); }
    /// The value of a Var with one element.
    T item() const { return value().item(); }

    bool has_grad() const noexcept { return node_ && node_->has_gradient(); }
    /// The gradient that backward() left here, of the shape of the value. Errors: there is none.
    Tensor<T, N> grad() const {
        if (!has_grad()) throw error("grad", "no gradient has reached this value: call backward(loss) first");
        return View<T, N>(node_->gradient, node_->gradient_data() + offset_, extents_, strides_);
    }
    void clear_grad() noexcept { node_->drop_gradient(); }

    template <int M>
    Self<T, M> window(index offset, const Extents<M>& extents, const Extents<M>& strides) const {
        return Self<T, M>(node_, offset_ + offset, extents, strides);
    }

    /// A row-major copy, recorded.
    Self<T, N> copied() const {
        using Me = Self<T, N>;
        const Me& me = static_cast<const Me&>(*this);
        Prepared<Me> prepared(me);
        const Tensor<T, N> value = this->value();
        const Extents<N> strides = contiguous_strides(extents_);
        return Me(make_fused_node(prepared, strides, value.storage(), value.data(), value.size()), 0, extents_,
                  strides);
    }

    template <class C>
    WEFT_NOINLINE void describe(Operand<C>& o) const {
        static_assert(std::is_same_v<C, T>, "weft: a Var stands in an expression of its own element type only: use "
                                            "cast<T>(x) on it or on the others");
        describe_operand(tensor(), o);
        o.node = node_.get();
        o.node_offset = offset_;
    }
    const NodeRef<ValueNode<T>>& node() const noexcept { return node_; }
    index offset() const noexcept { return offset_; }

protected:
    Recorded() = default;
    Recorded(NodeRef<ValueNode<T>> node, index offset, const Extents<N>& extents, const Extents<N>& strides)
        : node_(std::move(node)), offset_(offset), extents_(extents), strides_(strides) {}

    void make_leaf(const Tensor<T, N>& value) {
        node_ = NodeRef<ValueNode<T>>(new LeafNode<T>);
        set_node_value(value);
    }
    void set_node_value(const Tensor<T, N>& value) {
        node_->value = value.storage();
        node_->data = value.data();
        node_->size = value.size();
        offset_ = 0;
        extents_ = value.shape();
        strides_ = value.strides();
    }

    NodeRef<ValueNode<T>> node_;
    index offset_ = 0;
    Extents<N> extents_{};
    Extents<N> strides_{};
};

} // namespace detail

/// A value that is computed and remembered: gradients flow back through it. `Var x{tensor}` begins a graph; an
/// expression with a Var among its leaves lands as a Var. Copies name the same value. Gradients are computed for those
/// leaves only that still have a name when backward() runs: `net(Var{x})` costs no gradient of x.
template <class T, int N>
class Var : public detail::Recorded<Var, T, N> {
    using Base = detail::Recorded<Var, T, N>;

public:
    static constexpr bool recorded = true;

    Var() = default;
    /// A window on a recorded value.
    Var(detail::NodeRef<detail::ValueNode<T>> node, index offset, const Extents<N>& extents, const Extents<N>& strides)
        : Base(std::move(node), offset, extents, strides) {}

    /// Lands an expression; without a Var or Parameter in it, its value becomes a leaf.
    template <Expression E>
    requires(!std::same_as<std::remove_cvref_t<E>, Var>) Var(const E& expression) : Var(landed(expression)) {}
    /// A leaf of one number.
    Var(T value) requires(N == 0) { this->make_leaf(Tensor<T, 0>(value)); }

private:
    template <class E>
    static Var<T, N> landed(const E& e);
};

template <Expression E>
Var(const E&) -> Var<typename E::value_type, E::rank>;

/// A trained value. In an expression with a Var it is recorded and receives a gradient; among Tensors it is a
/// constant, so one layer both trains and infers. Copies share the value.
template <class T, int N>
class Parameter : public detail::Recorded<Parameter, T, N> {
    using Base = detail::Recorded<Parameter, T, N>;

public:
    static constexpr bool recorded = false;

    /// Without elements.
    Parameter() : Parameter(Tensor<T, N>()) {}
    /// Of that value.
    explicit Parameter(const Tensor<T, N>& value) { this->make_leaf(value); }
    /// A window on a recorded value.
    Parameter(detail::NodeRef<detail::ValueNode<T>> node, index offset, const Extents<N>& extents,
              const Extents<N>& strides)
        : Base(std::move(node), offset, extents, strides) {}

    /// The parameter as a Var, for a graph that has no other.
    Var<T, N> var() const { return Var<T, N>(this->node_, this->offset_, this->extents_, this->strides_); }
    /// A new value. Windows and copies of this parameter see it too when the shape stays.
    void set_value(const Tensor<T, N>& value) { this->set_node_value(value); }
    /// Whether backward() gives it a gradient; at first it does. All copies share this.
    bool requires_grad() const noexcept { return !this->node_->frozen; }
    /// Whether backward() computes a gradient for it; all handles of the parameter are meant.
    void requires_grad(bool wanted) noexcept { this->node_->frozen = !wanted; }
    /// Writable elements; a graph recorded before keeps the old ones.
    std::span<T> mutable_values() {
        auto& node = *this->node_.get();
        if (!node.value.unique()) {
            const auto copy =
                Tensor<T, 1>::from(std::span(node.data, static_cast<std::size_t>(node.size)), {node.size});
            node.value = copy.storage();
            node.data = copy.data();
        }
        return {const_cast<T*>(this->data()), static_cast<std::size_t>(this->size())};
    }
    /// The gradient where backward() left it, for optimisers; empty when there is none.
    std::span<const T> gradient_values() const {
        if (!this->has_grad()) return {};
        return {this->node_->gradient_data(), static_cast<std::size_t>(this->size())};
    }
};

namespace detail {

/// The value without its history.
template <class X>
auto detached(const X& x) {
    if constexpr (requires { x.node(); })
        return x.value();
    else
        return x;
}

template <class T>
void staged_backward(const DenseTask<T>& task, DenseBackward<T> kernel, const Operand<T>& adjoint,
                     const GradientTarget<T>* targets);

template <class E>
constexpr BackwardDriver<compute_type<E>> backward_driver() {
    if constexpr (Structure<E>::staged)
        return &staged_backward<compute_type<E>>;
    else
        return &dense_backward<compute_type<E>>;
}

/// A node of tables that it takes over, with its value and the kernel of its backward.
template <class T, int Leaves, int Constants, int Rank>
WEFT_NOINLINE NodeRef<ValueNode<T>>
make_fused_node(DenseTables<T, Leaves, Constants, Rank>& tables, DenseBackward<T> kernel, BackwardDriver<T> driver,
                const Extents<Rank>& adjoint_strides, const Storage& value, const T* data, index size) {
    auto* const node = new FusedNode<T, Leaves, Constants>;
    NodeRef<ValueNode<T>> made(node);
    for (int k = 0; k < Leaves; ++k) {
        node->operands[k] = std::move(tables.operands[k]);
        node->parent_array[k] = static_cast<ValueNode<T>*>(node->operands[k].node);
        if (node->parent_array[k]) node->parent_array[k]->retain();
    }
    std::copy_n(tables.constants, Constants, node->constants);
    node->parents = node->parent_array;
    node->parent_count = Leaves;
    node->kernel = kernel;
    node->driver = driver;
    node->rank = Rank;
    std::copy_n(tables.extents.begin(), Rank, node->extents);
    std::copy_n(adjoint_strides.begin(), Rank, node->adjoint_strides);
    node->cost = tables.cost;
    node->unit_slopes = tables.unit_slopes;
    node->value = value;
    node->data = data;
    node->size = size;
    return made;
}

/// The tape node of an expression; its adjoint has the given strides over the expression's axes.
template <class E>
NodeRef<ValueNode<compute_type<E>>> make_fused_node(Prepared<E>& prepared, const Extents<E::rank>& adjoint_strides,
                                                    const Storage& value, const compute_type<E>* data, index size) {
    using S = Structure<E>;
    using K = typename S::template kernel<DenseLeaves, 0, 0, true>;
    static_assert(S::leaves < 32, "weft: too many leaves in one expression");
    DenseTablesOf<E>& tables = prepared;
    return make_fused_node(tables, &dense_backward_kernel<K, S::leaves, S::constants, S::runs, compute_type<E>>,
                           backward_driver<E>(), adjoint_strides, value, data, size);
}

/// Computes the value of an expression and records it.
template <class T, int Leaves, int Constants, int Rank>
WEFT_NOINLINE Var<T, Rank> record_fused(DenseTables<T, Leaves, Constants, Rank>& tables, Evaluate<T> evaluate,
                                        DenseBackward<T> kernel, BackwardDriver<T> driver) {
    auto value = Tensor<T, Rank>::empty(tables.extents);
    evaluate(tables.task(), reinterpret_cast<std::byte*>(value.mutable_data()), sizeof(T), nullptr);
    const Extents<Rank> shape = tables.extents, strides = contiguous_strides(shape);
    return Var<T, Rank>(make_fused_node(tables, kernel, driver, strides, value.storage(), value.data(), value.size()),
                        0, shape, strides);
}

/// Adds a gradient to that of an operand, part of a recorded value; the first whole one is taken as it is.
template <class T>
WEFT_NOINLINE void add_gradient(ValueNode<T>* node, index offset, const Storage& storage, const T* gradient,
                                index size) {
    const bool own_block = reinterpret_cast<const std::byte*>(gradient) == storage.data();
    if (!node->has_gradient() && node->size == size && own_block)
        node->gradient = storage;
    else
        combine_run<SumOf>(node->gradient_to_update() + offset, gradient, size);
}

/// Takes the gradients of the operands, values V, of a recorded operation.
template <class... V>
struct GradientSink {
    const char* operation;
    const std::tuple<V...>* values;
    TapeNode* const* parents;
    const index* offsets;

    template <std::size_t K>
    bool wants() const {
        return parents[K] && parents[K]->wanted;
    }
    template <std::size_t K, class E>
    void add(const E& gradient) {
        using Value = std::tuple_element_t<K, std::tuple<V...>>;
        using U = typename Value::value_type;
        if (!wants<K>()) return;
        const Tensor<U, Value::rank> g = gradient;
        const Extents<Value::rank>& shape = std::get<K>(*values).shape();
        if (g.shape() != shape)
            throw error(operation, "the gradient of operand {} is {}, the operand is {}", K, shape_text(g.shape()),
                        shape_text(shape));
        add_gradient<U>(static_cast<ValueNode<U>*>(parents[K]), offsets[K], g.storage(), g.data(), g.size());
    }
};

/// A recorded operation with a rule of its own.
template <class Op, class Y, class... V>
class OperationNode final : public ValueNode<typename Y::value_type> {
public:
    using T = typename Y::value_type;

    explicit OperationNode(const Op& op, V... v) : operation_(op), values_(std::move(v)...) {}

    template <class... E>
    void connect(const E&... operands) {
        int k = 0;
        (connect_operand(k++, operands), ...);
        this->parents = parents_;
        this->parent_count = sizeof...(V);
    }
    Y compute() {
        result_ = std::apply(
            [&](const V&... v) -> Y {
                if constexpr (requires { operation_.forward_recorded(v...); }) // also keeps what backward needs
                    return operation_.forward_recorded(v...);
                else
                    return operation_.forward(v...);
            },
            values_);
        return result_;
    }

    void backward() override {
        const Y dy = Y::share(this->gradient, this->gradient_data(), result_.shape());
        GradientSink<V...> sink{operation_.name, &values_, parents_, offsets_};
        std::apply([&](const V&... v) { operation_.backward(dy, result_, sink, v...); }, values_);
    }
    void release_saved() noexcept override {
        values_ = std::tuple<V...>();
        result_ = Y();
    }

private:
    template <class E>
    void connect_operand(int k, const E& operand) {
        if constexpr (Structure<E>::differentiable) {
            parents_[k] = operand.node().get();
            parents_[k]->retain();
            offsets_[k] = operand.offset();
        }
    }

    Op operation_;
    std::tuple<V...> values_;
    Y result_;
    TapeNode* parents_[sizeof...(V)] = {};
    index offsets_[sizeof...(V)] = {};
};

template <class E>
inline constexpr bool is_recorded_leaf = requires(const E& e) {
    e.node();
};

template <>
struct Lander<Kind::var> {
    template <class E>
    static auto land(const E& e) {
        return Var<typename E::value_type, E::rank>(e);
    }
    template <class E>
    static auto contiguous(const E& e) {
        if constexpr (Structure<E>::recorded)
            return land(e);
        else
            return Lander<Kind::tensor>::contiguous(e);
    }
    template <class Op, class... E>
    static auto apply(const Op& op, const E&... operands) {
        return record(op, weft::contiguous(operands)...);
    }
    template <class Monoid, class E, std::size_t N>
    static auto reduce(const E& e, const Extents<E::rank>& kept, const std::array<index, N>& shape) {
        static_assert(std::same_as<Monoid, SumOf>, "weft: only sums are fused into the backward of their operand");
        using T = compute_type<E>;
        auto [prepared, result] = Lander<Kind::tensor>::reduce_value<Monoid>(e, kept, shape);
        Extents<E::rank> strides = contiguous_strides(kept);
        for (std::size_t a = 0; a < strides.size(); ++a)
            if (kept[a] != prepared.extents[a]) strides[a] = 0;
        return Var<T, static_cast<int>(N)>(
            make_fused_node(prepared, strides, result.storage(), result.data(), result.size()), 0, result.shape(),
            result.strides());
    }

private:
    template <class E>
    static auto value_of(const E& operand) {
        if constexpr (is_recorded_leaf<E>)
            return operand.value();
        else
            return operand;
    }
    template <class Op, class... E>
    static auto record(const Op& op, const E&... operands) {
        if constexpr (!op_differentiable<Op>()) {
            return op.forward(value_of(operands)...);
        } else {
            using Y = decltype(op.forward(value_of(operands)...));
            auto* const node = new OperationNode<Op, Y, decltype(value_of(operands))...>(op, value_of(operands)...);
            NodeRef<ValueNode<typename Y::value_type>> ref(node);
            node->connect(operands...);
            const Y y = node->compute();
            node->value = y.storage();
            node->data = y.data();
            node->size = y.size();
            return Var<typename Y::value_type, Y::rank>(std::move(ref), 0, y.shape(), y.strides());
        }
    }
};

} // namespace detail

template <class T, int N>
template <class E>
Var<T, N> Var<T, N>::landed(const E& e) {
    static_assert(E::rank == N, "weft: the expression has another rank than the Var it is assigned to");
    using S = detail::Structure<E>;
    if constexpr (!S::differentiable) {
        Var made;
        made.make_leaf(Tensor<T, N>(e));
        return made;
    } else if constexpr (requires { e.var(); } && std::is_same_v<typename E::value_type, T>) { // a Parameter
        return e.var();
    } else {
        static_assert(std::is_same_v<detail::compute_type<E>, T>,
                      "weft: a Var has the element type its expression is computed in");
        using K = typename S::template kernel<detail::DenseLeaves, 0, 0, true>;
        detail::Prepared<E> prepared(e);
        detail::DenseTablesOf<E>& tables = prepared;
        return detail::record_fused(tables, detail::evaluate_of<E>(),
                                    &detail::dense_backward_kernel<K, S::leaves, S::constants, S::runs, T>,
                                    detail::backward_driver<E>());
    }
}

} // namespace weft::inline WEFT_ABI
