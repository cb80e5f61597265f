// SPDX-License-Identifier: MIT
// Any bytes: a file that is accepted has readable tensors, survives being written and read again, and its header is
// JSON for another parser too.
#include <weft/io/safetensors.hpp>

#if __has_include(<nlohmann/json.hpp>)
#include <nlohmann/json.hpp>
#define HAVE_OTHER_PARSER 1
#else
#define HAVE_OTHER_PARSER 0
#endif

#include <cstdint>
#include <cstdlib>

using namespace weft;

namespace {

void check(bool condition) {
    if (!condition) std::abort();
}

template <class T, int N>
void convert(const io::AnyTensor& tensor) {
    try {
        const auto result = tensor.to<T, N>(io::Conversion::rounding);
        check(result.size() == tensor.size());
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
            check(file.contains(name));
            check(io::detail::is_utf8(name));
            convert<float, 1>(tensor);
            convert<std::int32_t, 2>(tensor);
            convert<bool, 1>(tensor);
            convert<std::complex<double>, 0>(tensor);
        }
        const auto written = io::safetensors_bytes(tensors, file.metadata());
        const auto again = io::SafetensorsFile::parse(written, "written");
        check(again.metadata() == file.metadata() && again.names().size() == tensors.size());
        for (const auto& [name, tensor] : tensors) {
            const io::AnyTensor other = again.any(name);
            const auto a = tensor.bytes(), b = other.bytes();
            check(other.dtype() == tensor.dtype() && other.shape() == tensor.shape());
            check(a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin()));
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
        check(json.is_object() && json.size() == tensors.size() + (json.contains("__metadata__") ? 1 : 0));
        for (const auto& [name, tensor] : tensors)
            check(json.contains(name) && json[name]["shape"].get<std::vector<weft::index>>() == tensor.shape());
#endif
    } catch (const Error&) {
    }
    return 0;
}
