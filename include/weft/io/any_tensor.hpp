// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/tensor.hpp>
#include <weft/io/dtype.hpp>
#include <weft/io/message.hpp>

#include <bit>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weft::inline WEFT_ABI::io {

/// A row-major tensor whose element type and rank are known only at run time, as it stands in a file. Shares its
/// memory: copying, and making one from a Tensor, copies no elements.
class AnyTensor {
public:
    /// F32 of shape [0].
    AnyTensor() = default;
    /// Of a tensor, whose memory it shares.
    template <FileElement T, int N, class S>
    AnyTensor(const Tensor<T, N, S>& tensor)
        : dtype_(dtype_of<T>()), shape_(tensor.shape().begin(), tensor.shape().end()), storage_(tensor.storage()),
          data_(reinterpret_cast<const std::byte*>(tensor.data())) {}
    /// Elements in native byte order that start at `data` within `storage`, aligned for their type. Errors: a negative
    /// extent, too many elements.
    AnyTensor(DType dtype, std::vector<index> shape, Storage storage, const std::byte* data)
        : dtype_(dtype), shape_(std::move(shape)), storage_(std::move(storage)), data_(data) {
        weft::detail::checked_size(shape_, "tensor");
    }

    /// The type of the elements.
    DType dtype() const noexcept { return dtype_; }
    const std::vector<index>& shape() const noexcept { return shape_; }
    int rank() const noexcept { return static_cast<int>(shape_.size()); }
    index size() const noexcept {
        index n = 1;
        for (const index e : shape_) n *= e;
        return n;
    }
    /// The elements, in native byte order.
    std::span<const std::byte> bytes() const noexcept {
        return {data_, static_cast<std::size_t>(size()) * item_size(dtype_)};
    }
    /// The memory that the tensor shares.
    const Storage& storage() const noexcept { return storage_; }

    /// As a Tensor: shares the memory when the element type is T, else converts. `origin` names the tensor in messages.
    /// Errors: another rank; a conversion that `conversion` does not allow; a BOOL that is neither 0 nor 1.
    template <FileElement T, int N>
    Tensor<T, N> to(Conversion conversion = Conversion::lossless, std::string_view origin = "tensor") const {
        if (rank() != N)
            throw error("to", "{}: is {} {} of rank {}, asked for {} of rank {}", origin, name(dtype_),
                        weft::detail::shape_text(shape_), rank(), name(dtype_of<T>()), N);
        Extents<N> extents{};
        for (std::size_t i = 0; i < N; ++i) extents[i] = shape_[i];
        if (dtype_ == DType::boolean) check_booleans(origin);
        if (dtype_ == dtype_of<T>()) {
            if (size() == 0) return Tensor<T, N>::empty(extents);
            return Tensor<T, N>::share(storage_, reinterpret_cast<const T*>(data_), extents);
        }
        auto result = Tensor<T, N>::empty(extents);
        convert_to(result.mutable_data(), conversion, origin);
        return result;
    }
    /// The same; each extent must be the one of `shape`, where `dyn` stands for any.
    template <FileElement T, int N>
    Tensor<T, N> to(const Extents<N>& shape, Conversion conversion = Conversion::lossless,
                    std::string_view origin = "tensor") const {
        bool same = rank() == N;
        for (std::size_t i = 0; same && i < N; ++i) same = shape[i] == dyn || shape[i] == shape_[i];
        if (!same)
            throw error("to", "{}: is {} {}, must be {} of shape {} (-1 is any extent)", origin, name(dtype_),
                        weft::detail::shape_text(shape_), name(dtype_of<T>()), weft::detail::shape_text(shape));
        return to<T, N>(conversion, origin);
    }

private:
    void check_booleans(std::string_view origin) const {
        for (index i = 0; const std::byte b : bytes()) {
            if (std::to_integer<int>(b) > 1)
                throw error("to", "{}: element {} of BOOL {} is byte {}: must be 0 or 1", origin, i,
                            weft::detail::shape_text(shape_), std::to_integer<int>(b));
            ++i;
        }
    }

    template <class T>
    WEFT_NOINLINE void convert_to(T* out, Conversion conversion, std::string_view origin) const {
        visit_dtype(dtype_, [&]<class From>() {
            if constexpr (detail::IsComplex<From>::value && !detail::IsComplex<T>::value) {
                throw error("to", "{}: is {} {}: complex numbers do not convert to {}", origin, name(dtype_),
                            weft::detail::shape_text(shape_), name(dtype_of<T>()));
            } else {
                if (conversion == Conversion::lossless && !detail::is_lossless<From, T>())
                    throw error(
                        "to", "{}: is {} {}, asked for {}, which does not hold every {}: give Conversion::rounding",
                        origin, name(dtype_), weft::detail::shape_text(shape_), name(dtype_of<T>()), name(dtype_));
                const From* const in = reinterpret_cast<const From*>(data_);
                const index n = size();
                for (index i = 0; i < n; ++i)
                    if (!detail::convert_element(in[i], out[i]))
                        throw error("to", "{}: element {} of {} {} does not fit {}", origin, i, name(dtype_),
                                    weft::detail::shape_text(shape_), name(dtype_of<T>()));
            }
        });
    }

    DType dtype_ = DType::f32;
    std::vector<index> shape_{0};
    Storage storage_;
    const std::byte* data_ = nullptr;
};

namespace detail {

inline bool is_aligned(const std::byte* data, DType dtype) {
    const std::size_t alignment = visit_dtype(dtype, []<class T>() { return alignof(T); });
    return reinterpret_cast<std::uintptr_t>(data) % alignment == 0;
}

/// A tensor of elements in byte order `order` at `data` within `storage`: shares them when they are aligned and in
/// native order, else copies.
template <class = void>
AnyTensor tensor_from_bytes(DType dtype, std::vector<index> shape, const Storage& storage, const std::byte* data,
                            std::endian order) {
    AnyTensor tensor(dtype, std::move(shape), storage, data);
    const bool native = order == std::endian::native || item_size(dtype) == 1;
    if (native && is_aligned(data, dtype)) return tensor;
    const std::size_t bytes = tensor.bytes().size();
    const Storage copy = Storage::allocate(bytes);
    if (bytes > 0) std::memcpy(copy.data(), data, bytes);
    if (!native) {
        const bool pairs = dtype == DType::c64 || dtype == DType::c128;
        const std::size_t word = item_size(dtype) / (pairs ? 2 : 1);
        for (std::size_t i = 0; i < bytes; i += word) std::reverse(copy.data() + i, copy.data() + i + word);
    }
    return AnyTensor(dtype, tensor.shape(), copy, copy.data());
}

} // namespace detail

/// Tensors and their names, in the order of a file: what a state dict is.
using NamedTensors = std::vector<std::pair<std::string, AnyTensor>>;

/// Free text that goes with the tensors of a file.
using Metadata = std::map<std::string, std::string>;

} // namespace weft::inline WEFT_ABI::io
