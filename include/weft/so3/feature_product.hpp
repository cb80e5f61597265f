// SPDX-License-Identifier: MIT
#pragma once

#include <weft/io/message.hpp>
#include <weft/linalg/matmul.hpp>
#include <weft/so3/matrix_tensor_product.hpp>
#include <weft/so3/named_products.hpp>
#include <weft/so3/operation_count.hpp>
#include <weft/so3/vector_signal_tensor_product.hpp>

#include <variant>
#include <vector>

/// One interface to all products of features without weights, so that a network, a measure or a benchmark exchanges one
/// for another: by type (whatever is a ProductOfFeatures, also of one's own), or by name at run time (FeatureProduct).
namespace weft::inline WEFT_ABI::so3 {

/// An equivariant product p of degrees up to l1, l2 and l3, whose operands and results p.irreps_in1(), p.irreps_in2()
/// and p.irreps_out() describe: p(x1, x2) of x1 [..., dim1] and x2 [..., dim2] with the same leading axes, such as
/// nodes and channels, is [..., dim of the result], one product for each place, with gradients. p.parity(): whether
/// reflections are in it, else only rotations are. p.paths(): how many triples of irreps are coupled. p.flops(): the
/// multiplications and additions of one product. p.name(): what it is called.
template <class P>
concept ProductOfFeatures = requires(const P& p, const Tensor<float, 3>& x) {
    { p.name() } -> std::convertible_to<std::string_view>;
    { p.irreps_in1() } -> std::convertible_to<Irreps>;
    { p.irreps_in2() } -> std::convertible_to<Irreps>;
    { p.irreps_out() } -> std::convertible_to<Irreps>;
    { p.parity() } -> std::convertible_to<bool>;
    { p.paths() } -> std::convertible_to<index>;
    { p.flops() } -> std::convertible_to<double>;
    { p(x, x) } -> std::convertible_to<Tensor<float, 3>>;
};

/// Copies of irreps, numbered as they are in the features, that a product couples, and its factor of the real 3j
/// symbols.
struct CopyCoupling {
    index in1, in2, out;
    double factor;
};

/// All couplings of a product with factors above 1e-10, by product(x1, x2) of all pairs of components, of x1 and x2
/// [N, dim] in double: of one copy of in1 at a time. O(dim1 dim2 dim of the result) numbers.
template <class Product>
std::vector<CopyCoupling> copy_couplings(const Product& product, const Irreps& in1, const Irreps& in2,
                                         const Irreps& out) {
    struct Copy {
        int l;
        index at;
    };
    const auto copies_of = [](const Irreps& irreps) {
        std::vector<Copy> all;
        index at = 0;
        for (const MulIrrep& t : irreps)
            for (index u = 0; u < t.mul; ++u, at += t.ir.dim()) all.push_back({t.ir.l, at});
        return all;
    };
    const auto first = copies_of(in1), second = copies_of(in2), results = copies_of(out);
    const index dim1 = in1.dim(), dim2 = in2.dim(), dim3 = out.dim();
    std::vector<CopyCoupling> found;
    for (std::size_t a = 0; a < first.size(); ++a) {
        const index components = 2 * first[a].l + 1;
        auto x1 = Tensor<double, 2>::zeros({components * dim2, dim1}),
             x2 = Tensor<double, 2>::zeros({components * dim2, dim2});
        for (index i = 0; i < components; ++i)
            for (index j = 0; j < dim2; ++j) {
                x1.mutable_data()[(i * dim2 + j) * dim1 + first[a].at + i] = 1;
                x2.mutable_data()[(i * dim2 + j) * dim2 + j] = 1;
            }
        const Tensor<double, 2> y = product(x1, x2);
        for (std::size_t b = 0; b < second.size(); ++b)
            for (std::size_t c = 0; c < results.size(); ++c) {
                const int l1 = first[a].l, l2 = second[b].l, l3 = results[c].l;
                if (l3 < std::abs(l1 - l2) || l3 > l1 + l2) continue;
                double factor = 0;
                for (const Coupling& k : *detail::couplings(l1, l2, l3))
                    factor += k.value * y.data()[(k.i * dim2 + second[b].at + k.j) * dim3 + results[c].at + k.k];
                if (std::abs(factor) > 1e-10)
                    found.push_back({static_cast<index>(a), static_cast<index>(b), static_cast<index>(c), factor});
            }
    }
    return found;
}

namespace detail {

/// What products of components of degrees up to l1, l2 and l3 have in common; `parity`: that of irreps of odd degree.
template <class Product>
struct ComponentProduct {
    Product product;

    Irreps irreps(int l) const { return Irreps::spherical_harmonics(l, parity() ? -1 : 1); }
    Irreps irreps_in1() const { return irreps(product.l1()); }
    Irreps irreps_in2() const { return irreps(product.l2()); }
    Irreps irreps_out() const { return irreps(product.l3()); }
    static constexpr bool parity() { return !std::same_as<Product, MatrixTensorProduct>; }
    index paths() const {
        return static_cast<index>(copy_couplings(product, irreps_in1(), irreps_in2(), irreps_out()).size());
    }
    double flops() const {
        return operation_count(product, components_up_to(product.l1()), components_up_to(product.l2()));
    }
    /// x1 [..., dim1] and x2 [..., dim2] to [..., dim of irreps_out()]. Errors: dimensions that do not fit.
    template <Expression X1, Expression X2>
    auto operator()(const X1& x1, const X2& x2) const {
        return contiguous(product(x1, x2));
    }
};

} // namespace detail

/// Every coupling by itself: the result has a term for each path, of natural parity or not, up to degree l3.
struct ClebschGordanProduct {
    FullTensorProduct product;

    /// Of nothing, to be assigned to.
    ClebschGordanProduct() : ClebschGordanProduct(0, 0, 0) {}
    /// Errors: a degree is negative.
    ClebschGordanProduct(int l1, int l2, int l3) {
        if (std::min({l1, l2, l3}) < 0)
            throw error("ClebschGordanProduct", "degrees {}, {}, {}: must not be negative", l1, l2, l3);
        std::vector<MulIrrep> wanted;
        for (int l = 0; l <= l3; ++l)
            for (const int p : {-1, 1}) wanted.push_back({1, {l, p}});
        product = FullTensorProduct(Irreps::spherical_harmonics(l1), Irreps::spherical_harmonics(l2), Irreps(wanted));
    }
    static std::string_view name() { return "clebsch-gordan"; }
    const Irreps& irreps_in1() const { return product.irreps_in1(); }
    const Irreps& irreps_in2() const { return product.irreps_in2(); }
    const Irreps& irreps_out() const { return product.irreps_out(); }
    /// Whether reflections are in it, else only rotations are.
    static constexpr bool parity() { return true; }
    /// Triples of irreps that are coupled.
    index paths() const { return static_cast<index>(product.instructions().size()); }
    /// Operations per row.
    double flops() const { return operation_count(product, irreps_in1().dim(), irreps_in2().dim()); }
    /// x1 [..., dim1] and x2 [..., dim2] to [..., dim of irreps_out()]. Errors: dimensions that do not fit.
    template <Expression X1, Expression X2>
    auto operator()(const X1& x1, const X2& x2) const {
        return contiguous(product(x1, x2));
    }
};

/// The same as one product of matrices: all products of a component of x1 with one of x2, times all couplings, most of
/// which are zero. O(dim1 dim2 dim of the result), O(L^6) for the couplings alone: to compare with, and where the
/// degrees are so low that it costs little.
class DenseClebschGordanProduct {
public:
    /// Of nothing, to be assigned to.
    DenseClebschGordanProduct() : DenseClebschGordanProduct(0, 0, 0) {}
    /// Errors: a degree is negative.
    DenseClebschGordanProduct(int l1, int l2, int l3) : sparse_(l1, l2, l3) {
        const index dim1 = irreps_in1().dim(), dim2 = irreps_in2().dim();
        auto x1 = Tensor<double, 2>::zeros({dim1 * dim2, dim1}), x2 = Tensor<double, 2>::zeros({dim1 * dim2, dim2});
        for (index row = 0; row < dim1 * dim2; ++row) {
            x1.mutable_data()[row * dim1 + row / dim2] = 1;
            x2.mutable_data()[row * dim2 + row % dim2] = 1;
        }
        couplings_ = sparse_(x1, x2);
        single_ = cast<float>(couplings_);
    }
    static std::string_view name() { return "clebsch-gordan-dense"; }
    const Irreps& irreps_in1() const { return sparse_.irreps_in1(); }
    const Irreps& irreps_in2() const { return sparse_.irreps_in2(); }
    const Irreps& irreps_out() const { return sparse_.irreps_out(); }
    /// Whether reflections are in it, else only rotations are.
    static constexpr bool parity() { return true; }
    /// Triples of irreps that are coupled.
    index paths() const { return sparse_.paths(); }
    /// Operations per row.
    double flops() const { return static_cast<double>(couplings_.extent(0) * (1 + 2 * couplings_.extent(1))); }
    /// x1 [..., dim1] and x2 [..., dim2] to [..., dim of irreps_out()]. Errors: dimensions that do not fit.
    template <Expression X1, Expression X2>
    auto operator()(const X1& x1, const X2& x2) const {
        const index dim1 = irreps_in1().dim(), dim2 = irreps_in2().dim(), rows = x1.size() / dim1;
        if (x1.extent(-1) != dim1 || x2.extent(-1) != dim2 || x2.size() != rows * dim2)
            throw error("DenseClebschGordanProduct", "x1 is {}, x2 is {}: must be [..., {}] and [..., {}]",
                        weft::detail::shape_text(x1.shape()), weft::detail::shape_text(x2.shape()), dim1, dim2);
        Extents<X1::rank> shape = x1.shape();
        shape.back() = irreps_out().dim();
        const auto first = reshape(contiguous(x1), Extents<3>{rows, dim1, 1});
        const auto pairs = eval(first * reshape(contiguous(x2), Extents<3>{rows, 1, dim2}));
        return contiguous(reshape(
            matmul(reshape(pairs, Extents<2>{rows, dim1 * dim2}), couplings<typename X1::value_type>()), shape));
    }

private:
    template <class T>
    Tensor<T, 2> couplings() const {
        if constexpr (std::is_same_v<T, float>) {
            return single_;
        } else if constexpr (std::is_same_v<T, double>) {
            return couplings_;
        } else { // Dual
            auto all = Tensor<T, 2>::empty(couplings_.shape());
            for (index i = 0; i < all.size(); ++i)
                all.mutable_data()[i] =
                    T(static_cast<typename weft::detail::DualScalar<T>::type>(couplings_.data()[i]));
            return all;
        }
    }

    ClebschGordanProduct sparse_;
    Tensor<double, 2> couplings_; // [dim1 dim2, dim of the result]
    Tensor<float, 2> single_;
};

/// The product of functions on the sphere: couplings of even l1 + l2 + l3, all those to a degree added up.
struct GauntProduct : detail::ComponentProduct<GauntTensorProduct> {
    GauntProduct() = default;
    /// Of a product that is there.
    explicit GauntProduct(const GauntTensorProduct& p) : ComponentProduct{p} {}
    static std::string_view name() { return "gaunt"; }
};

/// The product of matrices: couplings of all degrees, added up, equivariant under rotations alone.
struct MatrixProduct : detail::ComponentProduct<MatrixTensorProduct> {
    MatrixProduct() = default;
    /// Of a product that is there.
    explicit MatrixProduct(const MatrixTensorProduct& p) : ComponentProduct{p} {}
    static std::string_view name() { return "matrix"; }
};

/// The cross product of vector fields on the sphere: operands and results are vector spherical harmonics.
struct VectorSignalProduct {
    VectorSignalTensorProduct product;

    VectorSignalProduct() = default;
    /// Of a product that is there.
    explicit VectorSignalProduct(const VectorSignalTensorProduct& p) : product(p) {}
    static std::string_view name() { return "vector-signal"; }
    Irreps irreps_in1() const { return product.in1().irreps(); }
    Irreps irreps_in2() const { return product.in2().irreps(); }
    Irreps irreps_out() const { return product.out().irreps(1); } // of two vectors: pseudo-vectors
    /// Whether reflections are in it, else only rotations are.
    static constexpr bool parity() { return true; }
    /// Triples of irreps that are coupled.
    index paths() const {
        return static_cast<index>(copy_couplings(product, irreps_in1(), irreps_in2(), irreps_out()).size());
    }
    /// Three products of matrices, six Gaunt products and three differences.
    double flops() const {
        const auto components = [](const VectorHarmonics& h) { return components_up_to(h.lmax); };
        const VectorHarmonics &a = product.in1(), &b = product.in2(), &c = product.out();
        const auto matrix = [&](const VectorHarmonics& h) { return static_cast<double>(6 * h.dim() * components(h)); };
        return matrix(a) + matrix(b) + matrix(c) + 3 * static_cast<double>(components(c)) +
               6 * operation_count(product.of_scalars(), components(a), components(b));
    }
    /// x1 [..., dim1] and x2 [..., dim2] to [..., dim of irreps_out()]. Errors: dimensions that do not fit.
    template <Expression X1, Expression X2>
    auto operator()(const X1& x1, const X2& x2) const {
        return contiguous(product(x1, x2));
    }
};

/// A product that is chosen at run time.
class FeatureProduct {
public:
    using Any =
        std::variant<ClebschGordanProduct, DenseClebschGordanProduct, GauntProduct, MatrixProduct, VectorSignalProduct>;

    /// The Gaunt product of scalars.
    FeatureProduct() : FeatureProduct(GauntProduct()) {}
    /// One of feature_products, of degrees up to l1, l2, l3. Errors: there is none of that name; the product cannot be
    /// made for these degrees.
    FeatureProduct(std::string_view name, int l1, int l2, int l3);
    /// Any product.
    template <class P>
    requires(std::constructible_from<Any, std::in_place_type_t<P>, const P&>) FeatureProduct(const P& product)
        : any_(product), name_(product.name()) {}

    std::string_view name() const { return name_; }
    Irreps irreps_in1() const {
        return std::visit([](const auto& p) { return Irreps(p.irreps_in1()); }, any_);
    }
    Irreps irreps_in2() const {
        return std::visit([](const auto& p) { return Irreps(p.irreps_in2()); }, any_);
    }
    Irreps irreps_out() const {
        return std::visit([](const auto& p) { return Irreps(p.irreps_out()); }, any_);
    }
    /// Whether reflections are in it, else only rotations are.
    bool parity() const {
        return std::visit([](const auto& p) { return p.parity(); }, any_);
    }
    /// Triples of irreps that are coupled.
    index paths() const {
        return std::visit([](const auto& p) { return p.paths(); }, any_);
    }
    /// Operations per row.
    double flops() const {
        return std::visit([](const auto& p) { return p.flops(); }, any_);
    }
    /// x1 [..., dim1], x2 [..., dim2], at least [N, dim], to [..., dim of the result]. Errors: the extents do not fit.
    /// x1 [..., dim1] and x2 [..., dim2] to [..., dim of irreps_out()]. Errors: dimensions that do not fit.
    template <Expression X1, Expression X2>
    auto operator()(const X1& x1, const X2& x2) const {
        return std::visit([&](const auto& p) { return p(x1, x2); }, any_);
    }

private:
    Any any_;
    std::string_view name_;
};

/// A name, what is behind it, and how it is made of degrees up to l1, l2, l3.
struct FeatureProductChoice {
    std::string_view name, what;
    FeatureProduct (*make)(int l1, int l2, int l3);
};

namespace detail {

template <GauntMethod Method>
FeatureProduct make_gaunt(int l1, int l2, int l3) {
    return GauntProduct(GauntTensorProduct(l1, l2, l3, Method));
}
template <MatrixForm Form>
FeatureProduct make_matrix(int l1, int l2, int l3) {
    return MatrixProduct(MatrixTensorProduct(l1, l2, l3, Form));
}

} // namespace detail

/// All kinds of products, by name.
inline constexpr FeatureProductChoice feature_products[] = {
    {"clebsch-gordan", "every coupling by itself",
     [](int l1, int l2, int l3) -> FeatureProduct { return ClebschGordanProduct(l1, l2, l3); }},
    {"clebsch-gordan-dense", "the same as one product of matrices",
     [](int l1, int l2, int l3) -> FeatureProduct { return DenseClebschGordanProduct(l1, l2, l3); }},
    {"gaunt", "product of functions, by what costs least", detail::make_gaunt<GauntMethod::automatic>},
    {"gaunt-list", "product of functions, by its couplings", detail::make_gaunt<GauntMethod::list>},
    {"gaunt-circles", "product of functions on circles, O(L^3)", detail::make_gaunt<GauntMethod::circles>},
    {"gaunt-grid", "product of functions on a grid of the sphere", detail::make_gaunt<GauntMethod::grid>},
    {"gaunt-fourier", "product of functions by Fourier coefficients", detail::make_gaunt<GauntMethod::fourier>},
    {"matrix", "product of matrices, rotations only", detail::make_matrix<MatrixForm::single>},
    {"matrix-block", "product of matrices of all degrees, rotations only", detail::make_matrix<MatrixForm::block>},
    {"vector-signal", "cross product of vector fields",
     [](int l1, int l2, int l3) -> FeatureProduct {
         return VectorSignalProduct(VectorSignalTensorProduct(l1, l2, l3));
     }},
};

inline FeatureProduct::FeatureProduct(std::string_view name, int l1, int l2, int l3) {
    std::string known;
    for (const FeatureProductChoice& choice : feature_products) {
        if (choice.name == name) {
            *this = choice.make(l1, l2, l3);
            name_ = choice.name;
            return;
        }
        known += (known.empty() ? "" : ", ") + std::string(choice.name);
    }
    throw error("FeatureProduct", "{} must be one of {}", io::detail::quote_name(name), known);
}

} // namespace weft::inline WEFT_ABI::so3
