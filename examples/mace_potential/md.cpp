// SPDX-License-Identifier: MIT
#include "md.hpp"

#include "../status_line.hpp"
#include "plot.hpp"

#include <weft/io/extxyz.hpp>
#include <weft/potential/checkpoint.hpp>
#include <weft/potential/langevin.hpp>
#include <weft/potential/maxwell_boltzmann.hpp>
#include <weft/potential/velocity_verlet.hpp>

#include <chrono>
#include <csignal>
#include <optional>

namespace mace_potential {

using namespace weft;
using weft::index;
using namespace weft::potential;
using Clock = std::chrono::steady_clock;

namespace {

/// Mean and deviation of values over a time, and the line through them.
class Trend {
public:
    /// Welford's way, which loses nothing of small deviations of large values.
    void add(double time, double value) {
        ++count_;
        const double dt = time - time_, dv = value - mean_;
        time_ += dt / count_;
        mean_ += dv / count_;
        times_ += dt * (time - time_);
        values_ += dv * (value - mean_);
        both_ += dt * (value - mean_);
    }
    double mean() const { return mean_; }
    double deviation() const { return count_ > 0 ? std::sqrt(values_ / count_) : 0; }
    double slope() const { return times_ > 0 ? both_ / times_ : 0; }
    double at(double time) const { return mean_ + slope() * (time - time_); }

private:
    double count_ = 0, time_ = 0, mean_ = 0, times_ = 0, values_ = 0, both_ = 0;
};

struct Sample {
    double time, temperature, potential, kinetic; ///< ps, K, eV
};

/// Samples evenly over a run, however long: of every step at first, then of every second, fourth, ...
class Record {
public:
    void add(const Sample& sample) {
        if (count_++ % stride_ != 0) return;
        samples_.push_back(sample);
        if (samples_.size() < 4000) return;
        for (std::size_t i = 0; 2 * i < samples_.size(); ++i) samples_[i] = samples_[2 * i];
        samples_.resize((samples_.size() + 1) / 2);
        stride_ *= 2;
    }
    const std::vector<Sample>& samples() const { return samples_; }

private:
    std::vector<Sample> samples_;
    index count_ = 0, stride_ = 1;
};

/// Frames behind those that a trajectory has. A run that is resumed makes the same ones again, which are left out.
class Trajectory {
public:
    Trajectory(const std::string& file, bool append) : writer_(file, {.append = append}) {
        if (!append) return;
        io::ExtxyzReader reader(file);
        for (Atoms frame; reader.next(frame);)
            if (const auto* const step = frame.info.find("step"))
                if (const auto* const number = std::get_if<std::int64_t>(step)) last_ = *number;
    }
    void write(const SimulationState& state, const PotentialResult& result, double time) {
        if (state.steps <= last_) return;
        Atoms frame = frame_of(state, result);
        frame.info["step"] = state.steps;
        frame.info["time_fs"] = time;
        writer_.write(frame);
    }

private:
    io::ExtxyzWriter writer_;
    std::int64_t last_ = -1;
};

/// Degrees of freedom that a run at constant energy does not have: it neither drifts nor turns.
index fixed_freedom(const SimulationState& state) {
    SimulationState copy = state;
    const bool periodic = state.pbc[0] || state.pbc[1] || state.pbc[2];
    const index fixed = remove_momentum(copy) + (periodic ? 0 : remove_rotation(copy));
    return fixed < 3 * state.size() ? fixed : 0;
}

volatile std::sig_atomic_t interrupted = 0;

template <class I>
class Run {
public:
    static constexpr bool constant_energy = std::same_as<I, VelocityVerlet>;

    Run(const DynamicsOptions& o, AnyPotential& model, SimulationState state, I integrator)
        : options_(o), model_(model), state_(std::move(state)), integrator_(std::move(integrator)),
          fixed_(constant_energy ? fixed_freedom(state_) : 0), first_(state_.steps) {}

    void run() {
        const PotentialResult start = integrator_.evaluate(model_, state_);
        if (!options_.trajectory.empty()) trajectory_.emplace(options_.trajectory, !options_.resume.empty());
        see(start);
        const index lists = model_.rebuilds();
        interrupted = 0;
        const auto before = std::signal(SIGINT, [](int) { interrupted = 1; });
        auto shown = Clock::now(), saved = shown;
        while (done() < options_.steps && !interrupted) {
            const auto begin = Clock::now();
            const PotentialResult result = integrator_.step(model_, state_);
            const auto end = Clock::now();
            seconds_ += std::chrono::duration<double>(end - begin).count();
            see(result);
            const bool tenth = done() % std::max<index>(options_.steps / 10, 1) == 0;
            if (!options_.quiet && (status_.terminal() ? end - shown > std::chrono::milliseconds(100) : tenth)) {
                status_.write(progress());
                shown = end;
            }
            if (!options_.save.empty() && end - saved > std::chrono::seconds(10)) {
                save_checkpoint(options_.save, state_, integrator_);
                saved = end;
            }
        }
        std::signal(SIGINT, before);
        if (!options_.quiet) status_.finish();
        if (!options_.save.empty()) save_checkpoint(options_.save, state_, integrator_);
        if (!options_.svg.empty()) write_text(options_.svg, picture());
        report(model_.rebuilds() - lists);
    }

private:
    index done() const { return state_.steps - first_; }
    double atoms() const { return static_cast<double>(state_.size()); }
    double time() const { return integrator_.options().dt * static_cast<double>(state_.steps); } // fs
    double seconds_per_step() const { return seconds_ / static_cast<double>(std::max<index>(done(), 1)); }
    double nanoseconds_per_day() const { return integrator_.options().dt * 1e-6 * 86400 / seconds_per_step(); }

    void see(const PotentialResult& result) {
        const double kinetic = kinetic_energy(state_), ps = 1e-3 * time();
        const double kelvin = temperature(state_, fixed_);
        temperature_.add(ps, kelvin);
        energy_.add(ps, 1e3 * (result.energy + kinetic) / atoms());
        record_.add({ps, kelvin, result.energy, kinetic});
        if (trajectory_ && state_.steps % options_.every == 0) trajectory_->write(state_, result, time());
    }
    std::string progress() const {
        const Sample& now = record_.samples().back();
        const double left = seconds_per_step() * static_cast<double>(options_.steps - done());
        const std::string drift = constant_energy ? fmt::format("  drift {:+.3f} meV/atom/ps", energy_.slope()) : "";
        return fmt::format("step {} of {}  {:.3f} ps  {:.0f} K  energy {:.4f} eV{}  {:.1f} ns/day  {} left", done(),
                           options_.steps, 1e-3 * time(), now.temperature, now.potential + now.kinetic, drift,
                           nanoseconds_per_day(), StatusLine::clock(left));
    }
    void report(index lists) const {
        if (interrupted) fmt::print("interrupted at step {} of {}\n", done(), options_.steps);
        fmt::print("{} of {}: {} steps of {} fs to {:g} ps, {:.3f} ms each, {:.1f} ns/day; neighbours listed {} "
                   "times\n",
                   constant_energy ? "NVE" : "NVT (Langevin)", formula_of(state_.species), done(),
                   integrator_.options().dt, 1e-3 * time(), 1e3 * seconds_per_step(), nanoseconds_per_day(), lists);
        fmt::print("temperature: {:.1f} K on average, deviation {:.1f} K\n", temperature_.mean(),
                   temperature_.deviation());
        if (constant_energy)
            fmt::print("total energy: drift {:+.4f} meV/atom/ps, deviation {:.4f} meV/atom\n", energy_.slope(),
                       energy_.deviation());
    }
    std::string picture() const {
        const std::vector<Sample>& all = record_.samples();
        const auto curve = [&](const char* name, const char* color, auto&& value) {
            Curve c{name, color, {}, 1};
            for (const Sample& s : all) c.points.emplace_back(s.time, value(s));
            return c;
        };
        const Sample start = all[0];
        std::vector<Panel> panels;
        panels.push_back({"temperature, K", {curve("", "#d95f02", [](const Sample& s) { return s.temperature; })}});
        panels.push_back({"energy, eV",
                          {curve("potential, from the start", "#1f77b4",
                                 [&](const Sample& s) { return s.potential - start.potential; }),
                           curve("kinetic", "#d95f02", [](const Sample& s) { return s.kinetic; })}});
        const double zero = energy_.mean();
        const auto total = [&](const Sample& s) { return 1e3 * (s.potential + s.kinetic) / atoms() - zero; };
        panels.push_back({"total energy, meV/atom", {curve("from its mean", "#1f77b4", total)}});
        if (constant_energy) {
            Curve line{fmt::format("drift {:+.3f} meV/atom/ps", energy_.slope()), "#444", {}, 1.5};
            for (const Sample* s : {&all.front(), &all.back()})
                line.points.emplace_back(s->time, energy_.at(s->time) - zero);
            panels.back().curves.push_back(line);
        }
        const std::string title =
            fmt::format("{} of {}, {:.0f} K on average, steps of {} fs", constant_energy ? "NVE" : "NVT (Langevin)",
                        formula_of(state_.species), temperature_.mean(), integrator_.options().dt);
        return plot(title, "time, ps", panels);
    }

    const DynamicsOptions& options_;
    AnyPotential& model_;
    SimulationState state_;
    I integrator_;
    index fixed_;
    std::int64_t first_;
    std::optional<Trajectory> trajectory_;
    StatusLine status_;
    Trend temperature_, energy_; // K, meV/atom; over ps
    Record record_;
    double seconds_ = 0;
};

template <class I>
void go_on(const DynamicsOptions& o, AnyPotential& model, const io::SafetensorsFile& file) {
    auto [state, integrator] = checkpoint<I>(file);
    Run<I>(o, model, std::move(state), std::move(integrator)).run();
}

void require_files(const DynamicsOptions& o) {
    require_writable(o.svg);
    require_writable(o.save);
}

} // namespace

void run_dynamics(const DynamicsOptions& o, AnyPotential& model, const Atoms& structure) {
    require_files(o);
    SimulationState state = simulation_state(structure);
    Generator generator{o.seed, 0, 0};
    const bool periodic = state.pbc[0] || state.pbc[1] || state.pbc[2], several = state.size() > 1;
    maxwell_boltzmann(state, o.temperature, generator,
                      {.remove_momentum = several, .remove_rotation = several && !periodic, .exact_temperature = true});
    if (o.ensemble == "nve") {
        Run<VelocityVerlet>(o, model, std::move(state), VelocityVerlet({.dt = o.dt})).run();
    } else {
        const Langevin integrator({.dt = o.dt, .temperature = o.temperature, .friction = o.friction, .seed = o.seed});
        Run<Langevin>(o, model, std::move(state), integrator).run();
    }
}

void run_dynamics(const DynamicsOptions& o) {
    if (o.resume.empty()) {
        const auto model = load_potential(o.model);
        return run_dynamics(o, *model, read_structure(o.structure, o.number));
    }
    require_files(o);
    const auto file = io::SafetensorsFile::read(o.resume);
    const auto model = load_potential(o.model);
    const auto name = file.metadata().find("integrator");
    if (name != file.metadata().end() && name->second == Langevin::name) return go_on<Langevin>(o, *model, file);
    go_on<VelocityVerlet>(o, *model, file);
}

} // namespace mace_potential
