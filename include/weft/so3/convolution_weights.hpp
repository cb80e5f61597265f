// SPDX-License-Identifier: MIT
#pragma once

#include <weft/linalg/product.hpp>
#include <weft/so3/convolution_kernel.hpp>
#include <weft/so3/convolution_plan.hpp>
#include <weft/so3/edge_rows.hpp>

#include <optional>

/// The weights of equivariant convolutions: for a block of edges they give each edge's row, with the copies filled up
/// to whole packets, and take the gradients.
namespace weft::inline WEFT_ABI::so3::detail {

/// Weights that lie in memory, a row for each edge, and where their gradients go.
template <class T>
class StoredWeights {
public:
    StoredWeights(const ConvolutionPlan& plan, const T* weights, T* gradient = nullptr)
        : plan_(plan), weights_(weights), gradient_(gradient), filled_(plan.filled_weights != plan.weight_numel) {}

    /// What one thread has of them: the weights of a block of edges, and the gradients.
    class Block {
    public:
        Block(const StoredWeights& all, index)
            : all_(all), memory_(all.filled_ ? (edge_block + edge_group) * all.plan_.filled_weights : 1) {}

        /// Rows with the copies filled up to whole packets.
        void load(const std::int32_t* eid, index n, const T** rows) {
            eid_ = eid;
            const ConvolutionPlan& plan = all_.plan_;
            for (index e = 0; e < n; ++e) {
                rows[e] = all_.weights_ + eid[e] * plan.weight_numel;
                if (!all_.filled_) continue;
                T* const to = memory_.data() + e * plan.filled_weights;
                std::fill_n(to, plan.filled_weights, T{});
                for (const ConvolutionPath& path : plan.paths)
                    std::copy_n(rows[e] + path.weight, path.mul, to + path.filled_weight);
                rows[e] = to;
            }
        }
        /// What is likely to be read after this block of n edges, as long as its weights.
        const T* ahead(index n) {
            const bool in_order = eid_[n - 1] - eid_[0] == n - 1;
            return in_order && !all_.filled_ ? all_.weights_ + (eid_[0] + n) * all_.plan_.weight_numel : memory_.data();
        }
        /// Where the gradients of the weights of edge e of the block are to be put until it is finished, with at most
        /// one other edge, e + 1 of an even e, in the meantime.
        T* gradient(index e) {
            return all_.filled_ ? memory_.data() + (edge_block + e % edge_group) * all_.plan_.filled_weights
                                : all_.gradient_ + eid_[e] * all_.plan_.weight_numel;
        }
        void finish(index e) {
            if (!all_.filled_) return;
            T* const to = all_.gradient_ + eid_[e] * all_.plan_.weight_numel;
            for (const ConvolutionPath& path : all_.plan_.paths)
                std::copy_n(gradient(e) + path.filled_weight, path.mul, to + path.weight);
        }
        void finish_block(index) {}

    private:
        const StoredWeights& all_;
        weft::detail::Scratch<T> memory_;
        const std::int32_t* eid_ = nullptr;
    };

private:
    const ConvolutionPlan& plan_;
    const T* weights_;
    T* gradient_;
    bool filled_;
};

/// Weights that are a product hidden [rows, H] matrix [H, numel]: made for a block of edges when they are needed, as
/// are their gradients, so that they never leave the cache.
template <class T>
class RadialWeights {
    using Panels = weft::detail::Panels<T>;
    using Strided = weft::detail::Strided<const T>;

public:
    /// `chunks`: of rows, each with a sum of its own for the gradient of the matrix; 0: it is not wanted.
    RadialWeights(const ConvolutionPlan& plan, const Tensor<T, 2>& hidden, const EdgeRows& rows,
                  const Tensor<T, 2>& matrix, T* hidden_gradient = nullptr, index chunks = 0)
        : plan_(plan), rows_(rows), hidden_(hidden.data()), width_(hidden.extent(1)),
          filled_(width_ * plan.filled_weights),
          panels_(strided(filled_.data()), plan.filled_weights, width_, edge_block * 64), packed_(packed_size(panels_)),
          hidden_gradient_(hidden_gradient) {
        fill(matrix.data(), filled_.data());
        pack(panels_, width_, packed_.data());
        if (!hidden_gradient) return;
        turned_.emplace(Strided{filled_.data(), 1, plan.filled_weights}, width_, plan.filled_weights, edge_block * 64);
        packed_turned_.emplace(packed_size(*turned_));
        pack(*turned_, plan.filled_weights, packed_turned_->data());
        if (chunks > 0) partial_.emplace(chunks * width_ * plan.filled_weights);
        chunks_ = chunks;
    }
    /// The gradient of the matrix, what the chunks have added up.
    Tensor<T, 2> matrix_gradient() {
        const index size = width_ * plan_.filled_weights;
        if (chunks_ == 0) std::fill_n(filled_.data(), size, T{});
        for (index chunk = 1; chunk < chunks_; ++chunk)
            weft::detail::combine_run<SumOf>(partial_->data(), partial_->data() + chunk * size, size);
        const T* const from = chunks_ == 0 ? filled_.data() : partial_->data();
        auto gradient = Tensor<T, 2>::empty({width_, plan_.weight_numel});
        T* const to = gradient.mutable_data();
        for (index h = 0; h < width_; ++h)
            for (const ConvolutionPath& path : plan_.paths)
                std::copy_n(from + h * plan_.filled_weights + path.filled_weight, path.mul,
                            to + h * plan_.weight_numel + path.weight);
        return gradient;
    }

    class Block {
    public:
        Block(RadialWeights& all, index chunk)
            : all_(all), memory_(edge_block * (2 * all.width_ + 2 * all.plan_.filled_weights) + 64) {
            hidden_ = memory_.take(edge_block * all.width_);
            weights_ = memory_.take(edge_block * all.plan_.filled_weights);
            if (!all.hidden_gradient_) return;
            hidden_gradient_ = memory_.take(edge_block * all.width_);
            gradient_ = memory_.take(edge_block * all.plan_.filled_weights);
            if (!all.partial_) return;
            sum_ = all.partial_->data() + chunk * all.width_ * all.plan_.filled_weights;
            std::fill_n(sum_, all.width_ * all.plan_.filled_weights, T{});
        }
        void load(const std::int32_t* eid, index n, const T** rows) {
            eid_ = eid;
            const index width = all_.width_, filled = all_.plan_.filled_weights;
            for (index e = 0; e < n; ++e) {
                std::copy_n(all_.hidden_ + all_.rows_(eid[e]) * width, width, hidden_ + e * width);
                rows[e] = weights_ + e * filled;
            }
            multiply(all_.panels_, all_.packed_.data(), n, width, {hidden_, width, 1}, weights_);
        }
        const T* ahead(index) const { return weights_; }
        T* gradient(index e) { return gradient_ + e * all_.plan_.filled_weights; }
        void finish(index) {}
        void finish_block(index n) {
            const index width = all_.width_, filled = all_.plan_.filled_weights;
            multiply(*all_.turned_, all_.packed_turned_->data(), n, filled, {gradient_, filled, 1}, hidden_gradient_);
            for (index e = 0; e < n; ++e)
                std::copy_n(hidden_gradient_ + e * width, width, all_.hidden_gradient_ + eid_[e] * width);
            if (!sum_) return;
            const Panels rows({gradient_, filled, 1}, filled, n, 1);
            for (index panel = 0; panel < rows.count(); ++panel)
                rows.multiply(nullptr, panel, 0, n, width, {hidden_, 1, width}, sum_, weft::detail::Into::add);
        }

    private:
        static void multiply(const Panels& panels, const T* packed, index m, index k, const Strided& a, T* c) {
            for (index panel = 0; panel < panels.count(); ++panel)
                for (index k0 = 0; k0 < k; k0 += depth)
                    panels.multiply(packed, panel, k0, std::min(depth, k - k0), m, {a.data + k0, a.rows, 1}, c,
                                    k0 == 0 ? weft::detail::Into::replace : weft::detail::Into::add);
        }

        RadialWeights& all_;
        weft::detail::Scratch<T> memory_;
        T *hidden_, *weights_, *hidden_gradient_ = nullptr, *gradient_ = nullptr, *sum_ = nullptr;
        const std::int32_t* eid_ = nullptr;
    };

private:
    static constexpr index depth = weft::detail::ProductTile<T>::depth;

    Strided strided(const T* data) const { return {data, plan_.filled_weights, 1}; }
    static index packed_size(const Panels& panels) { return panels.packed_size() + 64; }
    static void pack(const Panels& panels, index k, T* packed) {
        for (index panel = panels.first_packed(); panel < panels.count(); ++panel)
            for (index k0 = 0; k0 < k; k0 += depth) panels.pack(packed, panel, k0, std::min(depth, k - k0));
    }
    void fill(const T* matrix, T* to) const {
        std::fill_n(to, width_ * plan_.filled_weights, T{});
        for (index h = 0; h < width_; ++h)
            for (const ConvolutionPath& path : plan_.paths)
                std::copy_n(matrix + h * plan_.weight_numel + path.weight, path.mul,
                            to + h * plan_.filled_weights + path.filled_weight);
    }

    const ConvolutionPlan& plan_;
    const EdgeRows& rows_;
    const T* hidden_;
    index width_;
    weft::detail::Scratch<T> filled_;
    Panels panels_;
    weft::detail::Scratch<T> packed_;
    T* hidden_gradient_;
    std::optional<Panels> turned_;
    std::optional<weft::detail::Scratch<T>> packed_turned_, partial_;
    index chunks_ = 0;
};

} // namespace weft::inline WEFT_ABI::so3::detail
