// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/error.hpp>
#include <weft/core/parallel_for.hpp>
#include <weft/core/philox.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <limits>
#include <numbers>
#include <numeric>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace weft::inline WEFT_ABI {

/// Where the next random numbers come from: a value, copied to remember a place and compared to find it again.
///
/// Element i of a draw is a function of (seed, stream, position, i) alone, on any number of threads. A draw of n
/// elements moves `position` by ceil(n / 64) blocks of 64 Philox words when an element takes one word (uniform and
/// normal floats, Bernoulli), by ceil(n / 32) when it takes two (doubles, integers). Draws of different streams never
/// share words.
struct Generator {
    std::uint64_t seed = 0;
    std::uint64_t stream = 0;
    std::uint64_t position = 0;

    friend bool operator==(const Generator&, const Generator&) = default;
};

namespace detail {

inline constexpr index random_chunk_blocks = 256;

struct RandomWords {
    alignas(64) std::uint32_t word[philox_words];

    RandomWords(const Generator& at, std::uint64_t block) {
        philox_block(at.seed, at.stream, (at.position + block) * std::uint64_t{philox_counters}, word);
    }
};

inline double as_double(std::uint32_t w) {
    // Through a signed conversion, which every instruction set has.
    return static_cast<double>(static_cast<std::int32_t>(w ^ 0x80000000u)) + 0x1p31;
}

// Every kind of draw is a struct with `value_type`, `size` (elements per block) and `block(at, b, out)`, which writes
// the whole block b of the draw that begins at `at`. Blocks are never inlined, so all callers get the same bits.

template <std::floating_point T>
struct UniformDraw {
    using value_type = T;
    static constexpr index size = std::is_same_v<T, float> ? 64 : 32;
    T low, high;

    WEFT_NOINLINE void block(const Generator& at, std::uint64_t b, T* out) const {
        const RandomWords random(at, b);
        const std::uint32_t* w = random.word;
        const T start = low, range = high - low, top = std::nextafter(high, low);
        if constexpr (std::is_same_v<T, float>) {
            for (index i = 0; i < size; ++i) {
                const T x = start + range * (static_cast<T>(static_cast<std::int32_t>(w[i] >> 8)) * 0x1p-24f);
                out[i] = x < top ? x : top;
            }
        } else {
            for (index h = 0; h < 2; ++h)
                for (index i = 0; i < 16; ++i) {
                    const T u = as_double(w[32 * h + i]) * 0x1p-32 +
                                static_cast<T>(static_cast<std::int32_t>(w[32 * h + 16 + i] >> 11)) * 0x1p-53;
                    const T x = start + range * u;
                    out[16 * h + i] = x < top ? x : top;
                }
        }
    }
};

// Natural logarithm of (0, 1], within 1 ulp or so, in code that compilers turn into vectors. `complement` is 1 - u with
// full relative precision. The polynomials are those of FreeBSD's e_logf.c and e_log.c.
WEFT_ALWAYS_INLINE float log_unit(float u, float complement) {
    const std::uint32_t word = std::bit_cast<std::uint32_t>(u) - 0x3f3504f3u; // of sqrt(1/2)
    const auto exponent = static_cast<float>(static_cast<std::int32_t>(word) >> 23);
    const float mantissa = std::bit_cast<float>((word & 0x7fffffu) + 0x3f3504f3u);
    const float f = exponent == 0 ? -complement : mantissa - 1;
    const float s = f / (2 + f), z = s * s, w = z * z, half_square = 0.5f * f * f;
    const float odd = z * (0.66666662693f + w * 0.28498786688f), even = w * (0.40000972152f + w * 0.24279078841f);
    return s * (half_square + odd + even) + exponent * 9.0580006145e-06f - half_square + f +
           exponent * 6.9313812256e-01f;
}
WEFT_ALWAYS_INLINE double log_unit(double u, double complement) {
    const std::uint64_t word = std::bit_cast<std::uint64_t>(u) - 0x3fe6a09e667f3bcdu;
    const auto exponent = static_cast<double>(static_cast<std::int32_t>(word >> 32) >> 20);
    const double mantissa = std::bit_cast<double>((word & 0xfffffffffffffu) + 0x3fe6a09e667f3bcdu);
    const double f = exponent == 0 ? -complement : mantissa - 1;
    const double s = f / (2 + f), z = s * s, w = z * z, half_square = 0.5 * f * f;
    const double odd =
        z * (6.666666666666735130e-01 +
             w * (2.857142874366239149e-01 + w * (1.818357216161805012e-01 + w * 1.479819860511658591e-01)));
    const double even = w * (3.999999999940941908e-01 + w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01));
    return s * (half_square + odd + even) + exponent * 1.90821492927058770002e-10 - half_square + f +
           exponent * 6.93147180369123816490e-01;
}

// sin and cos on [-pi/4, pi/4]; Cephes sinf.c, FreeBSD k_sin.c and k_cos.c.
WEFT_ALWAYS_INLINE float sin_small(float x) {
    const float z = x * x;
    return x + x * z * (-1.6666654611e-1f + z * (8.3321608736e-3f + z * -1.9515295891e-4f));
}
WEFT_ALWAYS_INLINE float cos_small(float x) {
    const float z = x * x;
    return 1 - 0.5f * z + z * z * (4.166664568298827e-2f + z * (-1.388731625493765e-3f + z * 2.443315711809948e-5f));
}
WEFT_ALWAYS_INLINE double sin_small(double x) {
    const double z = x * x;
    return x + x * z *
                   (-1.66666666666666324348e-01 +
                    z * (8.33333333332248946124e-03 +
                         z * (-1.98412698298579493134e-04 +
                              z * (2.75573137070700676789e-06 +
                                   z * (-2.50507602534068634195e-08 + z * 1.58969099521155010221e-10)))));
}
WEFT_ALWAYS_INLINE double cos_small(double x) {
    const double z = x * x;
    return 1 - 0.5 * z +
           z * z *
               (4.16666666666666019037e-02 +
                z * (-1.38888888888741095749e-03 +
                     z * (2.48015872894767294178e-05 +
                          z * (-2.75573143513906633035e-07 +
                               z * (2.08757232129817482790e-09 + z * -1.13596475577881948265e-11)))));
}

// The polar method of Box and Muller: (radius cos, radius sin) with radius = sqrt(-2 log u) and u in (0, 1). 32 bits of
// u in float and 52 in double reach 6.7 and 8.5 standard deviations.
template <std::floating_point T>
struct NormalDraw {
    using value_type = T;
    static constexpr index size = std::is_same_v<T, float> ? 64 : 32;
    T mean, deviation;

    WEFT_NOINLINE void block(const Generator& at, std::uint64_t b, T* out) const {
        const RandomWords random(at, b);
        const T center = mean, scale = deviation; // copies: `out` may be an array of the same type
        for (index pair = 0; pair < size / 32; ++pair) {
            const std::uint32_t* w = random.word + 32 * pair;
            T* cosines = out + 32 * pair;
            T* sines = cosines + 16;
            alignas(64) T radius[16];
            for (index i = 0; i < 16; ++i) {
                if constexpr (std::is_same_v<T, float>) {
                    radius[i] = -2 * log_unit(fraction(w[i]), fraction(~w[i]));
                } else {
                    const T u = as_double(w[i]) * 0x1p-32 +
                                (static_cast<T>(static_cast<std::int32_t>(w[16 + i] >> 12)) + 0.5) * 0x1p-52;
                    radius[i] = -2 * log_unit(u, 1 - u);
                }
            }
            for (index i = 0; i < 16; ++i) radius[i] = scale * std::sqrt(radius[i]);
            for (index i = 0; i < 16; ++i) {
                const std::uint32_t turn = std::is_same_v<T, float> ? w[16 + i] : w[32 + i];
                const std::uint32_t quadrant = (turn + 0x20000000u) >> 30;
                T rest = static_cast<T>(static_cast<std::int32_t>(turn - (quadrant << 30)));
                if constexpr (std::is_same_v<T, float>)
                    rest += 0.5f;
                else
                    rest += (as_double(w[48 + i]) + 0.5) * 0x1p-32;
                const T angle = rest * (2 * std::numbers::pi_v<T> / T(0x1p32));
                const T s = sin_small(angle), c = cos_small(angle);
                const T x = (quadrant & 1u) != 0 ? s : c, y = (quadrant & 1u) != 0 ? c : s;
                cosines[i] = center + radius[i] * (((quadrant + 1) & 2u) != 0 ? -x : x);
                sines[i] = center + radius[i] * ((quadrant & 2u) != 0 ? -y : y);
            }
        }
    }

private:
    // (w + 1/2) / 2^32, rounded once: the halves of w are exact.
    static WEFT_ALWAYS_INLINE float fraction(std::uint32_t w) {
        return static_cast<float>(static_cast<std::int32_t>(w >> 16)) * 0x1p-16f +
               (static_cast<float>(static_cast<std::int32_t>(w & 0xffffu)) + 0.5f) * 0x1p-32f;
    }
};

template <class T>
struct BernoulliDraw {
    using value_type = T;
    static constexpr index size = 64;
    std::uint32_t limit; // the largest word that is a success
    T success, failure;

    BernoulliDraw(double probability, T success_) : limit(0), success(success_), failure(T(0)) {
        const auto words = static_cast<std::uint64_t>(std::nearbyint(probability * 0x1p32));
        if (words == 0)
            success = failure;
        else
            limit = static_cast<std::uint32_t>(words - 1);
    }

    WEFT_NOINLINE void block(const Generator& at, std::uint64_t b, T* out) const {
        const RandomWords random(at, b);
        const std::uint32_t last = limit;
        const T yes = success, no = failure; // copies: `out` may be an array of the same type
        for (index i = 0; i < size; ++i) out[i] = random.word[i] <= last ? yes : no;
    }
};

template <std::integral T>
struct IntegerDraw {
    using value_type = T;
    static constexpr index size = 32;
    T low;
    std::uint64_t range;

    WEFT_NOINLINE void block(const Generator& at, std::uint64_t b, T* out) const {
        const RandomWords random(at, b);
        for (index i = 0; i < size; ++i)
            out[i] = static_cast<T>(static_cast<std::uint64_t>(low) + bounded(at, b, i, word(random, i), range));
    }

    static std::uint64_t word(const RandomWords& random, index i) {
        const std::uint32_t* w = random.word + 32 * (i / 16) + i % 16;
        return std::uint64_t{w[16]} << 32 | w[0];
    }

    // Unbiased in [0, range), by Lemire's multiplication (Fast random integer generation in an interval, 2019). A
    // rejected word is replaced by the one at the same place under another seed, so no other element moves.
    static std::uint64_t bounded(Generator at, std::uint64_t b, index i, std::uint64_t x, std::uint64_t range) {
        auto [high, rest] = multiply(x, range);
        if (rest < range) {
            const std::uint64_t bias = (0 - range) % range;
            while (rest < bias) {
                at.seed += 0x9E3779B97F4A7C15u;
                std::tie(high, rest) = multiply(word(RandomWords(at, b), i), range);
            }
        }
        return high;
    }

private:
    // The high and low 64 bits of a * b.
    static std::pair<std::uint64_t, std::uint64_t> multiply(std::uint64_t a, std::uint64_t b) {
        const std::uint64_t a0 = a & 0xffffffffu, a1 = a >> 32, b0 = b & 0xffffffffu, b1 = b >> 32;
        const std::uint64_t middle = a1 * b0 + (a0 * b0 >> 32), other = a0 * b1 + (middle & 0xffffffffu);
        return {a1 * b1 + (middle >> 32) + (other >> 32), a * b};
    }
};

// Elements [first, first + n) of a draw.
template <class D>
void draw_part(const D& draw, const Generator& at, index first, typename D::value_type* out, index n) {
    typename D::value_type buffer[static_cast<std::size_t>(D::size)];
    for (index done = 0; done < n;) {
        const index place = first + done, skip = place % D::size, count = std::min(D::size - skip, n - done);
        const auto b = static_cast<std::uint64_t>(place / D::size);
        if (count == D::size) {
            draw.block(at, b, out + done);
        } else {
            draw.block(at, b, buffer);
            std::copy_n(buffer + skip, count, out + done);
        }
        done += count;
    }
}

template <class D>
void draw_all(const D& draw, Generator& generator, typename D::value_type* out, index n) {
    const Generator at = generator;
    generator.position += static_cast<std::uint64_t>((n + D::size - 1) / D::size);
    parallel_for_ranges(n, random_chunk_blocks * D::size,
                        [&](index begin, index end) { draw_part(draw, at, begin, out + begin, end - begin); });
}

inline void check_count(const char* operation, index first, index n) {
    if (n < 0 || first < 0) throw error(operation, "{} elements from element {}: both must be 0 or more", n, first);
}

template <std::floating_point T>
UniformDraw<T> uniform_draw(const char* operation, T low, T high) {
    if (!(low <= high) || !std::isfinite(high - low))
        throw error(operation, "the interval [{}, {}) must be finite and not reversed", low, high);
    return {low, high};
}

template <std::floating_point T>
NormalDraw<T> normal_draw(const char* operation, T mean, T deviation) {
    if (!std::isfinite(mean) || !std::isfinite(deviation) || deviation < 0)
        throw error(operation, "mean {} and standard deviation {} must be finite, the latter not negative", mean,
                    deviation);
    return {mean, deviation};
}

template <class T>
BernoulliDraw<T> bernoulli_draw(const char* operation, double probability, T success) {
    if (!(probability >= 0 && probability <= 1))
        throw error(operation, "the probability is {}; it must be in [0, 1]", probability);
    return {probability, success};
}

template <std::integral T>
IntegerDraw<T> integer_draw(const char* operation, T low, T high) {
    if (low >= high) throw error(operation, "the interval [{}, {}) is empty", low, high);
    return {low, static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low)};
}

} // namespace detail

/// n numbers uniform in [low, high), on a grid of 2^24 points (float) or 2^53 (double). `high` never occurs, unless
/// low == high. Throws Error when the interval is reversed or its length not finite.
template <std::floating_point T>
void fill_uniform(Generator& generator, T* out, index n, std::type_identity_t<T> low = 0,
                  std::type_identity_t<T> high = 1) {
    detail::check_count("fill_uniform", 0, n);
    detail::draw_all(detail::uniform_draw<T>("fill_uniform", low, high), generator, out, n);
}

/// The elements [first, first + n) that fill_uniform draws when its generator is `at`; `at` does not move.
template <std::floating_point T>
void fill_uniform_block(const Generator& at, index first, T* out, index n, std::type_identity_t<T> low = 0,
                        std::type_identity_t<T> high = 1) {
    detail::check_count("fill_uniform_block", first, n);
    detail::draw_part(detail::uniform_draw<T>("fill_uniform_block", low, high), at, first, out, n);
}

/// Element i of that draw. A whole block is computed for it: for many elements use fill_uniform_block.
template <std::floating_point T>
T uniform_at(const Generator& at, index i, T low = 0, T high = 1) {
    T result;
    fill_uniform_block(at, i, &result, 1, low, high);
    return result;
}

/// n normal numbers with that mean and standard deviation (up to 6.7 deviations in float, 8.5 in double). Throws Error
/// when one is not finite or the deviation negative.
template <std::floating_point T>
void fill_normal(Generator& generator, T* out, index n, std::type_identity_t<T> mean = 0,
                 std::type_identity_t<T> deviation = 1) {
    detail::check_count("fill_normal", 0, n);
    detail::draw_all(detail::normal_draw<T>("fill_normal", mean, deviation), generator, out, n);
}

/// The elements [first, first + n) that fill_normal draws when its generator is `at`.
template <std::floating_point T>
void fill_normal_block(const Generator& at, index first, T* out, index n, std::type_identity_t<T> mean = 0,
                       std::type_identity_t<T> deviation = 1) {
    detail::check_count("fill_normal_block", first, n);
    detail::draw_part(detail::normal_draw<T>("fill_normal_block", mean, deviation), at, first, out, n);
}

/// n times 1 with that probability (a multiple of 2^-32 after rounding), else 0. Throws Error unless it is in [0, 1].
template <class T>
void fill_bernoulli(Generator& generator, T* out, index n, double probability) {
    detail::check_count("fill_bernoulli", 0, n);
    detail::draw_all(detail::bernoulli_draw("fill_bernoulli", probability, T(1)), generator, out, n);
}

/// The elements [first, first + n) that fill_bernoulli draws when its generator is `at`, times `scale`: the factors of
/// dropout, for any cut of the tensor into blocks.
template <class T>
void fill_bernoulli_block(const Generator& at, index first, T* out, index n, double keep_probability,
                          std::type_identity_t<T> scale = T(1)) {
    detail::check_count("fill_bernoulli_block", first, n);
    detail::draw_part(detail::bernoulli_draw("fill_bernoulli_block", keep_probability, scale), at, first, out, n);
}

/// The elements at n places of that draw: for a few of many.
template <class T>
void fill_bernoulli_at(const Generator& at, const index* places, T* out, index n, double keep_probability,
                       std::type_identity_t<T> scale = T(1)) {
    const auto draw = detail::bernoulli_draw("fill_bernoulli_at", keep_probability, scale);
    for (index k = 0; k < n; ++k) {
        const auto place = static_cast<std::uint64_t>(places[k]), lane = place % detail::philox_words;
        const std::uint64_t counter =
            (at.position + place / detail::philox_words) * detail::philox_counters + lane % detail::philox_counters;
        const auto low = [](std::uint64_t x) { return static_cast<std::uint32_t>(x); };
        const auto words = philox4x32({low(counter), low(counter >> 32), low(at.stream), low(at.stream >> 32)},
                                      {low(at.seed), low(at.seed >> 32)});
        out[k] = words[lane / detail::philox_counters] <= draw.limit ? draw.success : draw.failure;
    }
}

/// Moves the generator as one draw of n elements of `words` (1 or 2) words each does.
inline void skip(Generator& generator, index n, index words = 1) {
    detail::check_count("skip", 0, n);
    if (words != 1 && words != 2) throw error("skip", "an element takes 1 or 2 words, not {}", words);
    const index per_block = detail::philox_words / words;
    generator.position += static_cast<std::uint64_t>((n + per_block - 1) / per_block);
}

/// n integers, each of [low, high) equally likely. Throws Error when the interval is empty.
template <std::integral T>
void fill_integers(Generator& generator, T* out, index n, std::type_identity_t<T> low, std::type_identity_t<T> high) {
    detail::check_count("fill_integers", 0, n);
    detail::draw_all(detail::integer_draw<T>("fill_integers", low, high), generator, out, n);
}

/// One integer of [low, high).
inline std::int64_t uniform_integer(Generator& generator, std::int64_t low, std::int64_t high) {
    std::int64_t result = 0;
    fill_integers(generator, &result, 1, low, high);
    return result;
}

/// The numbers 0 .. n-1 in a random order, all orders equally likely (Fisher-Yates). Moves the generator as a draw of
/// n - 1 integers does. O(n).
inline std::vector<std::int64_t> permutation(Generator& generator, index n) {
    detail::check_count("permutation", 0, n);
    using Draw = detail::IntegerDraw<std::int64_t>;
    std::vector<std::int64_t> order(static_cast<std::size_t>(n));
    std::iota(order.begin(), order.end(), std::int64_t{0});
    for (index b = 0; b * Draw::size < n - 1; ++b) {
        const auto block = static_cast<std::uint64_t>(b);
        const detail::RandomWords random(generator, block);
        for (index i = 0; i < std::min(Draw::size, n - 1 - b * Draw::size); ++i) {
            const auto left = static_cast<std::uint64_t>(n - b * Draw::size - i);
            std::swap(order[left - 1], order[Draw::bounded(generator, block, i, Draw::word(random, i), left)]);
        }
    }
    skip(generator, std::max<index>(n - 1, 0), 2);
    return order;
}

} // namespace weft::inline WEFT_ABI
