// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/storage.hpp>

#include <cstddef>
#include <vector>

namespace weft::inline WEFT_ABI::detail {

/// Uninitialised memory from the recycling pool, for give_memory; aligned as tensors are.
WEFT_NOINLINE inline void* take_memory(std::size_t bytes) {
    Block* const block = Pool::instance().take(bytes + alignment);
    *reinterpret_cast<Block**>(block->data) = block;
    return block->data + alignment;
}
WEFT_NOINLINE inline void give_memory(void* memory) noexcept {
    Pool::instance().put(*reinterpret_cast<Block**>(static_cast<std::byte*>(memory) - alignment));
}

/// Standard containers and std::allocate_shared with it ask nothing of the system once the pool has what they need:
/// for what operations make on every call.
template <class T>
struct PoolAllocator {
    static_assert(alignof(T) <= alignment);
    using value_type = T;

    PoolAllocator() = default;
    template <class U>
    PoolAllocator(const PoolAllocator<U>&) noexcept {}

    T* allocate(std::size_t n) {
        if (n > static_cast<std::size_t>(-1) / 2 / sizeof(T)) throw std::bad_array_new_length();
        return static_cast<T*>(take_memory(n * sizeof(T)));
    }
    void deallocate(T* p, std::size_t) noexcept { give_memory(p); }

    template <class U>
    friend bool operator==(const PoolAllocator&, const PoolAllocator<U>&) noexcept {
        return true;
    }
};

template <class T>
using PoolVector = std::vector<T, PoolAllocator<T>>;

} // namespace weft::inline WEFT_ABI::detail
