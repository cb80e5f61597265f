// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/combine.hpp>
#include <weft/core/ops.hpp>
#include <weft/core/reduce.hpp>
#include <weft/gnn/attention.hpp>
#include <weft/gnn/pair_linear.hpp>
#include <weft/gnn/per_edge.hpp>
#include <weft/nn/mlp.hpp>

namespace weft::inline WEFT_ABI::gnn {

/// What PNAConv makes of the messages of a neighbourhood; `standard_deviation` and `variance` are biased.
enum class PNAAggregator { sum, mean, min, max, variance, standard_deviation };
/// What PNAConv multiplies these by, d being the number of edges that enter: 1, log(d + 1) / delta, its inverse,
/// d / delta, its inverse; delta is the mean over the training graphs.
enum class PNAScaler { identity, amplification, attenuation, linear, inverse_linear };

/// Options of `PNAConv`.
struct PNAOptions {
    std::vector<PNAAggregator> aggregators = {PNAAggregator::mean, PNAAggregator::min, PNAAggregator::max,
                                              PNAAggregator::standard_deviation};
    std::vector<PNAScaler> scalers = {PNAScaler::identity, PNAScaler::amplification, PNAScaler::attenuation};
    index towers = 1;               ///< networks side by side, each for its part of the result
    index pre_layers = 1;           ///< linear layers of a message
    index post_layers = 1;          ///< linear layers after the aggregation
    index edge_dim = 0;             ///< features per edge; 0: none
    bool divide_input = false;      ///< each tower sees its part of the features; else all see all
    Generator* generator = nullptr; ///< of the initial weights; null: nn::unseeded_generator()
};

/// Principal neighbourhood aggregation: Corso et al. (arXiv 2004.05718). Per tower, messages pre_nn([x_i, x_j, e_ij])
/// are aggregated in several ways, each scaled in several ways by the degree, and post_nn([x_i, all of these]) is the
/// tower's part of what `lin` takes. Order of post_nn's columns: x, then scaler by scaler, in it aggregator by
/// aggregator. Parameters `edge_encoder`, `pre_nns.<tower>.<0, 2, ...>`, `post_nns.<tower>.<0, 2, ...>`, `lin`; buffers
/// `aggr_module.avg_deg_lin`, `aggr_module.avg_deg_log`. All aggregates come from one sweep over the edges; the first
/// layer of pre_nn is computed per node, and the scalers are applied to the products of post_nn's first layer.
template <class T>
struct PNAConv {
    std::optional<nn::Linear<T>> edge_encoder;
    std::vector<nn::MLP<T>> pre_nns, post_nns;
    nn::Linear<T> lin;
    /// Functions of the degrees of the training graphs that scale what is aggregated.
    struct Degrees {
        Tensor<T, 1> avg_deg_lin, avg_deg_log;
        void visit(auto&& v) {
            v("avg_deg_lin", avg_deg_lin);
            v("avg_deg_log", avg_deg_log);
        }
    } degrees;
    index in_channels = 0;
    PNAOptions options;

    PNAConv() = default;
    /// degree_histogram[d]: how many nodes of the training graphs have d incoming edges. Errors: an option out of
    /// range; towers does not divide out, or with divide_input in; no degree at all.
    PNAConv(index in, index out, const Tensor<index, 1>& degree_histogram, const PNAOptions& o = {})
        : in_channels(in), options(o) {
        const auto positive = [](const char* name, index value) {
            if (value < 1) throw error("PNAConv", "{} is {}: must be at least 1", name, value);
        };
        positive("towers", o.towers);
        positive("pre_layers", o.pre_layers);
        positive("post_layers", o.post_layers);
        positive("the number of aggregators", static_cast<index>(o.aggregators.size()));
        positive("the number of scalers", static_cast<index>(o.scalers.size()));
        if (o.edge_dim < 0) throw error("PNAConv", "edge_dim is {}: must not be negative", o.edge_dim);
        if (out % o.towers != 0 || (o.divide_input && in % o.towers != 0))
            throw error("PNAConv",
                        "towers is {}: it must divide out_channels, {}, and with divide_input in_channels, {}",
                        o.towers, out, in);
        set_degrees(degree_histogram);
        Generator unseeded = o.generator ? Generator{} : nn::unseeded_generator();
        const nn::LinearOptions linear{.generator = o.generator ? o.generator : &unseeded};
        const index width = tower_width(), part = out / o.towers;
        if (o.edge_dim > 0) edge_encoder.emplace(o.edge_dim, width, linear);
        const auto kinds = static_cast<index>(o.aggregators.size() * o.scalers.size());
        for (index t = 0; t < o.towers; ++t) {
            std::vector<index> pre(static_cast<std::size_t>(o.pre_layers) + 1, width);
            pre.front() = (o.edge_dim > 0 ? 3 : 2) * width;
            pre_nns.emplace_back(pre, linear);
            std::vector<index> post(static_cast<std::size_t>(o.post_layers) + 1, part);
            post.front() = (kinds + 1) * width;
            post_nns.emplace_back(post, linear);
        }
        lin = nn::Linear<T>(out, out, linear);
        options.generator = nullptr;
    }

    /// x [N, in] to [N, out]. Errors: the graph is not square; x does not fit; edge features are missing.
    template <Expression X>
    auto operator()(const Graph& g, const X& x) const {
        return convolve(g, x, detail::None{});
    }
    /// The same with features of the edges, edge_attr [E, edge_dim].
    template <Expression X, Expression A>
    auto operator()(const Graph& g, const X& x, const A& edge_attr) const {
        return convolve(g, x, edge_attr);
    }

    void visit(auto&& v) {
        v("edge_encoder", edge_encoder);
        v("pre_nns", pre_nns);
        v("post_nns", post_nns);
        v("lin", lin);
        v("aggr_module", degrees);
    }

private:
    index tower_width() const { return options.divide_input ? in_channels / options.towers : in_channels; }

    void set_degrees(const Tensor<index, 1>& histogram) {
        double nodes = 0, sum = 0, sum_of_logs = 0;
        for (index d = 0; d < histogram.size(); ++d) {
            const auto count = static_cast<double>(histogram(d)), degree = static_cast<double>(d);
            nodes += count;
            sum += count * degree;
            sum_of_logs += count * std::log(degree + 1);
        }
        if (!(sum > 0))
            throw error("PNAConv", "degree_histogram has no node with edges among {} entries", histogram.size());
        degrees.avg_deg_lin = Tensor<T, 1>::full({1}, T(sum / nodes));
        degrees.avg_deg_log = Tensor<T, 1>::full({1}, T(sum_of_logs / nodes));
    }

    template <class X, class A>
    auto convolve(const Graph& g, const X& expression, const A& given) const {
        const auto x = detail::checked_features<A>("PNAConv", "x", expression, g.num_nodes(), "nodes", in_channels);
        const auto edge_attr =
            detail::checked_edge_attr<X>("PNAConv", g, given, edge_encoder ? edge_encoder->in_features() : 0);
        const auto encoded = [&] {
            if constexpr (std::same_as<A, detail::None>)
                return edge_attr;
            else
                return (*edge_encoder)(edge_attr);
        }();
        const index width = tower_width();
        const auto degree = eval(unsqueeze(g.template in_degree<T>(), 1));
        const auto scales = scales_of(degree);
        using Part = decltype(eval(x));
        std::vector<Part> parts;
        for (std::size_t t = 0; t < pre_nns.size(); ++t) {
            const auto at = static_cast<index>(t);
            const Part own = options.divide_input ? Part(slice(x, 1, at * width, (at + 1) * width)) : x;
            const auto all = aggregates(statistics(g, pre_nns[t], own, encoded), degree);
            parts.push_back(post_nns[t].after_first(combine(post_nns[t].layers[0], own, all, scales)));
        }
        return lin(concat(1, parts));
    }

    /// Mean, variance, minimum and maximum of the messages, [N, 4, width].
    template <class X, class E>
    auto statistics(const Graph& g, const nn::MLP<T>& pre, const X& x, const E& encoded) const {
        const auto of = [&](const auto& message) {
            if (pre.layers.size() == 1) return statistics_in(g, message);
            return decltype(statistics_in(g, message))(statistics_in(g, per_edge(pre.rest(), relu(message))));
        };
        if constexpr (std::same_as<E, detail::None>)
            return of(detail::pair_linear(pre.layers[0], x, x));
        else
            return of(detail::pair_linear(pre.layers[0], x, x, encoded));
    }

    /// The aggregates side by side, [N, aggregators * width].
    template <class Y>
    auto aggregates(const Y& statistics, const Tensor<T, 2>& degree) const {
        const auto mean = select_index(statistics, 1, 0), variance = select_index(statistics, 1, 1);
        using Part = decltype(eval(mean * degree));
        std::vector<Part> parts;
        for (const PNAAggregator kind : options.aggregators) switch (kind) {
            case PNAAggregator::sum:
                parts.push_back(Part(mean * degree));
                break;
            case PNAAggregator::mean:
                parts.push_back(Part(mean));
                break;
            case PNAAggregator::min:
                parts.push_back(Part(select_index(statistics, 1, 2)));
                break;
            case PNAAggregator::max:
                parts.push_back(Part(select_index(statistics, 1, 3)));
                break;
            case PNAAggregator::variance:
                parts.push_back(Part(variance));
                break;
            case PNAAggregator::standard_deviation:
                parts.push_back(Part(where(variance > T(1e-5), sqrt(maximum(variance, T(1e-5))), T(0))));
                break;
            }
        return concat(1, parts);
    }

    /// A column per scaler, [N, scalers, 1].
    Tensor<T, 3> scales_of(const Tensor<T, 2>& degree) const {
        const T linear = degrees.avg_deg_lin.item(), logarithm = degrees.avg_deg_log.item();
        const auto least = Tensor<T, 2>(maximum(degree, T(1)));
        std::vector<Tensor<T, 2>> columns;
        for (const PNAScaler kind : options.scalers) switch (kind) {
            case PNAScaler::identity:
                columns.push_back(Tensor<T, 2>::ones(degree.shape()));
                break;
            case PNAScaler::amplification:
                columns.push_back(log(degree + T(1)) / logarithm);
                break;
            case PNAScaler::attenuation:
                columns.push_back(logarithm / log(least + T(1)));
                break;
            case PNAScaler::linear:
                columns.push_back(degree / linear);
                break;
            case PNAScaler::inverse_linear:
                columns.push_back(linear / least);
                break;
            }
        return unsqueeze(concat(1, columns), 2);
    }

    /// The layer on [x, scale * all for each scale], without making that: a product for each scaler, then their scaled
    /// sum.
    template <class X, class Y>
    auto combine(const nn::Linear<T>& layer, const X& x, const Y& all, const Tensor<T, 3>& scales) const {
        const index own = x.extent(1), count = scales.extent(1), out = layer.out_features(), width = all.extent(1);
        const auto weight = detail::recorded_with<X>(layer.weight);
        const auto by_scaler = permute(reshape(slice(weight, 1, own), Extents<3>{out, count, width}), {1, 0, 2});
        const auto products = matmul(all, transpose(reshape(by_scaler, Extents<2>{count * out, width})));
        const auto scaled = sum<1>(reshape(products, Extents<3>{x.extent(0), count, out}) * scales);
        return layer.add_bias(matmul(x, transpose(slice(weight, 1, 0, own))) + scaled);
    }
};

} // namespace weft::inline WEFT_ABI::gnn
