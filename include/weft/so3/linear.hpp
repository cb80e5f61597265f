// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/views.hpp>
#include <weft/nn/init.hpp>
#include <weft/nn/module.hpp>
#include <weft/so3/instruction.hpp>
#include <weft/so3/linear_weight_gradient.hpp>

#include <memory>

namespace weft::inline WEFT_ABI::so3 {

namespace detail {

/// x [N, f_in dim], weights [numel] or [N, numel], and biases [number] or none, to [N, f_out dim].
struct LinearOperation {
    static constexpr auto name = "linear";
    std::shared_ptr<const LinearPlan> plan;

    template <class T, int WeightRank, class... Bias>
    Tensor<T, 2> forward(const Tensor<T, 2>& x, const Tensor<T, WeightRank>& w, const Bias&... bias) const {
        const index n = x.extent(0), in = plan->dim_in(), out = plan->dim_out();
        auto y = Tensor<T, 2>::empty({n, out});
        T* const to = y.mutable_data();
        const LayerWeights<T, Tensor<T, WeightRank>> weights(w);
        for_each_row_chunk(n, plan->cost, [&](index, index begin, index end) {
            weft::detail::Scratch<T> memory((in + out + plan->weight_numel) * lanes<T> + 64);
            T* const from_lanes = memory.take(in * lanes<T>);
            T* const to_lanes = memory.take(out * lanes<T>);
            T* const w_lanes = memory.take(plan->weight_numel * lanes<T>);
            for (index row = begin; row < end; row += lanes<T>) {
                const index count = std::min(lanes<T>, end - row);
                rows_to_lanes(x.data() + row * in, in, count, from_lanes);
                std::fill_n(to_lanes, out * lanes<T>, T{});
                (add_bias(bias, to_lanes), ...);
                const auto of_block = weights.of(row, count, w_lanes);
                for (const LinearPath& p : plan->paths)
                    mix(of_block, p.weights, p.components, p.coefficient, from_lanes + p.at_in * lanes<T>,
                        to_lanes + p.at_out * lanes<T>);
                lanes_to_rows(to_lanes, out, count, to + row * out);
            }
        });
        return y;
    }

    template <class T, class Sink, int WeightRank, class... Bias>
    void backward(const Tensor<T, 2>& dy, const Tensor<T, 2>&, Sink& sink, const Tensor<T, 2>& x,
                  const Tensor<T, WeightRank>& w, const Bias&...) const {
        using Weights = LayerWeights<T, Tensor<T, WeightRank>>;
        constexpr bool biased = sizeof...(Bias) > 0;
        const index n = x.extent(0), in = plan->dim_in(), out = plan->dim_out(), numel = plan->weight_numel;
        const bool wants_x = sink.template wants<0>(), wants_w = sink.template wants<1>();
        auto dx = Tensor<T, 2>::empty({wants_x ? n : 0, in});
        T* const to_x = dx.mutable_data();
        const index biases = biased ? static_cast<index>(plan->biases.size()) : 0;
        Weights weights(w);
        if (wants_x) weights.turn(plan->paths);
        auto dw = Tensor<T, 2>::empty({wants_w && !Weights::shared ? n : 0, numel});
        T* const to_w = dw.mutable_data();
        LinearWeightGradient<T> shared(*plan, wants_w && Weights::shared ? n : 0);
        WeightSums<T> bias_sums(n, biases);
        for_each_row_chunk(n, 2 * plan->cost, [&](index chunk, index begin, index end) {
            weft::detail::Scratch<T> memory((2 * in + out + 2 * numel + biases) * lanes<T> + 128);
            T* const x_lanes = memory.take(in * lanes<T>);
            T* const dx_lanes = memory.take(in * lanes<T>);
            T* const dy_lanes = memory.take(out * lanes<T>);
            T* const w_lanes = memory.take(numel * lanes<T>);
            T* const dw_lanes = memory.take(numel * lanes<T>);
            T* const db_lanes = memory.take(biases * lanes<T>);
            std::fill_n(db_lanes, biases * lanes<T>, T{});
            if (wants_w && Weights::shared) shared.add(chunk, begin, end, x.data(), dy.data());
            for (index row = begin; row < end; row += lanes<T>) {
                const index count = std::min(lanes<T>, end - row);
                rows_to_lanes(dy.data() + row * out, out, count, dy_lanes);
                if (wants_x) {
                    std::fill_n(dx_lanes, in * lanes<T>, T{});
                    const auto of_block = weights.of(row, count, w_lanes);
                    for (const LinearPath& p : plan->paths)
                        mix_turned(of_block, p.weights, p.components, p.coefficient, dy_lanes + p.at_out * lanes<T>,
                                   dx_lanes + p.at_in * lanes<T>);
                    lanes_to_rows(dx_lanes, in, count, to_x + row * in);
                }
                if (wants_w && !Weights::shared) {
                    rows_to_lanes(x.data() + row * in, in, count, x_lanes);
                    std::fill_n(dw_lanes, numel * lanes<T>, T{});
                    for (const LinearPath& p : plan->paths)
                        WeightGradient<T>{
                            p.weights.inputs,
                            p.weights.outputs,
                            p.components,
                            x_lanes + p.at_in * lanes<T>,
                            dy_lanes + p.at_out * lanes<T>,
                            dw_lanes + p.weights.first * lanes<T>,
                            splat(T(static_cast<typename weft::detail::DualScalar<T>::type>(p.coefficient)))}
                            .run();
                    lanes_to_rows(dw_lanes, numel, count, to_w + row * numel);
                }
                for (index b = 0; b < biases; ++b) {
                    T* const sum = db_lanes + b * lanes<T>;
                    const index at = plan->biases[static_cast<std::size_t>(b)];
                    store_packet(sum, load_packet(sum) + load_packet(dy_lanes + at * lanes<T>));
                }
            }
            bias_sums.put(chunk, db_lanes);
        });
        if (wants_x) sink.template add<0>(dx);
        if (wants_w) {
            if constexpr (Weights::shared)
                sink.template add<1>(shared.sum());
            else
                sink.template add<1>(dw);
        }
        if constexpr (biased)
            if (sink.template wants<2>()) sink.template add<2>(bias_sums.sum());
    }

private:
    template <class T>
    void add_bias(const Tensor<T, 1>& bias, T* to) const {
        for (std::size_t b = 0; b < plan->biases.size(); ++b)
            store_packet(to + plan->biases[b] * lanes<T>, splat(bias.data()[b]));
    }
};

} // namespace detail

/// Options of `Linear`.
struct LinearOptions {
    bool bias = false; ///< on the scalars (0e) of the result
    /// The pairs (term in, term out) that are connected; empty: all of the same irrep.
    std::vector<std::pair<index, index>> instructions = {};
    PathNormalization path_normalization = PathNormalization::element;
    index f_in = 1, f_out = 1;    ///< channels besides the irreps: x is [N, f_in, dim] where they are not 1
    bool internal_weights = true; ///< whether it has weights of its own; else they are passed with x
    Generator* generator = nullptr;
};

/// The equivariant linear map: copies of the same irrep are mixed with weights [mul_in, mul_out], scaled so that the
/// variance stays; as e3nn.o3.Linear, with its order of weights (by term in, then out; of f_in x f_out matrices the
/// channels first). Features in the layout mul_ir. Parameters `weight` (normal), `bias` (zeros; none without).
template <class T>
struct Linear {
    Parameter<T, 1> weight;
    std::optional<Parameter<T, 1>> bias;

    /// Of nothing, to be assigned to.
    Linear() : Linear(Irreps(), Irreps()) {}
    /// Errors: an instruction connects different irreps or terms that are not there; channels below 1; a bias, but no
    /// weights of its own.
    Linear(const Irreps& in, const Irreps& out, const LinearOptions& options = {}) {
        auto plan = std::make_shared<detail::LinearPlan>();
        plan->in = in;
        plan->out = out;
        if (options.f_in < 1 || options.f_out < 1)
            throw error("Linear", "f_in is {}, f_out {}: must be at least 1", options.f_in, options.f_out);
        plan->f_in = options.f_in;
        plan->f_out = options.f_out;
        plan->instructions = options.instructions;
        if (options.instructions.empty())
            for (index i = 0; i < in.size(); ++i)
                for (index o = 0; o < out.size(); ++o)
                    if (in[i].ir == out[o].ir) plan->instructions.push_back({i, o});
        make_paths(*plan, options.path_normalization);
        for (index f = 0, at = 0; options.bias && f < plan->f_out; ++f)
            for (const MulIrrep& term : out) {
                for (index u = 0; term.ir.is_scalar() && u < term.mul; ++u) plan->biases.push_back(at + u);
                at += term.dim();
            }
        plan_ = plan;
        if (!options.internal_weights) {
            if (options.bias) throw error("Linear", "without weights of its own it cannot have a bias of its own");
            return;
        }
        Generator unseeded;
        if (!options.generator) unseeded = nn::unseeded_generator();
        weight.set_value(Tensor<T, 1>::empty({plan->weight_numel}));
        nn::normal(weight, options.generator ? *options.generator : unseeded);
        if (options.bias) bias.emplace(Tensor<T, 1>::zeros({static_cast<index>(plan->biases.size())}));
    }

    const Irreps& irreps_in() const { return plan_->in; }
    const Irreps& irreps_out() const { return plan_->out; }
    /// Pairs of input and output terms that are connected.
    const std::vector<std::pair<index, index>>& instructions() const { return plan_->instructions; }
    /// The factor of each of them.
    const std::vector<double>& path_coefficients() const { return plan_->coefficients; }
    /// Number of weights.
    index weight_numel() const { return plan_->weight_numel; }
    /// 1 for the components of the result that a path or a bias reaches.
    Tensor<double, 1> output_mask() const {
        auto mask = Tensor<double, 1>::zeros({plan_->out.dim()});
        const auto slices = plan_->out.slices();
        for (const auto& [i, o] : plan_->instructions)
            if (plan_->in[i].mul > 0)
                std::fill(mask.mutable_data() + slices[static_cast<std::size_t>(o)].begin,
                          mask.mutable_data() + slices[static_cast<std::size_t>(o)].end, 1.0);
        for (const index at : plan_->biases)
            if (at < plan_->out.dim()) mask.mutable_data()[at] = 1;
        return mask;
    }

    /// x [N, dim], or [N, f_in, dim] where there are channels. Errors: x does not fit.
    template <Expression X>
    auto operator()(const X& x) const {
        return bias ? (*this)(x, weight, *bias) : (*this)(x, weight);
    }
    /// With other weights [numel], or [N, numel], one set for each row, and other biases or none.
    template <Expression X, Expression W, Expression... Bias>
    auto operator()(const X& x, const W& weights, const Bias&... biases) const {
        static_assert(X::rank == 2 || X::rank == 3, "weft: so3::Linear: x is [N, dim] or [N, f_in, dim]");
        static_assert(W::rank == 1 || W::rank == 2, "weft: so3::Linear: the weights are [numel] or [N, numel]");
        const index n = x.extent(0);
        if (x.extent(-1) != plan_->in.dim() || x.size() != n * plan_->dim_in())
            throw error("Linear", "x is {}: must be [N, {}{}], features of {}", weft::detail::shape_text(x.shape()),
                        plan_->f_in == 1 && X::rank == 2 ? "" : std::to_string(plan_->f_in) + ", ", plan_->in.dim(),
                        detail::irreps_text(plan_->in));
        if (weights.extent(-1) != plan_->weight_numel || (W::rank == 2 && weights.extent(0) != n))
            throw error("Linear", "the weights are {}, x is {}: must be [{}], or that for each row",
                        weft::detail::shape_text(weights.shape()), weft::detail::shape_text(x.shape()),
                        plan_->weight_numel);
        const auto number = static_cast<index>(plan_->biases.size());
        if (((biases.size() != number) || ...))
            throw error("Linear", "{} biases are needed, one for each scalar of {}", number,
                        detail::irreps_text(plan_->out));
        const auto rows = reshape(contiguous(x), Extents<2>{n, plan_->dim_in()});
        const auto y = apply_operation(detail::LinearOperation{plan_}, rows, weights, biases...);
        if constexpr (X::rank == 2)
            return y;
        else
            return reshape(y, Extents<3>{n, plan_->f_out, plan_->out.dim()});
    }

    void visit(auto&& v) {
        if (weight.size() == weight_numel()) v("weight", weight);
        v("bias", bias);
    }

private:
    static void make_paths(detail::LinearPlan& plan, PathNormalization normalization) {
        const auto slices_in = plan.in.slices(), slices_out = plan.out.slices();
        index numel = 0;
        for (const auto& [i, o] : plan.instructions) {
            if (i < 0 || i >= plan.in.size() || o < 0 || o >= plan.out.size())
                throw error("Linear", "an instruction connects terms {} and {}: there are {} and {}", i, o,
                            plan.in.size(), plan.out.size());
            const MulIrrep &in = plan.in[i], &out = plan.out[o];
            if (!(in.ir == out.ir))
                throw error("Linear", "an instruction connects {} to {}: they must be the same irrep",
                            detail::irreps_text(in), detail::irreps_text(out));
            double sum = 0, paths = 0;
            for (const auto& [other, to] : plan.instructions)
                if (to == o) {
                    sum += static_cast<double>(plan.in[other].mul);
                    ++paths;
                }
            const double divisor = static_cast<double>(plan.f_in) * (normalization == PathNormalization::element ? sum
                                                                     : normalization == PathNormalization::path
                                                                         ? static_cast<double>(in.mul) * paths
                                                                         : 1 / static_cast<double>(plan.f_in));
            plan.coefficients.push_back(1 / std::sqrt(divisor > 0 ? divisor : 1));
            if (in.mul == 0 || out.mul == 0) continue;
            plan.paths.push_back({slices_in[static_cast<std::size_t>(i)].begin,
                                  slices_out[static_cast<std::size_t>(o)].begin,
                                  {numel, in.mul, out.mul},
                                  in.ir.dim(),
                                  plan.coefficients.back()});
            numel += in.mul * out.mul;
        }
        const auto one = std::exchange(plan.paths, {});
        for (index f = 0; f < plan.f_in; ++f)
            for (index g = 0; g < plan.f_out; ++g)
                for (detail::LinearPath p : one) {
                    p.at_in += f * plan.in.dim();
                    p.at_out += g * plan.out.dim();
                    p.weights.first += (f * plan.f_out + g) * numel;
                    plan.cost += 0.02 * static_cast<double>(p.weights.inputs * p.weights.outputs * p.components);
                    plan.paths.push_back(p);
                }
        plan.weight_numel = plan.f_in * plan.f_out * numel;
        plan.cost += 0.1 * static_cast<double>(plan.dim_in() + plan.dim_out());
    }

    std::shared_ptr<const detail::LinearPlan> plan_;
};

} // namespace weft::inline WEFT_ABI::so3
