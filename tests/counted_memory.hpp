// SPDX-License-Identifier: MIT
// Counts what the program asks of the system, and lets a request fail. This header replaces operator new and delete, so
// one source file of a program includes it.
#pragma once

#include "memory_counts.hpp"

#include <weft/core/storage.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace weft_test {

namespace detail {

// Every block is preceded by its size, at the distance of its alignment.
inline std::size_t distance_of(std::size_t alignment) { return std::max<std::size_t>(alignment, 64); }

inline void* take(std::size_t bytes, std::size_t alignment, const std::nothrow_t&) noexcept {
    CountedMemory& memory = counted_memory;
    if (++memory.requests == memory.failing) return nullptr;
    const std::size_t distance = distance_of(alignment);
    const std::size_t total = (bytes + 2 * distance - 1) / distance * distance;
    auto* const base = static_cast<std::byte*>(std::aligned_alloc(distance, total));
    if (!base) return nullptr;
    new (base) std::size_t(bytes);
    const std::size_t now = memory.live.fetch_add(bytes) + bytes;
    for (std::size_t most = memory.peak.load(); now > most && !memory.peak.compare_exchange_weak(most, now);) {
    }
    return base + distance;
}
inline void* take(std::size_t bytes, std::size_t alignment) {
    void* const p = take(bytes, alignment, std::nothrow);
    if (!p) throw std::bad_alloc();
    return p;
}
inline void give(void* p, std::size_t alignment) noexcept {
    if (!p) return;
    std::byte* const base = static_cast<std::byte*>(p) - distance_of(alignment);
    counted_memory.live.fetch_sub(*reinterpret_cast<std::size_t*>(base));
    std::free(base);
}

} // namespace detail

/// The most bytes that f() has at a time, beyond those that are there already. The pool keeps what it has, so it is
/// emptied before.
template <class F>
double peak_of(F f) {
    f(); // what is made once and kept, as the orders of a graph's edges, is not counted
    weft::detail::Pool::instance().trim();
    const std::size_t before = counted_memory.live;
    counted_memory.peak = before;
    f();
    return static_cast<double>(counted_memory.peak - before);
}

} // namespace weft_test

using weft_test::detail::give, weft_test::detail::take;

// All of them: a library that replaces them too (a sanitizer) must not answer for some.
void* operator new(std::size_t bytes) { return take(bytes, 1); }
void* operator new(std::size_t bytes, const std::nothrow_t& none) noexcept { return take(bytes, 1, none); }
void* operator new(std::size_t bytes, std::align_val_t a) { return take(bytes, std::size_t(a)); }
void* operator new(std::size_t bytes, std::align_val_t a, const std::nothrow_t& none) noexcept {
    return take(bytes, std::size_t(a), none);
}
void operator delete(void* p) noexcept { give(p, 1); }
void operator delete(void* p, std::size_t) noexcept { give(p, 1); }
void operator delete(void* p, const std::nothrow_t&) noexcept { give(p, 1); }
void operator delete(void* p, std::align_val_t a) noexcept { give(p, std::size_t(a)); }
void operator delete(void* p, std::size_t, std::align_val_t a) noexcept { give(p, std::size_t(a)); }
void operator delete(void* p, std::align_val_t a, const std::nothrow_t&) noexcept { give(p, std::size_t(a)); }
void* operator new[](std::size_t bytes) { return take(bytes, 1); }
void* operator new[](std::size_t bytes, const std::nothrow_t& none) noexcept { return take(bytes, 1, none); }
void* operator new[](std::size_t bytes, std::align_val_t a) { return take(bytes, std::size_t(a)); }
void* operator new[](std::size_t bytes, std::align_val_t a, const std::nothrow_t& none) noexcept {
    return take(bytes, std::size_t(a), none);
}
void operator delete[](void* p) noexcept { give(p, 1); }
void operator delete[](void* p, std::size_t) noexcept { give(p, 1); }
void operator delete[](void* p, const std::nothrow_t&) noexcept { give(p, 1); }
void operator delete[](void* p, std::align_val_t a) noexcept { give(p, std::size_t(a)); }
void operator delete[](void* p, std::size_t, std::align_val_t a) noexcept { give(p, std::size_t(a)); }
void operator delete[](void* p, std::align_val_t a, const std::nothrow_t&) noexcept { give(p, std::size_t(a)); }
