// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/parallel_for.hpp>

#include <algorithm>
#include <cstddef>
#include <thread>
#include <vector>

namespace weft_test {

/// Runs parallel_for on `threads` std::threads while it lives. The thread sanitizer follows these, but not the
/// uninstrumented OpenMP runtime of g++, whose barriers it reports as races.
class ThreadExecutor {
public:
    explicit ThreadExecutor(int threads) : threads_(threads) {
        weft::set_thread_count(threads);
        weft::set_executor(&executor_);
    }
    ThreadExecutor(const ThreadExecutor&) = delete;
    ThreadExecutor& operator=(const ThreadExecutor&) = delete;
    ~ThreadExecutor() {
        weft::set_executor(nullptr);
        weft::set_thread_count(0);
    }

    /// How many times parallel_for came here.
    int calls() const { return calls_; }

private:
    static void run(void* self, std::ptrdiff_t chunks, weft::Executor::Body body, void* context) {
        auto& executor = *static_cast<ThreadExecutor*>(self);
        ++executor.calls_;
        const std::ptrdiff_t team = std::min<std::ptrdiff_t>(executor.threads_, chunks);
        std::vector<std::thread> threads;
        for (std::ptrdiff_t t = 0; t < team; ++t)
            threads.emplace_back([=] {
                for (std::ptrdiff_t c = chunks * t / team; c < chunks * (t + 1) / team; ++c) body(context, c);
            });
        for (std::thread& thread : threads) thread.join();
    }

    int threads_;
    int calls_ = 0;
    weft::Executor executor_{this, &run};
};

/// Sets the thread count while it lives.
class ThreadCount {
public:
    explicit ThreadCount(int threads) { weft::set_thread_count(threads); }
    ThreadCount(const ThreadCount&) = delete;
    ThreadCount& operator=(const ThreadCount&) = delete;
    ~ThreadCount() { weft::set_thread_count(0); }
};

} // namespace weft_test
