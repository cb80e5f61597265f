// SPDX-License-Identifier: MIT
#include "golden.hpp"

#include <weft/core/reduce.hpp>
#include <weft/grad/backward.hpp>
#include <weft/nn/gated_linear_unit.hpp>
#include <weft/nn/prelu.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>

using weft::Dual, weft::Tensor, weft::Var;
namespace nn = weft::nn;

namespace {

// What an activation gives at every point: its value, and its derivatives of first and second order.
template <class T>
struct Curve {
    Tensor<T, 1> y, d1, d2;
};

// By the fused kernels, backward on Duals.
template <class T, class F>
Curve<T> curve(const Tensor<T, 1>& x, F f) {
    constexpr double unit = std::numeric_limits<T>::epsilon();
    const auto n = x.size();
    auto seeded = Tensor<Dual<T>, 1>::empty({n});
    for (weft::index i = 0; i < n; ++i) seeded.mutable_data()[i] = {x.data()[i], T(1)};
    const Var<Dual<T>, 1> at(seeded);
    Var<Dual<T>, 1> y = f(at);
    weft::backward(sum(y));
    Curve<T> c{Tensor<T, 1>::empty({n}), Tensor<T, 1>::empty({n}), Tensor<T, 1>::empty({n})};
    const auto value = y.value(), slope = at.grad();
    for (weft::index i = 0; i < n; ++i) {
        c.y.mutable_data()[i] = value.data()[i].value;
        c.d1.mutable_data()[i] = slope.data()[i].value;
        c.d2.mutable_data()[i] = slope.data()[i].tangent;
        // The tangent of the value is the slope.
        REQUIRE(double(value.data()[i].tangent) == Approx(double(c.d1.data()[i])).epsilon(100 * unit).margin(4 * unit));
    }
    return c;
}

template <class T>
using CurveOf = std::function<Curve<T>(const Tensor<T, 1>&, double)>;

// The activations by the names of the file, which has the parameter behind the name: elu_1.
template <class T>
const std::map<std::string, CurveOf<T>>& activations() {
    const auto with = [](auto f) -> CurveOf<T> {
        return [f](const Tensor<T, 1>& x, double parameter) {
            if constexpr (requires { f(x, parameter); })
                return curve(x, [&](const auto& v) { return f(v, parameter); });
            else
                return curve(x, f);
        };
    };
    static const std::map<std::string, CurveOf<T>> all{
        {"relu", with([](const auto& x) { return relu(x); })},
        {"relu6", with([](const auto& x) { return relu6(x); })},
        {"squared_relu", with([](const auto& x) { return squared_relu(x); })},
        {"leaky_relu", with([](const auto& x, double slope) { return leaky_relu(x, slope); })},
        {"elu", with([](const auto& x, double alpha) { return elu(x, alpha); })},
        {"celu", with([](const auto& x, double alpha) { return celu(x, alpha); })},
        {"selu", with([](const auto& x) { return selu(x); })},
        {"sigmoid", with([](const auto& x) { return sigmoid(x); })},
        {"tanh", with([](const auto& x) { return tanh(x); })},
        {"silu", with([](const auto& x) { return silu(x); })},
        {"gelu_erf", with([](const auto& x) { return gelu(x); })},
        {"gelu_tanh", with([](const auto& x) { return gelu_tanh(x); })},
        {"quick_gelu", with([](const auto& x) { return quick_gelu(x); })},
        {"mish", with([](const auto& x) { return mish(x); })},
        {"hardswish", with([](const auto& x) { return hardswish(x); })},
        {"hardsigmoid", with([](const auto& x) { return hardsigmoid(x); })},
        {"hardtanh", with([](const auto& x) { return hardtanh(x); })},
        {"softplus", with([](const auto& x) { return softplus(x); })},
        {"softsign", with([](const auto& x) { return softsign(x); })},
        {"logsigmoid", with([](const auto& x) { return logsigmoid(x); })},
        {"squareplus", with([](const auto& x, double b) { return squareplus(x, b); })}};
    return all;
}

// The size of what the reference subtracts: it has an error in the last place of that. (Our own values are compared
// with exact ones in core/accuracy_test.cpp.)
double cancelling(const std::string& name, double x) {
    for (const char* exponential : {"elu", "celu", "selu"})
        if (name.starts_with(exponential)) return 1.8;
    for (const char* product : {"gelu", "quick_gelu", "squareplus"})
        if (name.starts_with(product)) return std::abs(x);
    return 0;
}

template <class T>
void check_activations(weft_test::GoldenCase& golden) {
    constexpr double unit = std::numeric_limits<T>::epsilon();
    constexpr double smallest = std::numeric_limits<double>::min(); // the references have subnormal rests
    const auto x = golden.get<double, 1>("x");
    const auto rounded = golden.get<T, 1>("x");
    int functions = 0;
    for (const std::string& tensor : golden.tensors()) {
        if (!tensor.ends_with(".y")) continue;
        const std::string name = tensor.substr(0, tensor.size() - 2);
        INFO(name);
        const auto& known = activations<T>();
        auto found = known.find(name);
        double parameter = 0;
        if (found == known.end()) {
            const auto at = name.rfind('_');
            REQUIRE(at != std::string::npos);
            parameter = std::stod(name.substr(at + 1));
            found = known.find(name.substr(0, at));
        }
        REQUIRE(found != known.end());
        const Curve<T> c = found->second(rounded, parameter);
        golden.compare(name + ".y", c.y, {.of_float = 2e-5});
        golden.compare(name + ".d1", c.d1, {.of_float = 2e-5});
        golden.compare(name + ".d2", c.d2, {.of_float = 2e-5});
        if constexpr (std::is_same_v<T, double>) {
            const auto y = golden.get<double, 1>(name + ".y"), d1 = golden.get<double, 1>(name + ".d1"),
                       d2 = golden.get<double, 1>(name + ".d2");
            for (weft::index i = 0; i < x.size(); ++i) {
                INFO("x = " << x(i) << ": " << c.y(i) << ", " << c.d1(i) << ", " << c.d2(i) << ", the references are "
                            << y(i) << ", " << d1(i) << ", " << d2(i));
                const bool near =
                    std::abs(c.y(i) - y(i)) <= 4 * unit * std::max(std::abs(y(i)), cancelling(name, x(i))) + smallest;
                const bool near1 = std::abs(c.d1(i) - d1(i)) <= 1e-10 * std::abs(d1(i)) + 1e-12;
                const bool near2 = std::abs(c.d2(i) - d2(i)) <= 1e-10 * std::abs(d2(i)) + 1e-12;
                if (!near || !near1 || !near2) FAIL("differs from the reference");
            }
        }
        ++functions;
    }
    REQUIRE(functions > 0);
}

} // namespace

TEST_CASE("activation golden: values and derivatives", "[nn][golden]") {
    weft_test::with_golden_case("evonorm", "activations", "", [](auto& golden) {
        check_activations<double>(golden);
        check_activations<float>(golden);
    });
}

namespace {

template <class T>
void check_gates(weft_test::GoldenCase& golden) {
    using Gate = std::function<Var<T, 2>(const Var<T, 2>&)>;
    const std::map<std::string, Gate> gates{{"glu", nn::GLU{}},         {"swiglu", nn::SwiGLU{}},
                                            {"geglu_erf", nn::GEGLU{}}, {"geglu_tanh", nn::GEGLUTanh{}},
                                            {"reglu", nn::ReGLU{}},     {"bilinear", nn::BilinearGLU{}}};
    for (const std::string& tensor : golden.tensors()) {
        if (!tensor.ends_with(".y") || tensor == "prelu.y") continue;
        const std::string name = tensor.substr(0, tensor.size() - 2);
        INFO(name);
        REQUIRE(gates.contains(name));
        const Var<T, 2> x(golden.get<T, 2>("x"));
        const Var<T, 2> y = gates.at(name)(x);
        weft::backward(sum(y * golden.get<T, 2>("dy")));
        golden.compare(name + ".y", y.value());
        golden.compare(name + ".dx", x.grad());
    }
    nn::PReLU<T> prelu;
    prelu.weight.set_value(golden.get<T, 1>("prelu.a"));
    const Var<T, 3> x(golden.get<T, 3>("prelu.x"));
    const Var<T, 3> y = prelu(x);
    weft::backward(sum(y * golden.get<T, 3>("prelu.dy")));
    golden.compare("prelu.y", y.value());
    golden.compare("prelu.dx", x.grad());
    golden.compare("prelu.da", prelu.weight.grad());
}

} // namespace

TEST_CASE("activation golden: gates and PReLU", "[nn][golden]") {
    weft_test::with_golden_case("evonorm", "glu_prelu", "", [](auto& golden) {
        check_gates<double>(golden);
        check_gates<float>(golden);
    });
}
