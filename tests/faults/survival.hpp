// SPDX-License-Identifier: MIT
// What a program does when the system has no more memory. One of its sources includes counted_memory.hpp.
#pragma once

#include "../memory_counts.hpp"
#include "../thread_executor.hpp"
#include "../weft_test.hpp"

#include <weft/core/storage.hpp>

#include <new>
#include <vector>

namespace weft_test {

using Numbers = std::vector<double>;

void append(Numbers& all, const auto& tensor) {
    for (const auto x : tensor.values()) all.push_back(static_cast<double>(x));
}
template <class... X>
Numbers numbers_of(const X&... tensors) {
    Numbers all;
    (append(all, tensors), ...);
    return all;
}

/// Requires of run(state), with a state from make(): whichever request for memory fails, a std::bad_alloc comes out;
/// the next run with the same state gives the right result; nothing is kept of the two when the state is gone.
void require_survival(const auto& make, const auto& run) {
    auto& memory = counted_memory;
    auto& pool = weft::detail::Pool::instance();
    const Numbers expected = [&] {
        auto state = make();
        return run(state);
    }(); // also makes what is made once and kept
    std::size_t failures = 0;
    for (std::size_t n = 1;; ++n) {
        bool asked = false, failed = false, right_at_once = true, right = false;
        pool.trim();
        const std::size_t live = memory.live, in_use = weft::memory_in_use();
        {
            auto state = make();
            pool.trim(); // so that what the pool is asked for is asked of the system
            memory.failing = memory.requests + n;
            try {
                right_at_once = run(state) == expected;
            } catch (const std::bad_alloc&) {
                failed = true;
            }
            asked = memory.requests >= memory.failing;
            memory.failing = 0;
            right = !failed || run(state) == expected;
        }
        pool.trim();
        const std::size_t live_after = memory.live, in_use_after = weft::memory_in_use();
        INFO("request " << n);
        REQUIRE(right_at_once);
        REQUIRE(right);
        REQUIRE(in_use_after == in_use);
        REQUIRE(live_after == live);
        REQUIRE((asked || !failed));
        failures += failed;
        if (!asked) break;
    }
    REQUIRE(failures > 0);
}
void require_survival(const auto& run) {
    require_survival([] { return 0; }, [&](int) { return run(); });
}

/// Both on one thread and on two.
template <class F>
void on_threads(F f) {
    for (const int threads : {1, 2}) {
        INFO(threads << " threads");
        const ThreadCount count(threads);
        f();
    }
}

} // namespace weft_test
