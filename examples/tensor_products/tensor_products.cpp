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
    double nanoseconds = 0;
    index outputs = 0, paths = 0, expressivity = 0; // 0: not counted
    double flops = 0;
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

/// The product of functions again, on a grid, as two products with dense matrices: what a product of one's own looks
/// like.
class GridProduct {
public:
    explicit GridProduct(int l)
        : l_(l), resolution_(exact(l)), first_(l, resolution_, integral), back_(2 * l, resolution_, integral),
          first_double_(l, resolution_, integral), back_double_(2 * l, resolution_, integral) {}

    static std::string_view name() { return "grid-matrices"; }
    so3::Irreps irreps_in1() const { return so3::Irreps::spherical_harmonics(l_); }
    so3::Irreps irreps_in2() const { return irreps_in1(); }
    so3::Irreps irreps_out() const { return so3::Irreps::spherical_harmonics(2 * l_); }
    static bool parity() { return true; }
    index paths() const {
        return static_cast<index>(so3::copy_couplings(*this, irreps_in1(), irreps_in2(), irreps_out()).size());
    }
    double flops() const {
        const auto points = static_cast<double>(resolution_.beta * resolution_.alpha);
        return points * static_cast<double>(4 * irreps_in1().dim() + 1 + 2 * irreps_out().dim());
    }
    template <class X1, class X2>
    auto operator()(const X1& x1, const X2& x2) const {
        if constexpr (std::is_same_v<typename X1::value_type, float>)
            return multiply(first_, back_, x1, x2);
        else
            return multiply(first_double_, back_double_, x1, x2);
    }

private:
    static constexpr auto integral = so3::Normalization::integral;
    /// Of a grid that integrates the degrees of all three functions.
    static so3::SphereResolution exact(int l) {
        const index beta = 4 * l + 2;
        return {beta + beta % 2, 4 * l + 1};
    }
    template <class To, class From, class X>
    auto multiply(const To& to, const From& from, const X& x1, const X& x2) const {
        const index dim = irreps_in1().dim();
        const auto rows = [&](const X& x) { return to(reshape(x, Extents<2>{x.size() / dim, dim})); };
        Extents<X::rank> shape = x1.shape();
        shape.back() = irreps_out().dim();
        return contiguous(reshape(from(eval(rows(x1) * rows(x2))), shape));
    }

    int l_;
    so3::SphereResolution resolution_;
    so3::ToS2Grid<float> first_;
    so3::FromS2Grid<float> back_;
    so3::ToS2Grid<double> first_double_;
    so3::FromS2Grid<double> back_double_;
};

/// Of a product of all degrees up to l with results up to 2 l.
template <so3::ProductOfFeatures P>
Measured measure(const Options& o, const P& product, int l) {
    Measured m{.outputs = product.irreps_out().dim(), .paths = product.paths(), .flops = product.flops()};
    const auto x1 = numbers(o.rows, product.irreps_in1().dim(), 1), x2 = numbers(o.rows, product.irreps_in2().dim(), 2);
    m.nanoseconds = time_of(o, [&] { const Tensor<float, 2> y = product(x1, x2); });
    if (m.paths == product.irreps_out().num_irreps()) // each path has a result of its own, and its own weight there
        m.expressivity = m.paths;
    else if (product.irreps_out().dim() == so3::components_up_to(2 * l))
        m.expressivity = so3::expressivity(so3::interactions(product, l, l, 2 * l));
    return m;
}

struct Product {
    std::string_view name, what;
    int largest; // L beyond which it takes too long
    Measured (*measure)(const Options&, std::string_view, int);
};

std::vector<Product> all_products() {
    const auto largest = [](std::string_view name) {
        return name == "clebsch-gordan-dense"                       ? 4
               : name == "clebsch-gordan" || name == "matrix-block" ? 6
               : name == "gaunt-list"                               ? 7
               : name == "vector-signal"                            ? 10
               : name == "matrix"                                   ? 12
                                                                    : 16;
    };
    std::vector<Product> all;
    for (const so3::FeatureProductChoice& choice : so3::feature_products)
        all.push_back(
            {choice.name, choice.what, largest(choice.name), [](const Options& o, std::string_view name, int l) {
                 return measure(o, so3::FeatureProduct(name, l, l, 2 * l), l);
             }});
    all.push_back({GridProduct::name(), "product of functions on a grid, by matrices", 12,
                   [](const Options& o, std::string_view, int l) { return measure(o, GridProduct(l), l); }});
    return all;
}

void run(const Options& o) {
    set_thread_count(1); // more of them would wait for one another, which is processor time too
    const StatusLine status;
    Chart chart("Products of all degrees up to L", "L", "nanoseconds per product");
    fmt::print("{} products at once, float, results up to degree 2 L; ns of a processor per product\n", o.rows);
    fmt::print("{:<22}{:>3}{:>12}{:>10}{:>8}{:>14}{:>13}{:>18}{:>9}\n", "product", "L", "ns", "outputs", "paths",
               "expressivity", "ns per path", "ns per parameter", "GFLOP/s");
    for (const Product& product : all_products()) {
        std::vector<std::pair<double, double>> line;
        for (int l = 1; l <= std::min(o.lmax, product.largest); ++l) {
            if (!o.quiet && status.terminal()) status.write(fmt::format("{}, L = {}", product.name, l));
            const Measured m = product.measure(o, product.name, l);
            if (!o.quiet && status.terminal()) status.finish();
            const auto per = [&](index n) {
                return n > 0 ? fmt::format("{:.2f}", m.nanoseconds / static_cast<double>(n)) : std::string("-");
            };
            const auto count = [](index n) { return n > 0 ? fmt::format("{}", n) : std::string("-"); };
            fmt::print("{:<22}{:>3}{:>12.1f}{:>10}{:>8}{:>14}{:>13}{:>18}{:>9.1f}\n", product.name, l, m.nanoseconds,
                       m.outputs, count(m.paths), count(m.expressivity), per(m.paths), per(m.expressivity),
                       m.flops / m.nanoseconds);
            line.push_back({l, m.nanoseconds});
        }
        chart.add(std::string(product.name), line);
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
    for (const Product& product : all_products()) about += fmt::format("\n  {:<22}{}", product.name, product.what);
    CLI::App app(about);
    declare(app, o);
    return run_program("tensor_products", app, argc, argv, [&] { run(o); });
}
