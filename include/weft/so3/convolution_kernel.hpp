// SPDX-License-Identifier: MIT
#pragma once

#include <weft/so3/convolution_plan.hpp>
#include <weft/so3/registers.hpp>

#include <algorithm>
#include <array>
#include <span>
#include <utility>

/// The inner loops of equivariant convolutions: the edges of one node and one path at a time. Lanes are copies, degrees
/// up to 3 are known at compile time, and everything else (copies, paths, edges) is not.
namespace weft::inline WEFT_ABI::so3::detail {

/// What a path's loop over the edges of a node reads and where it adds. A component's packets are as far apart as there
/// are components: with offsets that are known at compile time there are enough registers for addresses.
template <class T>
struct ConvolutionBlock {
    index edges;
    const T* const* x; // of each edge, its row
    const T* const* w; // and its weights
    index x_at, w_at;  // where the path's elements are in these
    index width;       // copies, whole packets
    const T* matrix;   // M_ik of edge e at (i d_out + k) matrix_step + e
    T* out;
    const T* ahead; // as many elements as the weights of this path: what is read soon, to be fetched meanwhile
};
template <class T>
using ConvolutionKernel = void (*)(const ConvolutionBlock<T>&);

/// How many packets of copies are worked on at once, so that the sums stay in registers.
template <class T, int In, int Out>
constexpr int packets_at_once() {
    const int each = packet_registers<T> * (In + Out + (Out <= In ? 2 : 1));
    int n = 4;
    while (n > 1 && n * each > vector_registers - 1) n /= 2;
    return n;
}

/// `U` packets to the second-level cache, by every other line: processors fetch lines in pairs.
template <int U, class T>
WEFT_ALWAYS_INLINE void fetch(const T* p) {
    constexpr index pair = std::max<index>(1, 128 / static_cast<index>(sizeof(T)));
    for (index k = 0; k < U * lanes<T>; k += pair) __builtin_prefetch(p + k, 0, 2);
}

/// `U` packets of copies from the copy `at` on.
template <class T, int In, int Out, int U>
WEFT_ALWAYS_INLINE void convolve_packets(const ConvolutionBlock<T>& b, index at) {
    constexpr index w = lanes<T>;
    Packet<T> sum[Out][U];
    T* const out = b.out + at * Out;
    const T* ahead = b.ahead + at * b.edges;
#pragma GCC unroll 16
    for (int k = 0; k < Out; ++k)
#pragma GCC unroll 4
        for (int u = 0; u < U; ++u) sum[k][u] = load_packet(out + (u * Out + k) * w);
    const T* matrix = b.matrix;
    for (index e = 0; e < b.edges; ++e, ++matrix) {
        const T* const x = b.x[e] + b.x_at + at * In;
        const T* const weights = b.w[e] + b.w_at + at;
        Packet<T> weight[U], from[In][U];
#pragma GCC unroll 4
        for (int u = 0; u < U; ++u) weight[u] = load_packet(weights + u * w);
        fetch<U>(ahead);
        ahead += U * w;
#pragma GCC unroll 16
        for (int i = 0; i < In; ++i)
#pragma GCC unroll 4
            for (int u = 0; u < U; ++u) from[i][u] = load_packet(x + (u * In + i) * w);
        if constexpr (Out <= In) {
#pragma GCC unroll 16
            for (int k = 0; k < Out; ++k) {
                Packet<T> coupled[U];
#pragma GCC unroll 16
                for (int i = 0; i < In; ++i) {
                    const Packet<T> m = splat(matrix[(i * Out + k) * matrix_step]);
#pragma GCC unroll 4
                    for (int u = 0; u < U; ++u)
                        coupled[u] = i == 0 ? Packet<T>(m * from[i][u]) : multiply_add(m, from[i][u], coupled[u]);
                }
#pragma GCC unroll 4
                for (int u = 0; u < U; ++u) sum[k][u] = multiply_add(weight[u], coupled[u], sum[k][u]);
            }
        } else {
#pragma GCC unroll 16
            for (int i = 0; i < In; ++i) {
#pragma GCC unroll 4
                for (int u = 0; u < U; ++u) from[i][u] = from[i][u] * weight[u];
#pragma GCC unroll 16
                for (int k = 0; k < Out; ++k) {
                    const Packet<T> m = splat(matrix[(i * Out + k) * matrix_step]);
#pragma GCC unroll 4
                    for (int u = 0; u < U; ++u) sum[k][u] = multiply_add(m, from[i][u], sum[k][u]);
                }
            }
        }
    }
#pragma GCC unroll 16
    for (int k = 0; k < Out; ++k)
#pragma GCC unroll 4
        for (int u = 0; u < U; ++u) store_packet(out + (u * Out + k) * w, sum[k][u]);
}
template <class T, int In, int Out, int U>
WEFT_ALWAYS_INLINE void convolve_from(const ConvolutionBlock<T>& b, index at) {
    for (; at + U * lanes<T> <= b.width; at += U * lanes<T>) convolve_packets<T, In, Out, U>(b, at);
    if constexpr (U > 1)
        if (at < b.width) convolve_from<T, In, Out, U / 2>(b, at);
}
/// out_k += sum over the edges of w sum_i M_ik x_i
template <class T, int LIn, int LOut>
WEFT_NOINLINE void convolve(const ConvolutionBlock<T>& b) {
    constexpr int in = 2 * LIn + 1, out = 2 * LOut + 1;
    convolve_from<T, in, out, packets_at_once<T, in, out>()>(b, 0);
}
/// The same of degrees that are only known now, with the sums in memory.
template <class T>
WEFT_NOINLINE void convolve_any(const ConvolutionBlock<T>& b, int in, int out) {
    constexpr index w = lanes<T>;
    for (index e = 0; e < b.edges; ++e)
        for (index at = 0; at < b.width; at += w) {
            const Packet<T> weight = load_packet(b.w[e] + b.w_at + at);
            for (int i = 0; i < in; ++i) {
                const Packet<T> x = load_packet(b.x[e] + b.x_at + at * in + i * w) * weight;
                for (int k = 0; k < out; ++k) {
                    T* const to = b.out + at * out + k * w;
                    store_packet(to,
                                 multiply_add(splat(b.matrix[(i * out + k) * matrix_step + e]), x, load_packet(to)));
                }
            }
        }
}
/// M is a number: out_k += sum over the edges of w M x_k, for the `Count` packets from `first` on.
template <class T, int Count>
WEFT_ALWAYS_INLINE void convolve_diagonal_packets(const ConvolutionBlock<T>& b, int components, index first) {
    constexpr index w = lanes<T>;
    T* const out = b.out + first * w;
    Packet<T> sum[Count];
    index weight_at[Count];
#pragma GCC unroll 8
    for (int k = 0; k < Count; ++k) {
        sum[k] = load_packet(out + k * w);
        weight_at[k] = b.w_at + (first + k) / components * w;
    }
    for (index e = 0; e < b.edges; ++e) {
        const T* const x = b.x[e] + b.x_at + first * w;
        const Packet<T> m = splat(b.matrix[e]);
#pragma GCC unroll 8
        for (int k = 0; k < Count; ++k)
            sum[k] = multiply_add(m * load_packet(b.w[e] + weight_at[k]), load_packet(x + k * w), sum[k]);
    }
#pragma GCC unroll 8
    for (int k = 0; k < Count; ++k) store_packet(out + k * w, sum[k]);
}
template <class T>
WEFT_NOINLINE void convolve_diagonal(const ConvolutionBlock<T>& b, int components) {
    const index packets = b.width / lanes<T> * components;
    index first = 0;
    for (; first + 8 <= packets; first += 8) convolve_diagonal_packets<T, 8>(b, components, first);
    for (; first + 2 <= packets; first += 2) convolve_diagonal_packets<T, 2>(b, components, first);
    for (; first < packets; ++first) convolve_diagonal_packets<T, 1>(b, components, first);
}

/// The compiler is not to take this address apart, and then to keep the addresses of all its elements.
template <class T>
WEFT_ALWAYS_INLINE void keep_in_register(const T*& p) {
    asm("" : "+r"(p)); // NOLINT(hicpp-no-assembler)
}

/// What a path's gradients at a group of edges read and write.
template <class T>
struct ConvolutionGradient {
    std::span<const ConvolutionStep> steps; // the path's planes
    index edges;
    const T *const *x, *const *w; // x of edge e in plane p at x[edge_group p + e]
    T *const *dx, *const *dw;     // added to, stored
    const T* dy;
    const T* matrix; // M_ik of edge e at (i d_out + k) matrix_step + e
    T* dm;           // dM_ik of edge e, a packet, at ((i d_out + k) edge_group + e) lanes: stored
};
template <class T>
using ConvolutionGradientKernel = void (*)(const ConvolutionGradient<T>&);

/// dx_i += w q_i and dw = sum_i x_i q_i with q_i = sum_k M_ik dy_k, and dM_ik = w x_i dy_k, for `Rows` of the
/// components i from the `first` on, whose dM stay in registers.
template <class T, int In, int Out, int Rows>
WEFT_ALWAYS_INLINE void differentiate_rows(const ConvolutionGradient<T>& g, index e, index first) {
    constexpr index lane = lanes<T>;
    const T* matrix = g.matrix + e + first * Out * matrix_step;
    Packet<T> dm[Rows][Out];
#pragma GCC unroll 32
    for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 32
        for (int k = 0; k < Out; ++k) dm[i][k] = splat(T{});
    for (const ConvolutionStep& s : g.steps) {
        const T *x = g.x[edge_group * s.plane + e] + s.x + first * lane, *w = g.w[e] + s.weights, *dy = g.dy + s.sums;
        T *dx = g.dx[edge_group * s.plane + e] + s.x + first * lane, *dw = g.dw[e] + s.weights;
        for (index n = s.width / lane; n > 0; --n) {
            keep_in_register(matrix);
            const Packet<T> weight = load_packet(w);
            Packet<T> wx[Rows], q[Rows];
#pragma GCC unroll 32
            for (int i = 0; i < Rows; ++i) wx[i] = weight * load_packet(x + i * lane);
#pragma GCC unroll 32
            for (int k = 0; k < Out; ++k) {
                const Packet<T> gradient = load_packet(dy + k * lane);
#pragma GCC unroll 32
                for (int i = 0; i < Rows; ++i) {
                    const Packet<T> m = splat(matrix[(i * Out + k) * matrix_step]);
                    q[i] = k == 0 ? Packet<T>(m * gradient) : multiply_add(m, gradient, q[i]);
                    dm[i][k] = multiply_add(wx[i], gradient, dm[i][k]);
                }
            }
            Packet<T> sum = load_packet(x) * q[0];
            if (first > 0) sum = sum + load_packet(dw);
#pragma GCC unroll 32
            for (int i = 1; i < Rows; ++i) sum = multiply_add(load_packet(x + i * lane), q[i], sum);
            store_packet(dw, sum);
#pragma GCC unroll 32
            for (int i = 0; i < Rows; ++i)
                store_packet(dx + i * lane, multiply_add(weight, q[i], load_packet(dx + i * lane)));
            x += In * lane, dx += In * lane, dy += Out * lane, w += lane, dw += lane;
        }
    }
    T* const to = g.dm + (first * Out * edge_group + e) * lane;
#pragma GCC unroll 32
    for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 32
        for (int k = 0; k < Out; ++k) store_packet(to + (i * Out + k) * edge_group * lane, dm[i][k]);
}
template <class T, int LIn, int LOut>
WEFT_NOINLINE void differentiate(const ConvolutionGradient<T>& g) {
    constexpr int in = 2 * LIn + 1, out = 2 * LOut + 1;
    // Of each row its dM, w x and q; as many passes as that takes, of about as many rows each.
    constexpr int most = std::max(1, (vector_registers - 4) / packet_registers<T> / (out + 2));
    constexpr int passes = (in + most - 1) / most, rows = (in + passes - 1) / passes, rest = in % rows;
    for (index e = 0; e < g.edges; ++e) {
        for (index first = 0; first + rows <= in; first += rows) differentiate_rows<T, in, out, rows>(g, e, first);
        if constexpr (rest > 0) differentiate_rows<T, in, out, rest>(g, e, in - rest);
    }
}
/// The same of degrees that are only known now, with the sums in memory.
template <class T>
WEFT_NOINLINE void differentiate_any(const ConvolutionGradient<T>& g, int in, int out) {
    constexpr index lane = lanes<T>;
    for (index e = 0; e < g.edges; ++e) {
        T* const matrix_gradient = g.dm + e * lane;
        for (int i = 0; i < in * out; ++i) store_packet(matrix_gradient + i * edge_group * lane, splat(T{}));
        for (const ConvolutionStep& s : g.steps)
            for (int i = 0; i < in; ++i)
                for (index at = 0; at < s.width; at += lane) {
                    const index x_at = s.x + at * in + i * lane;
                    T *const dx = g.dx[edge_group * s.plane + e] + x_at, *const dw = g.dw[e] + s.weights + at;
                    const Packet<T> weight = load_packet(g.w[e] + s.weights + at),
                                    x = load_packet(g.x[edge_group * s.plane + e] + x_at), wx = weight * x;
                    Packet<T> q = splat(T{});
                    for (int k = 0; k < out; ++k) {
                        const Packet<T> dy = load_packet(g.dy + s.sums + at * out + k * lane);
                        T* const dm = matrix_gradient + (i * out + k) * edge_group * lane;
                        q = multiply_add(splat(g.matrix[(i * out + k) * matrix_step + e]), dy, q);
                        store_packet(dm, multiply_add(wx, dy, load_packet(dm)));
                    }
                    store_packet(dw, i == 0 ? Packet<T>(x * q) : multiply_add(x, q, load_packet(dw)));
                    store_packet(dx, multiply_add(weight, q, load_packet(dx)));
                }
    }
}
/// M is a number; the number of components is only known now where `Components` is 0.
template <class T, int Components>
WEFT_NOINLINE void differentiate_diagonal(const ConvolutionGradient<T>& g, int any) {
    const int components = Components == 0 ? any : Components;
    constexpr index lane = lanes<T>;
    for (index e = 0; e < g.edges; ++e) {
        const Packet<T> m = splat(g.matrix[e]);
        Packet<T> dm = splat(T{});
        for (const ConvolutionStep& s : g.steps)
            for (index at = 0; at < s.width; at += lane) {
                const index x_at = s.x + at * components;
                const T *const x = g.x[edge_group * s.plane + e] + x_at, *const dy = g.dy + s.sums + at * components;
                T* const dx = g.dx[edge_group * s.plane + e] + x_at;
                const Packet<T> weight = load_packet(g.w[e] + s.weights + at), scaled = m * weight;
                Packet<T> dot = splat(T{});
                for (int k = 0; k < components; ++k) {
                    const Packet<T> gradient = load_packet(dy + k * lane);
                    dot = multiply_add(load_packet(x + k * lane), gradient, dot);
                    store_packet(dx + k * lane, multiply_add(scaled, gradient, load_packet(dx + k * lane)));
                }
                store_packet(g.dw[e] + s.weights + at, m * dot);
                dm = multiply_add(weight, dot, dm);
            }
        store_packet(g.dm + e * lane, dm);
    }
}

/// The loops of degrees 0 ... 3, by l_in and l_out.
inline constexpr int known_degrees = 4;
template <class T, int... N>
constexpr auto convolution_table(std::integer_sequence<int, N...>) {
    return std::array<ConvolutionKernel<T>, sizeof...(N)>{&convolve<T, N / known_degrees, N % known_degrees>...};
}
template <class T, int... N>
constexpr auto gradient_table(std::integer_sequence<int, N...>) {
    return std::array<ConvolutionGradientKernel<T>, sizeof...(N)>{
        &differentiate<T, N / known_degrees, N % known_degrees>...};
}
template <class T>
void convolve(const ConvolutionBlock<T>& b, int l_in, int l_out, bool diagonal) {
    static constexpr auto table =
        convolution_table<T>(std::make_integer_sequence<int, known_degrees * known_degrees>{});
    if (diagonal)
        convolve_diagonal(b, 2 * l_in + 1);
    else if (l_in < known_degrees && l_out < known_degrees)
        table[static_cast<std::size_t>(l_in * known_degrees + l_out)](b);
    else
        convolve_any(b, 2 * l_in + 1, 2 * l_out + 1);
}
template <class T>
void differentiate(const ConvolutionGradient<T>& g, int l_in, int l_out, bool diagonal) {
    static constexpr auto table = gradient_table<T>(std::make_integer_sequence<int, known_degrees * known_degrees>{});
    if (diagonal) switch (l_in) {
        case 0:
            return differentiate_diagonal<T, 1>(g, 1);
        case 1:
            return differentiate_diagonal<T, 3>(g, 3);
        default:
            return differentiate_diagonal<T, 0>(g, 2 * l_in + 1);
        }
    else if (l_in < known_degrees && l_out < known_degrees)
        table[static_cast<std::size_t>(l_in * known_degrees + l_out)](g);
    else
        differentiate_any(g, 2 * l_in + 1, 2 * l_out + 1);
}

} // namespace weft::inline WEFT_ABI::so3::detail
