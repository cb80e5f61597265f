// SPDX-License-Identifier: MIT
#pragma once

#include <weft/io/safetensors.hpp>

#include <charconv>
#include <cstring>
#include <optional>

namespace weft::inline WEFT_ABI::io {

/// A graph whose nodes have features and classes, split into nodes for training, validation and test. What the file
/// does not have is empty.
struct NodeDataset {
    std::string name;
    index num_nodes = 0;
    index num_features = 0;
    index num_classes = 0;
    /// Features, [num_nodes, num_features]; [num_nodes, 0] without features, or when they were not asked for.
    Tensor<float, 2> x;
    /// The features of node i that are not zero, when the file has them so: columns x_indices[k] and values x_values[k]
    /// for k in [x_indptr[i], x_indptr[i + 1]).
    Tensor<std::int32_t, 1> x_indptr;
    Tensor<std::int32_t, 1> x_indices;
    Tensor<float, 1> x_values;
    /// Class of each node, [num_nodes], from 0.
    Tensor<std::int32_t, 1> y;
    /// Edges from edge_index[0, e] to edge_index[1, e], [2, edges]. An undirected edge is there in both directions.
    Tensor<std::int32_t, 2> edge_index;
    /// [edges], or empty when all weights are one.
    Tensor<float, 1> edge_weight;
    /// Numbers of the nodes.
    Tensor<std::int32_t, 1> train;
    Tensor<std::int32_t, 1> validation;
    Tensor<std::int32_t, 1> test;
    /// Nodes whose class is not known; `y` is 0 there.
    Tensor<std::int32_t, 1> unlabelled;
};

struct NodeDatasetOptions {
    /// Which of several published splits.
    index split = 0;
    /// Whether `x` is made of features that the file has as a sparse matrix.
    bool dense_features = true;
    /// Whether nodes without features in the file get the identity matrix, [num_nodes, num_nodes].
    bool identity_features = false;
    /// Whether each row of features is divided by its sum, where that is more than 1 (NormalizeFeatures of PyG).
    bool normalize_features = false;
    /// The largest number of elements of `x`: a small file may describe a very large sparse matrix.
    index max_dense_size = index{1} << 30;
};

namespace detail {

/// Both directions of undirected edges [count, 2], sorted by source, then destination; a loop is there once.
template <class = void>
void set_undirected(NodeDataset& data, const Tensor<std::int32_t, 2>& edges, const Tensor<float, 1>& weight) {
    struct Edge {
        std::int32_t from, to;
        float weight;
    };
    const index count = edges.extent(0);
    std::vector<Edge> all;
    all.reserve(2 * static_cast<std::size_t>(count));
    for (index e = 0; e < count; ++e) {
        const std::int32_t u = edges.data()[2 * e], v = edges.data()[2 * e + 1];
        const float w = weight.size() > 0 ? weight.data()[e] : 1.0f;
        all.push_back({u, v, w});
        if (u != v) all.push_back({v, u, w});
    }
    std::stable_sort(all.begin(), all.end(),
                     [](const Edge& a, const Edge& b) { return std::pair(a.from, a.to) < std::pair(b.from, b.to); });
    const auto total = static_cast<index>(all.size());
    data.edge_index = Tensor<std::int32_t, 2>::empty({2, total});
    std::int32_t* const ends = data.edge_index.mutable_data();
    for (index e = 0; e < total; ++e) {
        ends[e] = all[static_cast<std::size_t>(e)].from;
        ends[total + e] = all[static_cast<std::size_t>(e)].to;
    }
    if (weight.size() == 0) return;
    data.edge_weight = Tensor<float, 1>::empty({total});
    float* const weights = data.edge_weight.mutable_data();
    for (index e = 0; e < total; ++e) weights[e] = all[static_cast<std::size_t>(e)].weight;
}

/// Over the type of the file, so that only programs that read data sets compile it.
template <class File>
class NodeDatasetReader {
public:
    NodeDatasetReader(const File& file, const NodeDatasetOptions& options) : file_(file), options_(options) {}

    NodeDataset read() {
        read_classes();
        read_features();
        read_edges();
        data_.train = read_split("train");
        data_.validation = read_split("val");
        data_.test = read_split("test");
        if (file_.contains("unlabelled_idx")) data_.unlabelled = nodes("unlabelled_idx");
        return std::move(data_);
    }

private:
    [[nodiscard]] Error fail(std::string_view tensor, std::string_view text,
                             std::initializer_list<Piece> pieces) const {
        return error("load_node_dataset", "{}: tensor {}: {}", file_.file(), quote_name(tensor), message(text, pieces));
    }

    // 64-bit numbers may be 32-bit ones here when they fit; `get` checks.
    template <int N>
    Tensor<std::int32_t, N> integers(std::string_view tensor, const Extents<N>& shape) const {
        const DType dtype = file_.info(tensor).dtype;
        if (dtype == DType::f16 || dtype == DType::bf16 || dtype == DType::f32 || dtype == DType::f64)
            throw fail(tensor, "is {}, must be integers", {io::name(dtype)});
        return file_.template get<std::int32_t, N>(tensor, shape, Conversion::rounding);
    }
    void check_range(std::string_view tensor, std::span<const std::int32_t> values, index end) const {
        for (std::size_t i = 0; i < values.size(); ++i)
            if (values[i] < 0 || values[i] >= end)
                throw fail(tensor, "element {} is {}, must be in [0, {})", {i, values[i], end});
    }
    Tensor<std::int32_t, 1> nodes(std::string_view tensor) const {
        auto result = integers<1>(tensor, {dyn});
        check_range(tensor, result.values(), data_.num_nodes);
        return result;
    }
    /// The number that the metadata give as `key`; nothing when they do not.
    std::optional<index> metadata(const std::string& key) const {
        const auto found = file_.metadata().find(key);
        if (found == file_.metadata().end()) return {};
        const std::string& text = found->second;
        index value = -1;
        const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (code != std::errc() || end != text.data() + text.size() || value < 0)
            throw error("load_node_dataset", "{}: metadata {}: {} is not an integer >= 0", file_.file(), key,
                        quote_name(text));
        return value;
    }

    void read_classes() {
        const char* const tensor = file_.contains("club") && !file_.contains("y") ? "club" : "y";
        data_.y = integers<1>(tensor, {dyn});
        data_.num_nodes = data_.y.size();
        if (const auto count = metadata("num_nodes"); count && *count != data_.num_nodes)
            throw fail(tensor, "has {} elements, the metadata say num_nodes {}", {data_.num_nodes, *count});
        check_range(tensor, data_.y.values(), std::numeric_limits<std::int32_t>::max());
        index classes = 0;
        for (const std::int32_t c : data_.y.values()) classes = std::max<index>(classes, c + 1);
        data_.num_classes = metadata("num_classes").value_or(classes);
        check_range(tensor, data_.y.values(), data_.num_classes);
    }

    void read_features() {
        const index n = data_.num_nodes;
        const bool sparse = file_.contains("x_indptr");
        data_.x = Tensor<float, 2>::empty({n, 0});
        if (file_.contains("x")) {
            data_.x = file_.template get<float, 2>("x", {n, dyn}, Conversion::rounding);
            data_.num_features = data_.x.extent(1);
        } else if (sparse) {
            read_sparse();
        } else if (options_.identity_features) {
            data_.num_features = n;
            data_.x = dense("x", n);
            float* const x = data_.x.mutable_data();
            for (index i = 0; i < n; ++i) x[i * n + i] = 1.0f;
        } else {
            return;
        }
        if (options_.normalize_features) normalize();
        if (sparse && options_.dense_features && data_.x.extent(1) == 0) {
            data_.x = dense("x_indices", data_.num_features);
            float* const x = data_.x.mutable_data();
            for (index i = 0; i < n; ++i)
                for (index k = data_.x_indptr(i); k < data_.x_indptr(i + 1); ++k)
                    x[i * data_.num_features + data_.x_indices.data()[k]] += data_.x_values.data()[k];
        }
    }
    Tensor<float, 2> dense(std::string_view tensor, index columns) const {
        if (data_.num_nodes > 0 && columns > options_.max_dense_size / data_.num_nodes)
            throw fail(tensor,
                       "the matrix of features is [{}, {}], more than max_dense_size = {} elements; "
                       "see NodeDatasetOptions",
                       {data_.num_nodes, columns, options_.max_dense_size});
        return Tensor<float, 2>::zeros({data_.num_nodes, columns});
    }
    void read_sparse() {
        data_.x_indptr = integers<1>("x_indptr", {data_.num_nodes + 1});
        data_.x_indices = integers<1>("x_indices", {dyn});
        const auto pointers = data_.x_indptr.values();
        const index count = data_.x_indices.size();
        if (pointers.front() != 0 || pointers.back() != count)
            throw fail("x_indptr", "runs from {} to {}, must run from 0 to {}, the size of x_indices",
                       {pointers.front(), pointers.back(), count});
        for (std::size_t i = 1; i < pointers.size(); ++i)
            if (pointers[i] < pointers[i - 1]) throw fail("x_indptr", "element {} is less than the one before it", {i});
        data_.x_values = file_.contains("x_values")
                             ? file_.template get<float, 1>("x_values", {count}, Conversion::rounding)
                             : Tensor<float, 1>::ones({count});
        index features = 0;
        for (const std::int32_t column : data_.x_indices.values())
            features = std::max<index>(features, column + index{1});
        data_.num_features = metadata("num_features").value_or(features);
        check_range("x_indices", data_.x_indices.values(), data_.num_features);
    }
    // Both forms of the features, where they are.
    void normalize() {
        const auto scale = [](float* row, index count) {
            float sum = 0;
            for (index k = 0; k < count; ++k) sum += row[k];
            const float divisor = std::max(sum, 1.0f);
            for (index k = 0; k < count; ++k) row[k] /= divisor;
        };
        const index n = data_.num_nodes, columns = data_.x.extent(1);
        if (columns > 0) {
            float* const x = data_.x.mutable_data();
            for (index i = 0; i < n; ++i) scale(x + i * columns, columns);
        }
        if (data_.x_values.size() > 0) {
            float* const values = data_.x_values.mutable_data();
            const std::int32_t* const pointers = data_.x_indptr.data();
            for (index i = 0; i < n; ++i) scale(values + pointers[i], pointers[i + 1] - pointers[i]);
        }
    }

    void read_edges() {
        if (file_.contains("edge_index")) {
            data_.edge_index = integers<2>("edge_index", {2, dyn});
            check_range("edge_index", data_.edge_index.values(), data_.num_nodes);
            if (file_.contains("edge_weight"))
                data_.edge_weight =
                    file_.template get<float, 1>("edge_weight", {data_.edge_index.extent(1)}, Conversion::rounding);
            return;
        }
        // Undirected edges, each one once.
        const auto edges = integers<2>("edges", {dyn, 2});
        check_range("edges", edges.values(), data_.num_nodes);
        const index count = edges.extent(0);
        Tensor<float, 1> weight;
        if (file_.contains("weight")) weight = file_.template get<float, 1>("weight", {count}, Conversion::rounding);
        set_undirected(data_, edges, weight);
    }

    /// The nodes of one part of the split, from a list, or from masks of bytes or of bits (least significant first).
    Tensor<std::int32_t, 1> read_split(const std::string& part) const {
        const std::string list = part + "_idx", masks = part + "_masks";
        if (file_.contains(list)) {
            if (options_.split != 0) throw fail(list, "there is one split, number {} was asked for", {options_.split});
            return nodes(list);
        }
        if (!file_.contains(masks)) return {};
        const auto mask = file_.template get<std::uint8_t, 2>(masks, {dyn, dyn});
        const index n = data_.num_nodes, width = mask.extent(1);
        if (width != n && width != (n + 7) / 8)
            throw fail(masks, "has rows of {}: must be {} bytes or {} of packed bits", {width, n, (n + 7) / 8});
        if (options_.split < 0 || options_.split >= mask.extent(0))
            throw fail(masks, "there are {} splits, number {} was asked for", {mask.extent(0), options_.split});
        const std::uint8_t* const row = mask.data() + options_.split * width;
        std::vector<std::int32_t> chosen;
        for (index i = 0; i < n; ++i)
            if (width == n ? row[i] != 0 : (row[i / 8] >> (i % 8) & 1) != 0)
                chosen.push_back(static_cast<std::int32_t>(i));
        return Tensor<std::int32_t, 1>::from(chosen);
    }

    const File& file_;
    const NodeDatasetOptions& options_;
    NodeDataset data_;
};

/// A file as it is; of a folder its only safetensors file, or else the one of the folder's name; else with the ending
/// added.
template <class = void>
std::filesystem::path find_safetensors(const std::filesystem::path& path) {
    namespace fs = std::filesystem;
    std::error_code code;
    if (fs::is_directory(path, code)) {
        std::vector<fs::path> found;
        for (fs::directory_iterator entry(path, code), end; !code && entry != end; entry.increment(code))
            if (entry->path().extension() == ".safetensors") found.push_back(entry->path());
        if (found.size() == 1) return found.front();
        const fs::path folder = path.has_filename() ? path.filename() : path.parent_path().filename();
        const fs::path named = path / (folder.string() + ".safetensors");
        if (fs::exists(named, code)) return named;
        throw error("load_node_dataset", "{}: the folder has {} safetensors files: give the path of one of them",
                    path.string(), found.size());
    }
    fs::path named = path;
    named += ".safetensors";
    return !fs::exists(path, code) && fs::exists(named, code) ? named : path;
}

} // namespace detail

/// The data set in a safetensors file: classes `y` (or `club`); features `x`, or `x_indptr`, `x_indices` and maybe
/// `x_values`; edges `edge_index` [2, E] and maybe `edge_weight`, or undirected `edges` [E, 2] and maybe `weight`;
/// splits `train_idx`, `val_idx`, `test_idx`, or the rows of `train_masks`, `val_masks`, `test_masks`.
/// Errors: a tensor that is missing, of another shape, or holds a number out of range; no such split.
template <std::same_as<SafetensorsFile> File>
NodeDataset node_dataset(const File& file, const NodeDatasetOptions& options = {}) {
    return detail::NodeDatasetReader<File>(file, options).read();
}

/// The data set in a file, or in the folder of a file: `load_node_dataset("data/cora")`. See node_dataset.
template <std::same_as<SafetensorsFile> File = SafetensorsFile>
NodeDataset load_node_dataset(const std::filesystem::path& path, const NodeDatasetOptions& options = {}) {
    const std::filesystem::path file = detail::find_safetensors(path);
    NodeDataset data = node_dataset(File::read(file), options);
    data.name = file.stem().string();
    return data;
}

} // namespace weft::inline WEFT_ABI::io
