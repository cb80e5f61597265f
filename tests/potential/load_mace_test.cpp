// SPDX-License-Identifier: MIT
#include "potential/golden_structures.hpp"

#include <weft/potential/load_mace.hpp>

#include <fstream>

using namespace weft_test;
using weft::io::AnyTensor, weft::io::NamedTensors, weft::io::SafetensorsFile;
using weft::potential::load_mace, weft::potential::MACE, weft::potential::save_mace;

namespace {

std::filesystem::path golden_model(const std::string& name) {
    return std::filesystem::path(WEFT_TEST_FOLDER) / "golden" / "interatomic-potential" / (name + ".safetensors");
}
std::filesystem::path temporary(const std::string& name) {
    return std::filesystem::temp_directory_path() / ("weft_load_mace_" + name + ".safetensors");
}
std::string bytes_of(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

/// A model's file that is changed before it is loaded.
struct Edited {
    NamedTensors tensors;
    weft::io::Metadata metadata;

    explicit Edited(const std::string& name) {
        const auto file = SafetensorsFile::read(golden_model(name));
        for (const std::string& key : file.names()) tensors.emplace_back(key, file.any(key));
        metadata = file.metadata();
    }
    void erase(const std::string& key) {
        REQUIRE(std::erase_if(tensors, [&](const auto& t) { return t.first == key; }) == 1);
    }
    void config(const std::string& from, const std::string& to) {
        std::string& text = metadata["config"];
        const auto at = text.find(from);
        REQUIRE(at != text.npos);
        text.replace(at, from.size(), to);
    }
    /// What is wrong with it, or "".
    std::string error() const {
        const auto path = temporary("edited");
        weft::io::save_safetensors(path, tensors, metadata);
        std::string text;
        try {
            (void)load_mace<float>(path);
        } catch (const weft::Error& e) {
            text = e.what();
        }
        std::filesystem::remove(path);
        return text;
    }
};

} // namespace

TEST_CASE("load_mace: saved and loaded, the same bytes", "[potential]") {
    // The last one has couplings of its own.
    for (const char* const name : {"mace_a", "mace_b", "mace_c", "mace_acac_trained", "reduced"}) {
        INFO(name);
        const auto first = temporary("first"), second = temporary("second");
        save_mace(first, load_mace<double>(golden_model(name)));
        save_mace(second, load_mace<double>(first));
        REQUIRE(bytes_of(first) == bytes_of(second));
        // All that the original has, and its numbers.
        const auto original = SafetensorsFile::read(golden_model(name)), saved = SafetensorsFile::read(first);
        for (const std::string& key : original.names()) {
            INFO(key);
            REQUIRE(saved.contains(key));
            REQUIRE(saved.info(key).shape == original.info(key).shape);
            const auto a = flat(original, key), b = flat(saved, key);
            REQUIRE(std::equal(a.data(), a.data() + a.size(), b.data()));
        }
        REQUIRE(saved.names().size() == original.names().size());
        std::filesystem::remove(first);
        std::filesystem::remove(second);
    }
}

TEST_CASE("load_mace: keys that say nothing, and single numbers without an axis", "[potential]") {
    Edited file("mace_a");
    const auto add = [&](const std::string& key, const weft::Tensor<float, 1>& t) {
        file.tensors.emplace_back(key, t);
    };
    add("interactions.0.linear.output_mask", weft::Tensor<float, 1>::ones({3}));
    add("interactions.0.conv_tp._w3j_0_1_1", weft::Tensor<float, 1>::ones({27}));
    add("products.0.linear.bias", weft::Tensor<float, 1>::zeros({0}));
    add("products.0.symmetric_contractions.contractions.0.weights_0_zeroed", weft::Tensor<float, 1>::ones({1}));
    add("pair_repulsion_fn.covalent_radii", weft::Tensor<float, 1>::ones({119}));
    bool one_head = false;
    for (auto& [key, tensor] : file.tensors) {
        if (key == "r_max") tensor = AnyTensor(tensor.dtype(), {}, tensor.storage(), tensor.bytes().data());
        if (key != "atomic_energies_fn.atomic_energies") continue;
        one_head = true;
        tensor = AnyTensor(tensor.dtype(), {1, tensor.size()}, tensor.storage(), tensor.bytes().data());
    }
    REQUIRE(one_head);
    REQUIRE(file.error() == "");
    // Of more heads, and empty without being a bias.
    Edited two("mace_a");
    for (auto& [key, tensor] : two.tensors)
        if (key == "atomic_energies_fn.atomic_energies") tensor = weft::Tensor<double, 2>::zeros({2, tensor.size()});
    REQUIRE_THAT(two.error(), ContainsSubstring("atomic_energies_fn.atomic_energies"));
    Edited empty("mace_a");
    empty.tensors.emplace_back("products.0.linear.weights", weft::Tensor<float, 1>::zeros({0}));
    REQUIRE_THAT(empty.error(), ContainsSubstring("products.0.linear.weights"));
}

TEST_CASE("load_mace: what is wrong is named", "[potential]") {
    const auto error = [](auto&& change, const char* model = "mace_a") {
        Edited file(model);
        change(file);
        return file.error();
    };
    REQUIRE(error([](Edited&) {}) == "");
    REQUIRE_THAT(error([](Edited& f) { f.erase("products.1.linear.weight"); }),
                 ContainsSubstring("missing: products.1.linear.weight"));
    REQUIRE_THAT(error([](Edited& f) { f.tensors.emplace_back("surprise", weft::Tensor<float, 1>::ones({2})); }),
                 ContainsSubstring("unexpected: surprise"));
    REQUIRE_THAT(error([](Edited& f) {
                     f.erase("readouts.0.linear.weight");
                     f.tensors.emplace_back("readouts.0.linear.weight", weft::Tensor<float, 1>::ones({16}));
                 }),
                 ContainsSubstring("readouts.0.linear.weight"));
    REQUIRE_THAT(error([](Edited& f) { f.metadata.erase("config"); }), ContainsSubstring("config"));
    REQUIRE_THAT(error([](Edited& f) { f.metadata["config"] = "{"; }), ContainsSubstring("json"));
    REQUIRE_THAT(error([](Edited& f) { f.config("\"max_ell\": 2, ", ""); }), ContainsSubstring("max_ell"));
    REQUIRE_THAT(error([](Edited& f) { f.config("\"correlation\": 3", "\"correlation\": 4"); }),
                 ContainsSubstring("correlation is 4"));
    REQUIRE_THAT(error([](Edited& f) { f.config("\"r_max\": 4.5", "\"r_max\": 5"); }), ContainsSubstring("r_max"));
    REQUIRE_THAT(error([](Edited& f) { f.config("ScaleShiftMACE", "AtomicDipolesMACE"); }),
                 ContainsSubstring("AtomicDipolesMACE"));
    REQUIRE_THAT(error([](Edited& f) {
                     f.config("RealAgnosticResidualInteractionBlock", "RealAgnosticAttResidualInteractionBlock");
                 }),
                 ContainsSubstring("RealAgnosticAttResidualInteractionBlock"));
    REQUIRE_THAT(error([](Edited& f) { f.config("\"model\"", "\"heads\": [\"a\", \"b\"], \"model\""); }),
                 ContainsSubstring("2 heads"));
    REQUIRE_THAT(error([](Edited& f) { f.config("\"model\"", "\"edge_irreps\": \"8x0e\", \"model\""); }),
                 ContainsSubstring("edge_irreps"));
    REQUIRE_THAT(
        error([](Edited& f) { f.config("\"hidden_irreps\": \"8x0e+8x1o\"", "\"hidden_irreps\": \"8x0e+4x1o\""); }),
        ContainsSubstring("hidden_irreps"));
    REQUIRE_THAT(error([](Edited& f) { f.config("[1, 6, 8]", "[1, 6, 6]"); }), ContainsSubstring("twice"));
    REQUIRE_THAT(error([](Edited& f) { f.config("[1, 6, 8]", "[1, 6, 9]"); }), ContainsSubstring("atomic_numbers"));
    REQUIRE_THROWS_AS(load_mace<float>("no such file"), weft::Error);
}
