// SPDX-License-Identifier: MIT
// The memory that convolutions take, by counting what the program asks of the system.
#include "../counted_memory.hpp"
#include "core/tensor_checks.hpp"

#include <weft/grad/backward.hpp>
#include <weft/nn/convolution.hpp>

using weft::Tensor, weft::Var;
namespace nn = weft::nn;

TEST_CASE("conv2d: nothing of the size of the kernel times the images is kept", "[nn]") {
    struct Restore {
        ~Restore() { weft::set_thread_count(0); }
    } restore;
    weft::set_thread_count(2);
    // 32 channels in either layout.
    const auto x = weft_test::numbers<float, 4>({16, 32, 40, 32}), dy = weft_test::numbers<float, 4>(x.shape(), 2);
    const double size = 4.0 * static_cast<double>(x.size()), tiles = 2 << 20; // some hundred KiB of each thread
    for (const auto layout : {weft::Layout::channels_first, weft::Layout::channels_last})
        for (const weft::index groups : {1, 2, 32}) {
            const auto weight = weft_test::numbers<float, 4>({32, 32 / groups, 3, 3}, 3);
            const nn::ConvolutionOptions options{.padding = 1, .groups = groups, .layout = layout};
            CAPTURE(groups, size);
            const double inference = weft_test::peak_of([&] { (void)nn::conv2d(x, weight, options); });
            CHECK(inference >= size);
            CHECK(inference < size + tiles);
            const double training = weft_test::peak_of([&] {
                const Var vx{x}, vw{weight};
                weft::backward(nn::conv2d(vx, vw, options), Tensor<float, 4>(1.0f * dy));
            });
            CHECK(training < 3.3 * size + tiles); // y, dy, dx
        }
}
