// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/philox.hpp>
#include <weft/grad/backward.hpp>

#include <cmath>
#include <vector>

namespace weft::inline WEFT_ABI {

/// Options of `expect_grad`.
struct ExpectGradOptions {
    double tolerance = 1e-6; ///< largest relative error of a derivative
    double step = 1e-3; ///< of the differences, times max(1, |x|); inputs must be further from kinks than twice that
    std::uint64_t seed = 0; ///< of the directions
};

namespace detail {

/// The function under test as one of all elements of its inputs, one behind the other.
class GradientProblem {
public:
    template <class T>
    using Values = std::vector<T>;

    std::vector<std::vector<index>> shapes; // of the inputs

    virtual ~GradientProblem() = default;
    virtual Values<double> value(const Values<double>& x) const = 0;
    /// The value, and the gradient of sum(value * direction); a direction shorter than the value continues with 0.
    virtual Values<double> recorded(const Values<double>& x, const Values<double>& direction,
                                    Values<double>& gradient) const = 0;
    virtual Values<Dual<double>> recorded(const Values<Dual<double>>& x, const Values<Dual<double>>& direction,
                                          Values<Dual<double>>& gradient) const = 0;
};

// Tensor has a third parameter with a default: clang takes a template of two only.
template <class T, int N>
using PlainTensor = Tensor<T, N>;

template <int Order, class F, int... N>
class GradientProblemOf final : public GradientProblem {
public:
    GradientProblemOf(const F& f, const Tensor<double, N>&... inputs) : f_(f), extents_(inputs.shape()...) {
        (shapes.emplace_back(inputs.shape().begin(), inputs.shape().end()), ...);
    }

    Values<double> value(const Values<double>& x) const override {
        const auto y = std::apply([&](const auto&... input) { return land(f_(input...)); }, inputs<PlainTensor>(x));
        return {y.data(), y.data() + y.size()};
    }
    Values<double> recorded(const Values<double>& x, const Values<double>& direction,
                            Values<double>& gradient) const override {
        return differentiate(x, direction, gradient);
    }
    Values<Dual<double>> recorded(const Values<Dual<double>>& x, const Values<Dual<double>>& direction,
                                  Values<Dual<double>>& gradient) const override {
        if constexpr (Order >= 2)
            return differentiate(x, direction, gradient);
        else
            return {};
    }

private:
    template <class E>
    static auto land(const E& e) {
        if constexpr (is_recorded_leaf<E>)
            return e.value();
        else
            return Tensor<typename E::value_type, E::rank>(e);
    }
    template <template <class, int> class Leaf, class T>
    auto inputs(const Values<T>& x) const {
        return std::apply(
            [&](const Extents<N>&... extents) {
                const T* from = x.data();
                const auto next = [&]<int M>(const Extents<M>& shape) {
                    const auto n = static_cast<std::size_t>(product(shape));
                    from += n;
                    return Leaf<T, M>(Tensor<T, M>::from(std::span<const T>(from - n, n), shape));
                };
                return std::tuple<Leaf<T, N>...>{next.template operator()<N>(extents)...};
            },
            extents_);
    }
    template <class T>
    Values<T> differentiate(const Values<T>& x, const Values<T>& direction, Values<T>& gradient) const {
        const auto leaves = inputs<Var, T>(x);
        const auto y = std::apply([&](const auto&... leaf) { return eval(f_(leaf...)); }, leaves);
        const Tensor<T, decltype(y)::rank> result = land(y);
        if constexpr (is_recorded_leaf<decltype(y)>) {
            static_assert(std::same_as<typename decltype(y)::value_type, T>,
                          "weft: expect_grad: the function must give elements of the type of its inputs");
            auto dy = Tensor<T, decltype(y)::rank>::zeros(result.shape());
            std::copy_n(direction.begin(), std::min<index>(dy.size(), static_cast<index>(direction.size())),
                        dy.mutable_data());
            backward(y, dy);
        }
        gradient.clear();
        std::apply([&](const auto&... leaf) { (append(gradient, leaf), ...); }, leaves);
        return {result.data(), result.data() + result.size()};
    }
    template <class T, int M>
    static void append(Values<T>& gradient, const Var<T, M>& leaf) {
        const Tensor<T, M> g = leaf.has_grad() ? leaf.grad() : Tensor<T, M>::zeros(leaf.shape());
        gradient.insert(gradient.end(), g.data(), g.data() + g.size());
    }

    const F& f_;
    std::tuple<Extents<N>...> extents_;
};

/// Numbers in [-1, 1] but not near 0, the same in every run.
inline std::vector<double> random_direction(std::size_t n, std::uint64_t seed, std::uint32_t stream) {
    std::vector<double> v(n);
    for (std::size_t i = 0; i < n; ++i) {
        const auto words = philox4x32({static_cast<std::uint32_t>(i), stream, 0, 0},
                                      {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
        v[i] = (words[0] & 1u ? 1 : -1) * (0.25 + 0.75 * (words[1] / 4294967296.0));
    }
    return v;
}

// A template, so that it is compiled only where it is used.
template <class Problem>
class GradientCheck {
public:
    GradientCheck(const Problem& problem, std::vector<double> x, const ExpectGradOptions& options)
        : problem_(problem), x_(std::move(x)), options_(options) {}

    void run(int order) {
        check_value();
        check_gradient();
        if (order >= 2) check_second_order();
    }

private:
    using Values = std::vector<double>;

    /// `weft: ...` of what f() throws, or an empty text.
    template <class F>
    static std::string thrown_by(const F& f) {
        try {
            f();
        } catch (const std::exception& e) {
            return e.what();
        }
        return {};
    }

    /// Where position i of the inputs is: "input 1 at [0, 3]".
    std::string place(std::size_t i) const {
        std::size_t input = 0;
        auto at = static_cast<index>(i);
        for (; input + 1 < problem_.shapes.size() && at >= size_of(input); ++input) at -= size_of(input);
        std::vector<index> position(problem_.shapes[input]);
        for (std::size_t axis = position.size(); axis-- > 0;) {
            const index extent = position[axis];
            position[axis] = at % extent;
            at /= extent;
        }
        return message("input {} at {}", {input, shape_text(position)});
    }
    index size_of(std::size_t input) const {
        index n = 1;
        for (const index e : problem_.shapes[input]) n *= e;
        return n;
    }

    void check_value() {
        Values gradient;
        const auto record = [&] { recorded_ = problem_.recorded(x_, {}, gradient); };
        try {
            y_ = problem_.value(x_);
        } catch (const std::exception& e) {
            if (const std::string text = thrown_by(record); text != e.what())
                throw error("expect_grad", "on Tensors the function throws `{}`, on Vars {}", e.what(),
                            text.empty() ? std::string("nothing") : "`" + text + "`");
            throw;
        }
        if (const std::string text = thrown_by(record); !text.empty())
            throw error("expect_grad", "on Tensors the function throws nothing, on Vars `{}`", text);
        if (recorded_.size() != y_.size())
            throw error("expect_grad", "on Tensors the function gives {} elements, on Vars {}", y_.size(),
                        recorded_.size());
        for (std::size_t i = 0; i < y_.size(); ++i) {
            if (!std::isfinite(y_[i]))
                throw error("expect_grad", "element {} of the value is {}: it must be finite", i, y_[i]);
            if (recorded_[i] != y_[i])
                throw error("expect_grad", "element {} of the value: Tensors give {}, Vars {}", i, y_[i], recorded_[i]);
        }
        direction_ = random_direction(y_.size(), options_.seed, 0);
        for (std::size_t i = 0; i < y_.size(); ++i) magnitude_ += std::abs(y_[i] * direction_[i]);
    }

    double projected(const Values& x) const {
        const Values y = problem_.value(x);
        double s = 0;
        for (std::size_t i = 0; i < y.size(); ++i) s += y[i] * direction_[i];
        return s;
    }

    /// The derivative from f(-2h), f(-h), f(h), f(2h), to fourth order.
    static double difference(double a, double b, double c, double d, double h) {
        return (a - 8 * b + 8 * c - d) / (12 * h);
    }
    static double largest(const Values& v) {
        double m = 0;
        for (const double a : v) m = std::max(m, std::abs(a));
        return m;
    }
    /// Compares derivatives; `noise` is the rounding error of the differences.
    void compare(const char* what, const char* by, const Values& got, const Values& expected, double noise) const {
        const double floor = 0.01 * options_.tolerance * largest(expected) + noise;
        for (std::size_t i = 0; i < got.size(); ++i) {
            const double bound = options_.tolerance * std::max(std::abs(got[i]), std::abs(expected[i])) + floor;
            if (!(std::abs(got[i] - expected[i]) <= bound))
                throw error("expect_grad", "{} of {}: {} gives {}, central differences give {} (allowed error {})",
                            what, place(i), by, got[i], expected[i], bound);
        }
    }

    void check_gradient() {
        problem_.recorded(x_, direction_, gradient_);
        Values expected(x_.size()), x = x_;
        double smallest_step = options_.step;
        for (std::size_t i = 0; i < x.size(); ++i) {
            const double h = options_.step * std::max(1.0, std::abs(x_[i]));
            const auto at = [&](double t) {
                x[i] = x_[i] + t * h;
                return projected(x);
            };
            expected[i] = difference(at(-2), at(-1), at(1), at(2), h);
            x[i] = x_[i];
        }
        compare("gradient", "backward()", gradient_, expected, 64 * epsilon * magnitude_ / smallest_step);
    }

    /// Forward over reverse: the tangent of the gradient along one direction against differences of gradients.
    void check_second_order() {
        const Values along = random_direction(x_.size(), options_.seed, 1);
        std::vector<Dual<double>> x, direction, gradient;
        for (std::size_t i = 0; i < x_.size(); ++i) x.emplace_back(x_[i], along[i]);
        for (const double d : direction_) direction.emplace_back(d);
        const std::vector<Dual<double>> y = problem_.recorded(x, direction, gradient);

        double slope = 0, dual_slope = 0, size = 0;
        for (std::size_t i = 0; i < x_.size(); ++i) slope += gradient_[i] * along[i];
        for (std::size_t i = 0; i < y.size(); ++i) {
            dual_slope += y[i].tangent * direction_[i];
            size += std::abs(y[i].tangent * direction_[i]);
        }
        for (std::size_t i = 0; i < x_.size(); ++i) size += std::abs(gradient_[i] * along[i]);
        if (!(std::abs(slope - dual_slope) <= options_.tolerance * std::abs(slope) + 1e-12 * size))
            throw error("expect_grad", "along a direction, backward() gives the slope {}, Dual numbers {}", slope,
                        dual_slope);

        Values values, tangents, expected(x_.size());
        for (const Dual<double>& g : gradient) {
            values.push_back(g.value);
            tangents.push_back(g.tangent);
        }
        Values at[4];
        const double h = options_.step, t[4] = {-2, -1, 1, 2};
        for (int k = 0; k < 4; ++k) {
            Values moved = x_;
            for (std::size_t i = 0; i < moved.size(); ++i) moved[i] += t[k] * h * along[i];
            problem_.recorded(moved, direction_, at[k]);
        }
        for (std::size_t i = 0; i < expected.size(); ++i)
            expected[i] = difference(at[0][i], at[1][i], at[2][i], at[3][i], h);
        for (std::size_t i = 0; i < values.size(); ++i)
            if (!(std::abs(values[i] - gradient_[i]) <= 1e-10 * largest(gradient_)))
                throw error("expect_grad", "gradient of {}: double gives {}, Dual numbers {}", place(i), gradient_[i],
                            values[i]);
        compare("second derivative", "backward() over Dual numbers", tangents, expected,
                64 * epsilon * largest(gradient_) / h);
    }

    static constexpr double epsilon = 2.3e-16;
    const Problem& problem_;
    Values x_, y_, recorded_, direction_, gradient_;
    ExpectGradOptions options_;
    double magnitude_ = 0;
};

template <int Order, class F, int... N>
void expect_grad(const ExpectGradOptions& options, const F& f, const Tensor<double, N>&... inputs) {
    const GradientProblemOf<Order, F, N...> problem(f, inputs...);
    std::vector<double> x;
    (x.insert(x.end(), inputs.data(), inputs.data() + inputs.size()), ...);
    GradientCheck<GradientProblem>(problem, std::move(x), options).run(Order);
}

} // namespace detail

/// Requires that `f` is differentiated as it is computed. f takes Tensors or Vars of double, and with Order 2 also Vars
/// of Dual<double>, of the shapes of `inputs`, and gives an expression, Tensor or Var. Checked are: the value on Vars
/// is that on Tensors; backward() gives the slopes that central differences of the value give; forward-over-reverse
/// with Dual numbers gives those of the gradient. Errors: the first that is not so, naming the element and both values.
/// What f throws on Tensors it must throw on Vars; it is passed on. O(elements of the inputs) evaluations of f.
///
///     expect_grad([](const auto& x, const auto& w) { return tanh(matmul(x, w)); }, x, w);
template <int Order = 2, class F, Expression... E>
void expect_grad(const F& f, const E&... inputs) {
    detail::expect_grad<Order>(ExpectGradOptions{}, f, Tensor<double, E::rank>(inputs)...);
}
/// The same with the given options.
template <int Order = 2, class F, Expression... E>
void expect_grad(const ExpectGradOptions& options, const F& f, const E&... inputs) {
    detail::expect_grad<Order>(options, f, Tensor<double, E::rank>(inputs)...);
}

} // namespace weft::inline WEFT_ABI
