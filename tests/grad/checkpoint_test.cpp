// SPDX-License-Identifier: MIT
#include "../core/tensor_checks.hpp"

#include <weft/core/combine.hpp>
#include <weft/core/random.hpp>
#include <weft/grad.hpp>
#include <weft/linalg/matmul.hpp>

using namespace weft_test;
using namespace weft;

namespace {

struct Layer {
    Parameter<double, 2> weight{numbers<double, 2>({4, 4}, 5)};
    auto operator()(const auto& x, const auto& y) const {
        const auto h = eval(tanh(matmul(x, weight)));
        return eval(h * y + sin(h) * x + matmul(y, weight));
    }
};

template <class X>
void require_same(const X& a, const X& b) {
    REQUIRE(a.shape() == b.shape());
    for (weft::index i = 0; i < a.size(); ++i) REQUIRE(a.data()[i] == b.data()[i]);
}

/// The gradients of a graph in which all happens that can: windows of one value as two inputs, a parameter inside and
/// outside, results that go on to several places, an input that is an expression.
std::vector<Tensor<double, 2>> gradients(bool keep_little, bool twice) {
    const Layer layer, other;
    const Var<double, 2> x{numbers<double, 2>({6, 4}, 1)}, z{numbers<double, 2>({3, 4}, 2)};
    const Tensor<double, 2> constant = numbers<double, 2>({3, 4}, 3);
    const auto apply = [&](const auto& f, const auto&... inputs) {
        if (keep_little) return Var<double, 2>(checkpoint(f, inputs...));
        return Var<double, 2>(f(inputs...));
    };
    const auto a = slice(x, 0, 0, 3), b = slice(x, 0, 3);
    const Var<double, 2> first = apply(layer, a, b);
    const Var<double, 2> second = apply(layer, first, constant);
    const Var<double, 2> third = apply([layer](const auto& u, const auto& v) { return layer(v, u); }, z * 2.0, second);
    const Var<double, 2> fourth = apply([layer, other](const auto& u) { return other(layer(u, u), u); }, first + third);
    const Var loss = sum(square(fourth + layer(third, first)) + a * b * z);
    if (twice) backward(loss, {.keep_graph = true});
    backward(loss);
    return {x.grad(), z.grad(), layer.weight.grad(), other.weight.grad()};
}

} // namespace

TEST_CASE("checkpoint: the gradients are those without", "[grad]") {
    for (const bool twice : {false, true}) {
        const auto all = gradients(false, twice), little = gradients(true, twice);
        for (std::size_t k = 0; k < all.size(); ++k) {
            INFO("gradient " << k);
            const double most = max(abs(all[k])).item();
            REQUIRE(max(abs(all[k] - little[k])).item() < 1e-14 * most);
        }
    }
}

TEST_CASE("checkpoint: values, gradients to second order, checkpoints in a checkpoint", "[grad]") {
    const auto f = [](const auto& x, const auto& y) { return sin(x) * exp(y) + x * y; };
    expect_grad([&](const auto& x, const auto& y) { return checkpoint(f, x, y); }, numbers<double, 2>({3, 5}, 1),
                numbers<double, 2>({3, 5}, 2));
    expect_grad(
        [&](const auto& x, const auto& y) {
            return checkpoint(
                [f](const auto& a, const auto& b) {
                    const auto h = checkpoint(f, a, b);
                    return eval(h * checkpoint(f, h, a));
                },
                x, y);
        },
        numbers<double, 2>({3, 5}, 1), numbers<double, 2>({3, 5}, 2));
}

TEST_CASE("checkpoint: Tensors are computed, windows and no elements pass, parameters train alone", "[grad]") {
    const Layer layer;
    const auto x = numbers<double, 2>({3, 4}, 1);
    const Tensor<double, 2> y = checkpoint(layer, x, x);
    require_same(y, Tensor<double, 2>(layer(x, x)));

    // The result is a window; nobody asks for the gradient of the input.
    const auto f = [layer](const auto& a) { return transpose(slice(layer(a, a), 0, 1)); };
    const auto g = [](const Var<double, 2>& r) { return sum(r * r); };
    backward(g(checkpoint(f, Var{x})));
    const Tensor<double, 2> gradient = layer.weight.grad();
    Parameter<double, 2>(layer.weight).clear_grad();
    backward(g(Var<double, 2>(f(Var{x}))));
    require_same(gradient, layer.weight.grad());

    const Var<double, 2> none{Tensor<double, 2>::zeros({0, 4})};
    backward(g(checkpoint([](const auto& a) { return a * 2.0; }, none)));
    REQUIRE(none.grad().shape() == Extents<2>{0, 4});

    // The result may be the input, and integers be among them.
    Var<double, 2> v{x};
    backward(g(checkpoint([](const auto& a) { return a; }, v)));
    require_same(v.grad(), Tensor<double, 2>(2.0 * x));
    const auto rows = Tensor<std::int32_t, 1>::from({2, 0, 2});
    v.clear_grad();
    backward(sum(checkpoint([](const auto& a, const auto& i) { return gather(a, i); }, v, rows)));
    REQUIRE(v.grad()(2, 0) == 2);
    REQUIRE(v.grad()(1, 0) == 0);
}

TEST_CASE("checkpoint: an input of which no gradient is wanted costs none", "[grad]") {
    const Var<double, 2> w{numbers<double, 2>({3, 4}, 1)};
    Var<double, 2> x{numbers<double, 2>({3, 4}, 2)};
    const auto node = x.node();
    const Var loss = sum(checkpoint([](const auto& a, const auto& b) { return a * b; }, x, w));
    x = Var<double, 2>();
    weft::detail::TapeNode::release(node.get()); // the name that this test has, for the sweep not to see it
    backward(loss);
    node->retain();
    REQUIRE(w.has_grad());
    REQUIRE(!node->has_gradient());
}

TEST_CASE("checkpoint: a function that draws anew, or was changed, is refused", "[grad]") {
    const Var<double, 1> x{numbers<double, 1>({5}, 1)};
    auto calls = std::make_shared<int>(0);
    const auto counts = [calls](const auto& a) { return a * static_cast<double>(++*calls); };
    REQUIRE_THROWS_WITH(backward(sum(checkpoint(counts, x))), ContainsSubstring("checkpoint: the function gives"));
    REQUIRE(!x.has_grad());

    Layer layer;
    const Var<double, 2> y{numbers<double, 2>({3, 4}, 1)};
    const Var loss = sum(checkpoint(layer, y, y));
    layer.weight.mutable_values()[0] += 1;
    REQUIRE_THROWS_WITH(backward(loss), ContainsSubstring("parameters must be as they were"));
    REQUIRE_THROWS_WITH(checkpoint([](const auto& a) -> decltype(eval(a)) { throw error("f", "always"); }, y),
                        ContainsSubstring("always"));
}
