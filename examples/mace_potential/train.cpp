// SPDX-License-Identifier: MIT
#include "train.hpp"

#include "../status_line.hpp"
#include "load.hpp"
#include "plot.hpp"
#include "structures.hpp"

#include <weft/potential/options_for.hpp>
#include <weft/potential/trainer.hpp>

#include <chrono>

// Here, where the model of floats is compiled anyway.
template std::unique_ptr<mace_potential::AnyPotential> mace_potential::load<float>(const ModelOptions&);

namespace mace_potential {

using namespace weft;
using weft::index;
using namespace weft::potential;
using Clock = std::chrono::steady_clock;

namespace {

/// Structures to learn from, those to validate on, and isolated atoms.
struct Data {
    std::vector<Atoms> train, validation, isolated;

    explicit Data(const TrainOptions& o) {
        std::vector<Atoms> all = read_all(o.files);
        if (!o.isolated_atoms.empty()) isolated = read_structures(o.isolated_atoms);
        std::erase_if(all, [&](Atoms& a) {
            const bool alone = a.size() == 1 && !a.pbc[0] && !a.pbc[1] && !a.pbc[2];
            if (alone) isolated.push_back(std::move(a));
            return alone;
        });
        index held_out = 0;
        if (!o.validation.empty())
            validation = read_structures(o.validation);
        else
            held_out = static_cast<index>(std::llround(o.fraction * static_cast<double>(all.size())));
        Generator generator{o.seed, 1, 0};
        for (const std::int64_t i : permutation(generator, static_cast<index>(all.size())))
            (held_out-- > 0 ? validation : train).push_back(std::move(all[static_cast<std::size_t>(i)]));
        if (train.empty()) throw error("train", "there are no structures to learn from");
    }

private:
    static std::vector<Atoms> read_all(const std::vector<std::string>& files) {
        if (files.empty()) return read_structures("");
        std::vector<Atoms> all;
        for (const std::string& file : files) {
            std::vector<Atoms> some = read_structures(file);
            std::move(some.begin(), some.end(), std::back_inserter(all));
        }
        return all;
    }
};

/// The model of a file, or a fresh one that fits the structures.
MACE<float> model_for(const TrainOptions& o, const Data& data, const LabelKeys& keys) {
    if (!o.model.empty()) return load_mace<float>(o.model);
    std::vector<Atoms> all = data.train;
    all.insert(all.end(), data.isolated.begin(), data.isolated.end());
    Generator generator{o.seed, 2, 0};
    MaceOptions m;
    m.r_max = o.r_max;
    m.max_ell = o.max_ell;
    m.hidden_irreps = so3::Irreps(fmt::format("{0}x0e+{0}x1o", o.channels));
    m.correlation = o.correlation;
    m.radial_mlp.assign(3, o.radial);
    m.generator = &generator;
    return MACE<float>(options_for(StructureSet(all, o.r_max, keys), m));
}

class Run {
public:
    Run(const TrainOptions& o, const Data& data, const LabelKeys& keys, const MACE<float>& model)
        : options_(o), trainer_(model, StructureSet(data.train, model.cutoff(), keys),
                                StructureSet(data.validation, model.cutoff(), keys),
                                {.lr = o.lr,
                                 .batch_size = o.batch,
                                 .scheduler_patience = o.patience,
                                 .start_swa = o.stage_two >= 0 ? o.stage_two : o.epochs * 3 / 4,
                                 .seed = o.seed}) {
        if (!o.resume.empty()) trainer_.resume(o.resume);
        const MaceOptions& m = model.options();
        fmt::print("MACE of {} elements: {} parameters, {} channels, cutoff {} Å; {} structures to learn from, {} to "
                   "validate on\n",
                   m.atomic_numbers.size(), nn::parameter_count(model), m.hidden_irreps[0].mul, m.r_max,
                   data.train.size(), data.validation.size());
        first_ = trainer_.epochs();
        validated_ = !data.validation.empty();
    }

    void run() {
        const index last = options_.until > 0 ? std::min(options_.until, options_.epochs) : options_.epochs;
        const index tenth = std::max<index>(options_.epochs / 10, 1);
        const auto begin = Clock::now();
        auto shown = begin;
        while (trainer_.epochs() < last) {
            const double loss = trainer_.epoch([&](const TrainingStep& at) {
                const auto now = Clock::now();
                seconds_ = std::chrono::duration<double>(now - begin).count();
                if (options_.quiet || !status_.terminal() || now - shown < std::chrono::milliseconds(100)) return;
                status_.write(progress(at, last));
                shown = now;
            });
            const Evaluation& validation = trainer_.validation();
            const auto epoch = static_cast<double>(trainer_.epochs());
            loss_.emplace_back(epoch, loss);
            energy_.emplace_back(epoch, validation.energy_per_atom.mae);
            forces_.emplace_back(epoch, validation.forces.mae);
            if (trainer_.epochs() % tenth == 0 || trainer_.epochs() == last || trainer_.epochs() == first_ + 1)
                print(loss, validation);
            if (!options_.save.empty()) trainer_.save(options_.save);
        }
        if (!options_.quiet) status_.finish();
        if (const index done = trainer_.epochs() - first_; done > 0)
            fmt::print("{:.2f} s an epoch of {} steps\n", seconds_ / static_cast<double>(done),
                       trainer_.steps_per_epoch());
        if (!options_.write.empty()) save_mace(options_.write, trainer_.model());
        if (!options_.svg.empty()) write_text(options_.svg, picture());
    }

private:
    std::string progress(const TrainingStep& at, index last) const {
        const auto steps = static_cast<double>(at.steps);
        const double done = static_cast<double>(at.epoch - first_) * steps + static_cast<double>(at.step);
        const double left = static_cast<double>(last - first_) * steps - done;
        const std::string forces =
            forces_.empty() ? "" : fmt::format("  validation: forces {:.1f} meV/Å", forces_.back().second);
        return fmt::format("epoch {} of {}, step {} of {}  loss {:.4f}{}  {} left", at.epoch + 1, options_.epochs,
                           at.step, at.steps, at.loss, forces, StatusLine::clock(seconds_ / done * left));
    }
    void print(double loss, const Evaluation& validation) const {
        if (!options_.quiet && status_.terminal()) status_.finish();
        fmt::print("epoch {:>4}  loss {:>9.4f}", trainer_.epochs(), loss);
        if (validated_)
            fmt::print("  validation MAE: energy {:.2f} meV/atom, forces {:.2f} meV/Å", validation.energy_per_atom.mae,
                       validation.forces.mae);
        fmt::print("  rate {:.2g}\n", trainer_.lr());
        std::fflush(stdout);
    }
    std::string picture() const {
        const auto panel = [](const char* label, const Curve& curve) { return Panel{label, {curve}, true}; };
        std::vector<Panel> panels{panel("loss", {"training", "#888", loss_})};
        if (validated_) {
            panels.push_back(panel("energy MAE, meV/atom", {"validation", "#1f77b4", energy_}));
            panels.push_back(panel("force MAE, meV/Å", {"validation", "#d95f02", forces_}));
        }
        return plot("MACE learns energies and forces", "epoch", panels);
    }

    const TrainOptions& options_;
    Trainer<MACE, float> trainer_;
    StatusLine status_;
    std::vector<std::pair<double, double>> loss_, energy_, forces_; // over epochs
    double seconds_ = 0;
    index first_ = 0;
    bool validated_ = false;
};

} // namespace

void train(const TrainOptions& o) {
    for (const std::string& file : {o.write, o.save, o.svg}) require_writable(file);
    const LabelKeys keys{o.energy_key, o.forces_key};
    const Data data(o);
    Run(o, data, keys, model_for(o, data, keys)).run();
}

} // namespace mace_potential
