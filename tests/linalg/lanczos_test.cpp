// SPDX-License-Identifier: MIT
#include "core/tensor_checks.hpp"

#include <weft/core/ops.hpp>
#include <weft/linalg/lanczos.hpp>

using namespace weft_test;
using weft::lanczos, weft::matmul, weft::Tensor;
using Matrix = Tensor<double, 2>;

namespace {

double largest(const Matrix& x) {
    double m = 0;
    for (const double v : x.values()) m = std::max(m, std::abs(v));
    return m;
}

// Q diag(values) Q^T with a Q that is a product of two reflections.
struct Reflected {
    Tensor<double, 1> values;
    Matrix v = weft::qr(numbers<double, 2>({values.size(), 2}, 3)).q;

    Matrix reflect(const Matrix& x) const { return x - 2.0 * matmul(v, matmul(weft::transpose(v), x)); }
    Matrix operator()(const Matrix& x) const { return reflect(Matrix(unsqueeze(values, 1) * reflect(x))); }
};

// The lowest eigenpairs: values as given, in ascending order, and orthonormal vectors that are eigenvectors.
void require_lowest(const Reflected& a, weft::index count, double tolerance) {
    const auto n = a.values.size();
    weft::index products = 0;
    const auto found = lanczos(n, count,
                               [&](const Matrix& x) {
                                   ++products;
                                   return a(x);
                               },
                               {.tolerance = tolerance});
    INFO(products << " products");
    std::vector<double> sorted(a.values.values().begin(), a.values.values().end());
    std::sort(sorted.begin(), sorted.end());
    REQUIRE(found.values.size() == count);
    REQUIRE(found.vectors.shape() == weft::Extents<2>{n, count});
    for (weft::index i = 0; i < count; ++i)
        REQUIRE(std::abs(found.values(i) - sorted[static_cast<std::size_t>(i)]) < 1e-9);
    Matrix gram = matmul(weft::transpose(found.vectors), found.vectors);
    for (weft::index i = 0; i < count; ++i) gram(i, i) -= 1;
    REQUIRE(largest(gram) < 1e-12);
    REQUIRE(largest(a(found.vectors) - found.vectors * unsqueeze(found.values, 0)) < 3 * tolerance);
}

} // namespace

TEST_CASE("the lowest eigenpairs of matrices that are only multiplied with", "[linalg]") {
    const weft::index n = 700;
    for (const weft::index count : {1, 2, 5, 16}) {
        CAPTURE(count);
        auto values = numbers<double, 1>({n});
        require_lowest({values}, count, 1e-10);
        // The lowest eigenvalues are multiple; the same with many equal ones above, and all equal.
        for (weft::index i = 0; i < 7; ++i) values(13 * i + 1) = -3;
        values(8) = values(9) = -2.5;
        require_lowest({values}, count, 1e-10);
        for (weft::index i = 200; i < n; ++i) values(i) = 1;
        require_lowest({values}, count, 1e-10);
        require_lowest({Tensor<double, 1>::full({n}, 0.5)}, count, 1e-10);
        require_lowest({Tensor<double, 1>::zeros({n})}, count, 1e-10);
    }
    // Close to each other, as in a path: many restarts.
    auto values = Tensor<double, 1>::empty({n});
    for (weft::index i = 0; i < n; ++i) values(i) = 1 - std::cos(3.14159265358979 * double(i) / double(n));
    require_lowest({values}, 4, 1e-10);
    // Small ones go to the dense solver.
    for (const weft::index small : {1, 2, 30}) require_lowest({numbers<double, 1>({small})}, small, 1e-10);
    // And those that are hardly larger than the basis would be, which is 103.
    for (weft::index few = 98; few < 110; ++few) require_lowest({numbers<double, 1>({few})}, 2, 1e-10);
    REQUIRE(lanczos(3, 0, Reflected{numbers<double, 1>({3})}).vectors.shape() == weft::Extents<2>{3, 0});
    REQUIRE(lanczos(0, 0, [](const Matrix& x) { return x; }).values.size() == 0);
}

TEST_CASE("Lanczos finds the same on any number of threads", "[linalg]") {
    auto values = numbers<double, 1>({800});
    for (weft::index i = 0; i < 20; ++i) values(i) -= 10;
    const Reflected a{values};
    require_thread_independent([&] { return lanczos(800, 20, a, {.tolerance = 1e-4}).vectors; });
}

TEST_CASE("errors of Lanczos", "[linalg]") {
    const Reflected a{numbers<double, 1>({600})};
    REQUIRE(error_of([&] { (void)lanczos(600, 601, a); }) ==
            "weft: lanczos: count is 601: it must be from 0 to 600, the size");
    REQUIRE_THAT(error_of([&] { (void)lanczos(600, -1, a); }), ContainsSubstring("count is -1"));
    REQUIRE_THAT(error_of([&] { (void)lanczos(600, 3, a, {.tolerance = 1e-30, .max_restarts = 2}); }),
                 ContainsSubstring("no convergence after 2 restarts"));
}
