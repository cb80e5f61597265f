// SPDX-License-Identifier: MIT
// The control of this folder: with the same flags, programs that differ from the others in what is wrong there compile.
// expect: ok
#include <weft/weft.hpp>

using namespace weft;

Tensor<float, 1> mixed_elements(const Tensor<float, 1>& x, const Tensor<int, 1>& n) { return x * cast<float>(n); }
Tensor<float, 2> expression_of_another_rank(const Tensor<float, 2>& x, const Tensor<float, 1>& y) { return x + y; }
Tensor<float, 2, Shape<dyn, 3>> rank_of_static_shape;
auto axis_out_of_range(const Tensor<float, 2>& x) { return sum<-1>(x); }
auto softmax_axis_out_of_range(const Tensor<float, 2>& x) { return softmax<1>(x); }
Var<double, 1> var_of_another_type(const Var<double, 1>& x, const Tensor<double, 1>& y) { return x * y; }
Tensor<float, 1> too_many_leaves(const Tensor<float, 1>& x) {
    const auto four = x * x + x * x;
    const auto twelve = eval(four * four + four);
    return twelve * twelve;
}
Tensor<float, 2> edge_expression_as_tensor(const Graph& g, const Tensor<float, 2>& x) {
    return sum_in(g, softmax_in(src(x) + dst(x)) * src(x));
}
auto matmul_of_mask(const Tensor<bool, 2>& mask, const Tensor<float, 2>& x) { return matmul(cast<float>(mask), x); }
auto class_loss_of_vector(const Tensor<float, 2>& logits, const Tensor<int, 1>& labels) {
    return nn::cross_entropy(logits, labels);
}
Error message_without_argument() { return error("matmul", "a is {}, b is {}", 1, 2); }
