// SPDX-License-Identifier: MIT
#include "core/tensor_checks.hpp"
#include "golden.hpp"

#include <weft/so3/expressivity.hpp>
#include <weft/so3/gaunt_tensor_product.hpp>
#include <weft/so3/matrix_tensor_product.hpp>

using namespace weft_test;
using weft::Tensor;
namespace so3 = weft::so3;

TEST_CASE("expressivity: as counted and by ranks in the reference", "[so3][golden]") {
    with_golden_case("tensor-product-variants", "expressivity", "", [](GoldenCase& g) {
        const auto table = g.get<std::int64_t, 2>("table");
        auto own = Tensor<std::int64_t, 2>::empty(table.shape());
        for (weft::index row = 0; row < table.extent(0); ++row) {
            const int l = static_cast<int>(table(row, 0));
            const auto gaunt = so3::interactions(so3::GauntTensorProduct(l, l, 2 * l), l, l, 2 * l);
            const auto matrix = so3::interactions(so3::MatrixTensorProduct(l, l, 2 * l), l, l, 2 * l);
            std::int64_t paths = 0, all = 0, even = 0, dense = 0;
            for (int a = 0; a <= l; ++a)
                for (int b = 0; b <= l; ++b)
                    for (int c = std::abs(a - b); c <= a + b; ++c) {
                        const auto couplings = static_cast<std::int64_t>(so3::detail::couplings(a, b, c)->size());
                        ++paths;
                        all += couplings;
                        if ((a + b + c) % 2 == 0) even += couplings;
                        dense += (2 * a + 1) * (2 * b + 1) * (2 * c + 1);
                    }
            const auto terms = static_cast<std::int64_t>(so3::detail::GauntList(l, l, 2 * l).size());
            std::int64_t* to = own.mutable_data() + row * 10;
            for (const std::int64_t value :
                 {table(row, 0), paths, static_cast<std::int64_t>(gaunt.size()),
                  static_cast<std::int64_t>(so3::expressivity(gaunt)), static_cast<std::int64_t>(matrix.size()),
                  static_cast<std::int64_t>(so3::expressivity(matrix)), all, even, dense, terms})
                *to++ = value;
        }
        g.compare("table", own);

        const auto channels = g.get<std::int64_t, 2>("gtp_channels_table");
        auto counted = Tensor<std::int64_t, 2>::empty(channels.shape());
        for (weft::index row = 0; row < channels.extent(0); ++row) {
            const int l = static_cast<int>(channels(row, 0)), k = static_cast<int>(channels(row, 1));
            const auto gaunt = so3::interactions(so3::GauntTensorProduct(l, l, 2 * l), l, l, 2 * l);
            std::int64_t* const to = counted.mutable_data() + row * 3;
            to[0] = l;
            to[1] = k;
            to[2] = so3::expressivity(gaunt, k);
        }
        g.compare("gtp_channels_table", counted);
    });
}

TEST_CASE("expressivity: nothing interacts, and what is not equivariant", "[so3]") {
    REQUIRE(so3::expressivity({}) == 0);
    const auto elementwise = [](const Tensor<double, 2>& a, const Tensor<double, 2>& b) {
        return Tensor<double, 2>(a * b);
    };
    REQUIRE_THAT(error_of([&] { (void)so3::interactions(elementwise, 1, 1, 1); }),
                 ContainsSubstring("no coupling of degrees"));
}
