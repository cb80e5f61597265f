// SPDX-License-Identifier: MIT
// Any text as the configuration of a model: one that is accepted is written and read again as the same.
#include "require.hpp"

#include <weft/potential/mace_options.hpp>
#include <weft/potential/nequip_options.hpp>

#include <cstdint>
#include <cstdlib>

using namespace weft;
using weft_test::require;

namespace {

template <class Read, class Write>
void check(std::string_view text, const Read& read, const Write& write) {
    std::string config;
    try {
        config = write(read(text, "input"));
    } catch (const Error& e) {
        const std::string_view message = e.what();
        require(io::detail::is_utf8(message) && message.size() < 2000 && message.find('\0') == message.npos);
        return;
    }
    require(write(read(config, "written")) == config);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    check(text, potential::read_mace_config, potential::mace_config);
    check(text, potential::read_nequip_config, potential::nequip_config);
    return 0;
}
