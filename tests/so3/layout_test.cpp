// SPDX-License-Identifier: MIT
#include "core/tensor_checks.hpp"

#include <weft/grad/expect_grad.hpp>
#include <weft/so3/layout.hpp>

using namespace weft_test;
using weft::Extents, weft::Tensor, weft::Var;
namespace so3 = weft::so3;
using so3::Irreps, so3::Layout;

namespace {

Tensor<float, 2> counted(weft::index rows, weft::index columns) {
    auto x = Tensor<float, 2>::empty({rows, columns});
    for (weft::index i = 0; i < x.size(); ++i) x.mutable_data()[i] = float(i);
    return x;
}
std::vector<float> values(const auto& x) { return {x.data(), x.data() + x.size()}; }

/// The place of component m of copy u of an irrep, counted over all terms of it.
weft::index place(const Irreps& irreps, Layout layout, const so3::Irrep& ir, weft::index u, weft::index m) {
    weft::index at = 0;
    for (const so3::MulIrrep& t : irreps) {
        if (t.ir == ir) {
            if (u < t.mul) return at + (layout == Layout::mul_ir ? u * ir.dim() + m : m * t.mul + u);
            u -= t.mul;
        }
        at += t.dim();
    }
    FAIL("no such copy");
    return -1;
}

} // namespace

TEST_CASE("layouts: small cases written out", "[so3]") {
    const Irreps irreps("2x0e+3x1o");
    const auto x = counted(1, irreps.dim());
    REQUIRE(values(so3::to_ir_mul(irreps, x)) == std::vector<float>{0, 1, 2, 5, 8, 3, 6, 9, 4, 7, 10});
    REQUIRE(values(so3::to_mul_ir(irreps, x)) == std::vector<float>{0, 1, 2, 5, 8, 3, 6, 9, 4, 7, 10}); // 3 x 3
    REQUIRE(values(so3::to_mul_ir("2x1e", counted(1, 6))) == std::vector<float>{0, 2, 4, 1, 3, 5});

    // Terms put together: nothing moves in mul_ir, but in ir_mul.
    const auto y = counted(1, 9);
    REQUIRE(values(so3::change_layout(y, "1x1o+2x1o", Layout::mul_ir, "3x1o", Layout::mul_ir)) == values(y));
    REQUIRE(values(so3::change_layout(y, "1x1o+2x1o", Layout::ir_mul, "3x1o", Layout::ir_mul)) ==
            std::vector<float>{0, 3, 4, 1, 5, 6, 2, 7, 8});
    // Terms in another order.
    REQUIRE(values(so3::change_layout(counted(1, 5), "1o+0x2e+2x0e", Layout::mul_ir, "2x0e+1o", Layout::ir_mul)) ==
            std::vector<float>{3, 4, 0, 1, 2});
}

TEST_CASE("layouts: the order of irreps of cuEquivariance", "[so3]") {
    const auto sorted = so3::sort_as_cuequivariance("2o+1e+0e+2e+1o+0o+3x1e");
    REQUIRE(sorted.irreps == Irreps("0e+0o+1o+1e+3x1e+2e+2o"));
    REQUIRE(sorted.p == std::vector<weft::index>{6, 3, 0, 5, 2, 1, 4});
    REQUIRE(sorted.inv == std::vector<weft::index>{2, 5, 4, 1, 6, 3, 0});
    REQUIRE(Irreps("0e+0o+1o+1e").sort().irreps == Irreps("0o+0e+1o+1e"));
    // 0o, then two copies of 0e, then 1o.
    REQUIRE(values(so3::to_cuequivariance("1x0o+2x0e+2x1o", counted(1, 9))) ==
            std::vector<float>{1, 2, 0, 3, 6, 4, 7, 5, 8});
}

TEST_CASE("layouts: every number is where it belongs, there and back", "[so3]") {
    const Irreps from("3x1o+17x0e+2x2o+5x1o+20x3e+4x1e+0x2e"), to("20x3e+8x1o+4x1e+10x0e+7x0e+2x2o");
    const auto x = counted(6, from.dim());
    for (const Layout a : {Layout::mul_ir, Layout::ir_mul})
        for (const Layout b : {Layout::mul_ir, Layout::ir_mul}) {
            const Tensor<float, 2> y = so3::change_layout(x, from, a, to, b);
            for (const so3::MulIrrep& t : from.regroup())
                for (weft::index u = 0; u < t.mul; ++u)
                    for (weft::index m = 0; m < t.ir.dim(); ++m)
                        for (weft::index row = 0; row < 6; ++row)
                            REQUIRE(y(row, place(to, b, t.ir, u, m)) == x(row, place(from, a, t.ir, u, m)));
            REQUIRE(same_bits(so3::change_layout(y, to, b, from, a), x));
        }
    REQUIRE(same_bits(so3::from_cuequivariance(from, so3::to_cuequivariance(from, x)), x));
    REQUIRE(same_bits(so3::to_mul_ir(from, so3::to_ir_mul(from, x)), x));
    const auto deep = Tensor<double, 3>::zeros({2, 0, from.dim()});
    REQUIRE(so3::to_ir_mul(from, deep).shape() == deep.shape());
    REQUIRE(so3::to_ir_mul("", Tensor<float, 2>::zeros({3, 0})).shape() == Extents<2>{3, 0});
}

TEST_CASE("layouts: gradients, threads, errors", "[so3]") {
    const Irreps irreps("2x1o+3x0e+1x1o+2x2e");
    weft::expect_grad<2>([&](const auto& x) { return so3::to_cuequivariance(irreps, x * x); },
                         numbers<double, 3>({2, 2, irreps.dim()}));
    require_thread_independent([&] {
        const Var v{numbers<float, 2>({3000, irreps.dim()})};
        weft::backward(so3::to_ir_mul(irreps, v), numbers<float, 2>({3000, irreps.dim()}, 2));
        return v.grad();
    });
    const auto x = Tensor<float, 2>::zeros({2, 4});
    REQUIRE(error_of([&] { (void)so3::to_ir_mul("0e+2x1o", x); }) ==
            "weft: change_layout: x is [2, 4]: its last extent must be 7, the dimension of 1x0e+2x1o");
    REQUIRE(error_of([&] { (void)so3::change_layout(x, "0e+1o", Layout::mul_ir, "0e+1e", Layout::mul_ir); }) ==
            "weft: change_layout: 1x0e+1x1o has 1 copies of 1o, 1x0e+1x1e has 0: the numbers must be equal");
}
