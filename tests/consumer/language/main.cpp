// SPDX-License-Identifier: MIT
#include <weft/attention.hpp>
#include <weft/linalg.hpp>
#include <weft/potential.hpp>
#include <weft/so3.hpp>
#include <weft/weft.hpp>

#include <cstdio>
#include <string>

#ifdef __cpp_rtti
#define WITH_RTTI true
#else
#define WITH_RTTI false
#endif
#ifdef __OPTIMIZE__
#define OPTIMISED true
#else
#define OPTIMISED false
#endif

namespace {

/// The message of the error that f() throws.
template <class F>
std::string message_of(F&& f) {
    try {
        f();
    } catch (const weft::Error& error) {
        return error.what();
    }
    return "nothing was thrown";
}

} // namespace

int main() {
    static_assert(EXPECTED, "the program is not compiled as the test means it to be");
    using namespace weft;
    nn::Sequential net{nn::Linear<float>{2, 8}, nn::Tanh{}, nn::Linear<float>{8, 1}};
    nn::Adam opt{net, {.lr = 1e-2f}};
    const auto x = Tensor<float, 2>::from({{0, 0}, {0, 1}, {1, 0}, {1, 1}});
    const auto y = Tensor<float, 2>::from({{0}, {1}, {1}, {0}});
    float first = 0, last = 0;
    for (int epoch = 0; epoch < 200; ++epoch) {
        Var loss = nn::mse_loss(net(Var{x}), y);
        last = loss.value().item();
        if (epoch == 0) first = last;
        backward(loss);
        opt.step();
    }
    std::printf("loss %g, then %g\n", static_cast<double>(first), static_cast<double>(last));

    const std::string shapes = message_of([&] { (void)eval(matmul(x, y)); });
    const std::string threads = message_of([] {
        parallel_for(1000, [](weft::index chunk) {
            if (chunk == 777) throw error("here", "the error of chunk {}", chunk);
        });
    });
    std::printf("%s\n%s\n", shapes.c_str(), threads.c_str());
    return last < first / 2 &&
                   shapes == "weft: matmul: a is [4, 2], b is [4, 1]: inner extents 2 and 4 must be equal" &&
                   threads == "weft: here: the error of chunk 777"
               ? 0
               : 1;
}
