// SPDX-License-Identifier: MIT
// 2-D convolutions of [N, C, H, W], and with the gradients of input and weight; names ending in _channels_last are of
// [N, H, W, C].
#include "roofline.hpp"

#include <weft/grad/backward.hpp>
#include <weft/nn/convolution.hpp>

namespace {

using namespace weft;
using weft::index; // there is a function of that name in the C library
using weft_bench::Bytes, weft_bench::Operations, weft_bench::repeat, weft_bench::uniform;

struct Size {
    const char* name;
    index batch, in, out, image, kernel, stride, groups;
};

nn::ConvolutionOptions options(const Size& s, weft::Layout layout) {
    return {.stride = s.stride, .padding = s.kernel / 2, .groups = s.groups, .layout = layout};
}
Extents<4> input(const Size& s, weft::Layout layout) {
    if (layout == weft::Layout::channels_last) return {s.batch, s.image, s.image, s.in};
    return {s.batch, s.in, s.image, s.image};
}
Operations operations(const Size& s, double times) {
    const index out = (s.image - 1) / s.stride + 1;
    return {times * 2 * static_cast<double>(s.batch * out * out * s.out) *
            static_cast<double>(s.in / s.groups * s.kernel * s.kernel)};
}

/// Input, weight and result.
Bytes bytes(const Size& s, double times) {
    const index out = (s.image - 1) / s.stride + 1;
    return {4 * times *
            static_cast<double>(s.batch * (s.in * s.image * s.image + s.out * out * out) +
                                s.out * (s.in / s.groups) * s.kernel * s.kernel)};
}

void value(benchmark::State& state, Size s, weft::Layout layout) {
    const auto x = uniform<4>(input(s, layout), 1), w = uniform<4>({s.out, s.in / s.groups, s.kernel, s.kernel}, 2);
    repeat(state, bytes(s, 1), operations(s, 1),
           [&] { benchmark::DoNotOptimize(nn::conv2d(x, w, options(s, layout)).data()); });
}

void gradient(benchmark::State& state, Size s, weft::Layout layout) {
    const auto x = uniform<4>(input(s, layout), 1), w = uniform<4>({s.out, s.in / s.groups, s.kernel, s.kernel}, 2);
    const auto dy = uniform<4>(nn::conv2d(x, w, options(s, layout)).shape(), 99);
    repeat(state, bytes(s, 3), operations(s, 3), [&] {
        const Var<float, 4> vx{x}, vw{w};
        backward(nn::conv2d(vx, vw, options(s, layout)), dy);
        benchmark::DoNotOptimize(vw.grad().data());
    });
}

void add(const Size& s, const char* suffix, weft::Layout layout) {
    const std::string size = "/" + std::to_string(s.batch) + "x" + std::to_string(s.in) + "x" +
                             std::to_string(s.image) + "x" + std::to_string(s.image) + "x" + std::to_string(s.out);
    const std::string name = std::string(s.name) + suffix;
    benchmark::RegisterBenchmark((name + size).c_str(), value, s, layout)->UseRealTime();
    benchmark::RegisterBenchmark((name + "_backward" + size).c_str(), gradient, s, layout)->UseRealTime();
}

} // namespace

int main(int argc, char** argv) {
    for (const Size& s : {Size{"conv3x3", 32, 64, 64, 56, 3, 1, 1},
                          {"conv3x3_stride2", 32, 64, 128, 56, 3, 2, 1},
                          {"conv1x1", 32, 64, 256, 56, 1, 1, 1},
                          {"depthwise3x3", 32, 64, 64, 56, 3, 1, 64},
                          {"conv3x3", 64, 1, 16, 8, 3, 1, 1},
                          {"conv3x3", 64, 16, 16, 8, 3, 1, 1},
                          {"conv3x3_stride2", 64, 16, 32, 8, 3, 2, 1},
                          {"conv3x3", 64, 32, 32, 4, 3, 1, 1},
                          {"conv1x1", 64, 12, 48, 8, 1, 1, 1},
                          {"depthwise3x3", 64, 48, 48, 8, 3, 1, 48},
                          {"conv1x1", 64, 48, 12, 8, 1, 1, 1},
                          {"depthwise3x3", 64, 80, 80, 4, 3, 1, 80}}) {
        add(s, "", weft::Layout::channels_first);
        add(s, "_channels_last", weft::Layout::channels_last);
    }
    return weft_bench::run(argc, argv);
}
