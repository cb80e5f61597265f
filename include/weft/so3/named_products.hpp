// SPDX-License-Identifier: MIT
#pragma once

#include <weft/so3/tensor_product.hpp>

/// The tensor products that have names in e3nn, and the one of equivariant convolutions: descriptions, whose weights
/// (if there are any) are passed to them or kept by a WeightedTensorProduct.
namespace weft::inline WEFT_ABI::so3 {

namespace detail {

struct ProductPaths {
    std::vector<MulIrrep> out;
    std::vector<Instruction> instructions;

    void add(index i1, index i2, const MulIrrep& term, ProductMode mode, bool has_weight, double path_weight = 1) {
        instructions.push_back({i1, i2, static_cast<index>(out.size()), mode, has_weight, path_weight});
        out.push_back(term);
    }
    /// The terms of the result sorted, and the instructions changed accordingly.
    Irreps sort() {
        const auto sorted = Irreps(out).sort();
        for (Instruction& i : instructions) i.out = sorted.p[static_cast<std::size_t>(i.out)];
        return sorted.irreps;
    }
};

inline bool wanted(const std::optional<Irreps>& filter, const Irrep& ir) {
    return !filter || std::any_of(filter->begin(), filter->end(), [&](const MulIrrep& t) { return t.ir == ir; });
}

} // namespace detail

/// Every pair of input terms is coupled to every term of the result that is in its product, with a weight for each
/// triple of copies (uvw).
struct FullyConnectedTensorProduct : TensorProduct {
    FullyConnectedTensorProduct() = default;
    /// From in1 and in2 to all of `out`.
    FullyConnectedTensorProduct(const Irreps& in1, const Irreps& in2, const Irreps& out,
                                const TensorProductOptions& options = {})
        : TensorProduct(in1, in2, out, paths(in1, in2, out), options) {}

private:
    static std::vector<Instruction> paths(const Irreps& in1, const Irreps& in2, const Irreps& out) {
        std::vector<Instruction> all;
        for (index i = 0; i < in1.size(); ++i)
            for (index j = 0; j < in2.size(); ++j)
                for (index k = 0; k < out.size(); ++k)
                    if ((in1[i].ir * in2[j].ir).contains(out[k].ir)) all.push_back({i, j, k, ProductMode::uvw});
        return all;
    }
};

/// All irreps of the product of two feature vectors, of those in `filter` where it is given: every pair of copies has
/// its own (uvuv), there are no weights. The result is sorted.
struct FullTensorProduct : TensorProduct {
    FullTensorProduct() = default;
    /// Of in1 and in2, which are simplified first.
    FullTensorProduct(const Irreps& in1, const Irreps& in2, const std::optional<Irreps>& filter = {},
                      const TensorProductOptions& options = {})
        : TensorProduct(make(in1.simplify(), in2.simplify(), filter, options)) {}

private:
    static TensorProduct make(const Irreps& in1, const Irreps& in2, const std::optional<Irreps>& filter,
                              const TensorProductOptions& options) {
        detail::ProductPaths paths;
        for (index i = 0; i < in1.size(); ++i)
            for (index j = 0; j < in2.size(); ++j)
                for (const Irrep ir : in1[i].ir* in2[j].ir)
                    if (detail::wanted(filter, ir))
                        paths.add(i, j, {in1[i].mul * in2[j].mul, ir}, ProductMode::uvuv, false);
        const Irreps out = paths.sort();
        return {in1, in2, out, paths.instructions, options};
    }
};

/// The products of copies of the same place in two lists of equally many irreps (uuu), without weights. The result has
/// the order of the inputs. Errors: the lists have different numbers of irreps.
struct ElementwiseTensorProduct : TensorProduct {
    ElementwiseTensorProduct() = default;
    /// Of in1 and in2, which have as many copies.
    ElementwiseTensorProduct(const Irreps& in1, const Irreps& in2, const std::optional<Irreps>& filter = {},
                             const TensorProductOptions& options = {})
        : TensorProduct(make(in1, in2, filter, options)) {}

private:
    static TensorProduct make(const Irreps& in1, const Irreps& in2, const std::optional<Irreps>& filter,
                              const TensorProductOptions& options) {
        if (in1.num_irreps() != in2.num_irreps())
            throw error("ElementwiseTensorProduct", "{} has {} irreps, {} has {}: the numbers must be equal",
                        detail::irreps_text(in1), in1.num_irreps(), detail::irreps_text(in2), in2.num_irreps());
        std::vector<MulIrrep> first, second;
        const Irreps a = in1.simplify(), b = in2.simplify();
        for (index i = 0, j = 0, done1 = 0, done2 = 0; i < a.size() && j < b.size();) {
            const index n = std::min(a[i].mul - done1, b[j].mul - done2);
            first.push_back({n, a[i].ir});
            second.push_back({n, b[j].ir});
            if ((done1 += n) == a[i].mul) ++i, done1 = 0;
            if ((done2 += n) == b[j].mul) ++j, done2 = 0;
        }
        detail::ProductPaths paths;
        for (std::size_t i = 0; i < first.size(); ++i)
            for (const Irrep ir : first[i].ir* second[i].ir)
                if (detail::wanted(filter, ir))
                    paths.add(static_cast<index>(i), static_cast<index>(i), {first[i].mul, ir}, ProductMode::uuu,
                              false);
        return {first, second, paths.out, paths.instructions, options};
    }
};

/// The product of a feature vector with itself, each pair once: call it with x (and weights). Without `out` all irreps
/// (of those in `filter`), no weights, sorted; with `out` fully connected to these.
struct TensorSquare {
    TensorProduct product;

    TensorSquare() = default;
    /// All irreps of the square, or those in `filter`.
    explicit TensorSquare(const Irreps& in, const std::optional<Irreps>& filter = {},
                          const TensorProductOptions& options = {}) {
        detail::ProductPaths paths;
        const Irreps terms = in.simplify();
        for (index i = 0; i < terms.size(); ++i)
            for (index j = i; j < terms.size(); ++j)
                for (const Irrep ir : terms[i].ir* terms[j].ir) {
                    if (!detail::wanted(filter, ir)) continue;
                    const double pairs = pair_weight(terms[i].ir, terms[j].ir, ir, options.irrep_normalization);
                    const index m = terms[i].mul;
                    if (i < j) {
                        paths.add(i, j, {m * terms[j].mul, ir}, ProductMode::uvuv, false, pairs);
                        continue;
                    }
                    if (m > 1) paths.add(i, i, {m * (m - 1) / 2, ir}, ProductMode::upper, false, pairs);
                    if (ir.l % 2 == 0)
                        paths.add(i, i, {m, ir}, ProductMode::uuu, false,
                                  square_weight(terms[i].ir, ir, options.irrep_normalization));
                }
        const Irreps out = paths.sort();
        product = TensorProduct(terms, terms, out, paths.instructions, unscaled(options));
    }
    /// To all of `out`, with weights.
    TensorSquare(const Irreps& in, const Irreps& out, const TensorProductOptions& options = {}) {
        const Irreps terms = in.simplify();
        std::vector<Instruction> all;
        for (index i = 0; i < terms.size(); ++i)
            for (index j = i; j < terms.size(); ++j)
                for (index k = 0; k < out.size(); ++k) {
                    if (!(terms[i].ir * terms[j].ir).contains(out[k].ir)) continue;
                    const double pairs = pair_weight(terms[i].ir, terms[j].ir, out[k].ir, options.irrep_normalization);
                    if (i < j) {
                        all.push_back({i, j, k, ProductMode::uvw, true, pairs});
                        continue;
                    }
                    if (terms[i].mul > 1) all.push_back({i, i, k, ProductMode::upper_mixed, true, pairs});
                    if (out[k].ir.l % 2 == 0)
                        all.push_back({i, i, k, ProductMode::uuw, true,
                                       square_weight(terms[i].ir, out[k].ir, options.irrep_normalization)});
                }
        product = TensorProduct(terms, terms, out, all, unscaled(options));
    }

    /// Number of weights.
    index weight_numel() const { return product.weight_numel(); }
    const Irreps& irreps_in() const { return product.irreps_in1(); }
    const Irreps& irreps_out() const { return product.irreps_out(); }

    /// x [N, dim], weights as those of TensorProduct.
    template <Expression X, Expression... W>
    auto operator()(const X& x, const W&... weights) const {
        const auto landed = eval(x);
        return product(landed, landed, weights...);
    }

private:
    // The squares of components of one vector have another variance than products of two.
    static double pair_weight(const Irrep& a, const Irrep& b, const Irrep& out, IrrepNormalization n) {
        return n == IrrepNormalization::component ? out.dim() : n == IrrepNormalization::norm ? a.dim() * b.dim() : 1;
    }
    static double square_weight(const Irrep& a, const Irrep& out, IrrepNormalization n) {
        const double d = a.dim(), d_out = out.dim();
        if (n == IrrepNormalization::component) return out.l == 0 ? d_out / (d + 2) : d_out / 2;
        if (n == IrrepNormalization::norm) return out.l == 0 ? d_out * d : d * (d + 2) / 2;
        return 1;
    }
    static TensorProductOptions unscaled(TensorProductOptions options) {
        options.irrep_normalization = IrrepNormalization::none;
        return options;
    }
};

/// In which order the weights of a convolution are, and the terms of its result: both as the paths are found, by input
/// term, degree of the spherical harmonics and irrep (`unsorted`); the terms sorted (`by_input`: e3nn's models); or the
/// weights in the order of the sorted terms too (`by_output`: NequIP, MACE).
enum class ConvolutionOrder { by_input, by_output, unsorted };

/// The product of equivariant convolutions: features with spherical harmonics, each copy of a feature for itself with
/// one weight per path (uvu), to all irreps of the product, or those in `filter`.
struct ConvolutionTensorProduct : TensorProduct {
    ConvolutionTensorProduct() = default;
    /// Of the features of nodes and the harmonics of edges.
    ConvolutionTensorProduct(const Irreps& features, const Irreps& harmonics, const std::optional<Irreps>& filter = {},
                             ConvolutionOrder order = ConvolutionOrder::by_input,
                             const TensorProductOptions& options = {})
        : TensorProduct(make(features, harmonics, filter, order, options)) {}

private:
    static TensorProduct make(const Irreps& features, const Irreps& harmonics, const std::optional<Irreps>& filter,
                              ConvolutionOrder order, const TensorProductOptions& options) {
        detail::ProductPaths paths;
        for (index i = 0; i < features.size(); ++i)
            for (index j = 0; j < harmonics.size(); ++j)
                for (const Irrep ir : features[i].ir* harmonics[j].ir)
                    if (detail::wanted(filter, ir)) paths.add(i, j, {features[i].mul, ir}, ProductMode::uvu, true);
        const Irreps out = order == ConvolutionOrder::unsorted ? Irreps(paths.out) : paths.sort();
        if (order == ConvolutionOrder::by_output)
            std::stable_sort(paths.instructions.begin(), paths.instructions.end(),
                             [](const Instruction& a, const Instruction& b) { return a.out < b.out; });
        return {features, harmonics, out, paths.instructions, options};
    }
};

} // namespace weft::inline WEFT_ABI::so3
