// SPDX-License-Identifier: MIT
#include "thread_executor.hpp"
#include "weft_test.hpp"

#include <weft/core/parallel_for.hpp>

#include <atomic>
#include <set>
#include <thread>
#include <vector>

using weft_test::ThreadCount;
using weft_test::ThreadExecutor;

namespace {

std::vector<int> visits(weft::index chunks) {
    std::vector<int> count(static_cast<std::size_t>(chunks), 0);
    weft::parallel_for(chunks, [&](weft::index c) { ++count[static_cast<std::size_t>(c)]; });
    return count;
}

// Chunks 5, 6, ... throw their number; what the caller catches.
int caught(weft::index chunks) {
    try {
        weft::parallel_for(chunks, [](weft::index c) {
            // Later chunks fail sooner, so the lowest one is not the first in time.
            if (c == 5) std::this_thread::sleep_for(std::chrono::milliseconds(5));
            if (c >= 5) throw static_cast<int>(c);
        });
    } catch (int c) {
        return c;
    }
    return -1;
}

} // namespace

TEST_CASE("parallel_for: every chunk runs exactly once, whatever the number of threads", "[core]") {
    for (const int threads : {1, 2, 3, 7, 64})
        for (const weft::index chunks : {0, 1, 2, 3, 7, 8, 100, 1001}) {
            const std::vector<int> once(static_cast<std::size_t>(chunks), 1);
            {
                const ThreadCount count(threads);
                REQUIRE(visits(chunks) == once);
            }
            const ThreadExecutor executor(threads);
            REQUIRE(visits(chunks) == once);
            REQUIRE(executor.calls() == (threads > 1 && chunks > 1 ? 1 : 0));
        }
}

TEST_CASE("parallel_for: the exception of the lowest chunk reaches the caller", "[core]") {
    for (const int threads : {1, 2, 3, 7}) {
        {
            const ThreadCount count(threads);
            REQUIRE(caught(40) == 5);
            REQUIRE(caught(6) == 5);
            REQUIRE(caught(5) == -1);
            REQUIRE(visits(10) == std::vector<int>(10, 1)); // a failed call leaves nothing behind
        }
        const ThreadExecutor executor(threads);
        REQUIRE(caught(40) == 5);
        REQUIRE(visits(10) == std::vector<int>(10, 1));
    }
}

TEST_CASE("parallel_for: one thread runs in order on the caller", "[core]") {
    const ThreadCount count(1);
    std::vector<weft::index> order;
    bool same_thread = true;
    const auto caller = std::this_thread::get_id();
    weft::parallel_for(20, [&](weft::index c) {
        order.push_back(c);
        same_thread = same_thread && std::this_thread::get_id() == caller;
    });
    REQUIRE(same_thread);
    REQUIRE(order.size() == 20);
    for (weft::index i = 0; i < 20; ++i) REQUIRE(order[static_cast<std::size_t>(i)] == i);
}

TEST_CASE("parallel_for: two threads take contiguous halves", "[core]") {
    std::vector<std::thread::id> owner(9);
    const auto record = [&](weft::index c) { owner[static_cast<std::size_t>(c)] = std::this_thread::get_id(); };
#ifdef _OPENMP
    const ThreadCount count(2);
#else
    const ThreadExecutor executor(2);
#endif
    weft::parallel_for(9, record);
    REQUIRE(std::set<std::thread::id>(owner.begin(), owner.end()).size() == 2);
    int changes = 0;
    for (std::size_t c = 1; c < owner.size(); ++c) changes += owner[c] != owner[c - 1];
    REQUIRE(changes == 1);
}

TEST_CASE("parallel_for: a nested call runs serially on its thread", "[core]") {
    const auto run = [] {
        std::atomic<int> inner{0}, elsewhere{0};
        weft::parallel_for(4, [&](weft::index) {
            const auto thread = std::this_thread::get_id();
            weft::parallel_for(8, [&](weft::index) {
                ++inner;
                if (std::this_thread::get_id() != thread) ++elsewhere;
            });
        });
        REQUIRE(inner == 32);
        REQUIRE(elsewhere == 0);
    };
    {
        const ThreadCount count(3);
        run();
    }
    const ThreadExecutor executor(3);
    run();
    REQUIRE(executor.calls() == 1);
}

TEST_CASE("parallel_for: a nested call's exception passes through the outer loop", "[core]") {
    const ThreadExecutor executor(3);
    const auto nested = [] {
        weft::parallel_for(6, [](weft::index outer) {
            weft::parallel_for(4, [&](weft::index inner) {
                if (outer >= 2 && inner >= 1) throw static_cast<int>(10 * outer + inner);
            });
        });
    };
    int what = 0;
    try {
        nested();
    } catch (int c) {
        what = c;
    }
    REQUIRE(what == 21);
}

TEST_CASE("parallel_for: ranges cover the elements once", "[core]") {
    const ThreadExecutor executor(3);
    for (const weft::index size : {0, 1, 9, 10, 11, 99, 100}) {
        std::vector<int> count(static_cast<std::size_t>(size), 0);
        std::atomic<bool> full{true};
        weft::parallel_for_ranges(size, 10, [&](weft::index begin, weft::index end) {
            if (begin % 10 != 0 || end - begin > 10 || (end - begin < 10 && end != size)) full = false;
            for (weft::index i = begin; i < end; ++i) ++count[static_cast<std::size_t>(i)];
        });
        REQUIRE(full);
        REQUIRE(count == std::vector<int>(static_cast<std::size_t>(size), 1));
    }
}

TEST_CASE("parallel_for: the thread count can be set, reset, and not be negative", "[core]") {
    const int usual = weft::thread_count();
    REQUIRE(usual >= 1);
    weft::set_thread_count(5);
    REQUIRE(weft::thread_count() == 5);
    REQUIRE_THROWS_WITH(weft::set_thread_count(-1), ContainsSubstring("weft: set_thread_count: the count is -1"));
    REQUIRE(weft::thread_count() == 5);
    weft::set_thread_count(0);
    REQUIRE(weft::thread_count() == usual);
}
