// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/packet.hpp>
#include <weft/core/shape.hpp>
#include <weft/core/storage.hpp>

#include <cstring>

namespace weft::inline WEFT_ABI::detail {

/// Functions of the first two moments of some elements.
enum class Statistic : char {
    none,
    mean,
    variance,
    deviation,
    inverse_deviation,
    root_mean_square,
    inverse_root_mean_square
};
inline constexpr int statistic_count = 7;

/// Where a leaf of an expression with scalar T gets its elements: strided memory of any element type, or a function
/// of the position (random masks).
template <class T>
struct Operand {
    const std::byte* data = nullptr;
    index item = 0;                                                              // bytes per element
    void (*read)(const std::byte* from, index stride, T* to, index n) = nullptr; // null: the elements are of type T
    void (*generate)(const void* state, index begin, T* to, index n) = nullptr;
    int rank = 0;
    index extents[max_rank] = {};
    index strides[max_rank] = {};   // in elements
    Storage storage;                // keeps the memory alive while a tape holds the operand
    void* node = nullptr;           // the tape node whose value this is, if any
    index node_offset = 0;          // of the first element within the node's value
    bool one_value_per_run = false; // the kernel reads it at RunPosition::run
    // A statistic of the operand behind it, which the kernel does not read; computed when the expression lands.
    Statistic statistic = Statistic::none;
    index fold = 1; // neighbouring elements that share one statistic
    double eps = 0;
};

template <class S, class T>
void read_converted(const std::byte* from, index stride, T* to, index n) {
    const S* const p = reinterpret_cast<const S*>(from);
    for (index i = 0; i < n; ++i) to[i] = static_cast<T>(p[i * stride]);
}

/// Describes the elements of a tensor-like leaf (data, shape, strides, storage).
template <class T, class L>
WEFT_NOINLINE void describe_operand(const L& leaf, Operand<T>& o) {
    using S = typename L::value_type;
    o.data = reinterpret_cast<const std::byte*>(leaf.data());
    o.item = sizeof(S);
    if constexpr (!std::is_same_v<S, T>) o.read = &read_converted<S, T>;
    o.rank = L::rank;
    const auto strides = leaf.strides();
    for (int i = 0; i < L::rank; ++i) {
        o.extents[i] = leaf.shape()[static_cast<std::size_t>(i)];
        o.strides[i] = strides[static_cast<std::size_t>(i)];
    }
    o.storage = leaf.storage();
}

/// to[0 ... n) = value
template <class T>
void fill_run(T* to, T value, index n) {
    const Packet<T> all = splat(value);
    index i = 0;
    for (; i + lanes<T> <= n; i += lanes<T>) store_packet(to + i, all);
    for (; i < n; ++i) to[i] = value;
}

/// Whether operand k is there for its statistics only: the kernel does not read it.
template <class T>
bool beside_statistic(const Operand<T>* operands, int k) {
    return k > 0 && operands[k - 1].statistic != Statistic::none;
}

/// n elements, `stride` apart, to contiguous T.
template <class T>
void read_run(const Operand<T>& o, const std::byte* from, index stride, T* to, index n) {
    if (stride == 0) {
        T value;
        if (o.read)
            o.read(from, 1, &value, 1);
        else
            std::memcpy(&value, from, sizeof(T));
        fill_run(to, value, n);
    } else if (o.read) {
        o.read(from, stride, to, n);
    } else if (stride == 1) {
        std::memcpy(to, from, static_cast<std::size_t>(n) * sizeof(T));
    } else {
        const T* const p = reinterpret_cast<const T*>(from);
        for (index i = 0; i < n; ++i) to[i] = p[i * stride];
    }
}

} // namespace weft::inline WEFT_ABI::detail
