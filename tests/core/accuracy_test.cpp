// SPDX-License-Identifier: MIT
#include "accuracy.hpp"
#include "weft_test.hpp"

#include <weft/core/parallel_for.hpp>

#include <cstring>

// Every function of one argument in core/ops states its largest error. Here it is measured: a statement that is
// exceeded fails, and so does one that is more than three times what is measured (that much lies between instruction
// sets with and without fused multiply-adds). float functions are measured against double, over every 4099th float in
// every run, over all of them in the one tagged [slow], and double functions against long double.

using namespace weft_test::accuracy;

namespace {

void check(const char* name, const char* type, const auto& worst, double stated) {
    INFO(name << " of " << type << ": " << worst.ulps << " ulp at " << worst.at << ", stated are " << stated);
    CHECK(worst.ulps <= stated);
    CHECK(worst.ulps >= stated / 3);
}

// Beyond their range, sine, cosine and tangent are those of <cmath>, and take minutes.
template <class Op>
constexpr float range = std::numeric_limits<float>::infinity();
template <>
constexpr float range<weft::Sin> = 2048;
template <>
constexpr float range<weft::Cos> = 2048;
template <>
constexpr float range<weft::Tan> = 2048;

} // namespace

TEST_CASE("accuracy: float functions have the errors they state", "[core]") {
    for_each_function([](auto op, auto exact) {
        using Op = decltype(op);
        const auto worst = worst_of<Op>(floats(), [&](float x) { return static_cast<double>(exact(double{x})); });
        check(Op::name, "float", worst, Op::accuracy.single_precision);
    });
}

TEST_CASE("accuracy: double functions have the errors they state", "[core]") {
    for_each_function([](auto op, auto exact) {
        using Op = decltype(op);
        const auto worst = worst_of<Op>(doubles(), [&](double x) { return static_cast<Wide>(exact(Wide{x})); });
        check(Op::name, "double", worst, Op::accuracy.double_precision);
    });
}

// Packets begin elsewhere on other numbers of threads, and the last one may have anything behind its elements.
TEMPLATE_TEST_CASE("accuracy: an element's value does not depend on its neighbours", "[core]", float, double) {
    using T = TestType;
    using Limits = std::numeric_limits<T>;
    const T beside[] = {Limits::quiet_NaN(), Limits::infinity(), -Limits::infinity(), T(1e30), T(-5000), T(0),
                        Limits::denorm_min()};
    for_each_function([&](auto op, auto) {
        using Op = decltype(op);
        for (const T x : {T(-3.7), T(-0.4), T(-0.01), T(0), T(0.3), T(0.9), T(1.3), T(4.2), T(30)}) {
            T all[block], y[block], expected[block];
            std::fill(std::begin(all), std::end(all), x);
            evaluate<Op>(all, expected);
            for (const T other : beside)
                for (weft::index k = 0; k < weft::lanes<T>; ++k) {
                    std::fill(std::begin(all), std::end(all), other);
                    all[k] = x;
                    evaluate<Op>(all, y);
                    INFO(Op::name << " of " << x << " beside " << other);
                    REQUIRE(std::memcmp(&y[k], &expected[k], sizeof(T)) == 0);
                }
        }
    });
}

// The reference is the same function of double, which the case above has compared.
TEST_CASE("accuracy: float functions have the errors they state, over all floats", "[core][.slow]") {
    for_each_function([](auto op, auto) {
        using Op = decltype(op);
        constexpr std::uint32_t parts = 1024, length = std::uint32_t{1} << 22;
        std::vector<Worst<float>> worst(parts);
        weft::parallel_for(parts, [&](weft::index part) {
            Worst<float> here;
            float x[block], y[block];
            double wide[block], exact[block];
            for (std::uint32_t at = 0; at < length; at += block) {
                for (std::uint32_t i = 0; i < block; ++i) {
                    x[i] = std::bit_cast<float>(static_cast<std::uint32_t>(part) * length + at + i);
                    wide[i] = x[i];
                }
                if (std::fabs(x[0]) > range<Op>) continue;
                evaluate<Op>(x, y);
                evaluate<Op>(wide, exact);
                for (std::size_t i = 0; i < block; ++i) here.add(ulps(y[i], exact[i]), x[i]);
            }
            worst[static_cast<std::size_t>(part)] = here;
        });
        for (const auto& w : worst) worst.front().add(w.ulps, w.at);
        check(Op::name, "float", worst.front(), Op::accuracy.single_precision);
    });
}

TEST_CASE("accuracy: functions of two arguments have the errors they state", "[core]") {
    const auto single = pairs<float>(40000);
    const auto twice = pairs<double>(40000);
    for_each_function_of_two([&](auto op, auto exact) {
        using Op = decltype(op);
        const auto of_floats = [&](float a, float b) { return static_cast<double>(exact(double{a}, double{b})); };
        const auto of_doubles = [&](double a, double b) { return static_cast<Wide>(exact(Wide{a}, Wide{b})); };
        const auto f = worst_of<Op>(single[0], single[1], of_floats);
        const auto d = worst_of<Op>(twice[0], twice[1], of_doubles);
        check(Op::name, "float", Worst<float>{f.ulps, f.at.first}, Op::accuracy.single_precision);
        check(Op::name, "double", Worst<double>{d.ulps, d.at.first}, Op::accuracy.double_precision);
    });
}

TEST_CASE("accuracy: signed zeros", "[core]") {
    for_each_function([](auto op, auto exact) {
        using Op = decltype(op);
        INFO(Op::name);
        const float x[block] = {-0.0f}, zero = static_cast<float>(exact(-0.0));
        float y[block];
        evaluate<Op>(x, y);
        CHECK(std::signbit(y[0]) == std::signbit(zero));
    });
}
