// SPDX-License-Identifier: MIT
#pragma once

#include <weft/linalg/correlation.hpp>

/// Correlations of images [N, H, W, C], whose channels lie together.
namespace weft::inline WEFT_ABI::detail {

/// Rows (tap, channel) of what the taps read for outputs one after the other, of all images.
template <class T>
class UnfoldedPixels {
public:
    explicit UnfoldedPixels(const Correlation& c) : c_(c) {
        constexpr index limit = (index{128} << 10) / static_cast<index>(sizeof(T)), unit = ProductTile<T>::rows;
        block = std::clamp<index>(limit / c.depth() / unit, 1, 21) * unit;
        count = divide_up(c.batch * c.pixels(), block);
        dense_ = c.groups == 1 && c.columns.dense();
    }
    /// Outputs at once, and how often.
    index block, count;

    index outputs(index number) const { return std::min(block, c_.batch * c_.pixels() - number * block); }
    void read(T* to, const T* x, index g, index number) const {
        const index first = number * block, all = c_.groups * c_.in;
        index column = first % c_.columns.count, row = first / c_.columns.count % c_.rows.count;
        const T* image = x + first / c_.pixels() * c_.in_plane() * all + g * c_.in;
        for (index i = outputs(number); i-- > 0;) {
            for (const index offset : c_.rows.offset) {
                const index from = row * c_.rows.stride + offset;
                if (from < 0 || from >= c_.rows.in)
                    std::fill_n(to, c_.columns.taps() * c_.in, T{});
                else
                    read_row(to, image + from * c_.columns.in * all, column * c_.columns.stride, all);
                to += c_.columns.taps() * c_.in;
            }
            if (++column < c_.columns.count) continue;
            column = 0;
            if (++row < c_.rows.count) continue;
            row = 0;
            image += c_.in_plane() * all;
        }
    }

private:
    void read_row(T* to, const T* line, index column, index all) const {
        if (dense_) {
            const index left = column + c_.columns.offset.front(), taps = c_.columns.taps();
            const index low = std::clamp<index>(-left, 0, taps),
                        high = std::clamp<index>(c_.columns.in - left, low, taps);
            if (low > 0) std::fill_n(to, low * c_.in, T{});
            copy_run(to + low * c_.in, line + (left + low) * c_.in, (high - low) * c_.in);
            if (high < taps) std::fill_n(to + high * c_.in, (taps - high) * c_.in, T{});
            return;
        }
        for (const index offset : c_.columns.offset) {
            const index from = column + offset;
            if (from < 0 || from >= c_.columns.in)
                std::fill_n(to, c_.in, T{});
            else
                copy_run(to, line + from * all, c_.in);
            to += c_.in;
        }
    }

    const Correlation& c_;
    bool dense_;
};

/// y = the correlation of x [N, H, W, groups in] at the positions it writes, plus bias [groups out] if there is one.
template <class T>
void correlate_pixels(const Correlation& c, const T* x, const TapWeights<T>& weights, const T* bias, T* y) {
    using Tile = ProductTile<T>;
    const UnfoldedPixels<T> unfolded(c);
    const index depth = c.depth(), panels = divide_up(c.out, Tile::columns), all = c.groups * c.out;
    const auto columns_of = [&](index panel) { return std::min(Tile::columns, c.out - panel * Tile::columns); };
    Scratch<T> packed(c.groups * panels * depth * Tile::columns); // [groups, panels, taps, in, columns of the panel]
    T* const right = packed.data();
    for_each_chunk(c.groups * panels, static_cast<double>(c.groups * c.out * depth) * 0.5, [&](index chunk) {
        const index g = chunk / panels, panel = chunk % panels, n = columns_of(panel);
        T* to = right + chunk * depth * Tile::columns;
        for (index tap = 0; tap < c.taps(); ++tap) {
            const T* const from =
                weights.data + g * weights.group + panel * Tile::columns * weights.out + weights.position(c, tap);
            for (index channel = 0; channel < c.in; ++channel, to += Tile::columns) {
                for (index o = 0; o < n; ++o) to[o] = from[o * weights.out + channel * weights.in];
                std::fill_n(to + n, Tile::columns - n, T{});
            }
        }
    });
    for_each_chunk(c.groups * unfolded.count, c.nanoseconds<T>(), [&](index task) {
        const index g = task / unfolded.count, number = task % unfolded.count, first = number * unfolded.block;
        const index outputs = unfolded.outputs(number), left_size = unfolded.block * depth;
        const bool direct = c.in_order();
        Scratch<T> scratch(Scratch<T>::rounded(left_size) + (direct ? 0 : unfolded.block * c.out));
        T* const left = scratch.take(left_size);
        T* const to = direct ? y + first * all + g * c.out : scratch.take(0);
        const index ldc = direct ? all : c.out;
        unfolded.read(left, x, g, number);
        if (bias)
            for (index i = 0; i < outputs; ++i) copy_run(to + i * ldc, bias + g * c.out, c.out);
        for (index k0 = 0; k0 < depth; k0 += Tile::depth) {
            const index k = std::min(Tile::depth, depth - k0);
            for (index panel = 0; panel < panels; ++panel)
                for (index i = 0; i < outputs; i += Tile::rows)
                    Tile::multiply(
                        std::min(Tile::rows, outputs - i), columns_of(panel), k, {left + i * depth + k0, depth, 1},
                        right + ((g * panels + panel) * depth + k0) * Tile::columns, Tile::columns,
                        to + i * ldc + panel * Tile::columns, ldc, k0 == 0 && !bias ? Into::replace : Into::add);
        }
        for (index i = 0; !direct && i < outputs; ++i) {
            const index p = first + i, image = p / c.pixels(), row = p % c.pixels() / c.columns.count;
            const index column = p % c.columns.count;
            const index place = (image * c.rows.out + c.rows.start + row * c.rows.step) * c.columns.out +
                                c.columns.start + column * c.columns.step;
            copy_run(y + place * all + g * c.out, to + i * c.out, c.out);
        }
    });
}

/// The gradient of the weights, [groups, out, in, taps], of a correlation that writes every position.
template <class T>
void correlate_pixels_weight(const Correlation& c, const T* x, const T* dy, T* dweight) {
    using Tile = ProductTile<T>;
    const UnfoldedPixels<T> unfolded(c);
    const index depth = c.depth(), size = depth * c.out, all = c.groups * c.out;
    const index parts = partial_sums(c, c.groups * size, unfolded.count);
    Scratch<T> sums(c.groups * parts * size); // [groups, parts, out, taps, in]
    T* const every = sums.data();
    const index splits = pieces_of_task(c.groups * parts, divide_up(c.out, 8 * Tile::rows));
    for_each_chunk(c.groups * parts * splits, c.nanoseconds<T>(), [&](index task) {
        const index g = task / splits / parts, part = task / splits % parts, split = task % splits;
        const index first = split * c.out / splits, last = (split + 1) * c.out / splits;
        T* const sum = every + task / splits * size;
        std::fill_n(sum + first * depth, (last - first) * depth, T{});
        Scratch<T> scratch(unfolded.block * depth);
        T* const right = scratch.data();
        for (index number = part * unfolded.count / parts; number < (part + 1) * unfolded.count / parts; ++number) {
            unfolded.read(right, x, g, number);
            const T* const left = dy + number * unfolded.block * all + g * c.out;
            for (index k = 0; k < depth; k += Tile::columns)
                for (index o = first; o < last; o += Tile::rows)
                    Tile::multiply(std::min(Tile::rows, last - o), std::min(Tile::columns, depth - k),
                                   unfolded.outputs(number), {left + o, 1, all}, right + k, depth, sum + o * depth + k,
                                   depth, Into::add);
        }
    });
    for (index g = 0; g < c.groups; ++g) {
        T* const sum = every + g * parts * size;
        combine_parts(sum, parts, size);
        for (index o = 0; o < c.out; ++o)
            for (index channel = 0; channel < c.in; ++channel)
                for (index tap = 0; tap < c.taps(); ++tap)
                    dweight[((g * c.out + o) * c.in + channel) * c.taps() + tap] =
                        sum[o * depth + tap * c.in + channel];
    }
}

} // namespace weft::inline WEFT_ABI::detail
