// SPDX-License-Identifier: MIT
// Functions of the user that throw while many threads run them: one exception comes out, the others are dropped,
// nothing is lost, and all works afterwards.
#include "../core/tensor_checks.hpp"
#include "../thread_executor.hpp"

#include <weft/attention/attention.hpp>
#include <weft/gnn/per_edge.hpp>
#include <weft/grad.hpp>
#include <weft/nn/linear.hpp>

#include <atomic>

using namespace weft_test;
using weft::Graph, weft::Tensor, weft::Var;

namespace {

/// An exception that counts those of its kind that are there.
struct Refusal {
    static inline std::atomic<int> alive{0}, thrown{0};
    Refusal() {
        ++alive;
        ++thrown;
    }
    Refusal(const Refusal&) { ++alive; }
    ~Refusal() { --alive; }
};

/// Calls f() on one thread, on two and three of OpenMP and of an executor.
template <class F>
void with_threads(F f) {
    for (const int threads : {1, 2, 3}) {
        INFO(threads << " threads");
        {
            const ThreadCount count(threads);
            f();
        }
        const ThreadExecutor executor(threads);
        f();
    }
}

/// Requires that refused() throws Refusals of which one comes out, and that good() then gives what it gave before.
template <class Good, class Refused>
void require_one_exception(const Good& good, const Refused& refused) {
    const Tensor<float, 1> expected = good();
    with_threads([&] {
        for (int repetition = 0; repetition < 3; ++repetition) {
            const std::size_t in_use = weft::memory_in_use();
            Refusal::thrown = 0;
            int caught = 0;
            try {
                refused();
            } catch (const Refusal&) {
                ++caught;
                CHECK(Refusal::alive == 1);
            }
            REQUIRE(caught == 1);
            REQUIRE(Refusal::thrown >= 1);
            REQUIRE(Refusal::alive == 0);
            REQUIRE(weft::memory_in_use() == in_use);
            REQUIRE(same_bits(good(), expected));
        }
    });
}

Graph some_graph(weft::index nodes, weft::index edges) {
    auto ends = Tensor<std::int32_t, 2>::empty({2, edges});
    for (weft::index k = 0; k < 2 * edges; ++k)
        ends.mutable_data()[k] = static_cast<std::int32_t>((k * 7919 + k / edges) % nodes);
    return Graph(ends, nodes);
}

/// A module that throws when it is to compute, not when it is asked for the extents of its result.
struct Refusing {
    weft::Generator generator{1};
    weft::nn::Linear<float> linear{16, 16, {.generator = &generator}};
    bool refuses = false;

    auto operator()(const auto& x) const {
        if (refuses && x.shape()[0] > 0) throw Refusal();
        return linear(x);
    }
    void visit(auto&& v) { v("linear", linear); }
};

} // namespace

TEST_CASE("exceptions: chunks of parallel_for", "[faults]") {
    std::atomic<int> ran{0};
    const auto loop = [&](bool refuses) {
        ran = 0;
        weft::parallel_for(1000, [&](weft::index chunk) {
            ++ran;
            if (refuses && chunk % 3 == 1) throw Refusal();
        });
        return Tensor<float, 1>::from({static_cast<float>(ran)});
    };
    require_one_exception([&] { return loop(false); }, [&] { loop(true); });
}

TEST_CASE("exceptions: a loop within a loop", "[faults]") {
    const auto loop = [&](bool refuses) {
        std::atomic<int> ran{0};
        weft::parallel_for(20, [&](weft::index) {
            weft::parallel_for_ranges(100, 7, [&](weft::index begin, weft::index) {
                ++ran;
                if (refuses && begin > 50) throw Refusal();
            });
        });
        return Tensor<float, 1>::from({static_cast<float>(ran)});
    };
    require_one_exception([&] { return loop(false); }, [&] { loop(true); });
}

TEST_CASE("exceptions: a module on edges", "[faults]") {
    const Graph g = some_graph(500, 20000);
    const auto x = numbers<float, 2>({500, 16});
    Refusing good, refusing;
    refusing.refuses = true;
    require_one_exception([&] { return Tensor<float, 1>(sum<0>(sum_in(g, weft::gnn::per_edge(good, src(x))))); },
                          [&] { static_cast<void>(eval(sum_in(g, weft::gnn::per_edge(refusing, src(x))))); });
    // In training too.
    const auto train = [&](const Refusing& module) {
        const Var<float, 2> input{x};
        const auto y = eval(sum_in(g, weft::gnn::per_edge(module, src(input))));
        backward(sum(square(y)));
        return Tensor<float, 1>(sum<0>(input.grad()));
    };
    require_one_exception([&] { return train(good); }, [&] { train(refusing); });
}

TEST_CASE("exceptions: a function of the scores of attention", "[faults]") {
    const auto q = numbers<float, 4>({2, 4, 100, 16}, 1), k = numbers<float, 4>({2, 4, 120, 16}, 2);
    const auto refuses_from = [](weft::index first) {
        return [first](const auto& s, weft::index, weft::index, weft::index i, weft::index) {
            if (i >= first) throw Refusal();
            return s * s;
        };
    };
    const auto mask = weft::block_mask([](auto...) { return true; }, {2, 4, 100, 120});
    const auto attend = [&](const auto& score, const auto& query) {
        return eval(weft::flex_attention(query, k, k, score, mask));
    };
    require_one_exception([&] { return Tensor<float, 1>(flatten(attend(refuses_from(100), q))); },
                          [&] { attend(refuses_from(50), q); });
    const auto train = [&](weft::index first) {
        const Var<float, 4> query{q};
        backward(sum(square(attend(refuses_from(first), query))));
        return Tensor<float, 1>(flatten(query.grad()));
    };
    require_one_exception([&] { return train(100); }, [&] { train(50); });
    // Only in the backward: the graph is used up, and no gradient is left.
    std::atomic<bool> late{false};
    const auto score = [&late](const auto& s, weft::index, weft::index, weft::index, weft::index j) {
        if (late && j == 60) throw Refusal();
        return s * s;
    };
    with_threads([&] {
        late = false;
        const Var<float, 4> query{q};
        const auto loss = eval(sum(square(attend(score, query))));
        late = true;
        REQUIRE_THROWS_AS(backward(loss), Refusal);
        REQUIRE(!query.has_grad());
        REQUIRE(Refusal::alive == 0);
    });
}
