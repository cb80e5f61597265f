// SPDX-License-Identifier: MIT
#include "../counted_memory.hpp"
#include "weft_test.hpp"

#include <weft/attention/attention.hpp>
#include <weft/core.hpp>
#include <weft/grad.hpp>

using namespace weft;

TEST_CASE("attention: no matrix of scores in memory", "[attention]") {
    const weft::index n = 8192, depth = 64;
    Generator generator{1};
    auto x = Tensor<float, 4>::empty({1, 1, n, depth});
    fill_normal(generator, x.mutable_data(), x.size());
    for (const Causal causal : {Causal::none, Causal::bottom_right}) {
        AttentionOptions options;
        options.causal = causal;
        const double peak = weft_test::peak_of([&] {
            const Var<float, 4> q{x}, k{x}, v{x};
            const Var y = attention(q, k, v, options);
            backward(y, x);
        });
        // the result and three gradients
        const double results = 4.0 * static_cast<double>(n * depth) * sizeof(float);
        INFO("peak " << peak << " bytes, of them results " << results);
        REQUIRE(peak - results < 8e6);
    }
}
