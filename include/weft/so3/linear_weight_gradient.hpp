// SPDX-License-Identifier: MIT
#pragma once

#include <weft/linalg/product.hpp>
#include <weft/so3/linear_plan.hpp>

namespace weft::inline WEFT_ABI::so3::detail {

/// The gradient of the weights of a linear map that all rows share: of each path the sum over components of products
/// of the rows' copies, transposed, with those of the result's gradient. Each chunk of rows (see row_chunks) has its
/// own sums, which are added in the end in order.
template <class T>
class LinearWeightGradient {
public:
    LinearWeightGradient(const LinearPlan& plan, index rows) : plan_(plan), chunks_(row_chunks(rows).count) {
        for (const LinearPath& p : plan.paths) {
            plane_ = std::max(plane_, p.components * block * width(p));
            size_ += p.weights.inputs * width(p);
        }
        partial_ = Tensor<T, 2>::zeros({chunks_, size_});
        to_ = partial_.mutable_data();
    }

    /// Rows [begin, end), all of a chunk, of x and dy.
    void add(index chunk, index begin, index end, const T* x, const T* dy) {
        const index in = plan_.dim_in(), out = plan_.dim_out();
        weft::detail::Scratch<T> plane(plane_ + 16);
        for (index first = begin; first < end; first += block) {
            const index rows = std::min(block, end - first);
            T* to = to_ + chunk * size_;
            for (const LinearPath& p : plan_.paths) {
                const index filled = width(p), of_component = rows * filled;
                if (filled > p.weights.outputs) std::fill_n(plane.data(), p.components * of_component, T{});
                for (index r = 0; r < rows; ++r)
                    weft::detail::transpose_block(dy + (first + r) * out + p.at_out, p.components, p.weights.outputs,
                                                  p.components, plane.data() + r * filled, of_component);
                for (index m = 0; m < p.components; ++m) {
                    const weft::detail::Panels<T> panels({plane.data() + m * of_component, filled, 1}, filled, rows, 1);
                    for (index panel = 0; panel < panels.count(); ++panel)
                        panels.multiply(nullptr, panel, 0, rows, p.weights.inputs,
                                        {x + first * in + p.at_in + m, p.components, in}, to, weft::detail::Into::add);
                }
                to += p.weights.inputs * filled;
            }
        }
    }

    Tensor<T, 1> sum() {
        auto gradient = Tensor<T, 1>::zeros({plan_.weight_numel});
        if (chunks_ == 0) return gradient;
        for (index chunk = 1; chunk < chunks_; ++chunk)
            weft::detail::combine_run<SumOf>(to_, to_ + chunk * size_, size_);
        const T* from = to_;
        for (const LinearPath& p : plan_.paths) {
            const T scale(static_cast<typename weft::detail::DualScalar<T>::type>(p.coefficient));
            T* const of_path = gradient.mutable_data() + p.weights.first;
            for (index u = 0; u < p.weights.inputs; ++u, from += width(p))
                for (index o = 0; o < p.weights.outputs; ++o) of_path[u * p.weights.outputs + o] = scale * from[o];
        }
        return gradient;
    }

private:
    static constexpr index block = 64; // rows, and the products' inner extent

    /// Outputs, filled up to whole packets.
    static index width(const LinearPath& p) { return (p.weights.outputs + lanes<T> - 1) / lanes<T> * lanes<T>; }

    const LinearPlan& plan_;
    index chunks_, plane_ = 0, size_ = 0;
    Tensor<T, 2> partial_;
    T* to_;
};

} // namespace weft::inline WEFT_ABI::so3::detail
