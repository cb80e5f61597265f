// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/error.hpp>
#include <weft/core/index.hpp>

#include <algorithm>
#include <atomic>
#include <exception>
#include <memory>
#include <mutex>
#include <type_traits>

#ifdef _OPENMP
#include <omp.h>
#else
#include <thread>
#endif

namespace weft {

/// Runs the chunks of a parallel_for on the caller's own threads; see `set_executor`.
///
/// `run(state, chunks, body, context)` must call `body(context, chunk)` once for every chunk in [0, chunks), in any
/// order and on any threads, and return when all calls have returned. `body` never throws. Chunks next to each other
/// should go to the same thread: they touch neighbouring memory.
struct Executor {
    using Body = void (*)(void* context, std::ptrdiff_t chunk);
    void* state = nullptr;
    void (*run)(void* state, std::ptrdiff_t chunks, Body body, void* context) = nullptr;
};

// Outside WEFT_ABI: translation units compiled with different flags share one thread count and one executor.
namespace process {
/// What set_thread_count set; 0: nothing yet.
inline std::atomic<int> thread_count{0};
/// What set_executor set; null: OpenMP, or the thread that calls.
inline std::atomic<const Executor*> executor{nullptr};
/// Whether this thread is within a parallel_for, which then runs on it alone.
inline constinit thread_local bool in_parallel_for = false;
} // namespace process

} // namespace weft

namespace weft::inline WEFT_ABI {

/// Threads that parallel_for may use: what set_thread_count said, else OpenMP's maximum (OMP_NUM_THREADS), else the
/// number of hardware threads.
inline int thread_count() {
    if (const int count = process::thread_count.load(std::memory_order_relaxed); count > 0) return count;
#ifdef _OPENMP
    return omp_get_max_threads();
#else
    static const int hardware = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
    return hardware;
#endif
}

/// Sets the number of threads of the process; 1 is fully serial, 0 is the default again. No result depends on it.
/// Throws Error when `count` is negative.
inline void set_thread_count(int count) {
    if (count < 0) throw error("set_thread_count", "the count is {}; it must be 0 (default) or positive", count);
    process::thread_count.store(count, std::memory_order_relaxed);
}

/// Makes parallel_for hand its chunks to `executor` (OpenMP, or serial without it, when null). The object must live
/// until another executor is set and no parallel_for runs any more.
inline void set_executor(const Executor* executor) noexcept {
    process::executor.store(executor, std::memory_order_release);
}

namespace detail {

// One running parallel_for: which chunk failed first, and how.
class ParallelRegion {
public:
    ParallelRegion(index chunks, Executor::Body body, void* context)
        : body_(body), context_(context), failed_(chunks) {}

    // Chunks behind a failed one are skipped, chunks before it still run: the error thrown is always the lowest
    // chunk's, as in a serial loop.
    void run(index chunk) noexcept {
        if (chunk > failed_.load(std::memory_order_relaxed)) return;
        const bool outer = process::in_parallel_for;
        process::in_parallel_for = true;
        try {
            body_(context_, chunk);
        } catch (...) {
            const std::lock_guard lock(mutex_);
            if (chunk < failed_.load(std::memory_order_relaxed)) {
                failed_.store(chunk, std::memory_order_relaxed);
                error_ = std::current_exception();
            }
        }
        process::in_parallel_for = outer;
    }

    void rethrow() const {
        if (error_) std::rethrow_exception(error_);
    }

private:
    Executor::Body body_;
    void* context_;
    std::atomic<index> failed_;
    std::mutex mutex_;
    std::exception_ptr error_;
};

inline bool in_parallel_region() {
#ifdef _OPENMP
    if (omp_in_parallel() != 0) return true;
#endif
    return process::in_parallel_for;
}

// Not a template: OpenMP code exists once per program.
WEFT_NOINLINE inline void run_chunks(index chunks, Executor::Body body, void* context) {
    const index threads = std::min<index>(thread_count(), chunks);
    if (threads > 1 && !in_parallel_region()) {
        if (const Executor* executor = process::executor.load(std::memory_order_acquire); executor != nullptr) {
            ParallelRegion region(chunks, body, context);
            executor->run(
                executor->state, chunks, [](void* r, index chunk) { static_cast<ParallelRegion*>(r)->run(chunk); },
                &region);
            return region.rethrow();
        }
#ifdef _OPENMP
        ParallelRegion region(chunks, body, context);
#pragma omp parallel num_threads(static_cast <int>(threads))
        {
            const index thread = omp_get_thread_num(), team = omp_get_num_threads();
            const index share = chunks / team, rest = chunks % team;
            const index first = thread * share + std::min(thread, rest);
            const index last = first + share + (thread < rest ? 1 : 0);
            for (index chunk = first; chunk < last; ++chunk) region.run(chunk);
        }
        return region.rethrow();
#endif
    }
    for (index chunk = 0; chunk < chunks; ++chunk) body(context, chunk);
}

} // namespace detail

/// Calls f(chunk) for every chunk in [0, chunks), on up to thread_count() threads, each with a contiguous share of the
/// chunks. Serial in ascending order when there is one thread, fewer than two chunks, or when the caller already runs
/// inside a parallel region. When calls throw, the exception of the lowest chunk is rethrown here, after all threads
/// are done.
///
/// What the chunks are must follow from the data alone, never from the number of threads; then so do the results.
template <class F>
void parallel_for(index chunks, F&& f) {
    using Function = std::remove_reference_t<F>;
    detail::run_chunks(
        chunks, [](void* context, index chunk) { (*static_cast<Function*>(context))(chunk); },
        const_cast<void*>(static_cast<const void*>(std::addressof(f))));
}

/// Calls f(begin, end) for consecutive ranges of `grain` elements (the last one may be shorter) that cover [0, size),
/// with parallel_for over the ranges. `grain` must be positive.
template <class F>
void parallel_for_ranges(index size, index grain, F&& f) {
    const index chunks = size / grain + (size % grain > 0 ? 1 : 0);
    parallel_for(chunks, [&](index chunk) {
        const index begin = chunk * grain;
        f(begin, std::min(grain, size - begin) + begin);
    });
}

} // namespace weft::inline WEFT_ABI
