// SPDX-License-Identifier: MIT
#pragma once

#include <weft/grad/var.hpp>

namespace weft::inline WEFT_ABI {

/// Options of `backward`.
struct BackwardOptions {
    bool keep_graph = false; ///< keep what a second backward() through the same graph needs
};

namespace detail {

/// Lists the graph above `root` so that every node comes before the nodes computed from it, linked by `next`.
/// Depth-first with the path threaded through the nodes: no recursion, no allocation.
inline TapeNode* sweep_order(TapeNode* root) {
    TapeNode *first = nullptr, *last = nullptr, *at = root;
    root->visited = true;
    root->internal = 0;
    root->next_parent = 0;
    root->up = nullptr;
    while (at) {
        if (at->next_parent < at->parent_count) {
            TapeNode* const parent = at->parents[at->next_parent++];
            if (!parent) continue;
            if (!parent->visited) {
                parent->visited = true;
                parent->internal = 0;
                parent->next_parent = 0;
                parent->up = at;
                ++parent->internal;
                at = parent;
            } else {
                ++parent->internal;
            }
            continue;
        }
        at->next = nullptr;
        (last ? last->next : first) = at;
        last = at;
        at = at->up;
    }
    return first;
}

/// Runs the sweep; the gradient of `root` is set. A node may run another on its way, over nodes of its own and leaves.
inline void run_backward(TapeNode* root, const BackwardOptions& options) {
    TapeNode* list = sweep_order(root);
    TapeNode* reversed = nullptr;
    bool used_up = false;
    for (TapeNode* node = list; node;) {
        node->visited = false;
        used_up = used_up || node->released;
        node->wanted = node->captures || (node->leaf && !node->frozen &&
                                          node->references.load(std::memory_order_relaxed) > node->internal);
        for (int k = 0; k < node->parent_count; ++k)
            node->wanted = node->wanted || (node->parents[k] && node->parents[k]->wanted);
        TapeNode* const next = node->next;
        if (!node->leaf) {
            node->next = reversed;
            reversed = node;
        }
        node = next;
    }
    if (used_up) {
        for (TapeNode* node = reversed; node; node = node->next) node->drop_gradient();
        throw error("backward", "this graph was already used: pass {.keep_graph = true} to the first backward()");
    }
    struct Cleanup { // whatever is thrown on the way, nothing half-done stays behind
        TapeNode *first, *at;
        ~Cleanup() {
            if (!at) return;
            for (TapeNode* node = first; node; node = node->next)
                for (int k = 0; k < node->parent_count; ++k)
                    if (TapeNode* const parent = node->parents[k]; parent && parent->leaf && parent->wanted)
                        parent->drop_gradient();
            for (; at; at = at->next) at->drop_gradient();
        }
    } cleanup{reversed, reversed};
    for (TapeNode* node = reversed; node; node = node->next) {
        if (node->wanted && node->has_gradient()) node->backward();
        node->drop_gradient();
        if (!options.keep_graph) {
            node->release_saved();
            node->released = true;
            if (node->references.load(std::memory_order_relaxed) == node->internal) node->drop_value();
        }
        cleanup.at = node->next;
    }
}

} // namespace detail

/// Adds d(loss)/d(leaf) to the gradient of every Var and Parameter that `loss` depends on. The graph is used up unless
/// `keep_graph`. Errors: the loss has more than one element; the graph was used up before. Whatever else is thrown on
/// the way (no memory), the graph is used up, and these leaves have no gradient.
template <class T, int N>
void backward(const Var<T, N>& loss, const BackwardOptions& options = {}) {
    if (loss.size() != 1)
        throw error("backward", "the loss is {}: it must have one element, or pass its adjoint",
                    detail::shape_text(loss.shape()));
    backward(loss, Tensor<T, N>::ones(loss.shape()), options);
}

/// The same from a value of any shape with its adjoint `dy`.
template <class T, int N>
void backward(const Var<T, N>& y, const Tensor<T, N>& dy, const BackwardOptions& options = {}) {
    if (dy.shape() != y.shape())
        throw error("backward", "the adjoint is {}, the value is {}: they must be equal",
                    detail::shape_text(dy.shape()), detail::shape_text(y.shape()));
    auto* const node = y.node().get();
    if (!node->has_gradient() && y.size() == node->size && y.strides() == dy.strides() && !dy.storage().foreign() &&
        reinterpret_cast<const std::byte*>(dy.data()) == dy.storage().data())
        node->gradient = dy.storage();
    else
        detail::add_strided(node->gradient_to_update() + y.offset(), y.shape(), y.strides().data(), dy.data());
    detail::run_backward(node, options);
}

} // namespace weft::inline WEFT_ABI
