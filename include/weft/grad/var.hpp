// SPDX-License-Identifier: MIT
#pragma once

#include <weft/grad/tape_node.hpp>

namespace weft::inline WEFT_ABI {

namespace detail {

template <class E, class T>
auto* make_fused_node(const Prepared<E>& prepared, const Extents<E::rank>& adjoint_strides);
template <class T, int N>
NodeRef<ValueNode<T>> node_with_value(ValueNode<T>* node, const Tensor<T, N>& value);

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
        const Prepared<Me> prepared(me);
        const Tensor<T, N> value = this->value();
        auto node = node_with_value<T>(make_fused_node<Me, T>(prepared, contiguous_strides(extents_)), value);
        return Me(std::move(node), 0, extents_, contiguous_strides(extents_));
    }

    template <class C>
    Operand<C> as_operand() const {
        static_assert(std::is_same_v<C, T>, "weft: a Var stands in an expression of its own element type only: use "
                                            "cast<T>(x) on it or on the others");
        Operand<C> o = make_operand<C>(tensor());
        o.node = node_.get();
        o.node_offset = offset_;
        return o;
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
    Var(detail::NodeRef<detail::ValueNode<T>> node, index offset, const Extents<N>& extents, const Extents<N>& strides)
        : Base(std::move(node), offset, extents, strides) {}

    /// Lands an expression; without a Var or Parameter in it, its value becomes a leaf.
    template <Expression E>
    requires(!std::same_as<std::remove_cvref_t<E>, Var>) Var(const E& expression) {
        static_assert(E::rank == N, "weft: the expression has another rank than the Var it is assigned to");
        if constexpr (detail::Structure<E>::differentiable)
            record(expression);
        else
            this->make_leaf(Tensor<T, N>(expression));
    }
    Var(T value) requires(N == 0) { this->make_leaf(Tensor<T, 0>(value)); }

private:
    template <class E>
    void record(const E& e);
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

    Parameter() : Parameter(Tensor<T, N>()) {}
    explicit Parameter(const Tensor<T, N>& value) { this->make_leaf(value); }
    Parameter(detail::NodeRef<detail::ValueNode<T>> node, index offset, const Extents<N>& extents,
              const Extents<N>& strides)
        : Base(std::move(node), offset, extents, strides) {}

    /// The parameter as a Var, for a graph that has no other.
    Var<T, N> var() const { return Var<T, N>(this->node_, this->offset_, this->extents_, this->strides_); }
    /// A new value. Windows and copies of this parameter see it too when the shape stays.
    void set_value(const Tensor<T, N>& value) { this->set_node_value(value); }
    /// Writable elements; a graph recorded before keeps the old ones.
    std::span<T> mutable_values() {
        Tensor<T, N> value = Tensor<T, N>::share(std::move(this->node_->value), this->node_->data, this->extents_);
        this->node_->value = Storage();
        T* const data = value.mutable_data();
        this->node_->value = value.storage();
        this->node_->data = data;
        return {data, static_cast<std::size_t>(this->size())};
    }
    /// The gradient where backward() left it, for optimisers; empty when there is none.
    std::span<const T> gradient_values() const {
        if (!this->has_grad()) return {};
        return {this->node_->gradient_data(), static_cast<std::size_t>(this->size())};
    }
};

namespace detail {

template <class T, int N>
NodeRef<ValueNode<T>> node_with_value(ValueNode<T>* node, const Tensor<T, N>& value) {
    node->value = value.storage();
    node->data = value.data();
    node->size = value.size();
    return NodeRef<ValueNode<T>>(node);
}

/// The tape node of an expression; its adjoint has the given strides over the expression's axes.
template <class E, class T>
auto* make_fused_node(const Prepared<E>& prepared, const Extents<E::rank>& adjoint_strides) {
    using S = Structure<E>;
    using K = typename S::template kernel<DenseLeaves, 0, 0, true>;
    static_assert(S::leaves < 32, "weft: too many leaves in one expression");
    auto* const node = new FusedNode<T, S::leaves, S::constants>;
    for (int k = 0; k < S::leaves; ++k) {
        node->operands[k] = prepared.operands[k];
        node->parent_array[k] = static_cast<ValueNode<T>*>(prepared.operands[k].node);
        if (node->parent_array[k]) node->parent_array[k]->retain();
    }
    std::copy_n(prepared.constants, S::constants, node->constants);
    node->parents = node->parent_array;
    node->parent_count = S::leaves;
    node->kernel = &dense_backward_kernel<K, S::leaves, S::constants, T>;
    node->rank = E::rank;
    std::copy_n(prepared.extents.begin(), E::rank, node->extents);
    std::copy_n(adjoint_strides.begin(), E::rank, node->adjoint_strides);
    node->cost = S::cost;
    return node;
}

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

    /// Takes the gradients of the operands.
    struct Sink {
        OperationNode* self;
        template <std::size_t K>
        bool wants() const {
            return self->parents_[K] && self->parents_[K]->wanted;
        }
        template <std::size_t K, class E>
        void add(const E& gradient) {
            using Value = std::tuple_element_t<K, std::tuple<V...>>;
            using U = typename Value::value_type;
            if (!wants<K>()) return;
            auto* const node = static_cast<ValueNode<U>*>(self->parents_[K]);
            const Tensor<U, Value::rank> g = gradient;
            const Extents<Value::rank>& shape = std::get<K>(self->values_).shape();
            if (g.shape() != shape)
                throw error(Op::name, "the gradient of operand {} is {}, the operand is {}", K, shape_text(g.shape()),
                            shape_text(shape));
            const bool own_block = reinterpret_cast<const std::byte*>(g.data()) == g.storage().data();
            if (!node->has_gradient() && node->size == g.size() && own_block)
                node->gradient = g.storage();
            else
                combine_run<SumOf>(node->gradient_to_update() + self->offsets_[K], g.data(), g.size());
        }
    };

    void backward() override {
        const Y dy = Y::share(this->gradient, this->gradient_data(), result_.shape());
        Sink sink{this};
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
        auto node = node_with_value<T>(make_fused_node<E, T>(prepared, strides), result);
        return Var<T, static_cast<int>(N)>(std::move(node), 0, result.shape(), result.strides());
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
void Var<T, N>::record(const E& e) {
    if constexpr (requires { e.var(); } && std::is_same_v<typename E::value_type, T>) { // a Parameter
        *this = e.var();
    } else {
        static_assert(std::is_same_v<detail::compute_type<E>, T>,
                      "weft: a Var has the element type its expression is computed in");
        const detail::Prepared<E> prepared(e);
        auto value = Tensor<T, N>::empty(e.shape());
        detail::dense_evaluate(prepared.task(), reinterpret_cast<std::byte*>(value.mutable_data()));
        auto node = detail::node_with_value<T>(
            detail::make_fused_node<E, T>(prepared, detail::contiguous_strides(e.shape())), value);
        *this = Var(std::move(node), 0, value.shape(), value.strides());
    }
}

} // namespace weft::inline WEFT_ABI
