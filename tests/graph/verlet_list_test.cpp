// SPDX-License-Identifier: MIT
#include "core/tensor_checks.hpp"
#include "graph/atoms.hpp"
#include "thread_executor.hpp"

#include <weft/graph/verlet_list.hpp>

using weft::Cell, weft::neighbor_list, weft::NeighborList, weft::Tensor, weft::VerletList;
using namespace weft_test;

namespace {

void move(Atoms& atoms, Random& random, double step) {
    for (double& x : atoms.positions.mutable_values()) x += random.uniform(-step, step);
}

} // namespace

TEST_CASE("a Verlet list is the neighbour list at every step of a random walk") {
    Random random(1);
    for (const int kind : {0, 1, 2, 3, 4}) {
        const double size = kind == 3 ? 1.6 : 7;
        Atoms atoms = random_atoms(random, kind == 3 ? 5 : 150, size, kind == 4 ? 3 : 0.5);
        atoms.cell.periodic = {kind != 1, kind != 1 && kind != 2, true};
        VerletList verlet(1.9, kind == 2 ? 0.0 : 0.6);
        weft::index changes = 0;
        weft::Graph before;
        for (int step = 0; step < 150; ++step) {
            const auto& list = verlet.update(atoms.positions, atoms.cell);
            const auto expected = neighbor_list(atoms.positions, atoms.cell, 1.9);
            CAPTURE(kind, step, expected.graph, list.graph);
            REQUIRE(same_bits(list.graph.edge_index(), expected.graph.edge_index()));
            REQUIRE(same_bits(list.shifts, expected.shifts));
            changes += !list.graph.same_as(before);
            before = list.graph;
            move(atoms, random, 0.04);
            // Far out of the cell: this one leaves by a straight line.
            for (int c = 0; c < 3; ++c) atoms.positions(0, c) += 0.05;
        }
        REQUIRE(changes > 20);
        REQUIRE(verlet.rebuilds() > 3);
        if (kind != 2) REQUIRE(verlet.rebuilds() < 75);
    }
}

TEST_CASE("a Verlet list is made again when it must be, and not before") {
    Random random(2);
    Atoms atoms = random_atoms(random, 60, 5, 0.3);
    VerletList verlet(2, 0.5);
    REQUIRE(verlet.rebuilds() == 0);
    verlet.update(atoms.positions, atoms.cell);
    REQUIRE(verlet.rebuilds() == 1);

    const auto same_as_search = [&] {
        const auto& list = verlet.update(atoms.positions, atoms.cell);
        const auto expected = neighbor_list(atoms.positions, atoms.cell, 2);
        return same_bits(list.graph.edge_index(), expected.graph.edge_index()) &&
               same_bits(list.shifts, expected.shifts);
    };
    const auto start = atoms.positions;
    atoms.positions(7, 1) += 0.2499;
    REQUIRE(same_as_search());
    REQUIRE(verlet.rebuilds() == 1);
    atoms.positions(7, 1) += 0.0002;
    REQUIRE(same_as_search());
    REQUIRE(verlet.rebuilds() == 2);
    atoms.positions(7, 1) -= 0.2;
    REQUIRE(same_as_search());
    REQUIRE(verlet.rebuilds() == 2);

    atoms.cell.vectors[4] *= 1.0000001;
    REQUIRE(same_as_search());
    REQUIRE(verlet.rebuilds() == 3);
    atoms.cell.periodic[2] = false;
    REQUIRE(same_as_search());
    REQUIRE(verlet.rebuilds() == 4);
    atoms.positions = Tensor<double, 2>::from(start.values().first(3 * 59), {59, 3});
    REQUIRE(same_as_search());
    REQUIRE(verlet.rebuilds() == 5);
    atoms.positions = Tensor<double, 2>::zeros({0, 3});
    REQUIRE(same_as_search());
    REQUIRE(same_as_search());
    REQUIRE(verlet.rebuilds() == 6);
}

TEST_CASE("the graph of a Verlet list stays while its pairs do") {
    auto x = Tensor<double, 2>::from({{0, 0, 0}, {1, 0, 0}, {3.5, 0, 0}});
    const Cell cell{{20, 0, 0, 0, 20, 0, 0, 0, 20}, {true, true, true}};
    VerletList verlet(2, 0.4);
    const auto first = verlet.update(x, cell).graph;
    const auto& in = first.in();
    REQUIRE(first.num_edges() == 2);
    x(1, 0) = 1.1;
    REQUIRE(verlet.update(x, cell).graph.same_as(first));
    x(1, 1) = 0.9; // far enough for a search, but with the same result
    REQUIRE(verlet.update(x, cell).graph.same_as(first));
    REQUIRE(&verlet.update(x, cell).graph.in() == &in);
    REQUIRE(verlet.rebuilds() == 2);
    x(2, 0) = 2.8;
    REQUIRE(verlet.update(x, cell).graph.num_edges() == 4);
    const auto second = verlet.update(x, cell).graph;
    REQUIRE_FALSE(second.same_as(first));
    // One pair leaves, another enters: as many as before.
    auto y = Tensor<double, 2>::from({{0, 0, 0}, {1.95, 0, 0}, {0, 2.05, 0}});
    VerletList exchange(2, 0.4);
    const auto one = exchange.update(y, cell).graph;
    y(1, 0) = 2.05;
    y(2, 1) = 1.95;
    const auto other = exchange.update(y, cell).graph;
    REQUIRE(exchange.rebuilds() == 1);
    REQUIRE(one.num_edges() == other.num_edges());
    REQUIRE_FALSE(one.same_as(other));
    // An atom put back into the cell: the same pairs, and so the same graph, but other shifts.
    const auto inside = exchange.update(y, cell);
    y(2, 1) -= 20;
    const auto outside = exchange.update(y, cell);
    REQUIRE(exchange.rebuilds() == 2);
    REQUIRE(inside.graph.same_as(outside.graph));
    REQUIRE(pairs_of(inside) == Pairs{{2, 0, {0, 0, 0}}, {0, 2, {0, 0, 0}}});
    REQUIRE(pairs_of(outside) == Pairs{{2, 0, {0, -1, 0}}, {0, 2, {0, 1, 0}}});
}

TEST_CASE("Verlet lists are bitwise the same on any number of threads") {
    Random random(3);
    const Atoms start = random_atoms(random, 4000, 16, 0.3);
    const auto run = [&] {
        Random steps(4);
        Atoms atoms = start;
        VerletList verlet(2, 0.3);
        std::vector<NeighborList> lists;
        for (int step = 0; step < 6; ++step) {
            lists.push_back(verlet.update(atoms.positions, atoms.cell));
            move(atoms, steps, 0.05);
        }
        return lists;
    };
    const auto one = [&] {
        const ThreadCount threads(1);
        return run();
    }();
    const ThreadExecutor threads(3);
    const auto many = run();
    REQUIRE(threads.calls() > 6);
    for (std::size_t step = 0; step < one.size(); ++step) {
        REQUIRE(same_bits(one[step].graph.edge_index(), many[step].graph.edge_index()));
        REQUIRE(same_bits(one[step].shifts, many[step].shifts));
    }
}

TEST_CASE("a Verlet list in steady state asks no memory of the system for tensors") {
    Random random(5);
    Atoms atoms = random_atoms(random, 500, 8, 0.3);
    VerletList verlet(2, 1);
    const auto steps = [&](int count) {
        int changes = 0;
        weft::Graph before;
        for (int step = 0; step < count; ++step) {
            const auto& list = verlet.update(atoms.positions, atoms.cell);
            changes += !list.graph.same_as(before);
            before = list.graph;
            move(atoms, random, 0.002);
        }
        return changes;
    };
    steps(20);
    const auto asked = weft::detail::Pool::instance().system_allocations();
    REQUIRE(steps(20) > 5);
    REQUIRE(weft::detail::Pool::instance().system_allocations() == asked);
    REQUIRE(verlet.rebuilds() == 1);
}

TEST_CASE("errors of Verlet lists, which go on after them") {
    const double not_a_number = std::numeric_limits<double>::quiet_NaN();
    for (const double bad : {not_a_number, 0.0, -1.0, std::numeric_limits<double>::infinity()})
        REQUIRE_THROWS_WITH(VerletList(bad, 1), ContainsSubstring("cutoff"));
    for (const double bad : {not_a_number, -1.0, std::numeric_limits<double>::infinity()})
        REQUIRE_THROWS_WITH(VerletList(1, bad), ContainsSubstring("skin"));
    const Cell cell{{9, 0, 0, 0, 9, 0, 0, 0, 9}, {true, true, true}};
    auto x = Tensor<double, 2>::from({{0, 0, 0}, {1, 0, 0}});
    VerletList verlet(2, 0.4);
    const auto graph = verlet.update(x, cell).graph;
    const auto good = x;
    x(1, 2) = not_a_number;
    REQUIRE_THROWS_WITH(verlet.update(x, cell), ContainsSubstring("coordinate 2 of atom 1"));
    Cell flat = cell;
    flat.vectors[8] = 0;
    REQUIRE_THROWS_WITH(verlet.update(good, flat), ContainsSubstring("singular cell"));
    REQUIRE_THROWS_WITH(verlet.update(std::vector<double>{1, 2}, cell), ContainsSubstring("2 coordinates"));
    REQUIRE(verlet.update(good, cell).graph.same_as(graph));
    REQUIRE(verlet.rebuilds() == 1);
}
