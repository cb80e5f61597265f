// SPDX-License-Identifier: MIT
#include "core/tensor_checks.hpp"
#include "golden.hpp"

#include <weft/grad/backward.hpp>
#include <weft/grad/expect_grad.hpp>
#include <weft/nn/evo_norm_b.hpp>
#include <weft/nn/evo_norm_s.hpp>
#include <weft/nn/filter_response_norm.hpp>
#include <weft/nn/instance_norm.hpp>
#include <weft/nn/module.hpp>
#include <weft/nn/rms_norm.hpp>
#include <weft/nn/scale_norm.hpp>
#include <weft/nn/sequential.hpp>

using namespace weft;
using namespace weft_test;

namespace {

using Images = Tensor<double, 4>;

// The primitives of the search space, on whole tensors. Guards have eps 1e-5.
class Genome {
public:
    Genome(const Images& x, const Tensor<double, 1>& v0, const Tensor<double, 1>& v1, weft::index groups)
        : groups_(groups) {
        const auto per_channel = [&](const Tensor<double, 1>& v) {
            return Images(broadcast_to(reshape(v, Extents<4>{1, v.size(), 1, 1}), x.shape()));
        };
        nodes_ = {x, Images::zeros(x.shape()), per_channel(v0), per_channel(v1)};
    }
    Images run(const nlohmann::json& genome) {
        for (const auto& entry : genome) {
            const auto operand = [&](std::size_t k) { return nodes_.at(entry.at(k).get<std::size_t>()); };
            const auto op = entry.at(0).get<std::string>();
            nodes_.push_back(entry.size() == 3 ? binary(op, operand(1), operand(2)) : unary(op, operand(1)));
        }
        return nodes_.back();
    }

private:
    static constexpr double eps = 1e-5;

    static Images binary(const std::string& op, const Images& a, const Images& b) {
        if (op == "add") return a + b;
        if (op == "mul") return a * b;
        if (op == "max") return maximum(a, b);
        if (op == "div") return a / where(abs(b) < eps, where(b < 0, -eps, eps) + 0 * b, b);
        FAIL("unknown operation " << op);
        return a;
    }
    Images unary(const std::string& op, const Images& x) const {
        if (op == "neg") return -x;
        if (op == "sigmoid") return sigmoid(x);
        if (op == "tanh") return tanh(x);
        if (op == "exp") return exp(x);
        if (op == "log") return sign(x) * log(maximum(abs(x), eps));
        if (op == "abs") return abs(x);
        if (op == "square") return square(x);
        if (op == "sqrt") return sign(x) * sqrt(maximum(abs(x), eps));
        return aggregation(op.substr(0, op.find('_')), op.back(), x);
    }
    Images aggregation(const std::string& kind, char set, const Images& x) const {
        if (set == 'b') return spread(kind, moments<0, 2, 3>(x, eps), x);
        if (set == 'l') return spread(kind, moments<1, 2, 3>(x, eps), x);
        if (set == 'i') return spread(kind, moments<2, 3>(x, eps), x);
        REQUIRE(set == 'g');
        const Extents<4> grouped{x.extent(0), groups_, x.extent(1) / groups_, x.extent(2) * x.extent(3)};
        const Images seen = reshape(x, grouped);
        return reshape(spread(kind, moments<2, 3>(seen, eps), seen), x.shape());
    }
    template <class M>
    static Images spread(const std::string& kind, const M& m, const Images& x) {
        if (kind == "mean") return m.mean() + 0 * x;
        if (kind == "rms") return m.root_mean_square() + 0 * x;
        if (kind == "std") return m.deviation() + 0 * x;
        FAIL("unknown aggregation " << kind);
        return x;
    }

    weft::index groups_;
    std::vector<Images> nodes_;
};

void require_near(const Images& a, const Images& b, double tolerance) {
    REQUIRE(a.shape() == b.shape());
    for (weft::index i = 0; i < a.size(); ++i)
        REQUIRE(std::abs(a.data()[i] - b.data()[i]) <= tolerance * (1 + std::abs(b.data()[i])));
}

} // namespace

TEST_CASE("evonorm: golden, genomes as composed expressions, and as layers", "[nn][golden]") {
    const auto path = golden_path("evonorm", "genomes");
    const auto file = io::SafetensorsFile::read(path);
    const auto x = file.get<double, 4>("x");
    const auto v0 = file.get<double, 1>("v0"), v1 = file.get<double, 1>("v1");
    const auto groups = nlohmann::json::parse(file.metadata().at("groups")).get<weft::index>();
    int count = 0;
    for (const auto& [name, text] : file.metadata()) {
        if (name == "groups") continue;
        INFO(name << " " << text);
        const Images z = Genome(x, v0, v1, groups).run(nlohmann::json::parse(text));
        const auto expected = file.get<double, 4>(name + ".z");
        require_near(z, expected, 1e-10);
        ++count;

        // The same as layers: trained, weight 1, bias 0.
        const weft::index channels = x.extent(1);
        const Var<double, 4> input{x};
        if (name == "bn_relu") require_near(nn::BatchNorm<double>(channels)(input, nn::ReLU{}).value(), z, 1e-12);
        if (name == "gn_silu")
            require_near(nn::GroupNorm<double>(groups, channels)(input, nn::SiLU{}).value(), z, 1e-12);
        if (name == "evonorm_b0") {
            nn::EvoNormB0<double> layer(channels, {.eps = 1e-5});
            layer.v->set_value(v1);
            require_near(layer(input).value(), z, 1e-12);
        }
        if (name == "evonorm_s0") {
            nn::EvoNormS0<double> layer(channels, {.groups = groups});
            layer.v->set_value(v1);
            require_near(layer(input).value(), z, 1e-12);
        }
    }
    REQUIRE(count > 0);
}

TEST_CASE("evonorm: S layers do not look at other samples, bit for bit", "[nn]") {
    const auto x = numbers<float, 4>({5, 8, 9, 7});
    const auto check = [&](const auto& layer) {
        const Tensor<float, 4> all = layer(x);
        for (weft::index n = 0; n < 5; ++n) {
            const Tensor<float, 4> alone = layer(Tensor<float, 4>(slice(x, 0, n, n + 1)));
            REQUIRE(same_bits(alone, Tensor<float, 4>(slice(all, 0, n, n + 1))));
        }
    };
    check(nn::EvoNormS0<float>(8, {.groups = 4}));
    check(nn::EvoNormS1<float>(8, {.groups = 4}));
    check(nn::EvoNormS2<float>(8, {.groups = 4}));
    check(nn::GroupNorm<float>(4, 8));
    check(nn::InstanceNorm<float>(8));
}

TEST_CASE("evonorm: what remains with v = 0, and which layers do not see the scale of x", "[nn]") {
    const auto x = numbers<double, 4>({3, 8, 4, 5});
    nn::EvoNormS0<double> s0(8, {.groups = 2});
    s0.v->set_value(Tensor<double, 1>::zeros({8}));
    const Images seen = reshape(x, Extents<4>{3, 2, 4, 20});
    const Images deviation = moments<2, 3>(seen, 1e-5).deviation() + 0 * seen;
    require_near(s0(x), Images(0.5 * x / reshape(deviation, x.shape())), 1e-13);

    nn::EvoNormB0<double> b0(8);
    b0.v->set_value(Tensor<double, 1>::zeros({8}));
    const Images of_batch = moments<0, 2, 3>(x).variance() * Tensor<double, 0>(1.0);
    b0.running_var = reshape(of_batch, Extents<1>{8});
    const auto instance = moments<2, 3>(x, 1e-3);
    require_near(b0(x), Images(x / maximum(sqrt(of_batch + 1e-3), instance.deviation())), 1e-13);

    // Scaled by 1000, of a large variance, eps as good as none.
    const Var<double, 4> once{x}, scaled{Images(1000 * x)};
    const auto invariant = [&](const auto& layer) {
        const Images a = layer(once).value(), b = layer(scaled).value();
        double largest = 0;
        for (weft::index i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a.data()[i] - b.data()[i]));
        return largest < 1e-6;
    };
    const double eps = 1e-12;
    CHECK(invariant(nn::EvoNormB0<double>(8, {.eps = eps})));
    CHECK(invariant(nn::EvoNormB2<double>(8, {.eps = eps})));
    CHECK(invariant(nn::BatchNorm<double>(8, {.eps = eps})));
    CHECK(invariant(nn::GroupNorm<double>(2, 8, {.eps = eps})));
    CHECK(invariant(nn::InstanceNorm<double>(8, {.eps = eps})));
    CHECK(invariant(nn::LayerNorm<double>(5, {.eps = eps})));
    CHECK(invariant(nn::RMSNorm<double>(5, {.eps = eps})));
    CHECK_FALSE(invariant(nn::EvoNormB1<double>(8, {.eps = eps})));
    CHECK_FALSE(invariant(nn::EvoNormS0<double>(8, {.groups = 2, .eps = eps})));
    CHECK_FALSE(invariant(nn::EvoNormS1<double>(8, {.groups = 2, .eps = eps})));
    CHECK_FALSE(invariant(nn::EvoNormS2<double>(8, {.groups = 2, .eps = eps})));
}

TEST_CASE("evonorm: gradients to second order, in x and the parameters", "[nn]") {
    const auto check = [](const auto& make, Layout layout) {
        const Extents<4> shape = layout == Layout::channels_first ? Extents<4>{3, 4, 2, 3} : Extents<4>{3, 2, 3, 4};
        const auto f = [&](const auto& x, const auto& weight, const auto& bias, const auto& v) {
            using T = typename std::remove_cvref_t<decltype(x)>::value_type;
            auto layer = make(T{}, layout);
            if constexpr (kind_of<std::remove_cvref_t<decltype(x)>> == Kind::tensor) {
                // Fed Tensors the layers of the B series infer: here the same function is wanted.
                nn::for_each_parameter(layer, [&]<class P>(std::string_view name, P& p) {
                    if constexpr (P::rank == 1) p.set_value(name == "weight" ? weight : name == "bias" ? bias : v);
                });
                return Tensor<T, 4>(layer(Var<T, 4>(x)).value());
            } else {
                nn::for_each_parameter(layer, [&]<class P>(std::string_view name, P& p) {
                    if constexpr (P::rank == 1) {
                        const auto& given = name == "weight" ? weight : name == "bias" ? bias : v;
                        p = P(given.node(), given.offset(), given.shape(), given.strides());
                    }
                });
                return layer(x);
            }
        };
        expect_grad(f, numbers<double, 4>(shape), numbers<double, 1>({4}, 2), numbers<double, 1>({4}, 3),
                    numbers<double, 1>({4}, 4));
    };
    for (const Layout layout : {Layout::channels_first, Layout::channels_last}) {
        check([]<class T>(T, Layout l) { return nn::EvoNormB0<T>(4, {.layout = l}); }, layout);
        check([]<class T>(T, Layout l) { return nn::EvoNormS0<T>(4, {.groups = 2, .layout = l}); }, layout);
        check([]<class T>(T, Layout l) { return nn::EvoNormS2<T>(4, {.groups = 2, .layout = l}); }, layout);
        check([]<class T>(T, Layout l) { return nn::FilterResponseNorm<T>(4, {.layout = l}); }, layout);
    }
}

TEST_CASE("normalisations: an activation in the same loop, and in a Sequential", "[nn]") {
    const auto x = numbers<float, 4>({4, 6, 5, 3});
    const nn::GroupNorm<float> norm(3, 6);
    const Tensor<float, 4> fused = norm(x, nn::SiLU{}), apart = silu(norm(x));
    for (weft::index i = 0; i < x.size(); ++i) REQUIRE(std::abs(fused.data()[i] - apart.data()[i]) < 1e-6f);
    const nn::Sequential sequence{norm, nn::SiLU{}};
    REQUIRE(same_bits(Tensor<float, 4>(sequence(x)), fused));
    REQUIRE(same_bits(Tensor<float, 4>(norm(x, [](const auto& y) { return y * sigmoid(y); })),
                      Tensor<float, 4>(norm(x, [](const auto& y) { return sigmoid(y) * y; }))));
}

TEST_CASE("evonorm: the same bits on any number of threads", "[nn]") {
    const auto check = [](const auto& layer, const Extents<4>& shape) {
        const auto x = numbers<float, 4>(shape), dy = numbers<float, 4>(shape, 2);
        require_thread_independent([&] {
            const Var<float, 4> leaf{x};
            const Var<float, 4> y = layer(leaf);
            nn::clear_grad(layer);
            backward(y, dy);
            float parameters = 0;
            nn::for_each_parameter(layer, [&](std::string_view, const auto& p) {
                for (const float g : p.gradient_values()) parameters += g;
            });
            return Tensor<float, 4>(y.value() + leaf.grad() + parameters);
        });
    };
    const Extents<4> first{17, 16, 33, 31}, last{17, 33, 31, 16};
    check(nn::EvoNormB0<float>(16), first);
    check(nn::EvoNormB0<float>(16, {.layout = Layout::channels_last}), last);
    check(nn::EvoNormS0<float>(16, {.groups = 4}), first);
    check(nn::EvoNormS0<float>(16, {.groups = 4, .layout = Layout::channels_last}), last);
    check(nn::BatchNorm<float>(16), first);
}

TEST_CASE("evonorm: options, defaults and errors", "[nn]") {
    CHECK(nn::EvoNormB0<float>(4).eps == 1e-3);
    CHECK(nn::EvoNormB1<float>(4).eps == 1e-5);
    CHECK(nn::EvoNormS0<float>(64).eps == 1e-5);
    CHECK(nn::EvoNormS0a<float>(64).eps == 1e-3);
    CHECK(nn::EvoNormS0<float>(64).groups == 32);
    CHECK(nn::EvoNormS0<float>(64, {.group_size = 16}).groups == 4);
    CHECK(nn::largest_divisor_groups(48, 32) == 24);
    CHECK(nn::largest_divisor_groups(7, 32) == 7);

    const auto x = Tensor<float, 4>::ones({2, 6, 3, 3});
    CHECK_THROWS_WITH(nn::EvoNormS0<float>(6, {.groups = 4}), ContainsSubstring("6 channels, 4 groups"));
    CHECK_THROWS_WITH(nn::EvoNormS0<float>(6, {.group_size = 4}), ContainsSubstring("the groups must divide"));
    CHECK_THROWS_WITH(nn::GroupNorm<float>(4, 6), ContainsSubstring("GroupNorm: 6 channels, 4 groups"));
    CHECK_THROWS_WITH(nn::EvoNormB0<float>(6, {.eps = 0.0}), ContainsSubstring("eps is 0: must be positive"));
    CHECK_THROWS_WITH(nn::EvoNormB0<float>(6, {.momentum = 2}), ContainsSubstring("momentum is 2"));
    CHECK_THROWS_WITH(nn::EvoNormB0<float>(5)(x), ContainsSubstring("x is [2, 6, 3, 3]: its axis 1 must be 5"));
    CHECK_THROWS_WITH(nn::EvoNormB0<float>(5, {.layout = Layout::channels_last})(x),
                      ContainsSubstring("its axis 3 must be 5"));
    CHECK_THROWS_WITH(nn::EvoNormB0<float>(6)(Tensor<float, 1>::ones({6})), ContainsSubstring("it must be [N, C]"));
    CHECK_THROWS_WITH(nn::EvoNormB0<float>(6)(Var{Tensor<float, 2>::ones({1, 6})}),
                      ContainsSubstring("one value per channel"));
    CHECK_THROWS_WITH(nn::EvoNormB0<float>(6)(Tensor<float, 3>::ones({2, 6, 0})), ContainsSubstring("no positions"));
    const nn::EvoNormB0<float> b0(6);
    CHECK(Tensor<float, 3>(b0(Var{Tensor<float, 3>::ones({0, 6, 4})}).value()).size() == 0);
    CHECK(b0.running_var(3) == 1);

    nn::EvoNormB0<float> end(6, {.apply_act = false});
    CHECK_FALSE(end.v.has_value());
    CHECK(same_bits(Tensor<float, 4>(end(Var{x}).value()), x));
    CHECK(end.running_var(0) == 1);
}

TEST_CASE("evonorm: NaN stays in its channel", "[nn]") {
    auto x = numbers<float, 4>({3, 4, 2, 5});
    x(1, 2, 0, 3) = std::numeric_limits<float>::quiet_NaN();
    const Tensor<float, 4> s = nn::EvoNormS0<float>(4, {.groups = 2})(x);
    const Tensor<float, 4> b = nn::EvoNormB0<float>(4)(Var{x}).value();
    for (weft::index n = 0; n < 3; ++n)
        for (weft::index c = 0; c < 4; ++c)
            for (weft::index p = 0; p < 10; ++p) {
                CHECK(std::isnan(s(n, c, p / 5, p % 5)) == (n == 1 && c >= 2));
                CHECK(std::isnan(b(n, c, p / 5, p % 5)) == (c == 2));
            }
}
