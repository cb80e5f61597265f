// SPDX-License-Identifier: MIT
#pragma once

#include <weft/so3/instruction.hpp>
#include <weft/so3/row_lanes.hpp>

/// The loops of tensor products in general: as many rows as a packet has lanes at a time, any mode, any degrees. Of the
/// copy v of the second input, the couplings make a small matrix M_ik first, which serves all copies u of the first.
namespace weft::inline WEFT_ABI::so3::detail {

/// A path ready to run.
struct ProductPath {
    struct Entry {
        int i, k;       // of M
        int begin, end; // its terms
    };
    struct Term {
        int j;
        double value; // coefficient and coupling
    };

    index at1, at2, at3; // where the terms begin
    int d1, d2, d3;
    ProductPairs pairs;
    index weight;               // the first one; -1: there are none
    std::vector<Entry> entries; // by k, then i
    std::vector<int> begin_of_k;
    std::vector<Term> terms;

    ProductPath(const ProductPairs& p, int l1, int l2, int l3, double coefficient)
        : d1(2 * l1 + 1), d2(2 * l2 + 1), d3(2 * l3 + 1), pairs(p) {
        std::vector<Coupling> sorted = *couplings(l1, l2, l3);
        std::stable_sort(sorted.begin(), sorted.end(), [](const Coupling& a, const Coupling& b) {
            return std::pair(a.k, a.i) < std::pair(b.k, b.i);
        });
        for (const Coupling& c : sorted) {
            const int n = static_cast<int>(terms.size());
            if (entries.empty() || entries.back().k != c.k || entries.back().i != c.i)
                entries.push_back({c.i, c.k, n, n});
            terms.push_back({c.j, coefficient * c.value});
            ++entries.back().end;
        }
        for (int k = 0; k <= d3; ++k)
            begin_of_k.push_back(static_cast<int>(
                std::partition_point(entries.begin(), entries.end(), [k](const Entry& e) { return e.k < k; }) -
                entries.begin()));
    }

    bool mixes() const { return pairs.columns > 0; }
    WeightMatrix matrix() const { return {weight, pairs.rows, pairs.columns}; }
    /// Multiplications for one row.
    double cost() const {
        return static_cast<double>(pairs.pairs.size()) * static_cast<double>(entries.size()) +
               static_cast<double>(pairs.rows * pairs.columns * d3);
    }
};

/// What one thread needs for a block of rows; operands and results are component by component in the lanes.
template <class T>
class ProductBlock {
public:
    static constexpr index w = lanes<T>;

    explicit ProductBlock(const std::vector<ProductPath>& paths)
        : paths_(paths), matrix_(2 * most_entries(paths) * w), pairs_(2 * most_pairs(paths) * w) {}

    /// out += the product.
    template <class W>
    void forward(const T* x1, const T* x2, const W& weights, T* out) {
        for (const ProductPath& path : paths_) forward(path, x1, x2, weights, out);
    }
    /// Adds gradients to those of d1, d2, dw that are not null, given that of the result; `dw` is in the lanes.
    template <class W>
    void backward(const T* x1, const T* x2, const W& weights, const T* dy, T* d1, T* d2, T* dw) {
        for (const ProductPath& path : paths_) backward(path, x1, x2, weights, dy, d1, d2, dw);
    }

    /// out [dim1, dim3] += the matrix that takes x1 to the product.
    template <class W>
    void right(const T* x2, const W& weights, index dim3, T* out) {
        for (const ProductPath& path : paths_) {
            index v = -1;
            for (const ProductPair& pair : path.pairs.pairs) {
                if (pair.v != v) contract(path, x2 + (path.at2 + (v = pair.v) * path.d2) * w);
                for_each_weight(path, pair, weights, dim3, [&](index, const Packet<T>& weight, index at) {
                    for (std::size_t e = 0; e < path.entries.size(); ++e) {
                        T* const to = out + (at + path.entries[e].i * dim3 + path.entries[e].k) * w;
                        store_packet(to, multiply_add(weight, load_packet(matrix(e)), load_packet(to)));
                    }
                });
            }
        }
    }
    /// Adds gradients to those of d2, dw that are not null, given that of the matrix.
    template <class W>
    void right_backward(const T* x2, const W& weights, index dim3, const T* dy, T* d2, T* dw) {
        for (const ProductPath& path : paths_)
            for (std::size_t at = 0; at < path.pairs.pairs.size();) {
                const index v = path.pairs.pairs[at].v, at2 = path.at2 + v * path.d2;
                begin_pairs(path, x2 + at2 * w);
                for (; at < path.pairs.pairs.size() && path.pairs.pairs[at].v == v; ++at)
                    for_each_weight(path, path.pairs.pairs[at], weights, dim3,
                                    [&](index number, const Packet<T>& weight, index begin) {
                                        Packet<T> sum = splat(T{});
                                        for (std::size_t e = 0; e < path.entries.size(); ++e) {
                                            const auto& entry = path.entries[e];
                                            const Packet<T> d =
                                                load_packet(dy + (begin + entry.i * dim3 + entry.k) * w);
                                            sum = multiply_add(load_packet(matrix(e)), d, sum);
                                            add_to_gradient(e, weight, d);
                                        }
                                        if (!dw || number < 0) return;
                                        store_packet(dw + number * w, load_packet(dw + number * w) + sum);
                                    });
                if (d2) end_pairs(path, d2 + at2 * w);
            }
    }

private:
    static index most_entries(const std::vector<ProductPath>& paths) {
        std::size_t n = 1;
        for (const auto& p : paths) n = std::max(n, p.entries.size());
        return static_cast<index>(n);
    }
    static index most_pairs(const std::vector<ProductPath>& paths) {
        index n = 1;
        for (const auto& p : paths)
            if (p.mixes()) n = std::max(n, p.pairs.rows * p.d3);
        return n;
    }
    T* matrix(std::size_t entry) { return matrix_.data() + static_cast<index>(entry) * w; }
    T* matrix_gradient(std::size_t entry) {
        return matrix_.data() + (static_cast<index>(entry) * w + matrix_size_ / 2);
    }

    WEFT_NOINLINE void contract(const ProductPath& path, const T* x2) {
        for (std::size_t e = 0; e < path.entries.size(); ++e) {
            Packet<T> sum = splat(T{});
            for (int t = path.entries[e].begin; t < path.entries[e].end; ++t) {
                const auto& term = path.terms[static_cast<std::size_t>(t)];
                sum = multiply_add(splat(T(static_cast<scalar>(term.value))), load_packet(x2 + term.j * w), sum);
            }
            store_packet(matrix(e), sum);
        }
    }
    /// The matrix of a copy v, and the sum of its gradients over the pairs that it is in.
    void begin_pairs(const ProductPath& path, const T* x2) {
        contract(path, x2);
        std::fill_n(matrix_gradient(0), static_cast<index>(path.entries.size()) * w, T{});
    }
    WEFT_ALWAYS_INLINE void add_to_gradient(std::size_t entry, const Packet<T>& a, const Packet<T>& b) {
        store_packet(matrix_gradient(entry), multiply_add(a, b, load_packet(matrix_gradient(entry))));
    }
    /// The gradient of the copy.
    void end_pairs(const ProductPath& path, T* d2) {
        for (std::size_t e = 0; e < path.entries.size(); ++e)
            for (int t = path.entries[e].begin; t < path.entries[e].end; ++t) {
                const auto& term = path.terms[static_cast<std::size_t>(t)];
                T* const to = d2 + term.j * w;
                store_packet(to, multiply_add(splat(T(static_cast<scalar>(term.value))),
                                              load_packet(matrix_gradient(e)), load_packet(to)));
            }
    }
    /// f(number, weight, at) for the weights of a pair (number -1: there is none, it is 1), with the place `at` of the
    /// two copies' first components in a matrix [dim1, dim3].
    template <class W, class F>
    void for_each_weight(const ProductPath& path, const ProductPair& pair, const W& weights, index dim3, F&& f) {
        const index at = (path.at1 + pair.u * path.d1) * dim3 + path.at3;
        if (path.weight < 0) return f(-1, splat(T(1)), at + pair.out * path.d3);
        const index columns = std::max<index>(path.pairs.columns, 1), first = path.weight + pair.row * columns;
        for (index c = 0; c < columns; ++c)
            f(first + c, weights(first + c), at + (path.mixes() ? c : pair.out) * path.d3);
    }
    /// Component k of the coupled pair.
    WEFT_ALWAYS_INLINE Packet<T> coupled(const ProductPath& path, int k, const T* x1) {
        Packet<T> sum = splat(T{});
        const auto at = static_cast<std::size_t>(k);
        for (int e = path.begin_of_k[at]; e < path.begin_of_k[at + 1]; ++e) {
            const auto i = static_cast<std::size_t>(e);
            sum = multiply_add(load_packet(matrix(i)), load_packet(x1 + path.entries[i].i * w), sum);
        }
        return sum;
    }
    /// `N` pairs with the same copy v, coupled, to their rows of `z`.
    template <int N>
    WEFT_ALWAYS_INLINE void couple(const ProductPath& path, const ProductPair* pairs, const T* x1, T* z) {
        const T* x[N];
        T* to[N];
#pragma GCC unroll 4
        for (int n = 0; n < N; ++n) {
            x[n] = x1 + pairs[n].u * path.d1 * w;
            to[n] = z + pairs[n].row * path.d3 * w;
        }
        for (int k = 0; k < path.d3; ++k) {
            Packet<T> sum[N];
#pragma GCC unroll 4
            for (int n = 0; n < N; ++n) sum[n] = splat(T{});
            const auto at = static_cast<std::size_t>(k);
            for (int e = path.begin_of_k[at]; e < path.begin_of_k[at + 1]; ++e) {
                const auto i = static_cast<std::size_t>(e);
                const Packet<T> m = load_packet(matrix(i));
#pragma GCC unroll 4
                for (int n = 0; n < N; ++n) sum[n] = multiply_add(m, load_packet(x[n] + path.entries[i].i * w), sum[n]);
            }
#pragma GCC unroll 4
            for (int n = 0; n < N; ++n) store_packet(to[n] + k * w, sum[n]);
        }
    }

    /// Pairs [at, end), all with the same copy v, four at a time.
    void couple(const ProductPath& path, const std::vector<ProductPair>& pairs, std::size_t at, std::size_t end,
                const T* x1, T* z) {
        for (; at + 4 <= end; at += 4) couple<4>(path, &pairs[at], x1, z);
        for (; at < end; ++at) couple<1>(path, &pairs[at], x1, z);
    }
    /// Behind the pairs with the same copy v as that at `at`.
    static std::size_t end_of_run(const std::vector<ProductPair>& pairs, std::size_t at) {
        const index v = pairs[at].v;
        while (at < pairs.size() && pairs[at].v == v) ++at;
        return at;
    }

    template <class W>
    WEFT_NOINLINE void forward(const ProductPath& path, const T* x1, const T* x2, const W& weights, T* out) {
        x1 += path.at1 * w;
        x2 += path.at2 * w;
        out += path.at3 * w;
        const std::vector<ProductPair>& pairs = path.pairs.pairs;
        for (std::size_t at = 0; at < pairs.size();) {
            contract(path, x2 + pairs[at].v * path.d2 * w);
            const std::size_t end = end_of_run(pairs, at);
            if (path.mixes()) couple(path, pairs, at, end, x1, pairs_.data());
            for (; !path.mixes() && at < end; ++at) {
                const ProductPair& pair = pairs[at];
                T* const y = out + pair.out * path.d3 * w;
                const Packet<T> weight = path.weight < 0 ? splat(T(1)) : weights(path.weight + pair.row);
                for (int k = 0; k < path.d3; ++k)
                    store_packet(y + k * w, multiply_add(weight, coupled(path, k, x1 + pair.u * path.d1 * w),
                                                         load_packet(y + k * w)));
            }
            at = end;
        }
        if (!path.mixes()) return;
        mix(weights, path.matrix(), path.d3, 1, pairs_.data(), out);
    }

    template <class W>
    WEFT_NOINLINE void backward(const ProductPath& path, const T* x1, const T* x2, const W& weights, const T* dy, T* d1,
                                T* d2, T* dw) {
        const ProductPairs& pairs = path.pairs;
        x1 += path.at1 * w;
        x2 += path.at2 * w;
        dy += path.at3 * w;
        if (path.weight < 0) dw = nullptr;
        T* const z = pairs_.data();
        T* const dz = pairs_.data() + pairs.rows * path.d3 * w;
        if (path.mixes()) {
            std::fill_n(dz, pairs.rows * path.d3 * w, T{});
            mix_turned(weights, path.matrix(), path.d3, 1, dy, dz);
        }
        Packet<T> gradient[max_components];
        for (std::size_t at = 0; at < pairs.pairs.size();) {
            const index v = pairs.pairs[at].v;
            const std::size_t end = end_of_run(pairs.pairs, at);
            begin_pairs(path, x2 + v * path.d2 * w);
            if (path.mixes() && dw) couple(path, pairs.pairs, at, end, x1, z);
            for (; at < end; ++at) {
                const ProductPair& pair = pairs.pairs[at];
                const T* const x = x1 + pair.u * path.d1 * w;
                if (path.mixes()) {
                    for (int k = 0; k < path.d3; ++k) gradient[k] = load_packet(dz + (pair.row * path.d3 + k) * w);
                } else {
                    const T* const from = dy + pair.out * path.d3 * w;
                    if (dw) {
                        T* const to = dw + (path.weight + pair.row) * w;
                        Packet<T> sum = load_packet(to);
                        for (int k = 0; k < path.d3; ++k)
                            sum = multiply_add(load_packet(from + k * w), coupled(path, k, x), sum);
                        store_packet(to, sum);
                    }
                    const Packet<T> weight = path.weight < 0 ? splat(T(1)) : weights(path.weight + pair.row);
                    for (int k = 0; k < path.d3; ++k) gradient[k] = weight * load_packet(from + k * w);
                }
                T* const to = d1 ? d1 + (path.at1 + pair.u * path.d1) * w : nullptr;
                for (std::size_t e = 0; e < path.entries.size(); ++e) {
                    const auto& entry = path.entries[e];
                    if (to) {
                        T* const element = to + entry.i * w;
                        store_packet(element,
                                     multiply_add(load_packet(matrix(e)), gradient[entry.k], load_packet(element)));
                    }
                    if (d2) add_to_gradient(e, load_packet(x + entry.i * w), gradient[entry.k]);
                }
            }
            if (d2) end_pairs(path, d2 + (path.at2 + v * path.d2) * w);
        }
        if (!path.mixes() || !dw) return;
        WeightGradient<T>{pairs.rows, pairs.columns, path.d3, z, dy, dw + path.weight * w, splat(T(1))}.run();
    }

    static constexpr int max_components = 128;
    using scalar = typename weft::detail::DualScalar<T>::type;

    const std::vector<ProductPath>& paths_;
    index matrix_size_ = 2 * most_entries(paths_) * w;
    weft::detail::Scratch<T> matrix_, pairs_;
};

} // namespace weft::inline WEFT_ABI::so3::detail
