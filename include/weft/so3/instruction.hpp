// SPDX-License-Identifier: MIT
#pragma once

#include <weft/so3/irreps.hpp>
#include <weft/so3/wigner_3j.hpp>

/// The paths of a tensor product: which terms of two feature vectors are coupled to which term of the result.
namespace weft::inline WEFT_ABI::so3 {

/// How the copies of the two terms are paired and weighted, named as in e3nn. With u, v, w the copies of the first, the
/// second and the resulting term and z(u, v) the coupled irrep of a pair:
enum class ProductMode {
    uvw,         ///< y_w = sum W_uvw z(u, v); weights [m1, m2, m3]
    uvu,         ///< y_u = sum over v of W_uv z(u, v); weights [m1, m2]; m3 = m1
    uvv,         ///< y_v = sum over u of W_uv z(u, v); weights [m1, m2]; m3 = m2
    uuw,         ///< y_w = sum W_uw z(u, u); weights [m1, m3]; m1 = m2; without weights m3 = 1
    uuu,         ///< y_u = W_u z(u, u); weights [m1]; all multiplicities are equal
    uvuv,        ///< y_uv = W_uv z(u, v); weights [m1, m2]; m3 = m1 m2
    upper,       ///< "uvu<v": y_q = W_q z(u, v) for the pairs q with u < v, row by row; m1 = m2, m3 = m1 (m1 - 1) / 2
    upper_mixed, ///< "u<vw": y_w = sum W_qw z(u, v) over these pairs; weights [m1 (m1 - 1) / 2, m3]
};

namespace detail {

inline constexpr std::string_view mode_names[] = {"uvw", "uvu", "uvv", "uuw", "uuu", "uvuv", "uvu<v", "u<vw"};
inline std::string_view mode_name(ProductMode mode) { return mode_names[static_cast<std::size_t>(mode)]; }

} // namespace detail

/// The mode of that name in e3nn. Errors: there is none.
inline ProductMode product_mode(std::string_view name) {
    for (std::size_t m = 0; m < std::size(detail::mode_names); ++m)
        if (detail::mode_names[m] == name) return static_cast<ProductMode>(m);
    throw error("product_mode", "{} must be uvw, uvu, uvv, uuw, uuu, uvuv, uvu<v or u<vw",
                io::detail::quote_name(name));
}

/// One path: terms in1 and in2 are coupled to term out.
struct Instruction {
    index in1 = 0, in2 = 0, out = 0;
    ProductMode mode = ProductMode::uvw;
    bool has_weight = true;
    double path_weight = 1; ///< of the variance that the path adds
};

/// What the coefficient of a path makes 1 where inputs and weights have variance 1: that of the components of the
/// result, or of the square of its norm; `none`: nothing is scaled.
enum class IrrepNormalization { component, norm, none };
/// Whether every element (product of copies) adds the same to the variance of a term of the result, or every path.
enum class PathNormalization { element, path, none };

namespace detail {

/// A pair of copies that a path couples, the copy of the result that it goes to where pairs are not mixed, and the row
/// of its weights.
struct ProductPair {
    index u, v, out, row;
};

/// The pairs of a path, ordered by v, and of what shape its weights are: `columns` 0, one weight for each pair, else
/// one for each pair and copy of the result.
struct ProductPairs {
    std::vector<ProductPair> pairs;
    index rows = 0, columns = 0;
    index weights() const { return rows * std::max<index>(columns, 1); }
};

/// Errors: the multiplicities do not fit the mode.
inline ProductPairs product_pairs(const Instruction& path, const MulIrrep& a, const MulIrrep& b, const MulIrrep& out) {
    const index m1 = a.mul, m2 = b.mul, m3 = out.mul;
    const auto require = [&](bool holds, const char* rule) {
        if (!holds)
            throw error("TensorProduct", "the path {} x {} -> {} in mode {}: {}", irreps_text(a), irreps_text(b),
                        irreps_text(out), mode_name(path.mode), rule);
    };
    ProductPairs all;
    const auto every_pair = [&](auto&& out_of) {
        all.rows = m1 * m2;
        for (index v = 0; v < m2; ++v)
            for (index u = 0; u < m1; ++u) all.pairs.push_back({u, v, out_of(u, v), u * m2 + v});
    };
    const auto upper_pairs = [&] {
        require(m1 == m2, "both inputs must have the same multiplicity");
        all.rows = m1 * (m1 - 1) / 2;
        for (index v = 0; v < m1; ++v)
            for (index u = 0; u < v; ++u) {
                const index q = u * m1 - u * (u + 1) / 2 + v - u - 1;
                all.pairs.push_back({u, v, q, q});
            }
    };
    switch (path.mode) {
    case ProductMode::uvw:
        require(path.has_weight, "this mode has weights");
        every_pair([](index, index) { return index{0}; });
        all.columns = m3;
        break;
    case ProductMode::uvu:
        require(m1 == m3, "the result must have the multiplicity of the first input");
        every_pair([](index u, index) { return u; });
        break;
    case ProductMode::uvv:
        require(m2 == m3, "the result must have the multiplicity of the second input");
        every_pair([](index, index v) { return v; });
        break;
    case ProductMode::uuw:
    case ProductMode::uuu:
        require(m1 == m2, "both inputs must have the same multiplicity");
        all.rows = m1;
        for (index u = 0; u < m1; ++u) all.pairs.push_back({u, u, path.mode == ProductMode::uuu ? u : 0, u});
        if (path.mode == ProductMode::uuu)
            require(m1 == m3, "the result must have the multiplicity of the inputs");
        else if (path.has_weight)
            all.columns = m3;
        else
            require(m3 == 1, "without weights the result must have multiplicity 1");
        break;
    case ProductMode::uvuv:
        require(m1 * m2 == m3, "the result must have the multiplicity of the first input times that of the second");
        every_pair([&](index u, index v) { return u * m2 + v; });
        break;
    case ProductMode::upper:
        upper_pairs();
        require(all.rows == m3, "the result must have a copy for each pair u < v");
        break;
    case ProductMode::upper_mixed:
        require(path.has_weight, "this mode has weights");
        upper_pairs();
        all.columns = m3;
        break;
    }
    return all;
}

/// How many products of copies add to one copy of the result.
inline index product_elements(ProductMode mode, index m1, index m2) {
    switch (mode) {
    case ProductMode::uvw:
        return m1 * m2;
    case ProductMode::uvu:
        return m2;
    case ProductMode::uvv:
    case ProductMode::uuw:
        return m1;
    case ProductMode::upper_mixed:
        return m1 * (m1 - 1) / 2;
    default:
        return 1;
    }
}

} // namespace detail
} // namespace weft::inline WEFT_ABI::so3
