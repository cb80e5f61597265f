// SPDX-License-Identifier: MIT
#pragma once

#include <weft/io/dataset_reader.hpp>

namespace weft::inline WEFT_ABI::io {

/// Many graphs, each with a class. Nodes and edges lie graph by graph, so that the whole is one batch:
/// `GraphBatch(Graph(data.edge_index, data.num_nodes), data.batch, data.num_graphs)`. What the file does not have is
/// empty.
struct GraphDataset {
    std::string name;
    index num_graphs = 0;
    index num_nodes = 0;
    index num_features = 0;
    index num_edge_features = 0;
    index num_classes = 0;
    /// Features of nodes, [num_nodes, num_features]: the attributes where they were asked for, then the label as a 1 in
    /// the column of its number.
    Tensor<float, 2> x;
    /// Features of edges, [edges, num_edge_features]: the label as a 1 in the column of its number.
    Tensor<float, 2> edge_attr;
    /// Edges from edge_index[0, e] to edge_index[1, e], [2, edges], of nodes numbered across all graphs.
    Tensor<std::int32_t, 2> edge_index;
    /// The graph of each node, [num_nodes], ascending.
    Tensor<std::int32_t, 1> batch;
    /// Class of each graph, [num_graphs], from 0.
    Tensor<std::int32_t, 1> y;
    Tensor<std::int32_t, 1> node_label; ///< [num_nodes]
    Tensor<std::int32_t, 1> edge_label; ///< [edges]
    Tensor<float, 2> node_attr;         ///< [num_nodes, attributes]
    /// Which part of a cross-validation tests a graph, [num_graphs]; -1: none.
    Tensor<std::int32_t, 1> fold;
    /// Graph i has the nodes node_ptr[i], ..., node_ptr[i + 1] - 1 and the edges edge_ptr[i], ..., edge_ptr[i + 1] - 1.
    Tensor<std::int32_t, 1> node_ptr;
    Tensor<std::int32_t, 1> edge_ptr;

    /// Numbers of graphs.
    struct Split {
        Tensor<std::int32_t, 1> train;
        Tensor<std::int32_t, 1> test;
    };
    /// The graphs of part `part` of the cross-validation, and all others. Errors: no graph is in it.
    Split split(index part) const {
        std::vector<std::int32_t> train, test;
        for (index i = 0; i < fold.size(); ++i)
            (fold.data()[i] == part ? test : train).push_back(static_cast<std::int32_t>(i));
        if (part < 0 || test.empty()) throw error("split", "no graph of {} is in fold {}", num_graphs, part);
        return {Tensor<std::int32_t, 1>::from(train), Tensor<std::int32_t, 1>::from(test)};
    }

    /// The graphs of these numbers, in this order and as often as they are named, as a data set of their own: a
    /// mini-batch. O(nodes and edges of these graphs); when their numbers are consecutive only what is renumbered is
    /// copied. Errors: a number out of range; 2^31 or more nodes or edges.
    template <std::integral I>
    GraphDataset select(const Tensor<I, 1>& graphs) const;
};

/// Options of `load_graph_dataset`.
struct GraphDatasetOptions {
    /// Whether attributes of nodes are among their features, before the labels (use_node_attr of PyG).
    bool node_attributes = false;
    /// The largest number of elements of `x` and of `edge_attr`: a small file may describe a very large matrix.
    index max_dense_size = index{1} << 30;
};

namespace detail {

/// Rows ptr[i], ..., ptr[i + 1] - 1 of `rows` for each of `graphs`, one behind the other. `total`: how many.
template <class I, class T, int N>
Tensor<T, N> rows_of_graphs(const Tensor<T, N>& rows, const Tensor<I, 1>& graphs, const std::int32_t* ptr, index total,
                            bool consecutive) {
    Extents<N> shape = rows.shape();
    if (rows.size() == 0 && shape[0] == 0) return rows; // the file does not have it, or there is nothing to have
    index width = 1;
    for (std::size_t a = 1; a < shape.size(); ++a) width *= shape[a];
    shape[0] = total;
    if (consecutive && graphs.size() > 0)
        return Tensor<T, N>::share(rows.storage(), rows.data() + ptr[graphs.data()[0]] * width, shape);
    auto result = Tensor<T, N>::empty(shape);
    T* to = result.mutable_data();
    for (const I g : graphs.values()) to = std::copy_n(rows.data() + ptr[g] * width, (ptr[g + 1] - ptr[g]) * width, to);
    return result;
}

template <class File>
class GraphDatasetReader {
public:
    GraphDatasetReader(const File& file, const GraphDatasetOptions& options)
        : reader_(file, "load_graph_dataset"), options_(options) {}

    GraphDataset read() {
        read_graphs();
        read_edges();
        read_features();
        return std::move(data_);
    }

private:
    void read_graphs() {
        data_.y = reader_.template integers<1>("graph_label", {dyn});
        data_.num_graphs = data_.y.size();
        reader_.check_count("graph_label", data_.num_graphs, "num_graphs");
        data_.num_classes = reader_.count_of("graph_label", data_.y.values(), "num_classes");
        data_.batch = reader_.template indices<1>("graph_indicator", {dyn}, data_.num_graphs);
        data_.num_nodes = data_.batch.size();
        reader_.check_count("graph_indicator", data_.num_nodes, "num_nodes");
        const auto batch = data_.batch.values();
        for (std::size_t v = 1; v < batch.size(); ++v)
            if (batch[v] < batch[v - 1])
                throw reader_.fail("graph_indicator", "element {} is {}, less than {} before it: must be sorted",
                                   {v, batch[v], batch[v - 1]});
        data_.node_ptr = begins(batch);
        if (!reader_.contains("fold")) return;
        data_.fold = reader_.template integers<1>("fold", {data_.num_graphs});
        for (index i = 0; i < data_.num_graphs; ++i)
            if (data_.fold.data()[i] < -1)
                throw reader_.fail("fold", "element {} is {}, must be from 0, or -1", {i, data_.fold.data()[i]});
    }
    /// Where each graph begins among elements of which `graph` says whose they are, [num_graphs + 1].
    template <class Graphs>
    Tensor<std::int32_t, 1> begins(const Graphs& graph) const {
        auto ptr = Tensor<std::int32_t, 1>::zeros({data_.num_graphs + 1});
        std::int32_t* const p = ptr.mutable_data();
        for (const std::int32_t g : graph) ++p[g + 1];
        for (index g = 0; g < data_.num_graphs; ++g) p[g + 1] += p[g];
        return ptr;
    }

    void read_edges() {
        data_.edge_index = reader_.template indices<2>("edge_index", {2, dyn}, data_.num_nodes);
        const index edges = data_.edge_index.extent(1);
        if (reader_.contains("edge_label")) data_.edge_label = reader_.template integers<1>("edge_label", {edges});
        const std::int32_t *const ends = data_.edge_index.data(), *const batch = data_.batch.data();
        std::vector<std::int32_t> graph(static_cast<std::size_t>(edges));
        for (index e = 0; e < edges; ++e) {
            const std::int32_t from = batch[ends[e]], to = batch[ends[edges + e]];
            if (from != to)
                throw reader_.fail("edge_index", "edge {} goes from graph {} to graph {}: must stay within a graph",
                                   {e, from, to});
            graph[static_cast<std::size_t>(e)] = from;
        }
        data_.edge_ptr = begins(graph);
        if (!std::is_sorted(graph.begin(), graph.end())) sort_edges(graph);
    }
    /// Graph by graph; within a graph edges keep their order.
    void sort_edges(const std::vector<std::int32_t>& graph) {
        const auto edges = static_cast<index>(graph.size());
        std::vector<std::int32_t> next(data_.edge_ptr.data(), data_.edge_ptr.data() + data_.num_graphs);
        const auto given = data_.edge_index;
        const auto labels = data_.edge_label;
        std::int32_t* const ends = data_.edge_index.mutable_data();
        for (index e = 0; e < edges; ++e) {
            const std::int32_t to = next[static_cast<std::size_t>(graph[static_cast<std::size_t>(e)])]++;
            ends[to] = given.data()[e];
            ends[edges + to] = given.data()[edges + e];
            if (labels.size() > 0) data_.edge_label.mutable_data()[to] = labels.data()[e];
        }
    }

    void read_features() {
        const index n = data_.num_nodes;
        if (reader_.contains("node_attr")) {
            const bool one = reader_.file().info("node_attr").shape.size() == 1;
            const auto column = one ? reader_.template floats<1>("node_attr", {n}) : Tensor<float, 1>();
            data_.node_attr = one ? Tensor<float, 2>::share(column.storage(), column.data(), {n, 1})
                                  : reader_.template floats<2>("node_attr", {n, dyn});
        }
        const auto attributes = options_.node_attributes ? data_.node_attr : Tensor<float, 2>::empty({n, 0});
        if (reader_.contains("node_label")) data_.node_label = reader_.template integers<1>("node_label", {n});
        data_.x = one_hot("node_label", data_.node_label, n, "node_label_values", attributes);
        data_.num_features = data_.x.extent(1);
        const index edges = data_.edge_index.extent(1);
        data_.edge_attr =
            one_hot("edge_label", data_.edge_label, edges, "edge_label_values", Tensor<float, 2>::empty({edges, 0}));
        data_.num_edge_features = data_.edge_attr.extent(1);
    }
    /// `first`, then a 1 in the column of the label, [rows, columns].
    Tensor<float, 2> one_hot(const char* tensor, const Tensor<std::int32_t, 1>& labels, index rows, const char* key,
                             const Tensor<float, 2>& first) const {
        const index before = first.extent(0) == rows ? first.extent(1) : 0;
        if (labels.size() == 0) return before > 0 ? first : Tensor<float, 2>::empty({rows, 0});
        const index count = reader_.count_of(tensor, labels.values(), key);
        if (count > std::numeric_limits<index>::max() - before) throw reader_.fail(tensor, "too many columns", {});
        const index columns = before + count;
        auto result = reader_.matrix(tensor, rows, columns, options_.max_dense_size);
        float* const to = result.mutable_data();
        for (index i = 0; i < rows; ++i) {
            std::copy_n(first.data() + i * before, before, to + i * columns);
            to[i * columns + before + labels.data()[i]] = 1;
        }
        return result;
    }

    const DatasetReader<File> reader_;
    const GraphDatasetOptions& options_;
    GraphDataset data_;
};

} // namespace detail

template <std::integral I>
GraphDataset GraphDataset::select(const Tensor<I, 1>& graphs) const {
    const index count = graphs.size();
    bool consecutive = true;
    index nodes = 0, edges = 0;
    for (index k = 0; k < count; ++k) {
        const I g = graphs.data()[k];
        if (std::cmp_less(g, 0) || std::cmp_greater_equal(g, num_graphs))
            throw error("select", "graph {} at position {} is out of range: there are {} graphs", g, k, num_graphs);
        consecutive = consecutive && static_cast<index>(g) == static_cast<index>(graphs.data()[0]) + k;
        nodes += node_ptr.data()[g + 1] - node_ptr.data()[g];
        edges += edge_ptr.data()[g + 1] - edge_ptr.data()[g];
    }
    if (std::max(nodes, edges) > std::numeric_limits<std::int32_t>::max())
        throw error("select", "{} nodes and {} edges are more than can be numbered", nodes, edges);

    GraphDataset part;
    part.name = name;
    part.num_graphs = count;
    part.num_nodes = nodes;
    part.num_features = num_features;
    part.num_edge_features = num_edge_features;
    part.num_classes = num_classes;
    const auto of_nodes = [&](const auto& rows) {
        return detail::rows_of_graphs(rows, graphs, node_ptr.data(), nodes, consecutive);
    };
    const auto of_edges = [&](const auto& rows) {
        return detail::rows_of_graphs(rows, graphs, edge_ptr.data(), edges, consecutive);
    };
    part.x = of_nodes(x);
    part.node_label = of_nodes(node_label);
    part.node_attr = of_nodes(node_attr);
    part.edge_attr = of_edges(edge_attr);
    part.edge_label = of_edges(edge_label);

    part.edge_index = Tensor<std::int32_t, 2>::empty({2, edges});
    part.batch = Tensor<std::int32_t, 1>::empty({nodes});
    part.y = Tensor<std::int32_t, 1>::empty({count});
    part.fold = Tensor<std::int32_t, 1>::empty({fold.size() > 0 ? count : 0});
    part.node_ptr = Tensor<std::int32_t, 1>::zeros({count + 1});
    part.edge_ptr = Tensor<std::int32_t, 1>::zeros({count + 1});
    std::int32_t *const ends = part.edge_index.mutable_data(), *const batches = part.batch.mutable_data();
    std::int32_t *const labels = part.y.mutable_data(), *const folds = part.fold.mutable_data();
    std::int32_t *const node_begin = part.node_ptr.mutable_data(), *const edge_begin = part.edge_ptr.mutable_data();
    const index all = edge_index.extent(1);
    for (index k = 0; k < count; ++k) {
        const I g = graphs.data()[k];
        const std::int32_t first = node_ptr.data()[g], edge = edge_ptr.data()[g];
        node_begin[k + 1] = node_begin[k] + (node_ptr.data()[g + 1] - first);
        edge_begin[k + 1] = edge_begin[k] + (edge_ptr.data()[g + 1] - edge);
        const auto renumber = [&](std::int32_t v) { return v - first + node_begin[k]; };
        for (index end = 0; end < 2; ++end) {
            const std::int32_t* const from = edge_index.data() + end * all + edge;
            std::transform(from, from + (edge_begin[k + 1] - edge_begin[k]), ends + end * edges + edge_begin[k],
                           renumber);
        }
        std::fill(batches + node_begin[k], batches + node_begin[k + 1], static_cast<std::int32_t>(k));
        labels[k] = y.data()[g];
        if (fold.size() > 0) folds[k] = fold.data()[g];
    }
    return part;
}

/// The data set in a safetensors file: `graph_label` [graphs], the class of each graph from 0; `graph_indicator`
/// [nodes], the graph of each node from 0, ascending; `edge_index` [2, edges] of nodes numbered across all graphs;
/// maybe `node_label` [nodes], `edge_label` [edges], `node_attr` [nodes] or [nodes, attributes], `fold` [graphs]. The
/// metadata may say `num_graphs`, `num_nodes`, `num_classes`, `node_label_values`, `edge_label_values`. Errors: a
/// tensor that is missing, of another shape, or holds a number out of range; an edge between two graphs.
template <std::same_as<SafetensorsFile> File>
GraphDataset graph_dataset(const File& file, const GraphDatasetOptions& options = {}) {
    return detail::GraphDatasetReader<File>(file, options).read();
}

/// The data set in a file, or in the folder of a file: `load_graph_dataset("data/mutag")`. See graph_dataset.
template <std::same_as<SafetensorsFile> File = SafetensorsFile>
GraphDataset load_graph_dataset(const std::filesystem::path& path, const GraphDatasetOptions& options = {}) {
    const std::filesystem::path file = detail::find_safetensors(path, "load_graph_dataset");
    GraphDataset data = graph_dataset(File::read(file), options);
    data.name = file.stem().string();
    return data;
}

} // namespace weft::inline WEFT_ABI::io
