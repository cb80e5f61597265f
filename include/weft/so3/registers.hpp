// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/packet.hpp>

/// How many sums a loop keeps in registers.
namespace weft::inline WEFT_ABI::so3::detail {

/// Registers of a packet.
template <class T>
inline constexpr int packet_registers = 1;
template <class T>
inline constexpr int packet_registers<Dual<T>> = 2 * packet_registers<T>;
#if defined(__AVX512F__) || defined(__aarch64__)
inline constexpr int vector_registers = 32;
#else
inline constexpr int vector_registers = 16;
#endif

} // namespace weft::inline WEFT_ABI::so3::detail
