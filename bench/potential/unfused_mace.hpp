// SPDX-License-Identifier: MIT
#pragma once

#include <weft/linalg/matmul.hpp>
#include <weft/potential/mace.hpp>

/// MACE's energy as frameworks compute it, one operation after the other with all that lies between in memory: a row of
/// weights, of source features and of messages for each edge, dense couplings multiplied as matrices. What the kernels
/// of weft::potential::MACE are measured against; the same energies.
namespace weft_bench {

/// The couplings of one term and order as a matrix [(2l + 1) dim^order, paths].
template <class T>
weft::Tensor<T, 2> dense_couplings(const weft::so3::Irreps& in, const weft::so3::Irrep& out, int order) {
    const auto basis = weft::so3::coupling_basis(in, out, order);
    weft::index positions = 1;
    for (int n = 0; n < order; ++n) positions *= in.dim();
    auto u = weft::Tensor<T, 2>::zeros({out.dim() * positions, std::max<weft::index>(basis.paths, 1)});
    for (const auto& e : basis.entries)
        u.mutable_data()[(e.component * positions + e.position) * u.extent(1) + e.path] += static_cast<T>(e.value);
    return u;
}

template <class T>
class UnfusedMace : public weft::potential::MACE<T> {
public:
    using Model = weft::potential::MACE<T>;

    /// Shares the model's parameters.
    explicit UnfusedMace(const Model& model) : Model(model) {
        const auto& o = model.options();
        const auto harmonics = weft::so3::Irreps::spherical_harmonics(o.max_ell);
        for (const auto& product : model.products) {
            auto& terms = couplings_.emplace_back();
            for (const auto& term : product.symmetric_contractions.irreps_out()) {
                terms.emplace_back();
                for (int order = 1; order <= o.correlation; ++order)
                    terms.back().push_back(dense_couplings<T>(harmonics, term.ir, order));
            }
        }
    }

    /// As MACE::node_energies, of residual interactions without densities of neighbours.
    template <class V>
    auto node_energies(const weft::potential::AtomGraph& atoms, const V& vectors) const {
        using namespace weft;
        const auto& o = this->options();
        const Graph& g = atoms.graph;
        const weft::index n = g.num_dst(), channels = o.hidden_irreps[0].mul;
        const auto constant = [](const auto& t) { return potential::detail::as_operand_of<V>(t); };
        const auto one_hot = constant(weft::one_hot<T>(atoms.element, this->num_elements()));
        const auto lengths = eval(sqrt(sum<1>(square(vectors))));
        const auto harmonics = so3::spherical_harmonics(so3::degrees_up_to(o.max_ell), vectors,
                                                        {.normalization = so3::Normalization::component});
        const auto cut = so3::polynomial_cutoff(lengths, o.r_max, o.num_polynomial_cutoff);
        const auto radial = eval(so3::bessel_basis(lengths, o.r_max, o.num_bessel) * unsqueeze(cut, 1));
        auto h = this->node_embedding.linear(one_hot);
        auto energies = constant(Tensor<T, 1>::zeros({n}));
        for (std::size_t t = 0; t < this->interactions.size(); ++t) {
            const auto& i = this->interactions[t];
            const auto sources = gather(i.linear_up(h), g.sources());
            const auto messages = i.conv_tp(sources, harmonics, i.conv_tp_weights(radial));
            const auto sums = eval(sum_in(g, edge(messages)));
            const auto a = eval(i.linear(sums) * static_cast<T>(1 / o.avg_num_neighbors));
            const auto mixed = this->products[t].linear(contracted(t, by_component(a, channels), atoms.element));
            h = eval(mixed + i.skip_tp(h, one_hot));
            energies = eval(energies + reshape(this->readouts[t](h), Extents<1>{n}));
        }
        if (!this->scale_shift) return energies;
        return eval(energies * static_cast<T>(this->scale_shift->scale.item()) +
                    static_cast<T>(this->scale_shift->shift.item()));
    }

private:
    /// Features in the layout mul_ir to [n, components, channels].
    template <class A>
    auto by_component(const A& a, weft::index channels) const {
        using namespace weft;
        std::vector<std::remove_cvref_t<decltype(contiguous(transpose(reshape(a, Extents<3>{1, 1, 1}), 1, 2)))>> parts;
        for (weft::index l = 0, at = 0; l <= this->options().max_ell; ++l) {
            const weft::index d = 2 * l + 1;
            const auto part = contiguous(slice(a, 1, at, at + channels * d));
            parts.push_back(contiguous(transpose(reshape(part, Extents<3>{a.extent(0), channels, d}), 1, 2)));
            at += channels * d;
        }
        return concat(1, parts);
    }
    /// Horner's rule over the orders with tensors [n, (2l + 1) dim^order, channels].
    template <class A>
    auto contracted(std::size_t layer, const A& a, const weft::Tensor<std::int32_t, 1>& element) const {
        using namespace weft;
        const weft::index n = a.extent(0), dim = a.extent(1), channels = a.extent(2);
        const auto& contractions = this->products[layer].symmetric_contractions.contractions;
        std::vector<std::remove_cvref_t<decltype(reshape(a, Extents<2>{n, dim * channels}))>> terms;
        for (std::size_t k = 0; k < contractions.size(); ++k) {
            const auto& u = couplings_[layer][k];
            const auto orders = u.size();
            const auto factors = [&](std::size_t order) { // [n, (2l + 1) dim^order, channels]
                const auto& weights =
                    order == orders ? contractions[k].weights_max : contractions[k].weights[orders - 1 - order];
                return gather(matmul(unsqueeze(u[order - 1], 0), weights.value()), element);
            };
            const auto times_a = [&](const auto& x) { // the sum over the last component
                const weft::index rows = x.extent(1) / dim;
                return eval(sum<2>(reshape(x, Extents<4>{n, rows, dim, channels}) * unsqueeze(a, 1)));
            };
            auto y = times_a(factors(orders));
            for (std::size_t order = orders - 1; order > 0; --order) y = times_a(eval(y + factors(order)));
            const weft::index d = y.extent(1);
            terms.push_back(reshape(contiguous(transpose(y, 1, 2)), Extents<2>{n, channels * d}));
        }
        return concat(1, terms);
    }

    std::vector<std::vector<std::vector<weft::Tensor<T, 2>>>> couplings_; // by layer, term and order
};

} // namespace weft_bench
