// SPDX-License-Identifier: MIT
#include "golden.hpp"
#include "io_test.hpp"

#include <nlohmann/json.hpp>

using namespace weft;
using namespace weft_test;
using io::Conversion;
using io::DType;

namespace {

io::SafetensorsFile through_bytes(const io::NamedTensors& tensors, const io::Metadata& metadata = {}) {
    return io::SafetensorsFile::parse(io::safetensors_bytes(tensors, metadata));
}

template <class T>
void check_round_trip() {
    const TemporaryFolder folder;
    const auto t0 = counting<T, 0>({});
    const auto t1 = counting<T, 1>({5});
    const auto t2 = counting<T, 2>({2, 3});
    const auto t3 = counting<T, 3>({3, 1, 2});
    const auto t4 = counting<T, 4>({2, 2, 1, 3});
    const auto none = counting<T, 3>({2, 0, 4});
    io::save_safetensors(folder / "f", {{"t0", t0}, {"t1", t1}, {"t2", t2}, {"t3", t3}, {"t4", t4}, {"none", none}});
    for (const io::SafetensorsFile& file :
         {io::SafetensorsFile::open(folder / "f"), io::SafetensorsFile::read(folder / "f")}) {
        INFO(io::name(io::dtype_of<T>()));
        REQUIRE(file.names() == std::vector<std::string>{"t0", "t1", "t2", "t3", "t4", "none"});
        REQUIRE(file.info("t2").dtype == io::dtype_of<T>());
        REQUIRE(file.info("t2").shape == std::vector<weft::index>{2, 3});
        REQUIRE(same(file.get<T, 0>("t0"), t0));
        REQUIRE(same(file.get<T, 1>("t1"), t1));
        REQUIRE(same(file.get<T, 2>("t2"), t2));
        REQUIRE(same(file.view<T, 3>("t3"), t3));
        REQUIRE(same(file.get<T, 4>("t4", {2, dyn, dyn, 3}), t4));
        REQUIRE(same(file.get<T, 3>("none"), none));
    }
}

} // namespace

TEST_CASE("safetensors: every type and rank survives", "[io]") {
    check_round_trip<bool>();
    check_round_trip<std::uint8_t>();
    check_round_trip<std::int8_t>();
    check_round_trip<std::uint16_t>();
    check_round_trip<std::int16_t>();
    check_round_trip<half>();
    check_round_trip<bfloat16>();
    check_round_trip<std::uint32_t>();
    check_round_trip<std::int32_t>();
    check_round_trip<float>();
    check_round_trip<std::uint64_t>();
    check_round_trip<std::int64_t>();
    check_round_trip<double>();
    check_round_trip<std::complex<float>>();
}

TEST_CASE("safetensors: the bytes of the reference implementation", "[io]") {
    const auto attn = Tensor<float, 4>::from({{{{0, 1, 2}, {3, 4, 5}}}});
    const auto bytes = io::safetensors_bytes({{"attn0", attn}});
    const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    REQUIRE(text.substr(0, 80) == std::string("\x48\0\0\0\0\0\0\0", 8) +
                                      R"({"attn0":{"dtype":"F32","shape":[1,1,2,3],"data_offsets":[0,24]}}       )");
    REQUIRE(bytes.size() == 80 + 24);
    REQUIRE(std::memcmp(bytes.data() + 80, attn.data(), 24) == 0);
    const auto empty = io::safetensors_bytes({}, {{"framework", "pt"}});
    REQUIRE(std::string(reinterpret_cast<const char*>(empty.data()) + 8, empty.size() - 8) ==
            R"({"__metadata__":{"framework":"pt"}}     )");
}

TEST_CASE("safetensors: larger elements come first, else the given order, so all are aligned", "[io]") {
    const auto file = through_bytes({{"z", counting<std::int8_t, 1>({3})},
                                     {"b", counting<float, 1>({1})},
                                     {"y", counting<double, 1>({1})},
                                     {"a", counting<std::int32_t, 1>({1})},
                                     {"h", counting<half, 1>({1})}});
    REQUIRE(file.names() == std::vector<std::string>{"y", "b", "a", "h", "z"});
    REQUIRE(file.view<double, 1>("y").size() == 1);
    REQUIRE(file.view<half, 1>("h").size() == 1);
}

TEST_CASE("safetensors: names and metadata of any text", "[io]") {
    const std::string odd = "q\"\\/\n\t\x01\x7f\u00e9\u20ac\U0001f600";
    const io::Metadata metadata{{odd, odd}, {"", ""}, {"b", "{\"json\": [1]}"}};
    const auto bytes = io::safetensors_bytes({{odd, counting<float, 1>({2})}, {"", counting<float, 0>({})}}, metadata);
    const auto file = io::SafetensorsFile::parse(bytes);
    REQUIRE(file.metadata() == metadata);
    REQUIRE(file.names() == std::vector<std::string>{odd, ""});
    const auto json = nlohmann::json::parse(reinterpret_cast<const char*>(bytes.data()) + 8,
                                            reinterpret_cast<const char*>(bytes.data()) + bytes.size() - 12);
    REQUIRE(json["__metadata__"].get<io::Metadata>() == metadata);
    REQUIRE(json[odd]["shape"] == nlohmann::json{2});
}

TEST_CASE("safetensors: tensors share the mapped file until they are written to", "[io]") {
    const TemporaryFolder folder;
    io::save_safetensors(folder / "f", {{"a", counting<float, 1>({4})}});
    Tensor<float, 1> a, b;
    {
        const auto file = io::SafetensorsFile::open(folder / "f");
        a = file.view<float, 1>("a");
        b = file.get<float, 1>("a");
        REQUIRE(a.data() == b.data());
        REQUIRE(file.any("a").bytes().data() == reinterpret_cast<const std::byte*>(a.data()));
    }
    io::save_safetensors(folder / "f", {{"a", Tensor<float, 1>::zeros({4})}});
    b(0) = 9.0f;
    REQUIRE(same(a, counting<float, 1>({4})));
    REQUIRE(b(0) == 9.0f);
    REQUIRE(b(3) == 3.0f);
}

TEST_CASE("safetensors: a misaligned tensor is copied, and has no view", "[io]") {
    const auto file = io::SafetensorsFile::read(source_folder("fuzz") / "corpus/safetensors/good_unpadded");
    REQUIRE(file.get<float, 0>("b").item() == 1.5f);
    CHECK_THAT(message([&] { file.view<float, 0>("b"); }), ContainsSubstring("misaligned for F32: use get"));
}

TEST_CASE("safetensors: conversions", "[io]") {
    const auto file = through_bytes({{"f", Tensor<float, 1>::from({1.5f, -2.0f})},
                                     {"h", Tensor<half, 1>::from({half(0.5f), half(65504.0f)})},
                                     {"d", Tensor<double, 1>::from({1.0 / 3, 1e300})},
                                     {"i", Tensor<std::int64_t, 1>::from({-7, std::int64_t{1} << 40})},
                                     {"u", Tensor<std::uint8_t, 1>::from({0, 255})},
                                     {"b", counting<bool, 1>({2})},
                                     {"c", Tensor<std::complex<float>, 1>::from({{1, 2}})}});
    CHECK(same(file.get<double, 1>("f"), Tensor<double, 1>::from({1.5, -2.0})));
    CHECK(same(file.get<float, 1>("h"), Tensor<float, 1>::from({0.5f, 65504.0f})));
    CHECK(same(file.get<half, 1>("u"), Tensor<half, 1>::from({half(0), half(255)})));
    CHECK(same(file.get<std::int16_t, 1>("u"), Tensor<std::int16_t, 1>::from({0, 255})));
    CHECK(same(file.get<std::int8_t, 1>("b"), Tensor<std::int8_t, 1>::from({0, 1})));
    CHECK(file.get<std::complex<double>, 1>("c")(0) == std::complex<double>(1, 2));
    CHECK(file.get<std::complex<double>, 1>("f")(0) == std::complex<double>(1.5, 0));

    CHECK(same(file.get<float, 1>("d", Conversion::rounding),
               Tensor<float, 1>::from({static_cast<float>(1.0 / 3), std::numeric_limits<float>::infinity()})));
    CHECK(same(file.get<bfloat16, 1>("f", Conversion::rounding),
               Tensor<bfloat16, 1>::from({bfloat16(1.5f), bfloat16(-2.0f)})));
    CHECK(same(file.get<double, 1>("i", Conversion::rounding), Tensor<double, 1>::from({-7.0, 0x1p40})));

    const auto refuses = [&](auto type, const char* name, Conversion conversion) {
        return message([&] { file.get<decltype(type), 1>(name, conversion); });
    };
    CHECK_THAT(refuses(1.0f, "d", Conversion::lossless),
               ContainsSubstring("tensor \"d\": is F64 [2], asked for F32, which does not hold every F64"));
    CHECK_THAT(refuses(1.0, "i", Conversion::lossless), ContainsSubstring("does not hold every I64"));
    CHECK_THAT(refuses(half(), "f", Conversion::lossless), ContainsSubstring("asked for F16"));
    CHECK_THAT(refuses(bfloat16(), "h", Conversion::lossless), ContainsSubstring("asked for BF16"));
    CHECK(refuses(half(), "b", Conversion::lossless).empty());
    CHECK_THAT(refuses(std::int8_t(), "u", Conversion::rounding),
               ContainsSubstring("element 1 of U8 [2] does not fit I8"));
    CHECK_THAT(refuses(std::uint64_t(), "i", Conversion::rounding),
               ContainsSubstring("element 0 of I64 [2] does not fit U64"));
    CHECK_THAT(refuses(std::int32_t(), "f", Conversion::rounding),
               ContainsSubstring("element 0 of F32 [2] does not fit I32"));
    CHECK_THAT(refuses(std::int64_t(), "d", Conversion::rounding), ContainsSubstring("does not fit I64"));
    CHECK_THAT(refuses(true, "u", Conversion::rounding), ContainsSubstring("element 1 of U8 [2] does not fit BOOL"));
    CHECK_THAT(refuses(1.0f, "c", Conversion::rounding), ContainsSubstring("complex numbers do not convert to F32"));
}

TEST_CASE("safetensors: a wrong request names file, tensor, shapes and types", "[io]") {
    const auto file =
        io::SafetensorsFile::parse(io::safetensors_bytes({{"a.weight", counting<float, 2>({2, 3})}}), "net");
    CHECK_THAT(message([&] { file.get<float, 2>("b"); }),
               ContainsSubstring("weft: safetensors: net: there is no tensor \"b\" among \"a.weight\""));
    CHECK_THAT(message([&] { file.get<float, 1>("a.weight"); }),
               ContainsSubstring("net: tensor \"a.weight\": is F32 [2, 3] of rank 2, asked for F32 of rank 1"));
    CHECK_THAT(message([&] {
                   file.get<float, 2>("a.weight", {dyn, 4});
               }),
               ContainsSubstring("net: tensor \"a.weight\": is F32 [2, 3], must be F32 of shape [-1, 4]"));
    CHECK_THAT(message([&] { file.view<double, 2>("a.weight"); }),
               ContainsSubstring("net: tensor \"a.weight\": is F32, a view needs F64"));
}

TEST_CASE("safetensors: what cannot be written", "[io]") {
    const io::AnyTensor tensor = counting<float, 1>({2});
    const auto refuses = [](const io::NamedTensors& tensors, const io::Metadata& metadata = {}) {
        return message([&] { io::safetensors_bytes(tensors, metadata); });
    };
    CHECK_THAT(refuses({{"a", tensor}, {"a", tensor}}), ContainsSubstring("the name \"a\" is there twice"));
    CHECK_THAT(refuses({{"__metadata__", tensor}}), ContainsSubstring("must not be named __metadata__"));
    CHECK_THAT(refuses({{"\xff", tensor}}), ContainsSubstring("is not UTF-8"));
    CHECK_THAT(refuses({}, {{"k", "\xc3"}}), ContainsSubstring("are not UTF-8"));
    CHECK_THAT(refuses({{"c", counting<std::complex<double>, 1>({1})}}), ContainsSubstring("no C128"));
}

TEST_CASE("safetensors: a BOOL that is neither 0 nor 1 is refused when it is read", "[io]") {
    const auto file = io::SafetensorsFile::open(source_folder("fuzz") / "corpus/safetensors/good_bool2");
    CHECK_THAT(message([&] { file.get<bool, 1>("a"); }), ContainsSubstring("element 2 of BOOL [3] is byte 2"));
    CHECK_THAT(message([&] { file.get<float, 1>("a"); }), ContainsSubstring("element 2 of BOOL [3] is byte 2"));
}

TEST_CASE("safetensors: unusual files that are right", "[io]") {
    check_accepted("safetensors", [](const fs::path& path) { io::SafetensorsFile::open(path).tensors(); });
    const auto open = [](const char* name) {
        return io::SafetensorsFile::open(source_folder("fuzz") / "corpus/safetensors" / name);
    };
    REQUIRE(open("good_escapes").names() == std::vector<std::string>{"a\U0001f600\n/"});
    REQUIRE(open("good_unordered").names() == std::vector<std::string>{"b", "a"});
    REQUIRE(open("good_metadata").metadata() == io::Metadata{{"k", "v\"\\\n\u00e9\U0001f600"}});
    REQUIRE(open("good_rank9").any("a").rank() == 9);
    REQUIRE(same(open("good_unknown_field").get<float, 1>("a"), Tensor<float, 1>::from({1.5f})));
}

TEST_CASE("safetensors: hostile files", "[io]") {
    const std::map<std::string, std::string> expected{
        {"nothing", "has 0 bytes"},
        {"seven_bytes", "has 7 bytes"},
        {"header_past_end", "byte 0: the header has 3 bytes, the file only 2"},
        {"header_huge", "byte 0: the header has 9223372036854775808 bytes, at most 100000000"},
        {"header_over_100mb", "byte 0: the header has 100000001 bytes, at most 100000000"},
        {"header_empty", "byte 8: the text ends where an object must be"},
        {"truncated_header", "the text ends where the end of the string must be"},
        {"truncated_data", "tensor \"a\": F32 [1], bytes 0 to 4 of the data: the data end at 3"},
        {"trailing_data", "1 bytes after the last tensor"},
        {"trailing_json", "byte 10: something follows the end"},
        {"not_object", "byte 8: found \"[\" where an object must be"},
        {"deep_arrays", "nested deeper than 64 levels"},
        {"deep_objects", "nested deeper than 64 levels"},
        {"overlap", "tensor \"b\": F32 [2], bytes 4 to 12 of the data: it overlaps the tensor that ends at 8"},
        {"same_range", "tensor \"b\": F32 [1], bytes 0 to 4 of the data: it overlaps the tensor that ends at 4"},
        {"hole", "tensor \"b\": F32 [1], bytes 8 to 12 of the data: a hole begins at 4"},
        {"hole_at_start", "a hole begins at 0"},
        {"reversed", "bytes 4 to 0 of the data: it ends before it begins"},
        {"past_end", "bytes 0 to 400 of the data: the data end at 4"},
        {"huge_offset", "the data end at 4"},
        {"offset_over_64_bits", "the number 18446744073709551620 is too large"},
        {"size_mismatch", "F32 [2], bytes 0 to 4 of the data: its shape and type take 8 bytes"},
        {"dtype_mismatch", "F64 [1], bytes 0 to 4 of the data: its shape and type take 8 bytes"},
        {"product_wraps_to_0", "too many elements"},
        {"product_wraps_to_4", "too many elements"},
        {"product_overflow_empty", "too many elements"},
        {"negative_shape", "the number -1 is not an integer >= 0"},
        {"two_negative", "the number -1 is not an integer >= 0"},
        {"fraction_shape", "the number 1.0 is not an integer >= 0"},
        {"exponent_shape", "the number 1e0 is not an integer >= 0"},
        {"leading_zero", "not a JSON value"},
        {"string_shape", "not a JSON value"},
        {"shape_not_array", "found \"1\" where an array must be"},
        {"three_offsets", "tensor \"a\": needs dtype, shape and two data_offsets"},
        {"one_offset", "tensor \"a\": needs dtype, shape and two data_offsets"},
        {"no_dtype", "tensor \"a\": needs dtype, shape and two data_offsets"},
        {"no_shape", "tensor \"a\": needs dtype, shape and two data_offsets"},
        {"unknown_dtype", "tensor \"a\": unknown dtype \"F8_E4M3\""},
        {"dtype_c128", "tensor \"a\": unknown dtype \"C128\""},
        {"dtype_lower_case", "tensor \"a\": unknown dtype \"f32\""},
        {"dtype_number", "found \"1\" where a string must be"},
        {"duplicate_name", "the key \"a\" is there twice"},
        {"duplicate_escaped", "the key \"a\" is there twice"},
        {"duplicate_field", "the key \"dtype\" is there twice"},
        {"metadata_number", "found \"1\" where a string must be"},
        {"metadata_null", "found \"n\" where an object must be"},
        {"bad_utf8", "byte 10: a string that is not UTF-8"},
        {"overlong_utf8", "byte 10: a string that is not UTF-8"},
        {"surrogate_utf8", "byte 10: a string that is not UTF-8"},
        {"cut_utf8", "byte 10: a string that is not UTF-8"},
        {"too_high_utf8", "byte 10: a string that is not UTF-8"},
        {"half_surrogate", "byte 10: half of a surrogate pair"},
        {"swapped_surrogates", "byte 10: half of a surrogate pair"},
        {"bad_escape", "byte 10: an unknown escape sequence"},
        {"bad_hex", "\\u needs four hexadecimal digits"},
        {"control_character", "byte 11: a control character in a string"},
        {"zero_in_name", "byte 11: a control character in a string"},
        {"byte_order_mark", "byte 8: found"},
        {"comment", "byte 9: found \"/\" where a string must be"},
        {"trailing_comma", "not a JSON value"},
        {"single_quotes", "byte 9: found \"'\" where a string must be"},
        {"missing_colon", "found \"1\" where ':' must be"},
        {"not_a_number", "not a JSON value"},
        {"word", "an unknown word"},
        {"minus_only", "not a JSON value"},
        {"long_name", "needs dtype, shape and two data_offsets"},
    };
    check_refused("safetensors", "bad_", expected, [](const fs::path& path) { io::SafetensorsFile::open(path); });
    check_refused("safetensors", "bad_", expected, [](const fs::path& path) { io::SafetensorsFile::read(path); });
}

TEST_CASE("safetensors: every prefix of a file is refused", "[io]") {
    const auto bytes =
        io::safetensors_bytes({{"a", counting<float, 2>({2, 3})}, {"b", counting<bool, 1>({3})}}, {{"k", "v"}});
    for (std::size_t size = 0; size < bytes.size(); ++size)
        REQUIRE_THROWS_AS(io::SafetensorsFile::parse(std::span(bytes).first(size)), Error);
    REQUIRE_NOTHROW(io::SafetensorsFile::parse(bytes));
}

TEST_CASE("safetensors: the header reader agrees with another JSON parser", "[io]") {
    const std::string seed = R"({"a":[1,-2.5e+3,0,{"b":null,"c":[true,false]}],"\u00e9\ud83d\ude00\n":"x\"\\/","":{}})";
    const std::string letters =
        "{}[]:,\"\\/ux0123456789-+.eE ntf\n\t\x01\x7f\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xed\xff";
    std::uint32_t state = 1;
    const auto random = [&](std::size_t n) {
        return (state = state * 1664525u + 1013904223u) / 65536u % static_cast<std::uint32_t>(n);
    };
    constexpr int rounds = 100000;
    int accepted = 0;
    for (int round = 0; round < rounds; ++round) {
        std::string text = seed;
        for (std::uint32_t edits = random(3); edits-- > 0;) {
            const auto at = random(text.size());
            const char letter = letters[random(letters.size())];
            if (const auto kind = random(3); kind == 0)
                text[at] = letter;
            else if (kind == 1)
                text.insert(at, 1, letter);
            else
                text.erase(at, 1 + random(3));
        }
        const bool mine = message([&] {
                              io::detail::JsonReader reader(text, "text", 0);
                              reader.skip();
                              reader.end();
                          }).empty();
        bool twice = false;
        std::vector<std::set<std::string>> keys;
        const auto watch = [&](int, nlohmann::json::parse_event_t event, nlohmann::json& value) {
            if (event == nlohmann::json::parse_event_t::object_start) keys.emplace_back();
            if (event == nlohmann::json::parse_event_t::object_end) keys.pop_back();
            if (event == nlohmann::json::parse_event_t::key)
                twice = !keys.back().insert(value.get<std::string>()).second || twice;
            return true;
        };
        bool other = false;
        try {
            const auto value = nlohmann::json::parse(text, watch);
            other = !value.is_discarded() && !twice;
        } catch (const nlohmann::json::out_of_range&) {
            continue; // 1e999, which is not read here
        } catch (const nlohmann::json::parse_error&) {
        }
        INFO(text);
        REQUIRE(mine == other);
        accepted += mine;
    }
    REQUIRE(accepted > 1000);
    REQUIRE(accepted < rounds - 1000);
}

TEST_CASE("safetensors: files of another writer", "[io][golden]") {
    const char* const names[] = {"gcn", "sage", "gat", "ops"};
    for (const char* name : names)
        if (skip_without(golden_path("gnn-core", name))) return;
    for (const char* name : names) {
        INFO(name);
        const auto file = io::SafetensorsFile::open(golden_path("gnn-core", name));
        REQUIRE(file.names().size() > 5);
        const io::NamedTensors tensors = file.tensors();
        const auto again = through_bytes(tensors, file.metadata());
        REQUIRE(again.metadata() == file.metadata());
        for (const auto& [key, tensor] : tensors) REQUIRE(same(again.any(key), tensor));
    }
    // Sums by segments, to see that the numbers are where they should be.
    const auto is_sum = [](const GoldenCase& golden) { return golden.option<std::string>("reduce", "") == "sum"; };
    for_each_golden_case(
        "gnn-core", "ops",
        [](GoldenCase& golden) {
            const auto x = golden.get<double, 2>("src");
            const auto segment = golden.get<std::int32_t, 1>("index");
            auto sum = Tensor<double, 2>::zeros({golden.option<weft::index>("dim_size", 0), x.extent(1)});
            for (weft::index i = 0; i < x.extent(0); ++i)
                for (weft::index k = 0; k < x.extent(1); ++k) sum(segment(i), k) += x(i, k);
            golden.compare("out", sum);
            (void)golden.get<double, 2>("r.out"), golden.get<double, 2>("g.src");
        },
        is_sum);
}

TEST_CASE("safetensors: numbers out of the range of an integer", "[io]") {
    for (const float x : {-1.0f, 256.0f, 0.5f, std::numeric_limits<float>::quiet_NaN()}) {
        const auto file = through_bytes({{"a", Tensor<float, 1>::from({1, x})}});
        INFO(x);
        CHECK(!message([&] { file.get<std::uint8_t, 1>("a", Conversion::rounding); }).empty());
    }
    const auto file = through_bytes({{"a", Tensor<float, 1>::from({0, 255})}});
    CHECK(same(file.get<std::uint8_t, 1>("a", Conversion::rounding), Tensor<std::uint8_t, 1>::from({0, 255})));
}

TEST_CASE("safetensors: messages name the first 20 tensors", "[io]") {
    io::NamedTensors tensors;
    for (int i = 0; i < 22; ++i) tensors.emplace_back(fmt::format("t{:02}", i), counting<float, 1>({1}));
    const auto file = through_bytes(tensors);
    CHECK_THAT(message([&] { file.info("x"); }), ContainsSubstring("\"t19\" and 2 more"));
}

TEST_CASE("safetensors: UTF-8, and names in messages", "[io]") {
    for (const char* good :
         {"", "a", "\x7f", "\u0080", "\u07ff", "\u0800", "\ud7ff", "\ue000", "\uffff", "\U00010000", "\U0010ffff"})
        CHECK(io::detail::is_utf8(good));
    for (const char* bad :
         {"\x80", "\xc1\x80", "\xc2", "\xc2\x7f", "\xc2\xc0", "\xe0\x9f\x80", "\xe1\x80", "\xe1\x80\xc0",
          "\xe1\x80\x7f", "\xed\xa0\x80", "\xf0\x8f\x80\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80"})
        CHECK(!io::detail::is_utf8(bad));
    const auto unescaped = [](std::string_view text) { return io::detail::JsonReader(text, "memory", 0).string(); };
    CHECK(unescaped(R"("\u007f\u0080\u07ff\u0800\uffff")") == "\x7f\u0080\u07ff\u0800\uffff");
    CHECK(unescaped(R"("\ud800\udc00\udbff\udfff")") == "\U00010000\U0010ffff");
    CHECK(io::detail::quote_name(std::string(99, 'a') + "\u00e9b") == '"' + std::string(99, 'a') + "\"...");
    CHECK(io::detail::quote_name(std::string(101, 'a')) == '"' + std::string(100, 'a') + "\"...");
    CHECK(io::detail::quote_name(std::string(101, '\x80')) == "\"\"...");
    CHECK_THAT(message([] { io::safetensors_bytes({}, {{"\xff", "text"}}); }), ContainsSubstring("are not UTF-8"));
    CHECK_THAT(message([] { io::safetensors_bytes({}, {{"key", "\xff"}}); }), ContainsSubstring("are not UTF-8"));
}
