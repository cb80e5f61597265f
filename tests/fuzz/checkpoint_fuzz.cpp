// SPDX-License-Identifier: MIT
// Any bytes: a simulation that is accepted can go on.
#include <weft/potential/checkpoint.hpp>
#include <weft/potential/langevin.hpp>

#include <cstdint>
#include <cstdlib>
#include <optional>

using namespace weft;

namespace {

struct Free {
    std::vector<double> forces;
    potential::PotentialResult compute(std::span<const double> x, std::span<const std::int32_t> species,
                                       const std::array<double, 9>&, const std::array<bool, 3>&) {
        if (x.size() != 3 * species.size()) std::abort();
        forces.assign(x.size(), 0);
        return {.forces = forces};
    }
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::optional<potential::Checkpoint<potential::Langevin>> loaded;
    try {
        loaded = potential::checkpoint<potential::Langevin>(
            io::SafetensorsFile::parse(std::as_bytes(std::span(data, size)), "input"));
    } catch (const Error&) {
        return 0;
    }
    const std::int64_t steps = loaded->state.steps;
    Free model;
    try {
        loaded->integrator.step(model, loaded->state);
        if (loaded->state.steps != steps + 1) std::abort();
    } catch (const Error&) { // velocities that are too large
        if (loaded->state.steps != steps) std::abort();
    }
    return 0;
}
