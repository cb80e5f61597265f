// SPDX-License-Identifier: MIT
// Products of functions on the sphere in float: every way to compute them beside the full tensor product, 64,000
// products of degrees L and L to 2 L; convolutions with the filters in the frames of their edges beside those with
// whole filters; and powers of a function beside the symmetric contraction.
#include "roofline.hpp"

#include <weft/grad/backward.hpp>
#include <weft/graph/edge_reduce.hpp>
#include <weft/so3/gaunt_convolution.hpp>
#include <weft/so3/gaunt_many_body.hpp>
#include <weft/so3/gaunt_tensor_product.hpp>
#include <weft/so3/named_products.hpp>
#include <weft/so3/spherical_harmonics.hpp>
#include <weft/so3/symmetric_contraction.hpp>

namespace {

using namespace weft;
using so3::GauntMethod, so3::GauntTensorProduct;
using weft::index; // there is a function of that name in the C library
using weft_bench::Bytes, weft_bench::Operations, weft_bench::repeat, weft_bench::uniform;

constexpr index many = 64 * 1000; // channels and rows

/// Multiplications and additions of a product, about.
double operations(GauntMethod method, int l) {
    using namespace so3::detail;
    switch (method) {
    case GauntMethod::list:
        return 2 * GauntList::cost(l, l, 2 * l);
    case GauntMethod::circles:
        return 2 * GauntCircles::cost(l, l, 2 * l);
    case GauntMethod::grid:
        return 2 * GauntGrid::cost(l, l, 2 * l);
    default:
        return 2 * GauntFourier::cost(l, l, 2 * l);
    }
}

/// With the time of one product as a counter.
template <class Product>
void time_products(benchmark::State& state, const Product& product, double operations, index products, int l,
                   bool gradient) {
    const auto x = uniform<2>({products, so3::components_up_to(l)}, 1), y = uniform<2>(x.shape(), 2);
    const Tensor<float, 2> z = product(x, y);
    const auto dz = uniform<2>(z.shape(), 99);
    const Bytes bytes{(gradient ? 12 : 4) * static_cast<double>(x.size() + y.size() + z.size())};
    repeat(state, bytes, Operations{(gradient ? 3 : 1) * operations * static_cast<double>(products)}, [&] {
        if (!gradient) {
            const Tensor<float, 2> result = product(x, y);
            benchmark::DoNotOptimize(result.data());
            return;
        }
        const Var<float, 2> vx{x}, vy{y};
        backward(product(vx, vy), dz);
        benchmark::DoNotOptimize(vy.grad().data());
    });
    state.counters["per_product"] = benchmark::Counter(
        static_cast<double>(products), benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

void full_tensor_product(benchmark::State& state, int l, bool gradient) {
    const auto in = so3::Irreps::spherical_harmonics(l);
    const so3::FullTensorProduct product(in, in);
    double terms = 0;
    for (const so3::Instruction& i : product.instructions())
        terms += static_cast<double>(so3::detail::couplings(product.irreps_in1()[i.in1].ir.l,
                                                            product.irreps_in2()[i.in2].ir.l,
                                                            product.irreps_out()[i.out].ir.l)
                                         ->size());
    time_products(state, product, 2 * terms, many, l, gradient);
}

/// 64 channels of degrees up to l, filters and results too, 2,000 edges, 20 to each node. `aligned`: in the frames of
/// the edges, else by the harmonics of the edges and a product of all messages.
void convolution(benchmark::State& state, bool aligned, int l, bool gradient) {
    constexpr index channels = 64, edges = 2000, nodes = edges / 20;
    std::vector<std::pair<index, index>> ends;
    for (index e = 0; e < edges; ++e) ends.push_back({(e / 20 + nodes + e % 20 - 10) % nodes, e / 20});
    const Graph graph = Graph::from_edges(ends, nodes, nodes);
    const auto x = uniform<3>({nodes, channels, so3::components_up_to(l)}, 1), dy = uniform<3>(x.shape(), 99);
    const auto r = uniform<2>({edges, 3}, 2);
    const auto h = uniform<3>({edges, channels, l + 1}, 3);
    const so3::GauntConvolution in_frames(l, l, l);
    const GauntTensorProduct product(l, l, l);
    const auto convolve = [&](const auto& f, const auto& vectors, const auto& filters) {
        if (aligned) return in_frames(graph, f, vectors, filters);
        const auto y =
            so3::spherical_harmonics(so3::degrees_up_to(l), vectors, {.normalization = so3::Normalization::norm});
        const auto messages = product(gather(f, graph.sources()), eval(so3::degree_weights(filters) * unsqueeze(y, 1)));
        return eval(sum_in(graph, edge(messages)));
    };
    // The turns there and back, and the sums on all pairs of circles.
    double multiplications = (3 * l / 2 + 2) / 2 * 2.0 * static_cast<double>(so3::components_up_to(l));
    for (int d = 0; d <= l; ++d) multiplications += 2.0 * (2 * d + 1) * (2 * d + 1);
    // For each edge its filters, its vector and the row it brings; the results.
    const double numbers = static_cast<double>(h.size() + r.size() + edges * x.size() / nodes + dy.size());
    const double times = gradient ? 3 : 1;
    repeat(state, Bytes{4 * times * numbers}, Operations{times * 2 * multiplications * channels * edges}, [&] {
        if (!gradient) {
            const Tensor<float, 3> y = convolve(x, r, h);
            benchmark::DoNotOptimize(y.data());
            return;
        }
        const Var<float, 3> vx{x}, vh{h};
        const Var<float, 2> vr{r};
        backward(convolve(vx, vr, vh), dy);
        benchmark::DoNotOptimize(vr.grad().data());
    });
}

constexpr index body_channels = 128, bodies = 200;

Tensor<index, 1> three_elements() {
    auto element = Tensor<index, 1>::empty({bodies});
    for (index i = 0; i < bodies; ++i) element.mutable_data()[i] = i % 3;
    return element;
}
/// Layers from features [bodies, channels, components] of degrees up to l.
template <class Layer>
void time_bodies(benchmark::State& state, const Layer& layer, double operations, int l, bool gradient) {
    const auto x = uniform<3>({bodies, body_channels, so3::components_up_to(l)}, 1);
    const auto element = three_elements();
    const auto y = eval(layer(x, element));
    const auto dy = uniform<decltype(y)::rank>(y.shape(), 99);
    const Bytes bytes{(gradient ? 12 : 4) * static_cast<double>(x.size() + y.size())};
    repeat(state, bytes, Operations{(gradient ? 4 : 1) * operations * bodies}, [&] {
        if (!gradient) {
            const auto result = eval(layer(x, element));
            benchmark::DoNotOptimize(result.data());
            return;
        }
        const Var<float, 3> vx{x};
        backward(layer(vx, element), dy);
        benchmark::DoNotOptimize(vx.grad().data());
    });
}
void many_body(benchmark::State& state, int l, int out, bool gradient) {
    const so3::GauntManyBody<float> layer(body_channels, l, out, {.correlation = 3, .num_elements = 3});
    time_bodies(state, layer, 2 * body_channels * so3::detail::GauntPowers(l, 3, out).cost(), l, gradient);
}
void symmetric_contraction(benchmark::State& state, int l, int out, bool gradient) {
    const auto copies = [](int lmax) {
        std::vector<so3::MulIrrep> terms;
        for (int d = 0; d <= lmax; ++d) terms.push_back({body_channels, {d, d % 2 == 0 ? 1 : -1}});
        return so3::Irreps(terms);
    };
    const so3::SymmetricContraction<float> layer(copies(l), copies(out), {.correlation = 3, .num_elements = 3});
    time_bodies(state, layer, 2 * static_cast<double>(layer.multiplications()), l, gradient);
}

void add_all() {
    const auto add = [](const std::string& name, int l, auto run) {
        for (const bool gradient : {false, true})
            benchmark::RegisterBenchmark((name + (gradient ? "_backward/l" : "/l") + std::to_string(l)).c_str(),
                                         [=](benchmark::State& s) { run(s, l, gradient); })
                ->Unit(benchmark::kMicrosecond)
                ->UseRealTime();
    };
    struct Way {
        const char* name;
        GauntMethod method;
        int largest; // L beyond which it takes too long
    };
    for (int l = 1; l <= 12; ++l) {
        if (l <= 6) add("full_tensor_product", l, full_tensor_product);
        for (const Way& way : {Way{"gaunt_list", GauntMethod::list, 6}, Way{"gaunt_circles", GauntMethod::circles, 12},
                               Way{"gaunt_grid", GauntMethod::grid, 12}, Way{"gaunt_fourier", GauntMethod::fourier, 8}})
            if (l <= way.largest)
                add(way.name, l, [method = way.method](benchmark::State& state, int lmax, bool gradient) {
                    time_products(state, GauntTensorProduct(lmax, lmax, 2 * lmax, method), operations(method, lmax),
                                  many, lmax, gradient);
                });
    }
    for (const int l : {1, 2, 3, 4, 6, 8}) // as bench/peers has it
        for (const bool gradient : {false, true})
            benchmark::RegisterBenchmark(
                fmt::format("gaunt_product{}/l{}_n10000", gradient ? "_backward" : "", l).c_str(),
                [=](benchmark::State& state) {
                    const GauntTensorProduct product(l, l, 2 * l);
                    time_products(state, product, operations(product.method(), l), 10000, l, gradient);
                })
                ->Unit(benchmark::kMicrosecond)
                ->UseRealTime();
    for (const int l : {1, 2, 3, 4, 6, 8}) {
        add("gaunt_convolution", l, [](benchmark::State& s, int lmax, bool g) { convolution(s, true, lmax, g); });
        add("gaunt_whole_filters", l, [](benchmark::State& s, int lmax, bool g) { convolution(s, false, lmax, g); });
    }
    // To scalars and vectors, and to all degrees.
    for (int l = 1; l <= 5; ++l)
        for (const int out : l == 1 ? std::vector{1} : std::vector{1, l}) {
            const std::string to = "_to" + std::to_string(out);
            add("gaunt_many_body" + to, l,
                [out](benchmark::State& state, int lmax, bool g) { many_body(state, lmax, out, g); });
            add("gaunt_contraction" + to, l,
                [out](benchmark::State& state, int lmax, bool g) { symmetric_contraction(state, lmax, out, g); });
        }
}

} // namespace

int main(int argc, char** argv) {
    add_all();
    return weft_bench::run(argc, argv);
}
