// SPDX-License-Identifier: MIT
#pragma once

#include "../command_line.hpp"
#include "sonnets.hpp"

#include <weft/core/tensor.hpp>

#include <array>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace char_transformer {

using weft::Tensor;

/// The bytes of a file; of the sonnets where no name is given. `tinyshakespeare` is also that data set in the folder
/// that WEFT_DATA_DIR names. Errors: the file cannot be read.
inline std::string read_text(const std::string& name) {
    if (name.empty()) return sonnets;
    std::filesystem::path path = name;
    if (name == "tinyshakespeare" && !std::filesystem::exists(path))
        path = data_folder("char_transformer", name) / name / "input.txt";
    std::ifstream file(path, std::ios::binary);
    std::string text{std::istreambuf_iterator<char>(file), {}};
    if (!file) throw weft::error("char_transformer", "cannot read {}", path.string());
    return text;
}

/// The characters (bytes) of a text, ascending, and their numbers.
class Vocabulary {
public:
    Vocabulary() = default;
    explicit Vocabulary(std::string_view text) {
        std::array<bool, 256> there{};
        for (const char c : text) there[byte(c)] = true;
        for (std::size_t b = 0; b < there.size(); ++b)
            if (there[b]) characters_ += static_cast<char>(static_cast<unsigned char>(b));
        number_.fill(-1);
        for (std::size_t i = 0; i < characters_.size(); ++i) number_[byte(characters_[i])] = static_cast<int>(i);
    }

    weft::index size() const { return static_cast<weft::index>(characters_.size()); }
    /// Errors: a character that the text has not.
    std::vector<std::uint8_t> encode(std::string_view text) const {
        std::vector<std::uint8_t> ids;
        ids.reserve(text.size());
        for (const char c : text) {
            if (number_[byte(c)] < 0)
                throw weft::error("char_transformer", "the text learnt from has no character '{}' (byte {})",
                                  std::string(1, c), static_cast<int>(byte(c)));
            ids.push_back(static_cast<std::uint8_t>(number_[byte(c)]));
        }
        return ids;
    }
    char decode(weft::index id) const { return characters_[static_cast<std::size_t>(id)]; }

private:
    static std::size_t byte(char c) { return static_cast<unsigned char>(c); }

    std::string characters_;
    std::array<int, 256> number_{};
};

/// A text as numbers: the first nine tenths to learn from, the rest to validate on.
struct Corpus {
    Vocabulary vocabulary;
    std::vector<std::uint8_t> train, validation;
    std::uint64_t checksum = 0xcbf29ce484222325u; ///< FNV-1a

    /// Errors: a part has not one character more than the context.
    Corpus(const std::string& text, weft::index context) : vocabulary(text) {
        const std::vector<std::uint8_t> ids = vocabulary.encode(text);
        const auto split = ids.begin() + static_cast<std::ptrdiff_t>(ids.size() / 10 * 9 + ids.size() % 10 * 9 / 10);
        train.assign(ids.begin(), split);
        validation.assign(split, ids.end());
        if (static_cast<weft::index>(validation.size()) <= context)
            throw weft::error("char_transformer",
                              "the text has {} characters: a tenth of it must be longer than the context of {}",
                              text.size(), context);
        for (const char c : text) checksum = (checksum ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
    }
};

} // namespace char_transformer
