// SPDX-License-Identifier: MIT

/// Compares equivariant products of all degrees up to L: time, what they couple, and what they can express.

#include "../command_line.hpp"
#include "../status_line.hpp"
#include "chart.hpp"

#include <weft/core/parallel_for.hpp>
#include <weft/so3.hpp>
#include <weft/so3/expressivity.hpp>

#include <cstdio>
#include <ctime>

namespace {

using namespace weft;
using weft::index; // POSIX has a function of this name

struct Options {
    int lmax = 6;
    index rows = 4096;
    double seconds = 0.2;
    std::string svg;
    bool quiet = false;
};

void declare(CLI::App& app, Options& o) {
    app.add_option("--lmax", o.lmax, "Largest degree L (6)")->check(CLI::Range(1, 16))->group("Products");
    app.add_option("--rows", o.rows, "Products at once (4096)")->check(positive)->group("Products");
    app.add_option("--seconds", o.seconds, "Time to measure each for (0.2)")->check(not_negative)->group("Products");
    app.add_option("--svg", o.svg, "Draw the times per product over L")->group("Files");
    app.add_flag("--quiet", o.quiet, "No progress, only the result");
}

struct Measured {
    double nanoseconds;
    index outputs, paths, expressivity;
};

/// The processor time of a call, in nanoseconds a row. By the clock on the wall, a call of more than a few milliseconds
/// also takes the turns that other programs get meanwhile.
template <class F>
double time_of(const Options& o, const F& f) {
    f();
    int calls = 0;
    double seconds = 0;
    const std::clock_t begin = std::clock();
    while (calls < 3 || seconds < o.seconds) {
        f();
        ++calls;
        seconds = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
    }
    return seconds * 1e9 / (calls * static_cast<double>(o.rows));
}

Tensor<float, 2> numbers(index rows, index columns, std::uint64_t seed) {
    auto x = Tensor<float, 2>::empty({rows, columns});
    Generator generator{seed};
    nn::normal(x, generator);
    return x;
}

template <class Product>
double time_of_product(const Options& o, const Product& product, index dim1, index dim2) {
    const auto x1 = numbers(o.rows, dim1, 1), x2 = numbers(o.rows, dim2, 2);
    return time_of(o, [&] { const Tensor<float, 2> y = product(x1, x2); });
}

/// A product that has one result for each degree.
template <class Product>
Measured measure(const Options& o, const Product& product, int l) {
    const auto couplings = so3::interactions(product, l, l, 2 * l);
    return {time_of_product(o, product, so3::components_up_to(l), so3::components_up_to(l)),
            so3::components_up_to(2 * l), static_cast<index>(couplings.size()), so3::expressivity(couplings)};
}

struct Product {
    const char* name;
    const char* what;
    int largest; // L beyond which it takes too long
    Measured (*measure)(const Options&, int);
};

/// Natural parities: 0e, 1o, 2e, ...
Measured clebsch_gordan(const Options& o, int l) {
    const auto in = so3::Irreps::spherical_harmonics(l);
    const so3::FullTensorProduct product(in, in);
    const auto paths = static_cast<index>(product.instructions().size());
    // Each path has a result of its own, with its own weight in what follows.
    return {time_of_product(o, product, in.dim(), in.dim()), product.irreps_out().dim(), paths, paths};
}
Measured gaunt_list(const Options& o, int l) {
    return measure(o, so3::GauntTensorProduct(l, l, 2 * l, so3::GauntMethod::list), l);
}
Measured gaunt_circles(const Options& o, int l) {
    return measure(o, so3::GauntTensorProduct(l, l, 2 * l, so3::GauntMethod::circles), l);
}
Measured gaunt_grid(const Options& o, int l) {
    // Exact on a grid that integrates the degrees of all three functions.
    const index beta = 4 * l + 2;
    const so3::SphereResolution resolution{beta + beta % 2, 4 * l + 1};
    const auto n = so3::Normalization::integral;
    const auto product = [&]<class T>(std::type_identity<T>) {
        return [first = so3::ToS2Grid<T>(l, resolution, n),
                back = so3::FromS2Grid<T>(2 * l, resolution, n)](const Tensor<T, 2>& a, const Tensor<T, 2>& b) {
            return Tensor<T, 2>(back(eval(first(a) * first(b))));
        };
    };
    const auto couplings = so3::interactions(product(std::type_identity<double>{}), l, l, 2 * l);
    return {
        time_of_product(o, product(std::type_identity<float>{}), so3::components_up_to(l), so3::components_up_to(l)),
        so3::components_up_to(2 * l), static_cast<index>(couplings.size()), so3::expressivity(couplings)};
}
Measured matrices(const Options& o, int l) { return measure(o, so3::MatrixTensorProduct(l, l, 2 * l), l); }
Measured vector_signals(const Options& o, int l) {
    const so3::VectorSignalTensorProduct<float> product(l, l, 2 * l);
    // All couplings of J but those of two scalars; counted by blocks, of which there are several for a J.
    return {time_of_product(o, product, product.in1().dim(), product.in2().dim()), product.out().dim(), 0, 0};
}

constexpr Product products[] = {
    {"Clebsch-Gordan", "every coupling by itself", 6, clebsch_gordan},
    {"Gaunt, list", "product of functions, by its couplings", 7, gaunt_list},
    {"Gaunt, circles", "the same, O(L^3)", 16, gaunt_circles},
    {"Gaunt, grid", "the same, as two matrix products", 12, gaunt_grid},
    {"matrices", "product of matrices, rotations only", 12, matrices},
    {"vector signals", "cross product of vector fields", 10, vector_signals},
};

void run(const Options& o) {
    set_thread_count(1); // more of them would wait for one another, which is processor time too
    const StatusLine status;
    Chart chart("Products of all degrees up to L", "L", "nanoseconds per product");
    fmt::print("{} products at once, float, results up to degree 2 L; ns of a processor per product\n", o.rows);
    fmt::print("{:<16}{:>3}{:>12}{:>10}{:>8}{:>14}{:>13}{:>18}\n", "product", "L", "ns", "outputs", "paths",
               "expressivity", "ns per path", "ns per parameter");
    for (const Product& product : products) {
        std::vector<std::pair<double, double>> line;
        for (int l = 1; l <= std::min(o.lmax, product.largest); ++l) {
            if (!o.quiet && status.terminal()) status.write(fmt::format("{}, L = {}", product.name, l));
            const Measured m = product.measure(o, l);
            if (!o.quiet && status.terminal()) status.finish();
            const auto per = [&](index n) {
                return n > 0 ? fmt::format("{:.2f}", m.nanoseconds / static_cast<double>(n)) : std::string("-");
            };
            const auto count = [](index n) { return n > 0 ? fmt::format("{}", n) : std::string("-"); };
            fmt::print("{:<16}{:>3}{:>12.1f}{:>10}{:>8}{:>14}{:>13}{:>18}\n", product.name, l, m.nanoseconds, m.outputs,
                       count(m.paths), count(m.expressivity), per(m.paths), per(m.expressivity));
            line.push_back({l, m.nanoseconds});
        }
        chart.add(product.name, line);
    }
    if (o.svg.empty()) return;
    std::FILE* const file = std::fopen(o.svg.c_str(), "w");
    if (!file) throw error("tensor_products", "cannot write {}", o.svg);
    const std::string text = chart.svg();
    const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
    if (std::fclose(file) != 0 || !written) throw error("tensor_products", "cannot write {}", o.svg);
}

} // namespace

int main(int argc, char** argv) {
    Options o;
    std::string about =
        "Times equivariant products of all degrees up to L with themselves, and counts what they couple "
        "(paths) and how many parameters the maps have that can be made of them with linear layers around "
        "(expressivity):";
    for (const Product& product : products) about += fmt::format("\n  {:<16}{}", product.name, product.what);
    CLI::App app(about);
    declare(app, o);
    return run_program("tensor_products", app, argc, argv, [&] { run(o); });
}
