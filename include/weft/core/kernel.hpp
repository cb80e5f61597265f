// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/packet.hpp>

#include <bit>

namespace weft::inline WEFT_ABI {

/// Slopes that need no multiplication: `adjoint * One{}` is the adjoint itself.
struct One {};
/// The slope -1: `adjoint * MinusOne{}` is -adjoint.
struct MinusOne {};
/// The slope 0: nothing is added to the gradient.
struct Zero {};

/// An adjoint times a slope that needs no multiplication.
template <class P>
WEFT_ALWAYS_INLINE P operator*(const P& a, One) {
    return a;
}
/// An adjoint times a slope that needs no multiplication.
template <class P>
WEFT_ALWAYS_INLINE P operator*(const P& a, MinusOne) {
    return -a;
}

namespace detail {

// The adjoint an operation hands to its operand: `adjoint(adj, a, y)` where the operation defines it (selections, whose
// slope 0 must not meet an infinite adjoint), else adj * slope(a, y).
template <class Op, class P>
WEFT_ALWAYS_INLINE P unary_adjoint(const P& adj, const P& a, const P& y) {
    if constexpr (requires { Op::adjoint(adj, a, y); })
        return Op::adjoint(adj, a, y);
    else
        return adj * Op::slope(a, y);
}
template <class Op, int K, class P, class... A>
WEFT_ALWAYS_INLINE P operand_adjoint(const P& adj, const A&... a) {
    if constexpr (K == 0) {
        if constexpr (requires { Op::adjoint_a(adj, a...); })
            return Op::adjoint_a(adj, a...);
        else
            return adj * Op::slope_a(a...);
    } else if constexpr (K == 1) {
        if constexpr (requires { Op::adjoint_b(adj, a...); })
            return Op::adjoint_b(adj, a...);
        else
            return adj * Op::slope_b(a...);
    } else {
        if constexpr (requires { Op::adjoint_c(adj, a...); })
            return Op::adjoint_c(adj, a...);
        else
            return adj * Op::slope_c(a...);
    }
}

/// Where the backward kernel puts gradients: one pointer per leaf; a set bit in `first` says store, else accumulate.
template <class T>
struct GradientPointers {
    T* const* pointer;
    unsigned first;
};

// The compiled form of an expression: a stateless type over contiguous pointers p[leaf] with one induction variable.
// `forward` keeps every value in registers, `backward` pushes the adjoint down to the leaves that want it.
// Data sources other than memory at p[I] + i (edge expressions) provide their own leaves with the same protocol.

/// Likewise, of a block that is one run: the gradients of leaves with one value for it are summed in registers.
template <class T, int Leaves>
struct RunGradients : GradientPointers<T> {
    Packet<T> sums[Leaves];
};

/// A position in a block, and that of leaves with one value for each run of elements: the same where the block has
/// several runs, else that of one packet with the value.
struct RunPosition {
    index i, run;
};
WEFT_ALWAYS_INLINE index element_position(index i) { return i; }
WEFT_ALWAYS_INLINE index element_position(const RunPosition& at) { return at.i; }

/// Leaf I: an element at every position; with `Run` one value for each run of them.
template <int I, bool Gradient, bool Run = false>
struct LeafKernel {
    static constexpr bool gradient = Gradient;
    template <class T>
    struct Values {
        Packet<T> y;
    };
    template <class Where>
    static WEFT_ALWAYS_INLINE index position(const Where& at) {
        if constexpr (Run)
            return at.run;
        else
            return element_position(at);
    }
    template <class T, class Where>
    static WEFT_ALWAYS_INLINE Packet<T> at(const T* const* p, const Packet<T>*, const Where& i) {
        return load_packet(p[I] + position(i));
    }
    template <class T, class Where>
    static WEFT_ALWAYS_INLINE Values<T> forward(const T* const* p, const Packet<T>*, const Where& i) {
        return {load_packet(p[I] + position(i))};
    }
    template <class T, class G, class Where>
    static WEFT_ALWAYS_INLINE void backward(const Values<T>&, Packet<T> adj, G& g, const Where& i) {
        if constexpr (Run && requires { g.sums; }) {
            g.sums[I] = g.sums[I] + adj;
        } else {
            T* const to = g.pointer[I] + position(i);
            if (!(g.first >> I & 1u)) adj = load_packet(to) + adj;
            store_packet(to, adj);
        }
    }
};

template <int J>
struct ConstantKernel {
    static constexpr bool gradient = false;
    template <class T>
    struct Values {
        Packet<T> y;
    };
    template <class T, class... Where>
    static WEFT_ALWAYS_INLINE Packet<T> at(const T* const*, const Packet<T>* c, const Where&...) {
        return c[J];
    }
    template <class T, class... Where>
    static WEFT_ALWAYS_INLINE Values<T> forward(const T* const*, const Packet<T>* c, const Where&...) {
        return {c[J]};
    }
};

template <class Op, class... A>
struct ApplyKernel;

template <class Op, class A>
struct ApplyKernel<Op, A> {
    static constexpr bool gradient = A::gradient;
    template <class T>
    struct Values {
        typename A::template Values<T> a;
        Packet<T> y;
    };
    template <class T, class... Where>
    static WEFT_ALWAYS_INLINE Packet<T> at(const T* const* p, const Packet<T>* c, const Where&... i) {
        return Op::value(A::template at<T>(p, c, i...));
    }
    template <class T, class... Where>
    static WEFT_ALWAYS_INLINE Values<T> forward(const T* const* p, const Packet<T>* c, const Where&... i) {
        Values<T> v{A::template forward<T>(p, c, i...), {}};
        v.y = Op::value(v.a.y);
        return v;
    }
    template <class T, class G, class... Where>
    static WEFT_ALWAYS_INLINE void backward(const Values<T>& v, const Packet<T>& adj, G&& g, const Where&... i) {
        if constexpr (A::gradient) A::template backward<T>(v.a, unary_adjoint<Op, Packet<T>>(adj, v.a.y, v.y), g, i...);
    }
};

template <class Op, class A, class B>
struct ApplyKernel<Op, A, B> {
    static constexpr bool gradient = A::gradient || B::gradient;
    template <class T>
    struct Values {
        typename A::template Values<T> a;
        typename B::template Values<T> b;
        Packet<T> y;
    };
    template <class T, class... Where>
    static WEFT_ALWAYS_INLINE Packet<T> at(const T* const* p, const Packet<T>* c, const Where&... i) {
        return Op::value(A::template at<T>(p, c, i...), B::template at<T>(p, c, i...));
    }
    template <class T, class... Where>
    static WEFT_ALWAYS_INLINE Values<T> forward(const T* const* p, const Packet<T>* c, const Where&... i) {
        Values<T> v{A::template forward<T>(p, c, i...), B::template forward<T>(p, c, i...), {}};
        v.y = Op::value(v.a.y, v.b.y);
        return v;
    }
    template <class T, class G, class... Where>
    static WEFT_ALWAYS_INLINE void backward(const Values<T>& v, const Packet<T>& adj, G&& g, const Where&... i) {
        if constexpr (A::gradient)
            A::template backward<T>(v.a, operand_adjoint<Op, 0, Packet<T>>(adj, v.a.y, v.b.y, v.y), g, i...);
        if constexpr (B::gradient)
            B::template backward<T>(v.b, operand_adjoint<Op, 1, Packet<T>>(adj, v.a.y, v.b.y, v.y), g, i...);
    }
};

template <class Op, class A, class B, class C>
struct ApplyKernel<Op, A, B, C> {
    static constexpr bool gradient = A::gradient || B::gradient || C::gradient;
    template <class T>
    struct Values {
        typename A::template Values<T> a;
        typename B::template Values<T> b;
        typename C::template Values<T> c;
        Packet<T> y;
    };
    template <class T, class... Where>
    static WEFT_ALWAYS_INLINE Packet<T> at(const T* const* p, const Packet<T>* k, const Where&... i) {
        return Op::value(A::template at<T>(p, k, i...), B::template at<T>(p, k, i...), C::template at<T>(p, k, i...));
    }
    template <class T, class... Where>
    static WEFT_ALWAYS_INLINE Values<T> forward(const T* const* p, const Packet<T>* k, const Where&... i) {
        Values<T> v{A::template forward<T>(p, k, i...),
                    B::template forward<T>(p, k, i...),
                    C::template forward<T>(p, k, i...),
                    {}};
        v.y = Op::value(v.a.y, v.b.y, v.c.y);
        return v;
    }
    template <class T, class G, class... Where>
    static WEFT_ALWAYS_INLINE void backward(const Values<T>& v, const Packet<T>& adj, G&& g, const Where&... i) {
        if constexpr (A::gradient)
            A::template backward<T>(v.a, operand_adjoint<Op, 0, Packet<T>>(adj, v.a.y, v.b.y, v.c.y, v.y), g, i...);
        if constexpr (B::gradient)
            B::template backward<T>(v.b, operand_adjoint<Op, 1, Packet<T>>(adj, v.a.y, v.b.y, v.c.y, v.y), g, i...);
        if constexpr (C::gradient)
            C::template backward<T>(v.c, operand_adjoint<Op, 2, Packet<T>>(adj, v.a.y, v.b.y, v.c.y, v.y), g, i...);
    }
};

/// What a kernel is to know of its block.
struct BlockOfKernel {
    index n;              // a multiple of the lanes
    unsigned streams = 0; // bit k: p[k] comes from memory
    unsigned written = 0; // bit k: result k goes to memory, and not into a buffer
    index ahead = 0;      // how far before they are needed elements of streams are fetched; 0: four packets
    unsigned runs = 0;    // bit k: all of the block is one run, for which p[k] has a packet with its one value
};

template <int Write, class T>
WEFT_ALWAYS_INLINE void prefetch_packets(const T* next) {
#pragma GCC unroll 4
    for (index k = 0; k < 4 * lanes<T>; k += lanes<T>) __builtin_prefetch(next + k, Write);
}
/// Every four packets, fetches what the loop over p[k] + i needs later, stream by stream, and where it writes. Left
/// alone, a loop over many streams runs so far ahead of the memory that it disturbs the processor's own prefetching
/// (measured: 1.2 times as slow). Where a packet is less than a line this is not worth its instructions.
template <class T, class Written>
WEFT_ALWAYS_INLINE void prefetch_streams(const T* const* p, const BlockOfKernel& block, index i,
                                         const Written& written) {
    constexpr index few = 4 * lanes<T>;
    if constexpr (sizeof(Packet<T>) == 64) {
        if (i % few != 0) return;
        const index next = i + (block.ahead == 0 ? few : block.ahead);
#pragma GCC unroll 1
        for (unsigned rest = block.streams; rest != 0; rest &= rest - 1)
            prefetch_packets<0>(p[std::countr_zero(rest)] + next);
#pragma GCC unroll 1
        for (unsigned rest = block.written; rest != 0; rest &= rest - 1)
            prefetch_packets<1>(written(std::countr_zero(rest)) + next);
    }
}

template <bool Runs>
WEFT_ALWAYS_INLINE auto kernel_position(index i, [[maybe_unused]] bool one_run) {
    if constexpr (Runs)
        return RunPosition{i, one_run ? 0 : i};
    else
        return i;
}

/// out[i] = K at i. With `dense_backward_kernel` all that is compiled per expression.
template <class K, int Leaves, int Constants, bool Runs, class T>
WEFT_NOINLINE void dense_forward_kernel(const T* const* pointers, const T* constants, T* out, BlockOfKernel block) {
    // Local copies: SIMD stores may alias anything, so pointers in memory would be loaded again after each of them.
    const T* p[Leaves + 1];
    Packet<T> c[Constants + 1];
    for (int k = 0; k < Leaves; ++k) p[k] = pointers[k];
    for (int k = 0; k < Constants; ++k) c[k] = splat(constants[k]);
    for (index i = 0; i < block.n; i += lanes<T>) {
        prefetch_streams(p, block, i, [out](int) { return static_cast<const T*>(out); });
        store_packet(out + i, K::template at<T>(p, c, kernel_position<Runs>(i, block.runs != 0)));
    }
}

template <class K, int Leaves, bool Runs, class T, class G>
WEFT_ALWAYS_INLINE void backward_sweep(const T* const* p, const Packet<T>* c, T* const* g, G& to, bool one_run,
                                       const BlockOfKernel& block) {
    for (index i = 0; i < block.n; i += lanes<T>) {
        prefetch_streams(p, block, i, [g](int k) { return static_cast<const T*>(g[k]); });
        const auto at = kernel_position<Runs>(i, one_run);
        K::template backward<T>(K::template forward<T>(p, c, at), load_packet(p[Leaves] + i), to, at);
    }
}
template <class K, int Leaves, int Constants, bool Runs, class T>
WEFT_NOINLINE void dense_backward_kernel(const T* const* pointers, const T* constants, const T* adjoint,
                                         T* const* gradients, unsigned first, BlockOfKernel block) {
    const T* p[Leaves + 1];
    T* g[Leaves + 1];
    Packet<T> c[Constants + 1];
    for (int k = 0; k < Leaves; ++k) {
        p[k] = pointers[k];
        g[k] = gradients[k];
    }
    p[Leaves] = adjoint;
    for (int k = 0; k < Constants; ++k) c[k] = splat(constants[k]);
    if constexpr (Runs) {
        if (block.runs != 0) {
            RunGradients<T, Leaves> to{{g, first}, {}};
            for (int k = 0; k < Leaves; ++k) to.sums[k] = splat(T{});
            backward_sweep<K, Leaves, Runs>(p, c, g, to, true, block);
            for (int k = 0; k < Leaves; ++k)
                if (block.runs >> k & 1u) store_packet(g[k], load_packet(g[k]) + to.sums[k]);
            return;
        }
    }
    const GradientPointers<T> to{g, first};
    backward_sweep<K, Leaves, Runs>(p, c, g, to, false, block);
}

template <class T>
using DenseForward = void (*)(const T* const*, const T*, T*, BlockOfKernel);
template <class T>
using DenseBackward = void (*)(const T* const*, const T*, const T*, T* const*, unsigned, BlockOfKernel);

} // namespace detail
} // namespace weft::inline WEFT_ABI
