// SPDX-License-Identifier: MIT
#pragma once

#include <weft/linalg/product.hpp>

#include <vector>

/// What convolutions of images are made of. A correlation reads positions at fixed distances from one another, its
/// taps, and writes sums of products with their weights. A convolution is one, and the gradient of its input is one for
/// each phase of the stride, so that both are computed by the same kernels.
namespace weft::inline WEFT_ABI::detail {

/// One axis: the sum over the taps t of in[stride i + offset[t]] (0 outside of the input), times the weight of
/// kernel position number[t], goes to out[start + step i] for i < count. Offsets rise.
struct CorrelationAxis {
    index in = 0;
    index out = 0;
    index count = 0;
    index stride = 1;
    index start = 0;
    index step = 1;
    std::vector<index> offset{}, number{};

    index taps() const { return static_cast<index>(offset.size()); }
    /// Positions read for `positions` outputs one after the other, the gaps between them included.
    index extent(index positions) const { return (positions - 1) * stride + offset.back() - offset.front() + 1; }
    /// Taps lie one beside the other.
    bool dense() const { return offset.back() - offset.front() == taps() - 1; }
};

/// One axis of a convolution.
struct WindowAxis {
    index in, kernel, stride, padding, dilation;

    /// Positions of the window; 0 or less where it does not fit.
    index out() const {
        const index room = in + 2 * padding - dilation * (kernel - 1) - 1;
        return room < 0 ? 0 : room / stride + 1;
    }
    CorrelationAxis forward() const {
        CorrelationAxis a{.in = in, .out = out(), .count = out(), .stride = stride};
        for (index t = 0; t < kernel; ++t) {
            a.offset.push_back(t * dilation - padding);
            a.number.push_back(t);
        }
        return a;
    }
    /// From gradients of the output to those of the input at the positions phase, phase + stride, ...
    CorrelationAxis adjoint(index phase) const {
        CorrelationAxis a{
            .in = out(), .out = in, .count = divide_up(in - phase, stride), .start = phase, .step = stride};
        for (index t = kernel; t-- > 0;)
            if (const index from = phase + padding - t * dilation; from % stride == 0) {
                a.offset.push_back(from / stride);
                a.number.push_back(t);
            }
        return a;
    }
};

/// Images of `batch`, each of `groups` times `in` channels, to images of `groups` times `out` channels.
struct Correlation {
    index batch = 0, groups = 1, in = 0, out = 0;
    CorrelationAxis rows{}, columns{};

    index taps() const { return rows.taps() * columns.taps(); }
    /// Products in the sum of an output.
    index depth() const { return in * taps(); }
    /// Positions that are written in an image.
    index pixels() const { return rows.count * columns.count; }
    bool in_order() const { return rows.step == 1 && columns.step == 1; }
    index in_plane() const { return rows.in * columns.in; }
    index out_plane() const { return rows.out * columns.out; }
    double products() const {
        return static_cast<double>(batch * pixels()) * static_cast<double>(groups * out) * static_cast<double>(depth());
    }
    template <class T>
    double nanoseconds() const {
        return products() * (sizeof(T) <= 4 ? 0.01 : 0.02) +
               static_cast<double>(batch * groups) * static_cast<double>(out * pixels() + in * in_plane()) * 0.2;
    }
};

/// Whether outputs are products of the inputs at their own places.
inline bool is_pointwise(const Correlation& c) {
    const auto own = [](const CorrelationAxis& a) {
        return a.taps() == 1 && a.offset[0] == 0 && a.stride == 1 && a.in == a.count && a.in == a.out;
    };
    return own(c.rows) && own(c.columns);
}

/// Weights as a convolution stores them: that of input channel c, output channel o and kernel position t of group g at
/// data[g group + o out + c in + t].
template <class T>
struct TapWeights {
    const T* data;
    index group, out, in;
    index kernel_columns;

    index position(const Correlation& c, index tap) const {
        const index width = c.columns.taps();
        return c.rows.number[static_cast<std::size_t>(tap / width)] * kernel_columns +
               c.columns.number[static_cast<std::size_t>(tap % width)];
    }
    std::vector<index> positions(const Correlation& c) const {
        std::vector<index> all;
        for (index tap = 0; tap < c.taps(); ++tap) all.push_back(position(c, tap));
        return all;
    }
};

/// to[0:n] = from[0:n], touching nothing else.
template <class T>
WEFT_ALWAYS_INLINE void copy_run(T* to, const T* from, index n) {
    constexpr index w = lanes<T>;
    index i = 0;
    for (; i + w <= n; i += w) store_packet(to + i, load_packet(from + i));
    if (i < n) store_first(to + i, load_first(from + i, n - i, T{}), n - i);
}

/// The sums of equally long arrays, one behind the other, go to the first; always in the same order.
template <class T>
void combine_parts(T* parts, index count, index size) {
    const index grain = index{1} << 13;
    for_each_chunk(divide_up(size, grain), static_cast<double>(count - 1) * static_cast<double>(size) * 0.1,
                   [&](index chunk) {
                       const index begin = chunk * grain, n = std::min(grain, size - begin);
                       for (index distance = 1; distance < count; distance *= 2)
                           for (index p = 0; p + distance < count; p += 2 * distance)
                               add_run(parts + p * size + begin, parts + (p + distance) * size + begin, n);
                   });
}

/// In how many parts a sum over the batch is computed that has `size` elements: enough for some threads, but their
/// partial sums take no more memory than the operands do.
inline index partial_sums(const Correlation& c, index size, index most) {
    const index operands = c.batch * c.groups * (c.in * c.in_plane() + c.out * c.out_plane());
    return std::clamp<index>(operands / std::max<index>(1, size), 1, std::min<index>(16, std::max<index>(1, most)));
}

/// Into how many pieces each of some tasks is to be divided if they are few; at most `most`.
constexpr index pieces_of_task(index tasks, index most) { return std::clamp<index>(4 / tasks, 1, most); }

} // namespace weft::inline WEFT_ABI::detail
