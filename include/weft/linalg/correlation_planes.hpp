// SPDX-License-Identifier: MIT
#pragma once

#include <weft/linalg/correlation.hpp>

/// Correlations of images [N, C, H, W], whose channels are planes. Strips of the input are copied once for each column
/// of the kernel, shifted as it reads them; then what any tap reads for the outputs of a strip lies in one piece, and
/// the taps of one row of the kernel, of all channels, are the rows of a matrix.
namespace weft::inline WEFT_ABI::detail {

/// What the rows of the kernel, or its columns, have in common.
struct TapPhases {
    index base = 0, reach = 0;           // the first offset; the largest shift
    std::vector<index> phases{};         // of the stride that occur
    std::vector<index> phase{}, shift{}; // of each tap: which of them, and how many strides on

    explicit TapPhases(const CorrelationAxis& a) : base(a.offset.front()) {
        for (const index offset : a.offset) {
            const index own = (offset - base) % a.stride;
            const auto found = std::find(phases.begin(), phases.end(), own);
            phase.push_back(found - phases.begin());
            if (found == phases.end()) phases.push_back(own);
            shift.push_back((offset - base) / a.stride);
            reach = std::max(reach, shift.back());
        }
    }
};

/// The i in [begin, end), of `count`, with first + stride i in [0, extent).
struct Inside {
    index begin, end;
    Inside(index first, index stride, index extent, index count)
        : begin(first < 0 ? divide_up(-first, stride) : 0),
          end(first < extent ? std::min(count, divide_up(extent - first, stride)) : 0) {
        begin = std::min(begin, end);
    }
};

/// to[i] = from[i stride] for i < n; reads nothing else. What is written behind the end, less than a packet, is to be
/// written over. Where there is a mask, elements of which it is 0 become 0.
template <class T>
WEFT_ALWAYS_INLINE void gather_over(T* to, const T* from, index stride, index n, const T* mask = nullptr) {
    constexpr index w = lanes<T>;
    const auto masked = [&](index i, const Packet<T>& x) {
        return mask ? Packet<T>(select(load_packet(mask + i) == splat(T{}), splat(T{}), x)) : x;
    };
    index i = 0;
    if (stride == 1) {
        for (; i + w <= n; i += w) store_packet(to + i, masked(i, load_packet(from + i)));
        if (i < n) store_packet(to + i, masked(i, load_first(from + i, n - i, T{})));
        return;
    }
    if constexpr (w > 1)
        if (stride == 2) {
            int even[static_cast<std::size_t>(w)];
            for (int k = 0; k < static_cast<int>(w); ++k) even[k] = 2 * k % static_cast<int>(w);
            const auto lane = make_lane_index<T>(even);
            for (; 2 * i + w < 2 * n; i += w / 2)
                store_packet(to + i, masked(i, permute<T>(load_packet(from + 2 * i), lane)));
        }
    for (; i < n; ++i) to[i] = mask && mask[i] == T{} ? T{} : from[i * stride];
}
template <class T>
WEFT_ALWAYS_INLINE void fill_over(T* to, index n) {
    if (n > lanes<T>)
        std::fill_n(to, n, T{});
    else if (n > 0) // most often; not worth a call
        store_packet(to, splat(T{}));
}

/// What a column of the kernel reads for rows of outputs.
template <class T>
class ColumnOfKernel {
public:
    /// `rows`: the most at once.
    ColumnOfKernel(const CorrelationAxis& a, std::size_t tap, index rows)
        : stride_(a.stride), in_(a.in), width_(a.count), offset_(a.offset[tap]),
          valid_(offset_, a.stride, a.in, a.count) {
        if (in_ != width_ * stride_ || length() == width_) return;
        mask_.resize(static_cast<std::size_t>(rows * width_ + lanes<T>));
        for (index r = 0; r < rows; ++r) std::fill_n(mask_.begin() + r * width_ + valid_.begin, length(), T(1));
    }
    /// `rows` rows of the input, one behind the other, to rows of outputs; 0 where it reads beside the image, and in
    /// the rows `before` and `after` them. The same for some channels, that far from one another.
    WEFT_NOINLINE void copy(T* to, index to_step, const T* from, index from_step, index channels, index before,
                            index rows, index after) const {
        if (length() == 0 || rows == 0) {
            for (index c = 0; c < channels; ++c, to += to_step) fill_over(to, (before + rows + after) * width_);
            return;
        }
        from += valid_.begin * stride_ + offset_;
        const bool in_one_go = in_ == width_ * stride_;
        const index run = in_one_go ? (rows - 1) * width_ + length() : length(), runs = in_one_go ? 1 : rows;
        const index first = before * width_ + valid_.begin, gap = width_ - length();
        const index last = width_ - valid_.end + after * width_;
        const T* const mask = mask_.empty() ? nullptr : mask_.data() + valid_.begin;
        for (index c = 0; c < channels; ++c, to += to_step, from += from_step) {
            fill_over(to, first);
            T* next = to + first;
            if (stride_ == 1 && mask) { // most often
                gather_over(next, from, 1, run, mask);
                next += run;
            } else {
                for (index r = 0; r < runs; ++r) {
                    if (r > 0) fill_over(next, gap);
                    next += r > 0 ? gap : 0;
                    gather_over(next, from + r * in_, stride_, run, mask);
                    next += run;
                }
            }
            fill_over(next, last);
        }
    }

private:
    index length() const { return valid_.end - valid_.begin; }
    index stride_, in_, width_, offset_;
    Inside valid_;
    std::vector<T> mask_{};
};

/// The outputs of a group in pieces of a few hundred elements of a plane: rows of an image, or several small images.
struct Strips {
    index images, rows; // of a strip, at most
    index per_image, count;

    template <class T>
    static Strips of(const Correlation& c) {
        const index limit = c.batch * c.pixels() >= 8192 ? 512 : 256;
        Strips s{};
        s.images = c.pixels() >= ProductTile<T>::columns ? 1 : std::clamp<index>(limit / c.pixels(), 1, c.batch);
        s.rows =
            s.images > 1 ? c.rows.count : block_length(c.rows.count, std::max<index>(1, limit / c.columns.count), 1);
        s.per_image = divide_up(c.rows.count, s.rows);
        s.count = divide_up(c.batch, s.images) * s.per_image;
        return s;
    }
};

/// What all strips of a correlation have in common.
template <class T>
struct PlanesPlan {
    const Correlation& c;
    Strips strips;
    TapPhases row_phases;
    std::vector<ColumnOfKernel<T>> columns{};
    index block; // channels at once

    explicit PlanesPlan(const Correlation& correlation) : c(correlation), strips(Strips::of<T>(c)), row_phases(c.rows) {
        for (std::size_t w = 0; w < c.columns.offset.size(); ++w)
            columns.emplace_back(c.columns, w, (strips.rows + row_phases.reach) * strips.images);
        constexpr index depth = ProductTile<T>::depth + ProductTile<T>::depth / 4;
        block = block_length(c.in, std::max<index>(1, depth / c.columns.taps()), 1);
    }
    /// Calls f(channel, tap) in the order of the sums: blocks of channels, rows of the kernel, channels, columns.
    template <class F>
    void for_each_product(F&& f) const {
        for (index c0 = 0; c0 < c.in; c0 += block)
            for (index h = 0; h < c.rows.taps(); ++h)
                for (index channel = c0; channel < std::min(c.in, c0 + block); ++channel)
                    for (index w = 0; w < c.columns.taps(); ++w) f(channel, h * c.columns.taps() + w);
    }
};

/// Some rows of an image, or several images whole. Its outputs are numbered row by row; a row is that of all images.
template <class T>
struct StripOfPlanes {
    const PlanesPlan<T>& plan;
    const Correlation& c = plan.c;
    index image, row, images, rows;
    index line; // elements from one shifted copy to the next

    StripOfPlanes(const PlanesPlan<T>& p, index number)
        : plan(p), image(number / p.strips.per_image * p.strips.images),
          row(number % p.strips.per_image * p.strips.rows), images(std::min(p.strips.images, c.batch - image)),
          rows(std::min(p.strips.rows, c.rows.count - row)) {
        constexpr index unit = 64 / static_cast<index>(sizeof(T)); // lines of the cache, an odd number of them
        const index copied_rows = static_cast<index>(p.row_phases.phases.size()) * (rows + p.row_phases.reach);
        line = (divide_up(copied_rows * row_size() + lanes<T>, unit) | 1) * unit;
    }
    /// Outputs are products of the inputs at their own places, which can be read in whole packets.
    bool as_it_lies() const { return images == 1 && is_pointwise(c) && outputs() % lanes<T> == 0; }
    const T* own(const T* x, index g, index channel) const {
        return x + ((image * c.groups + g) * c.in + channel) * c.in_plane() + row * c.columns.in;
    }
    index row_size() const { return images * c.columns.count; }
    index outputs() const { return rows * row_size(); }
    /// Elements of the copies of so many channels, and of what is needed to make them.
    index copied_size(index channels) const {
        const index gathered = images == 1 && c.rows.stride == 1
                                   ? 0
                                   : channels * (rows + plan.row_phases.reach) * images * c.columns.in + lanes<T>;
        return (channels * c.columns.taps() + 1) * line + gathered;
    }
    /// Where row h of the kernel reads in a copy for the first output.
    index offset(index h) const {
        const auto i = static_cast<std::size_t>(h);
        return (plan.row_phases.phase[i] * (rows + plan.row_phases.reach) + plan.row_phases.shift[i]) * row_size();
    }

    /// Copies channels [first, first + count) of group g, one for each column of the kernel.
    void copy(T* to, const T* x, index g, index first, index count) const {
        const index stride = c.rows.stride, width = c.columns.in, height = rows + plan.row_phases.reach;
        const index batch_step = c.groups * c.in * c.in_plane();
        const bool as_it_lies = images == 1 && stride == 1;
        T* const gathered = to + (count * c.columns.taps() + 1) * line;
        x += ((image * c.groups + g) * c.in + first) * c.in_plane();
        index block = 0; // of the rows of a phase
        for (const index phase : plan.row_phases.phases) {
            const index top = row * stride + plan.row_phases.base + phase;
            const Inside inside(top, stride, c.rows.in, height);
            const T* from = x + (top + inside.begin * stride) * width;
            index from_step = c.in_plane();
            if (!as_it_lies) { // the rows of all images behind one another
                T* next = gathered;
                for (index channel = 0; channel < count; ++channel)
                    for (index r = inside.begin; r < inside.end; ++r)
                        for (index i = 0; i < images; ++i, next += width)
                            gather_over(next, x + channel * from_step + i * batch_step + (top + r * stride) * width, 1,
                                        width);
                from = gathered;
                from_step = (inside.end - inside.begin) * images * width;
            }
            for (index w = 0; w < c.columns.taps(); ++w)
                plan.columns[static_cast<std::size_t>(w)].copy(
                    to + w * line + block, c.columns.taps() * line, from, from_step, count, inside.begin * images,
                    (inside.end - inside.begin) * images, (height - inside.end) * images);
            block += height * row_size();
        }
    }
    /// Writes outputs [count, outputs()] of the channels from `channel` on of all groups.
    void write(T* y, const T* from, index channel, index count) const {
        for_each_run([&](index at, index length, index i, index r) {
            T* run = y + (i * c.groups * c.out + channel) * c.out_plane() +
                     (c.rows.start + r * c.rows.step) * c.columns.out + c.columns.start;
            for (index o = 0; o < count; ++o, run += c.out_plane())
                if (c.columns.step == 1)
                    copy_run(run, from + o * outputs() + at, length);
                else
                    for (index e = 0; e < length; ++e) run[e * c.columns.step] = from[o * outputs() + at + e];
        });
    }
    /// Calls f(output, length, image, row) for the runs of outputs of one row of one image.
    template <class F>
    void for_each_run(F&& f) const {
        index at = 0;
        for (index r = row; r < row + rows; ++r)
            for (index i = image; i < image + images; ++i, at += c.columns.count) f(at, c.columns.count, i, r);
    }
};

/// y = the correlation of x [N, groups in, H, W] at the positions it writes, plus bias [groups out] if there is one.
template <class T>
void correlate_planes(const Correlation& c, const T* x, const TapWeights<T>& weights, const T* bias, T* y) {
    using Tile = ProductTile<T>;
    const PlanesPlan<T> plan(c);
    const index depth = c.depth(), plane = c.out_plane();
    Scratch<T> matrix(c.groups * c.out * depth);
    T* next = matrix.data();
    const std::vector<index> positions = weights.positions(c);
    for (index g = 0; g < c.groups; ++g)
        for (index o = 0; o < c.out; ++o)
            plan.for_each_product([&](index channel, index tap) {
                *next++ = weights.data[g * weights.group + o * weights.out + channel * weights.in +
                                       positions[static_cast<std::size_t>(tap)]];
            });
    for_each_chunk(c.groups * plan.strips.count, c.nanoseconds<T>(), [&](index task) {
        const index g = task / plan.strips.count;
        const StripOfPlanes<T> strip(plan, task % plan.strips.count);
        const index outputs = strip.outputs();
        const bool direct = strip.images == 1 && c.in_order();
        const bool as_it_lies = direct && strip.as_it_lies();
        const index copied_size = as_it_lies ? 0 : strip.copied_size(plan.block);
        Scratch<T> scratch(Scratch<T>::rounded(copied_size) + (direct ? 0 : c.out * outputs));
        T *const copied = scratch.take(copied_size), *const kept = scratch.take(0);
        T* const to = direct ? y + (strip.image * c.groups + g) * c.out * plane + strip.row * c.columns.count : kept;
        const index ldc = direct ? plane : outputs;
        if (bias)
            for (index o = 0; o < c.out; ++o) std::fill_n(to + o * ldc, outputs, bias[g * c.out + o]);
        const T* a = matrix.data() + g * c.out * depth;
        for (index c0 = 0; c0 < c.in; c0 += plan.block) {
            const index channels = std::min(plan.block, c.in - c0), k = channels * c.columns.taps();
            if (!as_it_lies) strip.copy(copied, x, g, c0, channels);
            const T* const b = as_it_lies ? strip.own(x, g, c0) : copied;
            const index ldb = as_it_lies ? plane : strip.line;
            for (index p = 0; p < outputs; p += Tile::columns)
                for (index h = 0; h < c.rows.taps(); ++h)
                    for (index o = 0; o < c.out; o += Tile::rows)
                        Tile::multiply(std::min(Tile::rows, c.out - o), std::min(Tile::columns, outputs - p), k,
                                       {a + o * depth + h * k, depth, 1}, b + strip.offset(h) + p, ldb,
                                       to + o * ldc + p, ldc, h == 0 && c0 == 0 && !bias ? Into::replace : Into::add);
            a += c.rows.taps() * k;
        }
        if (direct) return;
        strip.write(y, kept, g * c.out, c.out);
    });
}

/// The gradient of the weights, [groups, out, in, taps], of a correlation that writes every position.
template <class T>
void correlate_planes_weight(const Correlation& c, const T* x, const T* dy, T* dweight) {
    using Tile = ProductTile<T>;
    const PlanesPlan<T> plan(c);
    const index depth = c.depth(), plane = c.out_plane(), size = depth * c.out;
    const index parts = partial_sums(c, c.groups * size, plan.strips.count);
    const index panels = divide_up(c.out, Tile::columns);
    const auto columns_of = [&](index panel) { return std::min(Tile::columns, c.out - panel * Tile::columns); };
    const auto packed_of = [&](index panel) { return divide_up(columns_of(panel), lanes<T>) * lanes<T>; };
    const index blocks = divide_up(c.in, plan.block), splits = pieces_of_task(c.groups * parts, blocks);
    Scratch<T> sums(c.groups * parts * size); // [groups, parts, products in their order, out]
    T* const all = sums.data();
    for_each_chunk(c.groups * parts * splits, c.nanoseconds<T>(), [&](index task) {
        const index g = task / splits / parts, part = task / splits % parts, split = task % splits;
        const index first = split * blocks / splits * plan.block;
        const index last = std::min(c.in, (split + 1) * blocks / splits * plan.block);
        T* const sum = all + task / splits * size + first * c.taps() * c.out;
        std::fill_n(sum, (last - first) * c.taps() * c.out, T{});
        for (index number = part * plan.strips.count / parts; number < (part + 1) * plan.strips.count / parts;
             ++number) {
            const StripOfPlanes<T> strip(plan, number);
            const index outputs = strip.outputs(), panel_size = outputs * Tile::columns;
            const bool as_it_lies = strip.as_it_lies();
            const index copied_size = as_it_lies ? 0 : strip.copied_size(plan.block);
            Scratch<T> scratch(Scratch<T>::rounded(copied_size) + panels * panel_size);
            T *const copied = scratch.take(copied_size), *const turned = scratch.take(panels * panel_size);
            const auto turn = [&](index at, index length, index i, index r) {
                for (index panel = 0; panel < panels; ++panel) {
                    const index channel = (i * c.groups + g) * c.out + panel * Tile::columns;
                    pack_panel<T>(turned + panel * panel_size + at * packed_of(panel),
                                  {dy + channel * plane + r * c.columns.count, 1, plane}, length, columns_of(panel),
                                  packed_of(panel));
                }
            };
            if (strip.images == 1)
                turn(0, outputs, strip.image, strip.row);
            else
                strip.for_each_run(turn);
            T* to = sum;
            for (index c0 = first; c0 < last; c0 += plan.block) {
                const index channels = std::min(plan.block, last - c0), k = channels * c.columns.taps();
                if (!as_it_lies) strip.copy(copied, x, g, c0, channels);
                const T* const left = as_it_lies ? strip.own(x, g, c0) : copied;
                const index lda = as_it_lies ? plane : strip.line;
                for (index h = 0; h < c.rows.taps(); ++h, to += k * c.out)
                    for (index p = 0; p < outputs; p += Tile::depth)
                        for (index panel = 0; panel < panels; ++panel)
                            for (index row = 0; row < k; row += Tile::rows)
                                Tile::multiply(std::min(Tile::rows, k - row), columns_of(panel),
                                               std::min(Tile::depth, outputs - p),
                                               {left + row * lda + strip.offset(h) + p, lda, 1},
                                               turned + panel * panel_size + p * packed_of(panel), packed_of(panel),
                                               to + row * c.out + panel * Tile::columns, c.out, Into::add);
            }
        }
    });
    for (index g = 0; g < c.groups; ++g) {
        const T* sum = all + g * parts * size;
        combine_parts(all + g * parts * size, parts, size);
        plan.for_each_product([&](index channel, index tap) {
            for (index o = 0; o < c.out; ++o) dweight[((g * c.out + o) * c.in + channel) * c.taps() + tap] = *sum++;
        });
    }
}

} // namespace weft::inline WEFT_ABI::detail
