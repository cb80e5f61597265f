// SPDX-License-Identifier: MIT
// usage: accuracy_table [--step N | --exhaustive] [--thin K]
// The largest errors of element-wise functions, in units of the last place, and of sums, in units of the last place of
// the sum of the magnitudes, by the packets of the instruction set this is compiled for: a table in Markdown. float
// functions are measured at every N-th float (by default 1021, exhaustive: 1), at those around the points where
// functions bend, and double functions at every K-th (by default all) of 600 thousand numbers and around the same
// points. Fails if one is larger than what is promised.
#include "../core/accuracy.hpp"

#include <weft/core/moments.hpp>
#include <weft/core/parallel_for.hpp>
#include <weft/core/random.hpp>
#include <weft/core/softmax.hpp>
#include <weft/linalg/matmul.hpp>

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace {

using namespace weft_test::accuracy;
using weft::Tensor;

bool failed = false;

template <class T>
std::string text(const Worst<T>& w) {
    if (w.ulps <= 0) return "0";
    return fmt::format("{:.3f} at {:.6g}", w.ulps, w.at);
}
template <class T>
std::string text(const Worst<std::pair<T, T>>& w) {
    if (w.ulps <= 0) return "0";
    return fmt::format("{:.3f} at {:.6g}, {:.6g}", w.ulps, w.at.first, w.at.second);
}

void print_row(const char* name, const auto& single, const auto& twice, double bound, double double_bound) {
    const bool exceeded = !(single.ulps <= bound) || !(twice.ulps <= double_bound);
    fmt::print("| {} | {} | {} | {} | {} |{}\n", name, text(single), text(twice), bound, double_bound,
               exceeded ? " EXCEEDED" : "");
    std::fflush(stdout);
    failed |= exceeded;
}

template <class Op, class Reference>
Worst<float> worst_of_floats(std::uint64_t step, Reference exact) {
    constexpr std::uint64_t parts = 256, length = (std::uint64_t{1} << 32) / parts;
    std::vector<Worst<float>> worst(parts);
    weft::parallel_for(parts, [&](weft::index part) {
        std::vector<float> x;
        const std::uint64_t first = static_cast<std::uint64_t>(part) * length;
        for (std::uint64_t bits = (first + step - 1) / step * step; bits < first + length;) {
            x.clear();
            for (; bits < first + length && x.size() < 4096; bits += step)
                x.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
            const auto here = worst_of<Op>(x, exact);
            worst[static_cast<std::size_t>(part)].add(here.ulps, here.at);
        }
    });
    Worst<float> all = worst_of<Op>(floats(), exact);
    for (const auto& w : worst) all.add(w.ulps, w.at);
    return all;
}

// The sum of terms, with what is rounded away added at the end (Neumaier), and the sum of their magnitudes.
struct ExactSum {
    Wide sum = 0, lost = 0, magnitudes = 0;
    void add(Wide x) {
        const Wide next = sum + x;
        lost += std::fabs(sum) >= std::fabs(x) ? sum - next + x : x - next + sum;
        sum = next;
        magnitudes += std::fabs(x);
    }
    Wide value() const { return sum + lost; }
};

// Errors in units of the last place of `magnitude`, at the number of elements that are combined.
template <class T>
struct Combined {
    Worst<double> worst;
    void add(T got, Wide exact, Wide magnitude, weft::index n) {
        const Wide unit = std::numeric_limits<T>::epsilon() * magnitude;
        const Wide distance = std::fabs(got - exact);
        worst.add(distance == 0 ? 0 : static_cast<double>(distance / unit), static_cast<double>(n));
    }
};

// n elements: from 0 to 1, of both signs, and with a mean that is large beside their deviation.
template <class T>
Tensor<T, 1> elements(int kind, weft::index n, std::uint64_t seed) {
    weft::Generator generator{seed};
    Tensor<T, 1> u = Tensor<T, 1>::empty({n});
    weft::fill_uniform(generator, u.mutable_data(), n);
    return kind == 0 ? u : kind == 1 ? Tensor<T, 1>(u * T(2) - T(1)) : Tensor<T, 1>(u + T(1000));
}

constexpr std::array<weft::index, 9> lengths{1, 2, 15, 16, 17, 100, 1000, 10000, 200000};

enum Combination {
    at_sum,
    at_columns,
    at_mean,
    at_variance,
    at_norm,
    at_moment_mean,
    at_moment_variance,
    at_dot,
    at_matmul,
    at_softmax,
    at_log_softmax,
    at_logsumexp
};
struct Bound {
    const char* name;
    double single_precision, double_precision;
};
// What they are held to, in the order of Combination. Moments of floats are summed up in double.
constexpr std::array<Bound, 12> combinations{{{"sum", 2, 2},
                                              {"sum of columns", 4, 4},
                                              {"mean", 3, 3},
                                              {"var", 4, 4},
                                              {"norm", 2, 2},
                                              {"moments: mean", 1, 5},
                                              {"moments: variance", 1, 16},
                                              {"dot", 2, 2},
                                              {"matmul", 2, 2},
                                              {"softmax", 16, 16},
                                              {"log_softmax", 2, 2},
                                              {"logsumexp", 2, 2}}};

template <class T>
struct Combinations {
    std::array<Combined<T>, combinations.size()> of;

    Combinations() {
        for (int kind = 0; kind < 3; ++kind)
            for (const weft::index n : lengths)
                for (std::uint64_t seed = 0; seed < 3; ++seed) measure(kind, n, seed);
    }

    void measure(int kind, weft::index n, std::uint64_t seed) {
        const Tensor<T, 1> x = elements<T>(kind, n, seed), y = elements<T>(1, n, seed + 100);
        const T *const a = x.data(), *const b = y.data();
        ExactSum s, squares, products;
        for (weft::index i = 0; i < n; ++i) {
            s.add(a[i]);
            squares.add(Wide{a[i]} * a[i]);
            products.add(Wide{a[i]} * b[i]);
        }
        const Wide count = static_cast<Wide>(n), average = s.value() / count, root = std::sqrt(squares.value());
        ExactSum distances;
        for (weft::index i = 0; i < n; ++i) distances.add((a[i] - average) * (a[i] - average));
        const Wide deviations = distances.value();

        of[at_sum].add(weft::sum(x).item(), s.value(), s.magnitudes, n);
        of[at_norm].add(weft::norm(x).item(), root, root, n);
        of[at_mean].add(weft::mean(x).item(), average, s.magnitudes / count, n);
        of[at_dot].add(weft::matmul(x, y).item(), products.value(), products.magnitudes, n);
        const Tensor<T, 2> column = weft::reshape(x, weft::Extents<2>{n, 1});
        const Tensor<T, 1> all_columns = weft::sum<0>(column * Tensor<T, 2>::ones({1, 20}));
        of[at_columns].add(all_columns.data()[19], s.value(), s.magnitudes, n);
        const auto moments = weft::moments<0>(x, 0);
        of[at_moment_mean].add(weft::eval(moments.mean()).data()[0], average, s.magnitudes / count, n);
        if (n > 1) {
            of[at_variance].add(weft::var(x, 0).item(), deviations / count, deviations / count, n);
            of[at_moment_variance].add(weft::eval(moments.variance()).data()[0], deviations / count, deviations / count,
                                       n);
        }
        if (n <= 1000) multiply(kind, n, seed);
        if (kind < 2) exponentials(x, kind == 0 ? T(1) : T(10), n);
    }

    // [7, n] x [n, 5]
    void multiply(int kind, weft::index n, std::uint64_t seed) {
        const Tensor<T, 2> a = weft::reshape(elements<T>(kind, 7 * n, seed + 200), weft::Extents<2>{7, n});
        const Tensor<T, 2> b = weft::reshape(elements<T>(1, n * 5, seed + 300), weft::Extents<2>{n, 5});
        const Tensor<T, 2> c = weft::matmul(a, b);
        for (weft::index i = 0; i < 7; ++i)
            for (weft::index j = 0; j < 5; ++j) {
                ExactSum s;
                for (weft::index k = 0; k < n; ++k) s.add(Wide{a.data()[i * n + k]} * b.data()[k * 5 + j]);
                of[at_matmul].add(c.data()[i * 5 + j], s.value(), s.magnitudes, n);
            }
    }

    // of numbers up to 10
    void exponentials(const Tensor<T, 1>& u, T scale, weft::index n) {
        const Tensor<T, 1> x = u * scale, y = weft::softmax(x), z = weft::log_softmax(x);
        ExactSum s;
        for (weft::index i = 0; i < n; ++i) s.add(std::exp(Wide{x.data()[i]}));
        const Wide log_sum = std::log(s.value());
        of[at_logsumexp].add(weft::logsumexp(x).item(), log_sum, std::max<Wide>(1, std::fabs(log_sum)), n);
        for (weft::index i = 0; i < n; ++i) {
            const Wide exact = std::exp(Wide{x.data()[i]}) / s.value();
            of[at_softmax].add(y.data()[i], exact, exact, n);
            of[at_log_softmax].add(z.data()[i], x.data()[i] - log_sum,
                                   std::max<Wide>(1, std::fabs(x.data()[i] - log_sum)), n);
        }
    }
};

} // namespace

int main(int argc, char** argv) {
    std::uint64_t step = 1021, thin = 1;
    for (int i = 1; i < argc; ++i) {
        const std::string_view option = argv[i];
        if (option == "--exhaustive") {
            step = 1;
        } else if (option == "--step" && i + 1 < argc && (step = std::strtoull(argv[++i], nullptr, 10)) > 0) {
        } else if (option == "--thin" && i + 1 < argc && (thin = std::strtoull(argv[++i], nullptr, 10)) > 0) {
        } else {
            fmt::print(stderr, "usage: accuracy_table [--step N | --exhaustive] [--thin K]\n");
            return 2;
        }
    }

    std::vector<double> some_doubles;
    for (std::size_t i = 0; i < doubles().size(); i += thin) some_doubles.push_back(doubles()[i]);
    fmt::print("| function | float | double | promised: float | double |\n|---|---|---|---|---|\n");
    for_each_function([&](auto op, auto exact) {
        using Op = decltype(op);
        const auto single = worst_of_floats<Op>(step, [&](float x) { return static_cast<double>(exact(double{x})); });
        const auto twice = worst_of<Op>(some_doubles, [&](double x) { return static_cast<Wide>(exact(Wide{x})); });
        print_row(Op::name, single, twice, Op::accuracy.single_precision, Op::accuracy.double_precision);
    });
    const auto single_pairs = pairs<float>(200000 / thin);
    const auto double_pairs = pairs<double>(200000 / thin);
    for_each_function_of_two([&](auto op, auto exact) {
        using Op = decltype(op);
        print_row(Op::name,
                  worst_of<Op>(single_pairs[0], single_pairs[1],
                               [&](float a, float b) { return static_cast<double>(exact(double{a}, double{b})); }),
                  worst_of<Op>(double_pairs[0], double_pairs[1],
                               [&](double a, double b) { return static_cast<Wide>(exact(Wide{a}, Wide{b})); }),
                  Op::accuracy.single_precision, Op::accuracy.double_precision);
    });

    fmt::print("\n| combination | float | double | held to: float | double |\n|---|---|---|---|---|\n");
    const Combinations<float> f;
    const Combinations<double> d;
    for (std::size_t i = 0; i < combinations.size(); ++i)
        print_row(combinations[i].name, f.of[i].worst, d.of[i].worst, combinations[i].single_precision,
                  combinations[i].double_precision);
    return failed;
}
