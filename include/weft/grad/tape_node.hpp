// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/pool_allocator.hpp>
#include <weft/core/transposed_copy.hpp>

namespace weft::inline WEFT_ABI::detail {

/// A recorded value and how its gradient reaches the values it was computed from. Nodes are reference-counted by the
/// Vars that name them and by the nodes computed from them; there is no global tape. Neither destruction nor the
/// backward sweep recurses.
class TapeNode {
public:
    TapeNode() = default;
    TapeNode(const TapeNode&) = delete;
    TapeNode& operator=(const TapeNode&) = delete;
    virtual ~TapeNode() = default;

    /// Adds this node's gradient to those of its wanted parents.
    virtual void backward() = 0;
    /// Forgets what backward() needed.
    virtual void release_saved() noexcept = 0;
    virtual void drop_value() noexcept = 0;
    virtual void drop_gradient() noexcept = 0;
    virtual bool has_gradient() const noexcept = 0;

    void retain() noexcept { references.fetch_add(1, std::memory_order_relaxed); }
    /// Gives up one reference to a node.
    WEFT_NOINLINE static void release(TapeNode* node) noexcept {
        if (node->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
        node->next = nullptr;
        TapeNode* pending = node;
        while (pending) {
            TapeNode* const dead = pending;
            pending = dead->next;
            for (int k = 0; k < dead->parent_count; ++k) {
                TapeNode* const parent = dead->parents[k];
                if (parent && parent->references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
                    parent->next = pending;
                    pending = parent;
                }
            }
            delete dead;
        }
    }

    static void* operator new(std::size_t bytes) { return take_memory(bytes); }
    static void operator delete(void* memory) noexcept { give_memory(memory); }

    std::atomic<index> references{1};
    TapeNode** parents = nullptr; // one per operand, null for constants; this node holds a reference to each
    int parent_count = 0;
    bool leaf = false;
    bool captures = false; // may reach leaves that are not above it
    bool frozen = false;   // a leaf that gets no gradient
    bool released = false;

    // State of one backward sweep.
    bool visited = false;
    bool wanted = false;
    int next_parent = 0;
    index internal = 0; // references from nodes of the sweep
    TapeNode* up = nullptr;
    TapeNode* next = nullptr;
};

/// An owning pointer to a node.
template <class N>
class NodeRef {
public:
    NodeRef() = default;
    explicit NodeRef(N* adopted) noexcept : node_(adopted) {}
    NodeRef(const NodeRef& other) noexcept : node_(other.node_) {
        if (node_) node_->retain();
    }
    NodeRef(NodeRef&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
    NodeRef& operator=(NodeRef other) noexcept {
        std::swap(node_, other.node_);
        return *this;
    }
    ~NodeRef() {
        if (node_) TapeNode::release(node_);
    }
    N* get() const noexcept { return node_; }
    N* operator->() const noexcept { return node_; }
    explicit operator bool() const noexcept { return node_ != nullptr; }

private:
    N* node_ = nullptr;
};

/// A node whose value has elements T: a contiguous array, and its gradient once there is one.
template <class T>
class ValueNode : public TapeNode {
public:
    Storage value;
    const T* data = nullptr;
    index size = 0;
    Storage gradient;

    bool has_gradient() const noexcept override { return static_cast<bool>(gradient); }
    void drop_gradient() noexcept override { gradient = Storage(); }
    void drop_value() noexcept override {
        value = Storage();
        data = nullptr;
    }
    void backward() override {}
    void release_saved() noexcept override {}

    T* gradient_data() noexcept { return reinterpret_cast<T*>(gradient.data()); }
    /// Memory for the gradient, uninitialised.
    T* allocate_gradient() {
        gradient = Storage::allocate(static_cast<std::size_t>(size) * sizeof(T));
        return gradient_data();
    }
    /// The gradient to be added to: zeros if there is none yet, a copy if its memory is shared.
    T* gradient_to_update() {
        if (!gradient) {
            std::fill_n(allocate_gradient(), size, T{});
        } else if (!gradient.unique()) {
            const Storage old = gradient;
            std::copy_n(reinterpret_cast<const T*>(old.data()), size, allocate_gradient());
        }
        return gradient_data();
    }
};

/// A value the user gave: the end of the sweep, where gradients stay.
template <class T>
class LeafNode final : public ValueNode<T> {
public:
    LeafNode() { this->leaf = true; }
};

/// to (strided, at `target`) += from (contiguous, same extents)
template <class T>
void add_strided(T* target, std::span<const index> extents, const index* strides, const T* from) {
    const Iteration it(extents, std::span<const index* const>(&strides, 1));
    scatter_block<SumOf>(it, it.strides[0], target, 0, it.size, from);
}

/// A fused expression: backward is the generated kernel. With `adjoint_strides` 0 along some axes, the expression
/// summed over them.
template <class T, int Leaves, int Constants>
class FusedNode final : public ValueNode<T> {
public:
    Operand<T> operands[Leaves + 1];
    T constants[Constants + 1];
    TapeNode* parent_array[Leaves + 1] = {};
    DenseBackward<T> kernel = nullptr;
    BackwardDriver<T> driver = nullptr;
    int rank = 0;
    index extents[max_rank] = {};
    index adjoint_strides[max_rank] = {};
    double cost = 0;
    unsigned unit_slopes = 0; // bit k: the derivative by operand k is 1

    void backward() override {
        Operand<T> adjoint;
        adjoint.data = reinterpret_cast<const std::byte*>(this->gradient_data());
        adjoint.item = sizeof(T);
        adjoint.rank = rank;
        std::copy_n(extents, rank, adjoint.extents);
        std::copy_n(adjoint_strides, rank, adjoint.strides);

        const DenseTask<T> task{nullptr, operands, Leaves, constants, {extents, static_cast<std::size_t>(rank)}, cost};
        const Iteration it = make_iteration(task);
        if (hand_down(it)) return;
        if constexpr (Leaves == 1)
            if (permute_back(it)) return;
        GradientTarget<T> targets[Leaves + 1];
        Storage apart[Leaves + 1];
        // Those that the kernel does not write last: what it writes first is not to be zeros.
        for (int i = 0; i < 2 * Leaves; ++i) {
            const int k = i % Leaves;
            auto* const node = static_cast<ValueNode<T>*>(operands[k].node);
            const bool beside = beside_statistic(operands, k);
            if (!node || !node->wanted || beside != (i >= Leaves)) continue;
            bool conflict = false;
            for (int j = 0; j < Leaves; ++j)
                conflict =
                    conflict || (targets[j].data && operands[j].node == node && !same_window(operands[j], operands[k]));
            if (conflict) { // chunks of two different windows on one value would meet: keep this one apart
                apart[k] = Storage::allocate(static_cast<std::size_t>(node->size) * sizeof(T));
                targets[k].data = reinterpret_cast<T*>(apart[k].data());
                std::fill_n(targets[k].data, node->size, T{});
            } else if (!beside && !node->has_gradient() && it.contiguous(k) && node->size == it.size) {
                targets[k].data = node->allocate_gradient();
                targets[k].first = true;
            } else {
                targets[k].data = node->gradient_to_update();
            }
            targets[k].data += operands[k].node_offset;
        }
        driver(task, kernel, adjoint, targets);
        for (int k = 0; k < Leaves; ++k)
            if (apart[k]) {
                auto* const node = static_cast<ValueNode<T>*>(operands[k].node);
                combine_run<SumOf>(node->gradient_to_update(), reinterpret_cast<const T*>(apart[k].data()), node->size);
            }
    }
    void release_saved() noexcept override {
        for (auto& o : operands) o.storage = Storage();
    }

private:
    /// Where the gradient of every operand is the adjoint as it is, and the first of its node, all share its memory.
    bool hand_down(const Iteration& it) {
        if (this->size != it.size) return false;
        for (int k = 0; k < Leaves; ++k) {
            auto* const node = static_cast<ValueNode<T>*>(operands[k].node);
            if (!node || !node->wanted) continue;
            if (!(unit_slopes >> k & 1u) || node->has_gradient() || !it.contiguous(k) || node->size != it.size)
                return false;
            for (int j = 0; j < k; ++j)
                if (operands[j].node == node) return false;
        }
        for (int k = 0; k < Leaves; ++k)
            if (auto* const node = static_cast<ValueNode<T>*>(operands[k].node); node && node->wanted)
                node->gradient = this->gradient;
        return true;
    }
    /// Where the only operand is permuted, its gradient is the adjoint in the order of its memory.
    bool permute_back(const Iteration& it) {
        auto* const node = static_cast<ValueNode<T>*>(operands[0].node);
        if (!(unit_slopes & 1u) || !node || !node->wanted) return false;
        if (this->size != it.size || node->size != it.size) return false;
        // The axes from the innermost in memory out, and how the adjoint is strided along them.
        index extents_of[max_rank], strides_of[max_rank], step = 1;
        for (int a = it.rank; a-- > 0; step *= extents_of[a]) {
            index adjoint = 1;
            int axis = it.rank - 1;
            for (; axis >= 0 && it.strides[0][axis] != step; --axis) adjoint *= it.extents[axis];
            if (axis < 0) return false;
            extents_of[a] = it.extents[axis];
            strides_of[a] = adjoint;
        }
        const TransposedCopy<T> copy({extents_of, static_cast<std::size_t>(it.rank)}, strides_of);
        if (!copy) return false;
        if (!node->has_gradient()) {
            copy(this->gradient_data(), node->allocate_gradient());
        } else {
            const Storage back = Storage::allocate(static_cast<std::size_t>(it.size) * sizeof(T));
            copy(this->gradient_data(), reinterpret_cast<T*>(back.data()));
            combine_run<SumOf>(node->gradient_to_update(), reinterpret_cast<const T*>(back.data()), it.size);
        }
        return true;
    }
    static bool same_window(const Operand<T>& a, const Operand<T>& b) {
        return a.node_offset == b.node_offset && a.rank == b.rank &&
               std::equal(a.extents, a.extents + a.rank, b.extents) &&
               std::equal(a.strides, a.strides + a.rank, b.strides);
    }
};

} // namespace weft::inline WEFT_ABI::detail
