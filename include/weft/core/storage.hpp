// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/error.hpp>
#include <weft/core/index.hpp>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstring>
#include <mutex>
#include <new>
#include <utility>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace weft::inline WEFT_ABI {

namespace detail {

/// A reference-counted block of memory. Own blocks are 64-byte aligned and readable for `slack` bytes after their end,
/// so the last SIMD load of a row may overrun; foreign memory promises neither.
struct Block {
    std::atomic<index> references{1};
    std::byte* data = nullptr;
    std::size_t bytes = 0;
    int size_class = 0;
    bool foreign = false;
    void (*release)(Block*) noexcept = nullptr;
    Block* next = nullptr;
};

inline constexpr std::size_t alignment = 64;
inline constexpr std::size_t slack = 256; // two packets of Dual numbers

/// Recycling allocator. Size classes grow by a quarter of a power of two. Large blocks start at staggered offsets
/// within a page: streams that share their page offset alias in the first-level cache.
class Pool {
public:
    static Pool& instance() {
        static Pool* const pool = new Pool; // never destroyed: tensors of static storage duration may outlive it
        return *pool;
    }

    Block* take(std::size_t bytes) {
        const int size_class = class_of(bytes);
        {
            const std::lock_guard lock(mutex_);
            Block*& head = free_[size_class];
            if (Block* const block = head) {
                head = block->next;
                count(bytes);
                block->references.store(1, std::memory_order_relaxed);
                block->bytes = bytes;
                std::memset(block->data + bytes, 0, slack);
                return block;
            }
            ++system_allocations_;
        }
        const std::size_t capacity = capacity_of(size_class);
        constexpr std::size_t header = (sizeof(Block) + alignment - 1) / alignment * alignment;
        const std::size_t colour = capacity >= large ? next_colour() : 0;
        const std::size_t total = header + colour + capacity + slack;
        const std::align_val_t align{block_alignment(capacity)};
        void* const memory = ::operator new(total, align);
#ifdef MADV_HUGEPAGE
        if (capacity >= huge_page) ::madvise(memory, total, MADV_HUGEPAGE); // a hint: gathers miss the TLB less
#endif
        Block* const block = new (memory) Block;
        block->data = static_cast<std::byte*>(memory) + header + colour;
        block->bytes = bytes;
        block->size_class = size_class;
        block->release = [](Block* b) noexcept { instance().put(b); };
        std::memset(block->data + bytes, 0, slack);
        const std::lock_guard lock(mutex_);
        count(bytes);
        return block;
    }

    void put(Block* block) noexcept {
        const std::lock_guard lock(mutex_);
        in_use_ -= block->bytes;
        block->next = free_[block->size_class];
        free_[block->size_class] = block;
    }

    /// Gives all recycled blocks back to the system.
    void trim() noexcept {
        const std::lock_guard lock(mutex_);
        for (Block*& head : free_)
            while (Block* const block = head) {
                head = block->next;
                const std::align_val_t align{block_alignment(capacity_of(block->size_class))};
                block->~Block();
                ::operator delete(static_cast<void*>(block), align);
            }
    }

    /// How often memory was asked of the system since the program began.
    std::size_t system_allocations() const noexcept {
        const std::lock_guard lock(mutex_);
        return system_allocations_;
    }

    std::size_t in_use() const noexcept {
        const std::lock_guard lock(mutex_);
        return in_use_;
    }
    std::size_t peak() const noexcept {
        const std::lock_guard lock(mutex_);
        return peak_;
    }
    void reset_peak() noexcept {
        const std::lock_guard lock(mutex_);
        peak_ = in_use_;
    }

private:
    void count(std::size_t bytes) noexcept {
        in_use_ += bytes;
        peak_ = std::max(peak_, in_use_);
    }

    static constexpr std::size_t large = 32 * 1024;
    static constexpr std::size_t huge_page = std::size_t{2} << 20;

    static constexpr std::size_t block_alignment(std::size_t capacity) {
        return capacity >= huge_page ? huge_page : alignment;
    }

    // Class 4k + r holds up to 64 * 2^k * (4 + r) / 4 bytes.
    static int class_of(std::size_t bytes) {
        if (bytes <= 64) return 0;
        const int k = static_cast<int>(std::bit_width((bytes - 1) / 64)) - 1;
        const std::size_t quarter = std::size_t{16} << k;
        const std::size_t r = (bytes - (std::size_t{64} << k) + quarter - 1) / quarter;
        return 4 * k + static_cast<int>(r);
    }
    static std::size_t capacity_of(int c) { return (std::size_t{16} << (c / 4)) * static_cast<std::size_t>(4 + c % 4); }

    std::size_t next_colour() { return colour_.fetch_add(1, std::memory_order_relaxed) % 13 * 320; }

    mutable std::mutex mutex_;
    Block* free_[256] = {};
    std::size_t system_allocations_ = 0;
    std::size_t in_use_ = 0, peak_ = 0;
    std::atomic<std::size_t> colour_{0};
};

} // namespace detail

/// Bytes that tensors and tapes hold now.
inline std::size_t memory_in_use() noexcept { return detail::Pool::instance().in_use(); }
/// The most bytes held at a time since the program began, or the last reset_peak_memory().
inline std::size_t peak_memory() noexcept { return detail::Pool::instance().peak(); }
/// Forgets the peak: it is what is held now.
inline void reset_peak_memory() noexcept { detail::Pool::instance().reset_peak(); }

/// Shared ownership of a block of memory; copying is one atomic increment.
class Storage {
public:
    Storage() = default;
    /// Another share of the same block.
    Storage(const Storage& other) noexcept : block_(other.block_) {
        if (block_) block_->references.fetch_add(1, std::memory_order_relaxed);
    }
    /// The share of another, which has none then.
    Storage(Storage&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
    Storage& operator=(Storage other) noexcept {
        std::swap(block_, other.block_);
        return *this;
    }
    ~Storage() {
        if (block_) drop(block_);
    }

    /// Uninitialised memory from the recycling pool.
    static Storage allocate(std::size_t bytes) {
        Storage storage;
        storage.block_ = detail::Pool::instance().take(bytes);
        return storage;
    }

    /// Memory owned by `owner` (a mapped file, another library's array), read-only and without slack; `owner` is moved
    /// in and destroyed with the last share.
    template <class Owner>
    static Storage adopt(const void* data, std::size_t bytes, Owner owner) {
        struct Foreign : detail::Block {
            explicit Foreign(Owner&& o) : owner(std::move(o)) {}
            Owner owner;
        };
        auto* const block = new Foreign(std::move(owner));
        block->data = static_cast<std::byte*>(const_cast<void*>(data));
        block->bytes = bytes;
        block->foreign = true;
        block->release = [](detail::Block* b) noexcept { delete static_cast<Foreign*>(b); };
        Storage storage;
        storage.block_ = block;
        return storage;
    }

    /// The first byte; null without a block.
    std::byte* data() const noexcept { return block_ ? block_->data : nullptr; }
    /// Its size; 0 without a block.
    std::size_t bytes() const noexcept { return block_ ? block_->bytes : 0; }
    /// Whether the block belongs to someone else, as that of a mapped file.
    bool foreign() const noexcept { return block_ && block_->foreign; }
    /// Whether this is the only share of writable memory.
    bool unique() const noexcept {
        return block_ && !block_->foreign && block_->references.load(std::memory_order_acquire) == 1;
    }
    /// Whether there is a block.
    explicit operator bool() const noexcept { return block_ != nullptr; }
    friend bool operator==(const Storage& a, const Storage& b) noexcept { return a.block_ == b.block_; }

private:
    // Not inline: expressions are full of handles, and every one ends here.
    static WEFT_NOINLINE void drop(detail::Block* block) noexcept {
        // The only share needs no locked instruction: no one else can make another from it.
        if (block->references.load(std::memory_order_acquire) == 1 ||
            block->references.fetch_sub(1, std::memory_order_acq_rel) == 1)
            block->release(block);
    }

    detail::Block* block_ = nullptr;
};

} // namespace weft::inline WEFT_ABI
