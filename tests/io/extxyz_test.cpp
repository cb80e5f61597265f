// SPDX-License-Identifier: MIT
#include "io_test.hpp"

#include <weft/io/extxyz.hpp>

#include <cmath>
#include <limits>

using namespace weft;
using namespace weft_test;

namespace {

using Reals = Tensor<double, 2>;
using Integers = Tensor<std::int64_t, 2>;
using Numbers = Tensor<std::int32_t, 1>;
using Texts = std::vector<std::string>;

std::vector<io::Atoms> load(const char* name) {
    return io::read_extxyz(source_folder("fuzz") / "corpus/extxyz" / name);
}
/// The only frame of a text.
io::Atoms parse(const std::string& text) {
    const auto frames = io::parse_extxyz(text);
    REQUIRE(frames.size() == 1);
    return frames[0];
}
/// One atom whose second line is `comment`.
io::Atoms with_comment(const std::string& comment) { return parse("1\n" + comment + "\nH 0 0 0\n"); }
template <class T>
T info(const io::Atoms& atoms, const char* key) {
    INFO(key);
    const io::InfoValue* const value = atoms.info.find(key);
    REQUIRE(value != nullptr);
    REQUIRE(std::holds_alternative<T>(*value));
    return std::get<T>(*value);
}
template <class T>
T array(const io::Atoms& atoms, const char* name) {
    INFO(name);
    const io::AtomArray* const found = atoms.arrays.find(name);
    REQUIRE(found != nullptr);
    REQUIRE(std::holds_alternative<T>(*found));
    return std::get<T>(*found);
}
template <class V>
Texts keys(const io::NamedValues<V>& values) {
    Texts all;
    for (const auto& entry : values) all.push_back(entry.first);
    return all;
}

bool same_array(const io::TextColumns& a, const io::TextColumns& b) {
    return a.columns == b.columns && a.values == b.values;
}
template <class T>
bool same_array(const Tensor<T, 2>& a, const Tensor<T, 2>& b) {
    return same(a, b);
}
bool same_atoms(const io::Atoms& a, const io::Atoms& b) {
    bool good = same(a.numbers, b.numbers) && same(a.positions, b.positions) && a.cell == b.cell && a.pbc == b.pbc &&
                keys(a.info) == keys(b.info) && keys(a.arrays) == keys(b.arrays);
    for (const auto& [key, value] : a.info) good = good && value == *b.info.find(key);
    for (const auto& [name, values] : a.arrays) {
        const io::AtomArray* const other = b.arrays.find(name);
        const auto is_same = [&](const auto& x) {
            const auto* const y = std::get_if<std::decay_t<decltype(x)>>(other);
            return y != nullptr && same_array(x, *y);
        };
        good = good && std::visit(is_same, values);
    }
    return good;
}
bool same_frames(const std::vector<io::Atoms>& a, const std::vector<io::Atoms>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), same_atoms);
}

/// Every kind of info and array.
io::Atoms everything() {
    io::Atoms a;
    a.numbers = Numbers::from({0, 6, 118});
    a.positions = Reals::from({{0, -1.5, 1e-300}, {0.1, 1.0 / 3, -0.0}, {5e-324, 1e300, 3}});
    a.cell = {1, 0, 0.5, 0, 2, 0, 0, 0, 1e-3};
    a.pbc = {true, false, true};
    a.info["text"] = "plain";
    a.info["empty"] = "";
    a.info["odd = key"] = "a \"b\" 'c' \\ \n {d} [e] =\t\\n";
    a.info["json"] = "_JSON {\"a\": [1, null]}";
    a.info["real"] = 0.1;
    a.info["whole"] = -3.0;
    a.info["large"] = 1e22;
    a.info["infinite"] = -std::numeric_limits<double>::infinity();
    a.info["integer"] = std::numeric_limits<std::int64_t>::min();
    a.info["yes"] = true;
    a.info["no"] = false;
    a.info["reals"] = std::vector<double>{1, 2, 3};
    a.info["one_real"] = std::vector<double>{2};
    a.info["integers"] = std::vector<std::int64_t>{1, -2};
    a.info["one_integer"] = std::vector<std::int64_t>{7};
    a.info["none"] = std::vector<std::int64_t>{};
    a.info["logicals"] = std::vector<bool>{true, false};
    a.info["one_logical"] = std::vector<bool>{false};
    a.arrays["forces"] = Reals::from({{1, 2, 3}, {4, 5, 6}, {-7, 8e-9, 0.1}});
    a.arrays["charge"] = Reals::from({{0.5}, {-0.5}, {1e-17}});
    a.arrays["id"] = Integers::from({{1, 2}, {-3, 4}, {5, std::numeric_limits<std::int64_t>::max()}});
    a.arrays["fixed"] = Tensor<bool, 2>::from({{true}, {false}, {true}});
    a.arrays["name of"] = io::TextColumns{{"a", "\"b\"", "c", "\xc3\xa9", "e=", "1"}, 2};
    return a;
}

} // namespace

TEST_CASE("extxyz: a frame", "[io]") {
    const auto a = load("good_lattice").at(0);
    REQUIRE(a.size() == 2);
    REQUIRE(same(a.numbers, Numbers::from({8, 17})));
    REQUIRE(same(a.positions, Reals::from({{0, 0, 0.1}, {0, 1, 2}})));
    REQUIRE(a.cell == std::array<double, 9>{9, 0, 0, 0, 9, 0, 0, 0, 9.5});
    REQUIRE(a.pbc == std::array{true, true, false});
    REQUIRE(keys(a.info) == Texts{"energy"});
    REQUIRE(a.energy() == -1.5);
    REQUIRE(same(*a.forces(), Reals::from({{0, 0, -1}, {3, 4, 5}})));

    const auto all = load("good_all_columns").at(0);
    REQUIRE(same(all.numbers, Numbers::from({118})));
    REQUIRE(same(all.positions, Reals::from({{1, 2, 3}})));
    REQUIRE(keys(all.arrays) == Texts{"lab", "sel", "id", "species", "q"});
    REQUIRE(array<io::TextColumns>(all, "lab").values == Texts{"a", "b"});
    REQUIRE(array<io::TextColumns>(all, "lab").columns == 2);
    REQUIRE(array<io::TextColumns>(all, "species").values == Texts{"Hw"});
    REQUIRE(same(array<Tensor<bool, 2>>(all, "sel"), Tensor<bool, 2>::from({{true, false}})));
    REQUIRE(same(array<Integers>(all, "id"), Integers::from({{-7}})));
    REQUIRE(same(array<Reals>(all, "q"), Reals::from({{1e300}})));

    const auto other = parse("1\nProperties=positions:R:3:symbols:S:1\n1 2 3 he\n");
    REQUIRE(same(other.numbers, Numbers::from({2})));
    REQUIRE(same(other.positions, Reals::from({{1, 2, 3}})));
    REQUIRE(parse("1\nProperties=numbers:I:1:pos:R:3\n2 0 0 0\n").numbers(0) == 2);
}

TEST_CASE("extxyz: files without Properties, white space, ends of lines", "[io]") {
    const auto plain = load("good_plain").at(0);
    REQUIRE(same(plain.numbers, Numbers::from({8, 1})));
    REQUIRE(same(plain.positions, Reals::from({{0, 0, 0}, {0, -0.5, 1}})));
    REQUIRE(info<std::string>(plain, "comment") == "water, don't ask");
    REQUIRE(plain.cell == std::array<double, 9>{});
    REQUIRE(plain.pbc == std::array{false, false, false});
    REQUIRE(load("good_title_empty").at(0).info.empty());

    const auto frames = load("good_frames");
    REQUIRE(frames.size() == 3);
    REQUIRE(frames[0].size() == 1);
    REQUIRE(frames[1].size() == 0);
    REQUIRE(frames[1].positions.shape() == Extents<2>{0, 3});
    REQUIRE(info<std::int64_t>(frames[1], "key") == 1);
    REQUIRE(same(frames[2].numbers, Numbers::from({2})));
    REQUIRE(info<std::string>(frames[2], "comment") == "cell");
    REQUIRE(load("good_nothing").empty());

    const auto spaced = load("good_spaced").at(0);
    REQUIRE(keys(spaced.info) == Texts{"i", "time", "E"});
    REQUIRE(spaced.energy("E") == -17.16);
    REQUIRE(std::isnan(load("good_not_finite").at(0).positions(0, 0)));
    REQUIRE(std::isnan(info<double>(load("good_not_finite").at(0), "e")));
}

TEST_CASE("extxyz: keys and values of the second line", "[io]") {
    const auto a = load("good_values").at(0);
    REQUIRE(keys(a.info) == Texts{"a", "b", "c d", "e", "f", "g", "h", "i", "k", "m", "n", "o", "p"});
    CHECK(info<std::int64_t>(a, "a") == 1);
    CHECK(info<double>(a, "b") == 2.5);
    CHECK(info<std::string>(a, "c d") == "x \"y\" \\ \n");
    CHECK(info<std::vector<std::int64_t>>(a, "e") == std::vector<std::int64_t>{1});
    CHECK(info<std::vector<bool>>(a, "f") == std::vector<bool>{true, false});
    CHECK(info<std::vector<double>>(a, "g") == std::vector<double>{1, 2.5});
    CHECK(info<std::vector<std::int64_t>>(a, "h").empty());
    CHECK(info<bool>(a, "i"));
    CHECK(info<std::string>(a, "k") == "a=b");
    CHECK(info<std::string>(a, "m") == "[[1, 2], [3]]");
    CHECK(info<std::string>(a, "n").empty());
    CHECK(info<double>(a, "o") == 1e20);
    CHECK(info<std::string>(a, "p").empty());

    const auto json = load("good_json").at(0);
    CHECK(info<std::string>(json, "dihedrals") == "_JSON [209.44, 80.54]");
    CHECK(info<std::string>(json, "other") == "_JSON {\"a\": [\"b\"]}");

    const auto b = with_comment("x='1 2 3' y={1 2 3} z=[1, 2, 3] v={4} w=\"4\" t=true f=FALSE no=TrUe n=+5 m=-.5e1 "
                                "s=\"T 1\" u=1.5.2 h=0x10 q=\"a = \\\"b\\\"\" p=a\\ b r=don't");
    for (const char* key : {"x", "y", "z"})
        CHECK(info<std::vector<std::int64_t>>(b, key) == std::vector<std::int64_t>{1, 2, 3});
    CHECK(info<std::int64_t>(b, "v") == 4);
    CHECK(info<std::int64_t>(b, "w") == 4);
    CHECK(info<bool>(b, "t"));
    CHECK(!info<bool>(b, "f"));
    CHECK(info<std::string>(b, "no") == "TrUe");
    CHECK(info<std::int64_t>(b, "n") == 5);
    CHECK(info<double>(b, "m") == -5);
    CHECK(info<std::string>(b, "s") == "T 1");
    CHECK(info<std::string>(b, "u") == "1.5.2");
    CHECK(info<std::string>(b, "h") == "0x10");
    CHECK(info<std::string>(b, "q") == "a = \"b\"");
    CHECK(info<std::string>(b, "p") == "a b");
    CHECK(info<std::string>(b, "r") == "don't");

    // A value after a space may be any but the next key.
    const auto c = with_comment("a= b=2 c = \"d=e\" f= [1 2] g =h");
    CHECK(keys(c.info) == Texts{"a", "b", "c", "f", "g"});
    CHECK(info<std::string>(c, "a").empty());
    CHECK(info<std::int64_t>(c, "b") == 2);
    CHECK(info<std::string>(c, "c") == "d=e");
    CHECK(info<std::vector<std::int64_t>>(c, "f").size() == 2);
    CHECK(info<std::string>(c, "g") == "h");
}

TEST_CASE("extxyz: lattice and periodic axes", "[io]") {
    const auto cell = std::array<double, 9>{1, 0, 0, 0, 1, 0, 0, 0, 1};
    const auto lattice = load("good_lattice_only").at(0);
    CHECK(lattice.cell == cell);
    CHECK(lattice.pbc == std::array{true, true, true});
    CHECK(with_comment("pbc=\"T F F\" Lattice='1 2 3 4 5 6 7 8 9'").cell[3] == 4);
    CHECK(with_comment("pbc=\"T F F\" Lattice='1 2 3 4 5 6 7 8 9'").pbc == std::array{true, false, false});
    CHECK(with_comment("pbc=T").pbc == std::array{true, true, true});
    CHECK(with_comment("pbc=[1, 0, 1]").pbc == std::array{true, false, true});
    CHECK(with_comment("energy=1").pbc == std::array{false, false, false});
}

TEST_CASE("extxyz: energy, forces, stress and virial", "[io]") {
    const auto a = with_comment("energy=-2 REF_energy=1.5 name=x stress='1 2 3 4 5 6 7 8 9' virial='1.5 2 3 4 5 6' "
                                "short='1 2 3'");
    REQUIRE(a.energy() == -2.0);
    REQUIRE(a.energy("REF_energy") == 1.5);
    REQUIRE(!a.energy("other"));
    REQUIRE(!a.forces());
    REQUIRE(a.stress() == std::array<double, 9>{1, 4, 7, 2, 5, 8, 3, 6, 9});
    REQUIRE(a.virial() == std::array<double, 9>{1.5, 6, 5, 6, 2, 4, 5, 4, 3});
    REQUIRE(!a.stress("other"));
    CHECK_THAT(message([&] { a.energy("name"); }), ContainsSubstring("energy: info \"name\" is no number"));
    CHECK_THAT(message([&] { a.stress("short"); }), ContainsSubstring("stress: info \"short\" must be 9 or 6 numbers"));
    CHECK_THAT(message([&] { a.virial("name"); }), ContainsSubstring("virial: info \"name\" must be 9 or 6 numbers"));

    const auto b = parse("1\nProperties=species:S:1:pos:R:3:f:I:3:q:R:1:t:S:3\nH 0 0 0 1 2 3 .5 x y z\n");
    REQUIRE(same(*b.forces("f"), Reals::from({{1, 2, 3}})));
    CHECK_THAT(message([&] { b.forces("q"); }), ContainsSubstring("forces: array \"q\" is [1, 1]: must be [1, 3]"));
    CHECK_THAT(message([&] { b.forces("t"); }), ContainsSubstring("forces: array \"t\" is no numbers"));
}

TEST_CASE("extxyz: named values", "[io]") {
    io::NamedValues<int> values;
    values["b"] = 1;
    values["a"] = 2;
    values["b"] = 3;
    REQUIRE(keys(values) == Texts{"b", "a"});
    REQUIRE(*values.find("b") == 3);
    REQUIRE(values.find("c") == nullptr);
    values.erase("b");
    values.erase("c");
    REQUIRE(keys(values) == Texts{"a"});
    REQUIRE(!values.contains("b"));
}

TEST_CASE("extxyz: what is written is read again", "[io]") {
    const TemporaryFolder folder;
    const std::vector<io::Atoms> frames = {everything(), {}, load("good_all_columns").at(0)};
    io::write_extxyz(folder / "file.xyz", frames);
    REQUIRE(read_text(folder / "file.xyz") == io::extxyz_text(frames));
    const auto again = io::read_extxyz(folder / "file.xyz");
    REQUIRE(same_frames(again, frames));
    REQUIRE(io::extxyz_text(again) == io::extxyz_text(frames));
    io::ExtxyzReader reader(folder / "file.xyz");
    std::vector<io::Atoms> one_by_one;
    for (io::Atoms atoms; reader.next(atoms);) one_by_one.push_back(atoms);
    REQUIRE(same_frames(one_by_one, frames));

    REQUIRE(io::extxyz_text(load("good_lattice")) ==
            "2\nLattice=\"9 0 0 0 9 0 0 0 9.5\" Properties=species:S:1:pos:R:3:forces:R:3 pbc=\"T T F\" energy=-1.5\n"
            "O 0 0 0.1 0 0 -1\nCl 0 1 2 3 4 5\n");
    REQUIRE(io::extxyz_text(load("good_all_columns")) ==
            "1\nProperties=Z:I:1:pos:R:3:lab:S:2:sel:L:2:id:I:1:species:S:1:q:R:1 pbc=\"F F F\"\n"
            "118 1 2 3 a b T F -7 Hw 1e+300\n");
    check_accepted("extxyz", [](const fs::path& path) {
        const auto read = io::read_extxyz(path);
        const auto text = io::extxyz_text(read);
        REQUIRE(io::extxyz_text(io::parse_extxyz(text)) == text);
        if (path.filename() != "good_not_finite") REQUIRE(same_frames(io::parse_extxyz(text), read));
    });
}

TEST_CASE("extxyz: a trajectory is written frame by frame", "[io]") {
    const TemporaryFolder folder;
    const fs::path path = folder / "run.xyz";
    auto a = everything();
    io::ExtxyzWriter writer(path);
    REQUIRE(io::read_extxyz(path).empty());
    std::vector<io::Atoms> frames;
    for (int step = 0; step < 3; ++step) {
        a.info["step"] = std::int64_t{step};
        a.positions(0, 0) += 0.1;
        writer.write(a);
        frames.push_back(a);
        REQUIRE(same_frames(io::read_extxyz(path), frames)); // while the writer is there
    }
    auto bad = a;
    bad.numbers(0) = 119;
    CHECK_THAT(message([&] { writer.write(bad); }), ContainsSubstring("write_extxyz: 119 is no atomic number"));
    REQUIRE(same_frames(io::read_extxyz(path), frames));

    // The last line of the file may be open.
    const std::string text = read_text(path);
    write_text(path, text.substr(0, text.size() - 1));
    io::ExtxyzWriter more(path, {.append = true});
    for (int step = 0; step < 2; ++step) {
        more.write(a);
        frames.push_back(a);
    }
    REQUIRE(same_frames(io::read_extxyz(path), frames));
    io::ExtxyzWriter(path).write(a);
    REQUIRE(io::read_extxyz(path).size() == 1);
    io::ExtxyzWriter(folder / "new.xyz", {.append = true}).write(a);
    REQUIRE(io::read_extxyz(folder / "new.xyz").size() == 1);
    CHECK_THAT(message([&] { io::ExtxyzWriter(folder.path()); }), ContainsSubstring("is not a regular file"));
    CHECK_THAT(message([&] { io::ExtxyzWriter(folder / "none" / "x"); }), ContainsSubstring("No such file"));
}

TEST_CASE("extxyz: frames go behind the last whole one", "[io]") {
    const TemporaryFolder folder;
    const fs::path path = folder / "run.xyz";
    const auto next = load("good_plain").at(0);
    const std::vector<io::Atoms> frames(2, load("good_lattice").at(0));
    const std::string text = io::extxyz_text(frames);
    // A program may have been stopped at any byte.
    for (std::size_t bytes = 0; bytes <= text.size(); ++bytes) {
        CAPTURE(bytes);
        write_text(path, text.substr(0, bytes));
        io::ExtxyzWriter(path, {.append = true}).write(next);
        const auto read = io::read_extxyz(path);
        // Without a final newline the last number may be shorter: "4 5" is "4 5" of "4 5\n", "-1" of "-1.5".
        const std::size_t whole = bytes + 1 >= text.size() ? 2 : bytes + 1 >= text.size() / 2 ? 1 : 0;
        REQUIRE(read.size() == whole + 1);
        for (std::size_t i = 0; i < whole; ++i) REQUIRE(same_atoms(read[i], frames[i]));
        REQUIRE(same_atoms(read[whole], next));
    }
    write_text(path, text + "\n \n");
    io::ExtxyzWriter(path, {.append = true}).write(next);
    REQUIRE(read_text(path) == text + io::extxyz_text({&next, 1}));
    write_text(path, text + "x\n");
    CHECK_THAT(message([&] { io::ExtxyzWriter(path, {.append = true}); }),
               ContainsSubstring("line 9: is \"x\": must be a number of atoms"));
    REQUIRE(read_text(path) == text + "x\n");
    write_text(path, "9223372036854775807\n\n");
    io::ExtxyzWriter(path, {.append = true}).write(next);
    REQUIRE(io::read_extxyz(path).size() == 1);
}

TEST_CASE("extxyz: what cannot be written", "[io]") {
    const TemporaryFolder folder;
    const auto refused = [&](auto change) {
        io::Atoms a = everything();
        change(a);
        return message([&] { io::write_extxyz(folder / "file", {{a}}); });
    };
    CHECK_THAT(refused([](auto& a) {
                   a.positions = Reals::zeros({2, 3});
               }),
               ContainsSubstring("write_extxyz: positions are [2, 3]: must be [3, 3]"));
    CHECK_THAT(refused([](auto& a) { a.numbers(1) = -1; }), ContainsSubstring("-1 is no atomic number"));
    for (const char* key : {"Lattice", "Properties", "pbc", ""})
        CHECK_THAT(refused([&](auto& a) { a.info[key] = 1.0; }),
                   ContainsSubstring(fmt::format("info cannot have the key \"{}\"", key)));
    for (const char* name : {"pos", "positions", "Z", "numbers", "", "a:b"})
        CHECK_THAT(refused([&](auto& a) {
                       a.arrays[name] = Reals::zeros({3, 1});
                   }),
                   ContainsSubstring(fmt::format("an array cannot have the name \"{}\"", name)));
    CHECK_THAT(refused([](auto& a) {
                   a.arrays["q"] = Reals::zeros({2, 3});
               }),
               ContainsSubstring("array \"q\" has 6 elements in 3 columns: must have 3 rows"));
    CHECK_THAT(refused([](auto& a) {
                   a.arrays["q"] = Reals::zeros({3, 0});
               }),
               ContainsSubstring("array \"q\" has 0 elements in 0 columns: must have 3 rows"));
    CHECK_THAT(refused([](auto& a) {
                   a.arrays["t"] = io::TextColumns{{"a", "b", "c", "d"}, 1};
               }),
               ContainsSubstring("array \"t\" has 4 elements in 1 columns: must have 3 rows"));
    for (const char* text : {"", "a b", "a\r"})
        CHECK_THAT(refused([&](auto& a) {
                       a.arrays["t"] = io::TextColumns{{"a", text, "c"}, 1};
                   }),
                   ContainsSubstring("array \"t\" has the text \""));
    REQUIRE(folder.files() == 0);
}

TEST_CASE("extxyz: hostile files", "[io]") {
    const std::string form = "must be name:type:columns:..., where types are R, I, L and S";
    check_refused(
        "extxyz", "bad_",
        {{"count", "line 1: is \"one\": must be a number of atoms, which begins a frame"},
         {"count_negative", "line 1: is \"-1\": must be a number of atoms"},
         {"count_fraction", "line 1: is \"1.0\": must be a number of atoms"},
         {"count_two", "line 1: is \"1 2\": must be a number of atoms"},
         {"count_over_64_bits", "line 1: is \"99999999999999999999\": must be a number of atoms"},
         {"count_huge", "line 2: the frame has 1000000000000 atoms of 4 columns: the rest of the file has room for 1"},
         {"columns_huge", "line 2: the frame has 1 atoms of 2147483651 columns: the rest of the file has room for 0"},
         {"columns_over", "line 2: Properties is \"species:S:1:pos:R:3:x:R:4294967296\": " + form},
         {"no_comment", "line 1: the file ends where the second line of a frame must be"},
         {"too_few", "line 4: the file ends after 2 of 3 atoms"},
         {"too_few_next", "line 4: is atom 2 of 2 and has 1 columns: must have 4"},
         {"too_many", "line 4: is \"O 0 0 0\": must be a number of atoms"},
         {"missing_column", "line 4: is atom 2 of 2 and has 6 columns: must have 7"},
         {"extra_column", "line 3: is atom 1 of 1 and has 5 columns: must have 4"},
         {"blank_atom", "line 4: is atom 2 of 2 and has 0 columns: must have 4"},
         {"element", "line 4: \"species\" is \"Qq\": must be a symbol of an element"},
         {"element_long", "line 3: \"species\" is \"Oxy\": must be a symbol of an element"},
         {"element_number", "line 3: \"species\" is \"8\": must be a symbol of an element"},
         {"number", "line 3: \"Z\" is \"119\": must be an atomic number"},
         {"number_negative", "line 3: \"Z\" is \"-1\": must be an atomic number"},
         {"position", "line 3: \"pos\" is \"1.5x\": must be a number that fits"},
         {"position_over", "line 3: \"pos\" is \"1e999\": must be a number that fits"},
         {"position_nan", "line 3: \"pos\" is \"nan(1)\": must be a number that fits"},
         {"integer", "line 3: \"id\" is \"1.5\": must be an integer that fits"},
         {"logical", "line 3: \"sel\" is \"1\": must be T or F"},
         {"lattice_short", "line 2: Lattice is \"1 0 0 0 1 0 0 0\": must be 9 numbers"},
         {"lattice_text", "line 2: Lattice is \"1 0 0 0 1 0 0 0 x\": must be 9 numbers"},
         {"lattice_infinite", "line 2: Lattice is \"1 0 0 0 1 0 0 0 inf\": must be 9 numbers"},
         {"pbc_two", "line 2: pbc is \"T F\": must be three times T or F"},
         {"pbc_text", "line 2: pbc is \"T F x\": must be three times T or F"},
         {"properties_empty", "line 2: Properties is \"\": " + form},
         {"properties_short", "line 2: Properties is \"species:S:1:pos:R\": " + form},
         {"properties_type", "line 2: Properties is \"species:S:1:pos:D:3\": " + form},
         {"properties_columns", "line 2: Properties is \"species:S:1:pos:R:3:x:R:0\": " + form},
         {"properties_name", "line 2: Properties is \"species:S:1:pos:R:3::R:1\": " + form},
         {"properties_twice", "\": \"x\" is there twice"},
         {"properties_same", "\": pos and positions are the same"},
         {"properties_pos", "\": pos must be R:3"},
         {"properties_no_pos", "\": must have pos:R:3"},
         {"properties_no_species", "\": must have species:S:1 or Z:I:1"},
         {"properties_bare", "line 2: Properties is \"T\": " + form},
         {"quote", "line 2: \"\\\"\" has no end"},
         {"bracket", "line 2: \"[\" has no end"},
         {"after_quote", "line 2: found \"y\" after \"\\\"\", where a space must be"},
         {"no_key", "line 2: a value has no key"},
         {"twice", "line 2: \"a\" is there twice, with different values"}},
        [](const fs::path& path) { io::read_extxyz(path); });
}

TEST_CASE("extxyz: acetylacetone and 3BPA", "[io][data]") {
    struct Expected {
        const char *folder, *file;
        std::size_t frames;
        weft::index atoms;
        bool forces;
    };
    for (const Expected& e :
         {Expected{"acac", "isolated_atoms", 3, 1, false}, Expected{"acac", "test_H_transfer", 15, 15, false},
          Expected{"acac", "test_MD_300K", 650, 15, true}, Expected{"acac", "test_MD_600K", 650, 15, true},
          Expected{"acac", "test_dihedral", 45, 15, false}, Expected{"acac", "train_300K", 500, 15, true},
          Expected{"3bpa", "iso_atoms", 4, 1, false}, Expected{"3bpa", "train_300K", 500, 27, true}}) {
        INFO(e.folder << '/' << e.file);
        const auto frames = io::read_extxyz(data_folder(e.folder) / fmt::format("{}.xyz", e.file));
        REQUIRE(frames.size() == e.frames);
        for (const io::Atoms& a : frames) {
            REQUIRE(a.size() == e.atoms);
            REQUIRE(a.energy().value() < -10);
            REQUIRE(a.forces().has_value() == e.forces);
            REQUIRE(a.pbc == std::array{false, false, false});
        }
        REQUIRE(same_frames(io::parse_extxyz(io::extxyz_text(frames)), frames));
    }
    const auto first = io::read_extxyz(data_folder("3bpa") / "train_300K.xyz").front();
    REQUIRE(first.energy() == -17660.461737861464);
    REQUIRE(info<std::string>(first, "dihedrals") == "_JSON [209.44, 80.54, 59.96]");
    REQUIRE(first.cell == std::array<double, 9>{50, 0, 0, 0, 50, 0, 0, 0, 50});
    REQUIRE(first.numbers(0) == 6);
    REQUIRE(first.positions(0, 1) == -1.01286015);
    REQUIRE((*first.forces())(1, 2) == -1.90941638);
}

#if __has_include(<sys/resource.h>)
#include <csignal>
#include <sys/resource.h>

TEST_CASE("extxyz: a frame that does not fit on the disk leaves those before it", "[io]") {
    const TemporaryFolder folder;
    const fs::path path = folder / "run.xyz";
    const auto a = everything();
    io::ExtxyzWriter writer(path);
    writer.write(a);
    rlimit before{};
    getrlimit(RLIMIT_FSIZE, &before);
    rlimit small = before;
    small.rlim_cur = static_cast<rlim_t>(fs::file_size(path)) + 500;
    auto* const handler = std::signal(SIGXFSZ, SIG_IGN);
    REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
    const std::string error = message([&] { writer.write(a); });
    setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, handler);
    CHECK_THAT(error, ContainsSubstring("run.xyz"));
    CHECK_THAT(error, ContainsSubstring("File too large"));
    REQUIRE(same_frames(io::read_extxyz(path), {a}));
    writer.write(a);
    REQUIRE(same_frames(io::read_extxyz(path), {a, a}));
}
#endif

TEST_CASE("extxyz: spellings of logicals, ends of words", "[io]") {
    const std::vector<std::pair<const char*, bool>> spellings{{"T", true},      {"True", true},  {"true", true},
                                                              {"TRUE", true},   {"F", false},    {"False", false},
                                                              {"false", false}, {"FALSE", false}};
    for (const auto& [text, value] : spellings) {
        INFO(text);
        CHECK(with_comment(fmt::format("pbc={}", text)).pbc == std::array{value, value, value});
        CHECK(info<bool>(with_comment(fmt::format("a={}", text)), "a") == value);
    }
    CHECK(info<std::string>(with_comment("a=b\\"), "a") == "b\\");
    CHECK(info<std::string>(with_comment("a= =b"), "a") == "=b");
    CHECK(info<std::string>(with_comment("a=b \t "), "a") == "b");
    CHECK(keys(with_comment("b=1 a=").info) == Texts{"b", "a"});
    CHECK(keys(with_comment("a= b=1").info) == Texts{"a", "b"});
}

TEST_CASE("extxyz: Properties and symbols that are wrong in one place", "[io]") {
    const auto refused = [](const std::string& properties, const std::string& atom) {
        return message([&] { parse("1\nProperties=" + properties + "\n" + atom + "\n"); });
    };
    for (const char* properties : {"species:S:1:pos:RR:3", "species:S:1:pos:R:x", "species:S:1:pos:Q:3",
                                   "species:S:1:pos:R:0", "species:S:1::R:3", "species:S:1:pos:R"})
        CHECK_THAT(refused(properties, "H 0 0 0"), ContainsSubstring("must be name:type:columns:..."));
    CHECK_THAT(refused("species:S:1:pos:I:3", "H 0 0 0"), ContainsSubstring("pos must be R:3"));
    CHECK_THAT(refused("species:S:1:pos:R:2", "H 0 0"), ContainsSubstring("pos must be R:3"));
    CHECK_THAT(refused("species:R:1:pos:R:3", "1 0 0 0"), ContainsSubstring("species must be S:1"));
    CHECK_THAT(refused("Z:I:1:pos:R:3", "x 0 0 0"), ContainsSubstring("\"x\""));
    CHECK_THAT(refused("Z:I:1:pos:R:3", "119 0 0 0"), ContainsSubstring("\"119\""));
    for (const char* symbol : {"{", "H1", "h1", "H{", "`", "Hee"})
        CHECK_THAT(refused("species:S:1:pos:R:3", fmt::format("{} 0 0 0", symbol)),
                   ContainsSubstring(fmt::format("\"{}\"", symbol)));
    CHECK(parse("1\n\nhE 0 0 0\n").numbers(0) == 2);
}
