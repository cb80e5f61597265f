// SPDX-License-Identifier: MIT
// Any text: entries that are read are in range, and what is written is read again as the same.
#include "require.hpp"

#include <weft/io/matrix_market.hpp>

#include <cstdint>
#include <cstdlib>

using namespace weft;
using weft_test::require;

namespace {

template <class T>
void check_same(const io::EdgeList<T>& a, const io::EdgeList<T>& b) {
    require(a.num_src == b.num_src && a.num_dst == b.num_dst);
    require(a.edge_index.shape() == b.edge_index.shape() && a.edge_weight.shape() == b.edge_weight.shape());
    for (weft::index e = 0; e < a.edge_index.size(); ++e) require(a.edge_index.data()[e] == b.edge_index.data()[e]);
    for (weft::index e = 0; e < a.edge_weight.size(); ++e) {
        const T x = a.edge_weight.data()[e], y = b.edge_weight.data()[e];
        require(x == y || (x != x && y != y));
    }
}

template <class T>
void check(std::string_view text) {
    io::EdgeList<T> list;
    try {
        list = io::parse_matrix_market<T>(text, "input");
    } catch (const Error&) {
        return;
    }
    for (weft::index e = 0, edges = list.edge_index.extent(1); e < edges; ++e) {
        require(list.edge_index(0, e) >= 0 && list.edge_index(0, e) < list.num_src);
        require(list.edge_index(1, e) >= 0 && list.edge_index(1, e) < list.num_dst);
    }
    check_same(io::parse_matrix_market<T>(io::matrix_market_text(list, {.comment = std::string(text)})), list);
    // The half of a matrix that was a half in the file comes back in the order of the file.
    std::string head(text.substr(0, text.find('\n')));
    for (char& c : head) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    for (const auto symmetry : {io::MatrixSymmetry::symmetric, io::MatrixSymmetry::skew_symmetric}) {
        const bool skew = symmetry == io::MatrixSymmetry::skew_symmetric;
        if (head.find(skew ? " skew-symmetric" : " symmetric") == head.npos) continue;
        if (skew && std::is_unsigned_v<T>) continue;
        check_same(io::parse_matrix_market<T>(io::matrix_market_text(list, {.symmetry = symmetry})), list);
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    check<float>(text);
    check<std::int8_t>(text);
    check<std::uint32_t>(text);
    return 0;
}
