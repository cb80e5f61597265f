// SPDX-License-Identifier: MIT
#pragma once

#include <weft/graph/neighbor_list.hpp>

#include <compare>

namespace weft_test {

struct Pair {
    std::int32_t sender, receiver;
    std::array<std::int32_t, 3> shift;

    bool operator==(const Pair&) const = default;
    auto operator<=>(const Pair& other) const {
        if (const auto by = receiver <=> other.receiver; by != 0) return by;
        if (const auto by = sender <=> other.sender; by != 0) return by;
        return shift <=> other.shift;
    }
};
using Pairs = std::vector<Pair>;

inline Pairs pairs_of(const weft::NeighborList& list) {
    Pairs pairs;
    for (weft::index e = 0; e < list.graph.num_edges(); ++e) {
        const std::int32_t* const s = list.shifts.data() + 3 * e;
        pairs.push_back({list.graph.sources().data()[e], list.graph.destinations().data()[e], {s[0], s[1], s[2]}});
    }
    return pairs;
}

/// The same numbers in every run.
class Random {
public:
    explicit Random(unsigned seed) : state_(seed * 0x9e3779b97f4a7c15ull) {}
    double uniform(double low, double high) {
        state_ = state_ * 6364136223846793005ull + 1442695040888963407ull;
        return low + (high - low) * static_cast<double>(state_ >> 11) * 0x1p-53;
    }
    int below(int n) { return static_cast<int>(uniform(0, n)); }

private:
    std::uint64_t state_;
};

struct Atoms {
    weft::Tensor<double, 2> positions;
    weft::Cell cell;
};

/// Atoms in a periodic cell of about `size`, and about; each element of its vectors is off by up to `skew` of that.
inline Atoms random_atoms(Random& random, int count, double size, double skew) {
    Atoms atoms;
    do {
        for (std::size_t k = 0; k < 9; ++k)
            atoms.cell.vectors[k] = size * ((k % 4 == 0 ? 1 : 0) + random.uniform(-skew, skew));
    } while (atoms.cell.volume() < 0.15 * size * size * size);
    atoms.cell.periodic = {true, true, true};
    atoms.positions = weft::Tensor<double, 2>::empty({count, 3});
    for (double& x : atoms.positions.mutable_values()) x = random.uniform(-0.2 * size, 1.2 * size);
    return atoms;
}

} // namespace weft_test
