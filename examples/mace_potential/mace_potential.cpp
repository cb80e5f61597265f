// SPDX-License-Identifier: MIT

/// A MACE potential from files to molecular dynamics.

#include "../command_line.hpp"
#include "evaluate.hpp"
#include "md.hpp"
#include "relax.hpp"
#include "time.hpp"
#include "tour.hpp"
#include "train.hpp"

#include <weft/core/parallel_for.hpp>

namespace {

using namespace mace_potential;
using mace_potential::index; // POSIX has a function of this name

const CLI::Range from_zero(index{0}, index{1} << 40);
const CLI::Range from_one(index{1}, index{1} << 40);
const CLI::Validator above_zero(
    [](std::string& text) {
        return std::strtod(text.c_str(), nullptr) > 0 ? std::string() : "must be positive: " + text;
    },
    "");

void declare_model(CLI::App& app, ModelOptions& m, bool choices = true) {
    app.add_option("--model", m.file, "Safetensors file of a MACE model (one of acetylacetone)")->group("Model");
    app.add_option("--skin", m.skin, fmt::format("Å beyond the cutoff up to which neighbours are listed ({})", m.skin))
        ->check(not_negative)
        ->group("Model");
    if (!choices) return;
    app.add_option("--precision", m.precision, fmt::format("float or double ({})", m.precision))
        ->check(CLI::IsMember({"float", "double"}))
        ->group("Model");
    app.add_flag("--tabulated", m.tabulated, "Read the weights of messages from tables: faster, nearly the same")
        ->group("Model");
}

void declare_labels(CLI::App& app, std::string& energy, std::string& forces) {
    app.add_option("--energy-key", energy, "Name of the energies in the files (energy)")->group("Structures");
    app.add_option("--forces-key", forces, "Name of the forces in them (forces)")->group("Structures");
}

void declare_structure(CLI::App& app, std::string& file, index& number) {
    app.add_option("structure", file, "extxyz file (acetylacetone)")->group("Structure");
    app.add_option("--number", number, "Which of its structures, from 0 (0)")->check(from_zero)->group("Structure");
}

void declare(CLI::App& app, EvaluateOptions& o) {
    app.add_option("files", o.files, "extxyz files (eight configurations of acetylacetone)")->group("Structures");
    declare_labels(app, o.energy_key, o.forces_key);
    app.add_option("--write", o.write, "extxyz file to write, with MACE_energy and MACE_forces")->group("Files");
    declare_model(app, o.model);
}

void declare(CLI::App& app, DynamicsOptions& o) {
    declare_structure(app, o.structure, o.number);
    const auto add = [&](const char* name, auto& value, const char* text) {
        return app.add_option(name, value, fmt::format("{} ({})", text, value))->group("Dynamics");
    };
    add("--ensemble", o.ensemble, "nve: constant energy; nvt: constant temperature, by Langevin's friction and noise")
        ->check(CLI::IsMember({"nve", "nvt"}));
    add("--temperature", o.temperature, "In K: of the velocities at the start, with nvt of the bath")
        ->check(not_negative);
    add("--friction", o.friction, "Of nvt, in 1/fs")->check(not_negative);
    add("--dt", o.dt, "Time step in fs")->check(above_zero);
    add("--steps", o.steps, "Time steps, with --resume further ones")->check(from_zero);
    add("--seed", o.seed, "Of velocities and noise");
    app.add_option("--trajectory", o.trajectory, "extxyz file to write; with --resume it is continued")->group("Files");
    app.add_option("--every", o.every, fmt::format("Steps from frame to frame of it ({})", o.every))
        ->check(from_one)
        ->group("Files");
    app.add_option("--svg", o.svg, "Draw temperature, energies and drift")->group("Files");
    app.add_option("--save", o.save, "Checkpoint to write, at the end and every ten seconds")->group("Files");
    CLI::Option* const resume =
        app.add_option("--resume", o.resume,
                       "Checkpoint to go on from; with the same model as before, to the same bits as without the break")
            ->group("Files");
    for (const char* const settled :
         {"structure", "--number", "--ensemble", "--temperature", "--friction", "--dt", "--seed"})
        resume->excludes(app.get_option(settled));
    declare_model(app, o.model);
}

void declare(CLI::App& app, RelaxOptions& o) {
    declare_structure(app, o.structure, o.number);
    app.add_option("--fmax", o.fmax, fmt::format("eV/Å below which all forces are at the end ({})", o.fmax))
        ->check(above_zero)
        ->group("Relaxation");
    app.add_option("--max-steps", o.max_steps, fmt::format("Steps at most ({})", o.max_steps))
        ->check(from_zero)
        ->group("Relaxation");
    app.add_option("--write", o.write, "extxyz file to write")->group("Files");
    declare_model(app, o.model);
}

void declare(CLI::App& app, TrainOptions& o) {
    app.add_option("files", o.files, "extxyz files with energies and forces (eight configurations of acetylacetone)")
        ->group("Structures");
    CLI::Option* const validation =
        app.add_option("--validation", o.validation, "extxyz file to validate on")->group("Structures");
    app.add_option("--fraction", o.fraction,
                   fmt::format("Without it: the part of the structures that is validated on instead ({})", o.fraction))
        ->check(CLI::Range(0.0, 1.0))
        ->excludes(validation)
        ->group("Structures");
    app.add_option("--isolated-atoms", o.isolated_atoms,
                   "extxyz file of isolated atoms with their energies (those in the files; else least squares)")
        ->group("Structures");
    declare_labels(app, o.energy_key, o.forces_key);
    CLI::Option* const model =
        app.add_option("--model", o.model, "Safetensors file of a MACE model to begin with (a fresh one)")
            ->group("Model");
    const auto add = [&](const char* group, const char* name, auto& value, const char* text) {
        return app.add_option(name, value, fmt::format("{} ({})", text, value))->group(group);
    };
    add("Model", "--r-max", o.r_max, "Cutoff in Å")->check(above_zero)->excludes(model);
    add("Model", "--channels", o.channels, "Scalars, and vectors, of an atom")->check(positive)->excludes(model);
    add("Model", "--radial", o.radial, "Width of the three layers of the radial networks")
        ->check(positive)
        ->excludes(model);
    add("Model", "--max-ell", o.max_ell, "Degree of spherical harmonics")->check(CLI::Range(0, 6))->excludes(model);
    add("Model", "--correlation", o.correlation, "Densities in a product")->check(CLI::Range(1, 3))->excludes(model);
    add("Training", "--epochs", o.epochs, "Passes over the structures")->check(positive);
    app.add_option("--until", o.until, "Stop after this epoch, to go on with --resume")
        ->check(positive)
        ->group("Training");
    add("Training", "--batch", o.batch, "Structures of a step")->check(positive);
    add("Training", "--lr", o.lr, "Learning rate, which falls when validation gets no better")->check(above_zero);
    add("Training", "--patience", o.patience, "Epochs without progress after which it falls")->check(from_zero);
    app.add_option("--stage-two", o.stage_two,
                   "Epoch after which energies weigh more, at a rate of 0.001 that stays (three quarters of all)")
        ->check(from_zero)
        ->group("Training");
    add("Training", "--seed", o.seed, "Of split, weights and batches");
    app.add_option("--write", o.write, "Model to write at the end, as MACE's state dict in safetensors")
        ->group("Files");
    app.add_option("--svg", o.svg, "Draw the learning curve")->group("Files");
    app.add_option("--save", o.save, "Checkpoint to write after every epoch")->group("Files");
    app.add_option("--resume", o.resume,
                   "Checkpoint to go on from, with the same options otherwise, to the same bits as without the break")
        ->group("Files");
}

void declare(CLI::App& app, TimeOptions& o) {
    declare_structure(app, o.structure, o.number);
    app.add_option("--svg", o.svg, "Also time about 100 to 20,000 atoms, and draw the cost of one");
    app.add_option("--copies", o.copies, fmt::format("Copies side by side that are timed too ({})", o.copies))
        ->check(positive)
        ->group("Structure");
    app.add_option("--steps", o.steps, fmt::format("Steps, the fastest of which counts ({})", o.steps))
        ->check(positive)
        ->group("Dynamics");
    declare_model(app, o.model, false);
}

} // namespace

int main(int argc, char** argv) {
    CLI::App app("Energies, forces, relaxation and molecular dynamics by MACE potentials. Without a command: a tour of "
                 "them on acetylacetone.");
    app.require_subcommand(0, 1);
    int threads = 0;
    bool quiet = false;
    declare_threads_and_quiet(app, threads, quiet);

    std::function<void()> work = [&] { tour(quiet); };
    const auto command = [&](const char* name, const char* text, auto& options, auto&& run) {
        CLI::App* const sub = app.add_subcommand(name, text);
        declare(*sub, options);
        declare_threads_and_quiet(*sub, threads, quiet);
        sub->callback([&, run] { work = [&, run] { run(); }; });
    };
    EvaluateOptions evaluation;
    command("evaluate", "How far a model is from given energies and forces, and how fast", evaluation,
            [&] { evaluate(evaluation); });
    DynamicsOptions dynamics;
    command("md", "Molecular dynamics", dynamics, [&] {
        dynamics.quiet = quiet;
        run_dynamics(dynamics);
    });
    RelaxOptions relaxation;
    command("relax", "Moves a structure to a minimum of the energy", relaxation, [&] {
        relaxation.quiet = quiet;
        relax(relaxation);
    });
    TrainOptions training;
    command("train", "Trains a model, or one that is there further", training, [&] {
        training.quiet = quiet;
        train(training);
    });
    TimeOptions timing;
    command("time", "How long a step takes in either precision, with and without tables", timing,
            [&] { time_steps(timing); });

    return run_program("mace_potential", app, argc, argv, [&] {
        if (threads > 0) weft::set_thread_count(threads);
        work();
    });
}
