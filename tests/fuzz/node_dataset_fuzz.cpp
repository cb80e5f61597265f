// SPDX-License-Identifier: MIT
// Any bytes: a data set that is accepted has consistent sizes and no number out of range.
#include <weft/io/node_dataset.hpp>

#include <cstdint>
#include <cstdlib>

using namespace weft;

namespace {

void check_range(std::span<const std::int32_t> values, weft::index end) {
    for (const std::int32_t value : values)
        if (value < 0 || value >= end) std::abort();
}

void check(const io::NodeDataset& data) {
    check_range(data.y.values(), data.num_classes);
    check_range(data.edge_index.values(), data.num_nodes);
    check_range(data.x_indices.values(), data.num_features);
    check_range(data.train.values(), data.num_nodes);
    check_range(data.validation.values(), data.num_nodes);
    check_range(data.test.values(), data.num_nodes);
    check_range(data.label_indices.values(), data.num_classes);
    if (data.x.extent(0) != data.num_nodes) std::abort();
    if (data.y.size() != data.num_nodes && data.labels.extent(0) != data.num_nodes) std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    try {
        const auto file = io::SafetensorsFile::parse(std::as_bytes(std::span(data, size)), "input");
        check(io::node_dataset(file, {.max_dense_size = 1 << 16}));
        check(io::node_dataset(
            file, {.split = 1, .identity_features = true, .normalize_features = true, .max_dense_size = 1 << 16}));
    } catch (const Error&) {
    }
    return 0;
}
