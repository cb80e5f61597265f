// SPDX-License-Identifier: MIT
#include "io_test.hpp"

using namespace weft;
using namespace weft_test;

namespace {

template <class T = float>
io::EdgeList<T> load(const char* name) {
    return io::load_matrix_market<T>(source_folder("fuzz") / "corpus/matrix_market" / name);
}

using Ends = Tensor<std::int32_t, 2>;
using Numbers = Tensor<float, 1>;
using io::MatrixSymmetry;

} // namespace

TEST_CASE("matrix_market: entries are edges from their row to their column", "[io]") {
    const auto real = load("good_real");
    REQUIRE(real.num_src == 3);
    REQUIRE(real.num_dst == 4);
    REQUIRE(same(real.edge_index, Ends::from({{0, 2}, {0, 3}})));
    REQUIRE(same(real.edge_weight, Numbers::from({0.5f, -2000})));
    const auto pattern = load("good_pattern");
    REQUIRE(same(pattern.edge_index, real.edge_index));
    REQUIRE(pattern.edge_weight.size() == 0);
    REQUIRE(load("good_integer").edge_weight(0) == -7.0f);
    REQUIRE(load<std::int64_t>("good_integer").edge_weight(0) == -7);
    REQUIRE(load<double>("good_real").edge_weight(1) == -2000.0);
    REQUIRE(load("good_empty").edge_index.shape() == Extents<2>{2, 0});
    REQUIRE(load("good_twice").edge_index.extent(1) == 2);
}

TEST_CASE("matrix_market: the other half of a symmetric matrix", "[io]") {
    const auto symmetric = load("good_symmetric");
    REQUIRE(same(symmetric.edge_index, Ends::from({{0, 1, 0, 2, 1}, {0, 0, 1, 1, 2}})));
    REQUIRE(same(symmetric.edge_weight, Numbers::from({1, 2, 2, 3, 3})));
    const auto skew = load("good_skew");
    REQUIRE(same(skew.edge_index, Ends::from({{1, 0, 2, 0}, {0, 1, 0, 2}})));
    REQUIRE(same(skew.edge_weight, Numbers::from({2, -2, -3, 3})));
    REQUIRE(same(load("good_pattern_symmetric").edge_index, Ends::from({{1, 0}, {0, 1}})));
    CHECK_THAT(message([] { load<std::uint8_t>("good_skew"); }),
               ContainsSubstring("the value on the other side of the diagonal, -(2), does not fit"));
    CHECK_THAT(message([] { load<int>("good_real"); }), ContainsSubstring("the value is \"0.5\": must be an integer"));
}

TEST_CASE("matrix_market: what is written is read again", "[io]") {
    const TemporaryFolder folder;
    const auto check = [&]<class T>(const io::EdgeList<T>& list, const io::MatrixMarketOptions& options) {
        io::save_matrix_market(folder / "matrix", list, options);
        REQUIRE(read_text(folder / "matrix") == io::matrix_market_text(list, options));
        const auto again = io::load_matrix_market<T>(folder / "matrix");
        REQUIRE(again.num_src == list.num_src);
        REQUIRE(again.num_dst == list.num_dst);
        REQUIRE(same(again.edge_index, list.edge_index));
        REQUIRE(same(again.edge_weight, list.edge_weight));
    };
    for (const char* name : {"good_real", "good_pattern", "good_symmetric", "good_skew", "good_empty", "good_twice"}) {
        CAPTURE(name);
        check(load(name), {.comment = "two\nlines"});
        check(load<double>(name), {});
    }
    check(load("good_symmetric"), {.symmetry = MatrixSymmetry::symmetric});
    check(load("good_pattern_symmetric"), {.symmetry = MatrixSymmetry::symmetric});
    check(load("good_skew"), {.symmetry = MatrixSymmetry::skew_symmetric});
    check(load<int>("good_integer"), {});
    REQUIRE(io::matrix_market_text(load<int>("good_integer"), {.comment = "two\nlines"}) ==
            "%%MatrixMarket matrix coordinate integer general\n%two\n%lines\n1 1 1\n1 1 -7\n");
    REQUIRE(io::matrix_market_text(load("good_skew"), {.symmetry = MatrixSymmetry::skew_symmetric}) ==
            "%%MatrixMarket matrix coordinate real skew-symmetric\n3 3 2\n2 1 2\n3 1 -3\n");
    REQUIRE(io::matrix_market_text(load("good_pattern")) ==
            "%%MatrixMarket matrix coordinate pattern general\n3 4 2\n1 1\n3 4\n");

    const auto refused = [](const char* name, MatrixSymmetry symmetry) {
        return message([&] { io::matrix_market_text(load(name), {.symmetry = symmetry}); });
    };
    CHECK_THAT(refused("good_real", MatrixSymmetry::symmetric),
               ContainsSubstring("save_matrix_market: a symmetric matrix must be square, this one has 3 rows and 4"));
    CHECK_THAT(refused("good_skew", MatrixSymmetry::symmetric), ContainsSubstring("has no edge back of its weight"));
    CHECK_THAT(refused("good_symmetric", MatrixSymmetry::skew_symmetric),
               ContainsSubstring("has no edge back of minus its weight"));
    CHECK_THAT(refused("good_pattern_symmetric", MatrixSymmetry::skew_symmetric),
               ContainsSubstring("a skew-symmetric matrix must have values with a sign"));
    CHECK_THAT(refused("good_integer", MatrixSymmetry::skew_symmetric),
               ContainsSubstring("edge 0 is a loop at 0: the diagonal of a skew-symmetric matrix is zero"));
}

TEST_CASE("matrix_market: hostile files", "[io]") {
    check_accepted("matrix_market", [](const fs::path& path) { io::load_matrix_market(path); });
    check_refused(
        "matrix_market", "bad_",
        {{"nothing", "line 1: must be \"%%MatrixMarket matrix coordinate <field> <symmetry>\""},
         {"no_banner", "line 1: must be \"%%MatrixMarket matrix coordinate <field> <symmetry>\""},
         {"banner_short", "line 1: must be \"%%MatrixMarket matrix coordinate <field> <symmetry>\""},
         {"banner_long", "line 1: must be \"%%MatrixMarket matrix coordinate <field> <symmetry>\""},
         {"object", "line 1: the object is \"vector\": must be matrix"},
         {"array", "line 1: the format is \"array\": must be coordinate, a list of entries (array is for dense"},
         {"complex", "line 1: the field is \"complex\": must be real, integer or pattern"},
         {"hermitian", "line 1: the symmetry is \"hermitian\": must be general, symmetric or skew-symmetric"},
         {"skew_pattern", "line 1: a pattern cannot be skew-symmetric"},
         {"no_sizes", "line 2: the file ends where the numbers of rows, columns and entries must be"},
         {"sizes_two", "line 2: must be the numbers of rows, columns and entries"},
         {"sizes_negative", "line 2: must be the numbers of rows, columns and entries"},
         {"sizes_huge", "line 2: is a matrix of 3000000000 rows and 1 columns: must be at most 2147483647"},
         {"entries_huge", "line 2: says 1000000000000 entries: the rest of the file has room for 1"},
         {"not_square", "line 2: is a symmetric matrix of 3 rows and 2 columns: must be square"},
         {"too_few", "the file ends after 2 entries: must have 3"},
         {"too_many", "line 4: is an entry too many: must have 1"},
         {"row_zero", "line 3: the row is \"0\": must be from 1 to 3"},
         {"row_too_high", "line 3: the row is \"4\": must be from 1 to 3"},
         {"column_too_high", "line 3: the column is \"5\": must be from 1 to 4"},
         {"row_fraction", "line 3: the row is \"1.0\": must be from 1 to 3"},
         {"no_value", "line 3: must be a row, a column and a value"},
         {"value_of_pattern", "line 3: must be a row and a column"},
         {"value", "line 3: the value is \"x\": must be a number that fits"},
         {"value_fraction", "line 3: the value is \"1.5\": must be an integer that fits"},
         {"above_diagonal", "line 3: row 1, column 2 is above the diagonal: of a symmetric matrix"},
         {"skew_diagonal", "line 3: row 2, column 2 is on the diagonal, where a skew-symmetric matrix is zero"},
         {"late_comment", "line 3: the row is \"%\": must be from 1 to 3"}},
        [](const fs::path& path) { io::load_matrix_market(path); });
}

TEST_CASE("matrix_market: banner and sizes that are wrong in one place", "[io]") {
    const auto error = [](const char* text) { return message([&] { io::parse_matrix_market(text); }); };
    const auto list = io::parse_matrix_market("%%MatrixMarket  matrix\tcoordinate pattern  general \n1 1 1\n1 1\n");
    CHECK(list.edge_index.extent(1) == 1);
    CHECK_THAT(error("%MatrixMarket matrix coordinate real general\n1 1 0\n"), ContainsSubstring("line 1: must be"));
    for (const char* sizes : {"x 1 0", "1 x 0", "1 1 x", "1 1 0 0"})
        CHECK_THAT(error(fmt::format("%%MatrixMarket matrix coordinate real general\n{}\n", sizes).c_str()),
                   ContainsSubstring("line 2: must be the numbers of rows, columns and entries"));
}

TEST_CASE("matrix_market: a skew-symmetric matrix without entries", "[io]") {
    io::EdgeList<float> list;
    list.num_src = list.num_dst = 2;
    list.edge_index = Ends::empty({2, 0});
    const auto text = io::matrix_market_text(list, {.symmetry = MatrixSymmetry::skew_symmetric});
    CHECK(text == "%%MatrixMarket matrix coordinate real skew-symmetric\n2 2 0\n");
    CHECK(io::parse_matrix_market(text).edge_index.shape() == Extents<2>{2, 0});
}
