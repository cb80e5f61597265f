// SPDX-License-Identifier: MIT
#pragma once

#include <weft/io/edge_list.hpp>

namespace weft::inline WEFT_ABI::io {

/// What of a matrix stands in a Matrix Market file: all entries, or those on and below the diagonal (symmetric), or
/// those below it (skew-symmetric: a_ji = -a_ij).
enum class MatrixSymmetry { general, symmetric, skew_symmetric };

/// Options of `write_matrix_market`.
struct MatrixMarketOptions {
    MatrixSymmetry symmetry = MatrixSymmetry::general;
    /// Text for the head of the file, of any number of lines.
    std::string comment{};
};

namespace detail {

inline constexpr std::string_view symmetry_names[] = {"general", "symmetric", "skew-symmetric"};

template <class T>
class MatrixMarketParser {
public:
    MatrixMarketParser(std::string_view text, std::string file)
        : reader_(text, std::move(file), "load_matrix_market") {}

    EdgeList<T> parse() {
        read_banner();
        read_sizes();
        while (reader_.next())
            if (reader_.first_character() != '\0') read_entry();
        if (read_ < entries_) throw reader_.fail("the file ends after {} entries: must have {}", {read_, entries_});
        edges_.finish(list_);
        return std::move(list_);
    }

private:
    enum class Field { real, integer, pattern };

    void read_banner() {
        std::vector<std::string> words;
        if (reader_.next()) {
            // At most five words count.
            std::string word;
            for (const char c : std::string(reader_.line()) + ' ') {
                if (c != ' ' && c != '\t') {
                    word += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
                } else if (!word.empty()) {
                    words.push_back(std::exchange(word, {}));
                }
            }
        }
        if (words.size() != 5 || words[0] != "%%matrixmarket")
            throw reader_.fail("must be \"%%MatrixMarket matrix coordinate <field> <symmetry>\"", {});
        if (words[1] != "matrix") throw reader_.fail("the object is {}: must be matrix", {quote_name(words[1])});
        if (words[2] != "coordinate")
            throw reader_.fail("the format is {}: must be coordinate, a list of entries (array is for dense matrices)",
                               {quote_name(words[2])});
        if (words[3] == "real")
            field_ = Field::real;
        else if (words[3] == "integer")
            field_ = Field::integer;
        else if (words[3] == "pattern")
            field_ = Field::pattern;
        else
            throw reader_.fail("the field is {}: must be real, integer or pattern", {quote_name(words[3])});
        const auto* const symmetry = std::find(std::begin(symmetry_names), std::end(symmetry_names), words[4]);
        if (symmetry == std::end(symmetry_names))
            throw reader_.fail("the symmetry is {}: must be general, symmetric or skew-symmetric",
                               {quote_name(words[4])});
        symmetry_ = static_cast<MatrixSymmetry>(symmetry - std::begin(symmetry_names));
        if (field_ == Field::pattern && symmetry_ == MatrixSymmetry::skew_symmetric)
            throw reader_.fail("a pattern cannot be skew-symmetric: it has no values", {});
    }

    void read_sizes() {
        bool found = false;
        while (!found && reader_.next()) found = reader_.first_character() != '\0' && reader_.first_character() != '%';
        if (!found) throw reader_.fail("the file ends where the numbers of rows, columns and entries must be", {});
        if (reader_.split(' ') != 3 || !parse_number(reader_.field(0), list_.num_src) ||
            !parse_number(reader_.field(1), list_.num_dst) || !parse_number(reader_.field(2), entries_) ||
            std::min({list_.num_src, list_.num_dst, entries_}) < 0)
            throw reader_.fail("must be the numbers of rows, columns and entries", {});
        constexpr index limit = std::numeric_limits<std::int32_t>::max();
        if (std::max(list_.num_src, list_.num_dst) > limit)
            throw reader_.fail("is a matrix of {} rows and {} columns: must be at most {} each",
                               {list_.num_src, list_.num_dst, limit});
        if (symmetry_ != MatrixSymmetry::general && list_.num_src != list_.num_dst)
            throw reader_.fail("is a {} matrix of {} rows and {} columns: must be square",
                               {symmetry_names[static_cast<std::size_t>(symmetry_)], list_.num_src, list_.num_dst});
        // An entry takes at least 4 bytes, the last one 3: what claims more must not take memory.
        const auto room = static_cast<index>((reader_.bytes_left() + 1) / 4);
        if (entries_ > room)
            throw reader_.fail("says {} entries: the rest of the file has room for {}", {entries_, room});
        const auto count = static_cast<std::size_t>(entries_);
        edges_.reserve(symmetry_ == MatrixSymmetry::general ? count : 2 * count, field_ != Field::pattern);
    }

    void read_entry() {
        if (read_ == entries_) throw reader_.fail("is an entry too many: must have {}", {entries_});
        ++read_;
        const std::size_t fields = field_ == Field::pattern ? 2 : 3;
        if (reader_.split(' ') != fields)
            throw reader_.fail("must be {}", {fields == 2 ? "a row and a column" : "a row, a column and a value"});
        const std::int32_t row = position(0, "row", list_.num_src), column = position(1, "column", list_.num_dst);
        if (symmetry_ != MatrixSymmetry::general && row < column)
            throw reader_.fail(
                "row {}, column {} is above the diagonal: of a {} matrix must have entries below it only",
                {row + 1, column + 1, symmetry_names[static_cast<std::size_t>(symmetry_)]});
        if (symmetry_ == MatrixSymmetry::skew_symmetric && row == column)
            throw reader_.fail("row {}, column {} is on the diagonal, where a skew-symmetric matrix is zero",
                               {row + 1, column + 1});
        const bool both = symmetry_ != MatrixSymmetry::general && row != column;
        if (field_ == Field::pattern) {
            edges_.add(row, column);
            if (both) edges_.add(column, row);
        } else {
            const T w = value();
            edges_.add(row, column, w);
            if (both) edges_.add(column, row, symmetry_ == MatrixSymmetry::skew_symmetric ? minus(w) : w);
        }
    }
    std::int32_t position(std::size_t field, const char* what, index count) const {
        index number = 0;
        if (!parse_number(reader_.field(field), number) || number < 1 || number > count)
            throw reader_.fail("the {} is {}: must be from 1 to {}", {what, quote_name(reader_.field(field)), count});
        return static_cast<std::int32_t>(number - 1);
    }
    T value() const {
        const std::string_view text = reader_.field(2);
        T number{};
        bool good = false;
        if (field_ == Field::integer && std::floating_point<T>) {
            std::int64_t integer = 0;
            good = parse_number(text, integer);
            number = static_cast<T>(integer);
        } else {
            good = parse_number(text, number);
        }
        if (!good)
            throw reader_.fail("the value is {}: must be {}",
                               {quote_name(text), field_ == Field::integer || std::integral<T> ? "an integer that fits"
                                                                                               : "a number that fits"});
        return number;
    }
    T minus(T number) const {
        if (std::integral<T> && (std::is_unsigned_v<T> ? number != 0 : number == std::numeric_limits<T>::min()))
            throw reader_.fail("the value on the other side of the diagonal, -({}), does not fit", {number});
        return negative(number);
    }

    LineReader reader_;
    Field field_ = Field::real;
    MatrixSymmetry symmetry_ = MatrixSymmetry::general;
    index entries_ = 0, read_ = 0;
    EdgeList<T> list_;
    EdgeCollector<T> edges_;
};

/// The text of a matrix, in pieces: write(piece).
template <class T, class Write>
void write_matrix_market(const EdgeList<T>& list, const MatrixMarketOptions& options, Write write) {
    constexpr const char* operation = "save_matrix_market";
    check_edge_list(list, operation);
    const bool general = options.symmetry == MatrixSymmetry::general, weighted = list.edge_weight.size() > 0;
    const bool skew = options.symmetry == MatrixSymmetry::skew_symmetric;
    const index edges = list.edge_index.extent(1);
    const auto row = [&](index e) { return list.edge_index.data()[e]; };
    const auto column = [&](index e) { return list.edge_index.data()[edges + e]; };
    std::vector<index> kept;
    if (!general) {
        if (list.num_src != list.num_dst)
            throw error(operation, "a symmetric matrix must be square, this one has {} rows and {} columns",
                        list.num_src, list.num_dst);
        if (skew && edges > 0 && (!weighted || std::is_unsigned_v<T>))
            throw error(operation, "a skew-symmetric matrix must have values with a sign");
        kept = one_direction(list, skew, operation);
        for (const index e : kept)
            if (skew && row(e) == column(e))
                throw error(operation, "edge {} is a loop at {}: the diagonal of a skew-symmetric matrix is zero", e,
                            row(e));
    }
    const char* const field = !weighted && !skew ? "pattern" : std::integral<T> ? "integer" : "real";
    const index count = general ? edges : static_cast<index>(kept.size());

    TextWriter<Write> out(std::move(write));
    out << "%%MatrixMarket matrix coordinate " << field << ' '
        << symmetry_names[static_cast<std::size_t>(options.symmetry)] << '\n';
    if (!options.comment.empty()) {
        out << '%';
        for (const char c : options.comment) out << (c == '\n' ? "\n%" : std::string_view(&c, 1));
        out << '\n';
    }
    out << list.num_src << ' ' << list.num_dst << ' ' << count << '\n';
    for (index k = 0; k < count; ++k) {
        const index e = general ? k : kept[static_cast<std::size_t>(k)];
        out << index{row(e)} + 1 << ' ' << index{column(e)} + 1;
        if (weighted) out << ' ' << list.edge_weight.data()[e];
        out << '\n';
    }
    out.flush();
}

} // namespace detail

/// A sparse matrix in the Matrix Market format (https://math.nist.gov/MatrixMarket/formats.html) as edges: the entry in
/// row i, column j is an edge from node i to node j, and its value the weight. The text has the form
///
///     %%MatrixMarket matrix coordinate real general
///     % comments
///     3 4 2
///     1 1 0.5
///     3 4 -2e3
///
/// The first line: "coordinate"; "real", "integer" or "pattern" (without values); "general", "symmetric" or
/// "skew-symmetric", in any case of letters. Then lines of comments or none; the numbers of rows, columns and entries;
/// and the entries, rows and columns counted from 1. Blank lines are skipped. Of a symmetric or skew-symmetric matrix
/// only entries on or below the diagonal stand in the file; each is followed by the edge in the other direction.
/// Entries that are there twice stay two edges. Dense matrices ("array") and complex values are not read.
/// One pass, O(bytes). Errors, with the number of the line: another form; a row, column or value out of range; another
/// number of entries than the file says.
template <class T = float>
EdgeList<T> parse_matrix_market(std::string_view text, std::string name = "memory") {
    return detail::MatrixMarketParser<T>(text, std::move(name)).parse();
}

/// The sparse matrix in a file, see parse_matrix_market.
template <class T = float>
EdgeList<T> load_matrix_market(const std::filesystem::path& path) {
    const MappedFile file(path);
    return parse_matrix_market<T>(detail::text_of(file.bytes()), path.string());
}

/// Writes edges as a sparse matrix in the form that parse_matrix_market describes: "pattern" without weights, "integer"
/// when T is an integer type, else "real". Numbers have the fewest digits that give them back. The file appears as a
/// whole or not at all (AtomicFile). Errors: parts of the list do not fit each other; the edges are not as symmetric as
/// the options say; the file cannot be written.
template <class T>
void save_matrix_market(const std::filesystem::path& path, const EdgeList<T>& list,
                        const MatrixMarketOptions& options = {}) {
    detail::save_text(path, [&](auto write) { detail::write_matrix_market(list, options, write); });
}

/// The text that save_matrix_market would write.
template <class T>
std::string matrix_market_text(const EdgeList<T>& list, const MatrixMarketOptions& options = {}) {
    return detail::text_from([&](auto write) { detail::write_matrix_market(list, options, write); });
}

} // namespace weft::inline WEFT_ABI::io
