// SPDX-License-Identifier: MIT
// Any bytes: a file that is accepted has readable tensors, survives being written and read again, and its header is
// JSON for another parser too.
#include "other_json.hpp"
#include "require.hpp"

#include <weft/io/safetensors.hpp>

#include <cstdint>
#include <cstdlib>

using namespace weft;
using weft_test::require;

namespace {

template <class T, int N>
void convert(const io::AnyTensor& tensor) {
    try {
        const auto result = tensor.to<T, N>(io::Conversion::rounding);
        require(result.size() == tensor.size());
    } catch (const Error&) {
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto bytes = std::as_bytes(std::span(data, size));
    try {
        const auto file = io::SafetensorsFile::parse(bytes, "input");
        const io::NamedTensors tensors = file.tensors();
        for (const auto& [name, tensor] : tensors) {
            require(file.contains(name));
            require(io::detail::is_utf8(name));
            convert<float, 1>(tensor);
            convert<std::int32_t, 2>(tensor);
            convert<bool, 1>(tensor);
            convert<std::complex<double>, 0>(tensor);
        }
        const auto written = io::safetensors_bytes(tensors, file.metadata());
        const auto again = io::SafetensorsFile::parse(written, "written");
        require(again.metadata() == file.metadata() && again.names().size() == tensors.size());
        for (const auto& [name, tensor] : tensors) {
            const io::AnyTensor other = again.any(name);
            const auto a = tensor.bytes(), b = other.bytes();
            require(other.dtype() == tensor.dtype() && other.shape() == tensor.shape());
            require(a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin()));
        }
#if HAVE_OTHER_PARSER
        std::size_t length = 0;
        for (std::size_t i = 8; i-- > 0;) length = length << 8 | data[i];
        nlohmann::json json;
        try {
            json = nlohmann::json::parse(data + 8, data + 8 + length);
        } catch (const nlohmann::json::out_of_range&) {
            return 0; // 1e999, in a field that is not read here
        } catch (const nlohmann::json::parse_error&) {
        }
        require(json.is_object() && json.size() == tensors.size() + (json.contains("__metadata__") ? 1 : 0));
        for (const auto& [name, tensor] : tensors)
            require(json.contains(name) && json[name]["shape"].get<std::vector<weft::index>>() == tensor.shape());
#endif
    } catch (const Error&) {
    }
    return 0;
}
