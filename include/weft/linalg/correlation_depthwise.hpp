// SPDX-License-Identifier: MIT
#pragma once

#include <weft/linalg/correlation_planes.hpp>

/// Correlations of few channels with one another, as in depthwise convolutions, where products of matrices do not pay:
/// every tap is a multiple of the input, added to the output.
namespace weft::inline WEFT_ABI::detail {

/// to[0:n] = start + sum over k of weight[k] * from[offset[k] + (0:n)]; reads and writes whole packets.
template <class T>
WEFT_NOINLINE void weighted_runs(T* to, index n, const T* from, const index* offset, const T* weight, index count,
                                 T start) {
    constexpr index w = lanes<T>;
    index i = 0;
    for (; i + 3 * w < n; i += 4 * w) {
        Packet<T> s0 = splat(start), s1 = s0, s2 = s0, s3 = s0;
        for (index k = 0; k < count; ++k) {
            const T* const p = from + offset[k] + i;
            const Packet<T> factor = splat(weight[k]);
            s0 = multiply_add(factor, load_packet(p), s0);
            s1 = multiply_add(factor, load_packet(p + w), s1);
            s2 = multiply_add(factor, load_packet(p + 2 * w), s2);
            s3 = multiply_add(factor, load_packet(p + 3 * w), s3);
        }
        store_packet(to + i, s0);
        store_packet(to + i + w, s1);
        store_packet(to + i + 2 * w, s2);
        store_packet(to + i + 3 * w, s3);
    }
    for (; i < n; i += w) {
        Packet<T> s = splat(start);
        for (index k = 0; k < count; ++k) s = multiply_add(splat(weight[k]), load_packet(from + offset[k] + i), s);
        store_packet(to + i, s);
    }
}

/// sum[k] += packets of left[i] right[offset[k] + i], 0 <= i < n, for B offsets.
template <int B, class T>
WEFT_ALWAYS_INLINE void multiply_runs(T* sum, const T* left, const T* right, const index* offset, index n) {
    constexpr index w = lanes<T>;
    Packet<T> s[B];
#pragma GCC unroll 9
    for (int k = 0; k < B; ++k) s[k] = load_packet(sum + k * w);
    for (index i = 0; i < n; i += w) {
        const Packet<T> factor = load_packet(left + i);
#pragma GCC unroll 9
        for (int k = 0; k < B; ++k) s[k] = multiply_add(factor, load_packet(right + offset[k] + i), s[k]);
    }
#pragma GCC unroll 9
    for (int k = 0; k < B; ++k) store_packet(sum + k * w, s[k]);
}
/// The same for any number of them.
template <class T>
WEFT_NOINLINE void multiply_runs(T* sum, const T* left, const T* right, const index* offset, index count, index n) {
    constexpr index w = lanes<T>;
    index k = 0;
    for (; k + 9 <= count; k += 9) multiply_runs<9>(sum + k * w, left, right, offset + k, n);
    for (; k + 3 <= count; k += 3) multiply_runs<3>(sum + k * w, left, right, offset + k, n);
    for (; k < count; ++k) multiply_runs<1>(sum + k * w, left, right, offset + k, n);
}

/// How many planes or packets of channels a task takes, so that it is worth starting.
template <class T>
index depthwise_grain(const Correlation& c, index tasks) {
    return std::clamp<index>(static_cast<index>(20e3 * static_cast<double>(tasks) / c.nanoseconds<T>()), 1, tasks);
}

/// y = the correlation of x [N, groups in, H, W], plus bias if there is one. `weights` are [groups, out, in, taps].
template <class T>
void correlate_depthwise_planes(const Correlation& c, const T* x, const T* weights, const T* bias, T* y) {
    const PaddedPlanes<T> planes(c, 1, c.rows.count);
    std::vector<index> offsets;
    for (index channel = 0; channel < c.in; ++channel)
        for (const index offset : planes.offsets()) offsets.push_back(channel * planes.channel() + offset);
    const index depth = c.depth(), all = c.batch * c.groups, grain = depthwise_grain<T>(c, all);
    const index line_size = c.rows.count * planes.pitch(); // rows of outputs with gaps
    for_each_chunk(divide_up(all, grain), c.nanoseconds<T>(), [&](index chunk) {
        constexpr index beyond = 4 * lanes<T>;
        const index padded_size = c.in * planes.channel() + beyond;
        Scratch<T> scratch(Scratch<T>::rounded(padded_size) + line_size + beyond);
        T *const padded = scratch.take(padded_size), *const line = scratch.take(line_size + beyond);
        std::fill_n(padded, padded_size, T{});
        for (index i = chunk * grain; i < std::min(all, (chunk + 1) * grain); ++i) {
            const index g = i % c.groups;
            for (index channel = 0; channel < c.in; ++channel)
                planes.read(padded + channel * planes.channel(), x + (i * c.in + channel) * c.in_plane(), 0,
                            c.rows.count);
            for (index o = 0; o < c.out; ++o) {
                weighted_runs(line, line_size, padded, offsets.data(), weights + (g * c.out + o) * depth, depth,
                              bias ? bias[g * c.out + o] : T{});
                T* const to = y + (i * c.out + o) * c.out_plane() + c.columns.start;
                for (index r = 0; r < c.rows.count; ++r) {
                    T* const row = to + (c.rows.start + r * c.rows.step) * c.columns.out;
                    const T* const from = line + r * planes.pitch();
                    if (c.columns.step == 1)
                        copy_run(row, from, c.columns.count);
                    else
                        for (index q = 0; q < c.columns.count; ++q) row[q * c.columns.step] = from[q];
                }
            }
        }
    });
}

/// The gradient of the weights, [groups, out, taps], of a correlation that writes every position and reads one channel
/// in each group.
template <class T>
void correlate_depthwise_planes_weight(const Correlation& c, const T* x, const T* dy, T* dweight) {
    constexpr index w = lanes<T>;
    const PaddedPlanes<T> planes(c, 1, c.rows.count);
    const index taps = c.taps(), line_size = c.rows.count * planes.pitch();
    for_each_chunk(c.groups, c.nanoseconds<T>(), [&](index g) {
        const index padded_size = planes.channel() + w;
        Scratch<T> scratch(Scratch<T>::rounded(padded_size) + Scratch<T>::rounded(line_size + w) + c.out * taps * w);
        T *const padded = scratch.take(padded_size), *const line = scratch.take(line_size + w);
        T* const sums = scratch.take(c.out * taps * w);
        std::fill_n(padded, padded_size, T{});
        std::fill_n(line, line_size + w, T{});
        std::fill_n(sums, c.out * taps * w, T{});
        for (index n = 0; n < c.batch; ++n) {
            planes.read(padded, x + (n * c.groups + g) * c.in_plane(), 0, c.rows.count);
            for (index o = 0; o < c.out; ++o) {
                const T* const from = dy + ((n * c.groups + g) * c.out + o) * c.out_plane();
                for (index r = 0; r < c.rows.count; ++r)
                    copy_run(line + r * planes.pitch(), from + r * c.columns.count, c.columns.count);
                multiply_runs(sums + o * taps * w, line, padded, planes.offsets().data(), taps, line_size);
            }
        }
        for (index k = 0; k < c.out * taps; ++k)
            dweight[g * c.out * taps + k] = sum_lanes<T>(load_packet(sums + k * w));
    });
}

/// A packet of channels of images [N, H, W, C], between zeros.
template <class T>
class PaddedPackets {
    static constexpr index w = lanes<T>;

public:
    explicit PaddedPackets(const Correlation& c)
        : c_(c), height_(c.rows.extent(c.rows.count)), width_(c.columns.extent(c.columns.count)) {
        for (const index row : c.rows.offset)
            for (const index column : c.columns.offset)
                offsets.push_back(
                    ((row - c.rows.offset.front()) * width_ + column - c.columns.offset.front()) * w);
    }
    std::vector<index> offsets{}; ///< of the taps, for the first output

    index size() const { return height_ * width_ * w; }
    index row_step() const { return c_.rows.stride * width_ * w; }
    index column_step() const { return c_.columns.stride * w; }
    /// `count` channels from the one at `image` on.
    void read(T* to, const T* image, index count) const {
        const index top = c_.rows.offset.front(), left = c_.columns.offset.front();
        const index low = std::clamp<index>(-left, 0, width_), high = std::clamp<index>(c_.columns.in - left, low, width_);
        for (index r = std::max<index>(0, -top); r < std::min(height_, c_.rows.in - top); ++r)
            for (index q = low; q < high; ++q) {
                const T* const from = image + ((r + top) * c_.columns.in + q + left) * c_.groups;
                store_packet(to + (r * width_ + q) * w,
                             count == w ? load_packet(from) : load_first(from, count, T{}));
            }
    }

private:
    const Correlation& c_;
    index height_, width_;
};

/// One packet of channels of one image: Q outputs beside one another.
template <int Q, class T>
WEFT_ALWAYS_INLINE void weighted_packets(Packet<T>* sum, const T* from, index step, const index* offset,
                                         const T* weight, index count, const Packet<T>& start) {
#pragma GCC unroll 4
    for (int q = 0; q < Q; ++q) sum[q] = start;
    for (index k = 0; k < count; ++k) {
        const Packet<T> factor = load_packet(weight + k * lanes<T>);
#pragma GCC unroll 4
        for (int q = 0; q < Q; ++q) sum[q] = multiply_add(factor, load_packet(from + offset[k] + q * step), sum[q]);
    }
}

/// y = the correlation of x [N, H, W, groups], one channel in each group, plus bias if there is one.
template <class T>
void correlate_depthwise_pixels(const Correlation& c, const T* x, const TapWeights<T>& weights, const T* bias, T* y) {
    constexpr index w = lanes<T>;
    const PaddedPackets<T> packets(c);
    const index taps = c.taps(), blocks = divide_up(c.groups, w), grain = depthwise_grain<T>(c, c.batch);
    for_each_chunk(divide_up(c.batch, grain) * blocks, c.nanoseconds<T>(), [&](index task) {
        const index channel = task % blocks * w, count = std::min(w, c.groups - channel);
        Scratch<T> scratch(Scratch<T>::rounded(packets.size()) + (taps + 1) * w);
        T *const padded = scratch.take(packets.size()), *const factors = scratch.take((taps + 1) * w);
        std::fill_n(padded, packets.size(), T{});
        std::fill_n(factors, (taps + 1) * w, T{});
        for (index i = 0; i < count; ++i) {
            for (index tap = 0; tap < taps; ++tap)
                factors[tap * w + i] = weights.data[(channel + i) * weights.group + weights.position(c, tap)];
            if (bias) factors[taps * w + i] = bias[channel + i];
        }
        const Packet<T> start = load_packet(factors + taps * w);
        const index first = task / blocks * grain;
        for (index n = first; n < std::min(c.batch, first + grain); ++n) {
            packets.read(padded, x + n * c.in_plane() * c.groups + channel, count);
            for (index r = 0; r < c.rows.count; ++r) {
                const T* const from = padded + r * packets.row_step();
                T* const row = y + ((n * c.rows.out + c.rows.start + r * c.rows.step) * c.columns.out +
                                    c.columns.start) * c.groups + channel;
                const auto store = [&](index q, const Packet<T>& value) {
                    T* const to = row + q * c.columns.step * c.groups;
                    if (count == w)
                        store_packet(to, value);
                    else
                        store_first(to, value, count);
                };
                index q = 0;
                Packet<T> sum[4];
                for (; q + 4 <= c.columns.count; q += 4) {
                    weighted_packets<4, T>(sum, from + q * packets.column_step(), packets.column_step(),
                                           packets.offsets.data(), factors, taps, start);
#pragma GCC unroll 4
                    for (index u = 0; u < 4; ++u) store(q + u, sum[u]);
                }
                for (; q < c.columns.count; ++q) {
                    weighted_packets<1, T>(sum, from + q * packets.column_step(), 0, packets.offsets.data(), factors,
                                           taps, start);
                    store(q, sum[0]);
                }
            }
        }
    });
}

/// sum[k] += left[i] right[offset[k] + i step] over a row of packets, for B offsets.
template <int B, class T>
WEFT_NOINLINE void multiply_packets(T* sum, const T* left, index left_step, index channels, const T* right,
                                    index right_step, const index* offset, index n) {
    constexpr index w = lanes<T>;
    Packet<T> s[B];
#pragma GCC unroll 9
    for (int k = 0; k < B; ++k) s[k] = load_packet(sum + k * w);
    for (index i = 0; i < n; ++i, left += left_step, right += right_step) {
        const Packet<T> factor = channels == w ? load_packet(left) : load_first(left, channels, T{});
#pragma GCC unroll 9
        for (int k = 0; k < B; ++k) s[k] = multiply_add(factor, load_packet(right + offset[k]), s[k]);
    }
#pragma GCC unroll 9
    for (int k = 0; k < B; ++k) store_packet(sum + k * w, s[k]);
}

/// The gradient of the weights, [groups, taps], of a correlation that writes every position, one channel in each group.
template <class T>
void correlate_depthwise_pixels_weight(const Correlation& c, const T* x, const T* dy, T* dweight) {
    constexpr index w = lanes<T>;
    const PaddedPackets<T> packets(c);
    const index taps = c.taps(), blocks = divide_up(c.groups, w);
    const index parts = partial_sums(c, c.groups * taps, c.batch);
    Scratch<T> sums(parts * blocks * taps * w); // [parts, blocks, taps, channels]
    T* const all = sums.data();
    for_each_chunk(parts * blocks, c.nanoseconds<T>(), [&](index task) {
        const index part = task / blocks, channel = task % blocks * w, count = std::min(w, c.groups - channel);
        T* const sum = all + task * taps * w;
        std::fill_n(sum, taps * w, T{});
        Scratch<T> scratch(packets.size());
        T* const padded = scratch.data();
        std::fill_n(padded, packets.size(), T{});
        for (index n = part * c.batch / parts; n < (part + 1) * c.batch / parts; ++n) {
            packets.read(padded, x + n * c.in_plane() * c.groups + channel, count);
            for (index r = 0; r < c.rows.count; ++r) {
                const T* const left = dy + (n * c.rows.count + r) * c.columns.count * c.groups + channel;
                const T* const right = padded + r * packets.row_step();
                const auto add = [&]<int B>(index k, std::integral_constant<int, B>) {
                    multiply_packets<B>(sum + k * w, left, c.groups, count, right, packets.column_step(),
                                        packets.offsets.data() + k, c.columns.count);
                };
                index k = 0;
                for (; k + 9 <= taps; k += 9) add(k, std::integral_constant<int, 9>{});
                for (; k + 3 <= taps; k += 3) add(k, std::integral_constant<int, 3>{});
                for (; k < taps; ++k) add(k, std::integral_constant<int, 1>{});
            }
        }
    });
    combine_parts(all, parts, blocks * taps * w);
    for (index g = 0; g < c.groups; ++g)
        for (index tap = 0; tap < taps; ++tap) dweight[g * taps + tap] = all[(g / w * taps + tap) * w + g % w];
}

} // namespace weft::inline WEFT_ABI::detail
