// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/operand.hpp>
#include <weft/core/parallel_for.hpp>

#include <algorithm>
#include <new>
#include <span>
#include <utility>

namespace weft::inline WEFT_ABI::detail {

inline constexpr int max_operands = 24;

/// Elements handed to a kernel at once: small enough that the scratch of a few operands stays in the first-level cache.
template <class T>
inline constexpr index block_size = sizeof(T) <= 4 ? 2048 : 1024;

/// A vector of at most `Capacity` elements that never allocates.
template <class X, int Capacity>
class FixedVector {
public:
    FixedVector() = default;
    FixedVector(const FixedVector&) = delete;
    FixedVector& operator=(const FixedVector&) = delete;
    ~FixedVector() {
        for (X& x : *this) x.~X();
    }
    template <class... A>
    X& emplace(A&&... arguments) {
        return *new (memory_ + sizeof(X) * static_cast<std::size_t>(size_++)) X(std::forward<A>(arguments)...);
    }
    X* begin() { return std::launder(reinterpret_cast<X*>(memory_)); }
    X* end() { return begin() + size_; }
    X& operator[](int i) { return begin()[i]; }
    int size() const { return size_; }

private:
    alignas(X) std::byte memory_[sizeof(X) * static_cast<std::size_t>(Capacity)];
    int size_ = 0;
};

/// The common index space of some operands: axes of extent 1 dropped, axes that every operand walks through in one
/// stride merged. Row-major; strides in elements, 0 along broadcast axes.
struct Iteration {
    int rank = 0;
    int count = 0;
    index extents[max_rank] = {};
    index strides[max_operands][max_rank] = {};
    index size = 1;

    /// `strides[k]` per operand, already broadcast to `extents`.
    Iteration(std::span<const index> full_extents, std::span<const index* const> operand_strides)
        : count(static_cast<int>(operand_strides.size())) {
        for (std::size_t axis = 0; axis < full_extents.size(); ++axis) {
            const index e = full_extents[axis];
            size *= e;
            if (e == 1) continue;
            bool merge = rank > 0;
            for (int k = 0; merge && k < count; ++k)
                merge = strides[k][rank - 1] == operand_strides[static_cast<std::size_t>(k)][axis] * e;
            if (!merge) ++rank;
            extents[rank - 1] = merge ? extents[rank - 1] * e : e;
            for (int k = 0; k < count; ++k) strides[k][rank - 1] = operand_strides[static_cast<std::size_t>(k)][axis];
        }
    }

    bool contiguous(int k) const {
        index step = 1;
        for (int a = rank; a-- > 0; step *= extents[a])
            if (strides[k][a] != step) return false;
        return true;
    }
    /// The innermost axes over which operand k is a contiguous run that repeats.
    struct Repetition {
        index run;  // length of the run
        index span; // elements of these axes
    };
    Repetition repetition(int k) const {
        Repetition r{1, 1};
        int a = rank;
        for (; a > 0 && strides[k][a - 1] == r.run; --a) r.run *= extents[a - 1];
        r.span = r.run;
        for (; a > 0 && strides[k][a - 1] == 0; --a) r.span *= extents[a - 1];
        return r;
    }
    /// Length of the run when operand k is a run that repeats over all outer axes; else 0.
    index period(int k) const {
        const Repetition r = repetition(k);
        return r.span == size ? r.run : 0;
    }
    /// Length of the innermost rows if the elements of operand k are contiguous, one for each of these rows; else 0.
    index repeats(const index* operand_strides) const {
        if (rank == 0 || operand_strides[rank - 1] != 0) return 0;
        index step = 1;
        for (int a = rank - 1; a-- > 0; step *= extents[a])
            if (operand_strides[a] != step) return 0;
        return extents[rank - 1];
    }
    /// Number of distinct elements of operand k.
    index distinct(int k) const {
        index n = 1;
        for (int a = 0; a < rank; ++a)
            if (strides[k][a] != 0) n *= extents[a];
        return n;
    }
    index inner_size() const { return rank == 0 || extents[0] == 0 ? 1 : size / extents[0]; }
};

/// Walks operand k over the linear range [begin, begin + n): calls f(offset, stride, position, length) for each run
/// along the innermost axis.
template <class F>
void for_each_run(const Iteration& it, const index* strides, index begin, index n, F&& f) {
    if (it.rank == 0) {
        if (n > 0) f(index{0}, index{0}, index{0}, index{1});
        return;
    }
    const int last = it.rank - 1;
    index at[max_rank], offset = 0, rest = begin;
    for (int a = last; a >= 0; --a) {
        at[a] = rest % it.extents[a];
        rest /= it.extents[a];
        offset += at[a] * strides[a];
    }
    for (index done = 0; done < n;) {
        const index length = std::min(n - done, it.extents[last] - at[last]);
        f(offset, strides[last], done, length);
        done += length;
        at[last] += length;
        offset += length * strides[last];
        for (int a = last; a > 0 && at[a] == it.extents[a]; --a) {
            offset -= at[a] * strides[a];
            at[a] = 0;
            ++at[a - 1];
            offset += strides[a - 1];
        }
    }
}

/// Chunks are a function of the shape alone, so that results are the same on any number of threads.
struct Chunks {
    index size = 0;
    index length = 0;
    index count = 0;

    /// At least 64 Ki elements each, at most `limit` chunks, each a multiple of `multiple` long.
    Chunks(index n, index multiple = 1, index limit = 64) : size(n) {
        limit = std::max<index>(limit, 1);
        length = std::max<index>(index{1} << 16, (n + limit - 1) / limit);
        length = (length + multiple - 1) / multiple * multiple;
        count = (n + length - 1) / length;
    }
    index begin(index chunk) const { return chunk * length; }
    index end(index chunk) const { return std::min(size, (chunk + 1) * length); }
};

/// Runs the chunks in parallel when the estimated work in nanoseconds is worth waking the threads.
template <class F>
void for_each_chunk(index count, double nanoseconds, F&& body) {
    if (nanoseconds < 20e3) {
        for (index c = 0; c < count; ++c) body(c);
    } else {
        parallel_for(count, body);
    }
}

/// Scratch memory of one chunk, from the pool.
template <class T>
class Scratch {
public:
    explicit Scratch(index n) : storage_(Storage::allocate(static_cast<std::size_t>(n) * sizeof(T))) {}
    T* data() noexcept { return reinterpret_cast<T*>(storage_.data()); }
    /// The next n elements, aligned to a cache line.
    T* take(index n) {
        constexpr index line = std::max<index>(1, 64 / static_cast<index>(sizeof(T)));
        T* const p = data() + used_;
        used_ += (n + line - 1) / line * line;
        return p;
    }
    static constexpr index rounded(index n) {
        constexpr index line = std::max<index>(1, 64 / static_cast<index>(sizeof(T)));
        return (n + line - 1) / line * line;
    }

private:
    Storage storage_;
    index used_ = 0;
};

/// Elements [begin, begin + n) of an array whose elements each appear `times` times in turn. Writes up to lanes<T>
/// elements beyond the end of `to`.
template <class T>
void repeat_elements(const T* from, index times, index begin, index n, T* to) {
    from += begin / times;
    for (index at = 0, next = times - begin % times; at < n; at = next, next += times, ++from) {
        const Packet<T> value = splat(*from);
        for (const index end = std::min(next, n); at < end; at += lanes<T>) store_packet(to + at, value);
    }
}

/// to[0 ... n) = the first `period` elements again and again
template <class T>
void repeat_run(T* to, index period, index n) {
    if (period == 1) return fill_run(to, to[0], n);
    for (index filled = period; filled < n; filled *= 2) std::copy_n(to, std::min(filled, n - filled), to + filled);
}

/// Feeds a kernel that knows only contiguous pointers: operands that are contiguous are pointed at, runs that repeat
/// are copied once for each time that they change, all else is expanded block by block.
template <class T>
class BlockReader {
public:
    BlockReader(const Iteration& it, const Operand<T>* operands, int count)
        : it_(it), operands_(operands), count_(count), scratch_(scratch_size(it, operands, count)) {
        direct_ = true;
        find_runs();
        for (int k = 0; k < count; ++k) {
            const Operand<T>& o = operands[k];
            tail_[k] = scratch_.take(lanes<T>);
            mode_[k] = mode(it, operands, k);
            if (run_span_ > 0 && o.one_value_per_run) {
                mode_[k] = Mode::run;
                set_segments(k);
                buffer_[k] = scratch_.take(lanes<T>);
                runs_ |= 1u << k;
                continue;
            }
            if (mode_[k] == Mode::direct) streams_ |= 1u << k;
            if (mode_[k] == Mode::direct || mode_[k] == Mode::unread) continue;
            direct_ = false;
            if (mode_[k] == Mode::repeated) {
                const Iteration::Repetition r = set_segments(k);
                buffer_[k] = scratch_.take(block_size<T> + r.run);
                if (r.span < it.size) {
                    segment_span_ = std::min(segment_span_, r.span);
                    const index pieces = (segment_span_ + segment_block - 1) / segment_block;
                    piece_ = ((segment_span_ + pieces - 1) / pieces + lanes<T> - 1) / lanes<T> * lanes<T>;
                }
            } else {
                buffer_[k] = scratch_.take(block_size<T> + lanes<T>);
                if (const index row = it.repeats(it.strides[k]); !o.generate && !o.read && row < block_size<T> / 2)
                    repeats_[k] = row;
                long_rows_ = long_rows_ || (it.rank > 0 && it.extents[it.rank - 1] >= block_size<T>);
            }
        }
    }

    /// Bit k: blocks have one value of operand k, a packet of which is read.
    unsigned runs() const { return runs_; }
    bool is_run(int k) const { return mode_[k] == Mode::run; }
    /// Bit k: operand k is read where it lies in memory.
    unsigned streams() const { return streams_; }

    /// How many elements the block that begins at `begin` may have, at most `limit`.
    index block(index begin, index limit) const {
        if (run_span_ > 0) limit = std::min(limit, run_span_ - begin % run_span_);
        if (direct_) return limit;
        limit = std::min(limit, piece_);
        if (segment_span_ < it_.size) limit = std::min(limit, segment_span_ - begin % segment_span_);
        if (long_rows_) { // whole rows need no expansion
            const index row = it_.extents[it_.rank - 1];
            limit = std::min(limit, row - begin % row);
        }
        return limit;
    }

    /// Contiguous pointers to the elements [begin, begin + n) of every operand.
    void read(index begin, index n, const T** pointers) {
        for (int k = 0; k < count_; ++k) {
            const Operand<T>& o = operands_[k];
            if (mode_[k] == Mode::direct) {
                pointers[k] = reinterpret_cast<const T*>(o.data) + begin;
            } else if (mode_[k] == Mode::unread) {
                pointers[k] = pointers[k - 1];
            } else if (mode_[k] == Mode::run) {
                if (enter_segment(k, begin)) {
                    T value;
                    read_run(o, from_[k], 1, &value, 1);
                    store_packet(buffer_[k], splat(value));
                }
                pointers[k] = buffer_[k];
            } else if (mode_[k] == Mode::repeated) {
                if (enter_segment(k, begin)) read_segment(k);
                pointers[k] = at_[k] + (begin - segment_[k]) % run_[k];
            } else {
                pointers[k] = buffer_[k];
                if (o.generate) {
                    o.generate(o.data, begin, buffer_[k], n);
                    continue;
                }
                if (repeats_[k] > 0) {
                    repeat_elements(reinterpret_cast<const T*>(o.data), repeats_[k], begin, n, buffer_[k]);
                    continue;
                }
                for_each_run(it_, it_.strides[k], begin, n, [&](index offset, index stride, index at, index length) {
                    const std::byte* const from = o.data + offset * o.item;
                    if (length == n && stride == 1 && !o.read)
                        pointers[k] = reinterpret_cast<const T*>(from);
                    else
                        read_run(o, from, stride, buffer_[k] + at, length);
                });
            }
        }
    }

    /// A packet of every operand that begins with the n < lanes<T> elements at `offset` of its pointer. Copies where
    /// what lies behind them may not be read.
    void tail(const T* const* pointers, index offset, index n, const T** tails) {
        for (int k = 0; k < count_; ++k) {
            const Operand<T>& o = operands_[k];
            tails[k] = pointers[k] + (is_run(k) ? 0 : offset);
            if (mode_[k] == Mode::run || mode_[k] == Mode::repeated || (o.storage && !o.storage.foreign())) continue;
            std::copy_n(tails[k], n, tail_[k]);
            std::fill_n(tail_[k] + n, lanes<T> - n, n > 0 ? tail_[k][0] : T{});
            tails[k] = tail_[k];
        }
    }

private:
    enum class Mode : char { direct, repeated, expanded, run, unread };
    /// Blocks of segments are shorter than others: a segment's runs are copied for one block and serve for all.
    static constexpr index segment_block = block_size<T> / 2;

    static Mode mode(const Iteration& it, const Operand<T>* operands, int k) {
        const Operand<T>& o = operands[k];
        if (beside_statistic(operands, k)) return Mode::unread;
        if (o.generate) return Mode::expanded;
        if (!o.read && it.contiguous(k)) return Mode::direct;
        const Iteration::Repetition r = it.repetition(k);
        if (r.run >= block_size<T>) return Mode::expanded;
        if (r.span == it.size) return Mode::repeated;
        // Segments that are short, or end within a packet, cost more as blocks of their own.
        const bool segments = r.span >= 2 * r.run && r.span >= segment_block / 2;
        return segments && (r.span % lanes<T> == 0 || r.span >= 4 * segment_block) ? Mode::repeated : Mode::expanded;
    }
    static index scratch_size(const Iteration& it, const Operand<T>* operands, int count) {
        index n = 0;
        for (int k = 0; k < count; ++k) {
            n += 2 * Scratch<T>::rounded(lanes<T>);
            const Mode m = mode(it, operands, k);
            if (m == Mode::repeated) n += Scratch<T>::rounded(block_size<T> + it.repetition(k).run);
            if (m == Mode::expanded) n += Scratch<T>::rounded(block_size<T> + lanes<T>);
        }
        return n;
    }
    Iteration::Repetition set_segments(int k) {
        const Iteration::Repetition r = it_.repetition(k);
        run_[k] = r.run;
        span_[k] = r.span;
        segment_[k] = -r.span;
        from_[k] = nullptr;
        index step = r.run, inner = 1;
        in_order_[k] = true;
        for (int a = it_.rank; a-- > 0; inner *= it_.extents[a]) {
            if (inner < r.span) continue;
            in_order_[k] = in_order_[k] && it_.strides[k][a] == step;
            step *= it_.extents[a];
        }
        return r;
    }
    /// Whether `begin` lies in another segment of operand k than before, the first run of which is at from_[k] then.
    bool enter_segment(int k, index begin) {
        const index beyond = begin - segment_[k];
        if (from_[k] && beyond >= 0 && beyond < span_[k]) return false;
        const Operand<T>& o = operands_[k];
        if (from_[k] && beyond == span_[k] && in_order_[k]) {
            segment_[k] = begin;
            from_[k] += run_[k] * o.item;
        } else {
            segment_[k] = begin - begin % span_[k];
            for_each_run(it_, it_.strides[k], segment_[k], 1,
                         [&](index offset, index, index, index) { from_[k] = o.data + offset * o.item; });
        }
        return true;
    }
    /// Whether the operands with one value per run have one in all of a block that is long enough.
    void find_runs() {
        index span = it_.size;
        bool found = false;
        for (int k = 0; k < count_; ++k) {
            const Operand<T>& o = operands_[k];
            if (!o.one_value_per_run) continue;
            const Iteration::Repetition r = it_.repetition(k);
            if (r.run != 1 || o.generate) return;
            found = true;
            span = std::min(span, r.span);
        }
        if (!found || span < 8 * lanes<T> || (span % lanes<T> != 0 && span < 16 * lanes<T>)) return;
        run_span_ = span;
    }
    WEFT_NOINLINE void read_segment(int k) {
        const Operand<T>& o = operands_[k];
        at_[k] = buffer_[k];
        if (!o.read &&
            run_[k] % (run_span_ > 0 ? run_span_ : segment_span_) == 0) { // no block crosses the end of a run
            at_[k] = reinterpret_cast<const T*>(from_[k]);
        } else {
            read_run(o, from_[k], 1, buffer_[k], run_[k]);
            repeat_run(buffer_[k], run_[k], std::min(block_size<T>, span_[k]) + run_[k]);
        }
    }

    const Iteration& it_;
    const Operand<T>* operands_;
    int count_;
    unsigned streams_ = 0;
    unsigned runs_ = 0;
    index run_span_ = 0; // of blocks with one value of some operands; 0: there are none
    bool direct_ = false;
    bool long_rows_ = false;
    index segment_span_ = it_.size; // blocks end where the runs of an operand change
    index piece_ = block_size<T>;
    Mode mode_[max_operands] = {};
    index run_[max_operands] = {};
    index span_[max_operands] = {};
    index segment_[max_operands] = {}; // where the one begins whose runs are read
    const std::byte* from_[max_operands] = {};
    bool in_order_[max_operands] = {}; // segments follow each other in memory
    const T* at_[max_operands] = {};
    index repeats_[max_operands] = {};
    T* buffer_[max_operands] = {};
    T* tail_[max_operands] = {};
    Scratch<T> scratch_;
};

} // namespace weft::inline WEFT_ABI::detail
