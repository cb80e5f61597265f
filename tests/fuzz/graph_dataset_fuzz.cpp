// SPDX-License-Identifier: MIT
// Any bytes: a data set that is accepted has consistent sizes and no number out of range, and so have parts of it.
#include "require.hpp"

#include <weft/io/graph_dataset.hpp>

#include <cstdint>
#include <cstdlib>

using namespace weft;
using weft_test::require;

namespace {

void check(const io::GraphDataset& data) {
    const weft::index edges = data.edge_index.extent(1);
    require(data.x.shape() == Extents<2>{data.num_nodes, data.num_features});
    require(data.edge_attr.shape() == Extents<2>{edges, data.num_edge_features} || edges == 0);
    require(data.batch.size() == data.num_nodes && data.y.size() == data.num_graphs);
    require(data.node_ptr.size() == data.num_graphs + 1 && data.edge_ptr.size() == data.num_graphs + 1);
    require(data.node_ptr.values().back() == data.num_nodes && data.edge_ptr.values().back() == edges);
    for (const std::int32_t label : data.y.values()) require(label >= 0 && label < data.num_classes);
    for (weft::index g = 0; g < data.num_graphs; ++g) {
        for (weft::index v = data.node_ptr(g); v < data.node_ptr(g + 1); ++v) require(data.batch(v) == g);
        for (weft::index e = data.edge_ptr(g); e < data.edge_ptr(g + 1); ++e)
            require(data.batch(data.edge_index(0, e)) == g && data.batch(data.edge_index(1, e)) == g);
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    try {
        const auto file = io::SafetensorsFile::parse(std::as_bytes(std::span(data, size)), "input");
        const auto all = io::graph_dataset(file, {.node_attributes = true, .max_dense_size = 1 << 16});
        check(all);
        check(io::graph_dataset(file, {.max_dense_size = 1 << 16}));
        std::vector<std::int32_t> odd, last;
        for (weft::index g = all.num_graphs; g-- > 0;)
            if (g % 2 == 1) odd.push_back(static_cast<std::int32_t>(g));
        for (weft::index g = all.num_graphs / 2; g < all.num_graphs; ++g) last.push_back(static_cast<std::int32_t>(g));
        check(all.select(Tensor<std::int32_t, 1>::from(odd)));
        check(all.select(Tensor<std::int32_t, 1>::from(last)));
        all.split(0);
    } catch (const Error&) {
    }
    return 0;
}
