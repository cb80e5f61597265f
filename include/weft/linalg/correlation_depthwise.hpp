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

/// The taps of an output that read the image: `count` from `first` on, and so on, `runs` times `step` later.
struct PixelTaps {
    index first, count, runs, step;
};
/// Depthwise sums of taps: the weights [taps, width] and, behind them, the bias; where the taps read.
template <class T>
struct TapSums {
    const T* weight;
    index width, taps;
    const index* offset;

    /// Q packets of results at a time, to = bias + weights times inputs: of a packet of `channels` from `channel` on of
    /// Q outputs beside one another, or of Q packets of channels of one output (Beside = false).
    template <int Q, bool Beside, bool Whole>
    WEFT_ALWAYS_INLINE void write(T* to, index to_step, const T* from, index from_step, index channel, index channels,
                                  const PixelTaps& inside) const {
        constexpr index w = lanes<T>;
        const T* const start = weight + channel;
        if constexpr (!Beside) to_step = from_step = w;
        Packet<T> sum[Q];
#pragma GCC unroll 4
        for (int q = 0; q < Q; ++q) sum[q] = load_packet(start + taps * width + (Beside ? 0 : q * w));
        for (index run = 0, k = inside.first; run < inside.runs; ++run, k += inside.step)
            for (index t = k; t < k + inside.count; ++t) {
                const T *const factors = start + t * width, *const at = from + offset[t] + channel;
                const Packet<T> first = load_packet(factors);
#pragma GCC unroll 4
                for (int q = 0; q < Q; ++q) {
                    const T* const p = at + q * from_step;
                    const Packet<T> factor = Beside || q == 0 ? first : load_packet(factors + q * w);
                    sum[q] = multiply_add(factor, Whole ? load_packet(p) : load_first(p, channels, T{}), sum[q]);
                }
            }
#pragma GCC unroll 4
        for (int q = 0; q < Q; ++q) {
            T* const p = to + channel + q * to_step;
            if constexpr (Whole)
                store_packet(p, sum[q]);
            else
                store_first(p, sum[q], channels);
        }
    }
};

/// y = the correlation of x [N, H, W, groups], one channel in each group, plus bias if there is one.
template <class T>
void correlate_depthwise_pixels(const Correlation& c, const T* x, const TapWeights<T>& weights, const T* bias, T* y) {
    constexpr index w = lanes<T>;
    const index taps = c.taps(), width = divide_up(c.groups, w) * w;
    Scratch<T> memory((taps + 1) * width); // weights [taps, channels], then the bias
    T* const factors = memory.data();
    std::fill_n(factors, (taps + 1) * width, T{});
    const std::vector<index> positions = weights.positions(c);
    for (index g = 0; g < c.groups; ++g) {
        for (index tap = 0; tap < taps; ++tap)
            factors[tap * width + g] = weights.data[g * weights.group + positions[static_cast<std::size_t>(tap)]];
        if (bias) factors[taps * width + g] = bias[g];
    }
    std::vector<index> offsets;
    for (const index down : c.rows.offset)
        for (const index right : c.columns.offset) offsets.push_back((down * c.columns.in + right) * c.groups);
    const TapSums<T> sums{factors, width, taps, offsets.data()};
    // The first of the taps of the output at `position` that are within the image, and how many are.
    const auto within = [](const CorrelationAxis& axis, index position) {
        index first = 0, end = axis.taps();
        const auto at = [&](index t) { return position * axis.stride + axis.offset[static_cast<std::size_t>(t)]; };
        while (first < end && at(first) < 0) ++first;
        while (first < end && at(end - 1) >= axis.in) --end;
        return std::pair(first, end - first);
    };
    // Outputs of which all columns are in the image.
    index inner = 0, inner_end = c.columns.count;
    while (inner < inner_end && within(c.columns, inner).second < c.columns.taps()) ++inner;
    while (inner < inner_end && within(c.columns, inner_end - 1).second < c.columns.taps()) --inner_end;

    const index rows = c.batch * c.rows.count;
    const index grain = std::max<index>(1, (index{1} << 14) / (c.columns.count * width)); // rows of a task
    for_each_chunk(divide_up(rows, grain), c.nanoseconds<T>(), [&](index task) {
        for (index i = task * grain; i < std::min(rows, (task + 1) * grain); ++i) {
            const index n = i / c.rows.count, r = i % c.rows.count;
            const T* const in_row = x + (n * c.rows.in + r * c.rows.stride) * c.columns.in * c.groups;
            T* const out_row =
                y + ((n * c.rows.out + c.rows.start + r * c.rows.step) * c.columns.out + c.columns.start) * c.groups;
            const std::pair<index, index> vertical = within(c.rows, r); // first and number of the taps' rows
            const index in_step = c.columns.stride * c.groups, out_step = c.columns.step * c.groups;

            const auto one = [&](index q) {
                const auto [first, count] = within(c.columns, q);
                const PixelTaps inside{vertical.first * c.columns.taps() + first, count, vertical.second,
                                       c.columns.taps()};
                T* const to = out_row + q * out_step;
                const T* const from = in_row + q * in_step;
                index channel = 0;
                for (; channel + 4 * w <= c.groups; channel += 4 * w)
                    sums.template write<4, false, true>(to, w, from, w, channel, w, inside);
                for (; channel + w <= c.groups; channel += w)
                    sums.template write<1, false, true>(to, w, from, w, channel, w, inside);
                if (channel < c.groups)
                    sums.template write<1, false, false>(to, w, from, w, channel, c.groups - channel, inside);
            };
            index q = 0;
            for (; q < inner; ++q) one(q);
            const PixelTaps all{vertical.first * c.columns.taps(), vertical.second * c.columns.taps(), 1, 0};
            if (inner_end - inner >= 4)
                for (; q < inner_end; q += 4) { // the last four may overlap those before
                    q = std::min(q, inner_end - 4);
                    T* const to = out_row + q * out_step;
                    const T* const from = in_row + q * in_step;
                    index channel = 0;
                    for (; channel + w <= c.groups; channel += w)
                        sums.template write<4, true, true>(to, out_step, from, in_step, channel, w, all);
                    if (channel < c.groups)
                        sums.template write<4, true, false>(to, out_step, from, in_step, channel, c.groups - channel,
                                                            all);
                }
            for (; q < c.columns.count; ++q) one(q);
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
