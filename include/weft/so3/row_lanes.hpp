// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/dense.hpp>
#include <weft/core/tensor.hpp>
#include <weft/core/transpose_block.hpp>
#include <weft/so3/registers.hpp>

#include <vector>

/// Rows side by side in the lanes of packets, component by component, for kernels that do the same for every row.
namespace weft::inline WEFT_ABI::so3::detail {

/// to[c * lanes + r] = rows[r * n + c] for `count` <= lanes rows of n elements; 0 behind them.
template <class T>
void rows_to_lanes(const T* rows, index n, index count, T* to) {
    weft::detail::transpose_block(rows, n, count, n, to, lanes<T>);
    for (index r = count; r < lanes<T>; ++r)
        for (index c = 0; c < n; ++c) to[c * lanes<T> + r] = T{};
}
/// Back.
template <class T>
void lanes_to_rows(const T* from, index n, index count, T* rows) {
    if (count == lanes<T>) return weft::detail::transpose_block(from, lanes<T>, n, count, rows, n);
    for (index r = 0; r < count; ++r)
        for (index c = 0; c < n; ++c) rows[r * n + c] = from[c * lanes<T> + r];
}

/// One weight for all rows, or one for each of them, in the lanes.
template <class T>
struct SharedWeights {
    const T* data;
    const T* turned = nullptr; // the same with the matrices transposed, for mix_turned
    WEFT_ALWAYS_INLINE Packet<T> operator()(index i) const { return splat(data[i]); }
    WEFT_ALWAYS_INLINE SharedWeights from(index i) const { return {data + i}; }
};
template <class T>
struct RowWeights {
    const T* data;
    WEFT_ALWAYS_INLINE Packet<T> operator()(index i) const { return load_packet(data + i * lanes<T>); }
    WEFT_ALWAYS_INLINE RowWeights from(index i) const { return {data + i * lanes<T>}; }
};

/// A matrix [inputs, outputs] among the weights, row-major; without outputs there is none.
struct WeightMatrix {
    index first, inputs, outputs;
};

/// to[o] += scale times the sum over n of weights(first + o out_step + n in_step) from[n], each of `components`
/// packets.
struct MixShape {
    index outputs, inputs, first, out_step, in_step, components;
};
/// `Few` outputs from the one that is `done` next, and `M` components from m on. A weight is read once for these.
template <int Few, int M, bool Neighbours, class T, class W> // Neighbours: out_step is 1
WEFT_ALWAYS_INLINE void mix_few(const W& weights, const MixShape& s, index done, index m, const Packet<T>& scale,
                                const T* from, T* to) {
    constexpr index w = lanes<T>;
    const index step = s.components * w;
    from += m * w;
    to += m * w;
    Packet<T> sum[Few][M];
#pragma GCC unroll 16
    for (int o = 0; o < Few; ++o)
#pragma GCC unroll 4
        for (int c = 0; c < M; ++c) sum[o][c] = splat(T{});
    const index out_step = Neighbours ? 1 : s.out_step, first = s.first + done * out_step;
    for (index n = 0; n < s.inputs; ++n, from += step) {
        Packet<T> x[M];
#pragma GCC unroll 4
        for (int c = 0; c < M; ++c) x[c] = load_packet(from + c * w);
        const W here = weights.from(first + n * s.in_step);
#pragma GCC unroll 16
        for (int o = 0; o < Few; ++o) {
            const Packet<T> weight = here(o * out_step);
#pragma GCC unroll 4
            for (int c = 0; c < M; ++c) sum[o][c] = multiply_add(weight, x[c], sum[o][c]);
        }
    }
#pragma GCC unroll 16
    for (int o = 0; o < Few; ++o)
#pragma GCC unroll 4
        for (int c = 0; c < M; ++c) {
            T* const at = to + (done + o) * step + c * w;
            store_packet(at, multiply_add(scale, sum[o][c], load_packet(at)));
        }
}
template <int M, bool Neighbours, class T, class W>
WEFT_NOINLINE void mix_components(const W& weights, const MixShape& s, index m, double scale, const T* from, T* to) {
    // As many sums as there are registers for.
    constexpr int many = (vector_registers > 16 ? 24 : 12) / packet_registers<T> / M >= 8 ? 8 : 4;
    constexpr int most = M == 1 && vector_registers / packet_registers < T >> 16 ? 16 : many;
    const Packet<T> factor = splat(T(static_cast<typename weft::detail::DualScalar<T>::type>(scale)));
    index done = 0;
    for (; done + most <= s.outputs; done += most) mix_few<most, M, Neighbours>(weights, s, done, m, factor, from, to);
    if constexpr (most > 4)
        for (; done + 4 <= s.outputs; done += 4) mix_few<4, M, Neighbours>(weights, s, done, m, factor, from, to);
    for (; done < s.outputs; ++done) mix_few<1, M, Neighbours>(weights, s, done, m, factor, from, to);
}
template <bool Neighbours, class T, class W>
void mix_all(const W& weights, const MixShape& s, double scale, const T* from, T* to) {
    // Three components at a time, and two so that there is never one left of more.
    index m = 0;
    for (index rest = s.components; rest > 0; rest = s.components - m)
        if (rest == 1)
            mix_components<1, Neighbours>(weights, s, m, scale, from, to), m += 1;
        else if (rest % 3 == 0 || rest == 5)
            mix_components<3, Neighbours>(weights, s, m, scale, from, to), m += 3;
        else
            mix_components<2, Neighbours>(weights, s, m, scale, from, to), m += 2;
}
/// to[o] += scale times the sum over i of W(i, o) from[i], each of `components` packets.
template <class T, class W>
void mix(const W& weights, const WeightMatrix& m, index components, double scale, const T* from, T* to) {
    mix_all<true>(weights, {m.outputs, m.inputs, m.first, 1, m.outputs, components}, scale, from, to);
}
/// to[i] += scale times the sum over o of W(i, o) from[o]. Shared weights are read transposed, so that neighbours go to
/// neighbouring results here too.
template <class T>
void mix_turned(const SharedWeights<T>& weights, const WeightMatrix& m, index components, double scale, const T* from,
                T* to) {
    mix_all<true>(SharedWeights<T>{weights.turned}, {m.inputs, m.outputs, m.first, 1, m.inputs, components}, scale,
                  from, to);
}
template <class T>
void mix_turned(const RowWeights<T>& weights, const WeightMatrix& m, index components, double scale, const T* from,
                T* to) {
    mix_all<false>(weights, {m.inputs, m.outputs, m.first, m.outputs, 1, components}, scale, from, to);
}

/// dw(u, o) += scale times the sum over components m of x(u, m) dy(o, m), in the lanes; of `inputs` copies u
/// and `outputs` copies o.
template <class T>
struct WeightGradient {
    index inputs, outputs, components;
    const T *x, *dy; // of copy 0, component 0
    T* dw;           // row-major
    Packet<T> scale;

    template <int U, int O>
    WEFT_ALWAYS_INLINE void add(index u0, index o0) const {
        constexpr index w = lanes<T>;
        Packet<T> sum[U][O];
#pragma GCC unroll 4
        for (int u = 0; u < U; ++u)
#pragma GCC unroll 4
            for (int o = 0; o < O; ++o) sum[u][o] = splat(T{});
        for (index m = 0; m < components; ++m) {
            const T* const from = dy + (o0 * components + m) * w;
            const T* const other = x + (u0 * components + m) * w;
            Packet<T> d[O];
#pragma GCC unroll 4
            for (int o = 0; o < O; ++o) d[o] = load_packet(from + o * components * w);
#pragma GCC unroll 4
            for (int u = 0; u < U; ++u) {
                const Packet<T> a = load_packet(other + u * components * w);
#pragma GCC unroll 4
                for (int o = 0; o < O; ++o) sum[u][o] = multiply_add(a, d[o], sum[u][o]);
            }
        }
#pragma GCC unroll 4
        for (int u = 0; u < U; ++u)
#pragma GCC unroll 4
            for (int o = 0; o < O; ++o) {
                T* const to = dw + ((u0 + u) * outputs + o0 + o) * w;
                store_packet(to, multiply_add(scale, sum[u][o], load_packet(to)));
            }
    }
    WEFT_NOINLINE void run() const {
        index u = 0;
        for (; u + 4 <= inputs; u += 4) {
            index o = 0;
            for (; o + 4 <= outputs; o += 4) add<4, 4>(u, o);
            for (; o < outputs; ++o) add<4, 1>(u, o);
        }
        for (; u < inputs; ++u)
            for (index o = 0; o < outputs; ++o) add<1, 1>(u, o);
    }
};

/// Rows in chunks that depend on their number alone, each long enough that its own memory and its sums of weights do
/// not count.
inline weft::detail::Chunks row_chunks(index rows) {
    weft::detail::Chunks chunks(0);
    chunks.size = rows;
    const index least = std::max<index>(128, (rows + 63) / 64);
    chunks.length = (least + 15) / 16 * 16;
    chunks.count = (rows + chunks.length - 1) / chunks.length;
    return chunks;
}
/// Calls f(chunk, begin, end); `cost`: nanoseconds a row.
template <class F>
void for_each_row_chunk(index rows, double cost, F&& f) {
    const weft::detail::Chunks chunks = row_chunks(rows);
    weft::detail::for_each_chunk(chunks.count, static_cast<double>(rows) * cost,
                                 [&](index chunk) { f(chunk, chunks.begin(chunk), chunks.end(chunk)); });
}

/// The rows of a and b, side by side in the lanes, through f(a, b, y, scratch) to rows of `dim` elements; `cost`:
/// nanoseconds a row, `scratch_size`: elements that f needs.
template <class T, class F>
Tensor<T, 2> for_rows_of_both(const Tensor<T, 2>& a, const Tensor<T, 2>& b, index dim, double cost, index scratch_size,
                              F&& f) {
    const index n = a.extent(0), dim_a = a.extent(1), dim_b = b.extent(1);
    auto y = Tensor<T, 2>::empty({n, dim});
    T* const to = y.mutable_data();
    for_each_row_chunk(n, cost, [&](index, index begin, index end) {
        weft::detail::Scratch<T> memory((dim_a + dim_b + dim) * lanes<T> + scratch_size + 64);
        T* const a_lanes = memory.take(dim_a * lanes<T>);
        T* const b_lanes = memory.take(dim_b * lanes<T>);
        T* const y_lanes = memory.take(dim * lanes<T>);
        T* const scratch = memory.take(scratch_size);
        for (index row = begin; row < end; row += lanes<T>) {
            const index count = std::min(lanes<T>, end - row);
            rows_to_lanes(a.data() + row * dim_a, dim_a, count, a_lanes);
            rows_to_lanes(b.data() + row * dim_b, dim_b, count, b_lanes);
            f(a_lanes, b_lanes, y_lanes, scratch);
            lanes_to_rows(y_lanes, dim, count, to + row * dim);
        }
    });
    return y;
}

/// The gradients of weights that all rows share: each chunk has its own sums in the lanes, added in the end in order.
template <class T>
class WeightSums {
public:
    WeightSums(index rows, index weights) : weights_(weights), chunks_(row_chunks(rows).count) {
        partial_ = Tensor<T, 2>::empty({chunks_, weights});
        to_ = partial_.mutable_data();
    }
    void put(index chunk, const T* in_lanes) { weft::detail::sum_rows(in_lanes, weights_, to_ + chunk * weights_); }
    Tensor<T, 1> sum() const {
        auto all = Tensor<T, 1>::zeros({weights_});
        for (index chunk = 0; chunk < chunks_; ++chunk)
            weft::detail::combine_run<SumOf>(all.mutable_data(), partial_.data() + chunk * weights_, weights_);
        return all;
    }

private:
    index weights_, chunks_;
    Tensor<T, 2> partial_;
    T* to_;
};

/// The weights of a layer, for blocks of rows: [numel] that all rows share, [N, numel] of each row, or none.
template <class T, class... W>
class LayerWeights {
    static_assert(sizeof...(W) <= 1);

public:
    static constexpr bool of_rows = ((W::rank == 2) || ...), shared = ((W::rank == 1) || ...);

    explicit LayerWeights(const W&... weights) {
        ((data_ = weights.data(), numel_ = weights.extent(W::rank - 1)), ...);
    }
    /// Transposes the matrices of the paths, for mix_turned.
    template <class Path>
    void turn(const std::vector<Path>& paths) {
        if constexpr (shared) {
            turned_ = Tensor<T, 1>::empty({numel_});
            T* const to = turned_.mutable_data();
            for (const Path& path : paths)
                if (const WeightMatrix m = path.matrix(); m.outputs > 0)
                    weft::detail::transpose_block(data_ + m.first, m.outputs, m.inputs, m.outputs, to + m.first,
                                                  m.inputs);
        }
    }
    /// Those of `count` <= lanes rows, for which `scratch` has numel packets.
    auto of(index row, index count, T* scratch) const {
        if constexpr (of_rows) {
            rows_to_lanes(data_ + row * numel_, numel_, count, scratch);
            return RowWeights<T>{scratch};
        } else {
            return SharedWeights<T>{data_, turned_.data()};
        }
    }

private:
    const T* data_ = nullptr;
    index numel_ = 0;
    Tensor<T, 1> turned_ = Tensor<T, 1>::empty({0});
};

/// The gradients of these, which loops add up in the lanes: those of all rows of a chunk, or those of a block.
template <class T, bool OfRows>
class LayerWeightGradients {
public:
    LayerWeightGradients(bool wanted, index rows, index numel)
        : wanted_(wanted), numel_(numel), of_rows_(Tensor<T, 2>::empty({wanted && OfRows ? rows : 0, numel})),
          sums_(wanted && !OfRows ? rows : 0, numel), to_(of_rows_.mutable_data()) {}

    void begin_chunk(T* in_lanes) const {
        if (wanted_ && !OfRows) std::fill_n(in_lanes, numel_ * lanes<T>, T{});
    }
    void begin_block(T* in_lanes) const {
        if (wanted_ && OfRows) std::fill_n(in_lanes, numel_ * lanes<T>, T{});
    }
    void end_block(index row, index count, const T* in_lanes) const {
        if (wanted_ && OfRows) lanes_to_rows(in_lanes, numel_, count, to_ + row * numel_);
    }
    void end_chunk(index chunk, const T* in_lanes) {
        if (wanted_ && !OfRows) sums_.put(chunk, in_lanes);
    }
    auto gradient() const {
        if constexpr (OfRows)
            return of_rows_;
        else
            return sums_.sum();
    }

private:
    bool wanted_;
    index numel_;
    Tensor<T, 2> of_rows_;
    WeightSums<T> sums_;
    T* to_;
};

} // namespace weft::inline WEFT_ABI::so3::detail
