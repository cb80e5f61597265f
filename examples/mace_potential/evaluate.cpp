// SPDX-License-Identifier: MIT
#include "evaluate.hpp"

#include "structures.hpp"

#include <weft/io/extxyz.hpp>

#include <fmt/format.h>

#include <chrono>
#include <cmath>

namespace mace_potential {

using namespace weft;
using weft::index;
using Clock = std::chrono::steady_clock;

namespace {

class Errors {
public:
    void add(double error) {
        absolute_ += std::abs(error);
        square_ += error * error;
        ++count_;
    }
    /// Mean absolute error and root of the mean square error in thousandths, or dashes.
    std::string text() const {
        if (count_ == 0) return fmt::format("{:>9} {:>9}", "-", "-");
        const auto n = static_cast<double>(count_);
        return fmt::format("{:>9.2f} {:>9.2f}", 1e3 * absolute_ / n, 1e3 * std::sqrt(square_ / n));
    }

private:
    double absolute_ = 0, square_ = 0;
    index count_ = 0;
};

/// Adds what the model says under the names that mace_eval_configs gives it.
void add_prediction(Atoms& a, const PotentialResult& result) {
    a.info["MACE_energy"] = result.energy;
    a.arrays["MACE_forces"] = Tensor<double, 2>::from(result.forces, a.positions.shape());
    const auto& s = result.stress; // symmetric: rows are columns
    if (a.pbc[0] && a.pbc[1] && a.pbc[2]) a.info["MACE_stress"] = std::vector<double>(s.begin(), s.end());
}

/// A row of the table, whose first column is so wide.
void evaluate_file(AnyPotential& model, const EvaluateOptions& o, const std::string& file, std::size_t column,
                   std::vector<Atoms>& all) {
    const auto compute = [&](const Atoms& a) {
        return model.compute(a.positions.values(), a.numbers.values(), a.cell, a.pbc);
    };
    Errors energy, energy_per_atom, forces;
    double seconds = 0;
    index atoms = 0;
    for (std::size_t i = 0; i < all.size(); ++i) try {
            Atoms& a = all[i];
            if (i == 0) compute(a); // what is done once is not timed
            const auto begin = Clock::now();
            const PotentialResult result = compute(a);
            seconds += std::chrono::duration<double>(Clock::now() - begin).count();
            atoms += a.size();
            if (const auto reference = a.energy(o.energy_key)) {
                energy.add(result.energy - *reference);
                energy_per_atom.add((result.energy - *reference) / static_cast<double>(a.size()));
            }
            if (const auto reference = a.forces(o.forces_key))
                for (index k = 0; k < reference->size(); ++k)
                    forces.add(result.forces[static_cast<std::size_t>(k)] - reference->data()[k]);
            if (!o.write.empty()) add_prediction(a, result);
        } catch (const std::exception& problem) {
            throw error("evaluate", "{}, structure {}: {}", name_of(file), i, problem.what());
        }
    const auto count = static_cast<double>(all.size());
    fmt::print("{:<{}} {:>10} {} {} {} {:>9.3f} {:>9.0f}\n", name_of(file), column, all.size(), energy.text(),
               energy_per_atom.text(), forces.text(), 1e3 * seconds / count, static_cast<double>(atoms) / seconds);
}

} // namespace

void evaluate(const EvaluateOptions& o) {
    require_writable(o.write);
    const auto model = load_potential(o.model);
    const std::vector<std::string> files = o.files.empty() ? std::vector<std::string>{""} : o.files;
    std::size_t column = 0;
    for (const std::string& file : files) column = std::max(column, name_of(file).size());
    fmt::print("{}\n\n{:<{}} {:>10} {:>19} {:>19} {:>19} {:>9} {:>9}\n", model->description(), "", column, "",
               "energy, meV", "meV/atom", "forces, meV/Å", "ms per", "atoms");
    fmt::print("{:<{}} {:>10} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}\n", "", column, "structures", "MAE",
               "RMSE", "MAE", "RMSE", "MAE", "RMSE", "structure", "a second");
    std::vector<Atoms> predicted;
    for (const std::string& file : files) {
        std::vector<Atoms> all = read_structures(file);
        evaluate_file(*model, o, file, column, all);
        if (!o.write.empty()) predicted.insert(predicted.end(), all.begin(), all.end());
    }
    if (!o.write.empty()) io::write_extxyz(o.write, predicted);
}

} // namespace mace_potential
