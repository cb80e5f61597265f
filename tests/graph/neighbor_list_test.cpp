// SPDX-License-Identifier: MIT
#include "core/tensor_checks.hpp"
#include "golden.hpp"
#include "graph/atoms.hpp"
#include "thread_executor.hpp"

#include <weft/graph/edge_vectors.hpp>
#include <weft/graph/half_list.hpp>

#include <cmath>

using weft::Cell, weft::edge_vectors, weft::Error, weft::half_list, weft::neighbor_list, weft::NeighborList,
    weft::Tensor;
using namespace weft_test;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN(),
                 infinite = std::numeric_limits<double>::infinity();

double length(const double* v) { return std::sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]); }

/// The pairs by their definition: all atoms with all images that may be near.
Pairs all_pairs(const Atoms& atoms, double cutoff) {
    const auto heights = atoms.cell.heights();
    const auto inverse = atoms.cell.inverse();
    const double *const x = atoms.positions.data(), *const h = atoms.cell.vectors.data();
    const auto n = static_cast<std::int32_t>(atoms.positions.extent(0));
    Pairs pairs;
    for (std::int32_t i = 0; i < n; ++i)
        for (std::int32_t j = 0; j < n; ++j) {
            std::array<std::int32_t, 3> low{}, high{};
            for (std::size_t k = 0; k < 3; ++k) {
                if (!atoms.cell.periodic[k]) continue;
                double apart = 0;
                for (std::size_t c = 0; c < 3; ++c)
                    apart += (x[3 * j + int(c)] - x[3 * i + int(c)]) * inverse[3 * c + k];
                low[k] = static_cast<std::int32_t>(std::floor(-apart - cutoff / heights[k])) - 1;
                high[k] = static_cast<std::int32_t>(std::ceil(-apart + cutoff / heights[k])) + 1;
            }
            const double between[3] = {x[3 * j] - x[3 * i], x[3 * j + 1] - x[3 * i + 1], x[3 * j + 2] - x[3 * i + 2]};
            for (std::int32_t s0 = low[0]; s0 <= high[0]; ++s0)
                for (std::int32_t s1 = low[1]; s1 <= high[1]; ++s1) {
                    const double a0 = between[0] + s0 * h[0] + s1 * h[3], a1 = between[1] + s0 * h[1] + s1 * h[4],
                                 a2 = between[2] + s0 * h[2] + s1 * h[5];
                    for (std::int32_t s2 = low[2], last = high[2]; s2 <= last; ++s2) {
                        // Most are so far away that rounding does not matter.
                        const double b0 = a0 + s2 * h[6], b1 = a1 + s2 * h[7], b2 = a2 + s2 * h[8];
                        if (b0 * b0 + b1 * b1 + b2 * b2 > 1.01 * cutoff * cutoff) continue;
                        if (i == j && s0 == 0 && s1 == 0 && s2 == 0) continue;
                        double v[3];
                        for (int c = 0; c < 3; ++c) v[c] = between[c] + (s0 * h[c] + s1 * h[3 + c] + s2 * h[6 + c]);
                        if (length(v) < cutoff) pairs.push_back({i, j, {s0, s1, s2}});
                    }
                }
        }
    std::sort(pairs.begin(), pairs.end());
    return pairs;
}

void require_sorted_list(const NeighborList& list, weft::index atoms) {
    const Pairs pairs = pairs_of(list);
    REQUIRE(list.graph.num_nodes() == atoms);
    REQUIRE(list.shifts.shape() == weft::Extents<2>{list.graph.num_edges(), 3});
    REQUIRE(std::is_sorted(pairs.begin(), pairs.end()));
    REQUIRE(list.graph.in().eid_is_identity);
    // The other direction of every pair, and no pair twice.
    REQUIRE(std::adjacent_find(pairs.begin(), pairs.end()) == pairs.end());
    bool reversed = true;
    for (const Pair& p : pairs)
        reversed = reversed && std::binary_search(pairs.begin(), pairs.end(),
                                                  Pair{p.receiver, p.sender, {-p.shift[0], -p.shift[1], -p.shift[2]}});
    REQUIRE(reversed);
}

} // namespace

TEST_CASE("neighbour lists of a reference implementation", "[golden]") {
    for_each_golden_group("interatomic-potential", "neighbour_list", [](GoldenCase& golden) {
        Atoms atoms;
        atoms.positions = golden.get<double, 2>("positions");
        const auto cell = golden.get<double, 2>("cell");
        const auto periodic = golden.get<std::uint8_t, 1>("pbc");
        std::copy_n(cell.data(), 9, atoms.cell.vectors.begin());
        for (std::size_t k = 0; k < 3; ++k) atoms.cell.periodic[k] = periodic.data()[k] != 0;
        const auto list = neighbor_list(atoms.positions, atoms.cell, golden.number<double>("cutoff"));
        require_sorted_list(list, atoms.positions.extent(0));

        const Pairs found = pairs_of(list);
        const auto vectors = edge_vectors(list, atoms.positions, atoms.cell);
        std::vector<std::size_t> order(found.size()); // the file's: by sender, receiver, shift
        for (std::size_t e = 0; e < order.size(); ++e) order[e] = e;
        std::stable_sort(order.begin(), order.end(),
                         [&](std::size_t a, std::size_t b) { return found[a].sender < found[b].sender; });
        const auto edges = std::ssize(order);
        auto i = Tensor<std::int32_t, 1>::empty({edges}), j = i;
        auto shifts = Tensor<std::int32_t, 2>::empty({edges, 3});
        auto distances = Tensor<double, 1>::empty({edges});
        for (weft::index e = 0; e < edges; ++e) {
            const std::size_t from = order[std::size_t(e)];
            i(e) = found[from].sender;
            j(e) = found[from].receiver;
            for (int k = 0; k < 3; ++k) shifts(e, k) = found[from].shift[std::size_t(k)];
            distances(e) = length(vectors.data() + 3 * from);
        }
        golden.compare("i", i);
        golden.compare("j", j);
        golden.compare("S", shifts);
        golden.compare("d", distances, {.relative = 0, .absolute = 1e-12});
    });
}

TEST_CASE("neighbour lists are those of the definition") {
    Random random(1);
    int pairs = 0, shifted = 0;
    for (int trial = 0; trial < 400; ++trial) {
        const bool small = trial % 4 == 0, flat = trial % 5 == 0, far = trial % 3 == 0;
        Atoms atoms = random_atoms(random, 1 + int(random.below(small ? 4 : 40)), small ? 1.5 : 6, flat ? 3.0 : 0.7);
        for (std::size_t k = 0; k < 3; ++k) atoms.cell.periodic[k] = random.below(3) != 0;
        if (far)
            for (double& x : atoms.positions.mutable_values()) x += random.uniform(-40, 40);
        const double cutoff = random.uniform(0.5, 3.5);
        CAPTURE(trial, cutoff, atoms.positions.extent(0), atoms.cell.vectors, atoms.cell.periodic);
        const auto list = neighbor_list(atoms.positions, atoms.cell, cutoff);
        require_sorted_list(list, atoms.positions.extent(0));
        const Pairs found = pairs_of(list);
        REQUIRE((found == all_pairs(atoms, cutoff)));
        pairs += int(found.size());
        for (const Pair& p : found) shifted += p.shift != std::array<std::int32_t, 3>{};
    }
    REQUIRE(pairs > 20'000);
    REQUIRE(shifted > 10'000);
}

TEST_CASE("neighbour lists of many atoms, unevenly spread, are those of the definition") {
    Random random(2);
    for (const bool periodic : {false, true}) {
        Atoms atoms = random_atoms(random, 1500, 12, 0.4);
        atoms.cell.periodic = {periodic, true, periodic};
        for (int i = 0; i < 300; ++i) // a cluster in a corner
            for (int c = 0; c < 3; ++c) atoms.positions(i, c) = random.uniform(0, 1.5);
        const auto list = neighbor_list(atoms.positions, atoms.cell, 1.7);
        require_sorted_list(list, 1500);
        REQUIRE((pairs_of(list) == all_pairs(atoms, 1.7)));
    }
}

TEST_CASE("distances equal to the cutoff are not within it, wherever the atoms lie") {
    // A simple cubic lattice: 6 neighbours at 1, 12 at sqrt 2, 8 at sqrt 3, 6 at 2.
    for (const double moved : {0.0, 0.25, -17.75, 1024.5}) {
        Atoms atoms;
        atoms.positions = Tensor<double, 2>::empty({4 * 5 * 3, 3});
        double* x = atoms.positions.mutable_data();
        for (int a = 0; a < 4; ++a)
            for (int b = 0; b < 5; ++b)
                for (int c = 0; c < 3; ++c)
                    for (const double v : {a + moved, b - moved, c + 3 * ((a + b) % 3) + moved}) *x++ = v;
        atoms.cell = {{4, 0, 0, 0, 5, 0, 0, 0, 3}, {true, true, true}};
        REQUIRE(neighbor_list(atoms.positions, atoms.cell, 1).graph.num_edges() == 0);
        REQUIRE(neighbor_list(atoms.positions, atoms.cell, std::nextafter(1.0, 2)).graph.num_edges() == 60 * 6);
        REQUIRE(neighbor_list(atoms.positions, atoms.cell, 2).graph.num_edges() == 60 * (6 + 12 + 8));
        REQUIRE(neighbor_list(atoms.positions, atoms.cell, std::nextafter(2.0, 3)).graph.num_edges() == 60 * 32);
    }
}

TEST_CASE("coincident atoms are neighbours, an atom is not its own but through images") {
    const auto positions = Tensor<double, 2>::from({{0.5, 0.25, 3}, {7, 1, 1}, {0.5, 0.25, 3}, {0.5, 0.25, -2}});
    const Cell cell{{5, 0, 0, 0, 5, 0, 0, 0, 5}, {true, true, true}};
    REQUIRE(pairs_of(neighbor_list(positions, cell, 1e-3)) == Pairs{{2, 0, {0, 0, 0}},
                                                                    {3, 0, {0, 0, -1}},
                                                                    {0, 2, {0, 0, 0}},
                                                                    {3, 2, {0, 0, -1}},
                                                                    {0, 3, {0, 0, 1}},
                                                                    {2, 3, {0, 0, 1}}});
    const auto open = neighbor_list(positions, Cell{}, 1e-3);
    REQUIRE(pairs_of(open) == Pairs{{2, 0, {0, 0, 0}}, {0, 2, {0, 0, 0}}});
    const auto one = neighbor_list(Tensor<double, 2>::from({{9, 9, 9}}), cell, 5.5);
    REQUIRE(one.graph.num_edges() == 6);
    REQUIRE(one.graph.has_self_loops());
}

TEST_CASE("renumbering atoms renumbers pairs, moving all of them changes none, cells away changes shifts") {
    Random random(3);
    Atoms atoms = random_atoms(random, 300, 7, 0.8);
    atoms.cell.periodic = {true, false, true};
    const double cutoff = 2.1;
    const Pairs pairs = pairs_of(neighbor_list(atoms.positions, atoms.cell, cutoff));
    const auto n = atoms.positions.extent(0);

    std::vector<std::int32_t> number(static_cast<std::size_t>(n));
    for (std::size_t i = 0; i < number.size(); ++i) number[i] = static_cast<std::int32_t>(i);
    for (std::size_t i = number.size() - 1; i > 0; --i)
        std::swap(number[i], number[static_cast<std::size_t>(random.below(int(i) + 1))]);
    auto renumbered = Tensor<double, 2>::empty(atoms.positions.shape());
    for (weft::index i = 0; i < n; ++i)
        for (int c = 0; c < 3; ++c) renumbered(number[std::size_t(i)], c) = atoms.positions(i, c);
    Pairs expected = pairs;
    for (Pair& p : expected) {
        p.sender = number[std::size_t(p.sender)];
        p.receiver = number[std::size_t(p.receiver)];
    }
    std::sort(expected.begin(), expected.end());
    REQUIRE(pairs_of(neighbor_list(renumbered, atoms.cell, cutoff)) == expected);

    auto moved = atoms.positions;
    for (weft::index i = 0; i < n; ++i)
        for (int c = 0; c < 3; ++c) moved(i, c) += 0.375 * (c + 1);
    REQUIRE(pairs_of(neighbor_list(moved, atoms.cell, cutoff)) == pairs);

    auto away = atoms.positions;
    std::vector<std::array<std::int32_t, 3>> cells(static_cast<std::size_t>(n));
    for (weft::index i = 0; i < n; ++i) {
        auto& at = cells[std::size_t(i)];
        at = {random.below(9) - 4, 0, random.below(2001) - 1000};
        for (std::size_t c = 0; c < 3; ++c)
            for (std::size_t k = 0; k < 3; ++k) away(i, int(c)) += at[k] * atoms.cell.vectors[3 * k + c];
    }
    expected = pairs;
    for (Pair& p : expected)
        for (std::size_t k = 0; k < 3; ++k)
            p.shift[k] += cells[std::size_t(p.sender)][k] - cells[std::size_t(p.receiver)][k];
    std::sort(expected.begin(), expected.end());
    REQUIRE(pairs_of(neighbor_list(away, atoms.cell, cutoff)) == expected);
}

TEST_CASE("neighbour lists are bitwise the same on any number of threads") {
    Random random(4);
    Atoms atoms = random_atoms(random, 20'000, 30, 0.3);
    const auto one = [&] {
        const ThreadCount threads(1);
        return neighbor_list(atoms.positions, atoms.cell, 2);
    }();
    for (const int count : {2, 5}) {
        const ThreadExecutor threads(count);
        const auto many = neighbor_list(atoms.positions, atoms.cell, 2);
        REQUIRE(threads.calls() > 0);
        REQUIRE(same_bits(one.graph.edge_index(), many.graph.edge_index()));
        REQUIRE(same_bits(one.shifts, many.shifts));
        const ThreadCount single(1);
        REQUIRE(
            same_bits(edge_vectors(one, atoms.positions, atoms.cell), edge_vectors(many, atoms.positions, atoms.cell)));
    }
    REQUIRE(one.graph.num_edges() > 400'000);
}

TEST_CASE("a half list keeps one of each pair") {
    Random random(5);
    for (int trial = 0; trial < 20; ++trial) {
        const Atoms atoms = random_atoms(random, 1 + random.below(12), 2, 0.8);
        const auto list = neighbor_list(atoms.positions, atoms.cell, 2.5);
        const auto half = half_list(list);
        REQUIRE(half.graph.num_nodes() == list.graph.num_nodes());
        const Pairs kept = pairs_of(half);
        REQUIRE(std::is_sorted(kept.begin(), kept.end()));
        Pairs both = kept;
        for (const Pair& p : kept) both.push_back({p.receiver, p.sender, {-p.shift[0], -p.shift[1], -p.shift[2]}});
        std::sort(both.begin(), both.end());
        REQUIRE(both == pairs_of(list));
    }
}

TEST_CASE("systems without atoms or pairs") {
    const Cell cell{{4, 0, 0, 0, 4, 0, 0, 0, 4}, {true, true, true}};
    for (const Cell& c : {cell, Cell{}}) {
        const auto none = neighbor_list(std::span<const double>(), c, 3);
        REQUIRE(none.graph.num_nodes() == 0);
        REQUIRE(none.graph.num_edges() == 0);
        REQUIRE(none.shifts.shape() == weft::Extents<2>{0, 3});
        REQUIRE(half_list(none).graph.num_edges() == 0);
        REQUIRE(edge_vectors(none, std::span<const double>(), c).size() == 0);
        const auto lone = neighbor_list(Tensor<double, 2>::from({{1, 2, 3}}), c, 3);
        REQUIRE(lone.graph.num_nodes() == 1);
        REQUIRE(lone.graph.num_edges() == 0);
    }
}

TEST_CASE("atoms very far from each other take few bins") {
    // A bin for every cutoff would be 10^27 bins.
    auto positions = Tensor<double, 2>::zeros({50, 3});
    for (int i = 0; i < 50; ++i)
        for (int c = 0; c < 3; ++c) positions(i, c) = 2e7 * (i % 7 - 3) + 0.25 * i;
    const auto list = neighbor_list(positions, Cell{}, 3.5);
    Atoms atoms{positions, Cell{}};
    REQUIRE(pairs_of(list) == all_pairs(atoms, 3.5));
    REQUIRE(list.graph.num_edges() > 40);
    const Cell huge{{1e9, 0, 0, 0, 1e9, 0, 0, 0, 1e9}, {true, true, true}};
    REQUIRE(pairs_of(neighbor_list(positions, huge, 3.5)) == pairs_of(list));
}

TEST_CASE("errors of neighbour lists") {
    const Cell cell{{4, 0, 0, 0, 4, 0, 0, 0, 4}, {true, true, true}};
    const auto x = Tensor<double, 2>::from({{0, 0, 0}, {1, 1, 1}});
    const auto with = [&](double bad) {
        auto y = x;
        y(1, 2) = bad;
        return y;
    };
    for (const double bad : {not_a_number, infinite, -infinite})
        REQUIRE_THROWS_WITH(neighbor_list(with(bad), cell, 2), ContainsSubstring("coordinate 2 of atom 1"));
    for (const double bad : {not_a_number, infinite, 0.0, -1.0})
        REQUIRE_THROWS_WITH(neighbor_list(x, cell, bad), ContainsSubstring("the cutoff is"));
    REQUIRE_THROWS_WITH(neighbor_list(x, Cell{{4, 0, 0, 0, not_a_number, 0, 0, 0, 4}, {true, false, true}}, 2),
                        ContainsSubstring("lattice vectors"));
    REQUIRE_THROWS_WITH(neighbor_list(x, Cell{{4, 0, 0, 0, 0, 0, 0, 0, 4}, {true, true, true}}, 2),
                        ContainsSubstring("singular cell"));
    REQUIRE_THROWS_WITH(neighbor_list(x, Cell{{4, 0, 0, 1, 2, 0, 3, 3, 0}, {true, true, true}}, 2),
                        ContainsSubstring("singular cell"));
    REQUIRE_THROWS_WITH(neighbor_list(x, Cell{{4, 1, 0, 0, 0, 0, 8, 2, 0}, {true, false, true}}, 2),
                        ContainsSubstring("singular cell"));
    REQUIRE_NOTHROW(neighbor_list(x, Cell{{4, 1, 0, 8, 2, 0, 0, 0, 0}, {true, false, false}}, 2));
    REQUIRE_THROWS_WITH(neighbor_list(std::vector<double>{1, 2, 3, 4}, cell, 2), ContainsSubstring("4 coordinates"));
    REQUIRE_THROWS_WITH(neighbor_list(Tensor<double, 2>::zeros({3, 2}), cell, 2), ContainsSubstring("[3, 2]"));
    REQUIRE_THROWS_WITH(neighbor_list(with(1e14), cell, 2), ContainsSubstring("cells away"));
    REQUIRE_THROWS_WITH(neighbor_list(with(1e14), Cell{}, 2), ContainsSubstring("too large"));
    REQUIRE_THROWS_WITH(neighbor_list(x, cell, 1e6), ContainsSubstring("too large for the cell"));
    REQUIRE_THROWS_WITH(edge_vectors(neighbor_list(x, cell, 2), Tensor<double, 2>::zeros({3, 3}), cell),
                        ContainsSubstring("3 positions: the list has 2 atoms"));
}

TEST_CASE("cells") {
    const Cell skewed{{3, 0, 0, 2.9, 1.2, 0, 0.3, -2.8, -1.5}, {true, true, true}}; // left-handed
    const auto inverse = skewed.inverse();
    for (std::size_t r = 0; r < 3; ++r)
        for (std::size_t c = 0; c < 3; ++c) {
            double sum = 0;
            for (std::size_t k = 0; k < 3; ++k) sum += skewed.vectors[3 * r + k] * inverse[3 * k + c];
            REQUIRE(sum == Approx(r == c ? 1 : 0).margin(1e-14));
        }
    REQUIRE(skewed.volume() == Approx(3 * 1.2 * 1.5));
    for (std::size_t k = 0; k < 3; ++k)
        REQUIRE(skewed.heights()[k] ==
                Approx(1 / std::hypot(inverse[k], inverse[3 + k], inverse[6 + k])).epsilon(1e-13));
    REQUIRE(skewed.basis() == skewed.vectors);

    // What is given on an open axis does not count.
    Cell slab{{3, 0.5, 0, not_a_number, 0, 0, 0, 2, 2}, {true, false, true}};
    REQUIRE_THROWS_WITH(slab.basis(), ContainsSubstring("finite"));
    slab.vectors[3] = 0;
    const auto basis = slab.basis();
    REQUIRE(std::hypot(basis[3], basis[4], basis[5]) == Approx(1));
    REQUIRE(basis[3] * 3 + basis[4] * 0.5 == Approx(0).margin(1e-15));
    REQUIRE(basis[4] * 2 + basis[5] * 2 == Approx(0).margin(1e-15));
    REQUIRE(slab.volume() == 0);
    REQUIRE(slab.heights()[1] == Approx(1));
    const Cell wire{{0, 0, 0, 1, 2, -2, 0, 0, 0}, {false, true, false}};
    const auto along = wire.basis();
    for (const std::size_t a : {0u, 3u, 6u})
        for (const std::size_t b : {0u, 3u, 6u}) {
            const double dot = along[a] * along[b] + along[a + 1] * along[b + 1] + along[a + 2] * along[b + 2];
            REQUIRE(dot == Approx(a != b ? 0 : a == 3 ? 9 : 1).margin(1e-15));
        }
    REQUIRE(Cell{}.basis() == std::array<double, 9>{1, 0, 0, 0, 1, 0, 0, 0, 1});
    REQUIRE(Cell{} == Cell{});
    REQUIRE_FALSE(skewed == wire);
}
