// SPDX-License-Identifier: MIT
// Bytes as a program: steps that are fused expressions, reductions, products and sums over edges of earlier values,
// seen through any views. Whatever the program, it gives the same operation by operation as fused, recorded as not, in
// float as in double, on two threads as on one; the gradient is the derivative along a direction that Dual numbers
// give; and what no shape allows is the same Error everywhere.
#include "../thread_executor.hpp"

#include <weft/core/combine.hpp>
#include <weft/core/dual.hpp>
#include <weft/core/moments.hpp>
#include <weft/core/ops.hpp>
#include <weft/core/reduce.hpp>
#include <weft/core/softmax.hpp>
#include <weft/core/views.hpp>
#include <weft/grad.hpp>
#include <weft/graph/edge_reduce.hpp>
#include <weft/graph/edge_softmax.hpp>
#include <weft/linalg/matmul.hpp>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <vector>

using weft::Dual, weft::Extents, weft::Tensor, weft::Var, weft::View;

namespace {

void require(bool good, const char* what) {
    if (good) return;
    std::fprintf(stderr, "program: %s\n", what);
    std::abort();
}

/// How an operand is seen.
struct Window {
    std::size_t value = 0;
    std::array<int, 3> order{0, 1, 2};
    int slice_axis = -1, flip_axis = -1;
    weft::index begin = 0, end = 0, step = 1;
};
struct Step {
    int what = 0;
    bool fit = true; // operands are cut to extents that broadcast
    std::array<Window, 3> operands;
    std::uint32_t edges = 0;
};
struct Program {
    std::array<Extents<3>, 3> inputs;
    std::vector<Step> steps;
};

class Decoder {
public:
    explicit Decoder(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}
    bool empty() const { return bytes_.empty(); }
    unsigned byte() {
        if (empty()) return 0;
        const unsigned b = bytes_.front();
        bytes_ = bytes_.subspan(1);
        return b;
    }

    Program program() {
        static constexpr weft::index extents[] = {1, 2, 3, 5, 8, 4, 7, 9, 15, 16, 17, 31, 33, 0, 1, 40};
        Program p;
        Extents<3> all{};
        for (auto& extent : all) extent = extents[byte() % 16];
        for (auto& shape : p.inputs) {
            const unsigned ones = byte();
            for (std::size_t k = 0; k < 3; ++k) shape[k] = (ones >> k & 1u) != 0 ? 1 : all[k];
            if ((ones & 0x80u) != 0) shape[ones >> 3 & 1u] = extents[ones >> 4 & 7u];
        }
        while (!empty() && p.steps.size() < 5) p.steps.push_back(step(p.steps.size() + 3));
        return p;
    }

private:
    Step step(std::size_t values) {
        Step s;
        const unsigned b = byte();
        s.what = static_cast<int>(b % 16);
        s.fit = b < 240;
        s.edges = byte();
        for (auto& operand : s.operands) operand = window(values);
        return s;
    }
    Window window(std::size_t values) {
        static constexpr std::array<int, 3> orders[] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                                        {2, 1, 0}, {1, 2, 0}, {2, 0, 1}};
        Window w;
        const unsigned b = byte();
        w.value = b % 8 % values;
        const unsigned how = b >> 3;
        if ((how & 1u) != 0) w.order = orders[byte() % 6];
        if ((how & 2u) != 0) {
            const unsigned s = byte();
            w.slice_axis = static_cast<int>(s & 3u) - 1; // at times -1: no slice
            w.step = (s >> 2 & 3u) + 1;
            w.begin = static_cast<std::int8_t>(byte());
            w.end = (s >> 4 & 1u) != 0 ? weft::to_end : static_cast<std::int8_t>(byte());
            if (s >= 0xf8) w.step = s == 0xff ? 0 : weft::to_end - 1;
        }
        if ((how & 4u) != 0) w.flip_axis = static_cast<int>(byte() % 3);
        if (how == 0x1f) w.order[0] = w.order[1]; // an axis twice
        return w;
    }

    std::span<const std::uint8_t> bytes_;
};

template <class X>
struct ElementOf;
template <class T>
struct ElementOf<Tensor<T, 3>> {
    using type = T;
    using View = weft::View<T, 3>;
};
template <class T>
struct ElementOf<Var<T, 3>> {
    using type = T;
    using View = Var<T, 3>;
};

struct Fused {
    const auto& operator()(const auto& e) const { return e; }
};
struct OneByOne {
    auto operator()(const auto& e) const { return weft::eval(e); }
};

/// Runs programs on values X, Tensor or Var; `Land` says what happens to the operations within a step.
template <class X, class Land>
class Machine {
public:
    using T = typename ElementOf<X>::type;
    using Number = std::conditional_t<std::is_same_v<T, float>, float, double>;
    using Wide = std::conditional_t<std::is_same_v<T, float>, double, T>;
    using View = typename ElementOf<X>::View;

    explicit Machine(std::vector<X> inputs) : values(std::move(inputs)) {}

    void run(const Program& program) {
        for (const Step& step : program.steps) {
            std::vector<View> operands;
            for (const Window& window : step.operands) operands.push_back(seen(window));
            if (step.fit) fit(operands);
            values.push_back(compute(step, operands[0], operands[1], operands[2]));
        }
    }

    std::vector<X> values;

private:
    View seen(const Window& w) const {
        View x = weft::permute(View(values[w.value]), w.order);
        if (w.slice_axis >= 0) x = weft::slice(x, w.slice_axis, w.begin, w.end, w.step);
        if (w.flip_axis >= 0) x = weft::flip(x, w.flip_axis);
        return x;
    }
    static void fit(std::vector<View>& operands) {
        for (int axis = 0; axis < 3; ++axis) {
            weft::index least = weft::to_end;
            for (const View& x : operands)
                if (x.extent(axis) != 1) least = std::min(least, x.extent(axis));
            for (View& x : operands)
                if (x.extent(axis) != 1) x = weft::slice(x, axis, 0, least);
        }
    }

    /// All steps are continuous, and neither their results nor their slopes become large.
    X compute(const Step& step, const View& a, const View& b, const View& c) const {
        using namespace weft;
        const Land l;
        const Number half = Number(0.5), one = 1;
        switch (step.what) {
        case 0:
            return l(tanh(l(l(a * b) + c)));
        case 1:
            return l(l(sigmoid(a)) * l(b - l(softsign(l(c * c)))));
        case 2:
            return l(where(l(a > b), l(a - b), l(half * l(b - a))));
        case 3:
            return l(l(abs(l(a - b))) / l(one + l(square(c))));
        case 4:
            return l(softsign(l(softmax<2>(l(a * b)) + c)));
        case 5:
            return l(softsign(l(a - mean<1>(l(b * c), keepdim))));
        case 6:
            return l(l(mean<0>(l(sin(a) * b), keepdim)) + l(half * l(cos(c))));
        case 7:
            return l(softsign(l(weft::max<2>(l(a + b), keepdim) - c)));
        case 8:
            return l(softsign(l(logsumexp<1>(l(a + b), keepdim) - c)));
        case 9: {
            const auto y = weft::matmul(a, transpose(b));
            return l(softsign(y * (one / Number(1 + a.extent(2)))));
        }
        case 10: {
            const auto wide = l(tanh(cast<Wide>(l(half * b))));
            const auto positive = cast<T>(l(a > b)); // of which the step is where it is multiplied by 0
            return l(l(l(positive * l(a - b)) + l(maximum(a, b))) * l(minimum(cast<T>(wide), c)));
        }
        case 11:
            return l(softsign(l(gelu(l(a * b)) + l(softplus(c)))));
        case 12: {
            const auto m = moments<2>(l(a + b), 0.25);
            return l(softsign((m.x() - m.mean()) * m.inverse_deviation() + c));
        }
        case 13: {
            const auto flat = reshape(a, {a.extent(1), -1, 1});
            return weft::slice(concat(1, flat, l(half * flat)), 1, 0, to_end, 2);
        }
        case 14: {
            const Graph g = graph(step, a.extent(0));
            const weft::index width = a.extent(1) * a.extent(2);
            const auto x = reshape(a, {a.extent(0), width});
            const auto w = sigmoid(reshape(slice(slice(x, 1, 0, 1), 0, 0, 1), {1}));
            const auto y = mean_in(g, tanh(src(x) * Number(2) + dst(x)));
            return reshape(l(softsign(y * w)), a.shape());
        }
        default: {
            const Graph g = graph(step, a.extent(0));
            const auto x = reshape(a, {a.extent(0), a.extent(1) * a.extent(2)});
            const auto score = flatten(mean<1>(x, keepdim));
            const auto y = sum_in(g, softmax_in(leaky_relu(src(score) - dst(score), Number(0.2))) * src(x));
            return reshape(y, a.shape());
        }
        }
    }

    static weft::Graph graph(const Step& step, weft::index nodes) {
        const weft::index edges = nodes == 0 ? 0 : static_cast<weft::index>(step.edges);
        auto ends = Tensor<std::int32_t, 2>::empty({2, edges});
        std::uint32_t state = step.edges + 1;
        for (std::int32_t& end : ends.mutable_values()) {
            state = state * 1664525u + 1013904223u;
            end = static_cast<std::int32_t>((state >> 8) % static_cast<std::uint32_t>(nodes));
        }
        return weft::Graph(ends, nodes);
    }
};

/// Numbers in [-1, 1], the same in every type.
template <class T>
Tensor<T, 3> input(const Extents<3>& shape, std::uint32_t seed) {
    auto x = Tensor<T, 3>::empty(shape);
    std::uint32_t state = seed;
    for (T& value : x.mutable_values()) {
        state = state * 1664525u + 1013904223u;
        const float number = static_cast<float>(static_cast<std::int32_t>(state >> 8) - (1 << 23)) / (1 << 23);
        value = T(number);
    }
    return x;
}

template <class T>
std::vector<Tensor<T, 3>> inputs(const Program& program) {
    std::vector<Tensor<T, 3>> all;
    for (std::size_t k = 0; k < 3; ++k)
        all.push_back(input<T>(program.inputs[k], 7 * static_cast<std::uint32_t>(k) + 1));
    return all;
}

template <class T>
struct Outcome {
    std::string error;
    std::vector<Tensor<T, 3>> values;
};

template <class Land, class T>
Outcome<T> outcome(const Program& program, std::vector<Tensor<T, 3>> given) {
    Machine<Tensor<T, 3>, Land> machine(std::move(given));
    Outcome<T> out;
    try {
        machine.run(program);
    } catch (const weft::Error& e) {
        out.error = e.what();
    }
    out.values = machine.values;
    return out;
}

/// The values, and the gradients of the inputs behind them.
Outcome<double> recorded(const Program& program) {
    std::vector<Var<double, 3>> given;
    for (const auto& x : inputs<double>(program)) given.emplace_back(x);
    Machine<Var<double, 3>, Fused> machine(given);
    Outcome<double> out;
    try {
        machine.run(program);
    } catch (const weft::Error& e) {
        out.error = e.what();
    }
    for (const auto& x : machine.values) out.values.push_back(x.value());
    if (!out.error.empty()) return out;
    const auto last = machine.values.back();
    machine.values.clear();
    backward(sum(square(last) + 0.5 * last));
    for (const auto& x : given) out.values.push_back(x.has_grad() ? x.grad() : Tensor<double, 3>::zeros(x.shape()));
    return out;
}

template <class T, class U>
bool close(const Outcome<T>& a, const Outcome<U>& b, double tolerance) {
    if (a.error != b.error || a.values.size() != b.values.size()) return false;
    for (std::size_t k = 0; k < a.values.size(); ++k) {
        const auto& x = a.values[k];
        const auto& y = b.values[k];
        if (x.shape() != y.shape()) return false;
        for (weft::index i = 0; i < x.size(); ++i) {
            const double p = static_cast<double>(x.data()[i]), q = static_cast<double>(y.data()[i]);
            if (!(std::abs(p - q) <= tolerance * (1 + std::abs(q))) && !(p != p && q != q)) {
                std::fprintf(stderr, "value %zu, element %td: %.17g and %.17g\n", k, i, p, q);
                return false;
            }
        }
    }
    return true;
}
template <class T>
bool same_bits(const Outcome<T>& a, const Outcome<T>& b) {
    if (a.error != b.error || a.values.size() != b.values.size()) return false;
    for (std::size_t k = 0; k < a.values.size(); ++k) {
        const auto &x = a.values[k], &y = b.values[k];
        if (x.shape() != y.shape()) return false;
        if (x.size() > 0 && std::memcmp(x.data(), y.data(), static_cast<std::size_t>(x.size()) * sizeof(T)) != 0)
            return false;
    }
    return true;
}

/// The gradients along a direction are the tangents of Dual numbers. Where a value is NaN (the mean of nothing) and has
/// no influence, its share of the gradient is 0 times NaN, and of the tangent nothing.
void check_gradient(const Program& program, const Outcome<double>& record) {
    std::vector<Tensor<Dual<double>, 3>> given;
    double slope = 0, scale = 1;
    const std::size_t first_gradient = record.values.size() - 3;
    for (std::size_t k = 0; k < first_gradient; ++k)
        for (const double value : record.values[k].values())
            if (value != value) return;
    for (std::size_t k = 0; k < 3; ++k) {
        const auto x = input<double>(program.inputs[k], 7 * static_cast<std::uint32_t>(k) + 1);
        const auto direction = input<double>(program.inputs[k], 100 + static_cast<std::uint32_t>(k));
        auto both = Tensor<Dual<double>, 3>::empty(x.shape());
        for (weft::index i = 0; i < x.size(); ++i) {
            both.mutable_data()[i] = {x.data()[i], direction.data()[i]};
            const double product = record.values[first_gradient + k].data()[i] * direction.data()[i];
            slope += product;
            scale += std::abs(product);
        }
        given.push_back(both);
    }
    const auto dual = outcome<Fused>(program, given);
    require(dual.error.empty(), "an error with Dual numbers only");
    double tangent = 0;
    for (const Dual<double>& y : dual.values.back().values()) tangent += 2 * y.value * y.tangent + 0.5 * y.tangent;
    if (std::abs(tangent - slope) <= 1e-8 * scale) return;
    std::fprintf(stderr, "gradient %.17g, Dual %.17g\n", slope, tangent);
    require(false, "the gradient is not the derivative");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const Program program = Decoder({data, size}).program();
    weft::set_thread_count(1);
    const auto fused = outcome<Fused>(program, inputs<double>(program));
    require(close(outcome<OneByOne>(program, inputs<double>(program)), fused, 1e-10), "fused is not one by one");
    const auto single = outcome<Fused>(program, inputs<float>(program));
    require(close(single, fused, 2e-3), "float is not double");

    const auto record = recorded(program);
    Outcome<double> values = record;
    if (record.error.empty()) values.values.resize(fused.values.size());
    require(same_bits(values, fused), "a Var is not a Tensor");
    if (record.error.empty()) check_gradient(program, record);

    weft::index largest = 0;
    for (const auto& x : fused.values) largest = std::max(largest, x.size());
    if (largest < 2000) return 0; // nothing is shared among threads
    const weft_test::ThreadExecutor executor(2);
    require(same_bits(outcome<Fused>(program, inputs<float>(program)), single), "two threads are not one");
    require(same_bits(recorded(program), record), "two threads are not one, gradients");
    return 0;
}
