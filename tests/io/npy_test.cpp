// SPDX-License-Identifier: MIT
#include "io_test.hpp"

using namespace weft;
using namespace weft_test;
using io::Conversion;

namespace {

const fs::path golden = source_folder("golden") / "npy";

// The values of tests/golden/npy/generate.py.
template <class T, int N>
Tensor<T, N> numpy_values(const Extents<N>& shape, const std::string& code) {
    auto t = counting<T, N>(shape);
    for (T& x : t.mutable_values()) {
        if constexpr (io::detail::IsComplex<T>::value)
            x = T(x.real(), -x.real());
        else if constexpr (!std::is_same_v<T, bool>)
            if (code[0] == 'i' || code[0] == 'f') x = T(0.0f - static_cast<float>(x));
    }
    return t;
}

template <class T>
void check_type(const std::string& code) {
    INFO(code);
    const auto expected = numpy_values<T, 2>({2, 3}, code);
    const TemporaryFolder folder;
    for (const char* order : {"little", "big"}) {
        const fs::path path = golden / (code + "_" + order + ".npy");
        REQUIRE(io::load_npy(path).dtype() == io::dtype_of<T>());
        const auto got = io::load_npy<T, 2>(path);
        REQUIRE(got.shape() == expected.shape());
        for (weft::index i = 0; i < 6; ++i) REQUIRE(got.data()[i] == expected.data()[i]);
        // Written again it is the file that NumPy wrote.
        if (std::string(order) != "little") continue;
        io::save_npy(folder / "again.npy", got);
        REQUIRE(read_text(folder / "again.npy") == read_text(path));
    }
    const auto round_trip = [&](const auto& tensor) {
        io::save_npy(folder / "t.npy", tensor);
        REQUIRE(same(io::load_npy<T, std::remove_cvref_t<decltype(tensor)>::rank>(folder / "t.npy"), tensor));
    };
    round_trip(counting<T, 0>({}));
    round_trip(counting<T, 1>({5}));
    round_trip(counting<T, 3>({2, 1, 3}));
    round_trip(counting<T, 4>({2, 2, 1, 3}));
    round_trip(counting<T, 3>({2, 0, 4}));
}

} // namespace

TEST_CASE("npy: every type, in both byte orders, as NumPy writes it", "[io]") {
    check_type<bool>("b1");
    check_type<std::uint8_t>("u1");
    check_type<std::int8_t>("i1");
    check_type<std::uint16_t>("u2");
    check_type<std::int16_t>("i2");
    check_type<std::uint32_t>("u4");
    check_type<std::int32_t>("i4");
    check_type<std::uint64_t>("u8");
    check_type<std::int64_t>("i8");
    check_type<half>("f2");
    check_type<float>("f4");
    check_type<double>("f8");
    check_type<std::complex<float>>("c8");
    check_type<std::complex<double>>("c16");
}

TEST_CASE("npy: Fortran order, shapes and versions", "[io]") {
    const auto fortran = io::load_npy<float, 3>(golden / "fortran.npy");
    REQUIRE(same(fortran, numpy_values<float, 3>({2, 3, 4}, "f4")));
    const auto big = io::load_npy<std::complex<double>, 2>(golden / "fortran_big.npy");
    REQUIRE(big.shape() == Extents<2>{3, 2});
    for (weft::index i = 0; i < 6; ++i)
        REQUIRE(big.data()[i] == std::complex<double>(static_cast<double>(i), -static_cast<double>(i)));
    REQUIRE(io::load_npy<double, 0>(golden / "scalar.npy").item() == 7.0);
    REQUIRE(io::load_npy<double, 2>(golden / "empty.npy").shape() == Extents<2>{0, 3});
    REQUIRE(
        same(io::load_npy<std::int32_t, 4>(golden / "rank4.npy"), numpy_values<std::int32_t, 4>({2, 1, 3, 2}, "i4")));
    for (const char* name : {"version2.npy", "version3.npy"})
        REQUIRE(same(io::load_npy<float, 1>(golden / name), numpy_values<float, 1>({4}, "f4")));
    check_accepted("npy", [](const fs::path& path) { io::load_npy(path); });
    const auto swapped = io::load_npy<std::int16_t, 2>(source_folder("fuzz") / "corpus/npy/good_fortran");
    REQUIRE(same(swapped, Tensor<std::int16_t, 2>::from({{0x0001, 0x0405, 0x0809}, {0x0203, 0x0607, 0x0a0b}})));
}

TEST_CASE("npy: a large header takes version 2", "[io]") {
    const TemporaryFolder folder;
    const auto t = counting<float, 1>({1});
    const io::AnyTensor wide(io::DType::f32, std::vector<weft::index>(30000, 1), t.storage(),
                             reinterpret_cast<const std::byte*>(t.data()));
    io::save_npy(folder / "wide.npy", wide);
    REQUIRE(read_text(folder / "wide.npy")[6] == 2);
    REQUIRE(same(io::load_npy(folder / "wide.npy"), wide));
}

TEST_CASE("npy: wrong requests", "[io]") {
    const TemporaryFolder folder;
    CHECK_THAT(message([] { io::load_npy<float, 1>(golden / "f4_big.npy"); }),
               ContainsSubstring("f4_big.npy: is F32 [2, 3] of rank 2, asked for F32 of rank 1"));
    CHECK_THAT(message([] { io::load_npy<float, 2>(golden / "f8_big.npy"); }),
               ContainsSubstring("f8_big.npy: is F64 [2, 3], asked for F32"));
    CHECK_THAT(message([&] { io::save_npy(folder / "x.npy", counting<bfloat16, 1>({1})); }),
               ContainsSubstring("no BF16"));
    CHECK(folder.files() == 0);
    const fs::path bools = source_folder("fuzz") / "corpus/npy/good_bool2";
    CHECK_THAT(message([&] { io::load_npy<bool, 1>(bools); }), ContainsSubstring("element 0 of BOOL [1] is byte 2"));
}

TEST_CASE("npy: hostile files", "[io]") {
    check_refused("npy", "bad_",
                  {{"nothing", "not an npy file"},
                   {"magic", "not an npy file"},
                   {"magic_only", "not an npy file"},
                   {"cut_length", "ends within its header"},
                   {"version0", "unknown version 0.0"},
                   {"version4", "unknown version 4.0"},
                   {"minor", "unknown version 1.1"},
                   {"header_past_end", "the header has 9999 bytes"},
                   {"header_huge", "the header has 4294967295 bytes"},
                   {"header_empty", "byte 10: '{' must be here"},
                   {"truncated_data", "F32 [1] takes 4 bytes, the file has 3"},
                   {"trailing_data", "F32 [1] takes 4 bytes, the file has 5"},
                   {"object", "unknown descr \"|O\": pickled objects are never read"},
                   {"structured", "structured arrays cannot be read"},
                   {"text", "unknown descr \"<U1\""},
                   {"void", "unknown descr \"|V4\""},
                   {"no_byte_order", "unknown descr \"|f4\""},
                   {"descr_empty", "unknown descr \"\""},
                   {"negative_shape", "an extent must be here, an integer >= 0"},
                   {"two_negative", "an extent must be here, an integer >= 0"},
                   {"product_wraps_to_0", "too many elements"},
                   {"product_overflow_empty", "too many elements"},
                   {"extent_over_64_bits", "the extent is too large"},
                   {"shape_claims_more", "takes 4000000000000 bytes, the file has 4"},
                   {"tuple_of_one", "a tuple of one needs a comma"},
                   {"shape_list", "'(' must be here"},
                   {"shape_fraction", "a tuple of one needs a comma"},
                   {"order_number", "True or False must be here"},
                   {"no_shape", "needs descr, fortran_order and shape"},
                   {"key_twice", "the key 'descr' is there twice"},
                   {"unknown_key", "an unknown key \"x\""},
                   {"trailing_header", "something follows the dictionary"},
                   {"string_without_end", "the string does not end"},
                   {"escape", "an escape sequence"},
                   {"not_dictionary", "'{' must be here"},
                   {"call", "'{' must be here"}},
                  [](const fs::path& path) { io::load_npy(path); });
}

namespace {

/// An npy file of that dictionary and those bytes.
io::AnyTensor with_header(const std::string& header, const std::string& data) {
    const std::string text = std::string("\x93NUMPY\1\0", 8) + static_cast<char>(header.size()) + '\0' + header + data;
    return io::parse_npy(std::as_bytes(std::span(text)));
}

} // namespace

TEST_CASE("npy: byte orders and headers that NumPy does not write", "[io]") {
    const auto dictionary = [](const char* descr, const char* fortran, const char* shape) {
        return fmt::format("{{'descr': {}, 'fortran_order': {}, 'shape': {}}}", descr, fortran, shape);
    };
    const std::string bytes("\1\2\3", 3);
    for (const char* descr : {"'>u1'", "'<u1'", "'=u1'", "'|u1'", "\"|u1\""}) {
        const auto tensor = with_header(dictionary(descr, "True", "(3,)"), bytes);
        CHECK(tensor.shape() == std::vector<weft::index>{3});
        CHECK(std::memcmp(tensor.bytes().data(), bytes.data(), 3) == 0);
    }
    CHECK(with_header(dictionary("'=f4'", "False", "(1,)"), std::string(4, '\0')).dtype() == io::DType::f32);
    const auto refused = [&](const std::string& header) { return message([&] { with_header(header, bytes); }); };
    CHECK_THAT(refused(dictionary("'?u1'", "False", "(3,)")), ContainsSubstring("unknown descr \"?u1\""));
    CHECK_THAT(refused(dictionary("('u1', 3)", "False", "(3,)")), ContainsSubstring("structured arrays"));
    CHECK_THAT(refused(dictionary("7", "False", "(3,)")), ContainsSubstring("a string must be here"));
    // What ends the dictionary must not be looked for behind the header.
    CHECK_THAT(message([&] { with_header("{'descr': '|u1', 'fortran_order': False, 'shape': (1,)", "}"); }),
               ContainsSubstring("'}' must be here"));
    CHECK_THAT(refused("{'descr': "), ContainsSubstring("a string must be here"));
    CHECK_THAT(refused("{'descr': '|u1', 'shape': (3,)}"), ContainsSubstring("needs descr, fortran_order and shape"));
    CHECK_THAT(refused("{'fortran_order': True, 'shape': (3,)}"), ContainsSubstring("needs descr, fortran_order"));
}
