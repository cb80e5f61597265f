// SPDX-License-Identifier: MIT
// Reductions, row operations, views and combinations: values, gradients and second derivatives.
#include "../core/tensor_checks.hpp"

#include <weft/core/combine.hpp>
#include <weft/core/softmax.hpp>
#include <weft/grad.hpp>

using namespace weft_test;
using weft::expect_grad, weft::keepdim, weft::Tensor;

#define CHECK_GRAD(function, ...)                                                                                      \
    {                                                                                                                  \
        INFO(#function);                                                                                               \
        expect_grad([](const auto& x) { return function; }, __VA_ARGS__);                                              \
    }

TEST_CASE("gradients: reductions", "[grad]") {
    using namespace weft;
    const auto a = numbers<double, 3>({3, 4, 5}, 1);
    CHECK_GRAD(sum(x * x), a)
    CHECK_GRAD((sum<0>(x * x)), a)
    CHECK_GRAD((sum<1>(tanh(x))), a)
    CHECK_GRAD((sum<-1>(x * x)), a)
    CHECK_GRAD((sum<0, 2>(x * x)), a)
    CHECK_GRAD((x - sum<1>(x * x, keepdim)), a)
    CHECK_GRAD((mean<1>(x * x, keepdim) * x), a)
    CHECK_GRAD(mean(exp(x)), a)
    CHECK_GRAD((prod<2>(x)), a)
    CHECK_GRAD((prod<0>(x, keepdim) + x), a)
}

TEST_CASE("gradients: extrema and moments", "[grad]") {
    using namespace weft;
    const auto a = numbers<double, 3>({3, 4, 5}, 2);
    Tensor<double, 3> peak = a; // no two candidates within the steps of the differences
    peak(1, 2, 3) = 3;
    CHECK_GRAD((max<1>(x) * max<1>(x)), a)
    CHECK_GRAD((x - max<-1>(x * x, keepdim)), a)
    CHECK_GRAD((min<0>(x * x)), a)
    CHECK_GRAD(max(x * x), peak)
    CHECK_GRAD((var<1>(x)), a)
    CHECK_GRAD((var<0, 1>(x * x, 0.0, keepdim) * x), a)
    CHECK_GRAD((stddev<2>(x)), a)
    CHECK_GRAD((norm<1>(x)), a)
    CHECK_GRAD((x / norm<-1>(x, keepdim)), a)
}

TEST_CASE("gradients: softmax and its kin", "[grad]") {
    using namespace weft;
    const auto a = numbers<double, 3>({3, 4, 11}, 3);
    CHECK_GRAD(softmax(x), a)
    CHECK_GRAD(softmax<1>(x * x), a)
    CHECK_GRAD(softmax<0>(x), a)
    CHECK_GRAD(log_softmax(x), a)
    CHECK_GRAD(log_softmax<0>(x + x), a)
    CHECK_GRAD(logsumexp(x), a)
    CHECK_GRAD((x - logsumexp<1>(x, keepdim)), a)
}

TEST_CASE("gradients: views", "[grad]") {
    using namespace weft;
    const auto a = numbers<double, 3>({3, 4, 6}, 4);
    const auto square_matrix = numbers<double, 2>({5, 5}, 5);
    CHECK_GRAD(square(transpose(x)), a)
    CHECK_GRAD(square(permute(x, {2, 0, 1})), a)
    CHECK_GRAD((x + transpose(x)), square_matrix)
    CHECK_GRAD((x * transpose(x)), square_matrix)
    CHECK_GRAD(square(slice(x, 2, 1, 5, 2)), a)
    CHECK_GRAD((slice(x, 1, 0, 3) * slice(x, 1, 1, 4)), a) // overlapping windows
    CHECK_GRAD((slice(x, 0, 0, 2) + slice(slice(x, 0, 1), 2, 0, 1)), a)
    CHECK_GRAD(square(flip(x, 1)), a)
    CHECK_GRAD((x * flip(x, 2)), a)
    CHECK_GRAD(square(select_index(x, 1, -2)), a)
    CHECK_GRAD((select_index(x, 0, 1) * select_index(x, 0, 1) + select_index(x, 0, 0)), a)
    CHECK_GRAD((unsqueeze(x, 1) * unsqueeze(x, 0)), square_matrix)
    CHECK_GRAD(square(squeeze(slice(x, 0, 1, 2), 0)), a)
    CHECK_GRAD((square(broadcast_to(x, {2, 5, 5}))), square_matrix)
    CHECK_GRAD((square(reshape(x, {2, -1}))), a)
    CHECK_GRAD((square(reshape(transpose(x), {8, 9}))), a)
    CHECK_GRAD(square(flatten(permute(x, {1, 2, 0}))), a)
    CHECK_GRAD((reshape(x * x, {6, 12})), a)
    CHECK_GRAD((sum<0>(transpose(x))), square_matrix)
    CHECK_GRAD(contiguous(transpose(x)), square_matrix)
    CHECK_GRAD(eval(square(slice(transpose(x), 0, 1, 4))), square_matrix)
}

TEST_CASE("gradients: combinations of rows", "[grad]") {
    using namespace weft;
    const auto a = numbers<double, 2>({5, 4}, 6), b = numbers<double, 2>({5, 2}, 7), c = numbers<double, 2>({5, 4}, 8);
    const auto two = [](auto f) { return [f](const auto& x, const auto& y) { return f(x, y); }; };
    expect_grad(two([](const auto& x, const auto& y) { return square(concat(1, x, y, x)); }), a, b);
    expect_grad(two([](const auto& x, const auto& y) { return square(concat(0, x, y * x)); }), a, c);
    expect_grad(
        two([](const auto& x, const auto& y) {
            return square(concat(1, std::vector{eval(x * 2.0), eval(y * x), eval(x * x), eval(x - y), eval(y * 3.0)}));
        }),
        a, c);
    expect_grad(two([](const auto& x, const auto& y) { return square(stack(1, x, y)); }), a, c);
    const auto rows = Tensor<int, 1>::from({4, 0, 0, 2, 4, 4});
    const auto table = Tensor<int, 2>::from({{1, 1}, {3, 0}});
    expect_grad([&](const auto& x) { return square(gather(x, rows)); }, a);
    expect_grad([&](const auto& x) { return square(gather(x, table)); }, a);
    expect_grad([&](const auto& x) { return square(index_select(x, 1, Tensor<int, 1>::from({3, 1, 3}))); }, a);
    const auto to = Tensor<int, 1>::from({2, 0, 2, 5, 2});
    for (const Reduce reduce : {Reduce::sum, Reduce::mean, Reduce::max, Reduce::min, Reduce::mul}) {
        INFO("reduce " << static_cast<int>(reduce));
        expect_grad([&](const auto& x) { return square(scatter(x, to, 6, reduce)); }, a);
    }
    expect_grad([&](const auto& x) { return square(segment_sum(x, to, 6)); }, a);
}
