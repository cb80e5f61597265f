// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/tensor.hpp>
#include <weft/io/text.hpp>

#include <algorithm>
#include <compare>
#include <optional>
#include <tuple>
#include <vector>

namespace weft::inline WEFT_ABI::io {

/// Edges read from a text: `Graph(list.edge_index, list.num_src, list.num_dst)`. T: the type of their weights.
template <class T = float>
struct EdgeList {
    /// Nodes that edges start from and lead to; the same nodes when the numbers are equal.
    index num_src = 0;
    index num_dst = 0;
    /// Edges from edge_index[0, e] to edge_index[1, e], [2, edges]. An undirected edge is there in both directions.
    Tensor<std::int32_t, 2> edge_index = Tensor<std::int32_t, 2>::empty({2, 0});
    /// [edges], or empty without weights.
    Tensor<T, 1> edge_weight;
    /// What the file calls each node, when it has names.
    std::vector<std::string> names;
};

/// Options of edge lists, read and written.
struct EdgeListOptions {
    /// What separates the fields of a line. ' ': any number of spaces and tabs. 0: a comma when the first line has one,
    /// else a semicolon when it has one, else ' '. In writing, 0 is ' '.
    char delimiter = '\0';
    /// Whether the first line holds the names of the columns. Not given: in reading, whether its first two fields are
    /// no numbers (of nodes with names: whether it has a third field that is no number); in writing, no.
    std::optional<bool> header{};
    /// Whether nodes have names, any texts. They are numbered 0, 1, ... in order of first appearance.
    bool named = false;
    /// Whether a third column holds the weights of the edges; further columns are not looked at.
    bool weighted = true;
    /// Whether each line is an edge in both directions. A loop is there once.
    bool undirected = false;
    /// The number that the file gives the first node: 1 where nodes are counted from 1.
    index first_id = 0;
    /// The number of nodes that are numbered in the file; -1: one more than the largest number.
    index num_nodes = -1;
};

namespace detail {

/// Numbers of names: a hash table with open addressing.
class NameTable {
public:
    /// The number of a name; a new one gets the next number.
    std::int32_t number(std::string_view name) {
        if (names_.size() >= slots_.size() / 2) grow();
        const std::uint32_t hash = hash_of(name);
        Slot& slot = find(hash, [&](std::int32_t number) { return names_[static_cast<std::size_t>(number)] == name; });
        if (slot.number < 0) {
            slot = {hash, static_cast<std::int32_t>(names_.size())};
            names_.emplace_back(name);
        }
        return slot.number;
    }
    std::vector<std::string>& names() noexcept { return names_; }

private:
    // Small, since nearly every look at one is a cache miss.
    struct Slot {
        std::uint32_t hash = 0;
        std::int32_t number = -1;
    };

    static std::uint32_t hash_of(std::string_view name) {
        const std::size_t hash = std::hash<std::string_view>{}(name);
        return static_cast<std::uint32_t>(hash ^ hash >> 32);
    }
    /// The slot of a name with that hash for which is_same(its number), or a free one.
    template <class F>
    Slot& find(std::uint32_t hash, F&& is_same) {
        const std::size_t mask = slots_.size() - 1;
        std::size_t at = hash & mask;
        while (slots_[at].number >= 0 && (slots_[at].hash != hash || !is_same(slots_[at].number))) at = (at + 1) & mask;
        return slots_[at];
    }
    void grow() {
        const auto old = std::exchange(slots_, std::vector<Slot>(std::max<std::size_t>(64, 2 * slots_.size())));
        for (const Slot& slot : old)
            if (slot.number >= 0) find(slot.hash, [](std::int32_t) { return false; }) = slot;
    }

    std::vector<std::string> names_;
    std::vector<Slot> slots_; // a power of two of them, at most half of them taken
};

/// Collects edges.
template <class T>
class EdgeCollector {
public:
    void add(std::int32_t from, std::int32_t to) {
        sources_.push_back(from);
        destinations_.push_back(to);
    }
    void add(std::int32_t from, std::int32_t to, T weight) {
        add(from, to);
        weights_.push_back(weight);
    }
    void reserve(std::size_t edges, bool weighted) {
        sources_.reserve(edges);
        destinations_.reserve(edges);
        if (weighted) weights_.reserve(edges);
    }
    void finish(EdgeList<T>& list) const {
        const auto count = static_cast<index>(sources_.size());
        list.edge_index = Tensor<std::int32_t, 2>::empty({2, count});
        std::int32_t* const ends = list.edge_index.mutable_data();
        std::copy(destinations_.begin(), destinations_.end(), std::copy(sources_.begin(), sources_.end(), ends));
        list.edge_weight = Tensor<T, 1>::from(weights_);
    }

private:
    std::vector<std::int32_t> sources_, destinations_;
    std::vector<T> weights_;
};

/// Errors: parts of a list do not fit each other.
template <class T>
void check_edge_list(const EdgeList<T>& list, const char* operation) {
    const index edges = list.edge_index.extent(1);
    if (list.edge_index.extent(0) != 2)
        throw error(operation, "edge_index is {}: it must be [2, edges]",
                    weft::detail::shape_text(list.edge_index.shape()));
    if (list.edge_weight.size() != 0 && list.edge_weight.size() != edges)
        throw error(operation, "edge_weight is {}, there are {} edges: there must be one for each, or none",
                    weft::detail::shape_text(list.edge_weight.shape()), edges);
    for (index e = 0; e < edges; ++e) {
        const std::int32_t from = list.edge_index.data()[e], to = list.edge_index.data()[edges + e];
        if (from < 0 || from >= list.num_src || to < 0 || to >= list.num_dst)
            throw error(operation, "edge {} goes from {} to {}, there are {} sources and {} destinations", e, from, to,
                        list.num_src, list.num_dst);
    }
}

/// -number; of integers modulo two to the number of their bits.
template <class T>
T negative(T number) {
    if constexpr (std::integral<T>)
        return static_cast<T>(0 - static_cast<std::make_unsigned_t<T>>(number));
    else
        return -number;
}

/// The edges that are written when their way back follows from them: those whose source is not less than their
/// destination. `negate`: the weight on the way back has the other sign. Errors: an edge without one back of that
/// weight.
template <class T>
std::vector<index> one_direction(const EdgeList<T>& list, bool negate, const char* operation) {
    struct Entry {
        std::int32_t high, low;
        T weight;
        index edge;
    };
    const index edges = list.edge_index.extent(1);
    std::vector<index> kept;
    std::vector<Entry> down, up;
    for (index e = 0; e < edges; ++e) {
        const std::int32_t from = list.edge_index.data()[e], to = list.edge_index.data()[edges + e];
        const T weight = list.edge_weight.size() > 0 ? list.edge_weight.data()[e] : T(1);
        if (from >= to) kept.push_back(e);
        if (from > to) down.push_back({from, to, weight, e});
        if (from < to) up.push_back({to, from, negate ? negative(weight) : weight, e});
    }
    const auto order = [](const Entry& a, const Entry& b) {
        const auto ends = std::tie(a.high, a.low) <=> std::tie(b.high, b.low);
        return ends != 0 ? ends : std::strong_order(a.weight, b.weight);
    };
    for (auto* const entries : {&down, &up})
        std::sort(entries->begin(), entries->end(), [&](const Entry& a, const Entry& b) { return order(a, b) < 0; });
    for (std::size_t k = 0; k < std::max(down.size(), up.size()); ++k) {
        if (k < down.size() && k < up.size() && order(down[k], up[k]) == 0) continue;
        const bool first = k >= up.size() || (k < down.size() && order(down[k], up[k]) < 0);
        const index e = first ? down[k].edge : up[k].edge;
        throw error(operation, "edge {} from {} to {} has no edge back{}", e, list.edge_index.data()[e],
                    list.edge_index.data()[edges + e],
                    list.edge_weight.size() == 0 ? ""
                    : negate                     ? " of minus its weight"
                                                 : " of its weight");
    }
    return kept;
}

inline void check_edge_list_options(const EdgeListOptions& options, const char* operation) {
    const char c = options.delimiter;
    const bool part_of_field = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (part_of_field || std::string_view("\"\n\r+-.#%").find(c) != std::string_view::npos ||
        static_cast<unsigned char>(c) > 0x7f)
        throw error(operation, "the delimiter is {}: it must not be a letter, a digit or one of \"+-.#%",
                    quote_name({&c, 1}));
    constexpr index limit = std::numeric_limits<std::int32_t>::max();
    if (options.num_nodes > limit)
        throw error(operation, "num_nodes is {}: it must be at most {}", options.num_nodes, limit);
    if (options.first_id < -limit || options.first_id > limit)
        throw error(operation, "first_id is {}: it must be from {} to {}", options.first_id, -limit, limit);
}

template <class T>
class EdgeListParser {
public:
    EdgeListParser(std::string_view text, std::string file, const EdgeListOptions& options)
        : reader_(text.starts_with("\xef\xbb\xbf") ? text.substr(3) : text, std::move(file), "load_edge_list"),
          options_(options), delimiter_(options.delimiter), nodes_(options.num_nodes) {
        check_edge_list_options(options, "load_edge_list");
    }

    EdgeList<T> parse() {
        while (reader_.next()) {
            const char first = reader_.first_character();
            if (first == '\0' || first == '#' || first == '%') continue;
            if (first_line_ == 0 && read_first_line()) continue;
            const std::size_t fields = reader_.split(delimiter_);
            if (fields != fields_)
                throw reader_.fail("has {} fields: must have {}, as line {}", {fields, fields_, first_line_});
            const std::int32_t from = node(0), to = node(1);
            if (weighted_)
                add(from, to, weight());
            else
                add(from, to);
        }
        EdgeList<T> list;
        edges_.finish(list);
        list.names = std::move(names_.names());
        const index found = options_.named ? static_cast<index>(list.names.size()) : largest_ + 1;
        list.num_src = list.num_dst = options_.named || nodes_ < 0 ? found : nodes_;
        return list;
    }

private:
    static constexpr index limit = std::numeric_limits<std::int32_t>::max();

    /// Finds out the form of the lines. True when the line is a header.
    bool read_first_line() {
        first_line_ = reader_.number();
        if (delimiter_ == '\0') {
            bool quoted = false, comma = false, semicolon = false;
            for (const char c : reader_.line()) {
                quoted ^= c == '"';
                comma |= !quoted && c == ',';
                semicolon |= !quoted && c == ';';
            }
            delimiter_ = comma ? ',' : semicolon ? ';' : ' ';
        }
        fields_ = reader_.split(delimiter_);
        if (fields_ < 2)
            throw reader_.fail("has {} field: must have a source and a destination, separated by {}",
                               {fields_, delimiter_ == ' ' ? "spaces" : quote_name({&delimiter_, 1})});
        weighted_ = options_.weighted && fields_ > 2;
        if (options_.header) return *options_.header;
        index id = 0;
        T value{};
        if (options_.named) return weighted_ && !parse_number(reader_.field(2), value);
        return !parse_number(reader_.field(0), id) && !parse_number(reader_.field(1), id);
    }

    std::int32_t node(std::size_t column) {
        const std::string_view field = reader_.field(column);
        if (options_.named) {
            if (static_cast<index>(names_.names().size()) == limit) throw reader_.fail("more names than nodes", {});
            return names_.number(field);
        }
        index id = 0;
        if (!parse_number(field, id))
            throw reader_.fail("the {} is {}: must be the number of a node (for names: EdgeListOptions::named)",
                               {column == 0 ? "source" : "destination", quote_name(field)});
        const index end = nodes_ < 0 ? limit : nodes_;
        if (id < options_.first_id || id >= options_.first_id + end)
            throw reader_.fail(
                "the {} is node {}: must be from {} to below {}",
                {column == 0 ? "source" : "destination", id, options_.first_id, options_.first_id + end});
        id -= options_.first_id;
        largest_ = std::max(largest_, id);
        return static_cast<std::int32_t>(id);
    }
    T weight() const {
        T value{};
        if (!parse_number(reader_.field(2), value))
            throw reader_.fail("the weight is {}: must be {} that fits {} bytes",
                               {quote_name(reader_.field(2)), std::integral<T> ? "an integer" : "a number", sizeof(T)});
        return value;
    }
    template <class... W>
    void add(std::int32_t from, std::int32_t to, W... w) {
        edges_.add(from, to, w...);
        if (options_.undirected && from != to) edges_.add(to, from, w...);
    }

    LineReader reader_;
    const EdgeListOptions& options_;
    char delimiter_;
    index nodes_;
    index first_line_ = 0;
    std::size_t fields_ = 0;
    bool weighted_ = false;
    index largest_ = -1;
    NameTable names_;
    EdgeCollector<T> edges_;
};

inline std::string_view text_of(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// The text of edges, in pieces: write(piece).
template <class T, class Write>
void write_edge_list(const EdgeList<T>& list, const EdgeListOptions& options, Write write) {
    constexpr const char* operation = "save_edge_list";
    check_edge_list_options(options, operation);
    const char delimiter = options.delimiter == '\0' ? ' ' : options.delimiter;
    check_edge_list(list, operation);
    if (options.named) {
        if (static_cast<index>(list.names.size()) < std::max(list.num_src, list.num_dst))
            throw error(operation, "there are {} names for {} nodes", list.names.size(),
                        std::max(list.num_src, list.num_dst));
        NameTable known;
        for (std::size_t i = 0; i < list.names.size(); ++i) {
            const std::string& name = list.names[i];
            if (name.find_first_of("\r\n") != name.npos)
                throw error(operation, "the name {} contains the end of a line", quote_name(name));
            if (known.number(name) != static_cast<std::int32_t>(i))
                throw error(operation, "the name {} is there twice", quote_name(name));
        }
    }
    const bool weighted = options.weighted && list.edge_weight.size() > 0;
    std::vector<index> kept;
    if (options.undirected) {
        EdgeList<T> written = list;
        if (!weighted) written.edge_weight = {};
        kept = one_direction(written, false, operation);
    }

    TextWriter<Write> out(std::move(write));
    const auto write_node = [&](std::int32_t node) {
        if (!options.named) {
            out << node + options.first_id;
            return;
        }
        const std::string& name = list.names[static_cast<std::size_t>(node)];
        const bool plain = !name.empty() && std::all_of(name.begin(), name.end(), [&](char c) {
            return c > ' ' && c < 0x7f && c != delimiter &&
                   std::string_view("\"#%,;").find(c) == std::string_view::npos;
        });
        if (plain) {
            out << name;
            return;
        }
        out << '"';
        for (const char c : name) out << (c == '"' ? std::string_view("\"\"") : std::string_view(&c, 1));
        out << '"';
    };
    if (options.header.value_or(false)) {
        out << "source" << delimiter << "target";
        if (weighted) out << delimiter << "weight";
        out << '\n';
    }
    const index edges = list.edge_index.extent(1);
    for (index k = 0, count = options.undirected ? static_cast<index>(kept.size()) : edges; k < count; ++k) {
        const index e = options.undirected ? kept[static_cast<std::size_t>(k)] : k;
        write_node(list.edge_index.data()[e]);
        out << delimiter;
        write_node(list.edge_index.data()[edges + e]);
        if (weighted) out << delimiter << list.edge_weight.data()[e];
        out << '\n';
    }
    out.flush();
}

} // namespace detail

/// The edges of a text of one edge a line:
///
///     # a comment: the first character is # or %
///     source,target,weight
///     0,1,0.5
///     1,2,2e-3
///
/// Fields: the source, the destination, then maybe the weight; all lines have as many. They are separated by the
/// delimiter, or by any number of spaces and tabs; spaces around a field do not belong to it, and a field may be quoted
/// "like ""this""". Nodes are numbers, or names with `named`. Lines end with "\n" or "\r\n"; blank ones are skipped,
/// and so is a header. Duplicate edges are kept. Nodes behind the largest number exist only if `num_nodes` says so.
/// One pass, O(bytes). Errors, with the number of the line: a field that is missing, empty or no number; another number
/// of fields than in the first line; a node out of range.
template <class T = float>
EdgeList<T> parse_edge_list(std::string_view text, const EdgeListOptions& options = {}, std::string name = "memory") {
    return detail::EdgeListParser<T>(text, std::move(name), options).parse();
}

/// The edges in a file, see parse_edge_list: `load_edge_list("friends.csv", {.named = true})`.
template <class T = float>
EdgeList<T> load_edge_list(const std::filesystem::path& path, const EdgeListOptions& options = {}) {
    const MappedFile file(path);
    return parse_edge_list<T>(detail::text_of(file.bytes()), options, path.string());
}

/// Writes edges in the form that parse_edge_list describes, with the delimiter, header, names, first number and weights
/// (when there are any) that the options ask for; with `undirected` each edge in one of its directions. Numbers have
/// the fewest digits that give them back. The file appears as a whole or not at all (AtomicFile). Errors: parts of the
/// list do not fit each other; a name is missing, there twice, or contains the end of a line; with `undirected` an edge
/// without one of the same weight back; the file cannot be written.
template <class T>
void save_edge_list(const std::filesystem::path& path, const EdgeList<T>& list, const EdgeListOptions& options = {}) {
    detail::save_text(path, [&](auto write) { detail::write_edge_list(list, options, write); });
}

/// The text that save_edge_list would write.
template <class T>
std::string edge_list_text(const EdgeList<T>& list, const EdgeListOptions& options = {}) {
    return detail::text_from([&](auto write) { detail::write_edge_list(list, options, write); });
}

} // namespace weft::inline WEFT_ABI::io
