// SPDX-License-Identifier: MIT
#include "../core/tensor_checks.hpp"
#include "../counted_memory.hpp"

#include <weft/core/combine.hpp>
#include <weft/core/softmax.hpp>
#include <weft/grad.hpp>
#include <weft/linalg/matmul.hpp>

#include <algorithm>
#include <thread>

using namespace weft_test;
using weft::Extents, weft::Parameter, weft::Tensor, weft::Var;

namespace {

/// What its backward does is counted.
struct Counted {
    static constexpr auto name = "counted";
    int* calls;
    int* wanted;
    template <class T, int N>
    Tensor<T, N> forward(const Tensor<T, N>& a, const Tensor<T, N>& b) const {
        return a * b;
    }
    template <class T, int N, class Sink>
    void backward(const Tensor<T, N>& dy, const Tensor<T, N>&, Sink& sink, const Tensor<T, N>& a,
                  const Tensor<T, N>& b) const {
        ++*calls;
        if (sink.template wants<0>()) {
            ++*wanted;
            sink.template add<0>(dy * b);
        }
        if (sink.template wants<1>()) {
            ++*wanted;
            sink.template add<1>(dy * a);
        }
    }
};

struct ThrowsInBackward {
    static constexpr auto name = "throws_in_backward";
    template <class T, int N>
    Tensor<T, N> forward(const Tensor<T, N>& a) const {
        return a;
    }
    template <class T, int N, class Sink>
    void backward(const Tensor<T, N>&, const Tensor<T, N>&, Sink&, const Tensor<T, N>&) const {
        throw weft::error(name, "always");
    }
};

} // namespace

TEMPLATE_TEST_CASE("backward: copies of permuted values", "[grad]", float, double) {
    using T = TestType;
    for (const Extents<3>& extents : {Extents<3>{3, 40, 67}, {70, 1, 33}, {2, 2, 2}, {5, 64, 4}}) {
        std::array<int, 3> order{0, 1, 2};
        do {
            Var<T, 3> x(numbers<T, 3>(extents));
            const Var<T, 3> y = weft::contiguous(weft::permute(x, order));
            const Var<T, 3> part = weft::contiguous(weft::permute(weft::slice(x, 2, 1, weft::to_end), order));
            const auto dy = numbers<T, 3>(y.shape(), 2);
            std::array<int, 3> back{};
            for (int k = 0; k < 3; ++k) back[static_cast<std::size_t>(order[static_cast<std::size_t>(k)])] = k;
            const Tensor<T, 3> expected = weft::permute(dy, back);
            weft::backward(y, dy);
            REQUIRE(same_bits(x.grad(), expected));
            const Var<T, 3> again = weft::contiguous(weft::permute(x, order)); // added to what is there
            weft::backward(again, dy);
            REQUIRE(same_bits(x.grad(), Tensor<T, 3>(expected + expected)));
            x.clear_grad();
            weft::backward(part, Tensor<T, 3>::ones(part.shape()));
            const Tensor<T, 2> first = weft::select_index(x.grad(), 2, 0), last = weft::select_index(x.grad(), 2, -1);
            REQUIRE(weft::sum(weft::abs(first)).item() == 0);
            REQUIRE(weft::sum(last).item() == T(extents[0] * extents[1]));
        } while (std::next_permutation(order.begin(), order.end()));
    }
}

TEST_CASE("backward: gradients of what nobody asks for are not computed", "[grad]") {
    int calls = 0, wanted = 0;
    const auto x = numbers<double, 1>({5}, 1);
    const Var<double, 1> w{x};
    // The input has no name: only w gets a gradient.
    const Var<double, 1> y = weft::apply_operation(Counted{&calls, &wanted}, Var<double, 1>{x}, w);
    backward(weft::sum(y));
    REQUIRE(calls == 1);
    REQUIRE(wanted == 1);
    REQUIRE(same_bits(w.grad(), x));
    // Nothing below has a name: nothing is computed.
    calls = wanted = 0;
    const Var<double, 1> z = weft::apply_operation(Counted{&calls, &wanted}, Var<double, 1>{x}, Var<double, 1>{x});
    backward(weft::sum(z));
    REQUIRE(calls == 0);
    // A constant operand wants none.
    calls = wanted = 0;
    backward(weft::sum(weft::apply_operation(Counted{&calls, &wanted}, x, w)));
    REQUIRE(wanted == 1);
}

TEST_CASE("backward: a shared value is differentiated once", "[grad]") {
    int calls = 0, wanted = 0;
    const Var<double, 1> w{numbers<double, 1>({5}, 1)};
    const Var<double, 1> h = weft::apply_operation(Counted{&calls, &wanted}, w, w);
    backward(weft::sum(h * h + tanh(h) + h));
    REQUIRE(calls == 1);
}

TEST_CASE("backward: gradients add up over calls until they are cleared", "[grad]") {
    const auto x = numbers<double, 1>({5}, 1);
    Var<double, 1> w{x};
    backward(weft::sum(w * 2.0));
    backward(weft::sum(w * 3.0));
    REQUIRE(same_bits(w.grad(), Tensor<double, 1>::full({5}, 5)));
    w.clear_grad();
    backward(weft::sum(w * 3.0));
    REQUIRE(same_bits(w.grad(), Tensor<double, 1>::full({5}, 3)));
}

TEST_CASE("backward: a graph is used up unless it is kept", "[grad]") {
    const Var<double, 1> w{numbers<double, 1>({5}, 1)};
    const Var<double, 0> loss = weft::sum(exp(w) * w);
    backward(loss, {.keep_graph = true});
    const Tensor<double, 1> once = w.grad();
    backward(loss);
    REQUIRE(same_bits(w.grad(), Tensor<double, 1>(once + once)));
    REQUIRE(error_of([&] { backward(loss); }) ==
            "weft: backward: this graph was already used: pass {.keep_graph = true} to the first backward()");
    // The failed call left nothing behind.
    REQUIRE(same_bits(w.grad(), Tensor<double, 1>(once + once)));
    const Var<double, 1> h = exp(w);
    backward(weft::sum(h));
    REQUIRE_THROWS_AS(backward(weft::sum(h * h)), weft::Error);
    REQUIRE(h.value()(0) == Approx(std::exp(w.value()(0)))); // values with a name stay
}

TEST_CASE("backward: the adjoint of a tensor, and what is no loss", "[grad]") {
    const Var<double, 2> w{numbers<double, 2>({2, 3}, 1)};
    const Var<double, 2> y = w * 2.0;
    REQUIRE(error_of([&] { backward(y); }) ==
            "weft: backward: the loss is [2, 3]: it must have one element, or pass its adjoint");
    REQUIRE(error_of([&] {
                backward(y, Tensor<double, 2>::ones({3, 2}));
            }) == "weft: backward: the adjoint is [3, 2], the value is [2, 3]: they must be equal");
    auto dy = numbers<double, 2>({2, 3}, 2);
    const Tensor<double, 2> kept = dy;
    backward(y, dy);
    REQUIRE(same_bits(w.grad(), Tensor<double, 2>(kept * 2.0)));
    REQUIRE(same_bits(dy, kept));
    // A leaf is its own gradient; a window of it fills its part.
    const Var<double, 2> v{numbers<double, 2>({2, 3}, 1)};
    backward(weft::slice(v, 1, 1, 2), Tensor<double, 2>::from({{5}, {7}}));
    REQUIRE(same_bits(v.grad(), Tensor<double, 2>::from({{0, 5, 0}, {0, 7, 0}})));
    backward(v, kept);
    REQUIRE(v.grad()(1, 1) == 7 + kept(1, 1));
    REQUIRE(same_bits(kept, dy));
}

TEST_CASE("backward: gradients that meet on one value do not share memory", "[grad]") {
    // The adjoint of concat and of identity-like steps may be handed on as it is; adding to one must not change
    // another.
    const auto x = numbers<double, 1>({4}, 1);
    const Var<double, 1> a{x}, b{x};
    const Var<double, 1> s = a + b;
    backward(Var{weft::sum(s * s) + weft::sum(a * 3.0)});
    for (weft::index i = 0; i < 4; ++i) {
        REQUIRE(b.grad()(i) == Approx(4 * x(i)));
        REQUIRE(a.grad()(i) == Approx(4 * x(i) + 3));
    }
    const auto dy = numbers<double, 1>({4}, 2);
    const Var<double, 1> u{x}, v{x};
    backward(Var{u + v}, dy);
    backward(weft::sum(u * 2.0));
    REQUIRE(same_bits(v.grad(), dy));
    const Var<double, 1> c{x};
    backward(weft::contiguous(c), dy);
    backward(c, dy);
    REQUIRE(same_bits(c.grad(), Tensor<double, 1>(dy + dy)));
}

TEST_CASE("backward: an error on the way leaves no half-done gradients", "[grad]") {
    const Var<double, 1> a{numbers<double, 1>({4}, 1)};
    const Var<double, 1> h = a * 2.0;
    const Var<double, 1> bad = weft::apply_operation(ThrowsInBackward{}, h);
    REQUIRE(error_of([&] { backward(weft::sum(bad * h), {.keep_graph = true}); }) ==
            "weft: throws_in_backward: always");
    REQUIRE_FALSE(h.has_grad());
    backward(weft::sum(h));
    REQUIRE(same_bits(a.grad(), Tensor<double, 1>::full({4}, 2)));
}

TEST_CASE("backward: a chain of 100,000 nodes needs no deep stack", "[grad]") {
    const Var<double, 0> x{1.5};
    {
        Var<double, 0> y = x;
        for (int i = 0; i < 100000; ++i) y = y + x;
        backward(y, {.keep_graph = true});
        REQUIRE(x.grad().item() == 100001);
    } // its destruction, and that of a graph that was never differentiated
    {
        Var<double, 0> y = x;
        for (int i = 0; i < 100000; ++i) y = y * 0.5 + x;
        REQUIRE(y.item() == Approx(3));
    }
}

TEST_CASE("backward: the same bits on any number of threads", "[grad]") {
    const auto x = numbers<float, 2>({3000, 70}, 1);
    const auto w = numbers<float, 2>({70, 40}, 2);
    const auto bias = numbers<float, 1>({40}, 3);
    const auto rows = Tensor<int, 1>::from([] {
        std::vector<int> r(20000);
        for (std::size_t i = 0; i < r.size(); ++i) r[i] = static_cast<int>(i * 7919 % 3000);
        return r;
    }());
    for (int which = 0; which < 3; ++which)
        require_thread_independent([&] {
            const Var<float, 2> vx{x}, vw{w};
            const Var<float, 1> vb{bias};
            const Var<float, 2> h = gelu(weft::matmul(vx, vw) + vb);
            const auto y = weft::log_softmax(weft::gather(h, rows) * weft::sum<0>(h, weft::keepdim));
            backward(Var{weft::mean(y * y) + weft::sum(vb * vb)});
            if (which == 2) return vb.grad();
            return Tensor<float, 1>(weft::flatten(which == 0 ? vx.grad() : vw.grad()));
        });
}

TEST_CASE("backward: graphs of several threads do not meet", "[grad]") {
    const auto x = numbers<double, 1>({50}, 1);
    const auto work = [&] {
        const Var<double, 1> a{x};
        for (int i = 0; i < 200; ++i) backward(weft::sum(a * a));
        return a.grad();
    };
    Tensor<double, 1> first, second;
    std::thread other([&] { first = work(); });
    second = work();
    other.join();
    REQUIRE(same_bits(first, second));
    REQUIRE(first(3) == Approx(400 * x(3)));
}

TEST_CASE("backward: a training step in steady state asks the system for no memory", "[grad]") {
    Parameter<float, 2> w1{numbers<float, 2>({64, 48}, 1)}, w2{numbers<float, 2>({48, 10}, 2)};
    Parameter<float, 1> bias{numbers<float, 1>({48}, 3)};
    const auto x = numbers<float, 2>({500, 64}, 4);
    const auto target = numbers<float, 2>({500, 10}, 5);
    const auto step = [&] {
        const Var<float, 2> h = relu(weft::matmul(Var<float, 2>{x}, w1) + bias);
        const Var<float, 2> y = weft::softmax(weft::matmul(h, w2));
        const Var<float, 0> loss = weft::mean(weft::square(y - target));
        backward(loss);
        const auto descend = [](auto& p) {
            const auto g = p.gradient_values();
            const auto v = p.mutable_values();
            for (std::size_t i = 0; i < v.size(); ++i) v[i] -= 0.1f * g[i];
            p.clear_grad();
        };
        descend(w1);
        descend(w2);
        descend(bias);
        return loss.item();
    };
    const float first = step();
    for (int i = 0; i < 3; ++i) step();
    const std::size_t pool = weft::detail::Pool::instance().system_allocations();
    const std::size_t before = counted_memory.requests;
    float last = 0;
    for (int i = 0; i < 20; ++i) last = step();
    const std::size_t after = counted_memory.requests;
    REQUIRE(after == before);
    REQUIRE(weft::detail::Pool::instance().system_allocations() == pool);
    REQUIRE(last < first);
}

TEST_CASE("backward: the operands of a sum share the memory of its gradient, until one has more", "[grad]") {
    const auto dy = numbers<double, 2>({5, 3}, 1);
    const Var<double, 2> a(numbers<double, 2>({5, 3}, 2)), b(numbers<double, 2>({5, 3}, 3));
    const Var<double, 2> y = a + b;
    backward(y, dy);
    REQUIRE(a.grad().data() == b.grad().data());

    const Var<double, 2> c(numbers<double, 2>({5, 3}, 4)), d(numbers<double, 2>({5, 3}, 5));
    const Var<double, 2> sum = c + d, twice = sum + sum, both = sum - d;
    backward(Var<double, 0>(weft::sum(twice * dy) + weft::sum(both * 3.0) + weft::sum(c * 0.5)));
    for (weft::index i = 0; i < 5; ++i)
        for (weft::index k = 0; k < 3; ++k) {
            REQUIRE(c.grad()(i, k) == Approx(2 * dy(i, k) + 3.5));
            REQUIRE(d.grad()(i, k) == Approx(2 * dy(i, k)));
        }
}

TEST_CASE("checkpoint: a chain in blocks takes the memory of the blocks, with gradients of the same bits", "[grad]") {
    constexpr weft::index size = 1 << 16, steps = 64, block = 8;
    const auto x = numbers<float, 1>({size}, 1);
    const auto chain = [](weft::index n, auto h) {
        for (weft::index k = 0; k < n; ++k) h = weft::eval(sin(h) + 0.5f * h);
        return h;
    };
    Tensor<float, 1> all, little;
    const double of_all = peak_of([&] {
        const Var<float, 1> v{x};
        backward(sum(chain(steps, v)));
        all = v.grad();
    });
    const double of_little = peak_of([&] {
        const Var<float, 1> v{x};
        Var<float, 1> h = v;
        for (weft::index k = 0; k < steps; k += block)
            h = weft::checkpoint([&](const auto& a) { return chain(block, a); }, h);
        backward(sum(h));
        little = v.grad();
    });
    for (weft::index i = 0; i < size; ++i) REQUIRE(all(i) == little(i));
    INFO("all: " << of_all << ", in blocks: " << of_little);
    REQUIRE(of_all > 4.0 * size * steps);
    REQUIRE(of_little < 4.0 * size * (steps / block + block + 6));
}
