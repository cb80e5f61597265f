// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/combine.hpp>
#include <weft/core/reduce.hpp>
#include <weft/core/views.hpp>
#include <weft/potential/as_operand_of.hpp>
#include <weft/potential/atom_graph.hpp>
#include <weft/potential/bessel_functions.hpp>
#include <weft/potential/nequip_options.hpp>
#include <weft/so3/convolution.hpp>
#include <weft/so3/fully_connected_net.hpp>
#include <weft/so3/gate.hpp>
#include <weft/so3/linear.hpp>
#include <weft/so3/radial_table.hpp>
#include <weft/so3/spherical_harmonics.hpp>
#include <weft/so3/weighted_tensor_product.hpp>

#include <numbers>
#include <optional>
#include <string>
#include <vector>

namespace weft::inline WEFT_ABI::potential {

/// NequIP (Batzner et al., arXiv 2101.03164): a potential of equivariant messages between neighbours and gates, with
/// the parameters of nequip's EnergyModel (v0.6) by their names, and its numbers:
///
///     radial_basis.basis.bessel_weights        [num_bessels], pi, 2 pi, ...
///     chemical_embedding.linear.weight         from one of the elements to scalars
///     layer0_convnet.conv.linear_1.weight      mixes the copies of each irrep
///     layer0_convnet.conv.fc.layer0.weight     from radial functions to weights of the paths, layer1, ...
///     layer0_convnet.conv.linear_2.weight      from the sums of messages to the inputs of the gate
///     layer0_convnet.conv.sc.weight            the self-connection, of each element, added to these
///     layer1_convnet. ...
///     conv_to_output_hidden.linear.weight      none with output_features = 0
///     output_hidden_to_scalar.linear.weight
///
/// That scalar is multiplied by the scale of the atom's element and that of all, and the shift of all is added, and the
/// energy of the isolated atom: options, which nequip keeps in per_species_rescale (scales, and these energies as
/// shifts) and rescale. Lengths in Å, energies in eV.
///
/// Of scalars T = Dual<float> or Dual<double> the model is that of derivatives in the direction of the tangents: see
/// LossGradient.
template <class T>
struct NequIP {
    using value_type = T;

    /// Functions of distances: Bessel functions times a cutoff.
    struct RadialBasis {
        /// The Bessel functions, whose frequencies may be trained.
        struct Basis {
            Parameter<T, 1> bessel_weights;
            void visit(auto&& v) { v("bessel_weights", bessel_weights); }
        };
        Basis basis;
        void visit(auto&& v) { v("basis", basis); }
    };
    /// A linear function of each atom's features.
    struct AtomwiseLinear {
        so3::Linear<T> linear;
        void visit(auto&& v) { v("linear", linear); }
    };
    /// The convolution of a layer, with its radial network and self-interaction.
    struct InteractionBlock {
        so3::ConvolutionTensorProduct tp;
        so3::Linear<T> linear_1;
        so3::FullyConnectedNet<T> fc;
        so3::Linear<T> linear_2;
        so3::WeightedTensorProduct<T> sc;

        void visit(auto&& v) {
            v("linear_1", linear_1);
            v("fc", fc);
            v("linear_2", linear_2);
            v("sc", sc);
        }
    };
    /// A convolution and its gate.
    struct ConvNetLayer {
        InteractionBlock conv;
        so3::Gate equivariant_nonlin;
        bool resnet = false;

        void visit(auto&& v) { v("conv", conv); }
    };

    RadialBasis radial_basis;
    AtomwiseLinear chemical_embedding;
    std::vector<ConvNetLayer> layers;
    std::optional<AtomwiseLinear> conv_to_output_hidden;
    AtomwiseLinear output_hidden_to_scalar;

    NequIP() = default;
    /// Weights as the reference initialises them, normal of variance 1. Errors, by name: options that no model has.
    explicit NequIP(const NequipOptions& o) : options_(detail::complete_model(o)) {
        Generator unseeded;
        if (!o.generator) unseeded = nn::unseeded_generator();
        Generator* const generator = o.generator ? o.generator : &unseeded;
        options_.generator = nullptr;

        auto weights = Tensor<T, 1>::empty({o.num_bessels});
        for (index k = 0; k < o.num_bessels; ++k)
            weights.mutable_data()[k] = math::number<T>(std::numbers::pi * static_cast<double>(k + 1));
        radial_basis.basis.bessel_weights.set_value(weights);

        const so3::Irreps& features = options_.feature_irreps_hidden;
        const so3::Irreps species{{num_elements(), {0, 1}}}, scalars{{features.count({0, 1}), {0, 1}}};
        const so3::LinearOptions drawn{.generator = generator};
        chemical_embedding.linear = so3::Linear<T>(species, scalars, drawn);
        so3::Irreps in = scalars;
        for (int t = 0; t < o.num_layers; ++t) {
            const bool last = t + 1 == o.num_layers;
            layers.push_back(layer(in, species, last && o.scalars_last ? scalars : features, generator));
            in = layers.back().equivariant_nonlin.irreps_out();
        }
        if (o.output_features > 0) {
            const so3::Irreps hidden{{o.output_features, {0, 1}}};
            conv_to_output_hidden = AtomwiseLinear{so3::Linear<T>(in, hidden, drawn)};
            in = hidden;
        }
        output_hidden_to_scalar.linear = so3::Linear<T>(in, "1x0e", drawn);
    }

    /// Complete: what was left out is there.
    const NequipOptions& options() const { return options_; }
    /// The options as JSON.
    std::string config() const { return nequip_config(options_); }
    /// Elements that the model knows.
    index num_elements() const { return static_cast<index>(options_.atomic_numbers.size()); }
    /// Atoms further apart do not see each other, in Å.
    double cutoff() const { return options_.r_max; }
    /// What the options say of an isolated atom of element k, in eV.
    double atomic_energy(index k) const { return options_.atomic_energies[static_cast<std::size_t>(k)]; }
    /// The model with the weights of messages read from tables of distances instead of made by a network: faster, and
    /// nearly the same. For molecular dynamics; parameters of these networks do not matter any more. Errors: see
    /// so3::RadialTable.
    NequIP tabulated(const so3::RadialTableOptions& o = {}) const {
        NequIP faster = *this;
        faster.tables_.clear();
        for (const ConvNetLayer& layer : layers)
            faster.tables_.emplace_back(
                [&](const Tensor<Dual<double>, 1>& r) { return layer.conv.fc(radial_functions(r)); }, options_.r_max,
                o);
        return faster;
    }
    /// The same model over other scalars, with parameters of its own; these have no particular values.
    template <class U>
    NequIP<U> over() const {
        Generator generator{0};
        NequipOptions o = options_;
        o.generator = &generator;
        return NequIP<U>(o);
    }

    /// The number of each atom's element among the model's, [atoms], of atomic numbers. Errors: an element that the
    /// model does not know.
    Tensor<std::int32_t, 1> elements_of(std::span<const std::int32_t> numbers) const {
        return detail::elements_of("NequIP", options_.atomic_numbers, numbers);
    }
    /// What the model takes: edges g from senders to receivers, and of each atom the number of its element, [atoms].
    AtomGraph atom_graph(const Graph& g, const Tensor<std::int32_t, 1>& element) const {
        return {g, element, num_elements()};
    }
    /// From a list of neighbours, which costs the model less: it says which edges are the two of a pair.
    AtomGraph atom_graph(const NeighborList& list, const Tensor<std::int32_t, 1>& element) const {
        return {list, element, num_elements()};
    }

    /// The energy of each atom beyond atomic_energy of its element, [atoms], of the vectors [edges, 3] from sender to
    /// receiver, none of which may be 0. These energies are to be added in double: they are thousands of eV.
    template <class V>
    auto node_energies(const AtomGraph& atoms, const V& vectors) const {
        const index n = atoms.graph.num_dst();
        const auto lengths = eval(sqrt(sum<1>(square(vectors))));
        // nequip's vectors are from receiver to sender.
        const auto harmonics =
            so3::spherical_harmonics(degrees_, eval(-vectors), {.normalization = so3::Normalization::component});
        // Both edges of a pair have the same radial functions.
        const bool paired = atoms.edge_of_pair.size() > 0;
        using Radial = decltype(radial_functions(lengths));
        const Radial radial =
            tables_.empty() ? radial_functions(paired ? gather(lengths, atoms.edge_of_pair) : lengths) : Radial();
        const auto one_hot = detail::as_operand_of<V>(weft::one_hot<T>(atoms.element, num_elements()));
        auto h = eval(chemical_embedding.linear(one_hot));
        for (std::size_t t = 0; t < layers.size(); ++t) {
            const ConvNetLayer& layer = layers[t];
            const InteractionBlock& conv = layer.conv;
            const auto mixed = conv.linear_1(h);
            const auto sums = tables_.empty()
                                  ? so3::convolution(conv.tp, atoms.graph, mixed, harmonics, conv.fc.hidden(radial),
                                                     conv.fc.last_weight(), atoms.pair_of_edge)
                                  : so3::convolution(conv.tp, atoms.graph, mixed, harmonics, lengths, tables_[t]);
            const auto messages = eval(sums * math::number<T>(1 / std::sqrt(options_.avg_num_neighbors)));
            const auto out = layer.equivariant_nonlin(conv.linear_2(messages) + conv.sc(h, one_hot));
            h = layer.resnet ? eval(h + out) : eval(out);
        }
        if (conv_to_output_hidden) h = eval(conv_to_output_hidden->linear(h));
        return eval(reshape(output_hidden_to_scalar.linear(h), Extents<1>{n}) * scales_of(atoms.element) +
                    math::number<T>(options_.shift));
    }

    void visit(auto&& v) {
        v("radial_basis", radial_basis);
        v("chemical_embedding", chemical_embedding);
        for (std::size_t t = 0; t < layers.size(); ++t)
            v(std::string_view("layer" + std::to_string(t) + "_convnet"), layers[t]);
        v("conv_to_output_hidden", conv_to_output_hidden);
        v("output_hidden_to_scalar", output_hidden_to_scalar);
    }

private:
    /// From features `in` to those of `wanted` that messages can be.
    ConvNetLayer layer(const so3::Irreps& in, const so3::Irreps& species, const so3::Irreps& wanted,
                       Generator* generator) const {
        const auto harmonics = so3::Irreps::spherical_harmonics(options_.l_max);
        const auto reached = [&](const so3::Irrep& ir) {
            for (const so3::MulIrrep& a : in)
                for (const so3::MulIrrep& b : harmonics)
                    if ((a.ir * b.ir).contains(ir)) return true;
            return false;
        };
        const auto part = [&](bool scalar) {
            return wanted.filter(
                [&](const so3::MulIrrep& term) { return (term.ir.l == 0) == scalar && reached(term.ir); });
        };
        const so3::Irreps scalars = part(true), gated = part(false);
        std::vector<so3::MulIrrep> gates; // 0e is always reached: it is in `in`
        for (const so3::MulIrrep& term : gated) gates.push_back({term.mul, {0, 1}});
        std::vector<so3::Function> functions;
        for (const so3::MulIrrep& term : scalars)
            functions.push_back(term.ir.p == 1 ? options_.even_scalars : options_.odd_scalars);

        ConvNetLayer layer;
        layer.equivariant_nonlin =
            so3::Gate(scalars, functions, gates, std::vector<so3::Function>(gates.size(), options_.gates), gated);
        layer.resnet = options_.resnet && layer.equivariant_nonlin.irreps_out() == in;
        const so3::Irreps& out = layer.equivariant_nonlin.irreps_in();
        InteractionBlock& conv = layer.conv;
        conv.tp = so3::ConvolutionTensorProduct(in, harmonics, out);
        conv.linear_1 = so3::Linear<T>(in, in, {.generator = generator});
        std::vector<index> widths{options_.num_bessels};
        widths.insert(widths.end(), options_.radial_mlp.begin(), options_.radial_mlp.end());
        widths.push_back(conv.tp.weight_numel());
        conv.fc = so3::FullyConnectedNet<T>(widths, options_.even_scalars, {.generator = generator});
        conv.linear_2 = so3::Linear<T>(conv.tp.irreps_out(), out, {.generator = generator});
        conv.sc = so3::WeightedTensorProduct<T>(so3::FullyConnectedTensorProduct(in, species, out), generator);
        return layer;
    }

    /// [edges, num_bessels] of distances [edges]
    template <class R>
    auto radial_functions(const R& lengths) const {
        using U = typename R::value_type;
        const auto& own = radial_basis.basis.bessel_weights;
        const auto weights = [&] {
            if constexpr (std::same_as<U, T>)
                return detail::as_operand_of<R>(own);
            else // of a table: constants
                return Tensor<U, 1>(cast<typename weft::detail::DualScalar<U>::type>(own.value()));
        }();
        const auto envelope = so3::polynomial_cutoff(lengths, options_.r_max, options_.polynomial_cutoff_p);
        return detail::bessel_functions(lengths, eval(weights * math::number<U>(1 / options_.r_max)),
                                        2 / options_.r_max, envelope);
    }
    Tensor<T, 1> scales_of(const Tensor<std::int32_t, 1>& element) const {
        auto scales = Tensor<T, 1>::empty(element.shape());
        T* const to = scales.mutable_data();
        for (index a = 0; a < element.size(); ++a)
            to[a] = math::number<T>(options_.scale *
                                    options_.per_type_energy_scales[static_cast<std::size_t>(element.data()[a])]);
        return scales;
    }

    NequipOptions options_;
    /// Of the layers; none if networks are used.
    std::vector<so3::RadialTable<typename weft::detail::DualScalar<T>::type>> tables_;
    std::vector<int> degrees_ = so3::degrees_up_to(options_.l_max); // of the harmonics
};

} // namespace weft::inline WEFT_ABI::potential
