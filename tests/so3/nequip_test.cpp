// SPDX-License-Identifier: MIT
// A small interatomic potential of all parts together: energy, forces, and the gradient of a loss of both.
#include "core/tensor_checks.hpp"
#include "so3/derivatives.hpp"

#include <weft/core/reduce.hpp>
#include <weft/core/views.hpp>
#include <weft/graph/edge_reduce.hpp>
#include <weft/linalg/matmul.hpp>
#include <weft/nn/module.hpp>
#include <weft/so3/convolution.hpp>
#include <weft/so3/fully_connected_net.hpp>
#include <weft/so3/gate.hpp>
#include <weft/so3/linear.hpp>
#include <weft/so3/radial.hpp>
#include <weft/so3/spherical_harmonics.hpp>
#include <weft/so3/weighted_tensor_product.hpp>

using namespace weft_test;
using weft::Dual, weft::Graph, weft::Tensor, weft::Var;
namespace so3 = weft::so3;
using so3::Function, so3::Irreps;

namespace {

template <class T>
struct Layer {
    so3::TensorProduct product;
    so3::Gate gate;
    so3::Linear<T> up, down;
    so3::FullyConnectedNet<T> fc;
    so3::WeightedTensorProduct<T> sc;
    double neighbors = 1;

    Layer(const Irreps& in, const Irreps& scalars, const Irreps& gates, const Irreps& gated, const Irreps& species,
          weft::index radial, weft::index hidden, const Irreps& harmonics)
        : gate(scalars, {Function::silu}, gates, {Function::sigmoid}, gated) {
        product = so3::ConvolutionTensorProduct(in, harmonics, Irreps("0e+1o+2e"), so3::ConvolutionOrder::by_output);
        up = so3::Linear<T>(in, in);
        down = so3::Linear<T>(product.irreps_out(), gate.irreps_in());
        fc = so3::FullyConnectedNet<T>({radial, hidden, product.weight_numel()}, Function::silu);
        sc = so3::WeightedTensorProduct<T>(so3::FullyConnectedTensorProduct(in, species, gate.irreps_in()));
    }
    template <class H, class Y, class R, class S, class See>
    auto operator()(const Graph& g, const H& h, const Y& harmonics, const R& radial, const S& species,
                    const std::string& number, See&& see) const {
        see("R" + number, fc(radial));
        const auto sum = so3::convolution(product, g, up(h), harmonics, fc.hidden(radial), fc.last_weight());
        const auto mean = weft::eval(sum / T(std::sqrt(neighbors)));
        see("agg" + number, mean);
        return gate(down(mean) + sc(h, species));
    }
    void visit(auto&& v) {
        v("up", up);
        v("fc", fc);
        v("down", down);
        v("sc", sc);
    }
};

template <class T>
struct Potential {
    double r_max, p;
    weft::index num_bessel;
    so3::Linear<T> embed, readout;
    Layer<T> layer0, layer1;

    explicit Potential(const GoldenCase& g)
        : r_max(constant(g, 0)), p(constant(g, 2)), num_bessel(static_cast<weft::index>(constant(g, 1))),
          embed("3x0e", "4x0e"), readout("4x0e+3x1o+2x2e", "1x0e"),
          layer0("4x0e", "4x0e", "5x0e", "3x1o+2x2e", "3x0e", num_bessel, hidden(g), harmonics()),
          layer1("4x0e+3x1o+2x2e", "4x0e", "5x0e", "3x1o+2x2e", "3x0e", num_bessel, hidden(g), harmonics()) {
        layer0.neighbors = layer1.neighbors = constant(g, 3);
    }
    static double constant(const GoldenCase& g, weft::index i) { return g.get<double, 1>("constants")(i); }
    static weft::index hidden(const GoldenCase& g) { return g.shape("param.layer0.fc.layer0.weight")[1]; }
    static Irreps harmonics() { return Irreps::spherical_harmonics(2); }

    /// What is computed on the way is given to `see`.
    template <class X, class S, class See>
    auto energy(const Graph& g, const X& positions, const Tensor<T, 2>& shifts, const S& species, See&& see) const {
        const auto vector = weft::edges(g, dst(positions) - src(positions) + edge(shifts));
        see("edge_vec", vector);
        const auto length = weft::eval(sqrt(weft::sum<1>(square(vector))));
        const auto y =
            so3::spherical_harmonics(so3::degrees_up_to(2), vector, {.normalization = so3::Normalization::component});
        see("edge_sh", y);
        const auto cut = so3::polynomial_cutoff(length, r_max, p);
        const auto radial = weft::eval(so3::bessel_basis(length, r_max, num_bessel) * unsqueeze(cut, 1));
        see("radial", radial);
        const auto h0 = embed(species);
        see("h0", h0);
        const auto h1 = layer0(g, h0, y, radial, species, "0", see);
        see("h1", h1);
        const auto h2 = layer1(g, h1, y, radial, species, "1", see);
        see("h2", h2);
        return readout(h2);
    }
    void visit(auto&& v) {
        v("embed", embed);
        v("layer0", layer0);
        v("layer1", layer1);
        v("readout", readout);
    }
};

/// Irreps and instructions as the reference has them.
template <class T>
void check_layer(GoldenCase& g, const std::string& name, const Layer<T>& layer) {
    REQUIRE(irreps_of(g, name + ".tp.irreps_out") == layer.product.irreps_out());
    REQUIRE(irreps_of(g, name + ".gate.irreps_in") == layer.gate.irreps_in());
    const auto expected = g.get<std::int64_t, 2>(name + ".tp.instructions");
    REQUIRE(expected.extent(0) == static_cast<weft::index>(layer.product.instructions().size()));
    for (weft::index i = 0; i < expected.extent(0); ++i) {
        const so3::Instruction& own = layer.product.instructions()[static_cast<std::size_t>(i)];
        REQUIRE(expected(i, 0) == own.in1);
        REQUIRE(expected(i, 1) == own.in2);
        REQUIRE(expected(i, 2) == own.out);
    }
    const auto& coefficients = layer.product.path_coefficients();
    g.compare(name + ".tp.path_coeff", Tensor<double, 1>::from(std::span<const double>(coefficients),
                                                               {static_cast<weft::index>(coefficients.size())}));
}

} // namespace

TEST_CASE("a potential of all parts: energy, forces, and training on both", "[so3][golden]") {
    with_golden_case("equivariant-core", "mini_nequip_energy_forces", "", [](GoldenCase& g) {
        const auto positions = g.get<double, 2>("pos"), v = g.get<double, 2>("loss_V");
        const auto kinds = g.get<std::int64_t, 1>("species");
        const weft::index n = positions.extent(0);
        const Graph graph(g.get<std::int64_t, 1>("edge_src"), g.get<std::int64_t, 1>("edge_dst"), n, n);
        const Tensor<double, 2> shifts = matmul(g.get<double, 2>("edge_cell_shift"), g.get<double, 2>("cell"));
        auto species = Tensor<double, 2>::zeros({n, 3});
        for (weft::index i = 0; i < n; ++i) species.mutable_data()[3 * i + kinds(i)] = 1;
        (void)g.get<double, 1>("normalize2mom_silu_sigmoid");

        Potential<double> potential(g);
        check_layer(g, "layer0", potential.layer0);
        check_layer(g, "layer1", potential.layer1);
        weft::nn::for_each_parameter(potential, [&]<int N>(std::string_view name, weft::Parameter<double, N>& p) {
            p.set_value(g.get<double, N>("param." + std::string(name)));
        });

        const Var x{positions};
        const auto atoms = potential.energy(graph, x, shifts, species, [&](const std::string& name, const auto& value) {
            const std::string tensor = "act." + name;
            if constexpr (requires { value.value(); })
                g.compare(tensor, value.value());
            else
                g.compare(tensor, Tensor<double, 2>(value));
        });
        g.compare("act.atomic_energy", Tensor<double, 1>(reshape(atoms.value(), {n})));
        const auto energy = weft::sum(atoms);
        g.compare("energy", Tensor<double, 1>::full({1}, energy.value().item()));
        weft::backward(energy);
        const Tensor<double, 2> forces = -x.grad();
        g.compare("forces", forces, {.relative = 1e-9, .absolute = 1e-9});
        g.compare("loss", Tensor<double, 1>::full({1}, 0.3 * energy.value().item() + weft::sum(forces * v).item()));

        // The sum of <forces, v> is the derivative of the energy in the direction -v.
        using D = Dual<double>;
        Potential<D> dual(g);
        const auto constant = []<int N>(const Tensor<double, N>& t) {
            return weft_test::detail::with_tangent(t, Tensor<double, N>::zeros(t.shape()));
        };
        weft::nn::for_each_parameter(dual, [&]<int N>(std::string_view name, weft::Parameter<D, N>& p) {
            p.set_value(constant(g.get<double, N>("param." + std::string(name))));
        });
        const Var moving{weft_test::detail::with_tangent(positions, Tensor<double, 2>(-v))};
        weft::backward(weft::sum(dual.energy(graph, moving, constant(shifts), Var{constant(species)},
                                             [](const std::string&, const auto&) {})));
        const auto loss_gradient = []<int N>(const Tensor<D, N>& gradient) {
            auto loss = Tensor<double, N>::empty(gradient.shape());
            for (weft::index i = 0; i < loss.size(); ++i)
                loss.mutable_data()[i] = 0.3 * gradient.data()[i].value + gradient.data()[i].tangent;
            return loss;
        };
        const Tolerance second{.relative = 1e-8, .absolute = 1e-8};
        g.compare("dloss.pos", loss_gradient(moving.grad()), second);
        weft::nn::for_each_parameter(dual, [&]<int N>(std::string_view name, weft::Parameter<D, N>& p) {
            INFO(name);
            g.compare("dloss." + std::string(name), loss_gradient(p.grad()), second);
        });
    });
}
