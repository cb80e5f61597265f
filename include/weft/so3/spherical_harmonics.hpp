// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/so3/point_block.hpp>
#include <weft/so3/solid_harmonics.hpp>

#include <algorithm>
#include <vector>

namespace weft::inline WEFT_ABI::so3 {

/// The names are e3nn's, whose functions want `normalize` said.
struct SphericalHarmonicsOptions {
    /// Takes the harmonics of the directions x / |x|. Without it they are polynomials, |x|^l Y_lm(x / |x|).
    bool normalize = true;
    Normalization normalization = Normalization::integral;
};

/// The degrees 0, 1, ..., lmax; none where lmax is negative.
inline std::vector<int> degrees_up_to(int lmax) {
    std::vector<int> degrees;
    for (int l = 0; l <= lmax; ++l) degrees.push_back(l);
    return degrees;
}

namespace detail {

struct SphericalHarmonics {
    static constexpr auto name = "spherical_harmonics";
    static constexpr index block = 64, blocks_per_chunk = 16;

    /// Columns of the result that are components l^2 + l + m one behind the other.
    struct Run {
        index column, component, length;
    };

    SphericalHarmonicsOptions options;
    int lmax = 0;
    index columns = 0;
    weft::detail::PoolVector<Run> runs;
    bool missing = false, repeated = false; // among the degrees up to lmax

    SphericalHarmonics(const std::vector<int>& degrees, const SphericalHarmonicsOptions& options_) : options(options_) {
        for (std::size_t i = 0; i < degrees.size(); ++i) {
            const index l = degrees[i];
            if (l < 0) throw error(name, "degree {} of the list is {}: must not be negative", i, l);
            lmax = std::max(lmax, degrees[i]);
            if (runs.empty() || runs.back().component + runs.back().length != l * l)
                runs.push_back({columns, l * l, 0});
            runs.back().length += 2 * l + 1;
            columns += 2 * l + 1;
        }
        weft::detail::PoolVector<int> sorted(degrees.begin(), degrees.end());
        std::sort(sorted.begin(), sorted.end());
        const auto last = std::unique(sorted.begin(), sorted.end());
        repeated = last != sorted.end();
        missing = last - sorted.begin() != lmax + 1;
    }

    template <class T, int N>
    Tensor<T, N> forward(const Tensor<T, N>& x) const {
        Extents<N> shape = x.shape();
        if (shape.back() != 3)
            throw error(name, "x is {}: the last extent must be 3, of the coordinates x, y, z",
                        weft::detail::shape_text(shape));
        shape.back() = columns;
        auto y = Tensor<T, N>::empty(shape);
        T* const to = y.mutable_data();
        for_each_block(x, 1, [&](const SolidHarmonics<T>& harmonics, index begin, index points, T* at, T* values) {
            harmonics.values(at, values, rounded<T>(points), block);
            for (const Run& run : runs)
                weft::detail::transpose_block(values + run.component * block, block, run.length, points,
                                              to + begin * columns + run.column, columns);
        });
        return y;
    }

    template <class T, int N, class Sink>
    void backward(const Tensor<T, N>& dy, const Tensor<T, N>&, Sink& sink, const Tensor<T, N>& x) const {
        if (!sink.template wants<0>()) return;
        auto dx = Tensor<T, N>::empty(x.shape());
        T* const to = dx.mutable_data();
        for_each_block(x, 2, [&](const SolidHarmonics<T>& harmonics, index begin, index points, T* at, T* values) {
            const index size = harmonics.components() * block;
            if (missing || repeated) std::fill_n(values, size, T(0));
            for (const Run& run : runs) {
                T* const sum = values + run.component * block;
                T* const part = repeated ? values + size : sum;
                weft::detail::transpose_block(dy.data() + begin * columns + run.column, columns, points, run.length,
                                              part, block);
                for (index i = 0; repeated && i < run.length * block; i += lanes<T>)
                    store_packet(sum + i, load_packet(sum + i) + load_packet(part + i));
            }
            harmonics.gradient(at, values, at, rounded<T>(points), block);
            store_points(at, block, points, to + 3 * begin);
        });
        sink.template add<0>(dx);
    }

private:
    /// The points that are computed for so many: lanes behind the last one are computed for nothing.
    template <class T>
    static index rounded(index points) {
        constexpr index step = SolidHarmonics<T>::multiple;
        static_assert(block % step == 0);
        return (points + step - 1) / step * step;
    }
    /// f(harmonics, first point, number of points, the points [3, block], scratch) for all blocks. The scratch is of
    /// [components, block], twice where degrees repeat.
    template <class T, int N, class F>
    void for_each_block(const Tensor<T, N>& x, double cost, const F& f) const {
        const SolidHarmonics<T> harmonics(lmax, options.normalization, options.normalize);
        const index points = x.size() / 3;
        const index scratch_size = (3 + (repeated ? 2 : 1) * harmonics.components()) * block;
        const index blocks = (points + block - 1) / block;
        const index chunks = (blocks + blocks_per_chunk - 1) / blocks_per_chunk;
        const double nanoseconds = cost * 0.1 * static_cast<double>(points * (3 + harmonics.components()));
        weft::detail::for_each_chunk(chunks, nanoseconds, [&](index chunk) {
            weft::detail::Scratch<T> scratch(scratch_size);
            T* const at = scratch.data();
            std::fill_n(at, scratch_size, T(0));
            for (index b = chunk * blocks_per_chunk, end = std::min(blocks, b + blocks_per_chunk); b < end; ++b) {
                const index begin = b * block, count = std::min(block, points - begin);
                load_points(x.data() + 3 * begin, count, at, block);
                f(harmonics, begin, count, at, at + 3 * block);
            }
        });
    }
};

} // namespace detail

/// Real spherical harmonics of points x [..., 3], rows (x, y, z): [..., sum of 2l + 1], a block of components m = -l,
/// ..., l for each of the degrees l, in the order given. Degrees may repeat, and be as high as memory allows.
///
/// The conventions are those of e3nn (Geiger and Smidt, arXiv 2207.09453): the polar axis is y, there is no
/// Condon-Shortley sign, the functions of degree 1 are x, y, z up to a constant.
///
/// A point of length up to 1e-12 has no direction: with `normalize` its functions of degree 0 are what they are
/// elsewhere, the others are those of x / 1e-12, so 0 at 0; its gradient is 0 (in e3nn it is not: 1e12 times that of
/// the direction). A row with NaN in it is NaN in its functions. O(lmax^2) per point. Errors: the last extent of x is
/// not 3, a negative degree.
template <Expression X>
requires(X::rank >= 1) auto spherical_harmonics(const std::vector<int>& degrees, const X& x,
                                                const SphericalHarmonicsOptions& options = {}) {
    return apply_operation(detail::SphericalHarmonics(degrees, options), x);
}
/// Of one degree: [..., 2l + 1].
template <Expression X>
requires(X::rank >= 1) auto spherical_harmonics(int degree, const X& x, const SphericalHarmonicsOptions& options = {}) {
    return spherical_harmonics(std::vector<int>{degree}, x, options);
}

} // namespace weft::inline WEFT_ABI::so3
