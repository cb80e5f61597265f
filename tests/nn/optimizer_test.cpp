// SPDX-License-Identifier: MIT
#include "core/tensor_checks.hpp"

#include <weft/core/ops.hpp>
#include <weft/grad/backward.hpp>
#include <weft/nn/adam.hpp>
#include <weft/nn/linear.hpp>
#include <weft/nn/reduce_lr_on_plateau.hpp>
#include <weft/nn/schedule.hpp>
#include <weft/nn/sgd.hpp>

using namespace weft_test;
using weft::Extents, weft::Generator, weft::Parameter, weft::Tensor, weft::Var;
namespace nn = weft::nn;
namespace io = weft::io;

namespace {

template <class T = double>
struct Two {
    Parameter<T, 2> a;
    Parameter<T, 1> b;
    void visit(auto&& v) {
        v("a", a);
        v("b", b);
    }
};

template <int N>
void require_close(const Tensor<double, N>& a, const Tensor<double, N>& b) {
    REQUIRE(a.shape() == b.shape());
    for (weft::index i = 0; i < a.size(); ++i)
        REQUIRE(std::abs(a.data()[i] - b.data()[i]) <= 1e-12 * (1 + std::abs(b.data()[i])));
}

struct Golden {
    io::SafetensorsFile file = io::SafetensorsFile::open(golden_folder("nn") / "optimizers.safetensors");

    Two<> start() const {
        return {Parameter<double, 2>(file.get<double, 2>("a.start")),
                Parameter<double, 1>(file.get<double, 1>("b.start"))};
    }
    template <int N>
    Var<double, 0> loss(const Parameter<double, N>& p, const std::string& name) const {
        return weft::sum(weft::square(p.var() - file.get<double, N>(name + ".target")) *
                         file.get<double, N>(name + ".scale"));
    }
    // Ten steps as in make.py.
    template <class O>
    void check(const std::string& name, Two<>& net, O& optimizer) const {
        for (int step = 0; step < 10; ++step) {
            INFO(name << ", step " << step);
            weft::backward(loss(net.a, "a"));
            if (step != 3) weft::backward(loss(net.b, "b"));
            optimizer.step();
            REQUIRE(!net.a.has_grad());
            const std::string at = name + "." + std::to_string(step);
            require_close(net.a.value(), file.get<double, 2>(at + ".a"));
            require_close(net.b.value(), file.get<double, 1>(at + ".b"));
        }
    }
    template <class O>
    void run(const std::string& name, const typename O::Options& options) const {
        Two<> net = start();
        O optimizer{net, options};
        check(name, net, optimizer);
    }
};

// One step of training on numbers made from `seed`.
template <class T, class O>
void train(const Two<T>& net, O& optimizer, unsigned seed) {
    weft::backward(weft::sum(weft::square(net.a.var() - numbers<T, 2>(net.a.shape(), seed))));
    weft::backward(weft::sum(weft::square(net.b.var() - numbers<T, 1>(net.b.shape(), seed))));
    optimizer.step();
}
template <class T>
Two<T> make_two(const Extents<2>& a = {5, 9}, const Extents<1>& b = {7}) {
    return {Parameter<T, 2>(numbers<T, 2>(a)), Parameter<T, 1>(numbers<T, 1>(b))};
}

} // namespace

#if defined(__SSE2__) || defined(__aarch64__)
TEST_CASE("optimizer: states without a gradient vanish, and arithmetic is as before", "[nn]") {
    const auto run = [](auto optimizer, auto& net) {
        for (int step = 0; step < 2000; ++step) {
            weft::backward(weft::sum(net.b.var() * (step < 2 ? 1.0f : 0.0f)));
            optimizer.step();
        }
        const io::NamedTensors dict = optimizer.state_dict();
        for (const auto& [name, tensor] : dict)
            if (name == "b.exp_avg" || name == "b.momentum_buffer") {
                for (const float state : tensor.template to<float, 1>().values()) REQUIRE(state == 0);
                return true;
            }
        return false;
    };
    Two<float> net{Parameter<float, 2>(Tensor<float, 2>::ones({2, 3})),
                   Parameter<float, 1>(Tensor<float, 1>::ones({37}))};
    REQUIRE(run(nn::Adam(net), net));
    REQUIRE(run(nn::SGD(net, {.momentum = 0.9}), net));
    volatile float least = std::numeric_limits<float>::min();
    REQUIRE(least / 4 > 0);
}
#endif

TEST_CASE("optimizer: ten steps as in PyTorch", "[nn][golden]") {
    const Golden g;
    g.run<nn::SGD>("sgd", {.lr = 0.05});
    g.run<nn::SGD>("sgd_decay", {.lr = 0.05, .weight_decay = 0.1});
    g.run<nn::SGD>("sgd_momentum", {.lr = 0.05, .momentum = 0.9, .dampening = 0.2, .weight_decay = 0.1});
    g.run<nn::SGD>("sgd_nesterov", {.lr = 0.05, .momentum = 0.8, .nesterov = true});
    g.run<nn::Adam>("adam", {.lr = 0.1});
    g.run<nn::Adam>("adam_options", {.lr = 0.1, .betas = {0.7, 0.9}, .eps = 0.01, .weight_decay = 0.3});
    g.run<nn::AdamW>("adamw", {.lr = 0.1});
    g.run<nn::AdamW>("adamw_options", {.lr = 0.1, .betas = {0.7, 0.9}, .eps = 0.01, .weight_decay = 0.3});
}

// Made with torch.optim (float64) from these gradients.
TEST_CASE("optimizer: amsgrad divides by the largest average so far, as in PyTorch", "[nn]") {
    const double start[] = {0.5, -1.25, 2.0};
    const double gradients[6][3] = {{3.0, -0.5, 0.25},   {-1.0, 2.0, 0.125}, {0.5, -0.25, 0.0},
                                    {0.25, 0.125, -4.0}, {-0.125, 0.5, 1.0}, {0.0625, -3.0, 0.5}};
    const auto check = [&]<class O>(std::type_identity<O>, const double(&expected)[6][3], const double(&largest)[3]) {
        const Parameter<double, 1> p(Tensor<double, 1>::from(start, {3}));
        O optimizer{p, {.lr = 0.1, .betas = {0.8, 0.7}, .eps = 0.01, .weight_decay = 0.3, .amsgrad = true}};
        for (std::size_t step = 0; step < 6; ++step) {
            INFO("step " << step);
            weft::backward(weft::sum(p.var() * Tensor<double, 1>::from(gradients[step], {3})));
            optimizer.step();
            require_close(p.value(), Tensor<double, 1>::from(expected[step], {3}));
        }
        const auto dict = optimizer.state_dict();
        REQUIRE(dict[3].first == "max_exp_avg_sq");
        require_close(dict[3].second.template to<double, 1>(), Tensor<double, 1>::from(largest, {3}));
    };
    check(std::type_identity<nn::Adam>(),
          {{0.40031645569620256, -1.1511299435028248, 1.9011627906976745},
           {0.3627572431509615, -1.1890749005854362, 1.8022953196729763},
           {0.32594505703490945, -1.194295051702527, 1.7036985096322894},
           {0.2938528589533807, -1.19111438605049, 1.7362679669112493},
           {0.27084488839976845, -1.1926476719883263, 1.7392929483055741},
           {0.2514653756643864, -1.1488266901557769, 1.7283822366453685}},
          {2.97675, 3.6684027430230794, 3.8585204595013614});
    check(std::type_identity<nn::AdamW>(),
          {{0.38533222591362126, -1.1144607843137253, 1.8438461538461537},
           {0.3401152652425611, -1.1373882893696465, 1.6990321872348129},
           {0.29732146410215615, -1.1336200260301719, 1.5885101179504086},
           {0.26076477705246837, -1.1244581724527971, 1.5917166564197918},
           {0.23468446879531107, -1.1210059755090047, 1.5690230832236438},
           {0.212977277467356, -1.058536575212224, 1.5349806165069981}},
          {2.7, 3.0619533750000003, 4.808728125000001});

    // The largest of NaN and a number is NaN, as torch.maximum has it.
    const Parameter<double, 1> p(Tensor<double, 1>::from(start, {3}));
    nn::Adam optimizer{p, {.amsgrad = true}};
    for (const double g : {1.0, std::nan(""), 1.0}) {
        weft::backward(weft::sum(p.var() * g));
        optimizer.step();
    }
    REQUIRE(std::isnan(optimizer.state_dict()[3].second.to<double, 1>()(0)));
}

TEST_CASE("optimizer: groups by part and by name as in PyTorch", "[nn][golden]") {
    const Golden g;
    Two<> net = g.start();
    nn::Adam by_part{net, {.lr = 0.1, .weight_decay = 0.3}};
    by_part.add_group(net.b, {.lr = 0.02});
    g.check("groups", net, by_part);
    net = g.start();
    nn::Adam by_name{net, {.lr = 0.02}};
    by_name.add_group([](std::string_view name) { return name == "a"; }, {.lr = 1, .weight_decay = 0.3}).lr = 0.1;
    REQUIRE(by_name.group_count() == 2);
    g.check("groups", net, by_name);
}

TEST_CASE("optimizer: schedules as in PyTorch", "[nn][golden]") {
    const Golden g;
    const auto check = [&](const std::string& name, auto rate) {
        nn::SGD optimizer{g.start(), {.lr = 0.4}};
        nn::Schedule schedule{optimizer, rate};
        const auto expected = g.file.get<double, 1>("lr." + name);
        for (weft::index epoch = 0; epoch < expected.size(); ++epoch) {
            INFO(name << " " << epoch);
            REQUIRE(optimizer.options().lr == Approx(expected(epoch)).epsilon(1e-12));
            schedule.step();
        }
        schedule.set_epoch(2);
        REQUIRE(optimizer.options().lr == Approx(expected(2)).epsilon(1e-12));
    };
    check("step", nn::StepLR{.step_size = 3, .gamma = 0.5});
    check("exponential", nn::ExponentialLR{.gamma = 0.9});
    check("cosine", nn::CosineAnnealingLR{.t_max = 8, .eta_min = 0.1});
    check("warmup", nn::WarmupLR{4, nn::CosineAnnealingLR{.t_max = 8, .eta_min = 0.1}, 0.25});
}

TEST_CASE("optimizer: the rate falls when a metric no longer does, by PyTorch's rule", "[nn]") {
    const auto net = make_two<double>();
    // The rate after each metric, at first 1.
    const auto check = [&](const nn::ReduceLROnPlateauOptions& options, const std::vector<double>& metrics,
                           const std::vector<double>& rates) {
        nn::SGD optimizer{net, {.lr = 1}};
        nn::ReduceLROnPlateau schedule{optimizer, options};
        for (std::size_t epoch = 0; epoch < metrics.size(); ++epoch) {
            INFO("epoch " << epoch);
            schedule.step(metrics[epoch]);
            REQUIRE(optimizer.options().lr == rates[epoch]);
        }
        REQUIRE(schedule.best() == *std::min_element(metrics.begin(), metrics.end()));
    };
    // Two epochs without progress are borne, the third is not; progress forgives.
    check({.factor = 0.5, .patience = 2}, {4, 5, 5, 5, 5, 3, 3, 3, 3}, {1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.25});
    // None is borne.
    check({.factor = 0.5, .patience = 0}, {4, 4, 3, 3, 3}, {1, 0.5, 0.5, 0.25, 0.125});
    // From 3.7, 3.6 is too little to be progress and 3.5 is some.
    check({.factor = 0.5, .patience = 1, .threshold = 0.05}, {4, 3.7, 3.6, 3.6, 3.6, 3.5}, {1, 1, 1, 0.5, 0.5, 0.5});
    // Two epochs after a reduction count for nothing.
    check({.factor = 0.5, .patience = 0, .cooldown = 2}, {4, 4, 4, 4, 4, 4}, {1, 0.5, 0.5, 0.5, 0.25, 0.25});
    // Not below the least rate.
    check({.factor = 0.25, .patience = 0, .min_lr = 0.125}, {4, 4, 4, 4}, {1, 0.25, 0.125, 0.125});
    // NaN is no progress.
    check({.factor = 0.5, .patience = 0}, {4, std::nan("")}, {1, 0.5});

    // Every group from its own rate; a change of at most eps is not made.
    nn::SGD optimizer{net, {.lr = 1}};
    optimizer.add_group(net.b, {.lr = 0.5});
    nn::ReduceLROnPlateau schedule{optimizer, {.factor = 0.5, .patience = 0, .eps = 0.2}};
    for (const auto& [first, second] : {std::pair{1.0, 0.5}, {0.5, 0.25}, {0.25, 0.25}, {0.25, 0.25}}) {
        schedule.step(4);
        REQUIRE(optimizer.options(0).lr == first);
        REQUIRE(optimizer.options(1).lr == second);
    }
}

TEST_CASE("optimizer: a schedule goes on where its state dict was taken", "[nn]") {
    const auto net = make_two<double>();
    const std::vector<double> metrics{4, 5, 5, 5, 3, 5, 5, 5, 5, 5, 2, 5, 5};
    const nn::ReduceLROnPlateauOptions options{.factor = 0.5, .patience = 1, .cooldown = 1};
    for (std::size_t taken = 0; taken <= metrics.size(); ++taken) {
        INFO("after " << taken << " epochs");
        nn::SGD one{net, {.lr = 1}}, other{net, {.lr = 1}};
        nn::ReduceLROnPlateau straight{one, options}, resumed{other, options};
        for (std::size_t epoch = 0; epoch < taken; ++epoch) straight.step(metrics[epoch]);
        resumed.step(1); // which does not matter
        resumed.load_state_dict(straight.state_dict());
        other.options().lr = one.options().lr;
        for (std::size_t epoch = taken; epoch < metrics.size(); ++epoch) {
            straight.step(metrics[epoch]);
            resumed.step(metrics[epoch]);
            REQUIRE(one.options().lr == other.options().lr);
            REQUIRE(straight.best() == resumed.best());
        }
    }
    nn::SGD optimizer{net, {.lr = 1}};
    nn::ReduceLROnPlateau schedule{optimizer, options};
    schedule.step(3);
    auto dict = schedule.state_dict();
    dict[0].second = Tensor<double, 0>(7.0);
    dict.pop_back();
    REQUIRE(error_of([&] { schedule.load_state_dict(dict); }) == "weft: load_state_dict: missing: cooldown_counter");
    REQUIRE(schedule.best() == 3);
}

TEST_CASE("optimizer: gradients clipped as in PyTorch", "[nn][golden]") {
    const Golden g;
    const auto first = g.file.get<double, 2>("clip.0.before");
    const auto second = g.file.get<double, 1>("clip.1.before");
    const Two<> net{Parameter<double, 2>(first), Parameter<double, 1>(second)};
    weft::backward(weft::sum(net.a.var() * first));
    weft::backward(weft::sum(net.b.var() * second));
    const double norm = g.file.get<double, 1>("clip.norm").item();
    REQUIRE(nn::clip_grad_norm(net, 2 * norm) == Approx(norm).epsilon(1e-13));
    require_close(net.a.grad(), first);
    REQUIRE(nn::clip_grad_norm(net, 1.5) == Approx(norm).epsilon(1e-13));
    require_close(net.a.grad(), g.file.get<double, 2>("clip.0.after"));
    require_close(net.b.grad(), g.file.get<double, 1>("clip.1.after"));
}

TEMPLATE_TEST_CASE("optimizer: a resumed run goes on with the same bits", "[nn]", nn::SGD, nn::Adam, nn::AdamW) {
    typename TestType::Options options{.lr = 0.03};
    const bool more = GENERATE(false, true);
    if constexpr (std::is_same_v<TestType, nn::SGD>)
        options.momentum = more ? 0.9 : 0;
    else
        options.amsgrad = more;
    auto net = make_two<float>();
    TestType optimizer{net, options};
    for (unsigned step = 1; step < 5; ++step) train(net, optimizer, step);
    optimizer.options().lr = 0.01;

    auto later = make_two<float>();
    const auto bytes = io::safetensors_bytes(optimizer.state_dict());
    const auto file = io::SafetensorsFile::parse(bytes);
    io::NamedTensors dict;
    for (const auto& name : file.names()) dict.emplace_back(name, file.any(name));
    nn::load_state_dict(later, nn::state_dict(net));
    TestType resumed{later, options};
    resumed.load_state_dict(dict);
    REQUIRE(resumed.options().lr == 0.01);
    for (unsigned step = 5; step < 9; ++step) {
        train(net, optimizer, step);
        train(later, resumed, step);
    }
    REQUIRE(same_bits(net.a.value(), later.a.value()));
    REQUIRE(same_bits(net.b.value(), later.b.value()));
}

TEST_CASE("optimizer: a shared parameter moves once, a copy of the module trains with it", "[nn]") {
    auto net = make_two<double>({1, 1}, {1});
    const std::vector<Two<double>> twice{net, net};
    nn::SGD optimizer{twice, {.lr = 0.5}};
    const double before = net.b.value()(0);
    weft::backward(weft::sum(net.b.var()));
    optimizer.step();
    REQUIRE(net.b.value()(0) == before - 0.5);
    REQUIRE(twice[1].b.value()(0) == before - 0.5);
}

TEST_CASE("optimizer: a snapshot of the parameters stays as it is", "[nn]") {
    auto net = make_two<float>();
    nn::Adam optimizer{net};
    const auto before = net.a.value();
    const float first = before(0, 0);
    train(net, optimizer, 3);
    REQUIRE(before(0, 0) == first);
    REQUIRE(net.a.value()(0, 0) != first);
}

TEST_CASE("optimizer: the same bits on any number of threads", "[nn]") {
    require_thread_independent([] {
        auto net = make_two<float>({300, 1001}, {33});
        nn::AdamW optimizer{net, {.lr = 0.1, .weight_decay = 0.1}};
        for (unsigned step = 1; step < 4; ++step) {
            weft::backward(weft::sum(weft::square(net.a.var() - numbers<float, 2>(net.a.shape(), step))));
            nn::clip_grad_norm(net, 1.0);
            optimizer.step();
        }
        return net.a.value();
    });
}

TEST_CASE("optimizer: nothing is allocated from the second step on", "[nn]") {
    auto net = make_two<float>({300, 101}, {33});
    nn::Adam optimizer{net};
    const auto target = numbers<float, 2>({300, 101}, 4);
    const auto step = [&] {
        weft::backward(weft::sum(weft::square(net.a.var() - target)));
        const auto before = weft::detail::Pool::instance().system_allocations();
        const float* const place = net.a.data();
        optimizer.step();
        REQUIRE(net.a.data() == place);
        return weft::detail::Pool::instance().system_allocations() - before;
    };
    step();
    for (int i = 0; i < 5; ++i) REQUIRE(step() == 0);
}

TEST_CASE("optimizer: errors", "[nn]") {
    auto net = make_two<float>();
    const auto other = make_two<float>();
    REQUIRE(error_of([&] { nn::Adam(net, {.lr = -1}); }) ==
            "weft: Adam: lr -1, eps 1e-08, weight_decay 0: must not be negative");
    REQUIRE(error_of([&] { nn::AdamW(net, {.betas = {0.9, 1}}); }) == "weft: AdamW: betas 0.9, 1: must be in [0, 1)");
    REQUIRE_THAT(error_of([&] { nn::SGD(net, {.nesterov = true}); }), ContainsSubstring("nesterov needs a momentum"));
    REQUIRE_THAT(error_of([&] { nn::SGD(net, {.momentum = 0.5, .dampening = 0.1, .nesterov = true}); }),
                 ContainsSubstring("no dampening (is 0.1)"));
    for (const nn::SGDOptions& o : {nn::SGDOptions{.lr = -1}, {.momentum = -1}, {.weight_decay = -1}})
        REQUIRE_THAT(error_of([&] { nn::SGD(net, o); }),
                     ContainsSubstring("SGD: lr ") && ContainsSubstring("negative"));
    for (const nn::AdamOptions& o : {nn::AdamOptions{.eps = -1}, {.weight_decay = -1}})
        REQUIRE_THAT(error_of([&] { nn::Adam(net, o); }),
                     ContainsSubstring("Adam: lr ") && ContainsSubstring("negative"));
    for (const nn::AdamOptions& o :
         {nn::AdamOptions{.betas = {-0.1, 0.5}}, {.betas = {1, 0.5}}, {.betas = {0.5, -0.1}}})
        REQUIRE_THAT(error_of([&] { nn::Adam(net, o); }), ContainsSubstring("must be in [0, 1)"));
    nn::Adam optimizer{net};
    REQUIRE_THAT(error_of([&] { optimizer.add_group(other, {}); }),
                 ContainsSubstring("parameter a of the group is none"));
    REQUIRE_THAT(error_of([&] { optimizer.add_group([](std::string_view) { return false; }, {}); }),
                 ContainsSubstring("no parameter has a name"));
    REQUIRE_THAT(error_of([&] { optimizer.options(1); }), ContainsSubstring("there is no group 1 among 1"));
    train(net, optimizer, 2);
    auto dict = optimizer.state_dict();
    dict.erase(dict.begin() + 1);
    dict.emplace_back("c.step", Tensor<std::int64_t, 0>(std::int64_t{1}));
    REQUIRE(error_of([&] { optimizer.load_state_dict(dict); }) ==
            "weft: load_state_dict: missing: a.exp_avg; unexpected: c.step");
    REQUIRE(error_of([&] { nn::ReduceLROnPlateau(optimizer, {.factor = 1}); }) ==
            "weft: ReduceLROnPlateau: factor is 1: must be in (0, 1)");
    REQUIRE_THAT(error_of([&] { nn::ReduceLROnPlateau(optimizer, {.patience = -1}); }),
                 ContainsSubstring("patience is -1, cooldown 0: must not be negative"));
    REQUIRE_THAT(error_of([&] { nn::ReduceLROnPlateau(optimizer, {.threshold = 1}); }),
                 ContainsSubstring("threshold is 1"));
    REQUIRE_THAT(error_of([&] { nn::ReduceLROnPlateau(optimizer, {.min_lr = -1}); }),
                 ContainsSubstring("min_lr is -1"));
    optimizer.options().lr = std::numeric_limits<double>::quiet_NaN();
    REQUIRE_THAT(error_of([&] { optimizer.step(); }), ContainsSubstring("lr nan"));
}
