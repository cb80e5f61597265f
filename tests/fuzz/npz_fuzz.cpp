// SPDX-License-Identifier: MIT
// Any bytes: every array of an archive that is accepted is read, or refused with an Error.
#include <weft/io/npz.hpp>

#include <cstdint>

using namespace weft;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    try {
        const auto file = io::NpzFile::parse(std::as_bytes(std::span(data, size)), "input");
        for (const std::string& name : file.names()) {
            try {
                static_cast<void>(file.get<double, 1>(name, io::Conversion::rounding));
            } catch (const Error&) {
            }
        }
    } catch (const Error&) {
    }
    return 0;
}
