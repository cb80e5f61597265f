// SPDX-License-Identifier: MIT
#include "tensor_checks.hpp"

#include <weft/core/combine.hpp>
#include <weft/core/views.hpp>
#include <weft/grad/backward.hpp>
#include <weft/grad/expect_grad.hpp>

using namespace weft_test;
using weft::Extents, weft::per_run, weft::Tensor, weft::Var;

namespace {

/// An expression of x and values that repeat along some of its axes: the same, and the same gradients, with and
/// without per_run.
template <class T>
void check(const Extents<4>& shape, const Extents<4>& values) {
    INFO("x " << weft::detail::shape_text(shape) << ", values " << weft::detail::shape_text(values));
    const auto x = numbers<T, 4>(shape), dy = numbers<T, 4>(shape, 7);
    const auto a = numbers<T, 4>(values, 2), b = numbers<T, 4>(values, 3);
    const auto f = [](const auto& u, const auto& v, const auto& w) { return weft::eval(u * sigmoid(v * u) + w * v); };
    const Var vx{x}, va{a}, vb{b}, wx{x}, wa{a}, wb{b};
    const auto y = f(vx, per_run(va), per_run(vb)), expected = f(wx, wa, wb);
    REQUIRE(same_bits(y.value(), expected.value()));
    REQUIRE(same_bits(f(x, per_run(a), per_run(b)), expected.value()));
    weft::backward(y, dy);
    weft::backward(expected, dy);
    REQUIRE(same_bits(vx.grad(), wx.grad()));
    // Sums of other order.
    const T tolerance = std::numeric_limits<T>::epsilon() * static_cast<T>(8 * x.size()) / static_cast<T>(a.size());
    for (weft::index i = 0; i < a.size(); ++i) {
        REQUIRE(std::abs(va.grad().data()[i] - wa.grad().data()[i]) <= tolerance);
        REQUIRE(std::abs(vb.grad().data()[i] - wb.grad().data()[i]) <= tolerance);
    }
}

} // namespace

TEST_CASE("per_run: values that repeat, in long and short runs", "[core]") {
    // The positions behind the values: less than a packet, not a multiple of one, and more than a block.
    for (const weft::index positions : {1, 3, 16, 100, 128, 200, 257, 3136})
        for (const weft::index n : {1, 3}) {
            check<float>({n, 2, 5, positions}, {1, 2, 5, 1});
            check<double>({n, 2, 5, positions}, {1, 2, 5, 1});
            check<float>({n, 2, 5, positions}, {n, 1, 1, 1});
            check<float>({n, positions, 2, 5}, {1, 1, 2, 5}); // channels last
        }
}

TEST_CASE("per_run: runs of different lengths in one expression", "[core]") {
    const auto x = numbers<float, 3>({3, 4, 300});
    const auto outer = numbers<float, 3>({3, 1, 1}, 2), inner = numbers<float, 3>({1, 4, 1}, 3),
               each = numbers<float, 3>({1, 1, 300}, 4);
    const Tensor<float, 3> y = x * per_run(outer) + per_run(inner) * each;
    REQUIRE(same_bits(y, Tensor<float, 3>(x * outer + inner * each)));
}

TEST_CASE("per_run: operands that repeat within segments", "[core]") {
    // A run per outer index, again and again over the axis between.
    for (const weft::index run : {8, 24, 160, 1000})
        for (const weft::index times : {2, 7, 64, 300}) {
            INFO(times << " times " << run);
            const auto x = numbers<float, 3>({3, times, run}), segment = numbers<float, 3>({3, 1, run}, 2);
            const Tensor<float, 3> y = x * segment + exp(segment), repeated = segment + 0.0f * x;
            for (weft::index i = 0; i < x.size(); ++i) {
                const float s = segment.data()[i / (times * run) * run + i % run];
                REQUIRE(y.data()[i] == Approx(x.data()[i] * s + std::exp(s)).margin(1e-6));
                REQUIRE(repeated.data()[i] == s);
            }
            const Var vx{x}, vs{segment};
            weft::backward(weft::eval(vx * vs), numbers<float, 3>(x.shape(), 5));
            const Tensor<float, 3> expected = weft::sum<1>(x * numbers<float, 3>(x.shape(), 5), weft::keepdim);
            for (weft::index i = 0; i < segment.size(); ++i)
                REQUIRE(vs.grad().data()[i] == Approx(expected.data()[i]).margin(1e-5 * static_cast<double>(times)));
        }
}

TEST_CASE("per_run: gradients to second order", "[core]") {
    weft::expect_grad([](const auto& x, const auto& v) { return weft::eval(x * sigmoid(per_run(v) * x)); },
                      numbers<double, 2>({3, 140}), numbers<double, 2>({3, 1}, 2));
    weft::expect_grad([](const auto& x, const auto& v) { return weft::eval(x * sigmoid(per_run(v) * x)); },
                      numbers<double, 2>({4, 5}), numbers<double, 2>({1, 5}, 2));
}
