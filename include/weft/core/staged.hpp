// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/dense.hpp>
#include <weft/core/moment_sums.hpp>

#include <cmath>

/// The loops of expressions that have statistics among their leaves. Where the elements of a statistic lie together,
/// it is computed when the loop comes to them, and they are in the cache when the expression reads them again, forward
/// and backward; other statistics are computed before.
namespace weft::inline WEFT_ABI::detail {

/// The statistics of one operand over the same axes. Their memory: an array of the slots for each Statistic, of which
/// those of mean and variance are always filled.
template <class T>
class MomentGroup {
public:
    using A = wide_type<T>;
    using Sums = MomentSums<A>;

    int source;   // the operand whose moments these are
    bool aligned; // the elements of the source are those of the expression
    bool local;   // a statistic's elements lie together

    MomentGroup(const DenseTask<T>& task, int first)
        : source(first + 1), values_(task.operands[first]), from_(task.operands[first + 1]), it_(iteration()) {
        slots_ = 1;
        for (int a = 0; a < values_.rank; ++a) slots_ *= values_.extents[a];
        fold_ = values_.fold;
        share_ = it_.size / std::max<index>(slots_ / std::max<index>(fold_, 1), 1);
        memory_ = reinterpret_cast<T*>(values_.storage.data());
        int a = 0;
        while (a < it_.rank && it_.strides[1][a] != 0) ++a;
        for (segment_ = 1; a < it_.rank; ++a) segment_ *= it_.extents[a];
        segment_ = std::max<index>(segment_, 1);
        aligned = covers(task.extents);
        // Segments larger than the cache are read twice anyway, and few of them would leave threads without work.
        local = aligned && segment_ < it_.size &&
                (it_.size / segment_ >= 8 || segment_ <= block_size<T>)&&segment_ * static_cast<index>(sizeof(T)) <=
                    (index{2} << 20);
    }

    bool holds(const Operand<T>& statistic) const { return statistic.storage == values_.storage; }
    void add(const Operand<T>& statistic) { wanted_ |= 1u << static_cast<int>(statistic.statistic); }

    /// Elements from which on the slots are others.
    index segment() const { return segment_; }
    index slots() const { return slots_; }
    index slots_in(index elements) const {
        return elements / segment_ * (slots_ / std::max<index>(it_.size / segment_, 1));
    }

    /// Computes the statistics of whole segments [begin, end); `sums`: memory for as many slots as they have.
    void compute(index begin, index end, Sums* sums) const {
        const index first = slots_in(begin), count = slots_in(end) - first;
        std::fill_n(sums, count, Sums{});
        accumulate_moments<T>(it_, data(), begin, end, first, sums);
        finish(sums, first, count);
    }
    void compute_all() const {
        if (it_.size == 0) { // of nothing
            for (int s = 1; s < statistic_count; ++s)
                std::fill_n(array(static_cast<Statistic>(s)), slots_, T(std::numeric_limits<double>::quiet_NaN()));
            return;
        }
        const bool own = it_.rank > 0 && it_.strides[1][0] != 0;
        const bool rows = it_.rank > 0 && it_.strides[1][it_.rank - 1] != 0;
        const index multiple = own ? segment_ : rows ? it_.extents[it_.rank - 1] : 1;
        const Chunks chunks(it_.size, multiple, own ? 64 : std::min<index>(64, it_.size / slots_));
        Scratch<Sums> sums(own ? slots_ : chunks.count * slots_);
        for_each_chunk(chunks.count, static_cast<double>(it_.size) * 0.4, [&](index chunk) {
            const index begin = chunks.begin(chunk), end = chunks.end(chunk);
            if (own) return compute(begin, end, sums.data() + slots_in(begin));
            std::fill_n(sums.data() + chunk * slots_, slots_, Sums{});
            accumulate_moments<T>(it_, data(), begin, end, 0, sums.data() + chunk * slots_);
        });
        if (own) return;
        for (index chunk = 1; chunk < chunks.count; ++chunk)
            for (index i = 0; i < slots_; ++i) sums.data()[i].merge(sums.data()[chunk * slots_ + i]);
        finish(sums.data(), 0, slots_);
    }

    /// From the adjoints of the statistics, one array for each that is wanted, the coefficients with which
    /// scale (x - mean) + shift is the adjoint of an element x of the slots.
    void coefficients(const T* const* adjoints, index first, index count, T* scale, T* shift) const {
        const double share = 1 / static_cast<double>(share_);
        for (index i = first; i < first + count; i += fold_) {
            A of_distance{}, of_element{}, constant{};
            for (int s = 1; s < statistic_count; ++s) {
                if (!(wanted_ >> s & 1u)) continue;
                A adjoint{};
                for (index k = 0; k < fold_; ++k) adjoint = adjoint + wide(adjoints[s][i + k]);
                const A y = wide(array(static_cast<Statistic>(s))[i]);
                adjoint = adjoint * share;
                switch (static_cast<Statistic>(s)) {
                case Statistic::mean:
                    constant = constant + adjoint;
                    break;
                case Statistic::variance:
                    of_distance = of_distance + adjoint * 2.0;
                    break;
                case Statistic::deviation:
                    of_distance = of_distance + over(adjoint, y);
                    break;
                case Statistic::inverse_deviation:
                    of_distance = of_distance - adjoint * y * y * y;
                    break;
                case Statistic::root_mean_square:
                    of_element = of_element + over(adjoint, y);
                    break;
                case Statistic::inverse_root_mean_square:
                    of_element = of_element - adjoint * y * y * y;
                    break;
                case Statistic::none:
                    break;
                }
            }
            const A mean = wide(array(Statistic::mean)[i]);
            std::fill_n(scale + i, fold_, narrow(of_distance + of_element));
            std::fill_n(shift + i, fold_, narrow(constant + of_element * mean));
        }
    }
    /// gradient[i] += scale (x[i] - mean) + shift over [begin, end)
    void correct(index begin, index end, const T* scale, const T* shift, T* gradient) const {
        const T* const x = data();
        const T* const mean = array(Statistic::mean);
        for_each_run(it_, it_.strides[1], begin, end - begin, [&](index slot, index stride, index at, index length) {
            correct_run(x + begin + at, stride, mean + slot, scale + slot, shift + slot, length, gradient + begin + at);
        });
    }
    void correct_all(const T* scale, const T* shift, T* gradient) const {
        const Chunks chunks(it_.size);
        for_each_chunk(chunks.count, static_cast<double>(it_.size),
                       [&](index chunk) { correct(chunks.begin(chunk), chunks.end(chunk), scale, shift, gradient); });
    }

private:
    const T* data() const { return reinterpret_cast<const T*>(from_.data); }
    T* array(Statistic s) const { return memory_ + (static_cast<index>(s) - 1) * Scratch<T>::rounded(slots_); }
    static T narrow(const A& a) {
        if constexpr (std::is_same_v<T, A>)
            return a;
        else if constexpr (std::is_arithmetic_v<T>)
            return static_cast<T>(a);
        else
            return {static_cast<decltype(T::value)>(a.value), static_cast<decltype(T::value)>(a.tangent)};
    }
    /// a / y, and 0 where y is: the slope of a root at 0.
    static A over(const A& a, const A& y) { return y > A(0) || !(y == y) ? a / y : a * 0.0; }

    Iteration iteration() const {
        index strides[max_rank];
        broadcast_strides(values_, std::span(from_.extents, static_cast<std::size_t>(from_.rank)), strides);
        const index* const both[] = {from_.strides, strides};
        return Iteration(std::span(from_.extents, static_cast<std::size_t>(from_.rank)), both);
    }
    bool covers(std::span<const index> extents) const {
        for (std::size_t a = 0, offset = extents.size() - static_cast<std::size_t>(from_.rank); a < extents.size(); ++a)
            if (extents[a] != (a < offset ? 1 : from_.extents[a - offset])) return false;
        return true;
    }
    void finish(Sums* sums, index first, index count) const {
        for (index i = 0; i < count; i += fold_) {
            for (index k = 1; k < fold_; ++k) sums[i].merge(sums[i + k]);
            const A mean = sums[i].mean, variance = sums[i].squares * (1 / static_cast<double>(share_));
            const auto fill = [&](Statistic s, const A& value) {
                std::fill_n(array(s) + first + i, fold_, narrow(value));
            };
            using std::sqrt;
            fill(Statistic::mean, mean);
            fill(Statistic::variance, variance);
            if (wanted_ & (bit(Statistic::deviation) | bit(Statistic::inverse_deviation))) {
                const A deviation = sqrt(variance + values_.eps);
                fill(Statistic::deviation, deviation);
                fill(Statistic::inverse_deviation, 1.0 / deviation);
            }
            if (wanted_ & (bit(Statistic::root_mean_square) | bit(Statistic::inverse_root_mean_square))) {
                const A root = sqrt(mean * mean + variance + values_.eps);
                fill(Statistic::root_mean_square, root);
                fill(Statistic::inverse_root_mean_square, 1.0 / root);
            }
        }
    }
    static constexpr unsigned bit(Statistic s) { return 1u << static_cast<int>(s); }

    static WEFT_NOINLINE void correct_run(const T* x, index stride, const T* mean, const T* scale, const T* shift,
                                          index n, T* gradient) {
        index i = 0;
        if (stride == 0) {
            const Packet<T> m = splat(*mean), a = splat(*scale), b = splat(*shift);
            for (; i + lanes<T> <= n; i += lanes<T>)
                store_packet(gradient + i,
                             load_packet(gradient + i) + multiply_add(a, Packet<T>(load_packet(x + i) - m), b));
        } else {
            for (; i + lanes<T> <= n; i += lanes<T>) {
                const Packet<T> distance = load_packet(x + i) - load_packet(mean + i);
                store_packet(gradient + i, load_packet(gradient + i) +
                                               multiply_add(load_packet(scale + i), distance, load_packet(shift + i)));
            }
        }
        for (; i < n; ++i) {
            const index k = stride * i;
            gradient[i] = gradient[i] + (scale[k] * (x[i] - mean[k]) + shift[k]);
        }
    }

    const Operand<T>& values_;
    const Operand<T>& from_;
    Iteration it_;
    index slots_ = 0, fold_ = 1, share_ = 0, segment_ = 1;
    unsigned wanted_ = 0;
    T* memory_ = nullptr;
};

/// All statistics of an expression.
template <class T>
class MomentGroups {
public:
    using Group = MomentGroup<T>;
    using Sums = typename Group::Sums;

    explicit MomentGroups(const DenseTask<T>& task) {
        for (int k = 0; k < task.count; ++k) {
            group_of_[k] = -1;
            if (task.operands[k].statistic == Statistic::none) continue;
            int g = 0;
            while (g < groups_.size() && !groups_[g].holds(task.operands[k])) ++g;
            if (g == groups_.size()) groups_.emplace(task, k);
            groups_[g].add(task.operands[k]);
            group_of_[k] = g;
            if (groups_[g].local) segment_ = std::max(segment_, groups_[g].segment());
        }
    }
    /// Of the statistic that operand k is; -1: it is none.
    int group_of(int k) const { return group_of_[k]; }
    int size() const { return groups_.size(); }
    Group& operator[](int g) { return groups_[g]; }
    Group* begin() { return groups_.begin(); }
    Group* end() { return groups_.end(); }

    /// Chunks are multiples of this.
    index segment() const { return segment_; }
    /// Elements whose statistics are computed at once: whole segments that stay in the cache.
    index range() const { return std::max<index>(1, block_size<T> / 2 / segment_) * segment_; }

private:
    FixedVector<Group, max_operands> groups_;
    int group_of_[max_operands];
    index segment_ = 1;
};

/// How far ahead sweeps that come to memory in short stretches fetch it, in elements: half a page.
template <class T>
inline constexpr index fetch_distance = 2048 / static_cast<index>(sizeof(T));

template <class T>
void staged_evaluate(const DenseTask<T>& task, std::byte* out, index item, typename ForwardSweep<T>::Write write) {
    MomentGroups<T> groups(task);
    index most = 0;
    for (const auto& group : groups) {
        if (!group.local) group.compute_all();
        if (group.local) most = std::max(most, group.slots_in(groups.range()));
    }
    const Iteration it = make_iteration(task);
    const Chunks chunks(it.size, groups.segment());
    for_each_chunk(chunks.count, estimated_time(task, it.size), [&](index chunk) {
        ForwardSweep<T> sweep(task, it, out, item, write,
                              most > 0 ? Fetching{false, true, fetch_distance<T>} : Fetching{});
        Scratch<typename MomentGroups<T>::Sums> sums(most);
        for (index begin = chunks.begin(chunk), end = chunks.end(chunk); begin < end; begin += groups.range()) {
            const index range_end = std::min(end, begin + groups.range());
            for (const auto& group : groups)
                if (group.local) group.compute(begin, range_end, sums.data());
            sweep.run(begin, range_end);
        }
    });
}

/// As dense_backward; the target of an operand that is there for its statistics takes all of its gradient that goes
/// through them. Where a statistic's elements do not lie together, one sweep collects its adjoint and that of other
/// operands that broadcast, and a second one writes.
template <class T>
void staged_backward(const DenseTask<T>& task, DenseBackward<T> kernel, const Operand<T>& adjoint,
                     const GradientTarget<T>* targets) {
    MomentGroups<T> groups(task);
    const Iteration it = make_iteration(task);
    GradientTarget<T> kernel_targets[max_operands], first_sweep[max_operands];
    Storage memory[max_operands];
    T* adjoints[max_operands][statistic_count] = {};
    T* coefficients[max_operands] = {}; // of groups that are wanted: scale, then shift
    bool before = false;
    for (int k = 0; k < task.count; ++k) {
        const int g = groups.group_of(k);
        if (g < 0) {
            if (!beside_statistic(task.operands, k)) kernel_targets[k] = targets[k];
            continue;
        }
        auto& group = groups[g];
        const index slots = group.slots();
        if (!targets[group.source].data) continue;
        before = before || !group.local;
        if (!coefficients[g]) {
            memory[g] = Storage::allocate(static_cast<std::size_t>(slots * (1 + statistic_count)) * sizeof(T));
            coefficients[g] = reinterpret_cast<T*>(memory[g].data());
            std::fill_n(coefficients[g] + 2 * slots, slots * (statistic_count - 1), T{});
        }
        const int s = static_cast<int>(task.operands[k].statistic);
        adjoints[g][s] = coefficients[g] + (1 + s) * slots;
        kernel_targets[k].data = adjoints[g][s];
    }
    if (before) {
        for (int k = 0; k < task.count; ++k) {
            const int g = groups.group_of(k);
            const bool now = g >= 0 ? !groups[g].local : !it.contiguous(k);
            if (!now) continue;
            first_sweep[k] = kernel_targets[k];
            kernel_targets[k] = {};
        }
        BackwardTask<T>(task, kernel, adjoint, first_sweep)
            .run(1, std::numeric_limits<index>::max() / 2, {true, false, fetch_distance<T>}, [](index, index) {});
        for (int g = 0; g < groups.size(); ++g)
            if (coefficients[g] && !groups[g].local)
                groups[g].coefficients(adjoints[g], 0, groups[g].slots(), coefficients[g],
                                       coefficients[g] + groups[g].slots());
    }
    BackwardTask<T>(task, kernel, adjoint, kernel_targets)
        .run(groups.segment(), groups.range(), {true, true, fetch_distance<T>}, [&](index begin, index end) {
            for (int g = 0; g < groups.size(); ++g) {
                const auto& group = groups[g];
                if (!coefficients[g] || !group.aligned) continue;
                T* const scale = coefficients[g];
                T* const shift = scale + group.slots();
                if (group.local) {
                    const index first = group.slots_in(begin);
                    group.coefficients(adjoints[g], first, group.slots_in(end) - first, scale, shift);
                }
                group.correct(begin, end, scale, shift, targets[group.source].data);
            }
        });
    for (int g = 0; g < groups.size(); ++g)
        if (coefficients[g] && !groups[g].aligned)
            groups[g].correct_all(coefficients[g], coefficients[g] + groups[g].slots(), targets[groups[g].source].data);
}

} // namespace weft::inline WEFT_ABI::detail
