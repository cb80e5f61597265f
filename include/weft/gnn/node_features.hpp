// SPDX-License-Identifier: MIT
#pragma once

#include <weft/grad/var.hpp>

namespace weft::inline WEFT_ABI::gnn::detail {

/// x, as a Var where one of `Others` is recorded: then the parameters that x meets are trained too.
template <class... Others, class X>
auto recorded_with(const X& x) {
    if constexpr (Expression<X> && (weft::detail::Structure<Others>::recorded || ...))
        return Var<typename X::value_type, X::rank>(x);
    else
        return x;
}

/// Features x of nodes (or edges), landed; as a Var where one of `Others` is recorded. Errors: x, the argument called
/// `argument`, is not [count, channels].
template <class... Others, Expression X>
auto checked_features(const char* layer, const char* argument, const X& x, index count, const char* of,
                      index channels) {
    static_assert(X::rank == 2, "weft: the features of nodes and edges are [rows, channels]");
    if (x.shape()[0] != count || x.shape()[1] != channels)
        throw error(layer, "{} is {}: it must be [{}, {}], {} features for each of {} {}", argument,
                    weft::detail::shape_text(x.shape()), count, channels, channels, count, of);
    return recorded_with<Others...>(eval(x));
}

} // namespace weft::inline WEFT_ABI::gnn::detail
