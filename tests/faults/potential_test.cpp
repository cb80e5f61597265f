// SPDX-License-Identifier: MIT
// A potential when the system has no more memory; allocation_test.cpp of this program replaces operator new.
#include "../core/tensor_checks.hpp"
#include "survival.hpp"

#include <weft/potential/calculator.hpp>
#include <weft/potential/nequip.hpp>

using namespace weft_test;
using weft::potential::NequIP;

TEST_CASE("potential: a structure, another one, the first again", "[faults]") {
    weft::Generator generator{5};
    const NequIP<double> model({.atomic_numbers = {1, 8},
                                .r_max = 2.5,
                                .num_layers = 1,
                                .l_max = 1,
                                .feature_irreps_hidden = "2x0e+2x1o",
                                .radial_mlp = {4},
                                .avg_num_neighbors = 4,
                                .generator = &generator});
    const std::vector<std::int32_t> water{8, 1, 1}, other{1, 8, 1};
    const auto x = numbers<double, 1>({9});
    const std::array<double, 9> cell{4, 0, 0, 0, 4, 0, 0, 0, 4};
    using Calculator = weft::potential::Calculator<NequIP<double>>;
    on_threads([&] {
        require_survival([&] { return Calculator(model); },
                         [&](Calculator& calculator) {
                             std::vector<double> all;
                             for (const auto& species : {water, other, water}) {
                                 const auto result = calculator.compute(x.values(), species, cell, {true, true, false});
                                 all.push_back(result.energy);
                                 all.insert(all.end(), result.forces.begin(), result.forces.end());
                             }
                             return all;
                         });
    });
}
