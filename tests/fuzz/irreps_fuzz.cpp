// SPDX-License-Identifier: MIT
// Any text: irreps that are accepted are read again from what they are printed as, and lists made of them agree.
#include "require.hpp"

#include <weft/io/message.hpp>
#include <weft/so3/irreps.hpp>

#include <cstdint>
#include <cstdlib>

using namespace weft;
using weft_test::require;

namespace {} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    so3::Irreps irreps;
    try {
        irreps = so3::Irreps(text);
    } catch (const Error& e) {
        require(io::detail::is_utf8(e.what()) && std::string_view(e.what()).size() < 1000);
        return 0;
    }
    require(so3::Irreps(so3::detail::irreps_text(irreps)) == irreps);
    const auto slices = irreps.slices();
    require(slices.empty() ? irreps.dim() == 0 : slices.back().end == irreps.dim());

    const auto sorted = irreps.sort();
    require(sorted.irreps.dim() == irreps.dim() && sorted.irreps.num_irreps() == irreps.num_irreps());
    for (weft::index i = 0; i < irreps.size(); ++i) {
        const auto at = static_cast<std::size_t>(i);
        require(sorted.irreps[i] == irreps[sorted.inv[at]] && sorted.p[static_cast<std::size_t>(sorted.inv[at])] == i);
        require(i == 0 || !(sorted.irreps[i].ir < sorted.irreps[i - 1].ir));
    }
    for (const so3::Irreps& same : {irreps.simplify(), irreps.regroup()}) {
        require(same.dim() == irreps.dim() && same.lmax() == irreps.lmax() && same.simplify() == same);
        for (const so3::MulIrrep& term : same) require(same.count(term.ir) == irreps.count(term.ir));
    }
    require(irreps.filter(irreps) == irreps && irreps.without(irreps).empty());
    require((irreps + irreps) == 2 * irreps && irreps.up_to(irreps.lmax()).dim() == irreps.dim());
    return 0;
}
