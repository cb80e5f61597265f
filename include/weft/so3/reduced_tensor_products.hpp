// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/ops.hpp>
#include <weft/core/views.hpp>
#include <weft/io/message.hpp>
#include <weft/linalg/matmul.hpp>
#include <weft/so3/coupling_basis.hpp>

#include <map>
#include <optional>
#include <set>
#include <string>

namespace weft::inline WEFT_ABI::so3 {

namespace detail {

/// The symmetries of a tensor that a formula such as "ijk=-jik" states: signed permutations of its axes.
struct IndexSymmetry {
    using Signed = std::pair<std::vector<std::size_t>, int>;
    std::string axes;              // their letters
    std::set<Signed> permutations; // the group of all that follow

    explicit IndexSymmetry(std::string_view formula) {
        const auto wrong = [&](const char* rule) {
            return error("ReducedTensorProducts", "{}: {}, as in \"ijk=-jik\"", io::detail::quote_name(formula), rule);
        };
        for (std::size_t begin = 0, end = 0; end != formula.npos; begin = end + 1) {
            end = formula.find('=', begin);
            std::string_view letters = formula.substr(begin, end - begin);
            const int sign = letters.starts_with('-') ? -1 : 1;
            if (sign < 0) letters.remove_prefix(1);
            if (axes.empty()) {
                axes = letters;
                if (sign < 0 || axes.empty()) throw wrong("must begin with the letters of the axes");
                if (axes.size() > 8) throw wrong("there must be at most 8 axes");
            }
            if (letters.size() != axes.size()) throw wrong("each part must have the same letters");
            Signed made{{}, sign};
            for (const char axis : axes) {
                made.first.push_back(letters.find(axis));
                if (made.first.back() == letters.npos || axes.find(axis) != axes.rfind(axis))
                    throw wrong("each part must have the same letters, each once");
            }
            permutations.insert(made);
        }
        // Products of the stated ones until there are no new ones.
        const std::vector<Signed> stated(permutations.begin(), permutations.end());
        for (std::vector<Signed> fresh = stated; !fresh.empty();) {
            std::vector<Signed> next;
            for (const auto& [first, first_sign] : fresh)
                for (const auto& [second, second_sign] : stated) {
                    Signed both{{}, first_sign * second_sign};
                    for (const std::size_t axis : first) both.first.push_back(second[axis]);
                    if (permutations.insert(both).second) next.push_back(both);
                }
            fresh = std::move(next);
        }
    }
};

} // namespace detail

/// Options of `ReducedTensorProducts`.
struct ReducedTensorProductsOptions {
    std::optional<Irreps> filter_ir_out = {}; ///< only these irreps of the result
    std::optional<Irreps> filter_ir_mid = {}; ///< only these irreps of products of the first two factors, three, ...
};

/// The tensors with several axes, each of which turns as its irreps do, and a symmetry of these axes, as a sum of
/// irreps: `ReducedTensorProducts("ij=-ji", {{"i", "1o"}})` is the antisymmetric product of two vectors, 1e. As
/// e3nn.o3.ReducedTensorProducts: the components of a copy of an irrep are tensors whose squares have the sum 2l + 1 in
/// all, orthogonal to those of other copies. Which basis the copies of the same irrep have is not determined by that.
class ReducedTensorProducts {
public:
    /// `irreps`: of each letter of the formula, or of one of those that the formula exchanges. Errors: the formula is
    /// none; a letter has no irreps, or other ones than one it is exchanged with.
    ReducedTensorProducts(std::string_view formula, std::map<std::string, Irreps> irreps,
                          const ReducedTensorProductsOptions& options = {}) {
        const detail::IndexSymmetry symmetry(formula);
        set_inputs(formula, symmetry, irreps);
        const auto couplings =
            detail::coupled_one_by_one("ReducedTensorProducts", inputs_, [&](const Irrep& ir, std::size_t coupled) {
                if (coupled > 1 && options.filter_ir_mid && !options.filter_ir_mid->contains(ir)) return false;
                return coupled < inputs_.size() || !options.filter_ir_out || options.filter_ir_out->contains(ir);
            });
        index size = 1;
        for (const Irreps& input : inputs_) size *= input.dim();
        std::vector<std::vector<double>> basis; // of the irrep at hand, [2l + 1, size] each
        std::vector<double> rows;
        std::vector<MulIrrep> terms;
        for (const detail::PartialCoupling& coupling : couplings) {
            if (terms.empty() || terms.back().ir != coupling.ir) {
                basis.clear();
                terms.push_back({0, coupling.ir});
            }
            std::vector<double> q = symmetrized(coupling, symmetry, size);
            // Twice, since what is left of a tensor nearly in the span of the others is not orthogonal yet.
            for (int pass = 0; pass < 2; ++pass)
                for (const auto& other : basis) {
                    const double part = dot(q, other) / coupling.ir.dim();
                    for (std::size_t i = 0; i < q.size(); ++i) q[i] -= part * other[i];
                }
            const double squares = dot(q, q);
            if (squares < 1e-9) continue;
            for (double& x : q) x *= std::sqrt(coupling.ir.dim() / squares);
            rows.insert(rows.end(), q.begin(), q.end());
            basis.push_back(std::move(q));
            ++terms.back().mul;
        }
        irreps_out_ = Irreps(terms).simplify();
        change_of_basis_ = Tensor<double, 2>::from(std::span<const double>(rows), {irreps_out_.dim(), size});
    }

    /// Of the factors, one for each axis, in the order of the formula's letters.
    const std::vector<Irreps>& irreps_in() const { return inputs_; }
    const Irreps& irreps_out() const { return irreps_out_; }
    /// Q [dim of the result, product of the factors' dims]: tensors of the basis, row-major.
    const Tensor<double, 2>& change_of_basis() const { return change_of_basis_; }

    /// The product of x [N, dim] of each factor in that basis: y [N, dim of the result],
    /// y_k = sum over i, j, ... of Q_kij... x1_i x2_j .... O(N dim of the result, product of the dims). Errors: another
    /// number of factors; the shapes do not fit.
    template <Expression X, Expression... More>
    auto operator()(const X& x, const More&... more) const {
        using T = typename X::value_type;
        if (sizeof...(more) + 1 != inputs_.size())
            throw error("ReducedTensorProducts", "{} factors: must be {}", sizeof...(more) + 1, inputs_.size());
        std::size_t factor = 0;
        const auto check = [&](const auto& f) {
            const Irreps& irreps = inputs_[factor++];
            if (f.shape() != Extents<2>{x.extent(0), irreps.dim()})
                throw error("ReducedTensorProducts", "factor {} is {}: must be [{}, {}], features of {}", factor,
                            weft::detail::shape_text(f.shape()), x.extent(0), irreps.dim(),
                            detail::irreps_text(irreps));
        };
        check(x);
        (check(more), ...);
        const Tensor<T, 2> q = cast<T>(transpose(change_of_basis_));
        return matmul(outer(contiguous(x), more...), q);
    }

private:
    void set_inputs(std::string_view formula, const detail::IndexSymmetry& symmetry,
                    std::map<std::string, Irreps>& irreps) {
        for (const auto& [letter, of_letter] : irreps)
            if (letter.size() != 1 || symmetry.axes.find(letter) == symmetry.axes.npos)
                throw error("ReducedTensorProducts", "\"{}\" has no axis {}, of which irreps are given", formula,
                            letter);
        for (const auto& [permutation, sign] : symmetry.permutations)
            for (std::size_t axis = 0; axis < permutation.size(); ++axis) {
                const std::string a(1, symmetry.axes[axis]), b(1, symmetry.axes[permutation[axis]]);
                if (!irreps.contains(a)) continue;
                if (irreps.try_emplace(b, irreps.at(a)).first->second != irreps.at(a))
                    throw error("ReducedTensorProducts",
                                "\"{}\": the axes {} and {} must have the same irreps, not {} and {}", formula, a, b,
                                detail::irreps_text(irreps.at(a)), detail::irreps_text(irreps.at(b)));
            }
        for (const char axis : symmetry.axes) {
            const std::string letter(1, axis);
            if (!irreps.contains(letter))
                throw error("ReducedTensorProducts", "\"{}\": the irreps of axis {} are not given", formula, letter);
            inputs_.push_back(irreps.at(letter));
        }
    }
    /// The mean over all symmetries of a coupling, [2l + 1, size].
    std::vector<double> symmetrized(const detail::PartialCoupling& coupling, const detail::IndexSymmetry& symmetry,
                                    index size) const {
        std::vector<double> mean(static_cast<std::size_t>(coupling.ir.dim() * size));
        const std::size_t axes = inputs_.size();
        std::vector<index> at(axes);
        for (const auto& entry : coupling.entries) {
            index rest = entry.position;
            for (std::size_t a = axes; a-- > 0; rest /= inputs_[a].dim()) at[a] = rest % inputs_[a].dim();
            for (const auto& [permutation, sign] : symmetry.permutations) {
                index position = entry.component;
                for (std::size_t a = 0; a < axes; ++a) position = position * inputs_[a].dim() + at[permutation[a]];
                mean[static_cast<std::size_t>(position)] +=
                    sign * entry.value / static_cast<double>(symmetry.permutations.size());
            }
        }
        return mean;
    }
    static double dot(const std::vector<double>& a, const std::vector<double>& b) {
        double sum = 0;
        for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
        return sum;
    }
    template <Expression X>
    static auto outer(const X& x) {
        return x;
    }
    template <Expression X, Expression Y, Expression... More>
    static auto outer(const X& x, const Y& y, const More&... more) {
        const auto both = contiguous(unsqueeze(x, 2) * unsqueeze(contiguous(y), 1));
        return outer(reshape(both, Extents<2>{x.extent(0), x.extent(1) * y.extent(1)}), more...);
    }

    std::vector<Irreps> inputs_;
    Irreps irreps_out_;
    Tensor<double, 2> change_of_basis_;
};

} // namespace weft::inline WEFT_ABI::so3
