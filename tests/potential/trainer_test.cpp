// SPDX-License-Identifier: MIT
#include "io/io_test.hpp"
#include "potentials.hpp"

#include <weft/potential/mace.hpp>
#include <weft/potential/options_for.hpp>
#include <weft/potential/trainer.hpp>

#include <map>

using namespace weft_test;
using weft::Tensor;
using weft::io::Atoms;
using weft::potential::MACE, weft::potential::MaceOptions, weft::potential::StructureSet, weft::potential::Trainer,
    weft::potential::TrainerOptions;

namespace {

constexpr double cutoff = 2.5;

Atoms one_atom(int number, double energy) {
    Atoms atoms;
    atoms.numbers = Tensor<std::int32_t, 1>::full({1}, number);
    atoms.positions = Tensor<double, 2>::zeros({1, 3});
    atoms.info["energy"] = energy;
    return atoms;
}

/// Icosahedra around an atom, all of argon but for the atom in the middle of every other one, with the energies and
/// forces of Lennard-Jones, and energies of -10 and -20 eV of the isolated atoms of argon and krypton.
std::vector<Atoms> clusters(int count) {
    std::vector<Atoms> all;
    for (int i = 0; i < count; ++i) {
        const auto state = icosahedron(0.02 + 0.03 * i);
        Atoms& atoms = all.emplace_back();
        atoms.numbers = state.species;
        atoms.positions = state.positions;
        atoms.numbers(0) = i % 2 == 0 ? 36 : 18;
        LennardJones model;
        const auto result = model.compute(state.positions.values(), state.species.values(), state.cell, state.pbc);
        atoms.info["energy"] = result.energy + (i % 2 == 0 ? -140.0 : -130.0);
        atoms.arrays["forces"] = Tensor<double, 2>::from(result.forces, {13, 3});
    }
    return all;
}

StructureSet set_of(int count, int first = 0) {
    const auto all = clusters(first + count);
    return {std::span(all).subspan(static_cast<std::size_t>(first)), cutoff};
}

MACE<float> fresh_model(const StructureSet& set, std::uint64_t seed = 1) {
    weft::Generator generator{seed};
    return MACE<float>(options_for(set, MaceOptions{.atomic_numbers = {18, 36},
                                                    .atomic_energies = {-10, -20},
                                                    .r_max = cutoff,
                                                    .num_bessel = 4,
                                                    .max_ell = 1,
                                                    .hidden_irreps = "4x0e+4x1o",
                                                    .mlp_irreps = "4x0e",
                                                    .correlation = 2,
                                                    .radial_mlp = {8},
                                                    .generator = &generator}));
}

/// The bits of all parameters, and of their averages.
std::vector<float> parameters_of(const Trainer<MACE, float>& trainer) {
    std::vector<float> all;
    weft::nn::for_each_parameter(trainer.model(), [&](std::string_view, const auto& p) {
        const auto value = p.value();
        all.insert(all.end(), value.data(), value.data() + value.size());
    });
    return all;
}

} // namespace

TEST_CASE("trainer: the loss falls, by the same numbers on any number of threads", "[potential]") {
    const StructureSet train = set_of(24), validation = set_of(2, 24);
    require_thread_independent([&] {
        Trainer trainer(fresh_model(train), train, validation, {.batch_size = 8, .seed = 3});
        const auto before = trainer.evaluate(validation);
        std::vector<double> losses;
        for (int epoch = 0; epoch < 8; ++epoch) losses.push_back(trainer.epoch());
        REQUIRE(losses.back() < 0.3 * losses.front());
        REQUIRE(trainer.validation().forces.rmse < 0.6 * before.forces.rmse);
        REQUIRE(trainer.epochs() == 8);
        return Tensor<float, 1>::from(parameters_of(trainer));
    });
}

TEST_CASE("trainer: does what its parts do", "[potential]") {
    const StructureSet train = set_of(5);
    const TrainerOptions options{
        .lr = 0.02, .weight_decay = 1e-3, .ema_decay = 0.5, .clip_grad = 1, .batch_size = 2, .seed = 9};
    Trainer trainer(fresh_model(train), train, {}, options);
    std::vector<double> told;
    for (int epoch = 0; epoch < 2; ++epoch)
        trainer.epoch([&](const weft::potential::TrainingStep& at) {
            REQUIRE(at.epoch == epoch);
            REQUIRE(at.step == static_cast<weft::index>(told.size()) % 3 + 1);
            REQUIRE(at.steps == 3);
            told.push_back(at.loss);
        });

    const auto model = fresh_model(train);
    weft::potential::LossGradient gradient(model);
    weft::nn::Adam adam(model, {.lr = 0.02, .amsgrad = true});
    adam.add_group([](std::string_view name) { return name.starts_with("products"); },
                   {.lr = 0.02, .weight_decay = 1e-3, .amsgrad = true});
    for (auto& interaction : model.interactions)
        adam.add_group(interaction.linear, {.lr = 0.02, .weight_decay = 1e-3, .amsgrad = true});
    weft::nn::ExponentialMovingAverage average(model, {.decay = 0.5});
    std::size_t step = 0;
    for (std::uint64_t epoch = 0; epoch < 2; ++epoch) {
        weft::Generator generator{9, epoch + 1, 0};
        const auto order = permutation(generator, 5);
        for (std::size_t begin = 0; begin < 5; begin += 2) {
            const auto numbers = std::span(order).subspan(begin, std::min<std::size_t>(2, 5 - begin));
            REQUIRE(gradient(model, train.batch(model, numbers), {1, 100}) == told[step++]);
            REQUIRE(weft::nn::clip_grad_norm(model, 1) > 1);
            adam.step();
            average.update();
        }
    }
    auto expected = weft::nn::clone(model);
    average.copy_to(expected);
    std::vector<float> values;
    weft::nn::for_each_parameter(expected, [&](std::string_view, const auto& p) {
        const auto value = p.value();
        values.insert(values.end(), value.data(), value.data() + value.size());
    });
    REQUIRE(parameters_of(trainer) == values);
}

TEST_CASE("trainer: resumed, it goes on with the same bits", "[potential]") {
    const StructureSet train = set_of(5), validation = set_of(2, 5);
    // The rate falls after nearly every epoch, and stage two begins in the third.
    TrainerOptions options{.batch_size = 2, .scheduler_patience = 0, .start_swa = 2, .seed = 4};
    options.ema = GENERATE(true, false);
    const int steps = GENERATE(0, 3, 5, 7); // of 9, before it is written
    Trainer straight(fresh_model(train), train, validation, options);
    double last = 0;
    for (int epoch = 0; epoch < 3; ++epoch) last = straight.epoch();

    const TemporaryFolder folder;
    {
        Trainer first(fresh_model(train), train, validation, options);
        for (int step = 0; step < steps; ++step) first.step();
        first.save(folder / "run");
    }
    REQUIRE(folder.files() == 1);
    Trainer second(fresh_model(train, 2), train, validation, options);
    second.step(); // which does not matter
    second.resume(folder / "run");
    REQUIRE(second.epochs() == steps / 3);
    double mean = 0;
    while (second.epochs() < 3) mean = second.epoch();
    REQUIRE(mean == last);
    REQUIRE(second.lr() == straight.lr());
    REQUIRE(second.validation().forces.rmse == straight.validation().forces.rmse);
    REQUIRE(parameters_of(second) == parameters_of(straight));
    straight.step();
    second.step();
    REQUIRE(parameters_of(second) == parameters_of(straight));
}

TEST_CASE("trainer: weights that decay, rates that fall, stage two", "[potential]") {
    const StructureSet train = set_of(4);
    {
        // Of a loss that is 0, only what decays moves.
        Trainer trainer(fresh_model(train), train, {},
                        {.weight_decay = 0.1, .ema = false, .energy_weight = 0, .forces_weight = 0});
        const auto before = weft::nn::state_dict(trainer.model());
        trainer.step();
        const auto after = weft::nn::state_dict(trainer.model());
        std::set<std::string> moved;
        for (std::size_t i = 0; i < before.size(); ++i)
            if (!std::ranges::equal(before[i].second.bytes(), after[i].second.bytes())) moved.insert(before[i].first);
        std::set<std::string> expected;
        weft::nn::for_each_parameter(trainer.model(), [&](std::string_view name, const auto&) {
            if (name.starts_with("products.") || name == "interactions.0.linear.weight" ||
                name == "interactions.1.linear.weight")
                expected.emplace(name);
        });
        REQUIRE(expected.size() > 4);
        REQUIRE(moved == expected);
    }
    Trainer trainer(fresh_model(train), train, train,
                    {.lr = 1e-7,
                     .ema = false,
                     .batch_size = 4,
                     .lr_factor = 0.5,
                     .scheduler_patience = 1,
                     .start_swa = 4,
                     .swa_lr = 3e-7,
                     .swa_energy_weight = 7,
                     .swa_forces_weight = 5});
    // Of 4 epochs the first is progress, the second is borne, the third is too much.
    for (const double lr : {1e-7, 1e-7, 0.5e-7, 3e-7, 3e-7}) {
        const weft::potential::EnergyForcesLoss weights =
            trainer.epochs() < 4 ? weft::potential::EnergyForcesLoss{1, 100} : weft::potential::EnergyForcesLoss{7, 5};
        const double loss = trainer.evaluate(train).loss(weights);
        REQUIRE(trainer.epoch() == Approx(loss).epsilon(1e-6));
        REQUIRE(trainer.lr() == lr);
    }
}

TEST_CASE("evaluate: errors of energies and forces", "[potential]") {
    StructureSet set = set_of(3);
    auto model = fresh_model(set);
    weft::nn::requires_grad(model, false);
    const std::vector<weft::index> all{0, 1, 2};
    const auto batch = set.batch(model, all);
    const auto p = predict(model, batch);
    // Labels that are off by known amounts.
    for (std::size_t i = 0; i < 3; ++i) {
        const auto s = static_cast<weft::index>(i);
        double& energy = set.structures[i].energy;
        energy += p.energies(s) - batch.energies(s) - (i == 0 ? 1.3 : 2.6);
        auto& forces = set.structures[i].forces;
        for (weft::index k = 0; k < forces.size(); ++k)
            forces.mutable_data()[k] = static_cast<double>(p.forces.data()[39 * s + k]) + (k % 3 == 0 ? -0.5 : 0.25);
    }
    const auto e = weft::potential::evaluate(model, set, 2);
    REQUIRE(e.energy.mae == Approx(1000 * 6.5 / 3).epsilon(1e-5));
    REQUIRE(e.energy.rmse == Approx(1300 * std::sqrt(3.0)).epsilon(1e-5));
    REQUIRE(e.energy_per_atom.mae == Approx(500.0 / 3).epsilon(1e-5));
    REQUIRE(e.energy_per_atom.rmse == Approx(100 * std::sqrt(3.0)).epsilon(1e-5));
    REQUIRE(e.forces.mae == Approx(1000.0 / 3).epsilon(1e-5));
    REQUIRE(e.forces.rmse == Approx(1000 * std::sqrt(0.125)).epsilon(1e-5));
    REQUIRE(e.loss({2, 3}) == Approx(2 * 0.03 + 3 * 0.125).epsilon(1e-5));
    weft::nn::for_each_parameter(model,
                                 [](std::string_view, const auto& parameter) { REQUIRE(!parameter.has_grad()); });
    REQUIRE(weft::potential::evaluate(model, StructureSet()).forces.mae == 0);
    REQUIRE_THAT(error_of([&] { weft::potential::evaluate(model, set, 0); }), ContainsSubstring("batch_size is 0"));
}

TEST_CASE("trainer: a loss that is not finite costs nothing", "[potential]") {
    const StructureSet train = set_of(3);
    Trainer trainer(fresh_model(train), train, {}, {.lr = 1e20, .ema = false, .batch_size = 1});
    std::string message;
    std::vector<float> before;
    for (int step = 0; step < 6 && message.empty(); ++step) {
        before = parameters_of(trainer);
        message = error_of([&] { trainer.step(); });
        if (message.find("epoch") == message.npos) message.clear();
    }
    REQUIRE_THAT(message, ContainsSubstring("epoch 0, step 2: the loss is "));
    for (const float x : before) REQUIRE(std::isfinite(x));
    REQUIRE(parameters_of(trainer) == before);
    REQUIRE(error_of([&] { trainer.step(); }) == message);
}

TEST_CASE("trainer: errors", "[potential]") {
    const StructureSet train = set_of(3);
    const auto model = fresh_model(train);
    const auto error_with = [&](const TrainerOptions& options) {
        return error_of([&] { Trainer(model, train, {}, options); });
    };
    REQUIRE_THAT(error_with({.lr = 0}), ContainsSubstring("lr is 0: must be positive and finite"));
    REQUIRE_THAT(error_with({.lr = std::nan("")}), ContainsSubstring("lr is nan"));
    REQUIRE_THAT(error_with({.swa_lr = -1}), ContainsSubstring("swa_lr is -1: must be positive"));
    REQUIRE_THAT(error_with({.weight_decay = -1}), ContainsSubstring("weight_decay is -1"));
    REQUIRE_THAT(error_with({.ema_decay = 2}), ContainsSubstring("decay is 2: must be in [0, 1]"));
    REQUIRE_THAT(error_with({.clip_grad = 0}), ContainsSubstring("clip_grad is 0: must be positive"));
    REQUIRE_THAT(error_with({.batch_size = 0}), ContainsSubstring("batch_size is 0: must be at least 1"));
    REQUIRE_THAT(error_with({.forces_weight = -1}), ContainsSubstring("forces_weight is -1"));
    REQUIRE_THAT(error_with({.lr_factor = 1}), ContainsSubstring("factor is 1: must be in (0, 1)"));
    REQUIRE_THAT(error_with({.start_swa = -1}), ContainsSubstring("start_swa is -1: must not be negative"));

    REQUIRE_THAT(error_of([&] { Trainer(model, StructureSet()); }), ContainsSubstring("no structures to train on"));
    REQUIRE_THAT(error_of([&] { Trainer(model, train, StructureSet(clusters(1), 2.0)); }),
                 ContainsSubstring("the structures for validation have neighbours up to 2 Å, the model up to 2.5"));
    auto others = clusters(2);
    others[1].numbers(4) = 79;
    REQUIRE_THAT(error_of([&] { Trainer(model, StructureSet(others, cutoff)); }),
                 ContainsSubstring("structure 1 for training: weft: MACE: atom 4 has the atomic number 79"));

    const TemporaryFolder folder;
    Trainer trainer(model, train, {}, {.batch_size = 2});
    trainer.step();
    trainer.save(folder / "run");
    const auto before = parameters_of(trainer);
    const auto resume_error = [&](Trainer<MACE, float>& other, const char* name = "run") {
        const auto own = parameters_of(other);
        const auto message = error_of([&] { other.resume(folder / name); });
        REQUIRE(parameters_of(other) == own);
        return message;
    };
    Trainer larger(fresh_model(train), train, {}, {.batch_size = 3});
    REQUIRE_THAT(resume_error(larger), ContainsSubstring("run is of another run: its options.batch_size is \"2\", here "
                                                         "it is \"3\""));
    Trainer more(fresh_model(train), set_of(4), {}, {.batch_size = 2});
    REQUIRE_THAT(resume_error(more), ContainsSubstring("its training_set is"));
    auto moved = train;
    moved.structures[2].forces.mutable_data()[5] += 1e-9;
    Trainer other_forces(fresh_model(train), moved, {}, {.batch_size = 2});
    REQUIRE_THAT(resume_error(other_forces), ContainsSubstring("its training_set is"));
    Trainer other_validation(fresh_model(train), train, train, {.batch_size = 2});
    REQUIRE_THAT(resume_error(other_validation), ContainsSubstring("its validation_set is"));
    Trainer other_model(fresh_model(set_of(4)), train, {}, {.batch_size = 2});
    REQUIRE_THAT(resume_error(other_model), ContainsSubstring("its model is"));

    // A file of tensors, and checkpoints that lack a tensor or say what cannot be.
    weft::io::save_safetensors(folder / "model", trainer.model());
    REQUIRE_THAT(resume_error(trainer, "model"), ContainsSubstring("is no checkpoint of training: it has no format"));
    const auto file = weft::io::SafetensorsFile::read(folder / "run");
    const auto damaged = [&](const std::string& without, const weft::io::NamedTensors& instead) {
        auto tensors = file.tensors();
        std::erase_if(tensors, [&](const auto& entry) { return entry.first == without; });
        tensors.insert(tensors.end(), instead.begin(), instead.end());
        weft::io::save_safetensors(folder / "damaged", tensors, file.metadata());
        trainer.step();
        return resume_error(trainer, "damaged");
    };
    REQUIRE_THAT(damaged("plateau.best", {}), ContainsSubstring("missing: best"));
    REQUIRE_THAT(damaged("average.num_updates", {}), ContainsSubstring("missing: num_updates"));
    const std::string position = "progress.position";
    REQUIRE_THAT(damaged(position, {{position, Tensor<std::int64_t, 0>(std::int64_t{3})}}),
                 ContainsSubstring("epoch 0, structure 3: there are 3 structures"));
    trainer.resume(folder / "run");
    REQUIRE(parameters_of(trainer) == before);
}
