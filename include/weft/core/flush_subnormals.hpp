// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/abi.hpp>

#if defined(__SSE2__)
#include <xmmintrin.h>
#elif defined(__aarch64__)
#include <cstdint>
#endif

namespace weft::inline WEFT_ABI::detail {

/// While it lives, this thread's arithmetic takes subnormal numbers for 0 and makes 0 of results that would be. A
/// processor needs a hundred times as long for them; what decays from step to step comes to them and stays, since the
/// smallest number times 0.9 is rounded to itself. Does nothing on processors other than x86-64 and aarch64.
class FlushSubnormals {
public:
    FlushSubnormals() noexcept : before_(read()) { write(before_ | flags); }
    FlushSubnormals(const FlushSubnormals&) = delete;
    FlushSubnormals& operator=(const FlushSubnormals&) = delete;
    ~FlushSubnormals() { write(before_); }

private:
#if defined(__SSE2__)
    using Control = unsigned;
    static constexpr Control flags = 0x8040; // results, operands
    static Control read() noexcept { return _mm_getcsr(); }
    static void write(Control c) noexcept { _mm_setcsr(c); }
#elif defined(__aarch64__)
    using Control = std::uint64_t;
    static constexpr Control flags = Control{1} << 24;
    static Control read() noexcept {
        Control c;
        asm volatile("mrs %0, fpcr" : "=r"(c));
        return c;
    }
    static void write(Control c) noexcept { asm volatile("msr fpcr, %0" : : "r"(c) : "memory"); }
#else
    using Control = int;
    static constexpr Control flags = 0;
    static Control read() noexcept { return 0; }
    static void write(Control) noexcept {}
#endif

    Control before_;
};

} // namespace weft::inline WEFT_ABI::detail
