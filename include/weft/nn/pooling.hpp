// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/evaluate.hpp>
#include <weft/core/iteration.hpp>
#include <weft/nn/window.hpp>

#include <cstdint>

/// The largest or the mean value of windows of images, with PyTorch's conventions. The mean of whole images is
/// `mean<2, 3>(x)` of [N, C, H, W] and `mean<1, 2>(x)` of [N, H, W, C].
namespace weft::inline WEFT_ABI::nn {

/// Options of `max_pool2d`.
struct PoolOptions {
    Pair stride = 0;        ///< 0: the extent of the kernel, so that windows lie side by side
    Pair padding = 0;       ///< at most half of the window
    bool ceil_mode = false; ///< a last window may reach beyond the padded image
    Layout layout = Layout::channels_first;
};
/// Options of `avg_pool2d`.
struct AveragePoolOptions {
    Pair stride = 0;
    Pair padding = 0;
    bool ceil_mode = false;
    bool count_include_pad = true; ///< padding counts as zeros, which lessen the mean
    Layout layout = Layout::channels_first;
};

namespace detail {

/// Windows of images as [images, height, width, channels that lie together].
struct Pool {
    Pair kernel, stride, padding;
    bool ceil_mode;
    Layout layout;

    template <class Options>
    Pool(Pair window, const Options& o)
        : kernel(window), stride(o.stride.height == 0 ? window.height : o.stride.height,
                                 o.stride.width == 0 ? window.width : o.stride.width),
          padding(o.padding), ceil_mode(o.ceil_mode), layout(o.layout) {}

    /// Errors: see max_pool2d.
    Extents<4> result_shape(const char* name, const Extents<4>& x) const {
        require_pair(name, "kernel", kernel, 1);
        require_pair(name, "stride", stride, 1);
        require_pair(name, "padding", padding, 0);
        if (2 * padding.height > kernel.height || 2 * padding.width > kernel.width)
            throw error(name, "padding is [{}, {}], kernel [{}, {}]: padding must be at most half of the kernel",
                        padding.height, padding.width, kernel.height, kernel.width);
        ImageShape image(x, layout);
        if (image.height + 2 * padding.height < kernel.height || image.width + 2 * padding.width < kernel.width)
            throw error(name, "x is {}, kernel [{}, {}], padding [{}, {}]: the kernel must fit in the padded image",
                        weft::detail::shape_text(x), kernel.height, kernel.width, padding.height, padding.width);
        image.height = positions(image.height, kernel.height, stride.height, padding.height);
        image.width = positions(image.width, kernel.width, stride.width, padding.width);
        return image.extents();
    }

    struct Window {
        index in, out;                  // the first element of its image, and its result
        index top, bottom, left, right; // the part within the image
        index size;                     // with padding
        index width, channels;          // of the image

        /// Calls f(element, position in the image) for the elements of its first channel.
        template <class F>
        void for_each(F&& f) const {
            for (index h = top; h < bottom; ++h)
                for (index w = left; w < right; ++w) f(in + (h * width + w) * channels, h * width + w);
        }
    };
    /// Calls f(window) for all windows of x; those of one image one after the other on one thread.
    template <class F>
    void for_each_window(const Extents<4>& x, const Extents<4>& y, F&& f) const {
        const ImageShape from(x, layout), to(y, layout);
        const bool last = layout == Layout::channels_last;
        const index images = last ? from.batch : from.batch * from.channels, channels = last ? from.channels : 1;
        const index each = to.pixels() * channels, cost = each * (kernel.height * kernel.width + 4);
        const index grain = std::max<index>(1, (index{1} << 14) / std::max<index>(1, cost));
        weft::detail::for_each_chunk(
            (images + grain - 1) / grain, static_cast<double>(images) * static_cast<double>(cost), [&](index chunk) {
                for (index i = chunk * grain; i < std::min(images, (chunk + 1) * grain); ++i)
                    for (index h = 0; h < to.height; ++h)
                        for (index w = 0; w < to.width; ++w) {
                            const index top = h * stride.height - padding.height;
                            const index left = w * stride.width - padding.width;
                            const index bottom = std::min(top + kernel.height, from.height + padding.height);
                            const index right = std::min(left + kernel.width, from.width + padding.width);
                            f(Window{.in = i * from.pixels() * channels,
                                     .out = i * each + (h * to.width + w) * channels,
                                     .top = std::max<index>(top, 0),
                                     .bottom = std::min(bottom, from.height),
                                     .left = std::max<index>(left, 0),
                                     .right = std::min(right, from.width),
                                     .size = (bottom - top) * (right - left),
                                     .width = from.width,
                                     .channels = channels});
                        }
            });
    }

private:
    index positions(index in, index window, index step, index pad) const {
        const index room = in + 2 * pad - window;
        if (!ceil_mode) return room / step + 1;
        const index count = (room + step - 1) / step + 1;
        return (count - 1) * step >= in + pad ? count - 1 : count; // none begins behind the image
    }
};

struct MaxPool {
    static constexpr auto name = "max_pool2d";
    Pool pool;
    Tensor<std::int32_t, 4> places{}; // of the largest elements in their images

    template <class T>
    Tensor<T, 4> forward(const Tensor<T, 4>& x) const {
        return run(x, [](index, index) {});
    }
    template <class T>
    Tensor<T, 4> forward_recorded(const Tensor<T, 4>& x) {
        places = Tensor<std::int32_t, 4>::empty(pool.result_shape(name, x.shape()));
        std::int32_t* const to = places.mutable_data();
        return run(x, [to](index result, index place) { to[result] = static_cast<std::int32_t>(place); });
    }
    template <class T, class Sink>
    void backward(const Tensor<T, 4>& dy, const Tensor<T, 4>&, Sink& sink, const Tensor<T, 4>& x) const {
        if (!sink.template wants<0>()) return;
        auto dx = Tensor<T, 4>::zeros(x.shape());
        T* const to = dx.mutable_data();
        pool.for_each_window(x.shape(), dy.shape(), [&](const Pool::Window& w) {
            for (index c = 0; c < w.channels; ++c) {
                T& element = to[w.in + places.data()[w.out + c] * w.channels + c];
                element = element + dy.data()[w.out + c];
            }
        });
        sink.template add<0>(dx);
    }

private:
    /// The first of equal ones; a NaN is larger than all else.
    template <class T, class F>
    Tensor<T, 4> run(const Tensor<T, 4>& x, F&& keep) const {
        auto y = Tensor<T, 4>::empty(pool.result_shape(name, x.shape()));
        T* const to = y.mutable_data();
        pool.for_each_window(x.shape(), y.shape(), [&](const Pool::Window& w) {
            bool first = true;
            w.for_each([&](index element, index place) {
                for (index c = 0; c < w.channels; ++c) {
                    const T& value = x.data()[element + c];
                    if (!first && !(value > to[w.out + c]) && value == value) continue;
                    to[w.out + c] = value;
                    keep(w.out + c, place);
                }
                first = false;
            });
        });
        return y;
    }
};

struct AveragePool {
    static constexpr auto name = "avg_pool2d";
    Pool pool;
    bool count_include_pad;

    template <class T>
    Tensor<T, 4> forward(const Tensor<T, 4>& x) const {
        auto y = Tensor<T, 4>::zeros(pool.result_shape(name, x.shape()));
        T* const to = y.mutable_data();
        pool.for_each_window(x.shape(), y.shape(), [&](const Pool::Window& w) {
            w.for_each([&](index element, index) {
                for (index c = 0; c < w.channels; ++c) to[w.out + c] = to[w.out + c] + x.data()[element + c];
            });
            for (index c = 0; c < w.channels; ++c) to[w.out + c] = to[w.out + c] / T(divisor(w));
        });
        return y;
    }
    template <class T, class Sink>
    void backward(const Tensor<T, 4>& dy, const Tensor<T, 4>&, Sink& sink, const Tensor<T, 4>& x) const {
        if (!sink.template wants<0>()) return;
        auto dx = Tensor<T, 4>::zeros(x.shape());
        T* const to = dx.mutable_data();
        pool.for_each_window(x.shape(), dy.shape(), [&](const Pool::Window& w) {
            const T share = T(1 / divisor(w));
            w.for_each([&](index element, index) {
                for (index c = 0; c < w.channels; ++c) to[element + c] = to[element + c] + dy.data()[w.out + c] * share;
            });
        });
        sink.template add<0>(dx);
    }

private:
    double divisor(const Pool::Window& w) const {
        return static_cast<double>(count_include_pad ? w.size : (w.bottom - w.top) * (w.right - w.left));
    }
};

} // namespace detail

/// The largest element of each window of kernel.height x kernel.width of images [N, C, H, W], or [N, H, W, C] with
/// Layout::channels_last. What lies in the padding is never the largest. There are
/// floor((H + 2 padding - kernel) / stride) + 1 rows of windows, and columns likewise. The gradient goes to the first
/// of equal elements; a NaN is larger than all else. Errors: a kernel below 1, negative strides, padding that is
/// negative or more than half of the kernel, a kernel larger than the padded image.
template <Expression X>
auto max_pool2d(const X& x, Pair kernel, const PoolOptions& options = {}) {
    static_assert(X::rank == 4, "weft: max_pool2d: x is [N, C, H, W] or [N, H, W, C]");
    return apply_operation(detail::MaxPool{{kernel, options}}, x);
}

/// The mean of each window, likewise.
template <Expression X>
auto avg_pool2d(const X& x, Pair kernel, const AveragePoolOptions& options = {}) {
    static_assert(X::rank == 4, "weft: avg_pool2d: x is [N, C, H, W] or [N, H, W, C]");
    return apply_operation(detail::AveragePool{{kernel, options}, options.count_include_pad}, x);
}

/// max_pool2d as a module, for nn::Sequential.
struct MaxPool2d {
    Pair kernel;
    PoolOptions options{};

    /// See max_pool2d.
    template <Expression X>
    auto operator()(const X& x) const {
        return max_pool2d(x, kernel, options);
    }
    void visit(auto&&) {}
};

/// avg_pool2d as a module, for nn::Sequential.
struct AvgPool2d {
    Pair kernel;
    AveragePoolOptions options{};

    /// See avg_pool2d.
    template <Expression X>
    auto operator()(const X& x) const {
        return avg_pool2d(x, kernel, options);
    }
    void visit(auto&&) {}
};

} // namespace weft::inline WEFT_ABI::nn
