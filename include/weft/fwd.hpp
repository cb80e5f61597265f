// SPDX-License-Identifier: MIT
#pragma once

/// Names of weft's main types, for headers that mention them without using them.

#include <weft/core/index.hpp>

namespace weft::inline WEFT_ABI {

/// An extent known only at run time.
inline constexpr index dyn = -1;

template <index... E>
struct Shape;

namespace detail {

template <int N, index... E>
struct AnyShape : AnyShape<N - 1, dyn, E...> {};
template <index... E>
struct AnyShape<0, E...> {
    using type = Shape<E...>;
};

} // namespace detail

/// `Shape` of rank N without static extents.
template <int N>
using AnyShape = typename detail::AnyShape<N>::type;

template <class T, int N, class S = AnyShape<N>>
class Tensor;
template <class T, int N>
class View;
template <class T, int N>
class Var;
template <class T, int N>
class Parameter;

class half;
class bfloat16;
template <class P>
struct Dual;

class Graph;
class GraphBatch;

class Error;

} // namespace weft::inline WEFT_ABI
