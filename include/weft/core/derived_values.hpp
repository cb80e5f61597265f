// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/abi.hpp>

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <vector>

namespace weft::inline WEFT_ABI::detail {

/// Runs a function once, on the first thread that comes; others wait for it. After an exception the next one tries
/// again, which std::call_once leaves hanging on some platforms.
class Once {
public:
    template <class F>
    void operator()(F&& make) {
        if (done_.load(std::memory_order_acquire)) return;
        const std::lock_guard lock(mutex_);
        if (done_.load(std::memory_order_relaxed)) return;
        make();
        done_.store(true, std::memory_order_release);
    }

private:
    std::atomic<bool> done_{false};
    std::mutex mutex_;
};

/// Values derived from something immutable, each made once: by the first thread that asks, while others that want the
/// same wait. A value may ask for other values while it is made.
class DerivedValues {
public:
    template <class Key, class Make>
    auto get(const Key& key, Make&& make) {
        using Value = std::remove_cvref_t<decltype(make())>;
        Entry<Key, Value>* entry = nullptr;
        {
            const std::lock_guard lock(mutex_);
            for (const auto& e : entries_)
                if (e->tag == &tag<Key, Value> && static_cast<Entry<Key, Value>&>(*e).key == key)
                    entry = static_cast<Entry<Key, Value>*>(e.get());
            if (entry == nullptr) {
                std::unique_ptr<AnyEntry> made(entry = new Entry<Key, Value>(key));
                entries_.push_back(std::move(made));
            }
        }
        entry->made([&] { entry->value.emplace(make()); });
        return Value(*entry->value);
    }

private:
    template <class Key, class Value>
    static inline const char tag = 0; // its address names the pair of types

    struct AnyEntry {
        const char* tag;
        Once made;
        explicit AnyEntry(const char* t) : tag(t) {}
        AnyEntry(const AnyEntry&) = delete;
        AnyEntry& operator=(const AnyEntry&) = delete;
        virtual ~AnyEntry() = default;
    };
    template <class Key, class Value>
    struct Entry final : AnyEntry {
        Key key;
        std::optional<Value> value;
        explicit Entry(const Key& k) : AnyEntry(&DerivedValues::tag<Key, Value>), key(k) {}
    };

    std::mutex mutex_;
    std::vector<std::unique_ptr<AnyEntry>> entries_;
};

} // namespace weft::inline WEFT_ABI::detail
