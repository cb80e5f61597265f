// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/tensor.hpp>

#include <concepts>

namespace weft::inline WEFT_ABI::so3 {

namespace detail {

/// A number that counts what is done with it. Kernels are written for any number.
struct CountingNumber {
    using value_type = double;
    double value = 0;
    static inline thread_local index count = 0;

    CountingNumber() = default;
    template <class C>
    requires std::is_arithmetic_v<C> CountingNumber(C c) : value(static_cast<double>(c)) {}

    friend CountingNumber operator+(const CountingNumber& a, const CountingNumber& b) {
        return counted(a.value + b.value);
    }
    friend CountingNumber operator-(const CountingNumber& a, const CountingNumber& b) {
        return counted(a.value - b.value);
    }
    friend CountingNumber operator*(const CountingNumber& a, const CountingNumber& b) {
        return counted(a.value * b.value);
    }
    friend CountingNumber operator-(const CountingNumber& a) { return -a.value; }

private:
    static CountingNumber counted(double value) {
        ++count;
        return value;
    }
};

} // namespace detail

/// How many multiplications, additions and subtractions product(x1, x2) takes for one row x1 [1, dim1] and x2 [1,
/// dim2]: they are counted while it runs. Of products that are made of kernels for any type of numbers (not of matmul).
template <class Product>
double operation_count(const Product& product, index dim1, index dim2) {
    using Number = detail::CountingNumber;
    const auto x1 = Tensor<Number, 2>::full({1, dim1}, Number(1)), x2 = Tensor<Number, 2>::full({1, dim2}, Number(1));
    const index before = Number::count;
    const Tensor<Number, 2> y = product(x1, x2);
    return static_cast<double>(Number::count - before);
}

} // namespace weft::inline WEFT_ABI::so3
