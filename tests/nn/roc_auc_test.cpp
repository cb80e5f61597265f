// SPDX-License-Identifier: MIT
#include "core/tensor_checks.hpp"

#include <weft/core/views.hpp>
#include <weft/grad/var.hpp>
#include <weft/nn/roc_auc.hpp>

#include <limits>

using namespace weft_test;
using weft::Tensor, weft::Var;
namespace nn = weft::nn;

namespace {

Tensor<double, 1> scores(std::initializer_list<double> s) { return Tensor<double, 1>::from(s); }
Tensor<std::int32_t, 1> labels(std::initializer_list<std::int32_t> l) { return Tensor<std::int32_t, 1>::from(l); }

/// By comparing every row of class 1 with every row of class 0.
double by_pairs(const Tensor<float, 1>& s, const Tensor<std::int32_t, 1>& y) {
    double ordered = 0, pairs = 0;
    for (weft::index i = 0; i < s.size(); ++i)
        for (weft::index j = 0; j < s.size(); ++j)
            if (y(i) == 1 && y(j) == 0) {
                pairs += 1;
                ordered += s(i) > s(j) ? 1 : s(i) == s(j) ? 0.5 : 0;
            }
    return ordered / pairs;
}

} // namespace

TEST_CASE("roc_auc: by hand", "[nn]") {
    REQUIRE(nn::roc_auc(scores({0.1, 0.4, 0.35, 0.8}), labels({0, 0, 1, 1})) == 0.75);
    REQUIRE(nn::roc_auc(scores({-3, -2, 5, 6}), labels({0, 0, 1, 1})) == 1);
    REQUIRE(nn::roc_auc(scores({-3, -2, 5, 6}), labels({1, 1, 0, 0})) == 0);
    REQUIRE(nn::roc_auc(scores({7, 7, 7}), labels({1, 0, 0})) == 0.5);
    // Of six pairs, two are ties and three in order.
    REQUIRE(nn::roc_auc(scores({1, 2, 2, 3, 1}), labels({0, 1, 0, 1, 1})) == Approx(4.0 / 6).epsilon(1e-15));
    constexpr double infinity = std::numeric_limits<double>::infinity();
    REQUIRE(nn::roc_auc(scores({-infinity, 0, infinity}), labels({0, 0, 1})) == 1);
}

TEST_CASE("roc_auc: as by all pairs, of every row and of some", "[nn]") {
    for (const int values : {2, 5, 1000}) {
        const auto drawn = numbers<float, 1>({301}, 3);
        const Tensor<float, 1> s = floor(drawn * static_cast<float>(values) * 0.25f);
        auto y = Tensor<std::int32_t, 1>::zeros({301});
        for (weft::index i = 0; i < 301; ++i) y(i) = (i * i) % 7 < 3 || s(i) > static_cast<float>(values) / 4;
        REQUIRE(nn::roc_auc(s, y) == Approx(by_pairs(s, y)).epsilon(1e-14));
        REQUIRE(nn::roc_auc(-s, y) == Approx(1 - by_pairs(s, y)).epsilon(1e-14));
        const auto part = weft::arange<std::int64_t>(100);
        const Tensor<float, 1> some = slice(s, 0, 0, 100);
        const Tensor<std::int32_t, 1> of_some = slice(y, 0, 0, 100);
        REQUIRE(nn::roc_auc(s, y, part) == Approx(by_pairs(some, of_some)).epsilon(1e-14));
    }
    const Var<double, 1> recorded(scores({1, 2, 0}));
    REQUIRE(nn::roc_auc(recorded, labels({0, 1, 1}), labels({1, 0})) == 1);
    // A row that is named twice counts twice.
    REQUIRE(nn::roc_auc(recorded, labels({0, 1, 1}), labels({1, 1, 2, 0})) == Approx(2.0 / 3).epsilon(1e-15));
}

TEST_CASE("roc_auc: errors", "[nn]") {
    const auto s = scores({1, 2, 3});
    REQUIRE(error_of([&] {
                (void)nn::roc_auc(s, labels({0, 1}));
            }) == "weft: roc_auc: scores are [3], labels [2]: there must be a label for each score");
    REQUIRE(error_of([&] {
                (void)nn::roc_auc(s, labels({1, 1, 1}));
            }) == "weft: roc_auc: 3 labels are 1, 0 are 0: both classes must be there");
    REQUIRE_THAT(error_of([&] {
                     (void)nn::roc_auc(s, labels({0, 1, 0}), labels({0, 2}));
                 }),
                 ContainsSubstring("0 labels are 1, 2 are 0"));
    REQUIRE_THAT(error_of([] { (void)nn::roc_auc(scores({}), labels({})); }), ContainsSubstring("0 labels are 1"));
    REQUIRE(error_of([&] {
                (void)nn::roc_auc(s, labels({0, 2, 1}));
            }) == "weft: roc_auc: label 2 of row 1: must be 0 or 1");
    REQUIRE(error_of([&] {
                (void)nn::roc_auc(s, labels({0, 1, 1}), labels({0, 3}));
            }) == "weft: roc_auc: element 1 of the subset is 3: must be in [0, 3)");
    REQUIRE_THAT(error_of([&] {
                     (void)nn::roc_auc(scores({1, std::nan(""), 3}), labels({0, 1, 1}));
                 }),
                 ContainsSubstring("the score of row 1 is NaN"));
}
