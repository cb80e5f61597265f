// SPDX-License-Identifier: MIT
// Products of functions on the sphere in float: every way to compute them beside the full tensor product, 64,000
// products of degrees L and L to 2 L; and powers of a function beside the symmetric contraction.
#include "roofline.hpp"

#include <weft/grad/backward.hpp>
#include <weft/so3/gaunt_tensor_product.hpp>
#include <weft/so3/named_products.hpp>

namespace {

using namespace weft;
using so3::GauntMethod, so3::GauntTensorProduct;
using weft::index; // there is a function of that name in the C library
using weft_bench::Operations, weft_bench::repeat, weft_bench::uniform;

constexpr index products = 64 * 1000;

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
void time_products(benchmark::State& state, const Product& product, double operations, int l, bool gradient) {
    const auto x = uniform<2>({products, so3::components_up_to(l)}, 1), y = uniform<2>(x.shape(), 2);
    const Tensor<float, 2> z = product(x, y);
    const auto dz = uniform<2>(z.shape(), 99);
    repeat(state, Operations{(gradient ? 3 : 1) * operations * products}, [&] {
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
    time_products(state, product, 2 * terms, l, gradient);
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
                                  lmax, gradient);
                });
    }
}

} // namespace

int main(int argc, char** argv) {
    add_all();
    return weft_bench::run(argc, argv);
}
