// SPDX-License-Identifier: MIT
#include "core/tensor_checks.hpp"

#include <weft/grad/backward.hpp>
#include <weft/nn/adam.hpp>
#include <weft/nn/exponential_moving_average.hpp>

using namespace weft_test;
using weft::Parameter, weft::Tensor;
namespace nn = weft::nn;
namespace io = weft::io;

namespace {

struct Mixed {
    Parameter<float, 2> a{numbers<float, 2>({5, 9})};
    Parameter<double, 1> b{numbers<double, 1>({7})};
    Parameter<float, 2> shared = a;
    Tensor<float, 1> buffer = numbers<float, 1>({3});
    void visit(auto&& v) {
        v("a", a);
        v("b", b);
        v("shared", shared);
        v("buffer", buffer);
    }
};

struct First {
    Parameter<float, 2> a{numbers<float, 2>({5, 9})};
    void visit(auto&& v) { v("a", a); }
};

void train(const Mixed& net, nn::Adam& optimizer, unsigned seed) {
    weft::backward(weft::sum(weft::square(net.a.var() - numbers<float, 2>({5, 9}, seed))));
    weft::backward(weft::sum(weft::square(net.b.var() - numbers<double, 1>({7}, seed))));
    optimizer.step();
}

} // namespace

// Made with torch_ema 0.3 (float64).
TEST_CASE("exponential_moving_average: averages as in torch_ema", "[nn]") {
    const double values[5][3] = {
        {1.0, -2.0, 0.5}, {0.25, 4.0, 0.75}, {-3.0, 1.0, 2.5}, {8.0, 0.125, -1.0}, {0.0, 0.5, 1.5}};
    const auto check = [&](const nn::ExponentialMovingAverageOptions& options, const double(&expected)[5][3]) {
        Parameter<double, 1> p(Tensor<double, 1>::from({0.5, -1.25, 2.0}));
        nn::ExponentialMovingAverage average{p, options};
        for (std::size_t n = 0; n < 5; ++n) {
            p.set_value(Tensor<double, 1>::from(values[n], {3}));
            average.update();
            INFO("decay " << options.decay << ", update " << n);
            REQUIRE(average.num_updates() == static_cast<weft::index>(n) + 1);
            const auto scope = average.average_parameters();
            for (weft::index i = 0; i < 3; ++i) REQUIRE(p.value()(i) == Approx(expected[n][i]).epsilon(1e-14));
        }
    };
    check({.decay = 0.3}, {{0.9090909090909091, -1.8636363636363635, 0.7727272727272729},
                           {0.4147727272727273, 2.534090909090909, 0.7556818181818182},
                           {-1.9755681818181816, 1.460227272727273, 1.9767045454545453},
                           {5.007329545454544, 0.525568181818182, -0.10698863636363631},
                           {1.5021988636363637, 0.5076704545454546, 1.017903409090909}});
    check({.decay = 0.99}, {{0.9090909090909091, -1.8636363636363635, 0.7727272727272729},
                            {0.4147727272727273, 2.534090909090909, 0.7556818181818182},
                            {-1.9493006993006994, 1.472027972027972, 1.9632867132867133},
                            {4.446678321678322, 0.6060814185814187, 0.05831668331668349},
                            {1.778671328671329, 0.5424325674325675, 0.9233266733266734}});
    check({.decay = 0.9, .use_num_updates = false}, {{0.55, -1.325, 1.85},
                                                     {0.52, -0.7925000000000001, 1.7400000000000002},
                                                     {0.1680000000000001, -0.6132500000000001, 1.8160000000000003},
                                                     {0.9511999999999998, -0.539425, 1.5344000000000002},
                                                     {0.8560799999999998, -0.43548250000000005, 1.53096}});
}

TEST_CASE("exponential_moving_average: averages come in for a scope, and go", "[nn]") {
    Mixed net;
    nn::Adam optimizer{net, {.lr = 0.1}};
    nn::ExponentialMovingAverage average{net, {.decay = 0.9, .use_num_updates = false}};
    const auto a0 = net.a.value();
    train(net, optimizer, 2);
    average.update();
    const auto a1 = net.a.value();
    auto expected = Tensor<float, 2>::empty({5, 9});
    for (weft::index i = 0; i < a0.size(); ++i)
        expected.mutable_data()[i] = a0.data()[i] - 0.1f * (a0.data()[i] - a1.data()[i]);
    const float* const place = net.a.data();
    {
        const auto scope = average.average_parameters();
        for (weft::index i = 0; i < a0.size(); ++i)
            REQUIRE(net.a.value().data()[i] == Approx(expected.data()[i]).epsilon(1e-6));
        REQUIRE(same_bits(net.a.value(), net.shared.value()));
        REQUIRE_THAT(error_of([&] { (void)average.average_parameters(); }),
                     ContainsSubstring("parameter a has its average"));
        REQUIRE_THAT(error_of([&] { average.update(); }), ContainsSubstring("parameter a has its average"));
        // What is written meanwhile reaches neither the averages nor what comes back.
        net.a.mutable_values()[0] = 1000;
    }
    REQUIRE(same_bits(net.a.value(), a1));
    REQUIRE(net.a.data() == place);
    const auto averages = average.state_dict();
    REQUIRE(averages.size() == 5); // a, b, once what is shared, and three numbers
    REQUIRE(averages[0].first == "a.average");
    REQUIRE(averages[0].second.to<float, 2>()(0, 0) == Approx(expected(0, 0)));

    // The optimiser goes on from its own values.
    train(net, optimizer, 2);
    REQUIRE(net.a.value()(0, 0) != a1(0, 0));
}

TEST_CASE("exponential_moving_average: averages go to a module of the same structure", "[nn]") {
    Mixed net;
    nn::Adam optimizer{net, {.lr = 0.1}};
    nn::ExponentialMovingAverage average{net};
    train(net, optimizer, 2);
    average.update();
    auto other = nn::clone(net);
    average.copy_to(other);
    const auto own = net.a.value();
    {
        const auto scope = average.average_parameters();
        REQUIRE(same_bits(other.a.value(), net.a.value()));
        REQUIRE(same_bits(other.shared.value(), net.a.value()));
        REQUIRE(same_bits(other.b.value(), net.b.value()));
    }
    REQUIRE(same_bits(net.a.value(), own));
    REQUIRE(!same_bits(other.a.value(), own));
    other.a.mutable_values()[0] = 1000; // not the average's memory
    average.copy_to(net);
    REQUIRE(net.a.value()(0, 0) < 1000);

    std::vector<Mixed> list(1);
    REQUIRE_THAT(error_of([&] { average.copy_to(list); }),
                 ContainsSubstring("no average of a parameter 0.a of shape [5, 9]"));
    Parameter<float, 2> less;
    REQUIRE_THAT(error_of([&] { average.copy_to(less); }), ContainsSubstring("of shape [0, 0]"));
    First first;
    REQUIRE_THAT(error_of([&] { average.copy_to(first); }), ContainsSubstring("1 parameters, there are averages of 2"));
    REQUIRE(same_bits(first.a.value(), numbers<float, 2>({5, 9})));
}

TEST_CASE("exponential_moving_average: a resumed run goes on with the same bits", "[nn]") {
    Mixed net, later;
    nn::Adam optimizer{net, {.lr = 0.1, .amsgrad = true}}, resumed{later, {.amsgrad = true}};
    nn::ExponentialMovingAverage average{net, {.decay = 0.9}}, resumed_average{later, {.decay = 0.5}};
    for (unsigned step = 2; step < 6; ++step) {
        train(net, optimizer, step);
        average.update();
    }
    io::NamedTensors all;
    for (const auto& [name, tensor] : nn::state_dict(net)) all.emplace_back("model." + name, tensor);
    for (const auto& [name, tensor] : optimizer.state_dict()) all.emplace_back("adam." + name, tensor);
    for (const auto& [name, tensor] : average.state_dict()) all.emplace_back("average." + name, tensor);
    const auto file = io::SafetensorsFile::parse(io::safetensors_bytes(all));
    const auto part = [&](const std::string& prefix) {
        io::NamedTensors dict;
        for (const auto& name : file.names())
            if (name.starts_with(prefix)) dict.emplace_back(name.substr(prefix.size()), file.any(name));
        return dict;
    };
    nn::load_state_dict(later, part("model."));
    resumed.load_state_dict(part("adam."));
    resumed_average.load_state_dict(part("average."));
    REQUIRE(resumed_average.options().decay == 0.9);
    REQUIRE(resumed_average.num_updates() == 4);
    for (unsigned step = 6; step < 10; ++step) {
        train(net, optimizer, step);
        average.update();
        train(later, resumed, step);
        resumed_average.update();
    }
    const auto scope = average.average_parameters(), resumed_scope = resumed_average.average_parameters();
    REQUIRE(same_bits(net.a.value(), later.a.value()));
    REQUIRE(same_bits(net.b.value(), later.b.value()));
}

TEST_CASE("exponential_moving_average: the same bits on any number of threads, no memory in the steady state", "[nn]") {
    require_thread_independent([] {
        Parameter<float, 2> p(numbers<float, 2>({300, 1001}));
        nn::ExponentialMovingAverage average{p};
        for (unsigned n = 2; n < 5; ++n) {
            p.set_value(numbers<float, 2>({300, 1001}, n));
            average.update();
        }
        const auto scope = average.average_parameters();
        return p.value();
    });
    Mixed net;
    nn::Adam optimizer{net};
    nn::ExponentialMovingAverage average{net};
    const auto step = [&] {
        train(net, optimizer, 3);
        const auto before = weft::detail::Pool::instance().system_allocations();
        average.update();
        { const auto scope = average.average_parameters(); }
        return weft::detail::Pool::instance().system_allocations() - before;
    };
    step();
    for (int i = 0; i < 5; ++i) REQUIRE(step() == 0);
}

TEST_CASE("exponential_moving_average: errors leave all as it was", "[nn]") {
    Mixed net;
    REQUIRE(error_of([&] { nn::ExponentialMovingAverage(net, {.decay = 1.5}); }) ==
            "weft: ExponentialMovingAverage: decay is 1.5: must be in [0, 1]");
    REQUIRE_THAT(error_of([&] { nn::ExponentialMovingAverage(net, {.decay = std::nan("")}); }),
                 ContainsSubstring("decay is nan"));
    nn::ExponentialMovingAverage average{net};
    average.update();
    auto dict = average.state_dict();
    dict[0].first = "c.average";
    REQUIRE(error_of([&] { average.load_state_dict(dict); }) ==
            "weft: load_state_dict: missing: a.average; unexpected: c.average");
    dict = average.state_dict();
    dict[3].second = Tensor<double, 0>(-1.0);
    REQUIRE(dict[3].first == "decay");
    dict[2].second = Tensor<std::int64_t, 0>(std::int64_t{77});
    REQUIRE_THAT(error_of([&] { average.load_state_dict(dict); }), ContainsSubstring("decay is -1"));
    REQUIRE(average.num_updates() == 1);
    net.b.set_value(numbers<double, 1>({8}));
    REQUIRE_THAT(error_of([&] { average.update(); }),
                 ContainsSubstring("parameter b has 8 elements, its average has 7"));
    REQUIRE(average.num_updates() == 1);
}
