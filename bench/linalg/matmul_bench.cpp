// SPDX-License-Identifier: MIT
// [M, K] x [K, N] and the gradients of both operands; the twin called _eigen calls Eigen with the same threads.
#include "roofline.hpp"

#include <weft/grad/backward.hpp>
#include <weft/linalg/eigen_core.hpp>
#include <weft/linalg/matmul.hpp>

namespace {

using namespace weft;
using weft::index; // there is a function of that name in the C library
using weft_bench::Bytes, weft_bench::Operations, weft_bench::uniform;

using Size = std::array<index, 3>;

/// Of some products of this size.
template <class F>
void repeat(benchmark::State& state, const Size& s, double products, const F& f) {
    const auto m = static_cast<double>(s[0]), k = static_cast<double>(s[1]), n = static_cast<double>(s[2]);
    if (m == k && k == n) weft_bench::add_size(state, "multiply-adds", products * m * k * n, "square");
    weft_bench::repeat(state, Bytes{4 * products * (m * k + k * n + m * n)}, Operations{2 * products * m * k * n}, f);
}

void value(benchmark::State& state, Size s) {
    const auto a = uniform<2>({s[0], s[1]}, 1), b = uniform<2>({s[1], s[2]}, 2);
    repeat(state, s, 1, [&] { benchmark::DoNotOptimize(matmul(a, b).data()); });
}

void gradient(benchmark::State& state, Size s) {
    const auto a = uniform<2>({s[0], s[1]}, 1), b = uniform<2>({s[1], s[2]}, 2), dy = uniform<2>({s[0], s[2]}, 99);
    repeat(state, s, 3, [&] {
        const Var<float, 2> va{a}, vb{b};
        backward(matmul(va, vb), dy);
        benchmark::DoNotOptimize(vb.grad().data());
    });
}

void eigen(benchmark::State& state, Size s) {
    using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    const auto a = uniform<2>({s[0], s[1]}, 1), b = uniform<2>({s[1], s[2]}, 2);
    const Eigen::Map<const Matrix> ma(a.data(), s[0], s[1]), mb(b.data(), s[1], s[2]);
    Eigen::setNbThreads(thread_count());
    Matrix c(s[0], s[2]);
    repeat(state, s, 1, [&] {
        c.noalias() = ma * mb;
        benchmark::DoNotOptimize(c.data());
    });
}

void add(const char* name, void (*f)(benchmark::State&, Size), const Size& s) {
    const std::string full =
        std::string(name) + "/" + std::to_string(s[0]) + "x" + std::to_string(s[1]) + "x" + std::to_string(s[2]);
    benchmark::RegisterBenchmark(full.c_str(), f, s)->UseRealTime();
}

} // namespace

int main(int argc, char** argv) {
    for (const Size& s : {Size{8, 8, 8},
                          {16, 16, 16},
                          {32, 32, 32},
                          {64, 64, 64},
                          {128, 128, 128},
                          {256, 256, 256},
                          {512, 512, 512},
                          {1024, 1024, 1024},
                          {2048, 2048, 2048},
                          {20000, 64, 64},
                          {2708, 1433, 16}}) {
        add("matmul", &value, s);
        add("matmul_eigen", &eigen, s);
        add("matmul_backward", &gradient, s);
    }
    return weft_bench::run(argc, argv);
}
