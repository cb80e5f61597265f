// SPDX-License-Identifier: MIT
// Operands' ranks, a byte each up to 0xff, then any text: of an equation that is accepted every operand has as many
// labels as axes, the result has each of its labels once and from an operand, and spaces mean nothing.
#include "require.hpp"

#include <weft/linalg/einsum.hpp>

#include <cstdint>
#include <cstdlib>
#include <string>

using weft_test::require;

namespace {

template <std::size_t Count>
void parse(const std::uint8_t* ranks_of, std::string_view text) {
    std::array<int, Count> ranks{};
    for (std::size_t i = 0; i < Count; ++i) ranks[i] = ranks_of[i] % 30;
    const auto parsed = weft::detail::parse_einsum<Count>(text, ranks);
    std::string spaced;
    for (const char c : text)
        if (c != ' ') (spaced += c) += ' ';
    const auto again = weft::detail::parse_einsum<Count>(spaced, ranks);
    require(again.problem == parsed.problem);
    if (parsed.problem != weft::detail::EinsumProblem::none) return;
    require(again.operands == parsed.operands && again.result == parsed.result);
    for (std::size_t i = 0; i < Count; ++i) require(parsed.operands[i].count == ranks[i]);
    for (int i = 0; i < parsed.result.count; ++i) {
        const char label = parsed.result.of[i];
        require(parsed.result.times(label) == 1);
        bool there = false;
        for (const auto& labels : parsed.operands) there = there || labels.contains(label);
        require(there);
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::size_t count = 0;
    while (count < size && data[count] != 0xff) ++count;
    if (count == size) return 0;
    const std::string_view text(reinterpret_cast<const char*>(data) + count + 1, size - count - 1);
    switch (count) {
    case 1:
        parse<1>(data, text);
        break;
    case 2:
        parse<2>(data, text);
        break;
    case 3:
        parse<3>(data, text);
        break;
    case 4:
        parse<4>(data, text);
        break;
    default:
        break;
    }
    return 0;
}
