// SPDX-License-Identifier: MIT
// Any bytes: an array that is accepted can be read as a whole and survives being written and read again.
#include <weft/io/npy.hpp>

#include <cstdint>
#include <cstdlib>

using namespace weft;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    try {
        const io::AnyTensor tensor = io::parse_npy(std::as_bytes(std::span(data, size)), "input");
        const std::string header = io::detail::npy_header(tensor);
        const auto elements = tensor.bytes();
        std::vector<std::byte> written(header.size() + elements.size());
        std::memcpy(written.data(), header.data(), header.size());
        std::copy(elements.begin(), elements.end(), written.begin() + static_cast<std::ptrdiff_t>(header.size()));
        const io::AnyTensor again = io::parse_npy(written, "written");
        if (again.dtype() != tensor.dtype() || again.shape() != tensor.shape()) std::abort();
        if (!std::equal(elements.begin(), elements.end(), again.bytes().begin())) std::abort();
        static_cast<void>(tensor.to<std::complex<double>, 2>(io::Conversion::rounding));
    } catch (const Error&) {
    }
    return 0;
}
