// SPDX-License-Identifier: MIT
#pragma once

#include <weft/linalg/correlation.hpp>

/// Correlations of images [N, C, H, W], whose channels are planes. Strips of the input are copied between zeros, sorted
/// by the phase of the stride; then what a tap reads for a run of outputs is a run as well.
namespace weft::inline WEFT_ABI::detail {

/// Planes of some rows of outputs, with zeros around them.
template <class T>
class PaddedPlanes {
public:
    /// For up to so many images and rows of outputs at once.
    PaddedPlanes(const Correlation& c, index images, index rows)
        : c_(c), rows_(c.rows), columns_(c.columns), height_(rows + rows_.reach),
          pitch_(c.columns.count + columns_.reach),
          image_(height_ * pitch_ * static_cast<index>(rows_.phases.size() * columns_.phases.size())),
          channel_(image_ * images) {
        for (std::size_t h = 0; h < rows_.shift.size(); ++h)
            for (std::size_t w = 0; w < columns_.shift.size(); ++w) {
                const index phase =
                    rows_.phase[h] * static_cast<index>(columns_.phases.size()) + columns_.phase[w];
                offsets_.push_back((phase * height_ + rows_.shift[h]) * pitch_ + columns_.shift[w]);
            }
    }
    index pitch() const { return pitch_; }
    index image() const { return image_; }
    index channel() const { return channel_; }
    /// Where a tap reads for the first output.
    const std::vector<index>& offsets() const { return offsets_; }

    /// What the outputs of `rows` rows from `row` on need of a plane; its surroundings are zero already.
    void read(T* to, const T* plane, index row, index rows) const {
        const index width = c_.columns.in;
        for (const index row_phase : rows_.phases) {
            const index first = row * c_.rows.stride + rows_.base + row_phase;
            const auto [begin, end] = inside(first, c_.rows.stride, c_.rows.in, rows + rows_.reach);
            for (const index column_phase : columns_.phases) {
                const index left = columns_.base + column_phase, stride = c_.columns.stride;
                const auto [low, high] = inside(left, stride, width, pitch_);
                for (index r = begin; r < end; ++r) {
                    const T* const from = plane + (first + r * c_.rows.stride) * width + left;
                    T* const line = to + r * pitch_;
                    if (stride == 1)
                        copy_run(line + low, from + low, high - low);
                    else
                        for (index i = low; i < high; ++i) line[i] = from[i * stride];
                }
                to += height_ * pitch_;
            }
        }
    }

private:
    /// How the taps of an axis lie to the stride.
    struct Phases {
        index base = 0, reach = 0;    // the first offset; the largest shift
        std::vector<index> phases{};  // that occur
        std::vector<index> phase{}, shift{}; // of each tap: which of them, and how many strides on

        explicit Phases(const CorrelationAxis& a) : base(a.offset.front()) {
            for (const index offset : a.offset) {
                const index own = (offset - base) % a.stride;
                const auto found = std::find(phases.begin(), phases.end(), own);
                phase.push_back(found - phases.begin());
                if (found == phases.end()) phases.push_back(own);
                shift.push_back((offset - base) / a.stride);
                reach = std::max(reach, shift.back());
            }
        }
    };
    /// The i in [0, count) with first + stride i in [0, extent).
    static std::pair<index, index> inside(index first, index stride, index extent, index count) {
        const index begin = first < 0 ? divide_up(-first, stride) : 0;
        const index end = first < extent ? std::min(count, divide_up(extent - first, stride)) : 0;
        return {std::min(begin, end), end};
    }

    const Correlation& c_;
    Phases rows_, columns_;
    index height_, pitch_, image_, channel_;
    std::vector<index> offsets_{};
};

/// The outputs of a group in pieces of about `limit` elements of a plane: rows of an image, or several images.
struct Strips {
    index images, rows; // of a strip, at most
    index per_image, count;

    explicit Strips(const Correlation& c) {
        const index limit = c.batch * c.pixels() >= 8192 ? 512 : 256;
        images = std::clamp<index>(limit / c.pixels(), 1, c.batch);
        rows = images > 1 ? c.rows.count
                          : block_length(c.rows.count, std::max<index>(1, limit / c.columns.count), 1);
        per_image = divide_up(c.rows.count, rows);
        count = divide_up(c.batch, images) * per_image;
    }
};

/// A strip of a correlation, in tasks of which each has memory of its own.
template <class T>
class StripOfPlanes {
    using Tile = ProductTile<T>;

public:
    /// Outputs that are unfolded at once.
    StripOfPlanes(const Correlation& c, const PaddedPlanes<T>& planes, const Strips& strips, index number, index width)
        : c_(c), planes_(planes), width_(width), image(number / strips.per_image * strips.images),
          row(number % strips.per_image * strips.rows), images(std::min(strips.images, c.batch - image)),
          rows(std::min(strips.rows, c.rows.count - row)) {
        runs_.reserve(static_cast<std::size_t>(width));
    }
    index pixels() const { return images * rows * c_.columns.count; }

    /// Copies of channels [first, first + count) of group g; `to` has padded_size() elements.
    void read(T* to, const T* x, index g, index first, index count) const {
        std::fill_n(to, count * planes_.channel(), T{});
        for (index channel = 0; channel < count; ++channel)
            for (index i = 0; i < images; ++i)
                planes_.read(to + channel * planes_.channel() + i * planes_.image(),
                             x + (((image + i) * c_.groups + g) * c_.in + first + channel) * c_.in_plane(), row, rows);
    }
    /// Row (channel, tap) of `to` is what the tap reads for the outputs [first, first + n), n <= width.
    WEFT_NOINLINE void unfold(T* to, const T* padded, index channels, index first, index n) {
        find_runs(first, n);
        constexpr index w = lanes<T>;
        for (index channel = 0; channel < channels; ++channel, padded += planes_.channel())
            for (const index offset : planes_.offsets()) {
                for (const Run& run : runs_) { // the packets of a run overlap the next, which is written later
                    const T* const from = padded + offset + run.from;
                    T* const begin = to + run.at;
                    store_packet(begin, load_packet(from));
                    for (index i = w; i < run.length; i += w) store_packet(begin + i, load_packet(from + i));
                }
                to += width_;
            }
    }
    /// Calls f(first, length, image, position in the image's outputs) for the images of the outputs [first, first + n).
    template <class F>
    void for_each_image(index first, index n, F&& f) const {
        const index size = rows * c_.columns.count;
        for (index p = first; p < first + n;) {
            const index length = std::min(first + n - p, size - p % size);
            f(p - first, length, image + p / size, row * c_.columns.count + p % size);
            p += length;
        }
    }

private:
    struct Run {
        index from, at, length;
    };
    void find_runs(index first, index n) {
        runs_.clear();
        const index width = c_.columns.count;
        index column = first % width, r = first / width % rows, i = first / width / rows;
        for (index at = 0; at < n;) {
            const index length = std::min(n - at, width - column);
            runs_.push_back({i * planes_.image() + r * planes_.pitch() + column, at, length});
            at += length;
            column = 0;
            if (++r == rows) {
                r = 0;
                ++i;
            }
        }
    }

    const Correlation& c_;
    const PaddedPlanes<T>& planes_;
    index width_;
    std::vector<Run> runs_{};

public:
    const index image, row, images, rows;
};

/// How many channels are unfolded at once.
template <class T>
index channel_block(const Correlation& c) {
    constexpr index depth = ProductTile<T>::depth + ProductTile<T>::depth / 4;
    return block_length(c.in, std::max<index>(1, depth / c.taps()), 1);
}

/// Whether outputs are products of the inputs at their own places.
inline bool is_pointwise(const Correlation& c) {
    const auto own = [](const CorrelationAxis& a) {
        return a.taps() == 1 && a.offset[0] == 0 && a.stride == 1 && a.in == a.count && a.in == a.out;
    };
    return own(c.rows) && own(c.columns);
}

/// y = the correlation of x [N, groups in, H, W] at the positions it writes, plus bias [groups out] if there is one.
/// `weights` are [groups, out, in, taps].
template <class T>
void correlate_planes(const Correlation& c, const T* x, const T* weights, const T* bias, T* y) {
    using Tile = ProductTile<T>;
    constexpr index width = Tile::columns;
    const Strips strips(c);
    const PaddedPlanes<T> planes(c, strips.images, strips.rows);
    const index block = channel_block<T>(c), taps = c.taps(), depth = c.depth(), plane = c.out_plane();
    for_each_chunk(c.groups * strips.count, c.nanoseconds<T>(), [&](index task) {
        const index g = task / strips.count;
        StripOfPlanes<T> strip(c, planes, strips, task % strips.count, width);
        const index panels = divide_up(strip.pixels(), width);
        const bool direct = c.in_order() && (strip.images == 1 || c.pixels() % width == 0);
        const bool as_it_lies = direct && is_pointwise(c) && strip.pixels() % lanes<T> == 0;
        const index padded_size = as_it_lies ? 0 : block * planes.channel();
        const index unfolded_size = as_it_lies ? 0 : block * taps * width;
        Scratch<T> scratch(Scratch<T>::rounded(padded_size) + Scratch<T>::rounded(unfolded_size + lanes<T>) +
                           (direct ? 0 : panels * c.out * width));
        T *const padded = scratch.take(padded_size), *const unfolded = scratch.take(unfolded_size + lanes<T>);
        T* const kept = scratch.take(0);
        for (index c0 = 0; c0 < c.in; c0 += block) {
            const index channels = std::min(block, c.in - c0), k = channels * taps;
            if (!as_it_lies) strip.read(padded, x, g, c0, channels);
            for (index panel = 0; panel < panels; ++panel) {
                const index first = panel * width, n = std::min(width, strip.pixels() - first);
                index of_image = strip.image, at = 0; // of the first output
                strip.for_each_image(first, 1, [&](index, index, index i, index position) {
                    of_image = i;
                    at = position;
                });
                T* const to = direct ? y + (of_image * c.groups + g) * c.out * plane + at : kept + panel * c.out * width;
                const index ldc = direct ? plane : width;
                const T* b = unfolded;
                if (as_it_lies)
                    b = x + ((of_image * c.groups + g) * c.in + c0) * plane + at;
                else
                    strip.unfold(unfolded, padded, channels, first, n);
                if (c0 == 0 && bias)
                    for (index o = 0; o < c.out; ++o) std::fill_n(to + o * ldc, n, bias[g * c.out + o]);
                const Into into = c0 == 0 && !bias ? Into::replace : Into::add;
                for (index o = 0; o < c.out; o += Tile::rows)
                    Tile::multiply(std::min(Tile::rows, c.out - o), n, k,
                                   {weights + (g * c.out + o) * depth + c0 * taps, depth, 1}, b,
                                   as_it_lies ? plane : width, to + o * ldc, ldc, into);
            }
        }
        for (index panel = 0; !direct && panel < panels; ++panel) {
            const index first = panel * width, n = std::min(width, strip.pixels() - first);
            const T* const from = kept + panel * c.out * width;
            strip.for_each_image(first, n, [&](index begin, index length, index i, index position) {
                T* const image = y + (i * c.groups + g) * c.out * plane;
                if (c.in_order()) {
                    for (index o = 0; o < c.out; ++o)
                        copy_run(image + o * plane + position, from + o * width + begin, length);
                    return;
                }
                for (index p = 0; p < length;) {
                    const index r = (position + p) / c.columns.count, q = (position + p) % c.columns.count;
                    const index run = std::min(length - p, c.columns.count - q);
                    T* const to = image + (c.rows.start + r * c.rows.step) * c.columns.out + c.columns.start +
                                  q * c.columns.step;
                    for (index o = 0; o < c.out; ++o)
                        for (index e = 0; e < run; ++e)
                            to[o * plane + e * c.columns.step] = from[o * width + begin + p + e];
                    p += run;
                }
            });
        }
    });
}

/// The gradient of the weights, [groups, out, in, taps], of a correlation that writes every position.
template <class T>
void correlate_planes_weight(const Correlation& c, const T* x, const T* dy, T* dweight) {
    using Tile = ProductTile<T>;
    constexpr index width = 128; // outputs at once: what is added to the sums in one go
    const Strips strips(c);
    const PaddedPlanes<T> planes(c, strips.images, strips.rows);
    const index block = channel_block<T>(c), taps = c.taps(), depth = c.depth(), plane = c.out_plane();
    const index size = depth * c.out;
    const index parts = partial_sums(c, c.groups * size, strips.count);
    const index panels = divide_up(c.out, Tile::columns), panel_size = width * Tile::columns;
    Scratch<T> sums(c.groups * parts * size); // [groups, parts, in, taps, out]
    T* const all = sums.data();
    for_each_chunk(c.groups * parts, c.nanoseconds<T>(), [&](index task) {
        const index g = task / parts, part = task % parts;
        T* const sum = all + task * size;
        std::fill_n(sum, size, T{});
        const index blocks = divide_up(strips.images * strips.rows * c.columns.count, width);
        const index padded_size = block * planes.channel();
        const index unfolded_size = block * taps * width + lanes<T>;
        Scratch<T> scratch(Scratch<T>::rounded(padded_size) + Scratch<T>::rounded(unfolded_size) +
                           blocks * panels * panel_size);
        T *const padded = scratch.take(padded_size), *const unfolded = scratch.take(unfolded_size);
        T* const turned = scratch.take(blocks * panels * panel_size);
        const auto columns_of = [&](index panel) { return std::min(Tile::columns, c.out - panel * Tile::columns); };
        const auto packed_of = [&](index panel) { return divide_up(columns_of(panel), lanes<T>) * lanes<T>; };
        for (index number = part * strips.count / parts; number < (part + 1) * strips.count / parts; ++number) {
            StripOfPlanes<T> strip(c, planes, strips, number, width);
            const index outputs = strip.pixels();
            for (index b = 0; b * width < outputs; ++b)
                for (index panel = 0; panel < panels; ++panel) {
                    T* const to = turned + (b * panels + panel) * panel_size;
                    strip.for_each_image(
                        b * width, std::min(width, outputs - b * width),
                        [&](index at, index length, index i, index position) {
                            const index channel = (i * c.groups + g) * c.out + panel * Tile::columns;
                            pack_panel<T>(to + at * packed_of(panel), {dy + channel * plane + position, 1, plane},
                                          length, columns_of(panel), packed_of(panel));
                        });
                }
            for (index c0 = 0; c0 < c.in; c0 += block) {
                const index channels = std::min(block, c.in - c0), k = channels * taps;
                strip.read(padded, x, g, c0, channels);
                for (index b = 0; b * width < outputs; ++b) {
                    const index n = std::min(width, outputs - b * width);
                    strip.unfold(unfolded, padded, channels, b * width, n);
                    for (index panel = 0; panel < panels; ++panel)
                        for (index row = 0; row < k; row += Tile::rows)
                            Tile::multiply(std::min(Tile::rows, k - row), columns_of(panel), n,
                                           {unfolded + row * width, width, 1},
                                           turned + (b * panels + panel) * panel_size, packed_of(panel),
                                           sum + (c0 * taps + row) * c.out + panel * Tile::columns, c.out, Into::add);
                }
            }
        }
    });
    for (index g = 0; g < c.groups; ++g) {
        T* const sum = all + g * parts * size;
        combine_parts(sum, parts, size);
        for (index o = 0; o < c.out; ++o)
            for (index k = 0; k < depth; ++k) dweight[(g * c.out + o) * depth + k] = sum[k * c.out + o];
    }
}

} // namespace weft::inline WEFT_ABI::detail
