// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/expression.hpp>
#include <weft/core/iteration.hpp>
#include <weft/core/packet.hpp>
#include <weft/core/pool_allocator.hpp>

#include <algorithm>
#include <vector>

/// Polynomials of several variables as a table that one loop evaluates, with its gradient, for any coefficients: nested
/// as by Horner, the most frequent variable outside, in the lanes of packets and for several points at a time.
namespace weft::inline WEFT_ABI::so3::detail {

/// A monomial: its variables, repeated as often as their power, and which coefficient it has.
struct Monomial {
    std::vector<int> variables;
    index coefficient;
};

/// The points that are evaluated together: their values stay in registers.
template <class T>
constexpr int points_at_once() {
#if defined(__AVX512F__) || defined(__aarch64__)
    constexpr int most = 8;
#else
    constexpr int most = 4;
#endif
    return weft::detail::IsDual<T>::value ? most / 2 : most;
}

/// Several polynomials of the same variables. Every one is a tree: a node is the sum of a constant, of variables times
/// coefficients (leaves), and of variables times nodes (children).
class HornerTable {
public:
    explicit HornerTable(int variables = 0) : variables_(variables) {}

    void add_polynomial(const std::vector<Monomial>& monomials) {
        add_node(0, 0, monomials);
        ++polynomials_;
    }

    int variables() const { return variables_; }
    index polynomials() const { return polynomials_; }
    index depth() const { return depth_; }
    /// Which coefficients, in the order in which the loops read them.
    const std::vector<index>& coefficients() const { return coefficients_; }
    /// Multiplications for a point.
    index cost() const { return static_cast<index>(coefficients_.size() + steps_.size()); }

    /// The memory of one thread. Points are next to each other: element r of point j of variable v is at
    /// (v N + j) lanes<T> + r of x, and so are the polynomials' values y, and gradients.
    template <class T, int N>
    struct Block {
        static constexpr index width = N * lanes<T>; // of a variable
        weft::detail::Scratch<T> memory;
        T *x, *y, *dx, *values, *factors;
        weft::detail::PoolVector<int> path;

        explicit Block(const HornerTable& t)
            : memory(2 * rounded(t.variables_ * width) + rounded(t.polynomials_ * width) +
                     2 * rounded(t.depth_ * width)),
              x(memory.take(t.variables_ * width)), y(memory.take(t.polynomials_ * width)),
              dx(memory.take(t.variables_ * width)), values(memory.take(t.depth_ * width)),
              factors(memory.take(t.depth_ * width)), path(static_cast<std::size_t>(t.depth_)) {}

    private:
        static index rounded(index n) { return weft::detail::Scratch<T>::rounded(n); }
    };

    /// y = the polynomials at x. `coefficients`: a packet each, in the order of the table.
    template <class T, int N>
    WEFT_NOINLINE void evaluate(const T* coefficients, Block<T, N>& block) const {
        constexpr index w = lanes<T>, width = N * w;
        T* y = block.y;
        const int* leaf = leaves_.data();
        for (const Step& step : steps_) {
            Packet<T> sum[N];
            begin_sum<T, N>(step, coefficients, sum);
            for (const int* const end = leaf + step.leaves; leaf != end; ++leaf, coefficients += w) {
                const Packet<T> a = load_packet(coefficients);
                const T* const x = block.x + *leaf * width;
#pragma GCC unroll 8
                for (int j = 0; j < N; ++j) sum[j] = multiply_add(a, load_packet(x + j * w), sum[j]);
            }
            block.path[static_cast<std::size_t>(step.depth)] = step.variable;
            int depth = step.depth;
            for (int closed = 0; closed < step.closes; ++closed, --depth) {
                T* const values = block.values + depth * width;
                if (closed > 0) load<T, N>(values, sum);
                if (depth == 0) {
                    store<T, N>(sum, y);
                    y += width;
                    break;
                }
                const T* const x = block.x + block.path[static_cast<std::size_t>(depth)] * width;
                T* const parent = values - width;
#pragma GCC unroll 8
                for (int j = 0; j < N; ++j)
                    store_packet(parent + j * w,
                                 multiply_add(load_packet(x + j * w), sum[j], load_packet(parent + j * w)));
            }
            if (step.closes == 0) store<T, N>(sum, block.values + depth * width);
        }
    }

    /// dx += the gradient by the variables of the sum of the polynomials times `block.y`, and, where it is asked for,
    /// that by the coefficients, summed over the points.
    template <bool OfCoefficients, class T, int N>
    WEFT_NOINLINE void gradient(const T* coefficients, Block<T, N>& block, T* of_coefficients) const {
        constexpr index w = lanes<T>, width = N * w;
        const T* dy = block.y;
        const int* leaf = leaves_.data();
        for (const Step& step : steps_) {
            // d y / d (this node), the product of the variables on the way to it.
            Packet<T> factor[N], sum[N];
            T* const factors = block.factors + step.depth * width;
            if (step.depth == 0) {
                load<T, N>(dy, factor);
                dy += width;
            } else {
                const T* const x = block.x + step.variable * width;
#pragma GCC unroll 8
                for (int j = 0; j < N; ++j) factor[j] = load_packet(x + j * w) * load_packet(factors - width + j * w);
            }
            store<T, N>(factor, factors);
            begin_sum<T, N>(step, coefficients, sum);
            if (OfCoefficients && step.constant) {
                Packet<T> total = load_packet(of_coefficients);
#pragma GCC unroll 8
                for (int j = 0; j < N; ++j) total = total + factor[j];
                store_packet(of_coefficients, total);
                of_coefficients += w;
            }
            for (const int* const end = leaf + step.leaves; leaf != end; ++leaf, coefficients += w) {
                const Packet<T> a = load_packet(coefficients);
                const T* const x = block.x + *leaf * width;
                T* const dx = block.dx + *leaf * width;
                Packet<T> total = splat(T{});
#pragma GCC unroll 8
                for (int j = 0; j < N; ++j) {
                    const Packet<T> of_point = load_packet(x + j * w);
                    sum[j] = multiply_add(a, of_point, sum[j]);
                    store_packet(dx + j * w, multiply_add(a, factor[j], load_packet(dx + j * w)));
                    if (OfCoefficients) total = multiply_add(factor[j], of_point, total);
                }
                if (OfCoefficients) {
                    store_packet(of_coefficients, load_packet(of_coefficients) + total);
                    of_coefficients += w;
                }
            }
            block.path[static_cast<std::size_t>(step.depth)] = step.variable;
            int depth = step.depth;
            for (int closed = 0; closed < step.closes && depth > 0; ++closed, --depth) {
                T* const values = block.values + depth * width;
                if (closed > 0) load<T, N>(values, sum);
                const index at = block.path[static_cast<std::size_t>(depth)] * width;
                const T* const x = block.x + at;
                T* const dx = block.dx + at;
                T* const parent = values - width;
                const T* const parent_factor = block.factors + (depth - 1) * width;
#pragma GCC unroll 8
                for (int j = 0; j < N; ++j) {
                    store_packet(dx + j * w,
                                 multiply_add(load_packet(parent_factor + j * w), sum[j], load_packet(dx + j * w)));
                    store_packet(parent + j * w,
                                 multiply_add(load_packet(x + j * w), sum[j], load_packet(parent + j * w)));
                }
            }
            if (step.closes == 0) store<T, N>(sum, block.values + depth * width);
        }
    }

private:
    /// A node, in front of its children.
    struct Step {
        int variable, depth;
        int leaves;
        int closes; // how many nodes end with this one; 0 when it has children
        bool constant;
    };

    void add_node(int variable, int depth, std::vector<Monomial> monomials) {
        depth_ = std::max<index>(depth_, depth + 1);
        const std::size_t own = steps_.size();
        steps_.push_back({variable, depth, 0, 0, false});
        std::vector<std::pair<int, std::vector<Monomial>>> children;
        std::erase_if(monomials, [&](const Monomial& m) {
            if (!m.variables.empty()) return false;
            steps_[own].constant = true;
            coefficients_.push_back(m.coefficient);
            return true;
        });
        while (!monomials.empty()) {
            const int most = most_frequent(monomials);
            std::vector<Monomial> with, without;
            for (Monomial& m : monomials) {
                const auto found = std::find(m.variables.begin(), m.variables.end(), most);
                const bool has = found != m.variables.end();
                if (has) m.variables.erase(found);
                (has ? with : without).push_back(std::move(m));
            }
            if (with.size() == 1 && with[0].variables.empty()) {
                ++steps_[own].leaves;
                leaves_.push_back(most);
                coefficients_.push_back(with[0].coefficient);
            } else {
                children.emplace_back(most, std::move(with));
            }
            monomials = std::move(without);
        }
        for (auto& [of, rest] : children) add_node(of, depth + 1, std::move(rest));
        ++steps_.back().closes;
    }
    int most_frequent(const std::vector<Monomial>& monomials) const {
        std::vector<int> count(static_cast<std::size_t>(variables_));
        for (const Monomial& m : monomials)
            for (std::size_t i = 0; i < m.variables.size(); ++i)
                if (std::find(m.variables.begin(), m.variables.begin() + static_cast<std::ptrdiff_t>(i),
                              m.variables[i]) == m.variables.begin() + static_cast<std::ptrdiff_t>(i))
                    ++count[static_cast<std::size_t>(m.variables[i])];
        return static_cast<int>(std::max_element(count.begin(), count.end()) - count.begin());
    }

    template <class T, int N>
    static WEFT_ALWAYS_INLINE void load(const T* from, Packet<T>* to) {
#pragma GCC unroll 8
        for (int j = 0; j < N; ++j) to[j] = load_packet(from + j * lanes<T>);
    }
    template <class T, int N>
    static WEFT_ALWAYS_INLINE void store(const Packet<T>* from, T* to) {
#pragma GCC unroll 8
        for (int j = 0; j < N; ++j) store_packet(to + j * lanes<T>, from[j]);
    }
    template <class T, int N>
    static WEFT_ALWAYS_INLINE void begin_sum(const Step& step, const T*& coefficients, Packet<T>* sum) {
        Packet<T> first = splat(T{});
        if (step.constant) {
            first = load_packet(coefficients);
            coefficients += lanes<T>;
        }
#pragma GCC unroll 8
        for (int j = 0; j < N; ++j) sum[j] = first;
    }

    int variables_;
    index polynomials_ = 0, depth_ = 1;
    std::vector<Step> steps_;
    std::vector<int> leaves_;
    std::vector<index> coefficients_;
};

} // namespace weft::inline WEFT_ABI::so3::detail
