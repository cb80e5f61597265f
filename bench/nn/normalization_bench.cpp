// SPDX-License-Identifier: MIT
// Normalisations with their activations. `of_copy` is the share of the bandwidth of a copy as large as the input,
// measured next to it: forward counts reading x once for each time that its statistics need (twice over a batch) and
// writing y, the gradient reading x and dy and writing dx, and over a batch x and dy once more.
#include "roofline.hpp"

#include <weft/grad/backward.hpp>
#include <weft/nn/batch_norm.hpp>
#include <weft/nn/evo_norm_b.hpp>
#include <weft/nn/evo_norm_s.hpp>
#include <weft/nn/group_norm.hpp>
#include <weft/nn/rms_norm.hpp>

namespace {

using namespace weft;
using weft::index; // there is a function of that name in the C library
using weft_bench::uniform;

/// The rates of `passes` floats moved and some operations for each of `count`, and the share of what a copy moves.
void set_counters(benchmark::State& state, double seconds, index count, double passes, double operations, double copy) {
    const double bytes = 4 * passes * static_cast<double>(count);
    weft_bench::add_rates(state, {bytes}, {operations * static_cast<double>(count)}, seconds);
    state.counters["of_copy"] = bytes / seconds / copy;
}

template <class F>
double median_seconds(benchmark::State& state, const F& timed) {
    std::vector<double> seconds;
    timed();
    for (auto _ : state) {
        seconds.push_back(timed());
        state.SetIterationTime(seconds.back());
    }
    const auto middle = seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 2);
    std::nth_element(seconds.begin(), middle, seconds.end());
    return *middle;
}
using Clock = std::chrono::steady_clock;
double since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

enum class Part { forward, gradient, both };

/// net(x) of a Tensor (of a Var where it `trains`), its gradient alone, or both. `operations` are those of the value of
/// an element; its gradient takes about twice as many.
template <int N, class Net>
void measure(benchmark::State& state, const Extents<N>& shape, const Net& net, double operations, Part part,
             bool trains) {
    const auto x = uniform<N>(shape, 1), dy = uniform<N>(shape, 2);
    const double copy = weft_bench::copy_bandwidth(x.size());
    const double extra = trains ? 1 : 0;
    const double passes = part == Part::forward ? 2 + extra : part == Part::gradient ? 3 + 2 * extra : 5 + 3 * extra;
    const double seconds = median_seconds(state, [&] {
        const auto begin = Clock::now();
        if (part == Part::forward && !trains) {
            const Tensor<float, N> y = net(x);
            benchmark::DoNotOptimize(y.data());
            return since(begin);
        }
        const Var<float, N> leaf{x};
        const Var<float, N> y = net(leaf);
        if (part == Part::forward) return since(begin);
        const auto middle = part == Part::gradient ? Clock::now() : begin;
        backward(y, dy);
        const double passed = since(middle);
        nn::clear_grad(net);
        return passed;
    });
    const double times = part == Part::forward ? 1 : part == Part::gradient ? 2 : 3;
    set_counters(state, seconds, x.size(), passes, times * operations, copy);
}

template <std::size_t Rank, class Net>
void add(const char* name, const std::array<index, Rank>& shape, const char* shape_name, const Net& net,
         double operations, bool trains = false) {
    const auto one = [&](const char* suffix, Part part) {
        benchmark::RegisterBenchmark((std::string(name) + suffix + "/" + shape_name).c_str(),
                                     [=](benchmark::State& state) {
                                         measure<static_cast<int>(Rank)>(state, shape, net, operations, part, trains);
                                     })
            ->UseManualTime()
            ->Unit(benchmark::kMillisecond);
    };
    one("", Part::forward);
    one("_gradient", Part::gradient);
    one("_backward", Part::both);
}

/// A normalisation and its activation.
template <class Norm, class Activation>
struct Fused {
    Norm norm;
    Activation activation;
    template <class X>
    auto operator()(const X& x) const {
        return norm(x, activation);
    }
    void visit(auto&& v) { v("norm", norm); }
};
template <class Norm, class Activation>
Fused(Norm, Activation) -> Fused<Norm, Activation>;

template <class Op>
void unary(const char* name, double operations) {
    benchmark::RegisterBenchmark((std::string(name) + "/16777216").c_str(),
                                 [operations](benchmark::State& state) {
                                     const auto x = uniform<1>({1 << 24}, 1);
                                     const double copy = weft_bench::copy_bandwidth(x.size());
                                     const double seconds = median_seconds(state, [&] {
                                         const auto begin = Clock::now();
                                         const Tensor<float, 1> y = apply<Op>(x);
                                         benchmark::DoNotOptimize(y.data());
                                         return since(begin);
                                     });
                                     set_counters(state, seconds, x.size(), 2, operations, copy);
                                 })
        ->UseManualTime()
        ->Unit(benchmark::kMillisecond);
}

void register_all() {
    // The sizes of one layer, and eight times as much, which no cache holds.
    const Extents<4> image{32, 64, 56, 56}, large{256, 64, 56, 56}, last{32, 56, 56, 64};
    const auto images = [&](Layout layout, const Extents<4>& shape, const char* name) {
        add("group_norm_silu", shape, name, Fused{nn::GroupNorm<float>(32, 64, {.layout = layout}), nn::SiLU{}}, 10);
        add("evo_norm_s0", shape, name, nn::EvoNormS0<float>(64, {.layout = layout}), 12);
        add("batch_norm_relu", shape, name, Fused{nn::BatchNorm<float>(64, {.layout = layout}), nn::ReLU{}}, 7, true);
        add("evo_norm_b0", shape, name, nn::EvoNormB0<float>(64, {.layout = layout}), 14, true);
    };
    images(Layout::channels_first, image, "32x64x56x56");
    images(Layout::channels_first, large, "256x64x56x56");
    images(Layout::channels_last, last, "32x56x56x64");
    add("layer_norm", Extents<2>{4096, 1024}, "4096x1024", nn::LayerNorm<float>(1024), 8);
    add("rms_norm", Extents<2>{4096, 1024}, "4096x1024", nn::RMSNorm<float>(1024), 4);
    add("layer_norm", Extents<2>{65536, 1024}, "65536x1024", nn::LayerNorm<float>(1024), 8);
    add("rms_norm", Extents<2>{65536, 1024}, "65536x1024", nn::RMSNorm<float>(1024), 4);
    add("layer_norm", Extents<2>{100000, 64}, "100000x64", nn::LayerNorm<float>(64), 8);
    unary<Silu>("silu", 4);
    unary<Gelu>("gelu", 5);
}

} // namespace

int main(int argc, char** argv) {
    register_all();
    return weft_bench::run(argc, argv);
}
