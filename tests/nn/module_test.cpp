// SPDX-License-Identifier: MIT
#include "core/tensor_checks.hpp"

#include <weft/core/format.hpp>
#include <weft/core/ops.hpp>
#include <weft/core/reduce.hpp>
#include <weft/grad/backward.hpp>
#include <weft/nn/linear.hpp>
#include <weft/nn/state_dict.hpp>

#include <array>
#include <map>
#include <sstream>

using namespace weft_test;
using weft::Extents, weft::Generator, weft::Parameter, weft::Tensor, weft::Var;
namespace nn = weft::nn;
namespace io = weft::io;

namespace {

struct Block {
    nn::Linear<float> lin;
    Tensor<float, 1> running_mean = Tensor<float, 1>::zeros({4});
    void visit(auto&& v) {
        v("lin", lin);
        v("running_mean", running_mean);
    }
};
struct Activation {};
struct Net {
    Block conv1{{3, 4}};
    std::optional<nn::Linear<float>> skip;
    std::vector<nn::Linear<float>> layers{{4, 2, {.bias = false}}, {2, 2}};
    std::map<std::string, Parameter<double, 1>> kinds{{"a", Parameter<double, 1>(Tensor<double, 1>::ones({2}))}};
    std::tuple<nn::Linear<float>, Activation> head{nn::Linear<float>{2, 1}, {}};
    void visit(auto&& v) {
        v("conv1", conv1);
        v("skip", skip);
        v("layers", layers);
        v("kinds", kinds);
        v("head", head);
    }
};

struct Pair {
    nn::Linear<float> a{2, 3}, b{3, 1};
    void visit(auto&& v) {
        v("a", a);
        v("b", b);
    }
};
struct Tied {
    nn::Linear<float> a{2, 2};
    nn::Linear<float> b = a;
    void visit(auto&& v) {
        v("a", a);
        v("b", b);
    }
};

template <class M>
std::vector<std::string> names_of(const M& module) {
    std::vector<std::string> names;
    nn::for_each_parameter(module, [&](std::string_view name, const auto&) { names.emplace_back(name); });
    return names;
}

struct TemporaryFile {
    std::filesystem::path path =
        std::filesystem::temp_directory_path() /
        ("weft_module_" + std::to_string(reinterpret_cast<std::uintptr_t>(this)) + ".safetensors");
    ~TemporaryFile() { std::filesystem::remove(path); }
};

} // namespace

TEST_CASE("module: names of parameters and buffers", "[nn]") {
    Net net;
    REQUIRE(names_of(net) == std::vector<std::string>{"conv1.lin.weight", "conv1.lin.bias", "layers.0.weight",
                                                      "layers.1.weight", "layers.1.bias", "kinds.a", "head.0.weight",
                                                      "head.0.bias"});
    REQUIRE(nn::parameter_count(net) == 12 + 4 + 8 + 4 + 2 + 2 + 2 + 1);
    net.skip.emplace(3, 1);
    REQUIRE(names_of(net)[2] == "skip.weight");
    std::vector<std::string> buffers;
    nn::for_each_buffer(net, [&](std::string_view name, const auto&) { buffers.emplace_back(name); });
    REQUIRE(buffers == std::vector<std::string>{"conv1.running_mean"});
    REQUIRE(names_of(net.layers[1].weight) == std::vector<std::string>{""});
    static_assert(nn::Module<Net> && nn::Module<const Net> && !nn::Module<Activation> && !nn::Module<Tensor<float, 1>>);
}

TEST_CASE("module: a state dict goes to a file and back by names", "[nn]") {
    const Net net;
    TemporaryFile file;
    io::save_safetensors(file.path, net, {{"epoch", "3"}});
    Net other;
    REQUIRE(!same_bits(net.conv1.lin.weight.value(), other.conv1.lin.weight.value()));
    const Parameter<float, 2> handle = other.conv1.lin.weight;
    other.conv1.running_mean(0) = 7;
    io::load_safetensors(file.path, other);
    REQUIRE(same_bits(net.conv1.lin.weight.value(), other.conv1.lin.weight.value()));
    REQUIRE(same_bits(handle.value(), other.conv1.lin.weight.value()));
    REQUIRE(other.conv1.running_mean(0) == 0);
    REQUIRE(!other.conv1.lin.weight.storage().foreign());
    const auto a = nn::state_dict(net), b = nn::state_dict(other);
    REQUIRE(a.size() == 9);
    for (std::size_t i = 0; i < a.size(); ++i) {
        REQUIRE(a[i].first == b[i].first);
        REQUIRE(std::ranges::equal(a[i].second.bytes(), b[i].second.bytes()));
    }
}

TEST_CASE("module: a state dict is a snapshot, and numbers are converted", "[nn]") {
    nn::Linear<double> layer{2, 3};
    const auto before = nn::state_dict(layer);
    const double first = layer.weight.value()(0, 0);
    layer.weight.mutable_values()[0] = 5;
    nn::Linear<float> single{2, 3};
    nn::load_state_dict(single, before);
    REQUIRE(single.weight.value()(0, 0) == static_cast<float>(first));
    nn::load_state_dict(layer, nn::state_dict(single));
    REQUIRE(layer.weight.value()(0, 0) == static_cast<double>(static_cast<float>(first)));
}

TEST_CASE("module: errors of loading name everything, and change nothing", "[nn]") {
    Pair net;
    const auto before = net.a.weight.value();
    io::NamedTensors dict{{"a.weight", Tensor<float, 2>::ones({3, 2})},
                          {"a.bias", Tensor<float, 1>::ones({4})},
                          {"b.weight", Tensor<float, 2>::ones({1, 3})},
                          {"c", Tensor<float, 1>::ones({1})}};
    REQUIRE(error_of([&] { nn::load_state_dict(net, dict); }) ==
            "weft: load_state_dict: missing: b.bias; unexpected: c; misshaped: a.bias is [4], must be [3]");
    REQUIRE(error_of([&] { nn::load_state_dict(net, dict, false); }) ==
            "weft: load_state_dict: misshaped: a.bias is [4], must be [3]");
    REQUIRE(same_bits(net.a.weight.value(), before));
    dict[1].second = Tensor<float, 1>::ones({3});
    const auto result = nn::load_state_dict(net, dict, false);
    REQUIRE(result.missing == std::vector<std::string>{"b.bias"});
    REQUIRE(result.unexpected == std::vector<std::string>{"c"});
    REQUIRE(net.a.bias->value()(2) == 1);
    dict[0].second = Tensor<std::complex<float>, 2>::full({3, 2}, {});
    REQUIRE_THAT(error_of([&] { nn::load_state_dict(net, dict, false); }), ContainsSubstring("a.weight: is C64"));
}

TEST_CASE("module: copies share, clones do not, ties stay ties", "[nn]") {
    Tied net;
    Tied copy = net;
    Tied apart = nn::clone(net);
    const float first = net.a.weight.value()(0, 0);
    net.a.weight.mutable_values()[0] = 9;
    REQUIRE(copy.b.weight.value()(0, 0) == 9);
    REQUIRE(apart.a.weight.value()(0, 0) == first);
    apart.b.weight.mutable_values()[0] = 4;
    REQUIRE(apart.a.weight.value()(0, 0) == 4);
    REQUIRE(nn::parameter_count(apart) == 6);
}

TEST_CASE("module: prints its members with their parameters", "[nn]") {
    Block block{{3, 4}};
    const std::string text = "module: 16 parameters\n"
                             "  lin: 16 parameters\n"
                             "    weight [4, 3]: 12\n"
                             "    bias [4]: 4\n"
                             "  running_mean [4]: buffer";
    REQUIRE(fmt::format("{}", block) == text);
    std::ostringstream out;
    using weft::operator<<;
    out << block << nn::Linear<float>(1, 1, {.bias = false});
    REQUIRE(out.str() == text + "module: 1 parameter\n  weight [1, 1]: 1");
}

TEST_CASE("module: drawing all parameters anew", "[nn]") {
    Net a, b;
    Generator first{42}, second{42}, third{43};
    nn::reset_parameters(a, first);
    nn::reset_parameters(b, second);
    REQUIRE(same_bits(a.layers[1].weight.value(), b.layers[1].weight.value()));
    REQUIRE(same_bits(std::get<0>(a.head).weight.value(), std::get<0>(b.head).weight.value()));
    nn::reset_parameters(b, third);
    REQUIRE(!same_bits(a.layers[1].weight.value(), b.layers[1].weight.value()));
}

TEST_CASE("module: a clone of windows on one value has windows on one copy", "[nn]") {
    const Var<double, 1> flat(Tensor<double, 1>::from({1, 2, 3, 4, 5, 6}));
    nn::Linear<double> linear(2, 2);
    linear.weight = Parameter<double, 2>(flat.node(), 0, {2, 2}, {2, 1});
    linear.bias = Parameter<double, 1>(flat.node(), 4, {2}, {1});
    const auto copy = nn::clone(linear);
    const Var<double, 2> x(Tensor<double, 2>::from({{1, 1}}));
    backward(Var(sum(copy(x))));
    REQUIRE(copy.weight.grad()(1, 1) == 1);
    REQUIRE(copy.bias->grad()(1) == 1);
    REQUIRE(copy.bias->value()(1) == 6);
    REQUIRE_FALSE(flat.has_grad());
}
