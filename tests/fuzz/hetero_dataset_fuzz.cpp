// SPDX-License-Identifier: MIT
// Any bytes: a data set that is accepted has consistent sizes and no number out of range.
#include <weft/io/hetero_dataset.hpp>

#include <cstdint>
#include <cstdlib>

using namespace weft;

namespace {

void check_range(std::span<const std::int32_t> values, weft::index end) {
    for (const std::int32_t value : values)
        if (value < 0 || value >= end) std::abort();
}

void check(const io::HeteroDataset& data) {
    for (const auto& [type, nodes] : data.nodes)
        if (nodes.x.extent(0) != nodes.count) std::abort();
    for (const auto& [type, ends] : data.edge_index) {
        const auto edges = static_cast<std::size_t>(ends.extent(1));
        check_range(ends.values().first(edges), data.nodes.at(type.src).count);
        check_range(ends.values().last(edges), data.nodes.at(type.dst).count);
    }
    if (data.target.empty()) return;
    const weft::index count = data.nodes.at(data.target).count;
    if (data.y.size() != count) std::abort();
    if (data.train.size() + data.validation.size() + data.test.size() + data.unlabelled.size() != count) std::abort();
    if (data.unlabelled.size() < count) check_range(data.y.values(), data.num_classes);
    for (const auto* part : {&data.train, &data.validation, &data.test, &data.unlabelled})
        check_range(part->values(), count);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    try {
        const auto file = io::SafetensorsFile::parse(std::as_bytes(std::span(data, size)), "input");
        check(io::hetero_dataset(file, {.max_dense_size = 1 << 16}));
        check(io::hetero_dataset(file, {.reverse_relations = true,
                                        .identity_features = true,
                                        .normalize_features = true,
                                        .max_dense_size = 1 << 16}));
    } catch (const Error&) {
    }
    return 0;
}
