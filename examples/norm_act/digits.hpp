// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/combine.hpp>
#include <weft/core/layout.hpp>
#include <weft/core/random.hpp>
#include <weft/io/safetensors.hpp>

#include <array>
#include <filesystem>

namespace norm_act {

/// Handwritten digits: images [N, 8, 8] of 0 to 16, labels [N]; the first `train` are for training.
struct Digits {
    weft::Tensor<float, 3> images;
    weft::Tensor<std::int64_t, 1> labels;
    weft::index train = 0;

    static constexpr weft::index classes = 10;

    /// Images standardised by mean and deviation of the training pixels, as [N, 1, 8, 8] or [N, 8, 8, 1].
    weft::Tensor<float, 4> inputs(weft::Layout layout) const {
        using namespace weft;
        const auto pixels = slice(images, 0, 0, train);
        const float mean = weft::mean(pixels).item(), deviation = weft::stddev(pixels, 0).item();
        const Tensor<float, 3> standard = (images - mean) / deviation;
        const weft::index n = images.extent(0);
        return layout == Layout::channels_first ? reshape(standard, Extents<4>{n, 1, 8, 8})
                                                : reshape(standard, Extents<4>{n, 8, 8, 1});
    }
};

/// `digits.safetensors` of a folder: images u8 [N, 8, 8] of 0 to 16 and labels u8 [N]; the last quarter is for testing.
/// Errors: no such file, other shapes, values out of range.
inline Digits read_digits(const std::filesystem::path& folder) {
    using namespace weft;
    const auto file = io::SafetensorsFile::read(folder / "digits.safetensors");
    Digits digits;
    digits.images = file.get<float, 3>("images", io::Conversion::rounding);
    digits.labels = file.get<std::int64_t, 1>("labels", io::Conversion::rounding);
    const weft::index n = digits.images.extent(0);
    const auto shape = digits.images.shape();
    if (shape[1] != 8 || shape[2] != 8 || digits.labels.size() != n || n < 4)
        throw error("digits", "images are {}, labels {}: must be [N, 8, 8] and [N], N at least 4",
                    detail::shape_text(shape), detail::shape_text(digits.labels.shape()));
    for (const float v : digits.images.values())
        if (!(v >= 0 && v <= 16)) throw error("digits", "a pixel is {}: must be from 0 to 16", v);
    for (const std::int64_t l : digits.labels.values())
        if (l < 0 || l >= Digits::classes) throw error("digits", "a label is {}: must be from 0 to 9", l);
    digits.train = n - n / 4;
    return digits;
}

/// Where there is no data set: digits of a 5 x 3 font, moved about, of unequal strength, in noise.
inline Digits draw_digits(weft::index n, weft::Generator generator) {
    using namespace weft;
    static constexpr std::array<std::array<int, 5>, 10> font{{{7, 5, 5, 5, 7},
                                                              {2, 6, 2, 2, 7},
                                                              {7, 1, 7, 4, 7},
                                                              {7, 1, 7, 1, 7},
                                                              {5, 5, 7, 1, 1},
                                                              {7, 4, 7, 1, 7},
                                                              {7, 4, 7, 5, 7},
                                                              {7, 1, 2, 2, 2},
                                                              {7, 5, 7, 5, 7},
                                                              {7, 5, 7, 1, 7}}};
    Digits digits;
    auto images = Tensor<float, 3>::empty({n, 8, 8});
    auto labels = Tensor<std::int64_t, 1>::empty({n});
    fill_uniform(generator, images.mutable_data(), images.size(), 0.0f, 2.0f);
    for (weft::index i = 0; i < n; ++i) {
        std::int64_t draw[3];
        fill_integers(generator, &draw[0], 1, 0, 10);
        fill_integers(generator, &draw[1], 2, 1, 3);
        float strength = 0;
        fill_uniform(generator, &strength, 1, 8.0f, 14.0f);
        labels.mutable_data()[i] = draw[0];
        float* const image = images.mutable_data() + i * 64;
        for (int row = 0; row < 5; ++row)
            for (int column = 0; column < 3; ++column)
                if (font[static_cast<std::size_t>(draw[0])][static_cast<std::size_t>(row)] >> (2 - column) & 1)
                    image[(row + draw[1]) * 8 + column + draw[2] + 1] += strength;
    }
    digits.images = images;
    digits.labels = labels;
    digits.train = n - n / 4;
    return digits;
}

} // namespace norm_act
