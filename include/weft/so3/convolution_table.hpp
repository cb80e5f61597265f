// SPDX-License-Identifier: MIT
#pragma once

#include <weft/so3/convolution_kernel.hpp>
#include <weft/so3/convolution_plan.hpp>
#include <weft/so3/radial_table.hpp>

namespace weft::inline WEFT_ABI::so3::detail {

/// Weights of equivariant convolutions that are read from a table: of a block of edges when they are needed, and in
/// backward the gradient of an edge's length is made of those of its weights at once.
template <class T>
class TableWeights {
    using Scalar = typename weft::detail::DualScalar<T>::type;

public:
    TableWeights(const ConvolutionPlan& plan, const RadialTableData<Scalar>& table, const T* lengths,
                 const Tensor<std::int32_t, 1>& kind, T* gradient = nullptr)
        : table_(table), kind_(kind), rows_(filled_rows(plan, table)), width_(plan.filled_weights), lengths_(lengths),
          gradient_(gradient) {}

    class Block {
    public:
        Block(const TableWeights& all, index) : all_(all), memory_(2 * edge_block * all.width_ + 64) {
            weights_ = memory_.take(edge_block * all.width_);
            gradient_ = memory_.take(edge_block * all.width_);
        }
        void load(const std::int32_t* eid, index n, const T** rows) {
            eid_ = eid;
            for (index e = 0; e < n; ++e) {
                point_[e] = all_.table_.point(all_.lengths_[eid[e]], all_.table_.kind_of_length(all_.kind_, eid[e]));
                T* const to = weights_ + e * all_.width_;
                interpolate(all_.row(point_[e]), all_.width_, point_[e].value, to);
                rows[e] = to;
            }
        }
        const T* ahead(index) const { return weights_; }
        T* gradient(index e) { return gradient_ + e * all_.width_; }
        void finish(index e) {
            if (all_.gradient_)
                all_.gradient_[eid_[e]] = contract_rows(all_.row(point_[e]), all_.width_, point_[e].slope, gradient(e));
        }
        void finish_block(index) {}

    private:
        const TableWeights& all_;
        weft::detail::Scratch<T> memory_;
        T *weights_, *gradient_;
        SplinePoint<T> point_[edge_block];
        const std::int32_t* eid_ = nullptr;
    };

private:
    const Scalar* row(const SplinePoint<T>& p) const { return rows_.data() + p.row * width_; }

    /// The rows of the table with the copies of each path filled up to whole packets; made once for each list of paths.
    static Tensor<Scalar, 2> filled_rows(const ConvolutionPlan& plan, const RadialTableData<Scalar>& table) {
        if (plan.filled_weights == plan.weight_numel) return table.rows;
        weft::detail::PoolVector<index> copies;
        for (const ConvolutionPath& path : plan.paths) copies.push_back(path.mul);
        return table.derived.get(copies, [&] {
            auto filled = Tensor<Scalar, 2>::zeros({table.rows.extent(0), plan.filled_weights});
            Scalar* const to = filled.mutable_data();
            for (index k = 0; k < table.rows.extent(0); ++k)
                for (const ConvolutionPath& path : plan.paths)
                    std::copy_n(table.rows.data() + k * plan.weight_numel + path.weight, path.mul,
                                to + k * plan.filled_weights + path.filled_weight);
            return filled;
        });
    }

    const RadialTableData<Scalar>& table_;
    const Tensor<std::int32_t, 1>& kind_;
    Tensor<Scalar, 2> rows_;
    index width_;
    const T* lengths_;
    T* gradient_;
};

} // namespace weft::inline WEFT_ABI::so3::detail
