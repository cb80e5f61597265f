// SPDX-License-Identifier: MIT
#pragma once

#include <weft/grad/backward.hpp>

#include <cstring>
#include <optional>

namespace weft::inline WEFT_ABI {

namespace detail {

/// An input of a function that is recorded apart: the same window on a leaf with the same value. Windows on one value
/// share the leaf: `before` are the inputs so far, with the nodes that they stand for.
struct StandIn {
    const TapeNode* original = nullptr;
    NodeRef<TapeNode> leaf;
};
template <class T, int N>
Var<T, N> stand_in(const Var<T, N>& x, const TapeNode* original, std::span<StandIn> before, StandIn& made) {
    made.original = original;
    for (const StandIn& other : before)
        if (other.original == original) made.leaf = other.leaf;
    if (!made.leaf) {
        auto* const leaf = new LeafNode<T>;
        made.leaf = NodeRef<TapeNode>(leaf);
        leaf->value = x.node()->value;
        leaf->data = x.node()->data;
        leaf->size = x.node()->size;
    }
    auto* const leaf = static_cast<ValueNode<T>*>(made.leaf.get());
    leaf->retain();
    return Var<T, N>(NodeRef<ValueNode<T>>(leaf), x.offset(), x.shape(), x.strides());
}

/// A function of which only inputs and result are kept. The backward records it anew; while it sweeps over that record,
/// the leaves that stand for the inputs hold their gradients, so that in a chain of functions all is added in the order
/// in which it would have been without.
template <class F, class Y, class... X>
class CheckpointNode final : public ValueNode<typename Y::value_type> {
    static constexpr std::size_t count = sizeof...(X);
    using Inputs = std::tuple<X...>;

public:
    explicit CheckpointNode(const F& function) : function_(function) { this->captures = true; }

    /// Called once.
    const Y& compute(const X&... x) {
        this->parents = parents_;
        this->parent_count = static_cast<int>(count);
        int k = 0;
        (connect(k++, x), ...);
        StandIn leaves[count];
        inputs_.emplace(on_leaves(Inputs(x...), leaves));
        result_ = run(*inputs_).value();
        this->value = result_.storage();
        this->data = result_.data();
        this->size = result_.size();
        return result_;
    }

    void backward() override {
        StandIn leaves[count];
        std::optional<Inputs> inputs(on_leaves(*inputs_, leaves));
        const auto y = run(*inputs);
        if (!same(y.tensor()))
            throw error("checkpoint", "the function gives another value in the backward: it must not draw random "
                                      "numbers, and its parameters must be as they were");
        inputs.reset();
        for (std::size_t k = 0; k < count; ++k)
            if (parents_[k] && !parents_[k]->wanted) leaves[k] = StandIn(); // a leaf without a name gets no gradient
        exchange_gradients(leaves, std::make_index_sequence<count>());
        struct Return {
            CheckpointNode* node;
            StandIn* leaves;
            ~Return() { node->exchange_gradients(leaves, std::make_index_sequence<count>()); }
        } give_back{this, leaves};
        weft::backward(y, Y::share(this->gradient, this->gradient_data(), result_.shape()));
    }
    void release_saved() noexcept override {
        inputs_.reset();
        result_ = Y();
    }

private:
    template <class E>
    void connect(int k, const E& x) {
        if constexpr (Structure<E>::differentiable) {
            parents_[k] = x.node().get();
            parents_[k]->retain();
        }
    }
    Inputs on_leaves(const Inputs& inputs, std::span<StandIn> leaves) const {
        std::size_t k = 0;
        const auto one = [&](const auto& x) {
            const std::size_t at = k++;
            if constexpr (Structure<std::remove_cvref_t<decltype(x)>>::differentiable)
                return stand_in(x, parents_[at], leaves.first(at), leaves[at]);
            else
                return x;
        };
        return std::apply([&](const X&... x) { return Inputs{one(x)...}; }, inputs); // in the order of the inputs
    }
    auto run(const Inputs& inputs) const {
        return contiguous(std::apply([&](const X&... x) { return eval(function_(x...)); }, inputs));
    }
    bool same(const View<typename Y::value_type, Y::rank>& y) const {
        const auto bytes = static_cast<std::size_t>(result_.size()) * sizeof(typename Y::value_type);
        return y.shape() == result_.shape() && (bytes == 0 || std::memcmp(y.data(), result_.data(), bytes) == 0);
    }
    template <std::size_t... K>
    void exchange_gradients(const StandIn* leaves, std::index_sequence<K...>) noexcept {
        (exchange_gradient<K>(leaves), ...);
    }
    template <std::size_t K>
    void exchange_gradient(const StandIn* leaves) noexcept {
        using E = std::tuple_element_t<K, Inputs>;
        if constexpr (Structure<E>::differentiable) {
            using Node = ValueNode<typename E::value_type>;
            if (!leaves[K].leaf) return;
            for (std::size_t j = 0; j < K; ++j)
                if (leaves[j].leaf.get() == leaves[K].leaf.get()) return;
            std::swap(static_cast<Node*>(leaves[K].leaf.get())->gradient, static_cast<Node*>(parents_[K])->gradient);
        }
    }

    F function_;
    std::optional<Inputs> inputs_; // on leaves, since the values of other nodes may be dropped
    Y result_;
    TapeNode* parents_[count] = {};
};

template <class E>
auto checkpoint_input(const E& x) {
    if constexpr (Structure<E>::differentiable)
        return Var(x);
    else
        return eval(x);
}

} // namespace detail

/// function(inputs...), of which the backward keeps nothing but inputs and result: it calls the function once more to
/// know what was in between. Less memory for more time; gradients are the same but for the order of sums. Inputs that
/// are recorded reach the function as Vars, others as Tensors; without a Var among them, this is a mere call. The
/// function is copied and must hold what it needs by value; it may hold Parameters, which get their gradients, but no
/// Var. Errors: in backward(), when the second call gives another value: what draws random numbers, as dropout does,
/// cannot be in the function.
template <class F, Expression... X>
requires(sizeof...(X) > 0) auto checkpoint(const F& function, const X&... inputs) {
    if constexpr (((kind_of<X> == Kind::var) || ...)) {
        const auto record = [&](const auto&... x) {
            using Result = decltype(eval(function(x...)));
            using T = typename Result::value_type;
            constexpr int N = Result::rank;
            static_assert(kind_of<Result> == Kind::var, "weft: checkpoint: the function's result does not depend on "
                                                        "its recorded inputs");
            static_assert(kind_of<decltype(eval(function(detail::detached(x)...)))> == Kind::tensor,
                          "weft: checkpoint: the function holds a Var: make it one of its inputs");
            using Node = detail::CheckpointNode<F, Tensor<T, N>, std::remove_cvref_t<decltype(x)>...>;
            auto* const node = new Node(function);
            detail::NodeRef<detail::ValueNode<T>> made(node);
            const Extents<N> shape = node->compute(x...).shape();
            return Var<T, N>(std::move(made), 0, shape, detail::contiguous_strides(shape));
        };
        return record(detail::checkpoint_input(inputs)...);
    } else {
        return eval(function(inputs...));
    }
}

} // namespace weft::inline WEFT_ABI
