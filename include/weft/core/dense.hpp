// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/iteration.hpp>
#include <weft/core/kernel.hpp>

#include <bit>
#include <limits>

namespace weft::inline WEFT_ABI {

/// Ways to combine the elements of a reduction: identity element and combination, for scalars and packets.
struct SumOf {
    template <class T>
    static constexpr T identity() {
        return T{};
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P combine(const P& a, const P& b) {
        return a + b;
    }
};
/// Combines elements by their product.
struct ProductOf {
    template <class T>
    static constexpr T identity() {
        return T(1);
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P combine(const P& a, const P& b) {
        return a * b;
    }
};
/// NaN if any element is NaN. (Not `a != a`: that of xsimd 8 is false for NaN on AVX.)
struct MaximumOf {
    template <class T>
    static constexpr T identity() {
        if constexpr (std::numeric_limits<T>::has_infinity)
            return -std::numeric_limits<T>::infinity();
        else if constexpr (requires(T t) { t.tangent; })
            return T{MaximumOf::identity<decltype(T::value)>()};
        else
            return std::numeric_limits<T>::lowest();
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P combine(const P& a, const P& b) {
        return select(a > b, a, select(a == a, b, a));
    }
};
/// Combines elements by the smaller one; NaN if one is.
struct MinimumOf {
    template <class T>
    static constexpr T identity() {
        if constexpr (std::numeric_limits<T>::has_infinity)
            return std::numeric_limits<T>::infinity();
        else if constexpr (requires(T t) { t.tangent; })
            return T{MinimumOf::identity<decltype(T::value)>()};
        else
            return std::numeric_limits<T>::max();
    }
    template <class P>
    static WEFT_ALWAYS_INLINE P combine(const P& a, const P& b) {
        return select(a < b, a, select(a == a, b, a));
    }
};

namespace detail {

/// An expression ready to run: its kernel, operands broadcast to `extents`, and constants.
template <class T>
struct DenseTask {
    DenseForward<T> forward = nullptr;
    const Operand<T>* operands = nullptr;
    int count = 0;
    const T* constants = nullptr;
    std::span<const index> extents;
    double cost = 0; // nanoseconds per element beside the memory traffic
};

/// Strides of operand `o` along the axes of `extents`, to which it broadcasts (aligned at the last axis).
template <class T>
void broadcast_strides(const Operand<T>& o, std::span<const index> extents, index* strides) {
    const int rank = static_cast<int>(extents.size());
    for (int a = 0; a < rank; ++a) {
        const int own = a - (rank - o.rank);
        strides[a] = own < 0 || o.extents[own] == 1 || o.extents[own] != extents[static_cast<std::size_t>(a)]
                         ? 0
                         : o.strides[own];
    }
}

/// The iteration of a task, with further strides (a reduction's target, an adjoint) behind those of its operands.
template <class T>
Iteration make_iteration(const DenseTask<T>& task, std::initializer_list<const index*> more = {}) {
    index strides[max_operands][max_rank];
    const index* pointers[max_operands];
    int count = 0;
    for (; count < task.count; ++count) {
        broadcast_strides(task.operands[count], task.extents, strides[count]);
        pointers[count] = strides[count];
    }
    for (const index* s : more) pointers[count++] = s;
    return Iteration(task.extents, std::span<const index* const>(pointers, static_cast<std::size_t>(count)));
}

template <class T>
double estimated_time(const DenseTask<T>& task, index size) {
    return static_cast<double>(size) *
           (0.08 * static_cast<double>(sizeof(T)) * static_cast<double>(task.count + 1) + task.cost);
}

/// What a sweep fetches before it is needed.
struct Fetching {
    bool operands = true; // those that lie in memory
    bool results = false; // the lines that results go to
    index ahead = 0;      // elements; 0: four packets
};

/// Calls the kernel on [begin, begin + n) whatever n is: the last partial packet goes through scratch.
template <class T>
void run_forward(const DenseTask<T>& task, BlockReader<T>& reader, const T* const* pointers, T* out, index n,
                 const Fetching& fetching = {}) {
    const index whole = n - n % lanes<T>;
    if (whole > 0)
        task.forward(pointers, task.constants, out,
                     {whole, fetching.operands ? reader.streams() : 0, fetching.results ? 1u : 0u, fetching.ahead,
                      reader.runs()});
    if (const index rest = n - whole; rest > 0) {
        const T* tails[max_operands];
        reader.tail(pointers, whole, rest, tails);
        T result[static_cast<std::size_t>(lanes<T>)];
        task.forward(tails, task.constants, result, {lanes<T>});
        std::copy_n(result, rest, out + whole);
    }
}

/// Writes the values of an expression, range by range, on one thread.
template <class T>
class ForwardSweep {
public:
    using Write = void (*)(const T*, std::byte*, index); // converts to another element type

    ForwardSweep(const DenseTask<T>& task, const Iteration& it, std::byte* out, index item, Write write,
                 const Fetching& fetching = {})
        : task_(task), reader_(it, task.operands, task.count), scratch_(write ? block_size<T> : 1), out_(out),
          item_(item), write_(write), fetching_(fetching) {
        if (write) fetching_.results = false;
    }

    void run(index begin, index end) {
        const T* pointers[max_operands];
        while (begin < end) {
            index n = reader_.block(begin, end - begin);
            if (write_) n = std::min(n, block_size<T>);
            reader_.read(begin, n, pointers);
            std::byte* const to = out_ + begin * item_;
            run_forward(task_, reader_, pointers, write_ ? scratch_.data() : reinterpret_cast<T*>(to), n, fetching_);
            if (write_) write_(scratch_.data(), to, n);
            begin += n;
        }
    }

private:
    const DenseTask<T>& task_;
    BlockReader<T> reader_;
    Scratch<T> scratch_;
    std::byte* out_;
    index item_;
    Write write_;
    Fetching fetching_;
};

/// out (contiguous, of the task's shape) = expression. `write` converts to another element type, if not null.
template <class T>
void dense_evaluate(const DenseTask<T>& task, std::byte* out, index item = sizeof(T),
                    typename ForwardSweep<T>::Write write = nullptr) {
    const Iteration it = make_iteration(task);
    const Chunks chunks(it.size);
    for_each_chunk(chunks.count, estimated_time(task, it.size), [&](index chunk) {
        ForwardSweep<T>(task, it, out, item, write).run(chunks.begin(chunk), chunks.end(chunk));
    });
}

/// Combination of n contiguous elements, in an order that depends on n only.
template <class Monoid, class T>
T reduce_run(const T* p, index n) {
    constexpr index w = lanes<T>;
    T result = Monoid::template identity<T>();
    index i = 0;
    if constexpr (w > 1) {
        if (n >= w) {
            Packet<T> a = load_packet(p);
            i = w;
            if (n >= 8 * w) {
                Packet<T> b = load_packet(p + w), c = load_packet(p + 2 * w), d = load_packet(p + 3 * w);
                for (i = 4 * w; i + 4 * w <= n; i += 4 * w) {
                    a = Monoid::combine(a, load_packet(p + i));
                    b = Monoid::combine(b, load_packet(p + i + w));
                    c = Monoid::combine(c, load_packet(p + i + 2 * w));
                    d = Monoid::combine(d, load_packet(p + i + 3 * w));
                }
                a = Monoid::combine(Monoid::combine(a, b), Monoid::combine(c, d));
            }
            for (; i + w <= n; i += w) a = Monoid::combine(a, load_packet(p + i));
            if constexpr (std::is_same_v<Monoid, SumOf>) {
                result = sum_lanes<T>(a);
            } else {
                if (i < n) a = Monoid::combine(a, load_first(p + i, n - i, result));
                return first_lane<T>(combine_lanes<Monoid, T>(a));
            }
        }
    }
    for (; i < n; ++i) result = Monoid::combine(result, p[i]);
    return result;
}

/// Where the first element is that is equal to `value`, or NaN as it is; n if none is.
template <class T>
index find_first(const T* p, index n, const T& value) {
    constexpr index w = lanes<T>;
    const bool number = value == value;
    index i = 0;
    if constexpr (w > 1)
        for (const Packet<T> wanted = splat(value); i + w <= n; i += w) {
            const Packet<T> a = load_packet(p + i);
            const Packet<T> one = splat(T(1)), zero = splat(T(0));
            const Packet<T> found = number ? select(a == wanted, one, zero) : select(a == a, zero, one);
            if (const std::uint32_t bits = nonzero_lanes<T>(found)) return i + std::countr_zero(bits);
        }
    while (i < n && (number ? p[i] != value : p[i] == p[i])) ++i;
    return i;
}

/// to[i] = combine(to[i], from[i])
template <class Monoid, class T>
void combine_run(T* to, const T* from, index n) {
    index i = 0;
    for (; i + lanes<T> <= n; i += lanes<T>)
        store_packet(to + i, Monoid::combine(load_packet(to + i), load_packet(from + i)));
    for (; i < n; ++i) to[i] = Monoid::combine(to[i], from[i]);
}

/// Combines the block [begin, begin + n) of the iteration into a strided target.
template <class Monoid, class T>
void scatter_block(const Iteration& it, const index* strides, T* target, index begin, index n, const T* block) {
    if (const index row = it.repeats(strides); row > 0 && row < lanes<T> && begin % row == 0 && n % row == 0) {
        T* to = target + begin / row;
        for (const T* const end = block + n; block < end; block += row, ++to) {
            T all = block[0];
            for (index i = 1; i < row; ++i) all = Monoid::combine(all, block[i]);
            *to = Monoid::combine(*to, all);
        }
        return;
    }
    for_each_run(it, strides, begin, n, [&](index offset, index stride, index at, index length) {
        T* const to = target + offset;
        if (stride == 0)
            *to = Monoid::combine(*to, reduce_run<Monoid>(block + at, length));
        else if (stride == 1)
            combine_run<Monoid>(to, block + at, length);
        else
            for (index i = 0; i < length; ++i) to[i * stride] = Monoid::combine(to[i * stride], block[at + i]);
    });
}

/// Strides of a contiguous array of the distinct elements of a broadcast operand.
inline void compact_strides(const Iteration& it, const index* strides, index* compact) {
    index step = 1;
    for (int a = it.rank; a-- > 0;) {
        compact[a] = strides[a] == 0 ? 0 : step;
        if (strides[a] != 0) step *= it.extents[a];
    }
}

/// Collects blocks of an iteration into a target that some axes broadcast over, on any number of threads with the same
/// result: where chunks meet in the same elements each has a private partial, added in a fixed tree.
template <class Monoid, class T>
class BroadcastTarget {
public:
    /// `k`: the iteration's operand whose strides the target has.
    BroadcastTarget(const Iteration& it, int k, T* target)
        : it_(it), strides_(it.strides[k]), target_(target), distinct_(it.distinct(k)), period_(it.period(k)) {
        owned_ = it.rank > 0 && strides_[0] != 0;
        if (period_ >= block_size<T> || period_ == 1 || owned_) period_ = 0;
        compact_strides(it, strides_, compact_);
    }

    /// Chunks must be whole multiples of this many elements.
    index multiple() const { return owned_ ? it_.inner_size() : 1; }
    /// Most chunks that keep the partials no larger than twice the iteration.
    index limit() const { return owned_ ? 64 : std::min<index>(64, 2 * it_.size / std::max<index>(distinct_, 1) + 1); }
    void prepare(index chunks) {
        if (owned_) return;
        partials_ = Storage::allocate(static_cast<std::size_t>(chunks * distinct_) * sizeof(T));
        chunks_ = chunks;
    }

    /// What one chunk adds; lives on the thread that runs it.
    class Writer {
    public:
        Writer(BroadcastTarget& target, index chunk)
            : t_(target), partial_(target.owned_ ? nullptr : target.partial(chunk)),
              repeated_(target.period_ ? block_size<T> + target.period_ : 1) {
            if (partial_) std::fill_n(partial_, t_.distinct_, Monoid::template identity<T>());
            if (t_.period_) std::fill_n(repeated_.data(), block_size<T> + t_.period_, Monoid::template identity<T>());
        }
        /// For periodic sums: where the kernel itself may accumulate the block at `begin`; else null.
        T* accumulate_at(index begin) { return t_.period_ ? repeated_.data() + begin % t_.period_ : nullptr; }
        void add(index begin, index n, const T* block) {
            if (t_.period_)
                combine_run<Monoid>(repeated_.data() + begin % t_.period_, block, n);
            else if (partial_)
                scatter_block<Monoid>(t_.it_, t_.compact_, partial_, begin, n, block);
            else
                scatter_block<Monoid>(t_.it_, t_.strides_, t_.target_, begin, n, block);
        }
        /// Adds to the target of the element at `begin`.
        void add_to_one(index begin, const T& value) {
            const index* const strides = partial_ ? t_.compact_ : t_.strides_;
            T* const to = partial_ ? partial_ : t_.target_;
            for_each_run(t_.it_, strides, begin, 1,
                         [&](index offset, index, index, index) { to[offset] = Monoid::combine(to[offset], value); });
        }
        void finish() {
            if (t_.period_)
                for (index at = 0; at < block_size<T> + t_.period_; at += t_.period_)
                    combine_run<Monoid>(partial_, repeated_.data() + at,
                                        std::min(t_.period_, block_size<T> + t_.period_ - at));
        }

    private:
        BroadcastTarget& t_;
        T* partial_;
        Scratch<T> repeated_;
    };

    /// Adds the partials in a fixed tree, then into the target.
    void finish() {
        if (owned_ || chunks_ == 0) return;
        for (index step = 1; step < chunks_; step *= 2)
            for (index c = 0; c + step < chunks_; c += 2 * step)
                combine_run<Monoid>(partial(c), partial(c + step), distinct_);
        Iteration distinct = it_;
        for (int a = 0; a < it_.rank; ++a)
            if (strides_[a] == 0) distinct.extents[a] = 1;
        scatter_block<Monoid>(distinct, strides_, target_, 0, distinct_, partial(0));
    }

private:
    T* partial(index chunk) { return reinterpret_cast<T*>(partials_.data()) + chunk * distinct_; }

    const Iteration& it_;
    const index* strides_;
    T* target_;
    index distinct_;
    index period_;
    index compact_[max_rank] = {};
    bool owned_ = false;
    index chunks_ = 0;
    Storage partials_;
};

/// target (strides 0 along the reduced axes; filled with the identity) = combination of the expression over them.
template <class Monoid, class T>
void dense_reduce(const DenseTask<T>& task, const index* target_strides, T* target) {
    const Iteration it = make_iteration(task, {target_strides});
    if (it.size == 0) return;
    BroadcastTarget<Monoid, T> result(it, task.count, target);
    const Chunks chunks(it.size, result.multiple(), result.limit());
    result.prepare(chunks.count);
    for_each_chunk(chunks.count, estimated_time(task, it.size), [&](index chunk) {
        BlockReader<T> reader(it, task.operands, task.count);
        Scratch<T> values(task.forward ? block_size<T> : 1);
        typename BroadcastTarget<Monoid, T>::Writer writer(result, chunk);
        const T* pointers[max_operands];
        for (index begin = chunks.begin(chunk), end = chunks.end(chunk); begin < end;) {
            const index n = reader.block(begin, std::min(end - begin, block_size<T>));
            reader.read(begin, n, pointers);
            if (task.forward) { // a bare leaf has no kernel: it is read where it lies
                run_forward(task, reader, pointers, values.data(), n);
                writer.add(begin, n, values.data());
            } else {
                writer.add(begin, n, pointers[0]);
            }
            begin += n;
        }
        writer.finish();
    });
    result.finish();
}

/// Where the gradient of one operand goes.
template <class T>
struct GradientTarget {
    T* data = nullptr;  // the element that the operand's first element has as its gradient; null: not wanted
    bool first = false; // nothing there yet: store (only for operands that cover the whole gradient contiguously)
};

/// The gradients of an expression's operands, given the adjoint of its value: an operand of its own behind them, so
/// that reductions hand down theirs with broadcast strides.
template <class T>
class BackwardTask {
public:
    using Target = BroadcastTarget<SumOf, T>;

    BackwardTask(const DenseTask<T>& task, DenseBackward<T> kernel, const Operand<T>& adjoint,
                 const GradientTarget<T>* targets)
        : task_(task), kernel_(kernel), targets_(targets), count_(task.count), all_(with_adjoint(adjoint)),
          it_(make_iteration(all_)) {
        if (it_.size == 0) return;
        index limit = 64;
        for (int k = 0; k < count_; ++k) {
            shared_of_[k] = -1;
            if (!targets[k].data || it_.contiguous(k)) continue;
            shared_of_[k] = shared_.size();
            const Target& target = shared_.emplace(it_, k, targets[k].data);
            multiple_ = std::max(multiple_, target.multiple());
            limit = std::min(limit, target.limit());
        }
        limit_ = limit;
    }
    BackwardTask(const BackwardTask&) = delete;

    /// Sweeps over all chunks, each a multiple of `multiple` long, and calls after(begin, end) behind every range of at
    /// most `range` elements.
    template <class After>
    void run(index multiple, index range, const Fetching& fetching, const After& after) {
        if (it_.size == 0) return;
        fetching_ = fetching;
        const Chunks chunks(it_.size, std::max(multiple, multiple_), limit_);
        for (Target& t : shared_) t.prepare(chunks.count);
        for_each_chunk(chunks.count, 3 * estimated_time(all_, it_.size), [&](index chunk) {
            Sweep sweep(*this, chunk);
            for (index begin = chunks.begin(chunk), end = chunks.end(chunk); begin < end; begin += range) {
                const index range_end = std::min(end, begin + range);
                sweep.run(begin, range_end);
                after(begin, range_end);
            }
            sweep.finish();
        });
        for (Target& t : shared_) t.finish();
    }

private:
    /// The part of one thread.
    class Sweep {
    public:
        Sweep(BackwardTask& task, index chunk)
            : t_(task), reader_(task.it_, task.operands_, task.count_ + 1),
              scratch_(task.count_ * Scratch<T>::rounded(block_size<T>)) {
            for (Target& target : t_.shared_) writers_.emplace(target, chunk);
            for (int k = 0; k < t_.count_; ++k) {
                const bool own = t_.targets_[k].data && t_.shared_of_[k] < 0;
                direct_ = direct_ && own;
                if (own && t_.fetching_.results) written_ |= 1u << k;
                buffer_[k] = own ? nullptr : scratch_.take(block_size<T>);
            }
        }
        void run(index begin, index end) {
            while (begin < end) {
                const index n = reader_.block(begin, direct_ ? end - begin : std::min(end - begin, block_size<T>));
                run_block(begin, n);
                begin += n;
            }
        }
        void finish() {
            for (auto& w : writers_) w.finish();
        }

    private:
        void run_block(index begin, index n) {
            const int count = t_.count_;
            const T* pointers[max_operands];
            T* gradients[max_operands];
            reader_.read(begin, n, pointers);
            unsigned first = 0;
            bool scatter[max_operands] = {};
            for (int k = 0; k < count; ++k) {
                bool store_it = true;
                if (!buffer_[k]) {
                    gradients[k] = t_.targets_[k].data + begin;
                    store_it = t_.targets_[k].first;
                } else if (reader_.is_run(k)) {
                    gradients[k] = buffer_[k];
                    store_it = false;
                    scatter[k] = t_.shared_of_[k] >= 0;
                    std::fill_n(gradients[k], lanes<T>, T{});
                } else if (T* const at =
                               t_.shared_of_[k] < 0 ? nullptr : writers_[t_.shared_of_[k]].accumulate_at(begin)) {
                    gradients[k] = at;
                    store_it = false;
                } else {
                    gradients[k] = buffer_[k];
                    scatter[k] = t_.shared_of_[k] >= 0;
                }
                if (store_it) first |= 1u << k;
            }
            const index whole = n - n % lanes<T>;
            if (whole > 0)
                t_.kernel_(pointers, t_.task_.constants, pointers[count], gradients, first,
                           {whole, reader_.streams(), written_, t_.fetching_.ahead, reader_.runs()});
            if (const index rest = n - whole; rest > 0) run_tail(pointers, gradients, first, whole, rest);
            for (int k = 0; k < count; ++k) {
                if (!scatter[k]) continue;
                auto& writer = writers_[t_.shared_of_[k]];
                if (reader_.is_run(k))
                    writer.add_to_one(begin, reduce_run<SumOf>(gradients[k], lanes<T>));
                else
                    writer.add(begin, n, gradients[k]);
            }
        }
        /// The last elements of a block, less than a packet.
        WEFT_NOINLINE void run_tail(const T* const* pointers, T* const* gradients, unsigned first, index whole,
                                    index rest) {
            const int count = t_.count_;
            const T* tails[max_operands];
            reader_.tail(pointers, whole, rest, tails);
            T memory[max_operands][static_cast<std::size_t>(lanes<T>)];
            T* tail_gradients[max_operands];
            const auto offset = [&](int k) { return reader_.is_run(k) ? 0 : whole; };
            for (int k = 0; k < count; ++k) {
                // Leaves of one gradient (x * x) share its scratch too, or one would overwrite the other's part.
                int same = 0;
                while (gradients[same] != gradients[k]) ++same;
                tail_gradients[k] = memory[same];
                if (same == k && !(first >> k & 1u)) {
                    std::fill_n(memory[k], lanes<T>, T{});
                    std::copy_n(gradients[k] + offset(k), rest, memory[k]);
                }
            }
            t_.kernel_(tails, t_.task_.constants, tails[count], tail_gradients, first, {lanes<T>});
            for (int k = 0; k < count; ++k) std::copy_n(tail_gradients[k], rest, gradients[k] + offset(k));
        }

        BackwardTask& t_;
        BlockReader<T> reader_;
        Scratch<T> scratch_;
        T* buffer_[max_operands];
        FixedVector<typename Target::Writer, max_operands> writers_;
        bool direct_ = true;
        unsigned written_ = 0;
    };

    DenseTask<T> with_adjoint(const Operand<T>& adjoint) {
        for (int k = 0; k < count_; ++k) operands_[k] = task_.operands[k];
        operands_[count_] = adjoint;
        DenseTask<T> all = task_;
        all.operands = operands_;
        ++all.count;
        return all;
    }

    const DenseTask<T>& task_;
    DenseBackward<T> kernel_;
    const GradientTarget<T>* targets_;
    int count_;
    Operand<T> operands_[max_operands];
    DenseTask<T> all_;
    Iteration it_;
    FixedVector<Target, max_operands> shared_;
    int shared_of_[max_operands];
    index multiple_ = 1, limit_ = 64;
    Fetching fetching_;
};

/// Adds (or stores) the gradients of all wanted operands.
template <class T>
void dense_backward(const DenseTask<T>& task, DenseBackward<T> kernel, const Operand<T>& adjoint,
                    const GradientTarget<T>* targets) {
    BackwardTask<T> backward(task, kernel, adjoint, targets);
    backward.run(1, std::numeric_limits<index>::max() / 2, {}, [](index, index) {});
}

template <class T>
using BackwardDriver = void (*)(const DenseTask<T>&, DenseBackward<T>, const Operand<T>&, const GradientTarget<T>*);

} // namespace detail
} // namespace weft::inline WEFT_ABI
