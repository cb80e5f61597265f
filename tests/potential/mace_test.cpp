// SPDX-License-Identifier: MIT
#include "potential/mace_goldens.hpp"

#include <weft/core/reduce.hpp>
#include <weft/grad/backward.hpp>
#include <weft/potential/load_mace.hpp>

using namespace weft_test;
using weft::Extents, weft::Graph, weft::Tensor, weft::Var;
using weft::io::SafetensorsFile;
using weft::potential::MACE;

namespace {

/// Activations, [rows, dim] in the layout of the reference or by element.
struct Compare {
    const SafetensorsFile& file;
    const weft::potential::AtomGraph& atoms;
    weft::index channels;
    int& compared;

    template <class X>
    void operator()(std::string_view name, int layer, const X& x) const {
        const auto value = [&] {
            if constexpr (requires { x.value(); })
                return x.value();
            else
                return weft::eval(x);
        }();
        check(name, layer, weft::contiguous(value));
    }
    template <int N>
    void check(std::string_view name, int layer, Tensor<double, N> value) const {
        const std::string number = std::to_string(layer);
        const std::string key = name == "edge_sh" || name == "edge_transformed_r" || name == "pair_node_energy"
                                    ? "act." + std::string(name)
                                : name == "edge_radial" ? "act.edge_radial.0"
                                : name == "symcon"      ? "act.prod" + number + ".symcon"
                                : name == "product"     ? "act.prod" + number + ".out"
                                : name == "readout"     ? "act.readout" + number
                                                        : "act.int" + number + "." + std::string(name);
        if (!file.contains(key)) return;
        INFO(key);
        const auto expected = flat(file, key);
        if constexpr (N == 2) {
            const weft::index count = atoms.element.size();
            if (name == "linear_up" && layer == 0) value = weft::gather(value, atoms.place);
            if (name == "out.0") { // [atoms, channels, components] in the reference
                const weft::index d = value.extent(1) / channels;
                auto turned = Tensor<double, 2>::empty(value.shape());
                for (weft::index a = 0; a < count; ++a)
                    for (weft::index l = 0, at = 0; at < d; at += 2 * l + 1, ++l)
                        for (weft::index c = 0; c < channels; ++c)
                            for (weft::index m = 0; m < 2 * l + 1; ++m)
                                turned.mutable_data()[(a * channels + c) * d + at + m] =
                                    value(a, channels * at + c * (2 * l + 1) + m);
                value = turned;
            }
        }
        require_near(value, expected, 1e-11 * largest(expected) + 1e-300);
        ++compared;
    }
};

/// The vectors of the edges from sender to receiver, [edges, 3].
Tensor<double, 2> edge_vectors(const SafetensorsFile& file) {
    const auto x = file.get<double, 2>("positions");
    const auto cells = file.get<double, 3>("cell_used");
    const auto ends = file.get<std::int32_t, 2>("edge_index"), shift = file.get<std::int32_t, 2>("unit_shifts");
    const auto ptr = file.get<std::int32_t, 1>("ptr");
    auto vectors = Tensor<double, 2>::empty({ends.extent(1), 3});
    for (weft::index e = 0; e < ends.extent(1); ++e) {
        weft::index g = 0;
        while (ptr(g + 1) <= ends(0, e)) ++g;
        for (weft::index k = 0; k < 3; ++k) {
            double v = x(ends(1, e), k) - x(ends(0, e), k);
            for (weft::index l = 0; l < 3; ++l) v += shift(e, l) * cells(g, l, k);
            vectors.mutable_data()[3 * e + k] = v;
        }
    }
    return vectors;
}

} // namespace

TEST_CASE("MACE: activations, energies and forces as in the reference", "[potential][golden]") {
    int files = 0;
    for (const MaceGolden& golden : mace_goldens()) {
        INFO(golden.model.string());
        const auto model = weft::potential::load_mace<double>(golden.model);
        weft::nn::requires_grad(model, false);
        const weft::index channels = model.options().hidden_irreps[0].mul;
        for (const auto& path : golden.data) {
            INFO(path.string());
            const auto file = SafetensorsFile::read(path);
            if (!file.contains("edge_index") || !file.contains("node_energy")) continue;
            const auto x = file.get<double, 2>("positions");
            const weft::index n = x.extent(0);
            const auto element = model.elements_of(file.get<std::int32_t, 1>("atomic_numbers").values());
            const auto atoms = model.atom_graph(Graph(file.get<std::int32_t, 2>("edge_index"), n), element);
            int compared = 0;
            const Var vectors{edge_vectors(file)};
            const auto interaction = model.node_energies(atoms, vectors, Compare{file, atoms, channels, compared});
            auto energies = Tensor<double, 1>(interaction.value());
            for (weft::index i = 0; i < n; ++i)
                energies.mutable_data()[i] += model.atomic_energies_fn.atomic_energies(element(i));
            require_near(energies, flat(file, "node_energy"), 1e-9);
            backward(sum(interaction));
            auto forces = Tensor<double, 2>::zeros({n, 3});
            const auto g = vectors.grad();
            for (weft::index e = 0; e < atoms.graph.num_edges(); ++e)
                for (weft::index k = 0; k < 3; ++k) {
                    forces.mutable_data()[3 * atoms.graph.sources()(e) + k] += g(e, k);
                    forces.mutable_data()[3 * atoms.graph.destinations()(e) + k] -= g(e, k);
                }
            require_near(forces, flat(file, "forces"), 1e-9);
            std::printf("golden %s: %d activations\n", path.string().c_str(), compared);
            ++files;
        }
    }
    REQUIRE(files > 0);
}

TEST_CASE("MACE: the gradient of a loss of energies and forces by every parameter", "[potential][golden]") {
    int files = 0;
    for (const MaceGolden& golden : mace_goldens()) {
        for (const auto& path : golden.data) {
            INFO(path.string());
            const auto file = SafetensorsFile::read(path);
            if (!file.contains("loss")) continue;
            require_loss_gradient(weft::potential::load_mace<double>(golden.model), file);
            ++files;
        }
    }
    REQUIRE(files > 0);
}
