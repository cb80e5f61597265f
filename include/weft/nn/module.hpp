// SPDX-License-Identifier: MIT
#pragma once

/// A module is a plain struct that names its members:
///
///     struct Net {
///         nn::Linear<float> a, b;
///         auto operator()(const auto& x) const { return b(relu(a(x))); }
///         void visit(auto&& v) { v("a", a); v("b", b); }
///     };
///
/// Members are Parameters (trained), Tensors (buffers: saved, not trained), modules, and std::optional, std::vector,
/// std::array, std::tuple or std::map (keys are names) of them. Names are joined as in PyTorch: `a.weight`,
/// `layers.0.bias`. Copies of a module share its parameters, as copies of a Parameter do: a copy trains with the
/// original. `clone` makes an independent one.

#include <weft/grad/var.hpp>

#include <iosfwd>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

namespace weft::inline WEFT_ABI::nn {

namespace detail {

struct AnyMember {
    void operator()(std::string_view, const auto&) const {}
};

template <class X>
inline constexpr bool is_parameter = false;
template <class T, int N>
inline constexpr bool is_parameter<Parameter<T, N>> = true;
template <class X>
inline constexpr bool is_tensor = false;
template <class T, int N, class S>
inline constexpr bool is_tensor<Tensor<T, N, S>> = true;
template <class X>
inline constexpr bool is_optional = false;
template <class X>
inline constexpr bool is_optional<std::optional<X>> = true;

} // namespace detail

/// A struct with `visit(v)`, which calls `v(name, member)` for its members.
template <class M>
concept Module = requires(std::remove_cvref_t<M>& m, const detail::AnyMember& v) {
    m.visit(v);
};

namespace detail {

/// The name of a member, joined to the path of its module while it lives.
class Path {
public:
    Path(std::string& text, std::string_view member) : text_(text), length_(text.size()) {
        if (!text_.empty()) text_ += '.';
        text_ += member;
    }
    Path(const Path&) = delete;
    Path& operator=(const Path&) = delete;
    ~Path() { text_.resize(length_); }

private:
    std::string& text_;
    std::size_t length_;
};

/// Calls f(member name, member) for the direct members of a module or container.
template <class X, class F>
void for_each_member(X& x, F&& f) {
    if constexpr (Module<X>) {
        x.visit(f);
    } else if constexpr (is_optional<X>) {
        if (x) for_each_member(*x, f);
    } else if constexpr (requires { typename X::mapped_type; }) {
        for (auto& [key, member] : x) f(std::string_view(key), member);
    } else if constexpr (requires { x.begin() != x.end(); }) {
        std::size_t i = 0;
        for (auto& member : x) f(std::string_view(std::to_string(i++)), member);
    } else if constexpr (requires { std::tuple_size<X>::value; }) {
        std::size_t i = 0;
        std::apply([&](auto&... member) { (f(std::string_view(std::to_string(i++)), member), ...); }, x);
    } else {
        static_assert(std::is_empty_v<X>,
                      "weft: a module names Parameters, Tensors, modules, and std::optional, vector, "
                      "array, tuple or map of them; give this type a visit function");
    }
}

/// Calls f(path, leaf) for every Parameter and Tensor of x, depth first in the order of `visit`.
template <class X, class F>
void walk(std::string& path, X& x, F& f) {
    if constexpr (is_parameter<X> || is_tensor<X>) {
        f(std::string_view(path), x);
    } else if constexpr (is_optional<X>) {
        if (x) walk(path, *x, f);
    } else {
        for_each_member(x, [&](std::string_view name, auto& member) {
            const Path inner(path, name);
            walk(path, member, f);
        });
    }
}

// `visit` is written once, not const; what is given as const is handed on as const.
template <class X, class F>
void walk(const X& x, F&& f) {
    std::string path;
    auto constant = [&](std::string_view name, const auto& leaf) { f(name, leaf); };
    walk(path, const_cast<X&>(x), constant);
}
template <class X, class F>
void walk(X& x, F&& f) {
    std::string path;
    walk(path, x, f);
}

} // namespace detail

/// Calls f(name, parameter) for every Parameter of a module (or of a container of modules, or a Parameter itself, whose
/// name is empty). A parameter shared by two members comes twice.
template <class M, class F>
void for_each_parameter(M&& module, F&& f) {
    detail::walk(module, [&](std::string_view name, auto& leaf) {
        if constexpr (detail::is_parameter<std::remove_cvref_t<decltype(leaf)>>) f(name, leaf);
    });
}

/// Calls f(name, tensor) for every buffer: the Tensors among the members.
template <class M, class F>
void for_each_buffer(M&& module, F&& f) {
    detail::walk(module, [&](std::string_view name, auto& leaf) {
        if constexpr (detail::is_tensor<std::remove_cvref_t<decltype(leaf)>>) f(name, leaf);
    });
}

/// How many numbers are trained; shared parameters count once.
template <class M>
index parameter_count(const M& module) {
    std::set<const void*> seen;
    index count = 0;
    for_each_parameter(module, [&](std::string_view, const auto& p) {
        if (seen.insert(p.node().get()).second) count += p.size();
    });
    return count;
}

/// Forgets all gradients.
template <class M>
void clear_grad(const M& module) {
    for_each_parameter(module, [](std::string_view, auto p) { p.clear_grad(); });
}

/// Whether backward() gives the parameters gradients: without, what is computed from them costs less.
template <class M>
void requires_grad(const M& module, bool wanted) {
    for_each_parameter(module, [&](std::string_view, auto p) { p.requires_grad(wanted); });
}

/// A copy with parameters of its own, of the same values, without gradients. What was shared within the module is
/// shared within the copy. Memory is shared until one of the two is written to.
template <class M>
M clone(const M& module) {
    M copy = module;
    std::map<const void*, weft::detail::NodeRef<weft::detail::TapeNode>> made;
    for_each_parameter(copy, [&]<class T, int N>(std::string_view, Parameter<T, N>& p) {
        const auto original = p.node();
        auto& node = made[original.get()];
        if (!node) { // of the whole value, on which several parameters may be windows
            const Parameter<T, 1> whole(Tensor<T, 1>::share(original->value, original->data, {original->size}));
            whole.node()->retain();
            node = weft::detail::NodeRef<weft::detail::TapeNode>(whole.node().get());
        }
        node->retain();
        p = Parameter<T, N>(weft::detail::NodeRef(static_cast<weft::detail::ValueNode<T>*>(node.get())), p.offset(),
                            p.shape(), p.strides());
    });
    return copy;
}

namespace detail {

template <class M>
void draw_again(M& module, auto& generator) {
    if constexpr (is_optional<M>) {
        if (module) draw_again(*module, generator);
    } else if constexpr (requires { module.reset_parameters(generator); }) {
        module.reset_parameters(generator);
    } else if constexpr (!is_parameter<M> && !is_tensor<M>) {
        for_each_member(module, [&](std::string_view, auto& member) { draw_again(member, generator); });
    }
}

template <class X>
void describe(std::string& text, std::size_t depth, std::string_view name, X& x) {
    const auto line = [&](std::string_view what, std::initializer_list<weft::detail::Piece> pieces) {
        text.append(2 * depth, ' ').append(name) += weft::detail::message(what, pieces) + '\n';
    };
    if constexpr (is_parameter<X>) {
        line(" {}: {}", {weft::detail::shape_text(x.shape()), x.size()});
    } else if constexpr (is_tensor<X>) {
        line(" {}: buffer", {weft::detail::shape_text(x.shape())});
    } else if constexpr (is_optional<X>) {
        if (x) describe(text, depth, name, *x);
    } else {
        const index count = parameter_count(x);
        line(": {} {}", {count, count == 1 ? "parameter" : "parameters"});
        for_each_member(x, [&](std::string_view inner, auto& member) { describe(text, depth + 1, inner, member); });
    }
}

} // namespace detail

/// Draws the parameters of all layers anew: calls `reset_parameters(generator)` of the outermost modules that have it.
template <class M, class G>
void reset_parameters(M& module, G& generator) {
    detail::draw_again(module, generator);
}

/// A line for each member: name, shape and number of parameters. What printing a module with fmt or << writes.
template <class M>
std::string summary(const M& module) {
    std::string text;
    detail::describe(text, 0, "module", const_cast<M&>(module));
    text.pop_back();
    return text;
}

} // namespace weft::inline WEFT_ABI::nn

namespace weft::inline WEFT_ABI {

template <class Character, class Traits, nn::Module M>
std::basic_ostream<Character, Traits>& operator<<(std::basic_ostream<Character, Traits>& out, const M& module) {
    return out << nn::summary(module);
}
namespace nn {
using weft::operator<<;
}

} // namespace weft::inline WEFT_ABI

template <weft::nn::Module M>
struct fmt::formatter<M> : fmt::formatter<fmt::string_view> {
    auto format(const M& module, fmt::format_context& context) const {
        return fmt::formatter<fmt::string_view>::format(weft::nn::summary(module), context);
    }
};
