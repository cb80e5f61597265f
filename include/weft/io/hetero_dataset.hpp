// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/edge_type.hpp>
#include <weft/io/dataset_reader.hpp>

#include <algorithm>

namespace weft::inline WEFT_ABI::io {

/// A graph with nodes and edges of several types, where nodes of one type have classes. What the file does not have is
/// empty.
struct HeteroDataset {
    /// The nodes of one type.
    struct Nodes {
        index count = 0;
        index num_features = 0;
        /// [count, num_features]; [count, 0] without features, or when they were not asked for.
        Tensor<float, 2> x;
        /// The features that are not zero, when the file has them so; see NodeDataset.
        Tensor<std::int32_t, 1> x_indptr;
        Tensor<std::int32_t, 1> x_indices;
        Tensor<float, 1> x_values;
    };

    std::string name;
    /// By the name of the type. Nodes are numbered within their type.
    std::map<std::string, Nodes> nodes;
    /// Edges from edge_index[0, e] to edge_index[1, e], [2, edges]: `Graph(edge_index.at(type), nodes.at(type.src)
    /// .count, nodes.at(type.dst).count)`.
    std::map<EdgeType, Tensor<std::int32_t, 2>> edge_index;
    /// The type of nodes that have classes.
    std::string target;
    index num_classes = 0;
    /// Class of each node of that type, from 0; 0 where it is not known.
    Tensor<std::int32_t, 1> y;
    /// Numbers of nodes of that type.
    Tensor<std::int32_t, 1> train;
    Tensor<std::int32_t, 1> validation;
    Tensor<std::int32_t, 1> test;
    /// Nodes of that type whose class is not known.
    Tensor<std::int32_t, 1> unlabelled;
};

/// Options of `load_hetero_dataset`.
struct HeteroDatasetOptions {
    /// The type of nodes that have classes; empty: the only one that takes part in every relation.
    std::string target{};
    /// Whether each relation is there in the other direction too, called rev_<relation> as ToUndirected of PyG does.
    bool reverse_relations = false;
    /// As in NodeDatasetOptions, for each type.
    bool dense_features = true;
    bool identity_features = false;
    bool normalize_features = false;
    index max_dense_size = index{1} << 30;
};

namespace detail {

template <class File>
class HeteroDatasetReader {
public:
    HeteroDatasetReader(const File& file, const HeteroDatasetOptions& options)
        : reader_(file, "load_hetero_dataset"), options_(options) {}

    HeteroDataset read() {
        read_nodes();
        for (const std::string& tensor : reader_.file().names())
            if (tensor.starts_with("edge_")) read_relation(tensor);
        if (reader_.contains("label_train") || reader_.contains("label_val") || reader_.contains("label_test"))
            read_classes();
        if (options_.reverse_relations) add_reverse_relations();
        return std::move(data_);
    }

private:
    void read_nodes() {
        for (const auto& entry : reader_.file().metadata()) {
            const std::string& key = entry.first;
            if (!key.starts_with("num_") || key == "num_features" || key == "num_classes") continue;
            const std::string type = key.substr(4);
            HeteroDataset::Nodes nodes;
            nodes.count = *reader_.metadata(key);
            if (nodes.count > std::numeric_limits<std::int32_t>::max())
                throw reader_.fail_metadata(key, "{} is more nodes than can be numbered", {nodes.count});
            Features f = read_features(reader_, type + "_x", nodes.count,
                                       {.dense = options_.dense_features,
                                        .identity = options_.identity_features,
                                        .normalize = options_.normalize_features,
                                        .max_dense_size = options_.max_dense_size});
            nodes.num_features = f.count;
            nodes.x = std::move(f.x);
            nodes.x_indptr = std::move(f.indptr);
            nodes.x_indices = std::move(f.indices);
            nodes.x_values = std::move(f.values);
            data_.nodes.emplace(type, std::move(nodes));
        }
    }

    /// What edge_<source>_<destination> or edge_<source>_<relation>_<destination> means. Names of types may contain
    /// each other and underscores: the longest source counts, then the longest destination. Time goes with the square
    /// of the length, which is limited for that.
    EdgeType edge_type(const std::string& tensor) const {
        const std::string text = tensor.substr(5);
        const auto is_type = [&](const std::string& name) { return data_.nodes.contains(name); };
        constexpr std::size_t longest = 250;
        for (std::size_t i = text.size() > longest ? text.npos : text.rfind('_'); i != text.npos && i > 0;
             i = text.rfind('_', i - 1)) {
            const std::string source = text.substr(0, i);
            if (!is_type(source)) continue;
            for (std::size_t k = i; k != text.npos; k = text.find('_', k + 1)) {
                const std::string destination = text.substr(k + 1);
                if (k == i + 1 || !is_type(destination)) continue;
                return {source, k == i ? "to" : text.substr(i + 1, k - i - 1), destination};
            }
        }
        throw reader_.fail(tensor,
                           "must be called edge_<source>_<destination> or edge_<source>_<relation>_"
                           "<destination>, of at most {} characters and types whose numbers of nodes the metadata "
                           "give as num_<type>",
                           {5 + longest});
    }

    void read_relation(const std::string& tensor) {
        const EdgeType type = edge_type(tensor);
        auto ends = reader_.template integers<2>(tensor, {2, dyn});
        const auto count = static_cast<std::size_t>(ends.extent(1));
        for (std::size_t e = 0; e < 2 * count; ++e) {
            const std::string& end = e < count ? type.src : type.dst;
            const index nodes = data_.nodes.at(end).count;
            if (ends.values()[e] < 0 || ends.values()[e] >= nodes)
                throw reader_.fail(tensor, "the {} of edge {} is {}, must be in [0, {}), the number of {} nodes",
                                   {e < count ? "source" : "destination", e % count, ends.values()[e], nodes, end});
        }
        if (!data_.edge_index.emplace(type, std::move(ends)).second)
            throw reader_.fail(tensor, "the relation {} from {} to {} is there twice",
                               {type.relation, type.src, type.dst});
    }
    void add_reverse_relations() {
        const auto given = data_.edge_index;
        for (const auto& [type, ends] : given) {
            auto reversed = Tensor<std::int32_t, 2>::empty(ends.shape());
            const auto middle = ends.data() + ends.extent(1);
            std::rotate_copy(ends.data(), middle, ends.data() + ends.size(), reversed.mutable_data());
            data_.edge_index.emplace(EdgeType{type.dst, "rev_" + type.relation, type.src}, reversed);
        }
    }

    /// The only type that is an end of every relation; "" when there is none, or two.
    std::string find_target() const {
        const auto& relations = data_.edge_index;
        if (relations.empty()) return {};
        const auto everywhere = [&](const std::string& type) {
            return std::all_of(relations.begin(), relations.end(), [&](const auto& relation) {
                return relation.first.src == type || relation.first.dst == type;
            });
        };
        const EdgeType& first = relations.begin()->first;
        const bool source = everywhere(first.src);
        const bool destination = first.dst != first.src && everywhere(first.dst);
        if (source == destination) return {};
        return source ? first.src : first.dst;
    }
    void read_classes() {
        data_.target = options_.target.empty() ? find_target() : options_.target;
        const auto nodes = data_.nodes.find(data_.target);
        if (nodes == data_.nodes.end())
            throw error("load_hetero_dataset",
                        "{}: the type of nodes that have classes is {}: give one of the file as "
                        "HeteroDatasetOptions::target",
                        reader_.file().file(), data_.target.empty() ? "not clear" : quote_name(data_.target));
        const index count = nodes->second.count;
        if (count > options_.max_dense_size)
            throw reader_.fail_metadata("num_" + data_.target, "{} nodes are more than max_dense_size = {}",
                                        {count, options_.max_dense_size});
        data_.y = Tensor<std::int32_t, 1>::zeros({count});
        std::vector<char> known(static_cast<std::size_t>(count));
        data_.train = read_part("label_train", known);
        data_.validation = read_part("label_val", known);
        data_.test = read_part("label_test", known);
        std::vector<std::int32_t> unknown;
        for (std::size_t i = 0; i < known.size(); ++i)
            if (!known[i]) unknown.push_back(static_cast<std::int32_t>(i));
        data_.unlabelled = Tensor<std::int32_t, 1>::from(unknown);
        index classes = 0;
        for (const std::int32_t c : data_.y.values()) classes = std::max<index>(classes, c + index{1});
        if (unknown.size() == known.size()) classes = 0;
        data_.num_classes = reader_.metadata("num_classes").value_or(classes);
        if (classes > data_.num_classes)
            throw reader_.fail_metadata("num_classes", "{}, but a node has class {}", {data_.num_classes, classes - 1});
    }
    /// The nodes of [count, 2] pairs (node, class).
    Tensor<std::int32_t, 1> read_part(const char* tensor, std::vector<char>& known) {
        if (!reader_.contains(tensor)) return {};
        const auto pairs = reader_.template integers<2>(tensor, {dyn, 2});
        auto nodes = Tensor<std::int32_t, 1>::empty({pairs.extent(0)});
        std::int32_t *const to = nodes.mutable_data(), *const y = data_.y.mutable_data();
        for (index i = 0; i < pairs.extent(0); ++i) {
            const std::int32_t node = pairs.data()[2 * i], label = pairs.data()[2 * i + 1];
            if (node < 0 || node >= data_.y.size() || label < 0 || label == std::numeric_limits<std::int32_t>::max())
                throw reader_.fail(tensor, "row {} is node {}, class {}: nodes must be in [0, {}), classes from 0",
                                   {i, node, label, data_.y.size()});
            if (known[static_cast<std::size_t>(node)])
                throw reader_.fail(tensor, "row {}: node {} has a class already", {i, node});
            known[static_cast<std::size_t>(node)] = true;
            to[i] = node;
            y[node] = label;
        }
        return nodes;
    }

    const DatasetReader<File> reader_;
    const HeteroDatasetOptions& options_;
    HeteroDataset data_;
};

} // namespace detail

/// The heterogeneous data set in a safetensors file. The metadata give the number of nodes of each type as
/// `num_<type>`, and may say `num_features` and `num_classes`. Tensors: features `<type>_x`, or `<type>_x_indptr`,
/// `<type>_x_indices` and maybe `<type>_x_values`; edges `edge_<source>_<relation>_<destination>` [2, E], or
/// `edge_<source>_<destination>`, whose relation is called "to"; classes of one type as pairs (node, class)
/// `label_train`, `label_val`, `label_test` [count, 2]. Errors: a tensor of another shape or name, or that holds a
/// number out of range; a node with two classes; a target that is no type of nodes, or not given and not clear.
template <std::same_as<SafetensorsFile> File>
HeteroDataset hetero_dataset(const File& file, const HeteroDatasetOptions& options = {}) {
    return detail::HeteroDatasetReader<File>(file, options).read();
}

/// The data set in a file, or in the folder of a file: `load_hetero_dataset("data/acm")`. See hetero_dataset.
template <std::same_as<SafetensorsFile> File = SafetensorsFile>
HeteroDataset load_hetero_dataset(const std::filesystem::path& path, const HeteroDatasetOptions& options = {}) {
    const std::filesystem::path file = detail::find_safetensors(path, "load_hetero_dataset");
    HeteroDataset data = hetero_dataset(File::read(file), options);
    data.name = file.stem().string();
    return data;
}

} // namespace weft::inline WEFT_ABI::io
