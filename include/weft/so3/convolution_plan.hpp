// SPDX-License-Identifier: MIT
#pragma once

#include <weft/so3/tensor_product.hpp>

/// What equivariant convolutions know before they run. Features lie in planes there: of every term a few packets of
/// copies, of each its components one behind the other, so that the lanes are copies and the rows of a plane are short.
namespace weft::inline WEFT_ABI::so3::detail {

/// Edges of a node that are handled at once, and of these, in the gradients, those of which the gradients of the
/// matrices are kept at once.
inline constexpr index edge_block = 64, edge_group = 4;
/// From an entry of the matrices of a block to the next one: no power of 2, or one edge's entries would meet in a few
/// sets of the first-level cache.
inline constexpr index matrix_step = edge_block + 16;

/// Where the terms of a feature vector lie in the planes. The copies are filled up with zeros to whole packets.
class PlanarLayout {
public:
    struct Part { // of a term in a plane
        index at, width;
    };

    PlanarLayout() = default;
    PlanarLayout(const Irreps& irreps, index lanes) : lanes_(lanes), dim_(irreps.dim()) {
        index planes = 0, at = 0;
        for (const MulIrrep& term : irreps) {
            terms_.push_back({at, term.mul, term.ir.dim()});
            at += term.dim();
            planes = std::max(planes, (term.mul + plane_width() - 1) / plane_width());
        }
        for (index p = 0; p < planes; ++p) {
            Plane& plane = planes_.emplace_back();
            plane.first = row_;
            for (const Term& t : terms_) {
                const index rest = std::clamp<index>(t.mul - p * plane_width(), 0, plane_width());
                const index width = (rest + lanes - 1) / lanes * lanes;
                plane.parts.push_back({plane.row, width});
                plane.row += width * t.components;
            }
            row_ += plane.row;
        }
    }

    index planes() const { return static_cast<index>(planes_.size()); }
    /// Copies of a term in one plane: four packets.
    index plane_width() const { return 4 * lanes_; }
    /// Elements of a row of that plane, and of all planes together.
    index row(index plane) const { return planes_[static_cast<std::size_t>(plane)].row; }
    index row() const { return row_; }
    index dim() const { return dim_; }
    Part part(index plane, index term) const {
        return planes_[static_cast<std::size_t>(plane)].parts[static_cast<std::size_t>(term)];
    }
    /// Where the row of node n begins in an array of all planes, [plane][node][row].
    index at(index plane, index nodes, index node) const {
        return planes_[static_cast<std::size_t>(plane)].first * nodes + row(plane) * node;
    }

    /// A row in the layout mul_ir, into the planes of node `node` of `nodes`.
    template <class T>
    void pack(const T* from, T* to, index nodes, index node) const {
        for_each_packet(nodes, node, [&](const Term& term, index first, index count, index at) {
            T* const row = to + at;
            if (count < lanes_) std::fill_n(row, term.components * lanes_, T{});
            weft::detail::transpose_block(from + term.at + first * term.components, term.components, count,
                                          term.components, row, lanes_);
        });
    }
    /// Back, of one node.
    template <class T>
    void unpack(const T* from, T* to) const {
        for_each_packet(1, 0, [&](const Term& term, index first, index count, index at) {
            weft::detail::transpose_block(from + at, lanes_, term.components, count,
                                          to + term.at + first * term.components, term.components);
        });
    }

private:
    struct Term {
        index at, mul;
        index components;
    };
    struct Plane {
        index first = 0, row = 0; // elements of the planes before, and of this one's rows
        std::vector<Part> parts;
    };

    /// Calls f(term, first copy, copies, offset in the planes) for all packets of copies.
    template <class F>
    void for_each_packet(index nodes, index node, F&& f) const {
        for (index p = 0; p < planes(); ++p)
            for (std::size_t t = 0; t < terms_.size(); ++t) {
                const Part part = this->part(p, static_cast<index>(t));
                const Term& term = terms_[t];
                for (index u = 0; u < part.width; u += lanes_) {
                    const index first = p * plane_width() + u;
                    f(term, first, std::min(lanes_, term.mul - first),
                      at(p, nodes, node) + part.at + u * term.components);
                }
            }
    }

    index lanes_ = 1, dim_ = 0, row_ = 0;
    std::vector<Term> terms_;
    std::vector<Plane> planes_;
};

/// A path in one plane: offsets in rows of x (in that plane), of sums (in all planes) and of weights, and the copies.
struct ConvolutionStep {
    index plane, x, sums, weights, width;
};
/// A path: out_k += w sum_i M_ik x_i for all copies, with M_ik = sum_j C_ijk Y_j.
struct ConvolutionPath {
    struct Term {
        int entry, j; // M [i][k], row-major
        double value;
    };
    index in, out; // terms
    int l_in, l_out;
    bool diagonal;       // M is a number
    index weight, mul;   // where the weights of an edge begin, and their number
    index filled_weight; // the same with the copies filled up to whole packets
    index matrix = 0;    // where M begins
    std::vector<Term> terms = {};
    struct Factor {
        std::int32_t entry;
        float single; // the value for float
        double value;
    };
    struct Factors {
        index harmonic;
        std::vector<Factor> of;
    };
    std::vector<Factors> factors = {};       // the terms by harmonic
    std::vector<ConvolutionStep> steps = {}; // by plane

    int d_in() const { return 2 * l_in + 1; }
    int d_out() const { return 2 * l_out + 1; }
    index entries() const { return diagonal ? 1 : index{d_in()} * d_out(); }

    /// Sorts the terms by entry, and makes the factors of them. Entries of as many terms, and harmonics of as many
    /// factors, lie one behind the other, so that loops over these are as long as the one before: a processor foresees
    /// where they end.
    void arrange() {
        std::vector<index> count(static_cast<std::size_t>(entries()));
        for (const Term& t : terms) ++count[static_cast<std::size_t>(t.entry)];
        std::stable_sort(terms.begin(), terms.end(), [&](const Term& a, const Term& b) {
            return std::pair(count[static_cast<std::size_t>(a.entry)], a.entry) <
                   std::pair(count[static_cast<std::size_t>(b.entry)], b.entry);
        });
        for (const Term& t : terms) {
            auto f =
                std::find_if(factors.begin(), factors.end(), [&](const Factors& some) { return some.harmonic == t.j; });
            if (f == factors.end()) f = factors.insert(f, Factors{t.j, {}});
            f->of.push_back({t.entry, static_cast<float>(t.value), t.value});
        }
        std::stable_sort(factors.begin(), factors.end(),
                         [](const Factors& a, const Factors& b) { return a.of.size() < b.of.size(); });
    }

    /// Adds to the gradients of the harmonics of a group of edges, [edge_group][harmonics] packets, what follows from
    /// those of this path's matrices, [entries][edge_group] packets.
    template <class T>
    WEFT_NOINLINE void add_harmonics_gradient(const T* matrix_gradient, T* to, index harmonics) const {
        using Scalar = typename weft::detail::DualScalar<T>::type;
        constexpr index w = lanes<T>;
        for (const Factors& f : factors) {
            T* const sums = to + f.harmonic * w;
            Packet<T> sum[edge_group];
#pragma GCC unroll 4
            for (index e = 0; e < edge_group; ++e) sum[e] = load_packet(sums + e * harmonics * w);
            for (const Factor& factor : f.of) {
                const Packet<T> value =
                    splat(T(std::is_same_v<Scalar, float> ? factor.single : static_cast<Scalar>(factor.value)));
                const T* const entry = matrix_gradient + factor.entry * (edge_group * w);
#pragma GCC unroll 4
                for (index e = 0; e < edge_group; ++e) sum[e] = multiply_add(value, load_packet(entry + e * w), sum[e]);
            }
#pragma GCC unroll 4
            for (index e = 0; e < edge_group; ++e) store_packet(sums + e * harmonics * w, sum[e]);
        }
    }
};

/// All of it, for rows of T.
struct ConvolutionPlan {
    PlanarLayout in, out;
    std::vector<ConvolutionPath> paths;
    index dim_harmonics = 0, weight_numel = 0, filled_weights = 0, matrix_entries = 0, largest_matrix = 0;
    double cost = 0; // nanoseconds an edge
    /// Of a product all of whose paths have mode uvu, weights and multiplicity 1 of the second input.
    template <class T>
    ConvolutionPlan(const TensorProductPlan& product, std::type_identity<T>)
        : in(product.in1, lanes<T>), out(product.out, lanes<T>), dim_harmonics(product.in2.dim()),
          weight_numel(product.weight_numel) {
        const auto slices = product.in2.slices();
        index weight = 0;
        for (std::size_t p = 0; p < product.instructions.size(); ++p) {
            const Instruction& i = product.instructions[p];
            const MulIrrep &a = product.in1[i.in1], &b = product.in2[i.in2], &c = product.out[i.out];
            ConvolutionPath path{.in = i.in1,
                                 .out = i.out,
                                 .l_in = a.ir.l,
                                 .l_out = c.ir.l,
                                 .diagonal = b.ir.l == 0,
                                 .weight = weight,
                                 .mul = a.mul,
                                 .filled_weight = filled_weights,
                                 .matrix = matrix_entries};
            const auto at = static_cast<int>(slices[static_cast<std::size_t>(i.in2)].begin);
            for (const Coupling& coupling : *couplings(a.ir.l, b.ir.l, c.ir.l)) {
                path.terms.push_back({path.diagonal ? 0 : coupling.i * c.ir.dim() + coupling.k, at + coupling.j,
                                      product.coefficients[p] * coupling.value});
                if (path.diagonal) break;
            }
            path.arrange();
            matrix_entries += path.entries();
            largest_matrix = std::max(largest_matrix, path.entries());
            weight += a.mul;
            filled_weights += (a.mul + lanes<T> - 1) / lanes<T> * lanes<T>;
            cost += 0.02 * static_cast<double>(a.mul) * static_cast<double>(path.entries() + path.d_out());
            index sums = 0;
            for (index plane = 0; plane < in.planes(); sums += out.row(plane++))
                if (const auto part = in.part(plane, path.in); part.width > 0)
                    path.steps.push_back({plane, part.at, sums + out.part(plane, path.out).at,
                                          path.filled_weight + plane * in.plane_width(), part.width});
            paths.push_back(std::move(path));
        }
    }

    /// Made once for each product and type.
    template <class T>
    static std::shared_ptr<const ConvolutionPlan> of(const TensorProductPlan& product) {
        struct Key {
            bool operator==(const Key&) const = default;
        };
        return product.derived.get(
            Key{}, [&] { return std::make_shared<const ConvolutionPlan>(product, std::type_identity<T>{}); });
    }
};

} // namespace weft::inline WEFT_ABI::so3::detail
