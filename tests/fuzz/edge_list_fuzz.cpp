// SPDX-License-Identifier: MIT
// Any text: edges that are read are in range, and what is written is read again as the same.
#include "require.hpp"

#include <weft/io/edge_list.hpp>

#include <cstdint>
#include <cstdlib>
#include <set>

using namespace weft;
using weft_test::require;

namespace {

template <class T>
void check(std::string_view text, const io::EdgeListOptions& options) {
    io::EdgeList<T> list;
    try {
        list = io::parse_edge_list<T>(text, options, "input");
    } catch (const Error&) {
        return;
    }
    const weft::index edges = list.edge_index.extent(1);
    require(list.edge_weight.size() == 0 || list.edge_weight.size() == edges);
    for (const std::int32_t node : list.edge_index.values()) require(node >= 0 && node < list.num_src);
    if (options.named) {
        require(static_cast<weft::index>(list.names.size()) == list.num_src);
        require(std::set(list.names.begin(), list.names.end()).size() == list.names.size());
        for (const std::string& name : list.names)
            if (name.find('\r') != name.npos) return; // cannot be written
    }

    io::EdgeListOptions same = options;
    same.header = false;
    const auto again = io::parse_edge_list<T>(io::edge_list_text(list, same), same, "written");
    require(again.edge_index.extent(1) == edges);
    if (options.undirected) return; // the order of edges may be another
    for (weft::index e = 0; e < 2 * edges; ++e) {
        const auto a = static_cast<std::size_t>(list.edge_index.data()[e]);
        const auto b = static_cast<std::size_t>(again.edge_index.data()[e]);
        require(options.named ? list.names[a] == again.names[b] : a == b);
    }
    for (weft::index e = 0; e < list.edge_weight.size(); ++e)
        require(list.edge_weight.data()[e] == again.edge_weight.data()[e] ||
                list.edge_weight.data()[e] != list.edge_weight.data()[e]);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    check<float>(text, {});
    check<double>(text, {.undirected = true});
    check<float>(text, {.named = true});
    check<double>(text, {.delimiter = '\t', .header = true, .named = true, .undirected = true});
    check<std::int8_t>(text, {.delimiter = ',', .first_id = -5, .num_nodes = 1000});
    check<float>(text, {.delimiter = '|', .named = true, .weighted = false});
    return 0;
}
