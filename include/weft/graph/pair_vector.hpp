// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/packet.hpp>
#include <weft/graph/cell.hpp>

#include <cstring>

namespace weft::inline WEFT_ABI::detail {

/// The vectors x_j - x_i + S . cell of pairs of atoms, a pair in each lane. Whoever asks whether a pair is within a
/// cutoff asks here, so that all round alike: the answers for (i, j, S) and (j, i, -S) are the same.
class PairVectors {
public:
    static constexpr index width = lanes<double>;
    using Vectors = std::array<Packet<double>, 3>;

    PairVectors(const double* positions, const Cell& cell) : positions_(positions), vectors_(cell.vectors) {}

    /// An atom in all lanes.
    WEFT_ALWAYS_INLINE Vectors position(std::int32_t atom) const {
        const double* const x = positions_ + 3 * index{atom};
        return {splat(x[0]), splat(x[1]), splat(x[2])};
    }
    /// `count` atoms, 0 < count <= width; 0 in the other lanes.
    WEFT_ALWAYS_INLINE Vectors positions(const std::int32_t* atoms, index count) const {
        return lanes_of(count, [=, this](index u, index c) { return positions_[3 * index{atoms[u]} + c]; });
    }
    static WEFT_ALWAYS_INLINE Vectors difference(const Vectors& to, const Vectors& from) {
        return {to[0] - from[0], to[1] - from[1], to[2] - from[2]};
    }
    /// v + S . cell with S in shifts [count, 3].
    WEFT_ALWAYS_INLINE Vectors shifted(const Vectors& v, const std::int32_t* shifts, index count) const {
        const Vectors s = lanes_of(count, [=](index u, index c) { return static_cast<double>(shifts[3 * u + c]); });
        Vectors result;
        for (std::size_t c = 0; c < 3; ++c) {
            const Packet<double> first = s[0] * splat(vectors_[c]);
            const Packet<double> two = multiply_add(s[1], splat(vectors_[3 + c]), first);
            result[c] = v[c] + multiply_add(s[2], splat(vectors_[6 + c]), two);
        }
        return result;
    }
    /// Bit u is set where the vector of lane u < count is shorter than a cutoff, which is given squared.
    static WEFT_ALWAYS_INLINE std::uint32_t within(const Vectors& v, double square, index count) {
        const Packet<double> first = v[0] * v[0];
        return below(multiply_add(v[2], v[2], multiply_add(v[1], v[1], first)), square) & ((1u << count) - 1u);
    }
    /// Bit u is set where lane u is below `bound`.
    static WEFT_ALWAYS_INLINE std::uint32_t below(const Packet<double>& a, double bound) {
        return nonzero_lanes<double>(select(a < splat(bound), splat(1.0), splat(0.0)));
    }

private:
    template <class F>
    static WEFT_ALWAYS_INLINE Vectors lanes_of(index count, const F& component) {
        alignas(64) double lane[3][width];
        if (count == width) {
            for (index c = 0; c < 3; ++c)
                for (index u = 0; u < width; ++u) lane[c][u] = component(u, c);
        } else {
            for (index c = 0; c < 3; ++c)
                for (index u = 0; u < width; ++u) lane[c][u] = u < count ? component(u, c) : 0.0;
        }
        return {load_packet(lane[0]), load_packet(lane[1]), load_packet(lane[2])};
    }

    const double* positions_;
    std::array<double, 9> vectors_;
};

/// For each set of lanes, how many they are and their numbers in ascending order.
struct LaneNumbers {
    static constexpr unsigned width = lanes<double>;
    alignas(64) std::int32_t of[1 << width][width] = {};
    std::uint8_t count[1 << width] = {}; // g++ 12 may read bytes that are not there for popcount of a mask

    constexpr LaneNumbers() {
        for (unsigned set = 0; set < (1u << width); ++set)
            for (unsigned u = 0; u < width; ++u)
                if ((set >> u & 1u) != 0) of[set][count[set]++] = static_cast<std::int32_t>(u);
    }
};
inline constexpr LaneNumbers lane_numbers;

/// Writes first + u for the lanes u of a set, ascending, and anything behind them: `width` numbers in all. Returns how
/// many lanes are in the set.
WEFT_ALWAYS_INLINE index append_lanes(std::uint32_t set, std::int32_t first, std::int32_t* to) {
    typedef std::int32_t Numbers __attribute__((vector_size(4 * LaneNumbers::width)));
    Numbers numbers;
    std::memcpy(&numbers, lane_numbers.of[set], sizeof numbers);
    numbers += first;
    std::memcpy(to, &numbers, sizeof numbers);
    return lane_numbers.count[set];
}

} // namespace weft::inline WEFT_ABI::detail
