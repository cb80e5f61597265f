// SPDX-License-Identifier: MIT
// The system has no more memory: the n-th request fails, for every n until none does. A std::bad_alloc comes out,
// nothing is lost, and the same objects then give the right result.
#include "../core/tensor_checks.hpp"
#include "../counted_memory.hpp"
#include "../io/io_test.hpp"
#include "survival.hpp"

#include <weft/attention/attention.hpp>
#include <weft/core/softmax.hpp>
#include <weft/gnn/gat_conv.hpp>
#include <weft/gnn/gcn_conv.hpp>
#include <weft/grad.hpp>
#include <weft/graph/neighbor_list.hpp>
#include <weft/io.hpp>
#include <weft/io/extxyz.hpp>
#include <weft/linalg/matmul.hpp>
#include <weft/nn/adam.hpp>
#include <weft/nn/linear.hpp>
#include <weft/so3/convolution.hpp>

using namespace weft_test;
using weft::Graph, weft::Tensor, weft::Var;
namespace gnn = weft::gnn;
namespace io = weft::io;
namespace nn = weft::nn;
namespace so3 = weft::so3;

namespace {

Graph some_graph(weft::index nodes, weft::index edges) {
    auto ends = Tensor<std::int32_t, 2>::empty({2, edges});
    for (weft::index k = 0; k < 2 * edges; ++k)
        ends.mutable_data()[k] = static_cast<std::int32_t>((k * k + 7 * k + k / edges) % nodes);
    return Graph(ends, nodes);
}

} // namespace

TEST_CASE("allocation: expressions, reductions, views, softmax", "[faults]") {
    for (const weft::index rows : {3, 3000}) {
        const auto a = numbers<float, 2>({rows, 40}, 1), b = numbers<float, 2>({1, 40}, 2);
        on_threads([&] {
            require_survival([&] {
                const Tensor<float, 2> y = tanh(a * b + 1.0f) / (1.0f + square(a));
                const Tensor<float, 2> z = softmax<1>(y - mean<0>(y));
                const Tensor<float, 1> s = sum<0>(z * transpose(reshape(y, {40, rows})));
                return numbers_of(s, max(y));
            });
        });
    }
}

TEST_CASE("allocation: a tensor that is written to while it is shared", "[faults]") {
    require_survival([] { return numbers<double, 1>({100}); },
                     [](Tensor<double, 1>& x) {
                         const Tensor<double, 1> share = x;
                         x.mutable_data()[3] = 5;
                         return numbers_of(x);
                     });
}

TEST_CASE("allocation: products of matrices", "[faults]") {
    on_threads([&] {
        for (const weft::index n : {5, 150}) {
            const auto a = numbers<double, 2>({n, n}, 1), b = numbers<double, 2>({n, n + 1}, 2);
            require_survival([&] { return numbers_of(matmul(a, b), Tensor<double, 2>(matmul(transpose(a), b))); });
        }
    });
}

TEST_CASE("allocation: graphs", "[faults]") {
    require_survival([] { return some_graph(50, 300); },
                     [](const Graph& g) {
                         const Graph r = g.reverse();
                         return numbers_of(g.in().row_ptr, g.out().slot, r.in().eid, g.in_degree(),
                                           sum_in(g, src(numbers<double, 2>({50, 3}))));
                     });
    const auto x = numbers<double, 2>({60, 3});
    on_threads([&] {
        require_survival([&] {
            const auto list = weft::neighbor_list(x, weft::Cell{{4, 0, 0, 0, 4, 0, 0, 0, 4}, {true, true, true}}, 1.1);
            return numbers_of(list.graph.sources(), list.shifts);
        });
    });
}

namespace {

struct Net {
    weft::Generator generator{3};
    gnn::GATConv<float> attention{4, 3, {.heads = 2, .generator = &generator}};
    gnn::GCNConv<float> conv{6, 2, {.generator = &generator}};

    auto operator()(const Graph& g, const auto& x) const { return conv(g, elu(attention(g, x))); }
    void visit(auto&& v) {
        v("attention", attention);
        v("conv", conv);
    }
};

struct Training {
    Net net;
    nn::Adam optimizer{net, {.lr = 0.01}};
    Graph graph = some_graph(20, 90);
};

} // namespace

TEST_CASE("allocation: gradients", "[faults]") {
    const auto x = numbers<float, 2>({20, 4});
    on_threads([&] {
        require_survival([] { return Training(); },
                         [&](Training& t) {
                             nn::clear_grad(t.net);
                             const Var<float, 2> input{x};
                             backward(sum(square(t.net(t.graph, input))));
                             return numbers_of(input.grad(), t.net.conv.lin.weight.grad());
                         });
    });
}

TEST_CASE("allocation: a step of an optimiser", "[faults]") {
    const auto x = numbers<float, 2>({20, 4});
    require_survival(
        [&] {
            auto t = std::make_unique<Training>();
            backward(sum(square(t->net(t->graph, Var<float, 2>{x}))));
            return t;
        },
        [](const std::unique_ptr<Training>& t) {
            t->optimizer.step(); // goes on where it stopped
            Numbers all;
            for (const io::NamedTensors& dict : {nn::state_dict(t->net), t->optimizer.state_dict()})
                for (const auto& [name, tensor] : dict)
                    for (const std::byte b : tensor.bytes()) all.push_back(std::to_integer<int>(b));
            return all;
        });
}

TEST_CASE("allocation: attention", "[faults]") {
    const auto q = numbers<float, 4>({1, 2, 30, 8}, 1), k = numbers<float, 4>({1, 2, 40, 8}, 2);
    on_threads([&] {
        require_survival([&] {
            const Var<float, 4> query{q}, key{k};
            const auto y = eval(weft::attention(query, key, key));
            backward(sum(square(y)));
            return numbers_of(y.value(), query.grad(), key.grad());
        });
    });
}

TEST_CASE("allocation: an equivariant convolution", "[faults]") {
    const so3::ConvolutionTensorProduct product("4x0e+2x1o", so3::Irreps::spherical_harmonics(1));
    const Graph g = some_graph(10, 40);
    const auto x = numbers<double, 2>({10, 10}, 1), y = numbers<double, 2>({40, 4}, 2);
    const auto w = numbers<double, 2>({40, product.weight_numel()}, 3);
    on_threads([&] {
        require_survival([&] {
            const Var<double, 2> nodes{x}, weights{w};
            const auto sums = so3::convolution(product, g, nodes, y, weights);
            backward(sum(square(sums)));
            return numbers_of(sums.value(), nodes.grad(), weights.grad());
        });
    });
}

TEST_CASE("allocation: files", "[faults]") {
    const TemporaryFolder folder;
    const io::NamedTensors tensors = {{"a", numbers<float, 2>({3, 5})}, {"b", numbers<double, 1>({7})}};
    const auto require_files = [&](const auto& write, const auto& read) {
        require_survival([&] {
            write();
            return read();
        });
        CHECK(folder.files() == 1); // no temporary one is left
        fs::remove(*fs::directory_iterator(folder.path()));
    };
    require_files(
        [&] {
            io::save_safetensors(folder / "f", tensors, {{"key", "value"}});
        },
        [&] {
            const auto f = io::SafetensorsFile::read(folder / "f");
            return numbers_of(f.get<float, 2>("a"), f.get<double, 1>("b"));
        });
    require_files([&] { io::save_npz(folder / "f", tensors); },
                  [&] {
                      const auto f = io::NpzFile::open(folder / "f");
                      return numbers_of(f.get<float, 2>("a"), f.get<double, 1>("b"));
                  });
    require_files([&] { io::save_npy(folder / "f", tensors[0].second); },
                  [&] { return numbers_of(io::load_npy<float, 2>(folder / "f")); });

    io::EdgeList<double> list;
    list.num_src = list.num_dst = 4;
    list.edge_index = Tensor<std::int32_t, 2>::from({{0, 1, 2}, {1, 2, 3}});
    list.edge_weight = numbers<double, 1>({3});
    require_files([&] { io::save_edge_list(folder / "f", list); },
                  [&] { return numbers_of(io::load_edge_list<double>(folder / "f").edge_index); });
    require_files([&] { io::save_matrix_market(folder / "f", list); },
                  [&] { return numbers_of(io::load_matrix_market<double>(folder / "f").edge_index); });

    io::Atoms atoms;
    atoms.numbers = Tensor<std::int32_t, 1>::from({1, 8});
    atoms.positions = numbers<double, 2>({2, 3});
    atoms.info["energy"] = 0.5;
    require_files(
        [&] {
            io::write_extxyz(folder / "f", std::array{atoms, atoms});
        },
        [&] { return numbers_of(io::read_extxyz(folder / "f")[1].positions); });
}
