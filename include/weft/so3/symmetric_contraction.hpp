// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/combine.hpp>
#include <weft/core/pool_allocator.hpp>
#include <weft/core/transpose_block.hpp>
#include <weft/nn/init.hpp>
#include <weft/nn/module.hpp>
#include <weft/so3/coupling_basis.hpp>
#include <weft/so3/horner_table.hpp>

#include <map>
#include <memory>
#include <span>

namespace weft::inline WEFT_ABI::so3 {

namespace detail {

/// Components of a channel that are next to each other: those from `first` on of channel c are at begin + c stride.
struct ChannelPart {
    index first, components, begin, stride;
};

/// A contraction as polynomials of the components of one channel, a polynomial for each component of the result. The
/// coupling basis is symmetrised: a monomial's coefficient is a sum over paths of the values of its folds times the
/// weights.
struct SymmetricContractionPlan {
    struct Fold {
        index path;
        double value;
    };
    Irreps in, out;
    int correlation = 0;
    index channels = 0, num_elements = 0, dim_in = 0, dim_out = 0; // dims of one channel
    std::vector<std::vector<index>> paths;                         // of term k and order n: paths[k][n - 1]
    index all_paths = 0;
    std::vector<ChannelPart> parts_in, parts_out; // in the layout mul_ir
    std::vector<ChannelPart> part_of_channel;     // in [channels, dim of a channel]
    HornerTable table;
    std::vector<Fold> folds;
    std::vector<std::size_t> begin_of_coefficient; // folds, by coefficient as the table reads them

    index coefficients() const { return static_cast<index>(table.coefficients().size()); }
    /// Nanoseconds for a node, about.
    double cost() const {
        return 0.03 * static_cast<double>(channels) * static_cast<double>(table.cost() + dim_in + dim_out);
    }

    /// The polynomials of term k, of the couplings for each order or those of coupling_basis. Where an order has no
    /// path, the reference has one that is 0.
    void add_term(index k, const std::vector<CouplingBasis>& bases) {
        const Irrep ir = out[k].ir;
        std::vector<std::map<std::vector<int>, std::map<index, double>>> polynomials(
            static_cast<std::size_t>(ir.dim()));
        auto& numbers = paths.emplace_back();
        for (int order = 1; order <= correlation; ++order) {
            const CouplingBasis basis =
                bases.empty() ? coupling_basis(in_of_channel(), ir, order) : bases[static_cast<std::size_t>(order) - 1];
            for (const auto& entry : basis.entries) {
                std::vector<int> variables = basis.indices(entry);
                std::sort(variables.begin(), variables.end());
                polynomials[static_cast<std::size_t>(entry.component)][variables][all_paths + entry.path] +=
                    entry.value;
            }
            numbers.push_back(basis.paths);
            all_paths += std::max<index>(basis.paths, 1);
        }
        for (const auto& polynomial : polynomials) {
            std::vector<Monomial> monomials;
            for (const auto& [variables, terms] : polynomial) {
                std::vector<Fold> sums;
                for (const auto& [path, value] : terms)
                    if (std::abs(value) > 1e-12) sums.push_back({path, value});
                if (sums.empty()) continue;
                monomials.push_back({variables, static_cast<index>(unordered_.size())});
                unordered_.push_back(std::move(sums));
            }
            table.add_polynomial(monomials);
        }
    }
    void finish() {
        for (const index coefficient : table.coefficients()) {
            begin_of_coefficient.push_back(folds.size());
            const auto& own = unordered_[static_cast<std::size_t>(coefficient)];
            folds.insert(folds.end(), own.begin(), own.end());
        }
        begin_of_coefficient.push_back(folds.size());
        unordered_ = {};
        part_of_channel = {{0, dim_in, 0, dim_in}};
    }
    Irreps in_of_channel() const {
        std::vector<MulIrrep> one;
        for (const MulIrrep& term : in) one.push_back({1, term.ir});
        return one;
    }

private:
    std::vector<std::vector<Fold>> unordered_;
};

/// Nodes ordered by element, and runs of nodes of one element; none depends on the number of threads.
struct ElementRuns {
    struct Run {
        index slot; // of the elements that there are
        index begin, end;
    };
    weft::detail::Grouping nodes;
    weft::detail::PoolVector<index> elements; // that there are
    weft::detail::PoolVector<Run> runs;
    weft::detail::PoolVector<index> first_run; // of each of these, and the number of runs

    ElementRuns(const Tensor<index, 1>& element, index num_elements)
        : nodes(weft::detail::group_by(element, num_elements)) {
        const index* const begin = nodes.begin.data();
        for (index e = 0; e < num_elements; ++e) {
            const index count = begin[e + 1] - begin[e];
            if (count == 0) continue;
            const index length = std::max<index>(32, (count + 127) / 128 * 8);
            first_run.push_back(static_cast<index>(runs.size()));
            for (index at = begin[e]; at < begin[e + 1]; at += length)
                runs.push_back({static_cast<index>(elements.size()), at, std::min(at + length, begin[e + 1])});
            elements.push_back(e);
        }
        first_run.push_back(static_cast<index>(runs.size()));
    }
};

/// x [N, channels, dim] or, in the layout mul_ir, [N, channels dim], and weights [elements, paths, channels].
struct SymmetricContractionOperation {
    static constexpr auto name = "symmetric_contraction";
    std::shared_ptr<const SymmetricContractionPlan> plan;
    std::shared_ptr<const ElementRuns> runs;

    template <class T, int N>
    Tensor<T, 2> forward(const Tensor<T, N>& x, const Tensor<T, 3>& weights) const {
        auto y = Tensor<T, 2>::empty({x.extent(0), plan->channels * plan->dim_out});
        const index rows_x = plan->channels * plan->dim_in, rows_y = plan->channels * plan->dim_out;
        T* const to = y.mutable_data();
        const Tensor<T, 1> folded = fold(weights);
        const auto parts = parts_of<N>();
        const index packets = channel_packets<T>(), of_place = plan->coefficients() * lanes<T>;
        for_each_unit<T>(plan->cost(), [&](const Run& run, index, index c, index count) {
            const T* const coefficients = folded.data() + (run.slot * packets + c / lanes<T>)*of_place;
            for_each_block<T>(run, [&]<int P>(HornerTable::Block<T, P>& block, const index* nodes, index points) {
                load<P>(x.data(), rows_x, parts, nodes, points, c, count, plan->dim_in, block.x);
                plan->table.evaluate(coefficients, block);
                store<P>(block.y, plan->parts_out, nodes, points, c, count, to, rows_y);
            });
        });
        return y;
    }

    template <class T, int N, class Sink>
    void backward(const Tensor<T, 2>& dy, const Tensor<T, 2>&, Sink& sink, const Tensor<T, N>& x,
                  const Tensor<T, 3>& weights) const {
        const bool wants_x = sink.template wants<0>(), wants_w = sink.template wants<1>();
        auto dx = Tensor<T, N>::empty(x.shape());
        const index rows_x = plan->channels * plan->dim_in, rows_y = plan->channels * plan->dim_out;
        const Tensor<T, 1> folded = fold(weights);
        const index packets = channel_packets<T>(), of_place = plan->coefficients() * lanes<T>;
        const auto units = static_cast<index>(runs->runs.size()) * packets;
        auto partial = wants_w ? Tensor<T, 1>::zeros({units * of_place}) : Tensor<T, 1>();
        T* const to = dx.mutable_data();
        T* const to_partial = partial.mutable_data();
        const auto parts = parts_of<N>();
        for_each_unit<T>(3 * plan->cost(), [&](const Run& run, index unit, index c, index count) {
            const T* const coefficients = folded.data() + (run.slot * packets + c / lanes<T>)*of_place;
            for_each_block<T>(run, [&]<int P>(HornerTable::Block<T, P>& block, const index* nodes, index points) {
                load<P>(x.data(), rows_x, parts, nodes, points, c, count, plan->dim_in, block.x);
                load<P>(dy.data(), rows_y, plan->parts_out, nodes, points, c, count, plan->dim_out, block.y);
                std::fill_n(block.dx, plan->dim_in * block.width, T{});
                if (wants_w)
                    plan->table.gradient<true>(coefficients, block, to_partial + unit * of_place);
                else
                    plan->table.gradient<false>(coefficients, block, static_cast<T*>(nullptr));
                store<P>(block.dx, parts, nodes, points, c, count, to, rows_x);
            });
        });
        if (wants_x) sink.template add<0>(dx);
        if (wants_w) sink.template add<1>(unfold(partial, weights.shape()));
    }

private:
    using Run = ElementRuns::Run;

    template <class T>
    index channel_packets() const {
        return (plan->channels + lanes<T> - 1) / lanes<T>;
    }
    template <int N>
    std::span<const ChannelPart> parts_of() const {
        return N == 2 ? plan->parts_in : plan->part_of_channel;
    }

    /// Calls f(run, unit, first channel, channels) for every run of nodes and packet of channels.
    template <class T, class F>
    void for_each_unit(double cost, F&& f) const {
        const index packets = channel_packets<T>();
        const double all = cost * static_cast<double>(runs->nodes.order.size());
        weft::detail::for_each_chunk(static_cast<index>(runs->runs.size()) * packets, all, [&](index unit) {
            const index c = unit % packets * lanes<T>;
            f(runs->runs[static_cast<std::size_t>(unit / packets)], unit, c, std::min(lanes<T>, plan->channels - c));
        });
    }
    /// Calls f(memory, nodes, count) for the nodes of a run, many at once while there are, then one by one.
    template <class T, class F>
    void for_each_block(const Run& run, F&& f) const {
        constexpr int most = points_at_once<T>();
        const index* const order = runs->nodes.order.data();
        index at = run.begin;
        if (run.end - at > most / 4) {
            HornerTable::Block<T, most> block(plan->table);
            for (; run.end - at > most / 4; at += std::min<index>(most, run.end - at))
                f(block, order + at, std::min<index>(most, run.end - at));
        }
        if (at == run.end) return;
        HornerTable::Block<T, 1> block(plan->table);
        for (; at < run.end; ++at) f(block, order + at, index{1});
    }

    /// `count` channels from c on of rows of P nodes, to packets as HornerTable::Block has them, and back.
    template <int P, class T>
    static void load(const T* rows, index row, std::span<const ChannelPart> parts, const index* nodes, index points,
                     index c, index count, index components, T* to) {
        if (points < P || count < lanes<T>) std::fill_n(to, components * P * lanes<T>, T{});
        for (index j = 0; j < points; ++j)
            for (const ChannelPart& part : parts)
                weft::detail::transpose_block(rows + nodes[j] * row + part.begin + c * part.stride, part.stride, count,
                                              part.components, to + (part.first * P + j) * lanes<T>, P * lanes<T>);
    }
    template <int P, class T>
    static void store(const T* from, std::span<const ChannelPart> parts, const index* nodes, index points, index c,
                      index count, T* rows, index row) {
        for (index j = 0; j < points; ++j)
            for (const ChannelPart& part : parts)
                weft::detail::transpose_block(from + (part.first * P + j) * lanes<T>, P * lanes<T>, part.components,
                                              count, rows + nodes[j] * row + part.begin + c * part.stride, part.stride);
    }

    template <class T>
    static Packet<T> splat_value(double value) {
        return splat(T(static_cast<typename weft::detail::DualScalar<T>::type>(value)));
    }
    /// Calls f(place, slot, packet) for every element that there is and packet of channels.
    template <class T, class F>
    void for_each_fold(F&& f) const {
        const index packets = channel_packets<T>(), slots = static_cast<index>(runs->elements.size());
        const double cost = 1.0 * static_cast<double>(plan->folds.size()) * static_cast<double>(slots * packets);
        weft::detail::for_each_chunk(slots * packets, cost,
                                     [&](index place) { f(place, place / packets, place % packets); });
    }
    /// The coefficients [element that there is, packet of channels, coefficient, lane] that the weights make.
    template <class T>
    Tensor<T, 1> fold(const Tensor<T, 3>& weights) const {
        constexpr index w = lanes<T>;
        const index of_place = plan->coefficients() * w, paths = plan->all_paths, channels = plan->channels;
        auto folded =
            Tensor<T, 1>::empty({static_cast<index>(runs->elements.size()) * channel_packets<T>() * of_place});
        T* const all = folded.mutable_data();
        for_each_fold<T>([&](index place, index slot, index packet) {
            weft::detail::Scratch<T> own(paths * w);
            const index count = std::min(w, channels - packet * w);
            const T* const from =
                weights.data() + runs->elements[static_cast<std::size_t>(slot)] * paths * channels + packet * w;
            std::fill_n(own.data(), paths * w, T{});
            for (index p = 0; p < paths; ++p) std::copy_n(from + p * channels, count, own.data() + p * w);
            T* const to = all + place * of_place;
            for (std::size_t k = 0; k + 1 < plan->begin_of_coefficient.size(); ++k) {
                Packet<T> sum = splat(T{});
                for (std::size_t f = plan->begin_of_coefficient[k]; f < plan->begin_of_coefficient[k + 1]; ++f)
                    sum = multiply_add(splat_value<T>(plan->folds[f].value),
                                       load_packet(own.data() + plan->folds[f].path * w), sum);
                store_packet(to + static_cast<index>(k) * w, sum);
            }
        });
        return folded;
    }
    /// The gradient of the weights from those of the coefficients in every run.
    template <class T>
    Tensor<T, 3> unfold(const Tensor<T, 1>& partial, const Extents<3>& shape) const {
        constexpr index w = lanes<T>;
        const index of_place = plan->coefficients() * w, paths = plan->all_paths, channels = plan->channels;
        const index packets = channel_packets<T>();
        auto gradient = Tensor<T, 3>::zeros(shape);
        T* const all = gradient.mutable_data();
        for_each_fold<T>([&](index, index slot, index packet) {
            weft::detail::Scratch<T> own(paths * w);
            std::fill_n(own.data(), paths * w, T{});
            const index first = runs->first_run[static_cast<std::size_t>(slot)],
                        last = runs->first_run[static_cast<std::size_t>(slot) + 1];
            for (std::size_t k = 0; k + 1 < plan->begin_of_coefficient.size(); ++k) {
                Packet<T> sum = splat(T{});
                for (index run = first; run < last; ++run)
                    sum = sum +
                          load_packet(partial.data() + (run * packets + packet) * of_place + static_cast<index>(k) * w);
                for (std::size_t f = plan->begin_of_coefficient[k]; f < plan->begin_of_coefficient[k + 1]; ++f) {
                    T* const to = own.data() + plan->folds[f].path * w;
                    store_packet(to, multiply_add(splat_value<T>(plan->folds[f].value), sum, load_packet(to)));
                }
            }
            T* const to = all + runs->elements[static_cast<std::size_t>(slot)] * paths * channels + packet * w;
            for (index p = 0; p < paths; ++p)
                std::copy_n(own.data() + p * w, std::min(w, channels - packet * w), to + p * channels);
        });
        return gradient;
    }
};

} // namespace detail

/// Options of `SymmetricContraction`.
struct SymmetricContractionOptions {
    int correlation = 3;    ///< the largest number of features in a product
    index num_elements = 1; ///< each with weights of its own
    /// Other couplings than those of coupling_basis: for each term of the result those of the orders 1 to correlation.
    std::vector<std::vector<CouplingBasis>> bases = {};
    Generator* generator = nullptr;
};

/// The symmetric contraction of MACE (Batatia et al., arXiv 2206.07697): channel by channel, products of up to
/// `correlation` times the features of a node, coupled to every irrep of the result, weighted by the node's element.
/// As mace.modules.SymmetricContraction, with its parameters: for term k of the result `contractions.k.weights_max`
/// [num_elements, paths, channels] of the largest order, and `contractions.k.weights.q` of order correlation - 1 - q,
/// normal and divided by the number of paths; an order without paths has one weight of 0, which does nothing.
///
/// The couplings are symmetrised once into polynomials of a channel's components, whose coefficients the weights of an
/// element make; a node costs about two multiplications for each of their monomials and channel. Gradients of any order
/// by features and weights.
template <class T>
struct SymmetricContraction {
    /// The weights of one irrep of the result.
    struct Contraction {
        Parameter<T, 3> weights_max;
        std::vector<Parameter<T, 3>> weights;

        void visit(auto&& v) {
            v("weights_max", weights_max);
            v("weights", weights);
        }
    };
    std::vector<Contraction> contractions;

    SymmetricContraction() = default;
    /// All terms of `in` and `out` must have the same multiplicity, the number of channels. Errors: they do not, or
    /// there are none; correlation or num_elements below 1; too large an order (see coupling_basis); couplings that are
    /// not of these irreps.
    SymmetricContraction(const Irreps& in, const Irreps& out, const SymmetricContractionOptions& options = {}) {
        auto plan = std::make_shared<detail::SymmetricContractionPlan>();
        if (options.correlation < 1 || options.num_elements < 1)
            throw error("SymmetricContraction", "correlation is {}, num_elements {}: must be at least 1",
                        options.correlation, options.num_elements);
        if (in.empty() || out.empty())
            throw error("SymmetricContraction", "\"{}\" to \"{}\": both must have a term", detail::irreps_text(in),
                        detail::irreps_text(out));
        plan->in = in;
        plan->out = out;
        plan->correlation = options.correlation;
        plan->num_elements = options.num_elements;
        plan->channels = in[0].mul;
        plan->dim_in = parts(*plan, in, plan->parts_in);
        plan->dim_out = parts(*plan, out, plan->parts_out);
        plan->table = detail::HornerTable(static_cast<int>(plan->dim_in));
        require(options.bases, *plan);
        for (index k = 0; k < out.size(); ++k)
            plan->add_term(k, options.bases.empty() ? std::vector<CouplingBasis>{}
                                                    : options.bases[static_cast<std::size_t>(k)]);
        plan->finish();
        plan_ = plan;

        Generator unseeded;
        if (!options.generator) unseeded = nn::unseeded_generator();
        Generator& generator = options.generator ? *options.generator : unseeded;
        for (const std::vector<index>& paths : plan->paths) {
            Contraction& contraction = contractions.emplace_back();
            contraction.weights_max = made(paths.back(), generator);
            for (std::size_t order = paths.size() - 1; order > 0; --order)
                contraction.weights.push_back(made(paths[order - 1], generator));
        }
    }

    const Irreps& irreps_in() const { return plan_->in; }
    const Irreps& irreps_out() const { return plan_->out; }
    /// How many weights an element and channel has, of all terms and orders.
    index weight_paths() const { return plan_->all_paths; }
    /// How many multiplications a row takes, besides those that make the coefficients of an element.
    index multiplications() const { return plan_->channels * plan_->table.cost(); }

    /// x [N, channels, dim of a channel], or [N, dim] in the layout mul_ir, and the element [N] of each row, in any
    /// order and from 0 to below num_elements, to features [N, dim of the result] in the layout mul_ir. O(N channels
    /// monomials). Errors: the shapes do not fit; there is no such element.
    template <Expression X, class I>
    auto operator()(const X& x, const Tensor<I, 1>& element) const {
        if constexpr (kind_of<X> == Kind::var)
            return (*this)(x, element, joined([](const Parameter<T, 3>& p) { return p.var(); }));
        else
            return (*this)(x, element, joined([](const Parameter<T, 3>& p) { return p.value(); }));
    }
    /// With other weights [num_elements, weight_paths(), channels]: for each term of the result its orders from 1 on.
    template <Expression X, class I, Expression W>
    auto operator()(const X& x, const Tensor<I, 1>& element, const W& weights) const {
        static_assert(X::rank == 2 || X::rank == 3,
                      "weft: SymmetricContraction: x is [N, channels, dim of a channel] or [N, dim]");
        static_assert(W::rank == 3, "weft: SymmetricContraction: the weights are [elements, paths, channels]");
        const detail::SymmetricContractionPlan& p = *plan_;
        const index n = element.size();
        const bool fits =
            X::rank == 2 ? x.extent(1) == p.in.dim() : x.extent(1) == p.channels && x.extent(-1) == p.dim_in;
        if (!fits)
            throw error("SymmetricContraction", "x is {}: must be [N, {}, {}] or [N, {}], features of {}",
                        weft::detail::shape_text(x.shape()), p.channels, p.dim_in, p.in.dim(),
                        detail::irreps_text(p.in));
        if (x.extent(0) != n)
            throw error("SymmetricContraction", "x is {}, element is {}: each row must have an element",
                        weft::detail::shape_text(x.shape()), weft::detail::shape_text(element.shape()));
        if (weights.shape() != Extents<3>{p.num_elements, p.all_paths, p.channels})
            throw error("SymmetricContraction", "the weights are {}: must be [{}, {}, {}]",
                        weft::detail::shape_text(weights.shape()), p.num_elements, p.all_paths, p.channels);
        for (index i = 0; i < n; ++i)
            if (std::cmp_less(element.data()[i], 0) || std::cmp_greater_equal(element.data()[i], p.num_elements))
                throw error("SymmetricContraction", "element {} of row {}: must be from 0 to below {}",
                            element.data()[i], i, p.num_elements);
        auto runs = std::allocate_shared<const detail::ElementRuns>(weft::detail::PoolAllocator<detail::ElementRuns>(),
                                                                    Tensor<index, 1>(element), p.num_elements);
        return apply_operation(detail::SymmetricContractionOperation{plan_, std::move(runs)}, x, weights);
    }

    void visit(auto&& v) { v("contractions", contractions); }

private:
    static void require(const std::vector<std::vector<CouplingBasis>>& bases,
                        const detail::SymmetricContractionPlan& plan) {
        bool fits = bases.empty() || std::cmp_equal(bases.size(), plan.out.size());
        for (std::size_t k = 0; fits && k < bases.size(); ++k) {
            fits = std::cmp_equal(bases[k].size(), plan.correlation);
            for (std::size_t n = 0; fits && n < bases[k].size(); ++n)
                fits = bases[k][n].in == plan.in_of_channel() && std::cmp_equal(bases[k][n].order, n + 1) &&
                       bases[k][n].out == plan.out[static_cast<index>(k)].ir;
        }
        if (!fits)
            throw error("SymmetricContraction",
                        "the couplings must be of the irreps {}, for each term of {} and order up to {}",
                        detail::irreps_text(plan.in_of_channel()), detail::irreps_text(plan.out), plan.correlation);
    }
    /// Where the components of a channel are in the layout mul_ir; their number.
    static index parts(const detail::SymmetricContractionPlan& plan, const Irreps& irreps,
                       std::vector<detail::ChannelPart>& all) {
        index dim = 0, begin = 0;
        for (const MulIrrep& term : irreps) {
            if (term.mul != plan.channels)
                throw error("SymmetricContraction", "{} to {}: all terms must have the same multiplicity",
                            detail::irreps_text(plan.in), detail::irreps_text(plan.out));
            all.push_back({dim, term.ir.dim(), begin, term.ir.dim()});
            dim += term.ir.dim();
            begin += term.dim();
        }
        return dim;
    }
    Parameter<T, 3> made(index paths, Generator& generator) const {
        const Extents<3> shape{plan_->num_elements, std::max<index>(paths, 1), plan_->channels};
        Parameter<T, 3> weights(Tensor<T, 3>::zeros(shape));
        if (paths > 0) nn::normal(weights, generator, 0, 1 / static_cast<double>(paths));
        return weights;
    }
    template <class As>
    auto joined(const As& as) const {
        weft::detail::PoolVector<decltype(as(contractions[0].weights_max))> all;
        for (const Contraction& contraction : contractions) {
            for (std::size_t q = contraction.weights.size(); q-- > 0;) all.push_back(as(contraction.weights[q]));
            all.push_back(as(contraction.weights_max));
        }
        return concat(1, all);
    }

    std::shared_ptr<const detail::SymmetricContractionPlan> plan_;
};

} // namespace weft::inline WEFT_ABI::so3
