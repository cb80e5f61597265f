// SPDX-License-Identifier: MIT
#include "../core/tensor_checks.hpp"

#include <weft/core/combine.hpp>
#include <weft/grad/expect_grad.hpp>
#include <weft/linalg/einsum.hpp>

#include <map>

using namespace weft;
using namespace weft_test;

namespace {

/// The sum itself: over all values of all labels, the product of the operands' elements. Letters only.
template <int R, class... X>
Tensor<double, R> loops(std::string_view terms, std::string_view result, const X&... operands) {
    std::map<char, weft::index> extents;
    std::string_view rest = terms;
    const auto term = [](std::string_view& text) {
        const std::string_view first = text.substr(0, text.find(','));
        text.remove_prefix(std::min(text.size(), first.size() + 1));
        return first;
    };
    const auto join = [&](const auto& x) {
        const std::string_view labels = term(rest);
        for (std::size_t axis = 0; axis < x.shape().size(); ++axis)
            extents[labels[axis]] = std::max(extents[labels[axis]], x.shape()[axis]);
    };
    (join(operands), ...);
    Extents<R> shape{};
    for (std::size_t axis = 0; axis < result.size(); ++axis) shape[axis] = extents[result[axis]];
    Tensor<double, R> y = Tensor<double, R>::zeros(shape);
    weft::index count = 1;
    for (const auto& [label, extent] : extents) count *= extent;
    for (weft::index i = 0; i < count; ++i) {
        std::map<char, weft::index> at;
        weft::index left = i;
        for (const auto& [label, extent] : extents) {
            at[label] = left % extent;
            left /= extent;
        }
        double product = 1;
        rest = terms;
        const auto multiply = [&](const auto& x) {
            const std::string_view labels = term(rest);
            weft::index offset = 0;
            for (std::size_t axis = 0; axis < x.shape().size(); ++axis)
                offset = offset * x.shape()[axis] + (x.shape()[axis] == 1 ? 0 : at[labels[axis]]);
            product *= x.data()[offset];
        };
        (multiply(operands), ...);
        weft::index offset = 0;
        for (std::size_t axis = 0; axis < result.size(); ++axis) offset = offset * shape[axis] + at[result[axis]];
        y.mutable_data()[offset] += product;
    }
    return y;
}

template <int R>
void require_near(const Tensor<double, R>& y, const Tensor<double, R>& expected) {
    REQUIRE(y.shape() == expected.shape());
    for (weft::index i = 0; i < y.size(); ++i) REQUIRE(y.data()[i] == Approx(expected.data()[i]).margin(1e-13));
}

template <int N>
Tensor<double, N> operand(const Extents<N>& extents, unsigned seed = 1) {
    return numbers<double, N>(extents, seed);
}

} // namespace

TEST_CASE("einsum: one operand", "[linalg]") {
    const auto a = operand<2>({4, 4}), b = operand<2>({3, 5});
    const auto c = operand<3>({2, 3, 3});
    require_near<2>(einsum<"ij->ji">(b), loops<2>("ij", "ji", b));
    require_near<2>(einsum<"ij->ij">(b), b);
    require_near<2>(einsum<"ba">(b), loops<2>("ba", "ab", b));
    require_near<1>(einsum<"ij->j">(b), loops<1>("ij", "j", b));
    require_near<0>(einsum<"ij->">(b), loops<0>("ij", "", b));
    require_near<0>(einsum<"ii">(a), loops<0>("ii", "", a));
    require_near<1>(einsum<"ii->i">(a), loops<1>("ii", "i", a));
    require_near<1>(einsum<"bii->b">(c), loops<1>("bii", "b", c));
    require_near<2>(einsum<"b i i -> i b">(c), loops<2>("bii", "ib", c));
}

TEST_CASE("einsum: two operands", "[linalg]") {
    const auto a = operand<2>({4, 5}, 1), b = operand<2>({5, 6}, 2), c = operand<2>({6, 5}, 3),
               d = operand<2>({4, 5}, 4);
    const auto u = operand<1>({5}, 5), v = operand<1>({4}, 6);
    require_near<2>(einsum<"ij,jk->ik">(a, b), loops<2>("ij,jk", "ik", a, b));
    require_near<2>(einsum<"ij,jk">(a, b), loops<2>("ij,jk", "ik", a, b));
    require_near<2>(einsum<"ij,kj->ik">(a, c), loops<2>("ij,kj", "ik", a, c));
    require_near<2>(einsum<"ij,kj->ki">(a, c), loops<2>("ij,kj", "ki", a, c));
    require_near<2>(einsum<"ji,jk->ik">(b, einsum<"ij->ji">(a)), loops<2>("ji,jk", "ik", b, contiguous(transpose(a))));
    require_near<1>(einsum<"ij,j->i">(a, u), loops<1>("ij,j", "i", a, u));
    require_near<0>(einsum<"ij,ij->">(a, d), loops<0>("ij,ij", "", a, d));
    require_near<2>(einsum<"ij,ij->ij">(a, d), loops<2>("ij,ij", "ij", a, d));
    require_near<1>(einsum<"ij,ij->j">(a, d), loops<1>("ij,ij", "j", a, d));
    require_near<2>(einsum<"i,j->ij">(u, v), loops<2>("i,j", "ij", u, v));
    require_near<3>(einsum<"i,jk->kij">(u, a), loops<3>("i,jk", "kij", u, a));
    require_near<1>(einsum<"ij,k->k">(a, v), loops<1>("ij,k", "k", a, v));
    const auto p = operand<3>({2, 4, 5}, 7), q = operand<3>({2, 6, 5}, 8), r = operand<3>({5, 2, 4}, 9);
    require_near<3>(einsum<"bij,bkj->bik">(p, q), loops<3>("bij,bkj", "bik", p, q));
    require_near<3>(einsum<"bij,bkj->kbi">(p, q), loops<3>("bij,bkj", "kbi", p, q));
    require_near<1>(einsum<"bij,jbi->b">(p, r), loops<1>("bij,jbi", "b", p, r));
    require_near<0>(einsum<"bij,jbi->">(p, r), loops<0>("bij,jbi", "", p, r));
    require_near<2>(einsum<"bij,bkl->ik">(p, q), loops<2>("bij,bkl", "ik", p, q));
    const auto s = operand<4>({2, 3, 4, 5}, 10), t = operand<4>({5, 3, 6, 2}, 11);
    require_near<4>(einsum<"abcd,dbea->ceba">(s, t), loops<4>("abcd,dbea", "ceba", s, t));
}

TEST_CASE("einsum: several operands, in the order of the smallest products", "[linalg]") {
    const auto a = operand<2>({3, 4}, 1), b = operand<2>({4, 5}, 2), c = operand<2>({5, 2}, 3);
    const auto u = operand<1>({3}, 4);
    const auto w = operand<3>({3, 5, 2}, 5);
    require_near<2>(einsum<"ij,jk,kl->il">(a, b, c), loops<2>("ij,jk,kl", "il", a, b, c));
    require_near<0>(einsum<"i,ij,jk,kl,ikl->">(u, a, b, c, w), loops<0>("i,ij,jk,kl,ikl", "", u, a, b, c, w));
    require_near<3>(einsum<"i,ij,ikl->jkl">(u, a, w), loops<3>("i,ij,ikl", "jkl", u, a, w));
    require_near<1>(einsum<"i,i,ij->i">(u, u, a), loops<1>("i,i,ij", "i", u, u, a));
}

TEST_CASE("einsum: dots, axes of one element, views and expressions", "[linalg]") {
    const auto a = operand<4>({2, 3, 4, 5}, 1);
    const auto b = operand<3>({3, 5, 6}, 2);
    const auto c = operand<2>({5, 6}, 3);
    require_near<4>(einsum<"...ij,...jk->...ik">(a, b), loops<4>("abij,bjk", "abik", a, b));
    require_near<4>(einsum<"...ij,jk->...ik">(a, c), loops<4>("abij,jk", "abik", a, c));
    require_near<4>(einsum<"...ij,...jk">(a, c), loops<4>("abij,jk", "abik", a, c));
    require_near<4>(einsum<"i...->...i">(a), loops<4>("iabc", "abci", a));
    const auto row = operand<2>({1, 6}, 4);
    require_near<1>(einsum<"...i,...i->...">(c, row), loops<1>("ai,ai", "a", c, row));
    const Tensor<double, 2> one = operand<2>({1, 5}, 5);
    require_near<2>(einsum<"ij,jk->ik">(one, c), loops<2>("ij,jk", "ik", one, c));
    const Tensor<double, 2> doubled = 2 * c, turned = transpose(c);
    require_near<2>(einsum<"ij,kj->ik">(2 * c, transpose(turned)), loops<2>("ij,kj", "ik", doubled, c));
    require_near<2>(einsum<"ij,ij->ij">(one, operand<2>({4, 5}, 6)),
                    loops<2>("ij,ij", "ij", one, operand<2>({4, 5}, 6)));
    REQUIRE(einsum<"ij,jk->ik">(operand<2>({3, 0}), operand<2>({0, 2}))(2, 1) == 0);
}

TEST_CASE("einsum: gradients to second order", "[linalg]") {
    const auto a = operand<3>({2, 3, 4}, 1), b = operand<3>({2, 5, 4}, 2);
    const auto m = operand<2>({3, 3}, 3), n = operand<2>({3, 2}, 4);
    const auto v = operand<1>({3}, 5);
    expect_grad<2>([](const auto& x, const auto& y) { return einsum<"bij,bkj->bik">(x, y); }, a, b);
    expect_grad<2>([](const auto& x, const auto& y) { return einsum<"bij,bkj->ki">(x, y); }, a, b);
    expect_grad<2>([](const auto& x, const auto& y, const auto& z) { return einsum<"i,ij,jk->k">(x, y, z); }, v, m, n);
    expect_grad<2>([](const auto& x, const auto& y) { return einsum<"ii,ij->j">(x, y); }, m, n);
    expect_grad<2>([](const auto& x, const auto& y) { return einsum<"i,j->ij">(x, y); }, v, v);
    expect_grad([](const auto& x) { return einsum<"ij->j">(x); }, n);
}

TEST_CASE("einsum: other element types", "[linalg]") {
    const Tensor<float, 2> a = numbers<float, 2>({30, 40}, 1), b = numbers<float, 2>({50, 40}, 2);
    REQUIRE(same_bits(einsum<"ij,kj->ik">(a, b), Tensor<float, 2>(matmul(a, transpose(b)))));
    require_thread_independent([&] { return einsum<"ij,kj->ki">(a, b); });
    const auto i = Tensor<std::int64_t, 2>::from({{1, 2}, {3, 4}});
    REQUIRE(einsum<"ij,ij->">(i, i).item() == 30);
    REQUIRE(einsum<"ii">(i).item() == 5);
    const auto h = Tensor<half, 2>(cast<half>(a));
    const auto f = Tensor<float, 2>(cast<float>(h));
    REQUIRE(same_bits(einsum<"ij,kj->ik">(h, h), einsum<"ij,kj->ik">(f, f)));
    using D = Dual<double>;
    const auto d = Tensor<D, 1>::from({D(1, 1), D(2, 0)});
    REQUIRE(einsum<"i,i">(d, d).item().tangent == 2);
}

TEST_CASE("einsum: extents that differ, equations that are wrong", "[linalg]") {
    const auto a = operand<2>({4, 5}), b = operand<2>({6, 5});
    REQUIRE(error_of([&] { einsum<"ij,jk->ik">(a, b); }) ==
            "weft: einsum: ij,jk->ik: axis 0 of operand 1, [6, 5], must be 1 or 5, as others of its label");
    REQUIRE(error_of([&] { einsum<"ii">(a); }) ==
            "weft: einsum: ii: axis 1 of operand 0, [4, 5], must be 1 or 4, as others of its label");

    using weft::detail::EinsumProblem;
    const auto problem = [](std::string_view equation, std::array<int, 2> ranks) {
        return weft::detail::parse_einsum<2>(equation, ranks).problem;
    };
    REQUIRE(problem("ij,jk->ik", {2, 2}) == EinsumProblem::none);
    REQUIRE(problem("ij,jk->i1", {2, 2}) == EinsumProblem::syntax);
    REQUIRE(problem("ij,j-k", {2, 2}) == EinsumProblem::syntax);
    REQUIRE(problem("i..j,jk", {2, 2}) == EinsumProblem::syntax);
    REQUIRE(problem("...i...,jk", {2, 2}) == EinsumProblem::syntax);
    REQUIRE(problem("ij,jk->i->k", {2, 2}) == EinsumProblem::syntax);
    REQUIRE(problem("ij->ij", {2, 2}) == EinsumProblem::operands);
    REQUIRE(problem("ij,jk,kl", {2, 2}) == EinsumProblem::operands);
    REQUIRE(problem("ij,jkl", {2, 2}) == EinsumProblem::axes);
    REQUIRE(problem("i,jk", {2, 2}) == EinsumProblem::axes);
    REQUIRE(problem("ij...k,jk", {2, 2}) == EinsumProblem::axes);
    REQUIRE(problem("ij,jk->ii", {2, 2}) == EinsumProblem::result);
    REQUIRE(problem("ij,jk->l", {2, 2}) == EinsumProblem::result);
    REQUIRE(problem(std::string(300, 'i'), {2, 2}) == EinsumProblem::length);
    REQUIRE(problem("...a,...a", {25, 3}) == EinsumProblem::length);
}
