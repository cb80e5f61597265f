// SPDX-License-Identifier: MIT
#include "io/io_test.hpp"
#include "potential/golden_structures.hpp"
#include "potential/potential_checks.hpp"
#include "so3/derivatives.hpp"
#include "so3/equivariance.hpp"

#include <weft/potential/calculator.hpp>
#include <weft/potential/load_nequip.hpp>
#include <weft/potential/options_for.hpp>
#include <weft/potential/trainer.hpp>

using namespace weft_test;
using weft::Dual, weft::Extents, weft::Generator, weft::Graph, weft::Tensor, weft::Var;
using weft::io::Atoms, weft::io::SafetensorsFile;
using weft::potential::NequIP, weft::potential::NequipOptions;

namespace {

NequipOptions small_options(Generator& generator) {
    return {.atomic_numbers = {1, 6, 8},
            .r_max = 3.5,
            .num_layers = 3,
            .l_max = 2,
            .feature_irreps_hidden = "4x0e+3x0o+2x1e+3x1o+2x2e+2x2o",
            .radial_mlp = {8},
            .avg_num_neighbors = 8,
            .output_features = 2,
            .atomic_energies = {-13, -1029, -2042},
            .per_type_energy_scales = {1.5, 0.5, 1},
            .scale = 0.8,
            .shift = 0.1,
            .generator = &generator};
}
NequIP<double> small_model() {
    Generator generator{5};
    NequIP<double> model(small_options(generator));
    weft::nn::requires_grad(model, false);
    return model;
}

/// n atoms in a skewed cell, or in none, at least 0.9 Å apart.
Atoms some_atoms(weft::index n, bool periodic, std::uint64_t seed = 1) {
    const double edge = std::cbrt(12.0 * static_cast<double>(n));
    Atoms atoms;
    if (periodic) {
        atoms.cell = {edge, 0.2, -0.1, 0.4, edge, 0.3, -0.5, 0.1, edge};
        atoms.pbc = {true, true, true};
    }
    Generator generator{seed};
    atoms.numbers = Tensor<std::int32_t, 1>::empty({n});
    atoms.positions = Tensor<double, 2>::empty({n, 3});
    double* const x = atoms.positions.mutable_data();
    for (weft::index i = 0; i < n; ++i) {
        atoms.numbers.mutable_data()[i] = std::array{1, 6, 8}[static_cast<std::size_t>(i % 3)];
        for (bool apart = false; !apart;) {
            weft::fill_uniform(generator, x + 3 * i, 3, 0, 0.9 * edge);
            apart = true;
            for (weft::index j = 0; j < i; ++j)
                apart = apart &&
                        std::hypot(x[3 * i] - x[3 * j], x[3 * i + 1] - x[3 * j + 1], x[3 * i + 2] - x[3 * j + 2]) > 0.9;
        }
    }
    atoms.info["energy"] = 0.5 * static_cast<double>(n);
    atoms.arrays["forces"] = numbers<double, 2>({n, 3}, 3);
    return atoms;
}

auto predicted(const NequIP<double>& model, const Atoms& atoms) {
    return weft::potential::predict(model, batch_of_all(model, std::array{atoms}));
}

void require_forces(const Tensor<double, 2>& actual, const Tensor<double, 2>& expected) {
    require_near(actual, weft::flatten(expected), 1e-10 * (1e-3 + largest(weft::flatten(expected))));
}

} // namespace

TEST_CASE("NequIP: energies, forces and the gradient of a loss as nequip", "[potential][golden]") {
    for (const char* const name : {"nequip_a", "nequip_b"}) {
        INFO(name);
        const auto file = SafetensorsFile::read(golden_path("nequip", std::string(name) + "_structures"));
        const auto path = golden_path("nequip", name);
        const auto model = weft::potential::load_nequip<double>(path);
        weft::nn::requires_grad(model, false);
        const auto batch = batch_of_all(model, structures_of(file, "energy", "forces"));
        const Tensor<double, 1> energies = model.node_energies(batch.atoms, batch.vectors); // without a tape
        auto node_energies = Tensor<double, 1>::empty(energies.shape());
        for (weft::index a = 0; a < energies.size(); ++a)
            node_energies.mutable_data()[a] = energies(a) + model.atomic_energy(batch.atoms.element(a));
        require_near(node_energies, flat(file, "node_energy"), 1e-10);
        const auto p = weft::potential::predict(model, batch);
        require_near(p.energies, batch.energies, 1e-10);
        require_near(p.forces, flat(file, "forces"), 1e-11);
        require_loss_gradient(model, file);
    }
}

namespace {

/// The columns of the last radial weight of e3nn's layer by those of ours, where paths have the order in which they are
/// found, and vectors the opposite direction; or (`back`) the reverse.
Tensor<double, 2> reordered(const NequIP<double>::InteractionBlock& conv, const Tensor<double, 2>& columns, bool back) {
    const auto& paths = conv.tp.instructions();
    std::vector<std::size_t> order(paths.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return paths[a].out < paths[b].out; });
    std::vector<weft::index> begin;
    weft::index at = 0;
    for (const auto& path : paths) begin.push_back(std::exchange(at, at + conv.tp.irreps_in1()[path.in1].mul));
    auto turned = Tensor<double, 2>::empty(columns.shape());
    at = 0;
    for (const std::size_t path : order) {
        const double sign = conv.tp.irreps_in2()[paths[path].in2].ir.l % 2 == 0 ? 1 : -1;
        for (weft::index u = 0; u < conv.tp.irreps_in1()[paths[path].in1].mul; ++u, ++at)
            for (weft::index row = 0; row < columns.extent(0); ++row) {
                const weft::index own = begin[path] + u;
                turned(row, back ? at : own) = sign * columns(row, back ? own : at);
            }
    }
    return turned;
}

} // namespace

TEST_CASE("NequIP: a model of other conventions", "[potential][golden]") {
    const auto file = SafetensorsFile::read(golden_path("equivariant-core", "mini_nequip_energy_forces"));
    GoldenCase g(file, "");
    const auto constants = g.get<double, 1>("constants");
    const double r_max = constants(0);
    NequIP<double> model({.atomic_numbers = {1, 6, 8},
                          .r_max = r_max,
                          .num_layers = 2,
                          .l_max = 2,
                          .feature_irreps_hidden = "4x0e+3x1o+2x2e",
                          .scalars_last = false,
                          .num_bessels = static_cast<weft::index>(constants(1)),
                          .polynomial_cutoff_p = constants(2),
                          .radial_mlp = {g.shape("param.layer0.fc.layer0.weight")[1]},
                          .avg_num_neighbors = constants(3),
                          .gates = weft::so3::Function::sigmoid,
                          .output_features = 0});
    // The radial functions there are those here times the root of r_max / 2.
    const double first_scale = std::sqrt(r_max / 2);
    const auto name_there = [](std::string name) {
        for (const auto& [own, theirs] : {std::pair("chemical_embedding.linear", "embed"),
                                          {"output_hidden_to_scalar.linear", "readout"},
                                          {"_convnet.conv", ""},
                                          {"linear_1", "up"},
                                          {"linear_2", "down"}})
            if (const auto at = name.find(own); at != name.npos) name.replace(at, std::string_view(own).size(), theirs);
        return name;
    };
    const auto converted = [&]<int N>(const std::string& name, Tensor<double, N> values, bool back) {
        if constexpr (N == 2) {
            if (name.ends_with("fc.layer0.weight")) values = values * first_scale;
            if (name.ends_with("fc.layer1.weight"))
                values = reordered(model.layers[name[5] == '0' ? 0 : 1].conv, values, back);
        }
        return values;
    };
    weft::nn::for_each_parameter(model, [&]<int N>(std::string_view own, weft::Parameter<double, N>& p) {
        const std::string name = name_there(std::string(own));
        if (own.find("bessel_weights") == own.npos)
            p.set_value(converted(name, g.get<double, N>("param." + name), false));
    });

    const auto x = g.get<double, 2>("pos"), v = g.get<double, 2>("loss_V");
    const auto kinds = g.get<std::int64_t, 1>("species");
    const weft::index n = x.extent(0);
    const Graph graph(g.get<std::int64_t, 1>("edge_src"), g.get<std::int64_t, 1>("edge_dst"), n, n);
    const Tensor<double, 2> shifts = matmul(g.get<double, 2>("edge_cell_shift"), g.get<double, 2>("cell"));
    const auto atoms = model.atom_graph(graph, weft::cast<std::int32_t>(kinds));
    const auto vectors_of = [&](const auto& positions, const auto& moved) {
        return weft::eval(weft::edges(graph, weft::dst(positions) - weft::src(positions) + weft::edge(moved)));
    };
    const Var positions{x};
    const auto energies = model.node_energies(atoms, vectors_of(positions, shifts));
    g.compare("act.atomic_energy", energies.value());
    g.compare("energy", Tensor<double, 1>::full({1}, sum(energies).value().item()));
    weft::backward(sum(energies));
    const Tensor<double, 2> forces = -positions.grad();
    g.compare("forces", forces, {.relative = 1e-9, .absolute = 1e-9});

    const double loss = 0.3 * sum(energies).value().item() + weft::sum(forces * v).item();
    g.compare("loss", Tensor<double, 1>::full({1}, loss));

    // The sum of <forces, v> is the derivative of the energy in the direction -v.
    auto dual = model.over<Dual<double>>();
    weft::nn::set_values_of_dual(model, dual);
    const Var moving{weft::with_tangent(x, Tensor<double, 2>(-v))};
    weft::backward(
        sum(dual.node_energies(atoms, vectors_of(moving, Tensor<Dual<double>, 2>(cast<Dual<double>>(shifts))))));
    weft::nn::for_each_parameter(dual, [&]<int N>(std::string_view own, weft::Parameter<Dual<double>, N>& p) {
        if (own.find("bessel_weights") != own.npos) return;
        const std::string name = name_there(std::string(own));
        INFO(name);
        auto gradient = Tensor<double, N>::empty(p.grad().shape());
        for (weft::index i = 0; i < gradient.size(); ++i) {
            const Dual<double> both = p.grad().data()[i];
            gradient.mutable_data()[i] = 0.3 * both.value + both.tangent;
        }
        g.compare("dloss." + name, converted(name, gradient, true), {.relative = 1e-8, .absolute = 1e-8});
    });
}

TEST_CASE("NequIP: energies are invariant, forces turn with the atoms", "[potential]") {
    const auto model = small_model();
    for (const bool periodic : {false, true}) {
        INFO("periodic " << periodic);
        const Atoms atoms = some_atoms(12, periodic);
        const auto p = predicted(model, atoms);
        const double energy = p.energies(0);
        REQUIRE(largest(weft::flatten(p.forces)) > 1e-3);
        const auto require_energy = [&](double actual) {
            REQUIRE(std::abs(actual - energy) <= 1e-10 * std::abs(energy));
        };
        for (const auto& rotation : some_rotations()) {
            INFO("improper " << rotation.improper());
            const Tensor<double, 2> turn = weft::transpose(wigner_d("1o", rotation));
            Atoms turned = atoms;
            turned.positions = matmul(atoms.positions, turn) + Tensor<double, 1>::from({0.3, -1.1, 20.2});
            const auto cell = Tensor<double, 2>::from(std::span<const double>(atoms.cell), {3, 3});
            const Tensor<double, 2> turned_cell = matmul(cell, turn);
            std::copy_n(turned_cell.data(), 9, turned.cell.begin());
            const auto q = predicted(model, turned);
            require_energy(q.energies(0));
            require_forces(q.forces, matmul(p.forces, turn));
        }
        std::vector<std::int64_t> reverse(12);
        std::iota(reverse.rbegin(), reverse.rend(), 0);
        const auto order = Tensor<std::int64_t, 1>::from(std::span<const std::int64_t>(reverse), {12});
        Atoms permuted = atoms;
        permuted.numbers = gather(atoms.numbers, order);
        permuted.positions = gather(atoms.positions, order);
        const auto q = predicted(model, permuted);
        require_energy(q.energies(0));
        require_forces(q.forces, gather(p.forces, order));
    }
}

TEST_CASE("NequIP: forces, virial and stress are derivatives of the energy", "[potential]") {
    for (const bool periodic : {false, true}) {
        INFO("periodic " << periodic);
        const Atoms atoms = some_atoms(7, periodic, 2);
        weft::potential::Calculator calculator(small_model());
        require_derivatives(calculator,
                            {.positions = atoms.positions,
                             .velocities = Tensor<double, 2>::zeros({7, 3}),
                             .masses = Tensor<double, 1>::ones({7}),
                             .species = atoms.numbers,
                             .cell = atoms.cell,
                             .pbc = atoms.pbc},
                            1e-7);
    }
}

TEST_CASE("NequIP: smooth where a neighbour comes or goes", "[potential]") {
    const auto model = small_model();
    const auto at = [&](double distance) {
        Atoms atoms;
        atoms.numbers = Tensor<std::int32_t, 1>::from({8, 1, 6});
        atoms.positions = Tensor<double, 2>::from({{0, 0, 0}, {0, 1.1, 0}, {0, 0, distance}});
        atoms.info["energy"] = 0.0;
        atoms.arrays["forces"] = Tensor<double, 2>::zeros({3, 3});
        return predicted(model, atoms);
    };
    const double step = 1e-6, r_max = model.cutoff();
    const auto inside = at(r_max - step / 2), outside = at(r_max + step / 2), nearer = at(r_max - 0.8);
    REQUIRE(std::abs(inside.energies(0) - outside.energies(0)) <= 1e-12);
    require_near(inside.forces, weft::flatten(outside.forces), 1e-9);
    REQUIRE(outside.forces(2, 2) == 0);
    REQUIRE(inside.forces(2, 2) != 0);
    REQUIRE(std::abs(nearer.forces(2, 2)) > 1e-4);
}

TEST_CASE("NequIP: the gradient of a loss against differences", "[potential]") {
    const auto model = small_model();
    const std::array structures{some_atoms(6, false), some_atoms(5, true)};
    const auto batch = batch_of_all(model, structures);
    const weft::potential::EnergyForcesLoss loss{.energy_weight = 3, .forces_weight = 20};
    weft::potential::LossGradient gradient(model);
    const double value = gradient(model, batch, loss);
    REQUIRE(value == loss(weft::potential::predict(model, batch), batch));
    int compared = 0;
    weft::nn::for_each_parameter(model, [&]<int N>(std::string_view name, const weft::Parameter<double, N>& p) {
        INFO(name);
        REQUIRE(p.has_grad());
        const auto slopes = Tensor<double, 1>(weft::flatten(p.grad()));
        weft::Parameter<double, N> handle = p;
        const auto place = static_cast<std::size_t>(slopes.size() / 2);
        double& weight = handle.mutable_values()[place];
        const double kept = weight, step = 1e-4;
        const auto moved = [&](double to) {
            handle.mutable_values()[place] = to;
            return loss(weft::potential::predict(model, batch), batch);
        };
        const double difference = (moved(kept + step) - moved(kept - step)) / (2 * step);
        moved(kept);
        INFO("the difference is " << difference << ", the gradient " << slopes.data()[place]);
        REQUIRE(std::abs(difference - slopes.data()[place]) <= 1e-6 * largest(slopes));
        compared += slopes.data()[place] != 0;
    });
    REQUIRE(compared >= 15);
}

TEST_CASE("NequIP: the same on any number of threads, alone or in a batch", "[potential]") {
    const auto model = small_model();
    const std::array structures{some_atoms(60, true), some_atoms(1, false), some_atoms(33, false)};
    require_thread_independent([&] {
        const auto p = weft::potential::predict(model, batch_of_all(model, structures));
        return Tensor<double, 1>(weft::concat(0, std::vector{p.energies, Tensor<double, 1>(weft::flatten(p.forces))}));
    });
    require_thread_independent([&] {
        weft::potential::LossGradient gradient(model);
        weft::nn::for_each_parameter(model, [](std::string_view, const auto& p) {
            auto handle = p;
            handle.clear_grad();
        });
        gradient(model, batch_of_all(model, structures), {});
        std::vector<Tensor<double, 1>> all;
        weft::nn::for_each_parameter(
            model, [&](std::string_view, const auto& p) { all.push_back(Tensor<double, 1>(weft::flatten(p.grad()))); });
        return Tensor<double, 1>(weft::concat(0, all));
    });
    const auto together = weft::potential::predict(model, batch_of_all(model, structures));
    weft::index atom = 0;
    for (std::size_t s = 0; s < structures.size(); ++s) {
        INFO("structure " << s);
        const auto alone = predicted(model, structures[s]);
        REQUIRE(alone.energies(0) == together.energies(static_cast<weft::index>(s)));
        const weft::index end = atom + structures[s].size();
        // The gradients of features are added up in parts that depend on the number of all edges.
        require_near(alone.forces, weft::flatten(weft::slice(together.forces, 0, atom, end)), 1e-13);
        atom = end;
    }
}

TEST_CASE("NequIP: tables instead of radial networks", "[potential]") {
    const auto model = small_model();
    const auto tabulated = model.tabulated({.tolerance = 1e-7, .derivative_tolerance = 1e-5});
    const Atoms atoms = some_atoms(12, true);
    const auto exact = predicted(model, atoms), near = predicted(tabulated, atoms);
    REQUIRE(near.energies(0) != exact.energies(0));
    REQUIRE(std::abs(near.energies(0) - exact.energies(0)) <= 1e-6 * std::abs(exact.energies(0)));
    require_near(near.forces, weft::flatten(exact.forces), 1e-4 * largest(weft::flatten(exact.forces)));
}

TEST_CASE("NequIP: a fresh model learns", "[potential]") {
    // What another model says of a few structures.
    const auto teacher = small_model();
    std::vector<Atoms> structures;
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
        Atoms& atoms = structures.emplace_back(some_atoms(6, seed % 2 == 0, seed));
        const auto p = predicted(teacher, atoms);
        double energy = p.energies(0);
        const auto elements = teacher.elements_of(atoms.numbers.values());
        for (const std::int32_t element : elements.values())
            energy += teacher.atomic_energy(element);
        atoms.info["energy"] = energy;
        atoms.arrays["forces"] = p.forces;
    }
    const weft::potential::StructureSet set(structures, teacher.cutoff());
    Generator generator{9};
    NequipOptions options = small_options(generator);
    options.num_layers = 2;
    options.per_type_energy_scales = {};
    options = options_for(set, options);
    REQUIRE(options.avg_num_neighbors == set.avg_num_neighbors());
    REQUIRE(options.scale == set.forces_rms());
    weft::potential::Trainer trainer(NequIP<double>(options), set, {}, {.ema = false});
    const double before = evaluate(trainer.model(), set).forces.rmse;
    for (int epoch = 0; epoch < 40; ++epoch) trainer.epoch();
    const double after = evaluate(trainer.model(), set).forces.rmse;
    INFO("from " << before << " to " << after);
    REQUIRE(after < 0.5 * before);
}

TEST_CASE("NequIP: no neighbours, no atoms", "[potential]") {
    weft::potential::Calculator calculator(small_model());
    const auto compute = [&](const std::vector<double>& x, const std::vector<std::int32_t>& species) {
        return calculator.compute(x, species, {}, {});
    };
    REQUIRE(compute({}, {}).energy == 0);
    const double alone = compute({1, 2, 3}, {8}).energy;
    REQUIRE(alone != -2042); // the self-connection sees an atom without neighbours
    const auto far = compute({0, 0, 0, 0, 0, 9, 0, 9, 0}, {8, 8, 6});
    REQUIRE(far.node_energies[0] == alone);
    REQUIRE(far.node_energies[1] == alone);
    for (const double f : far.forces) REQUIRE(f == 0);
}

TEST_CASE("NequIP: features that can be reached", "[potential]") {
    const auto features = [](const NequipOptions& options) {
        std::vector<std::string> all;
        for (const auto& layer : NequIP<double>(options).layers)
            all.push_back(fmt::format("{}", layer.equivariant_nonlin.irreps_out()));
        return all;
    };
    REQUIRE(features({.atomic_numbers = {1}}) ==
            std::vector<std::string>{"32x0e+32x1o", "32x0e+32x1e+32x1o", "32x0e+32x0o+32x1e+32x1o", "32x0e"});
    REQUIRE(features({.atomic_numbers = {1},
                      .num_layers = 2,
                      .l_max = 2,
                      .feature_irreps_hidden = "2x2e+3x0e+4x1o+5x3o",
                      .scalars_last = false}) == std::vector<std::string>{"3x0e+2x2e+4x1o", "3x0e+2x2e+4x1o+5x3o"});
}

TEST_CASE("NequIP: files", "[potential]") {
    const TemporaryFolder folder;
    const auto model = small_model();
    weft::potential::save_nequip(folder / "a.safetensors", model, {{"note", "kept"}});
    const auto loaded = weft::potential::load_nequip<double>(folder / "a.safetensors");
    weft::nn::requires_grad(loaded, false);
    REQUIRE(nequip_config(loaded.options()) == nequip_config(model.options()));
    const Atoms atoms = some_atoms(9, true);
    const auto p = predicted(model, atoms), q = predicted(loaded, atoms);
    REQUIRE(p.energies(0) == q.energies(0));
    REQUIRE(same_bits(p.forces, q.forces));
    weft::potential::save_nequip(folder / "b.safetensors", loaded, {{"note", "kept"}});
    REQUIRE(read_text(folder / "a.safetensors") == read_text(folder / "b.safetensors"));

    const auto error_with = [&](std::string config, bool parameters = true) {
        auto dict = weft::nn::state_dict(model);
        if (!parameters) dict.pop_back();
        weft::io::Metadata metadata;
        if (!config.empty()) metadata["config"] = std::move(config);
        weft::io::save_safetensors(folder / "c.safetensors", dict, metadata);
        return error_of([&] { weft::potential::load_nequip<double>(folder / "c.safetensors"); });
    };
    const std::string config = nequip_config(model.options());
    const auto changed = [&](const std::string& from, const std::string& to) {
        std::string text = config;
        REQUIRE(text.find(from) != text.npos);
        return text.replace(text.find(from), from.size(), to);
    };
    REQUIRE(error_with(config) == "nothing was thrown");
    REQUIRE_THAT(error_with(""), ContainsSubstring("c.safetensors: the metadata has no \"config\""));
    REQUIRE_THAT(error_with(config, false), ContainsSubstring("missing: output_hidden_to_scalar.linear.weight"));
    REQUIRE_THAT(error_with(changed("\"l_max\": 2", "\"l_max\": 1")),
                 ContainsSubstring("misshaped: layer0_convnet.conv.fc.layer1.weight is [8, 12], must be [8, 8]"));
    REQUIRE_THAT(error_with(changed("\"NequIP\"", "\"MACE\"")), ContainsSubstring("the model is \"MACE\""));
    REQUIRE_THAT(error_with(changed("\"l_max\"", "\"lmax\"")), ContainsSubstring("config has \"lmax\", which is unkn"));
    REQUIRE_THAT(error_with(changed("\"r_max\": 3.5, ", "")), ContainsSubstring("config has no r_max"));
    REQUIRE_THAT(error_with(changed("\"r_max\": 3.5", "\"r_max\": \"far\"")), ContainsSubstring("c.safetensors"));
}

TEST_CASE("NequIP: options that no model has", "[potential]") {
    const auto with = [](auto&& change) {
        Generator generator{1};
        NequipOptions options = small_options(generator);
        change(options);
        return error_of([&] { NequIP<double> model(options); });
    };
    REQUIRE(with([](auto&) {}) == "nothing was thrown");
    REQUIRE_THAT(with([](auto& o) { o.atomic_numbers = {1, 6, 6}; }), ContainsSubstring("must not be there twice"));
    REQUIRE_THAT(with([](auto& o) { o.per_type_energy_scales = {1}; }), ContainsSubstring("energy scales is 1"));
    REQUIRE_THAT(with([](auto& o) { o.atomic_energies[0] = NAN; }), ContainsSubstring("must be finite"));
    REQUIRE_THAT(with([](auto& o) { o.r_max = 0; }), ContainsSubstring("r_max is 0: must be positive"));
    REQUIRE_THAT(with([](auto& o) { o.feature_irreps_hidden = "4x0o+2x1o"; }), ContainsSubstring("0e among them"));
    REQUIRE_THAT(with([](auto& o) { o.feature_irreps_hidden = "4x0e+2x1o+1x1o"; }), ContainsSubstring("each irrep"));
    REQUIRE_THAT(with([](auto& o) {
                     o.num_layers = 4; // where 0o can be reached
                     o.odd_scalars = weft::so3::Function::silu;
                 }),
                 ContainsSubstring("silu of 3x0o: a function of odd scalars must be even or odd"));
    REQUIRE_THAT(error_of([] {
                     small_model().elements_of(std::array{1, 7});
                 }),
                 ContainsSubstring("atom 1 has the atomic number 7: the model knows 1, 6, 8"));
}
