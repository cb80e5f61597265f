// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/combine.hpp>
#include <weft/core/views.hpp>
#include <weft/graph/edge_reduce.hpp>
#include <weft/io/any_tensor.hpp>
#include <weft/io/elements.hpp>
#include <weft/potential/as_operand_of.hpp>
#include <weft/potential/atom_graph.hpp>
#include <weft/potential/bessel_functions.hpp>
#include <weft/potential/known_elements.hpp>
#include <weft/potential/mace_options.hpp>
#include <weft/so3/convolution.hpp>
#include <weft/so3/density_projection.hpp>
#include <weft/so3/fully_connected_net.hpp>
#include <weft/so3/linear.hpp>
#include <weft/so3/radial.hpp>
#include <weft/so3/radial_table.hpp>
#include <weft/so3/spherical_harmonics.hpp>
#include <weft/so3/symmetric_contraction.hpp>
#include <weft/so3/weighted_tensor_product.hpp>

#include <optional>
#include <string>
#include <vector>

namespace weft::inline WEFT_ABI::potential {

namespace detail {

/// The couplings that a file brings: U_matrix_n [2l + 1, dim, ..., dim, paths], the first axis left out for scalars.
inline so3::CouplingBasis coupling_basis_of(const io::AnyTensor& tensor, const std::string& key, const so3::Irreps& in,
                                            const so3::Irrep& out, int order) {
    const index paths = tensor.rank() > 0 ? tensor.shape().back() : 0;
    index positions = 1;
    for (int n = 0; n < order; ++n) positions *= in.dim();
    std::vector<index> expected(static_cast<std::size_t>(order), in.dim());
    expected.push_back(paths);
    if (tensor.shape() != expected) {
        expected.insert(expected.begin(), out.dim());
        if (tensor.shape() != expected)
            throw error("MACE", "{} is {}, must be {}", key, weft::detail::shape_text(tensor.shape()),
                        weft::detail::shape_text(expected));
    }
    const io::AnyTensor flat(tensor.dtype(), {tensor.size()}, tensor.storage(), tensor.bytes().data());
    const auto values = flat.to<double, 1>(io::Conversion::rounding, key);
    so3::CouplingBasis basis{in, out, order, paths, {}};
    for (index p = 0; p < paths; ++p)
        for (int component = 0; component < out.dim(); ++component)
            for (index at = 0; at < positions; ++at)
                if (const double value = values.data()[(component * positions + at) * paths + p]; value != 0)
                    basis.entries.push_back({component, at, p, value});
    return basis;
}

} // namespace detail

/// See what MACE::node_energies computes on its way: nothing.
struct SeeNothing {
    /// Does nothing.
    void operator()(std::string_view, int, const auto&) const {}
};

/// MACE (Batatia et al., arXiv 2206.07697): a potential of messages of many bodies, with the parameters and buffers of
/// mace.modules.MACE and ScaleShiftMACE (v0.3), by their names. Lengths in Å, energies in eV.
///
/// Of scalars T = Dual<float> or Dual<double> the model is that of derivatives in the direction of the tangents: see
/// gradient_of_loss.
template <class T>
struct MACE {
    using value_type = T;
    using Scalar = typename weft::detail::DualScalar<T>::type;
    using Buffer = Tensor<double, 1>;

    /// Features of atoms by their element.
    struct NodeEmbedding {
        so3::Linear<T> linear;
        void visit(auto&& v) { v("linear", linear); }
    };
    /// Functions of distances: a basis times a cutoff, of distances that may be transformed first.
    struct RadialEmbedding {
        /// The Bessel functions, whose frequencies may be trained.
        struct Bessel {
            Buffer bessel_weights, r_max, prefactor;
            void visit(auto&& v) {
                v("bessel_weights", bessel_weights);
                v("r_max", r_max);
                v("prefactor", prefactor);
            }
        };
        /// Agnesi's transform of distances by the covalent radii of both atoms.
        struct Agnesi {
            Buffer q, p, a;
            void visit(auto&& v) {
                v("q", q);
                v("p", p);
                v("a", a);
            }
        };
        /// The polynomial envelope.
        struct Cutoff {
            Tensor<std::int32_t, 1> p;
            Buffer r_max;
            void visit(auto&& v) {
                v("p", p);
                v("r_max", r_max);
            }
        };
        Bessel bessel_fn;
        std::optional<Agnesi> distance_transform;
        Cutoff cutoff_fn;
        void visit(auto&& v) {
            v("bessel_fn", bessel_fn);
            v("distance_transform", distance_transform);
            v("cutoff_fn", cutoff_fn);
        }
    };
    /// The screened repulsion of nuclei (Ziegler, Biersack and Littmark), of short distances.
    struct PairRepulsion {
        Buffer c;
        Tensor<std::int32_t, 1> p;
        Buffer a_exp, a_prefactor;
        void visit(auto&& v) {
            v("c", c);
            v("p", p);
            v("a_exp", a_exp);
            v("a_prefactor", a_prefactor);
        }
    };
    /// The energies of isolated atoms.
    struct AtomicEnergies {
        Buffer atomic_energies;
        void visit(auto&& v) { v("atomic_energies", atomic_energies); }
    };
    /// The messages of one layer and what is made of their sums.
    struct Interaction {
        MaceInteraction kind;
        so3::ConvolutionTensorProduct conv_tp;
        so3::Linear<T> linear_up;
        so3::FullyConnectedNet<T> conv_tp_weights;
        so3::Linear<T> linear;
        so3::WeightedTensorProduct<T> skip_tp;
        std::optional<so3::FullyConnectedNet<T>> density_fn;

        void visit(auto&& v) {
            v("linear_up", linear_up);
            v("conv_tp_weights", conv_tp_weights);
            v("linear", linear);
            v("skip_tp", skip_tp);
            v("density_fn", density_fn);
        }
    };
    /// The products of sums of messages with themselves, and the rest.
    struct Product {
        so3::SymmetricContraction<T> symmetric_contractions;
        so3::Linear<T> linear;
        void visit(auto&& v) {
            v("symmetric_contractions", symmetric_contractions);
            v("linear", linear);
        }
    };
    /// The energies of atoms by their features: linear, or with a layer between.
    struct Readout {
        so3::Function gate = so3::Function::none;
        std::optional<so3::Linear<T>> linear, linear_1, linear_2; // one map, or two with the gate between them

        /// One number for each row of features h.
        auto operator()(const auto& h) const {
            if (linear) return (*linear)(h);
            return (*linear_2)(so3::apply_function(gate, (*linear_1)(h), so3::normalize2mom(gate)));
        }
        void visit(auto&& v) {
            v("linear", linear);
            v("linear_1", linear_1);
            v("linear_2", linear_2);
        }
    };
    /// What energies of interaction are multiplied by, and what is added to each atom's.
    struct ScaleShift {
        Buffer scale, shift;
        void visit(auto&& v) {
            v("scale", scale);
            v("shift", shift);
        }
    };

    Tensor<std::int64_t, 1> atomic_numbers;
    Buffer r_max;
    Tensor<std::int64_t, 1> num_interactions;
    NodeEmbedding node_embedding;
    RadialEmbedding radial_embedding;
    std::optional<PairRepulsion> pair_repulsion_fn;
    AtomicEnergies atomic_energies_fn;
    std::vector<Interaction> interactions;
    std::vector<Product> products;
    std::vector<Readout> readouts;
    std::optional<ScaleShift> scale_shift;

    MACE() = default;
    /// Weights as the reference initialises them. `couplings`: tensors
    /// products.t.symmetric_contractions.contractions.k. U_matrix_n of other couplings than those of
    /// so3::coupling_basis, all of them or none. Errors, by name: options that no model has; couplings that are not all
    /// there, or have another shape.
    explicit MACE(const MaceOptions& o, const io::NamedTensors& couplings = {}) : options_(o), couplings_(couplings) {
        detail::require_model(o);
        Generator unseeded;
        if (!o.generator) unseeded = nn::unseeded_generator();
        Generator* const generator = o.generator ? o.generator : &unseeded;
        options_.generator = nullptr;

        const auto buffer = [](std::initializer_list<double> values) { return Buffer::from(values); };
        const auto elements = static_cast<index>(o.atomic_numbers.size());
        atomic_numbers = Tensor<std::int64_t, 1>::empty({elements});
        std::copy(o.atomic_numbers.begin(), o.atomic_numbers.end(), atomic_numbers.mutable_data());
        r_max = buffer({o.r_max});
        num_interactions = Tensor<std::int64_t, 1>::from({o.num_interactions});
        auto bessel = Buffer::empty({o.num_bessel});
        for (index k = 0; k < o.num_bessel; ++k)
            bessel.mutable_data()[k] = std::numbers::pi / o.r_max * static_cast<double>(k + 1);
        radial_embedding.bessel_fn = {bessel, r_max, buffer({std::sqrt(2 / o.r_max)})};
        const auto p = Tensor<std::int32_t, 1>::from({o.num_polynomial_cutoff});
        radial_embedding.cutoff_fn = {p, r_max};
        if (o.agnesi) radial_embedding.distance_transform = {buffer({0.9183}), buffer({4.5791}), buffer({1.0805})};
        if (o.pair_repulsion)
            pair_repulsion_fn = {buffer({0.1818, 0.5099, 0.2802, 0.02817}), p, buffer({0.3}), buffer({0.4543})};
        atomic_energies_fn.atomic_energies = Buffer::from(std::span<const double>(o.atomic_energies), {elements});
        if (o.scale_shift) scale_shift = {buffer({o.scale}), buffer({o.shift})};

        const index channels = o.hidden_irreps[0].mul;
        const so3::Irreps species{{elements, {0, 1}}}, scalars{{channels, {0, 1}}};
        const so3::LinearOptions drawn{.generator = generator};
        node_embedding.linear = so3::Linear<T>(species, scalars, drawn);
        degrees_ = so3::degrees_up_to(o.max_ell);
        const auto harmonics = so3::Irreps::spherical_harmonics(o.max_ell);
        so3::Irreps messages = times(harmonics, channels), in = scalars;
        for (int t = 0; t < o.num_interactions; ++t) {
            const bool last = t + 1 == o.num_interactions;
            const so3::Irreps out = last ? scalars : o.hidden_irreps;
            Interaction& i = interactions.emplace_back();
            i.kind = t == 0 ? o.interaction_first : o.interaction;
            i.conv_tp = so3::ConvolutionTensorProduct(in, harmonics, messages, so3::ConvolutionOrder::by_output);
            i.linear_up = so3::Linear<T>(in, in, drawn);
            std::vector<index> widths{o.num_bessel};
            widths.insert(widths.end(), o.radial_mlp.begin(), o.radial_mlp.end());
            widths.push_back(i.conv_tp.weight_numel());
            i.conv_tp_weights = so3::FullyConnectedNet<T>(widths, so3::Function::silu, {.generator = generator});
            i.linear = so3::Linear<T>(i.conv_tp.irreps_out(), messages, drawn);
            i.skip_tp = so3::WeightedTensorProduct<T>(
                i.kind.residual ? so3::FullyConnectedTensorProduct(in, species, out)
                                : so3::FullyConnectedTensorProduct(messages, species, messages),
                generator);
            if (i.kind.density)
                i.density_fn.emplace(std::vector<index>{o.num_bessel, 1}, so3::Function::silu,
                                     so3::FullyConnectedNetOptions{.generator = generator});
            Product& product = products.emplace_back();
            product.symmetric_contractions = so3::SymmetricContraction<T>(messages, out,
                                                                          {.correlation = o.correlation,
                                                                           .num_elements = elements,
                                                                           .bases = bases(t, harmonics, out),
                                                                           .generator = generator});
            product.linear = so3::Linear<T>(out, out, drawn);
            Readout& readout = readouts.emplace_back();
            if (!last || t == 0) {
                readout.linear.emplace(out, "1x0e", drawn);
            } else {
                readout.gate = o.gate;
                readout.linear_1.emplace(out, o.mlp_irreps, drawn);
                readout.linear_2.emplace(o.mlp_irreps, "1x0e", drawn);
            }
            in = out;
        }
    }

    /// As given.
    const MaceOptions& options() const { return options_; }
    /// What files say of it beside parameters and buffers: two models of the same text and of these are the same.
    std::string config() const { return mace_config(options_); }
    /// The couplings that it was given.
    const io::NamedTensors& couplings() const { return couplings_; }
    /// Errors: buffers that the configuration says otherwise, in the `file`.
    void require_buffers(const std::string& file) const {
        const auto require = [&](const char* name, double value, double expected) {
            if (value != expected && !(std::abs(value - expected) <= 1e-6 * std::abs(expected)))
                throw error("MACE", "{}: {} is {}, the configuration says {}", file, name, value, expected);
        };
        require("r_max", r_max.item(), options_.r_max);
        require("radial_embedding.bessel_fn.r_max", radial_embedding.bessel_fn.r_max.item(), options_.r_max);
        require("radial_embedding.cutoff_fn.r_max", radial_embedding.cutoff_fn.r_max.item(), options_.r_max);
        require("radial_embedding.cutoff_fn.p", radial_embedding.cutoff_fn.p.item(), options_.num_polynomial_cutoff);
        require("num_interactions", static_cast<double>(num_interactions.item()), options_.num_interactions);
        for (index i = 0; i < num_elements(); ++i)
            require("an element of atomic_numbers", static_cast<double>(atomic_numbers.data()[i]),
                    options_.atomic_numbers[static_cast<std::size_t>(i)]);
    }
    /// Elements that the model knows.
    index num_elements() const { return atomic_numbers.size(); }
    /// Atoms further apart do not see each other, in Å.
    double cutoff() const { return options_.r_max; }
    /// Of an isolated atom of element k, in eV.
    double atomic_energy(index k) const { return atomic_energies_fn.atomic_energies.data()[k]; }

    /// The model with the weights of messages read from tables of distances instead of made by a network: faster, and
    /// nearly the same. For molecular dynamics; parameters of these networks do not matter any more. Errors: see
    /// so3::RadialTable.
    MACE tabulated(so3::RadialTableOptions o = {}) const {
        MACE faster = *this;
        faster.tables_.clear();
        const index elements = num_elements();
        o.kinds = options_.agnesi ? elements * elements : 1;
        for (const Interaction& i : interactions)
            faster.tables_.emplace_back(
                [&](const Tensor<Dual<double>, 1>& r, index kind) {
                    const auto pair = Tensor<std::int32_t, 1>::full(r.shape(), static_cast<std::int32_t>(kind));
                    const auto radial = radial_functions(pair, r, SeeNothing{});
                    return &i == interactions.data() ? i.conv_tp_weights.hidden(radial) : i.conv_tp_weights(radial);
                },
                options_.r_max, o);
        return faster;
    }
    /// The same model over other scalars, with the same buffers and parameters of its own, which have no particular
    /// values.
    template <class U>
    MACE<U> over() const {
        Generator generator{0};
        MaceOptions o = options_;
        o.generator = &generator;
        MACE<U> other(o, couplings_);
        std::vector<const Buffer*> buffers;
        nn::for_each_buffer(*this, [&]<class B>(std::string_view, const B& buffer) {
            if constexpr (std::is_same_v<B, Buffer>) buffers.push_back(&buffer);
        });
        std::size_t next = 0;
        nn::for_each_buffer(other, [&]<class B>(std::string_view, B& buffer) {
            if constexpr (std::is_same_v<B, Buffer>) buffer = *buffers[next++];
        });
        return other;
    }
    /// The tables of the layers, none if networks are used.
    const std::vector<so3::RadialTable<Scalar>>& tables() const { return tables_; }

    /// The number of each atom's element among the model's, [atoms], of atomic numbers. Errors: an element that the
    /// model does not know.
    Tensor<std::int32_t, 1> elements_of(std::span<const std::int32_t> numbers) const {
        return detail::elements_of("MACE", atomic_numbers.values(), numbers);
    }
    /// What the model takes: edges g from senders to receivers, and of each atom the number of its element, [atoms].
    AtomGraph atom_graph(const Graph& g, const Tensor<std::int32_t, 1>& element) const {
        return {g, element, num_elements()};
    }
    /// From a list of neighbours, which costs the model less: it says which edges are the two of a pair.
    AtomGraph atom_graph(const NeighborList& list, const Tensor<std::int32_t, 1>& element) const {
        return {list, element, num_elements()};
    }

    /// The energy of each atom beyond that of the isolated one, [atoms], of the vectors [edges, 3] from sender to
    /// receiver, none of which may be 0. The atoms' energies are to be added in double: they are thousands of eV.
    template <class V, class See = SeeNothing>
    auto node_energies(const AtomGraph& atoms, const V& vectors, const See& see = {}) const {
        const auto constant = [](const auto& t) { return detail::as_operand_of<V>(t); };
        const index n = atoms.graph.num_dst(), elements = num_elements();
        const auto one_hot = constant(weft::one_hot<T>(atoms.element, elements));
        const auto present = constant(weft::one_hot<T>(atoms.present, elements));
        const auto embedding = node_embedding.linear(present);

        const auto lengths = eval(sqrt(sum<1>(square(vectors))));
        const auto harmonics =
            so3::spherical_harmonics(degrees_, vectors, {.normalization = so3::Normalization::component});
        see("edge_sh", 0, harmonics);
        // Both edges of a pair have the same radial functions.
        const bool paired = atoms.edge_of_pair.size() > 0;
        const auto element_pair = paired ? gather(atoms.element_pair, atoms.edge_of_pair) : atoms.element_pair;
        const auto pair_lengths = paired ? gather(lengths, atoms.edge_of_pair) : lengths;
        using Radial = decltype(radial_functions(element_pair, pair_lengths, see));
        const Radial radial = needs_radial() ? radial_functions(element_pair, pair_lengths, see) : Radial();
        see("edge_radial", 0, radial);

        std::optional<std::remove_cvref_t<decltype(eval(interactions[0].linear_up(one_hot)))>> h;
        auto energies = pair_energies(atoms, lengths, see);
        for (int t = 0; t < options_.num_interactions; ++t) {
            const Interaction& i = interactions[static_cast<std::size_t>(t)];
            const Product& product = products[static_cast<std::size_t>(t)];
            const auto up = i.linear_up(t == 0 ? embedding : *h); // the first layer's features are the elements'
            see("linear_up", t, up);
            const auto message =
                t == 0 ? first_message(atoms, up, harmonics, first_hidden(radial, pair_lengths, element_pair))
                       : i.linear(convolved(t, atoms, up, harmonics, radial, lengths));
            see("linear", t, message);
            auto a = i.density_fn ? eval(message / (density(i, atoms, radial) + T(1)))
                                  : eval(message * T(static_cast<Scalar>(1 / options_.avg_num_neighbors)));
            if (!i.kind.residual) {
                a = i.skip_tp(a, one_hot);
                see("skip_tp", t, a);
            }
            see("out.0", t, a);
            const auto b = product.symmetric_contractions(a, atoms.element);
            see("symcon", t, b);
            auto mixed = product.linear(b);
            if (i.kind.residual) {
                const auto kept = t == 0 ? gather(i.skip_tp(embedding, present), atoms.place) : i.skip_tp(*h, one_hot);
                see("skip_tp", t, kept);
                mixed = eval(mixed + kept);
            }
            h = mixed;
            see("product", t, *h);
            const auto read = readouts[static_cast<std::size_t>(t)](*h);
            see("readout", t, read);
            energies = eval(energies + reshape(read, Extents<1>{n}));
        }
        if (!scale_shift) return energies;
        return eval(energies * scalar(scale_shift->scale) + scalar(scale_shift->shift));
    }

    void visit(auto&& v) {
        v("atomic_numbers", atomic_numbers);
        v("r_max", r_max);
        v("num_interactions", num_interactions);
        v("node_embedding", node_embedding);
        v("radial_embedding", radial_embedding);
        v("pair_repulsion_fn", pair_repulsion_fn);
        v("atomic_energies_fn", atomic_energies_fn);
        v("interactions", interactions);
        v("products", products);
        v("readouts", readouts);
        v("scale_shift", scale_shift);
    }

private:
    /// The couplings of layer t that there are.
    std::vector<std::vector<so3::CouplingBasis>> bases(int t, const so3::Irreps& in, const so3::Irreps& out) const {
        std::vector<std::vector<so3::CouplingBasis>> all;
        if (couplings_.empty()) return all;
        for (index k = 0; k < out.size(); ++k) {
            all.emplace_back();
            for (int order = 1; order <= options_.correlation; ++order) {
                const std::string key =
                    fmt::format("products.{}.symmetric_contractions.contractions.{}.U_matrix_{}", t, k, order);
                const auto found = std::find_if(couplings_.begin(), couplings_.end(),
                                                [&](const auto& entry) { return entry.first == key; });
                if (found == couplings_.end()) throw error("MACE", "there is no {}, but other couplings", key);
                all.back().push_back(detail::coupling_basis_of(found->second, key, in, out[k].ir, order));
            }
        }
        return all;
    }
    static so3::Irreps times(const so3::Irreps& irreps, index mul) {
        std::vector<so3::MulIrrep> terms;
        for (const so3::MulIrrep& term : irreps) terms.push_back({mul, term.ir});
        return terms;
    }
    static double radius(int number) { return io::covalent_radii[static_cast<std::size_t>(number)]; }
    static T scalar(const Buffer& b) { return math::number<T>(b.item()); }

    /// Whether a network or a density of neighbours is made of the radial functions.
    bool needs_radial() const {
        return tables_.empty() || options_.interaction.density || options_.interaction_first.density;
    }
    /// What the last radial weight of the first layer is multiplied by, [edges, width].
    template <class R, class L>
    auto first_hidden(const R& radial, const L& lengths, const Tensor<std::int32_t, 1>& element_pair) const {
        return tables_.empty() ? interactions[0].conv_tp_weights.hidden(radial)
                               : tables_[0](lengths, table_kinds(element_pair));
    }
    Tensor<std::int32_t, 1> table_kinds(const Tensor<std::int32_t, 1>& element_pair) const {
        return options_.agnesi && num_elements() > 1 ? element_pair : Tensor<std::int32_t, 1>();
    }
    /// The messages of the first layer, where the senders' features are scalars of their elements, up [P, C]: a linear
    /// map of the densities of the elements. The map is the radial weights times the features times the layer's own.
    template <class U, class Y, class H>
    auto first_message(const AtomGraph& atoms, const U& up, const Y& harmonics, const H& hidden) const {
        const Interaction& i = interactions[0];
        const index kinds = up.extent(0), channels = up.extent(1), width = hidden.extent(1);
        const auto density =
            so3::density_projection(atoms.graph, atoms.sender_place, kinds, hidden, harmonics, atoms.pair_of_edge);
        const auto last = detail::as_operand_of<U>(i.conv_tp_weights.last_weight());
        const auto own = detail::as_operand_of<U>(i.linear.weight);
        weft::detail::PoolVector<std::remove_cvref_t<decltype(eval(flatten(matmul(up, up))))>> maps;
        for (int l = 0; l <= options_.max_ell; ++l) {
            const auto at = static_cast<std::size_t>(l);
            const double scale =
                i.conv_tp.path_coefficients()[at] / std::sqrt(2.0 * l + 1) * i.linear.path_coefficients()[at];
            const auto radial_map = slice(last, 1, l * channels, (l + 1) * channels);
            const auto features = eval(unsqueeze(up, 1) * unsqueeze(radial_map, 0) * math::number<T>(scale));
            const auto mixing = reshape(slice(own, 0, l * channels * channels, (l + 1) * channels * channels),
                                        Extents<2>{channels, channels});
            maps.push_back(flatten(matmul(reshape(features, Extents<2>{kinds * width, channels}), mixing)));
        }
        const auto map = maps_->get(kinds, [&] {
            std::vector<so3::MulIrrep> in;
            for (int l = 0; l <= options_.max_ell; ++l) in.push_back({kinds * width, {l, l % 2 == 0 ? 1 : -1}});
            return std::make_shared<const so3::Linear<T>>(
                in, i.linear.irreps_out(),
                so3::LinearOptions{.path_normalization = so3::PathNormalization::none, .internal_weights = false});
        });
        return (*map)(density, concat(0, maps));
    }
    template <class U, class Y, class R, class L>
    auto convolved(int t, const AtomGraph& atoms, const U& up, const Y& harmonics, const R& radial,
                   const L& lengths) const {
        const Interaction& i = interactions[static_cast<std::size_t>(t)];
        if (!tables_.empty())
            return so3::convolution(i.conv_tp, atoms.graph, up, harmonics, lengths,
                                    tables_[static_cast<std::size_t>(t)], table_kinds(atoms.element_pair));
        return so3::convolution(i.conv_tp, atoms.graph, up, harmonics, i.conv_tp_weights.hidden(radial),
                                i.conv_tp_weights.last_weight(), atoms.pair_of_edge);
    }

    /// f(Z of the sender, Z of the receiver) of each pair of elements, see AtomGraph.
    template <class U, class F>
    Tensor<U, 1> of_pairs(const Tensor<std::int32_t, 1>& pair, F&& f) const {
        std::vector<U> table;
        for (const std::int64_t u : atomic_numbers.values())
            for (const std::int64_t v : atomic_numbers.values())
                table.push_back(math::number<U>(f(static_cast<int>(u), static_cast<int>(v))));
        auto values = Tensor<U, 1>::empty(pair.shape());
        U* const to = values.mutable_data();
        for (index e = 0; e < pair.size(); ++e) to[e] = table[static_cast<std::size_t>(pair.data()[e])];
        return values;
    }

    /// Bessel functions of distances, which Agnesi's map may have transformed, times the envelope: [edges, num_bessel].
    template <class R, class See>
    auto radial_functions(const Tensor<std::int32_t, 1>& pair, const R& lengths, const See& see) const {
        using U = typename R::value_type;
        const auto envelope = so3::polynomial_cutoff(lengths, options_.r_max, options_.num_polynomial_cutoff);
        const auto& bessel = radial_embedding.bessel_fn;
        auto rates = Tensor<U, 1>::empty(bessel.bessel_weights.shape());
        for (index k = 0; k < rates.size(); ++k)
            rates.mutable_data()[k] = math::number<U>(bessel.bessel_weights.data()[k]);
        const auto of = [&](const auto& r) {
            return detail::bessel_functions(r, rates, bessel.prefactor.item(), envelope);
        };
        if (!radial_embedding.distance_transform) return of(lengths);
        const auto& map = *radial_embedding.distance_transform;
        const auto inverse_radius = of_pairs<U>(pair, [](int u, int v) { return 2 / (radius(u) + radius(v)); });
        const auto s = eval(lengths * inverse_radius);
        const double q = map.q.item(), p = map.p.item();
        // s^q / (1 + s^(q - p)) with no exponent below 0, so that it has a slope at 0, where tables begin.
        const auto bent = pow(s, math::number<U>(std::max(p, q))) / (U(1) + pow(s, math::number<U>(std::abs(p - q))));
        const auto transformed = eval(U(1) / (U(1) + math::number<U>(map.a.item()) * bent));
        see("edge_transformed_r", 0, transformed);
        return of(transformed);
    }
    /// 1/2 of the screened Coulomb repulsion of the nuclei (Ziegler, Biersack and Littmark) with every neighbour,
    /// [atoms].
    template <class R, class See>
    auto pair_energies(const AtomGraph& atoms, const R& lengths, const See& see) const {
        if (!pair_repulsion_fn) return detail::as_operand_of<R>(Tensor<T, 1>::zeros({atoms.graph.num_dst()}));
        const PairRepulsion& zbl = *pair_repulsion_fn;
        const double exponent = zbl.a_exp.item(), prefactor = zbl.a_prefactor.item();
        const auto s = eval(lengths * of_pairs<T>(atoms.element_pair, [&](int u, int v) {
                                return (std::pow(u, exponent) + std::pow(v, exponent)) / (prefactor * 0.529);
                            }));
        const auto charges = of_pairs<T>(atoms.element_pair, [](int u, int v) { return 0.5 * 14.3996 * u * v; });
        const auto t =
            eval(lengths * of_pairs<T>(atoms.element_pair, [](int u, int v) { return 1 / (radius(u) + radius(v)); }));
        const auto decay = [&](index k, double rate) {
            return math::number<T>(zbl.c.data()[k]) * exp(s * math::number<T>(-rate));
        };
        const auto screened = eval(decay(0, 3.2) + decay(1, 0.9423) + decay(2, 0.4028) + decay(3, 0.2016));
        const auto pairs = eval(charges / lengths * screened * so3::polynomial_cutoff(t, 1, zbl.p.item()));
        const auto energies = eval(sum_in(atoms.graph, edge(pairs)));
        see("pair_node_energy", 0, energies);
        return energies;
    }
    /// The learnt density of neighbours, [atoms, 1].
    template <class R>
    auto density(const Interaction& i, const AtomGraph& atoms, const R& radial) const {
        const auto share = eval(tanh(square((*i.density_fn)(radial))));
        return eval(
            sum_in(atoms.graph, edge(atoms.edge_of_pair.size() > 0 ? gather(share, atoms.pair_of_edge) : share)));
    }

    MaceOptions options_;
    std::vector<int> degrees_; // of the harmonics
    io::NamedTensors couplings_;
    std::vector<so3::RadialTable<Scalar>> tables_;
    /// From densities of so many elements to the first messages.
    std::shared_ptr<weft::detail::DerivedValues> maps_ = std::make_shared<weft::detail::DerivedValues>();
};

} // namespace weft::inline WEFT_ABI::potential
