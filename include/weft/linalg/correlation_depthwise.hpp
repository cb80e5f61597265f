// SPDX-License-Identifier: MIT
#pragma once

#include <weft/linalg/correlation_planes.hpp>

/// Correlations of few channels with one another, as in depthwise convolutions, where products of matrices do not pay:
/// every tap is a multiple of the input, added to the output.
namespace weft::inline WEFT_ABI::detail {

/// to[0:n] = start + sum over k of weight[k] * from[offset[k] + (0:n)]; reads whole packets.
template <class T>
WEFT_NOINLINE void weighted_runs(T* to, index n, const T* from, const index* offset, const T* weight, index count,
                                 T start) {
    constexpr index w = lanes<T>;
    index i = 0;
    for (; i + 4 * w <= n; i += 4 * w) {
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
        if (i + w <= n)
            store_packet(to + i, s);
        else
            store_first(to + i, s, n - i);
    }
}

/// sum[k] += packets of left[i] right[offset[k] + i], 0 <= i < n, for B offsets.
template <int B, class T>
WEFT_ALWAYS_INLINE void multiply_runs(T* sum, const T* left, const T* right, const index* offset, index n) {
    constexpr index w = lanes<T>;
    Packet<T> s[B];
#pragma GCC unroll 9
    for (int k = 0; k < B; ++k) s[k] = load_packet(sum + k * w);
    index i = 0;
    for (; i + w <= n; i += w) {
        const Packet<T> factor = load_packet(left + i);
#pragma GCC unroll 9
        for (int k = 0; k < B; ++k) s[k] = multiply_add(factor, load_packet(right + offset[k] + i), s[k]);
    }
    if (i < n) { // what lies behind the end may be anything
        const Packet<T> factor = load_first(left + i, n - i, T{});
#pragma GCC unroll 9
        for (int k = 0; k < B; ++k) s[k] = multiply_add(factor, load_first(right + offset[k] + i, n - i, T{}), s[k]);
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

/// Where the taps of all channels of a group read in the copies of a strip.
template <class T>
std::vector<index> tap_offsets(const StripOfPlanes<T>& strip) {
    std::vector<index> offsets;
    for (index channel = 0; channel < strip.c.in; ++channel)
        for (index h = 0; h < strip.c.rows.taps(); ++h)
            for (index w = 0; w < strip.c.columns.taps(); ++w)
                offsets.push_back((channel * strip.c.columns.taps() + w) * strip.line + strip.offset(h));
    return offsets;
}
/// Groups that are copied at once: some, since reading what has just been written is slow.
template <class T>
index groups_at_once(const StripOfPlanes<T>& strip) {
    return std::clamp<index>(4096 / (strip.c.in * strip.c.columns.taps() * strip.line), 1, strip.c.groups);
}

/// y = the correlation of x [N, groups in, H, W] at the positions it writes, plus bias [groups out] if there is one.
template <class T>
void correlate_depthwise_planes(const Correlation& c, const T* x, const TapWeights<T>& weights, const T* bias, T* y) {
    const PlanesPlan<T> plan(c);
    const index depth = c.depth();
    Scratch<T> matrix(c.groups * c.out * depth);
    T* next = matrix.data();
    const std::vector<index> positions = weights.positions(c);
    for (index g = 0; g < c.groups; ++g)
        for (index o = 0; o < c.out; ++o)
            for (index channel = 0; channel < c.in; ++channel)
                for (const index position : positions)
                    *next++ = weights.data[g * weights.group + o * weights.out + channel * weights.in + position];
    const index at_once = groups_at_once(StripOfPlanes<T>(plan, 0)), blocks = divide_up(c.groups, at_once);
    for_each_chunk(plan.strips.count * blocks, c.nanoseconds<T>(), [&](index task) {
        const StripOfPlanes<T> strip(plan, task / blocks);
        const std::vector<index> offsets = tap_offsets(strip);
        const index first = task % blocks * at_once, groups = std::min(at_once, c.groups - first);
        const bool direct = strip.images == 1 && c.in_order();
        const index copied_size = strip.copied_size(groups * c.in), outputs = strip.outputs();
        Scratch<T> scratch(Scratch<T>::rounded(copied_size) + (direct ? 0 : groups * c.out * outputs));
        T *const copied = scratch.take(copied_size), *const kept = scratch.take(0);
        T* const to =
            direct ? y + (strip.image * c.groups + first) * c.out * c.out_plane() + strip.row * c.columns.count : kept;
        strip.copy(copied, x, 0, first * c.in, groups * c.in);
        for (index o = 0; o < groups * c.out; ++o)
            weighted_runs(to + o * (direct ? c.out_plane() : outputs), outputs,
                          copied + o / c.out * c.in * c.columns.taps() * strip.line, offsets.data(),
                          matrix.data() + (first * c.out + o) * depth, depth, bias ? bias[first * c.out + o] : T{});
        if (!direct) strip.write(y, kept, first * c.out, groups * c.out);
    });
}

/// The gradient of the weights, [groups, out, taps], of a correlation that writes every position and reads one channel
/// in each group.
template <class T>
void correlate_depthwise_planes_weight(const Correlation& c, const T* x, const T* dy, T* dweight) {
    constexpr index w = lanes<T>;
    const PlanesPlan<T> plan(c);
    const index taps = c.taps(), at_once = groups_at_once(StripOfPlanes<T>(plan, 0));
    for_each_chunk(divide_up(c.groups, at_once), c.nanoseconds<T>(), [&](index block) {
        const index first = block * at_once, groups = std::min(at_once, c.groups - first), out = groups * c.out;
        Scratch<T> sums(out * taps * w);
        std::fill_n(sums.data(), out * taps * w, T{});
        for (index number = 0; number < plan.strips.count; ++number) {
            const StripOfPlanes<T> strip(plan, number);
            const std::vector<index> offsets = tap_offsets(strip);
            const index copied_size = strip.copied_size(groups), outputs = strip.outputs();
            const bool direct = strip.images == 1;
            Scratch<T> scratch(Scratch<T>::rounded(copied_size) + (direct ? 0 : out * outputs));
            T *const copied = scratch.take(copied_size), *const gathered = scratch.take(0);
            strip.copy(copied, x, 0, first, groups);
            if (!direct)
                strip.for_each_run([&](index at, index length, index i, index r) {
                    const T* from = dy + (i * c.groups + first) * c.out * c.out_plane() + r * length;
                    for (index o = 0; o < out; ++o, from += c.out_plane())
                        copy_run(gathered + o * outputs + at, from, length);
                });
            const T* const left =
                direct ? dy + (strip.image * c.groups + first) * c.out * c.out_plane() + strip.row * c.columns.count
                       : gathered;
            for (index o = 0; o < out; ++o)
                multiply_runs(sums.data() + o * taps * w, left + o * (direct ? c.out_plane() : outputs),
                              copied + o / c.out * c.columns.taps() * strip.line, offsets.data(), taps, outputs);
        }
        for (index k = 0; k < out * taps; ++k)
            dweight[first * c.out * taps + k] = sum_lanes<T>(load_packet(sums.data() + k * w));
    });
}

/// A packet of channels of rows of an image [H, W, C], between zeros.
template <class T>
class PaddedPackets {
    static constexpr index w = lanes<T>;

public:
    explicit PaddedPackets(const Correlation& c) : c_(c), width_(c.columns.extent(c.columns.count)) {
        constexpr index cache = (index{24} << 10) / (w * static_cast<index>(sizeof(T))); // packets in the first level
        const index fit = (cache / width_ - c.rows.extent(1)) / c.rows.stride + 1;
        rows = block_length(c.rows.count, std::clamp<index>(fit, 1, c.rows.count), 1);
        for (const index row : c.rows.offset)
            for (const index column : c.columns.offset)
                offsets.push_back(((row - c.rows.offset.front()) * width_ + column - c.columns.offset.front()) * w);
    }
    index rows;                   ///< of outputs at once, at most
    std::vector<index> offsets{}; ///< of the taps, for the first output

    index size() const { return c_.rows.extent(rows) * width_ * w; }
    index row_step() const { return c_.rows.stride * width_ * w; }
    index column_step() const { return c_.columns.stride * w; }
    /// What `count` rows of outputs from `row` on read of the channels, at most a packet, from the one at `image` on.
    /// `to` was zero before the first call.
    void read(T* to, const T* image, index channels, index row, index count) const {
        const index top = row * c_.rows.stride + c_.rows.offset.front(), left = c_.columns.offset.front();
        const index low = std::clamp<index>(-left, 0, width_),
                    high = std::clamp<index>(c_.columns.in - left, low, width_);
        for (index r = 0; r < c_.rows.extent(count); ++r) {
            T* const line = to + r * width_ * w;
            if (r + top < 0 || r + top >= c_.rows.in) {
                std::fill_n(line + low * w, (high - low) * w, T{});
                continue;
            }
            const T* from = image + ((r + top) * c_.columns.in + low + left) * c_.groups;
            for (index q = low; q < high; ++q, from += c_.groups)
                store_packet(line + q * w, channels == w ? load_packet(from) : load_first(from, channels, T{}));
        }
    }

private:
    const Correlation& c_;
    index width_;
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
    const index taps = c.taps(), blocks = divide_up(c.groups, w);
    const index grain = std::clamp<index>(4096 / c.pixels(), 1, c.batch); // images of a task
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
            for (index r = 0; r < c.rows.count; ++r) {
                const index in_strip = r % packets.rows;
                if (in_strip == 0)
                    packets.read(padded, x + n * c.in_plane() * c.groups + channel, count, r,
                                 std::min(packets.rows, c.rows.count - r));
                const T* const from = padded + in_strip * packets.row_step();
                T* const row =
                    y +
                    ((n * c.rows.out + c.rows.start + r * c.rows.step) * c.columns.out + c.columns.start) * c.groups +
                    channel;
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
            for (index r = 0; r < c.rows.count; ++r) {
                const index in_strip = r % packets.rows;
                if (in_strip == 0)
                    packets.read(padded, x + n * c.in_plane() * c.groups + channel, count, r,
                                 std::min(packets.rows, c.rows.count - r));
                const T* const left = dy + (n * c.rows.count + r) * c.columns.count * c.groups + channel;
                const T* const right = padded + in_strip * packets.row_step();
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
