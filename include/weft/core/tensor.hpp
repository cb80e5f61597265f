// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/shape.hpp>
#include <weft/core/storage.hpp>

#include <algorithm>
#include <concepts>
#include <initializer_list>
#include <span>
#include <type_traits>
#include <vector>

namespace weft::inline WEFT_ABI {

namespace detail {

/// Marks everything that can stand in an expression.
struct ExpressionBase {};

template <class T, int N>
struct NestedList {
    using type = std::initializer_list<typename NestedList<T, N - 1>::type>;
};
template <class T>
struct NestedList<T, 0> {
    using type = T;
};

template <class T, int N>
void copy_nested(const typename NestedList<T, N>::type& list, const index* extents, T*& out) {
    if constexpr (N == 0) {
        *out++ = list;
    } else {
        if (static_cast<index>(list.size()) != *extents)
            throw error("from", "rows of different length: {} and {}", *extents, list.size());
        for (const auto& item : list) copy_nested<T, N - 1>(item, extents + 1, out);
    }
}

template <class T, int N, std::size_t M>
void nested_extents(const typename NestedList<T, N>::type& list, std::array<index, M>& extents) {
    if constexpr (N > 0) {
        extents[M - N] = static_cast<index>(list.size());
        if constexpr (N > 1)
            if (list.size() > 0) nested_extents<T, N - 1>(*list.begin(), extents);
    }
}

template <std::size_t N>
index checked_offset(const std::array<index, N>& extents, const std::array<index, N>& strides,
                     const std::array<index, N>& at) {
    index offset = 0;
    for (std::size_t i = 0; i < N; ++i) {
        if (at[i] < 0 || at[i] >= extents[i])
            throw error("index", "{} is out of range in axis {} of shape {}", at[i], i, shape_text(extents));
        offset += at[i] * strides[i];
    }
    return offset;
}

} // namespace detail

/// Anything with a shape whose elements can be computed: a tensor, a view, a Var, or an element-wise expression of
/// them.
template <class E>
concept Expression = std::derived_from<std::remove_cvref_t<E>, detail::ExpressionBase>;

template <class T, int N, class S>
void land(Tensor<T, N, S>& target, const Expression auto& expression);

/// The elements of a tensor that was a temporary, with the memory they are in: in C++20 a loop over f().values() keeps
/// nothing else of it alive. Otherwise a span.
template <class T>
class OwnedValues : public std::span<const T> {
public:
    /// `values` are in `storage`.
    OwnedValues(std::span<const T> values, Storage storage)
        : std::span<const T>(values), storage_(std::move(storage)) {}

private:
    Storage storage_;
};

/// A dense array of rank N in row-major order with value semantics: copying is O(1) and shares memory until one of the
/// copies is written to. `S` may fix extents at compile time: `Tensor<float, 2, Shape<dyn, 3>>`.
template <class T, int N, class S>
class Tensor : public detail::ExpressionBase {
    static_assert(S::rank == N, "weft: the rank of the Shape must be the rank of the Tensor");
    static_assert(N <= max_rank, "weft: tensors have at most 8 axes");
    static_assert(std::is_trivially_copyable_v<T>, "weft: the elements of a Tensor must be trivially copyable");

public:
    using value_type = T;
    using shape_type = S;
    static constexpr int rank = N;

    /// No elements (of rank 0: one element, T{}).
    Tensor() {
        if constexpr (N == 0) {
            allocate();
            *pointer() = T{};
        }
    }

    /// Evaluates an expression. Errors: the extents do not fit the static shape.
    template <Expression E>
    requires(!std::same_as<std::remove_cvref_t<E>, Tensor>) Tensor(const E& expression) {
        static_assert(std::remove_cvref_t<E>::rank == N,
                      "weft: the expression has another rank than the tensor it is assigned to");
        land(*this, expression);
    }

    /// The only element.
    Tensor(T value) requires(N == 0) : Tensor(full({}, value)) {}

    /// Uninitialised elements.
    static Tensor empty(const Extents<N>& extents) {
        Tensor t;
        t.extents_ = extents;
        for (std::size_t i = 0; i < N; ++i)
            if (S::extents[i] != dyn && S::extents[i] != extents[i])
                throw error("tensor", "shape {}: axis {} must be {}", detail::shape_text(extents), i, S::extents[i]);
        t.allocate();
        return t;
    }
    /// Every element is `value`.
    static Tensor full(const Extents<N>& extents, const T& value) {
        Tensor t = empty(extents);
        std::fill_n(t.pointer(), t.size(), value);
        return t;
    }
    /// Every element is 0.
    static Tensor zeros(const Extents<N>& extents) { return full(extents, T{}); }
    /// Every element is 1.
    static Tensor ones(const Extents<N>& extents) { return full(extents, T(1)); }

    /// The values in (nested) braces: `Tensor<float, 2>::from({{1, 2, 3}, {4, 5, 6}})`. Errors: ragged rows.
    static Tensor from(const typename detail::NestedList<T, N>::type& values) {
        Extents<N> extents{};
        detail::nested_extents<T, N>(values, extents);
        Tensor t = empty(extents);
        T* out = t.pointer();
        detail::copy_nested<T, N>(values, extents.data(), out);
        return t;
    }
    /// A copy of `values`, row-major. Errors: their number is not that of the shape.
    static Tensor from(std::span<const T> values, const Extents<N>& extents) {
        Tensor t = empty(extents);
        if (static_cast<index>(values.size()) != t.size())
            throw error("from", "{} values do not fill shape {}", values.size(), detail::shape_text(extents));
        std::copy_n(values.data(), t.size(), t.pointer());
        return t;
    }
    /// A copy of a vector.
    static Tensor from(const std::vector<T>& values) requires(N == 1 && !std::same_as<T, bool>) {
        return from(std::span<const T>(values), {static_cast<index>(values.size())});
    }
    /// Shares memory that starts at `data` within `storage`; nothing is copied.
    static Tensor share(Storage storage, const T* data, const Extents<N>& extents) {
        Tensor t;
        t.extents_ = extents;
        t.storage_ = std::move(storage);
        t.data_ = const_cast<T*>(data);
        return t;
    }

    const Extents<N>& shape() const noexcept { return extents_; }
    index extent(int axis) const { return extents_[static_cast<std::size_t>(normalize_axis(axis, N, "extent"))]; }
    index size() const noexcept { return detail::product(extents_); }
    Extents<N> strides() const noexcept { return detail::contiguous_strides(extents_); }

    /// The elements, row-major.
    const T* data() const noexcept { return data_; }
    /// Writable elements. Copies first when the memory is shared with another tensor, a view or a recorded graph.
    T* mutable_data() {
        if (data_ && !storage_.unique()) {
            Tensor copy = empty(extents_);
            std::copy_n(data_, size(), copy.pointer());
            *this = std::move(copy);
        }
        return data_;
    }
    /// All elements, row-major.
    std::span<const T> values() const& noexcept { return {data_, static_cast<std::size_t>(size())}; }
    /// The same of a temporary, which they keep alive.
    OwnedValues<T> values() && { return {std::as_const(*this).values(), std::move(storage_)}; }
    /// All elements, writable; see mutable_data.
    std::span<T> mutable_values() { return {mutable_data(), static_cast<std::size_t>(size())}; }

    /// A single element. Errors: an index out of range.
    template <std::convertible_to<index>... I>
    requires(sizeof...(I) == N) const T& operator()(I... at) const {
        return data_[detail::checked_offset<N>(extents_, strides(), {static_cast<index>(at)...})];
    }
    /// A single element, writable; see mutable_data. Errors: an index out of range.
    template <std::convertible_to<index>... I>
    requires(sizeof...(I) == N) T& operator()(I... at) {
        const index offset = detail::checked_offset<N>(extents_, strides(), {static_cast<index>(at)...});
        return mutable_data()[offset];
    }
    /// The element of a tensor that has one. Errors: it has another number of elements.
    T item() const {
        if (size() != 1) throw error("item", "shape {}: must have one element", detail::shape_text(extents_));
        return *data_;
    }
    /// item()
    operator T() const requires(N == 0) { return item(); }

    /// The memory that the tensor shares.
    const Storage& storage() const noexcept { return storage_; }
    /// Itself: what a Var's value is, whatever it is.
    const Tensor& tensor() const noexcept { return *this; }

    /// Another window on the same memory, `offset` elements from the first; for the view functions.
    template <int M>
    View<T, M> window(index offset, const Extents<M>& extents, const Extents<M>& strides) const {
        return View<T, M>(storage_, data_ + offset, extents, strides);
    }

private:
    void allocate() {
        const index n = detail::checked_size(extents_, "tensor");
        storage_ = Storage::allocate(static_cast<std::size_t>(n) * sizeof(T));
        data_ = reinterpret_cast<T*>(storage_.data());
    }
    T* pointer() noexcept { return data_; }

    Storage storage_;
    T* data_ = nullptr;
    Extents<N> extents_{};
};

/// A strided, read-only window on a tensor's memory, which it keeps alive: slices, transposes and broadcasts are
/// views. Writing to the tensor afterwards does not change the view (the tensor moves to a copy).
template <class T, int N>
class View : public detail::ExpressionBase {
public:
    using value_type = T;
    using shape_type = AnyShape<N>;
    static constexpr int rank = N;

    /// All of a tensor, whose memory it shares.
    template <class S>
    View(const Tensor<T, N, S>& tensor)
        : storage_(tensor.storage()), data_(tensor.data()), extents_(tensor.shape()), strides_(tensor.strides()) {}
    /// A window on memory that it shares.
    View(Storage storage, const T* data, const Extents<N>& extents, const Extents<N>& strides)
        : storage_(std::move(storage)), data_(data), extents_(extents), strides_(strides) {}

    /// A view of memory that the caller keeps alive and unchanged as long as the view, or any result that still has to
    /// be computed from it, lives.
    static View over(const T* data, const Extents<N>& extents) {
        const auto bytes = static_cast<std::size_t>(detail::checked_size(extents, "view")) * sizeof(T);
        return View(Storage::adopt(data, bytes, 0), data, extents, detail::contiguous_strides(extents));
    }

    const Extents<N>& shape() const noexcept { return extents_; }
    const Extents<N>& strides() const noexcept { return strides_; }
    index extent(int axis) const { return extents_[static_cast<std::size_t>(normalize_axis(axis, N, "extent"))]; }
    index size() const noexcept { return detail::product(extents_); }
    /// The first element.
    const T* data() const noexcept { return data_; }
    /// The memory that the view shares.
    const Storage& storage() const noexcept { return storage_; }
    /// Itself.
    const View& tensor() const noexcept { return *this; }

    /// A single element. Errors: an index out of range.
    template <std::convertible_to<index>... I>
    requires(sizeof...(I) == N) const T& operator()(I... at) const {
        return data_[detail::checked_offset<N>(extents_, strides_, {static_cast<index>(at)...})];
    }

    /// Another window on the same memory; see Tensor::window.
    template <int M>
    View<T, M> window(index offset, const Extents<M>& extents, const Extents<M>& strides) const {
        return View<T, M>(storage_, data_ + offset, extents, strides);
    }

private:
    Storage storage_;
    const T* data_;
    Extents<N> extents_;
    Extents<N> strides_;
};

template <class T, int N, class S>
View(const Tensor<T, N, S>&) -> View<T, N>;

template <Expression E>
Tensor(const E&) -> Tensor<typename E::value_type, E::rank>;

/// `zeros<float>({4, 3})`: a tensor of that shape, rank from the number of extents.
template <class T, std::size_t N>
Tensor<T, static_cast<int>(N)> zeros(const index (&extents)[N]) {
    return Tensor<T, static_cast<int>(N)>::zeros(std::to_array(extents));
}
/// `ones<float>({4, 3})`: likewise, of ones.
template <class T, std::size_t N>
Tensor<T, static_cast<int>(N)> ones(const index (&extents)[N]) {
    return Tensor<T, static_cast<int>(N)>::ones(std::to_array(extents));
}
/// `full({4, 3}, 0.5f)`: likewise, of one value.
template <class T, std::size_t N>
Tensor<T, static_cast<int>(N)> full(const index (&extents)[N], T value) {
    return Tensor<T, static_cast<int>(N)>::full(std::to_array(extents), value);
}
/// first, first + step, ... (n values).
template <class T>
Tensor<T, 1> arange(index n, T first = T(0), T step = T(1)) {
    auto t = Tensor<T, 1>::empty({n});
    T* const out = t.mutable_data();
    for (index i = 0; i < n; ++i) out[i] = static_cast<T>(first + static_cast<T>(i) * step);
    return t;
}

} // namespace weft::inline WEFT_ABI
