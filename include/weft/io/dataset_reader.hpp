// SPDX-License-Identifier: MIT
#pragma once

#include <weft/io/safetensors.hpp>

#include <charconv>
#include <optional>

/// What the loaders of data sets have in common.
namespace weft::inline WEFT_ABI::io::detail {

/// Tensors of a safetensors file, each checked as it is read. Over the type of the file, so that only programs that
/// read data sets compile it. `operation` is what errors name.
template <class File>
class DatasetReader {
public:
    DatasetReader(const File& file, const char* operation) : file_(file), operation_(operation) {}

    const File& file() const noexcept { return file_; }
    bool contains(std::string_view tensor) const { return file_.contains(tensor); }

    [[nodiscard]] Error fail(std::string_view tensor, std::string_view text,
                             std::initializer_list<Piece> pieces) const {
        return error(operation_, "{}: tensor {}: {}", file_.file(), quote_name(tensor), message(text, pieces));
    }
    [[nodiscard]] Error fail_metadata(std::string_view key, std::string_view text,
                                      std::initializer_list<Piece> pieces) const {
        return error(operation_, "{}: metadata {}: {}", file_.file(), key, message(text, pieces));
    }

    /// 64-bit numbers may be 32-bit ones here when they fit; `get` checks.
    template <int N>
    Tensor<std::int32_t, N> integers(std::string_view tensor, const Extents<N>& shape) const {
        const DType dtype = file_.info(tensor).dtype;
        if (dtype == DType::f16 || dtype == DType::bf16 || dtype == DType::f32 || dtype == DType::f64)
            throw fail(tensor, "is {}, must be integers", {io::name(dtype)});
        return file_.template get<std::int32_t, N>(tensor, shape, Conversion::rounding);
    }
    /// Integers in [0, end).
    template <int N>
    Tensor<std::int32_t, N> indices(std::string_view tensor, const Extents<N>& shape, index end) const {
        auto result = integers<N>(tensor, shape);
        check_range(tensor, result.values(), end);
        return result;
    }
    template <int N>
    Tensor<float, N> floats(std::string_view tensor, const Extents<N>& shape) const {
        return file_.template get<float, N>(tensor, shape, Conversion::rounding);
    }
    void check_range(std::string_view tensor, std::span<const std::int32_t> values, index end) const {
        for (std::size_t i = 0; i < values.size(); ++i)
            if (values[i] < 0 || values[i] >= end)
                throw fail(tensor, "element {} is {}, must be in [0, {})", {i, values[i], end});
    }
    /// Where the rows of a sparse matrix begin, [rows + 1], among `count` entries, the size of `entries`.
    Tensor<std::int32_t, 1> pointers(std::string_view tensor, index rows, std::string_view entries, index count) const {
        const auto result = integers<1>(tensor, {rows + 1});
        const auto p = result.values();
        if (p.front() != 0 || p.back() != count)
            throw fail(tensor, "runs from {} to {}, must run from 0 to {}, the size of {}",
                       {p.front(), p.back(), count, entries});
        for (std::size_t i = 1; i < p.size(); ++i)
            if (p[i] < p[i - 1]) throw fail(tensor, "element {} is less than the one before it", {i});
        return result;
    }
    /// The number of classes, labels or columns: what the metadata say, else one more than the largest value.
    index count_of(std::string_view tensor, std::span<const std::int32_t> values, const std::string& key) const {
        check_range(tensor, values, std::numeric_limits<std::int32_t>::max());
        index count = 0;
        for (const std::int32_t value : values) count = std::max<index>(count, value + index{1});
        count = metadata(key).value_or(count);
        check_range(tensor, values, count);
        return count;
    }
    /// The number that the metadata give as `key`; nothing when they do not.
    std::optional<index> metadata(const std::string& key) const {
        const auto found = file_.metadata().find(key);
        if (found == file_.metadata().end()) return {};
        const std::string& text = found->second;
        index value = -1;
        const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (code != std::errc() || end != text.data() + text.size() || value < 0)
            throw fail_metadata(key, "{} is not an integer >= 0", {quote_name(text)});
        return value;
    }
    /// Errors: the metadata give another number as `key`.
    void check_count(std::string_view tensor, index count, const std::string& key) const {
        if (const auto said = metadata(key); said && *said != count)
            throw fail(tensor, "has {} elements, the metadata say {} {}", {count, key, *said});
    }

    /// Zeros, [rows, columns]. A small file may describe a very large matrix: errors when it has more than `most`
    /// elements.
    Tensor<float, 2> matrix(std::string_view tensor, index rows, index columns, index most) const {
        if (rows > 0 && columns > most / rows)
            throw fail(tensor,
                       "the dense matrix is [{}, {}], more than max_dense_size = {} elements; see the "
                       "options",
                       {rows, columns, most});
        return Tensor<float, 2>::zeros({rows, columns});
    }
    /// A 1 for each entry of the rows of a sparse matrix.
    Tensor<float, 2> multi_hot(std::string_view tensor, const Tensor<std::int32_t, 1>& row_ptr,
                               const Tensor<std::int32_t, 1>& columns, index count, index most) const {
        const index rows = row_ptr.size() - 1;
        auto result = matrix(tensor, rows, count, most);
        float* const to = result.mutable_data();
        for (index i = 0; i < rows; ++i)
            for (index k = row_ptr.data()[i]; k < row_ptr.data()[i + 1]; ++k) to[i * count + columns.data()[k]] = 1;
        return result;
    }

private:
    const File& file_;
    const char* operation_;
};

struct FeatureOptions {
    bool dense = true;
    bool identity = false;
    bool normalize = false;
    index max_dense_size = 0;
};

/// Features of nodes, as NodeDataset describes them.
struct Features {
    index count = 0;
    Tensor<float, 2> x;
    Tensor<std::int32_t, 1> indptr;
    Tensor<std::int32_t, 1> indices;
    Tensor<float, 1> values;
};

/// Divides numbers by their sum, where that is more than 1.
inline void normalize_row(float* row, index count) {
    float sum = 0;
    for (index k = 0; k < count; ++k) sum += row[k];
    const float divisor = std::max(sum, 1.0f);
    for (index k = 0; k < count; ++k) row[k] /= divisor;
}

/// The features of `rows` nodes, called `x`: a tensor of that name, or sparse in x_indptr, x_indices, maybe x_values.
template <class Reader>
Features read_features(const Reader& reader, const std::string& x, index rows, const FeatureOptions& options) {
    Features f;
    f.x = Tensor<float, 2>::empty({rows, 0});
    const std::string indptr = x + "_indptr", indices = x + "_indices", values = x + "_values";
    const bool sparse = !reader.contains(x) && reader.contains(indptr);
    if (reader.contains(x)) {
        f.x = reader.template floats<2>(x, {rows, dyn});
        f.count = f.x.extent(1);
    } else if (sparse) {
        f.indices = reader.template integers<1>(indices, {dyn});
        const index count = f.indices.size();
        f.indptr = reader.pointers(indptr, rows, indices, count);
        f.values =
            reader.contains(values) ? reader.template floats<1>(values, {count}) : Tensor<float, 1>::ones({count});
        f.count = reader.count_of(indices, f.indices.values(), "num_features");
    } else if (options.identity) {
        f.count = rows;
        f.x = reader.matrix(x, rows, rows, options.max_dense_size);
        float* const to = f.x.mutable_data();
        for (index i = 0; i < rows; ++i) to[i * rows + i] = 1.0f;
    }
    if (options.normalize && sparse) {
        float* const to = f.values.mutable_data();
        const std::int32_t* const p = f.indptr.data();
        for (index i = 0; i < rows; ++i) normalize_row(to + p[i], p[i + 1] - p[i]);
    } else if (options.normalize) {
        float* const to = f.x.mutable_data();
        for (index i = 0; i < rows; ++i) normalize_row(to + i * f.count, f.count);
    }
    if (sparse && options.dense) {
        f.x = reader.matrix(indices, rows, f.count, options.max_dense_size);
        float* const to = f.x.mutable_data();
        for (index i = 0; i < rows; ++i)
            for (index k = f.indptr.data()[i]; k < f.indptr.data()[i + 1]; ++k)
                to[i * f.count + f.indices.data()[k]] += f.values.data()[k];
    }
    return f;
}

/// Edges and their weights; none when all are 1.
struct WeightedEdges {
    Tensor<std::int32_t, 2> edge_index;
    Tensor<float, 1> weight;
};

/// Both directions of undirected edges, sorted by source, then destination; a loop is there once. `edges` is [count,
/// 2], or [2, count] when that is its only reading.
template <class = void>
WeightedEdges both_directions(const Tensor<std::int32_t, 2>& edges, const Tensor<float, 1>& weight) {
    struct Edge {
        std::int32_t from, to;
        float weight;
    };
    const bool pairs = edges.extent(1) == 2;
    const index count = edges.size() / 2;
    std::vector<Edge> all;
    all.reserve(2 * static_cast<std::size_t>(count));
    for (index e = 0; e < count; ++e) {
        const std::int32_t u = edges.data()[pairs ? 2 * e : e], v = edges.data()[pairs ? 2 * e + 1 : count + e];
        const float w = weight.size() > 0 ? weight.data()[e] : 1.0f;
        all.push_back({u, v, w});
        if (u != v) all.push_back({v, u, w});
    }
    std::stable_sort(all.begin(), all.end(),
                     [](const Edge& a, const Edge& b) { return std::pair(a.from, a.to) < std::pair(b.from, b.to); });
    const auto total = static_cast<index>(all.size());
    WeightedEdges result;
    result.edge_index = Tensor<std::int32_t, 2>::empty({2, total});
    std::int32_t* const ends = result.edge_index.mutable_data();
    for (index e = 0; e < total; ++e) {
        ends[e] = all[static_cast<std::size_t>(e)].from;
        ends[total + e] = all[static_cast<std::size_t>(e)].to;
    }
    if (weight.size() == 0) return result;
    result.weight = Tensor<float, 1>::empty({total});
    float* const weights = result.weight.mutable_data();
    for (index e = 0; e < total; ++e) weights[e] = all[static_cast<std::size_t>(e)].weight;
    return result;
}

/// A file as it is; of a folder its only safetensors file, or else the one of the folder's name; else with the ending
/// added; else the only safetensors file in the same folder whose name goes on from there: `wikipedia/chameleon` for
/// `wikipedia/chameleon_filtered.safetensors`.
template <class = void>
std::filesystem::path find_safetensors(const std::filesystem::path& path, const char* operation) {
    namespace fs = std::filesystem;
    std::error_code code;
    const auto files_in = [&](const fs::path& folder, const std::string& prefix) {
        std::vector<fs::path> found;
        for (fs::directory_iterator entry(folder, code), end; !code && entry != end; entry.increment(code))
            if (entry->path().extension() == ".safetensors" && entry->path().filename().string().starts_with(prefix))
                found.push_back(entry->path());
        return found;
    };
    if (fs::is_directory(path, code)) {
        const auto found = files_in(path, "");
        if (found.size() == 1) return found.front();
        const fs::path folder = path.has_filename() ? path.filename() : path.parent_path().filename();
        const fs::path named = path / (folder.string() + ".safetensors");
        if (fs::exists(named, code)) return named;
        throw error(operation, "{}: the folder has {} safetensors files: give the path of one of them", path.string(),
                    found.size());
    }
    if (fs::exists(path, code)) return path;
    fs::path named = path;
    named += ".safetensors";
    if (fs::exists(named, code)) return named;
    const auto longer = files_in(path.has_parent_path() ? path.parent_path() : ".", path.filename().string());
    return longer.size() == 1 ? longer.front() : path;
}

} // namespace weft::inline WEFT_ABI::io::detail
