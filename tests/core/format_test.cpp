// SPDX-License-Identifier: MIT
#include "tensor_checks.hpp"

#include <weft/core/format.hpp>
#include <weft/core/views.hpp>

#include <complex>
#include <sstream>

using weft::Dual, weft::dyn, weft::Shape, weft::Tensor;

TEST_CASE("format: elements are aligned under a line of type and shape", "[core]") {
    const auto x = Tensor<float, 2>::from({{1, 2.5f, -3}, {1.0f / 3, 5, 6e20f}});
    REQUIRE(fmt::format("{}", x) == "float32 [2, 3]\n"
                                    "[[       1,      2.5,       -3],\n"
                                    " [0.333333,        5,    6e+20]]");
    REQUIRE(fmt::format("{:.2f}", weft::slice(x, 1, 0, 2)) == "float32 [2, 2]\n"
                                                              "[[1.00, 2.50],\n"
                                                              " [0.33, 5.00]]");
    REQUIRE(fmt::format("{}", weft::transpose(Tensor<int, 2>::from({{1, 2}, {30, 4}}))) == "int32 [2, 2]\n"
                                                                                           "[[ 1, 30],\n"
                                                                                           " [ 2,  4]]");
    REQUIRE(fmt::format("{}", Tensor<double, 3>::from({{{1}, {2}}, {{3}, {4}}})) == "float64 [2, 2, 1]\n"
                                                                                    "[[[1],\n"
                                                                                    "  [2]],\n"
                                                                                    "\n"
                                                                                    " [[3],\n"
                                                                                    "  [4]]]");
}

TEST_CASE("format: element types", "[core]") {
    REQUIRE(fmt::format("{}", Tensor<double, 0>(2.5)) == "float64 []\n2.5");
    REQUIRE(fmt::format("{}", Tensor<std::int8_t, 1>::from({65, -1})) == "int8 [2]\n[65, -1]");
    REQUIRE(fmt::format("{}", Tensor<std::uint64_t, 1>::from({7})) == "uint64 [1]\n[7]");
    REQUIRE(fmt::format("{}", Tensor<bool, 1>::from({true, false})) == "bool [2]\n[ true, false]");
    REQUIRE(fmt::format("{}", Tensor<weft::half, 1>::full({1}, weft::half(0.1f))) == "float16 [1]\n[0.0999756]");
    REQUIRE(fmt::format("{}", Tensor<weft::bfloat16, 1>::ones({1})) == "bfloat16 [1]\n[1]");
    REQUIRE(fmt::format("{}", Tensor<std::complex<float>, 1>::full({1}, {1, -2})) == "complex64 [1]\n[(1-2i)]");
    REQUIRE(fmt::format("{}", Tensor<Dual<float>, 1>::full({1}, {1, -2})).starts_with("dual float32 [1]\n["));
    REQUIRE(fmt::format("{}", Tensor<float, 2>::zeros({2, 0})) == "float32 [2, 0]\n[[],\n []]");
    REQUIRE(fmt::format("{}", Tensor<float, 1>()) == "float32 [0]\n[]");
}

TEST_CASE("format: large tensors show their edges", "[core]") {
    REQUIRE(fmt::format("{}", weft::arange<int>(1001)) == "int32 [1001]\n[   0,    1,    2, ...,  998,  999, 1000]");
    const std::string wide = fmt::format("{}", weft::reshape(weft::arange<int>(4000), {2, 2000}));
    REQUIRE(wide == "int32 [2, 2000]\n[[   0,    1,    2, ..., 1997, 1998, 1999],\n"
                    " [2000, 2001, 2002, ..., 3997, 3998, 3999]]");
    const std::string tall = fmt::format("{}", weft::reshape(weft::arange<int>(2000), {1000, 2}));
    REQUIRE(tall == "int32 [1000, 2]\n[[   0,    1],\n [   2,    3],\n [   4,    5],\n ...,\n"
                    " [1994, 1995],\n [1996, 1997],\n [1998, 1999]]");
}

TEST_CASE("format: shapes and streams", "[core]") {
    REQUIRE(fmt::format("{}", Shape<dyn, 3>{}) == "[?, 3]");
    REQUIRE(fmt::format("{}", Shape<>{}) == "[]");
    std::ostringstream out;
    out << Tensor<int, 1>::from({1, 2}) << ' ' << Shape<4, dyn>{};
    REQUIRE(out.str() == "int32 [2]\n[1, 2] [4, ?]");
}
