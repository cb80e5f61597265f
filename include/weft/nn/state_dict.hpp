// SPDX-License-Identifier: MIT
#pragma once

#include <weft/io/safetensors.hpp>
#include <weft/nn/module.hpp>

#include <map>
#include <vector>

namespace weft::inline WEFT_ABI::nn {

/// The values of all parameters and buffers by name. They share memory until the module is written to: the dict is a
/// snapshot.
template <class M>
io::NamedTensors state_dict(const M& module) {
    io::NamedTensors dict;
    detail::walk(module, [&](std::string_view name, const auto& leaf) {
        using X = std::remove_cvref_t<decltype(leaf)>;
        static_assert(io::FileElement<typename X::value_type>, "weft: files have no elements of this type");
        const Tensor<typename X::value_type, X::rank> value = leaf.tensor();
        dict.emplace_back(std::string(name), value);
    });
    return dict;
}

/// What load_state_dict(module, dict, false) left as it was.
struct LoadResult {
    std::vector<std::string> missing;    ///< names of the module that the dict does not have
    std::vector<std::string> unexpected; ///< names of the dict that the module does not have
};

namespace detail {

inline void append_names(std::string& text, std::string_view title, const std::vector<std::string>& names) {
    if (names.empty()) return;
    text += weft::detail::message("{}{}: ", {text.empty() ? "" : "; ", title});
    for (std::size_t i = 0; i < names.size(); ++i) text += (i ? ", " : "") + names[i];
}

/// The entries of a dict that are asked for, and what does not fit. Nothing is written before all is known to fit.
template <class Dict>
class BasicDictReader {
public:
    explicit BasicDictReader(const Dict& dict) {
        for (const auto& [name, tensor] : dict) known_.emplace(name, &tensor);
        for (const auto& [name, tensor] : dict) unused_.emplace(name, &tensor);
    }
    /// The entry, or null (and noted) when there is none, or none of that shape.
    const io::AnyTensor* find(std::string_view name, std::span<const index> shape) {
        const auto found = known_.find(name);
        if (found == known_.end()) {
            result_.missing.emplace_back(name);
            return nullptr;
        }
        unused_.erase(found->first);
        const io::AnyTensor& tensor = *found->second;
        if (std::equal(shape.begin(), shape.end(), tensor.shape().begin(), tensor.shape().end())) return &tensor;
        misshaped_.push_back(weft::detail::message(
            "{} is {}, must be {}", {name, weft::detail::shape_text(tensor.shape()), weft::detail::shape_text(shape)}));
        return nullptr;
    }
    /// Whether the entry is there; not an error if it is not.
    bool contains(std::string_view name) const { return known_.find(name) != known_.end(); }
    LoadResult finish(bool strict) {
        for (const auto& [name, tensor] : unused_) result_.unexpected.emplace_back(name);
        std::string text;
        if (strict) append_names(text, "missing", result_.missing);
        if (strict) append_names(text, "unexpected", result_.unexpected);
        append_names(text, "misshaped", misshaped_);
        if (!text.empty()) throw error("load_state_dict", "{}", text);
        return std::move(result_);
    }

private:
    std::map<std::string_view, const io::AnyTensor*> known_, unused_;
    LoadResult result_;
    std::vector<std::string> misshaped_;
};
using DictReader = BasicDictReader<io::NamedTensors>;

/// `tensor` as a Tensor in memory of its own. (A mapped file has no slack to be read over.)
template <class T, int N>
Tensor<T, N> own_copy(const io::AnyTensor& tensor, std::string_view name) {
    const View<T, N> shared(tensor.to<T, N>(io::Conversion::rounding, name));
    return shared;
}

} // namespace detail

/// Gives parameters and buffers the values of the same names; floating-point numbers are rounded to the module's type.
/// Windows, copies and optimisers of the parameters see the new values. Errors: an entry has another shape; with
/// `strict` also names that only one side has. Then nothing has changed.
template <class M>
LoadResult load_state_dict(M& module, const io::NamedTensors& dict, bool strict = true) {
    detail::DictReader reader(dict);
    std::vector<std::optional<io::AnyTensor>> found;
    detail::walk(std::as_const(module), [&](std::string_view name, const auto& leaf) {
        using X = std::remove_cvref_t<decltype(leaf)>;
        auto& value = found.emplace_back();
        if (const io::AnyTensor* const entry = reader.find(name, leaf.shape()))
            value = detail::own_copy<typename X::value_type, X::rank>(*entry, name);
    });
    LoadResult result = reader.finish(strict);
    std::size_t at = 0;
    detail::walk(module, [&](std::string_view, auto& leaf) {
        using X = std::remove_cvref_t<decltype(leaf)>;
        const auto& entry = found[at++];
        if (!entry) return;
        const auto value = entry->template to<typename X::value_type, X::rank>();
        if constexpr (detail::is_parameter<X>)
            leaf.set_value(value);
        else
            leaf = value;
    });
    return result;
}

} // namespace weft::inline WEFT_ABI::nn

namespace weft::inline WEFT_ABI::io {

/// Writes the parameters and buffers of a module by name.
template <nn::Module M>
void save_safetensors(const std::filesystem::path& path, const M& module, const Metadata& metadata = {}) {
    save_safetensors(path, nn::state_dict(module), metadata);
}

/// Gives a module the values of a file; see nn::load_state_dict.
template <nn::Module M>
nn::LoadResult load_safetensors(const std::filesystem::path& path, M& module, bool strict = true) {
    const SafetensorsFile file = SafetensorsFile::open(path);
    NamedTensors dict;
    for (const std::string& name : file.names()) dict.emplace_back(name, file.any(name));
    return nn::load_state_dict(module, dict, strict);
}

} // namespace weft::inline WEFT_ABI::io

namespace weft::inline WEFT_ABI::nn {
using io::load_safetensors;
using io::save_safetensors;
} // namespace weft::inline WEFT_ABI::nn
