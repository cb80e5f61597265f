// SPDX-License-Identifier: MIT
#include "kernel_values.hpp"

#include <weft/attention.hpp>
#include <weft/core.hpp>
#include <weft/grad.hpp>
#include <weft/linalg.hpp>
#include <weft/nn/convolution.hpp>

using namespace weft;

namespace {

template <class T>
void add_matrix_products(KernelValues& values) {
    for (const auto& [m, k, n] : {Extents<3>{1, 1, 1}, {7, 5, 3}, {17, 33, 9}, {65, 70, 129}, {3, 200, 31}}) {
        const Var<T, 2> a{numbers<T, 2>({m, k}, 1)}, b{numbers<T, 2>({k, n}, 2)};
        values.add_with_gradients("matmul_" + std::to_string(m), Var<T, 2>(matmul(a, b)), a, b);
    }
    values.add("matmul_batched", Tensor<T, 3>(matmul(numbers<T, 3>({4, 5, 6}, 3), numbers<T, 3>({4, 6, 7}, 4))));
    values.add("matmul_transposed",
               Tensor<T, 2>(matmul(transpose(numbers<T, 2>({19, 23}, 5)), numbers<T, 2>({19, 11}, 6))));
    values.add("matrix_vector", Tensor<T, 1>(matmul(numbers<T, 2>({29, 37}, 7), numbers<T, 1>({37}, 8))));
    values.add("dual_matmul",
               Tensor<Dual<T>, 2>(matmul(dual_numbers<T, 2>({9, 21}, 9), dual_numbers<T, 2>({21, 13}, 10))));

    const Var<T, 2> x{numbers<T, 2>({100, 7}, 11)};
    const Var<T, 3> w{numbers<T, 3>({4, 7, 19}, 12)};
    values.add_with_gradients("segment_matmul", Var<T, 2>(segment_matmul(x, {0, 3, 3, 40, 100}, w)), x, w);

    const auto a = numbers<T, 2>({12, 12}, 13);
    const Tensor<T, 2> positive = eval(matmul(a, transpose(a)));
    values.add("eigenvalues", eigh(positive).values);
}

template <class T>
void add_convolutions(KernelValues& values) {
    const auto add = [&](const std::string& name, const Extents<4>& image, const Extents<4>& kernel,
                         const nn::ConvolutionOptions& options) {
        const Var<T, 4> x{numbers<T, 4>(image, 20)}, w{numbers<T, 4>(kernel, 21)};
        values.add_with_gradients(name, Var<T, 4>(nn::conv2d(x, w, options)), x, w);
    };
    add("conv2d", {2, 5, 11, 13}, {7, 5, 3, 3}, {.stride = 2, .padding = 1});
    add("conv2d_channels_last", {2, 11, 13, 6}, {9, 6, 3, 3}, {.padding = 1, .layout = Layout::channels_last});
    add("conv2d_depthwise", {2, 10, 9, 9}, {10, 1, 3, 3}, {.padding = 1, .groups = 10});
}

template <class T>
void add_attention(KernelValues& values) {
    const Extents<4> queries{2, 4, 37, 24}, keys{2, 2, 53, 24};
    const auto q = numbers<T, 4>(queries, 30), k = numbers<T, 4>(keys, 31), v = numbers<T, 4>(keys, 32);
    const auto add = [&](const std::string& name, const AttentionOptions& options) {
        const Var<T, 4> vq{q}, vk{k}, vv{v};
        values.add_with_gradients(name, Var<T, 4>(attention(vq, vk, vv, options)), vq, vk, vv);
    };
    add("attention_causal", {.causal = Causal::bottom_right, .tile_rows = 16, .tile_keys = 16});
    add("attention_window",
        {.softcap = 3.0, .window = {20, 5}, .key_lengths = Tensor<std::int64_t, 1>::from({53, 40})});
    values.add("attention_lse", attention_with_lse(q, k, v).lse);
}

} // namespace

void add_product_values(KernelValues& values) {
    add_matrix_products<float>(values);
    add_matrix_products<double>(values);
    add_convolutions<float>(values);
    add_convolutions<double>(values);
    add_attention<float>(values);
    add_attention<double>(values);
}
