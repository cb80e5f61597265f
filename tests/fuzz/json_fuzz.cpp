// SPDX-License-Identifier: MIT
// Any text: what is accepted as JSON is JSON for another parser too, what is refused is none either, has
// keys that are there twice or too much nesting; and strings survive being written and read again.
#include "other_json.hpp"
#include "require.hpp"

#include <weft/io/json.hpp>

#include <cmath>
#include <cstdint>
#include <cstdlib>

using namespace weft;
using weft_test::require;

namespace {

/// Whether the text is JSON for the reader, and what it says if it is not.
bool accepts(std::string_view text, std::string& message) {
    io::detail::JsonReader reader(text, "input", 0);
    try {
        reader.skip();
        reader.end();
        return true;
    } catch (const Error& e) {
        message = e.what();
        return false;
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);

    // Any bytes as a string.
    const std::string quoted = io::detail::json_string(text);
    io::detail::JsonReader reader(quoted, "quoted", 0);
    const std::string again = reader.string();
    reader.end();
    require(io::detail::is_utf8(again) && (again == text) == io::detail::is_utf8(text));
    require(io::detail::quote_name(text).size() < 700);

    std::string message;
    const bool accepted = accepts(text, message);
    require(accepted || (io::detail::is_utf8(message) && message.size() < 1000));
    // As other types than it has: an Error or a value.
    const auto as = [&](auto&& read) {
        io::detail::JsonReader typed(text, "input", 0);
        try {
            read(typed);
            typed.end();
            require(accepted);
        } catch (const Error&) {
        }
    };
    as([](auto& r) { require(r.integer() >= 0); });
    as([](auto& r) { require(std::isfinite(r.real())); });
    as([](auto& r) { static_cast<void>(r.boolean()); });
    as([](auto& r) { require(io::detail::is_utf8(r.string())); });
    as([](auto& r) { r.array([&] { static_cast<void>(r.real()); }); });
    as([](auto& r) { r.object([&](const std::string&) { r.array([&] { static_cast<void>(r.integer()); }); }); });

#if HAVE_OTHER_PARSER
    // The other one skips a byte order mark and ends at a zero.
    if (text.starts_with("\xef\xbb\xbf") || text.find('\0') != text.npos) return 0;
    if (accepted) {
        try {
            require(!nlohmann::json::parse(text).is_discarded());
        } catch (const nlohmann::json::out_of_range&) { // 1e999
        }
    } else if (nlohmann::json::accept(text)) {
        const auto says = [&](const char* what) { return message.find(what) != message.npos; };
        require(says("is there twice") || says("nested deeper"));
    }
#endif
    return 0;
}
