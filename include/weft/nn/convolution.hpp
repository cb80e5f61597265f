// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/ops/add.hpp>
#include <weft/core/reduce.hpp>
#include <weft/core/views.hpp>
#include <weft/linalg/correlation_depthwise.hpp>
#include <weft/linalg/correlation_pixels.hpp>
#include <weft/linalg/correlation_planes.hpp>
#include <weft/linalg/matmul.hpp>
#include <weft/nn/window.hpp>

namespace weft::inline WEFT_ABI::nn {

/// Options of `conv2d`.
struct ConvolutionOptions {
    Pair stride = 1;
    Pair padding = 0;  ///< rows and columns of zeros on either side
    Pair dilation = 1; ///< distance of the kernel's positions
    index groups = 1;  ///< parts of the channels with weights of their own
    Layout layout = Layout::channels_first;
};

namespace detail {

using weft::detail::Correlation, weft::detail::Into, weft::detail::Scratch, weft::detail::TapWeights,
    weft::detail::WindowAxis;

struct Convolution {
    static constexpr auto name = "conv2d";
    ConvolutionOptions options;

    /// Errors: see conv2d.
    Extents<4> result_shape(const Extents<4>& x, const Extents<4>& weight) const {
        const ImageShape image(x, options.layout);
        const auto& o = options;
        const auto fail = [&](std::string_view rule, std::initializer_list<weft::detail::Piece> pieces = {}) {
            throw error(name, "x is {}, weight is {}: {}", weft::detail::shape_text(x),
                        weft::detail::shape_text(weight), weft::detail::message(rule, pieces));
        };
        require_pair(name, "stride", o.stride, 1);
        require_pair(name, "padding", o.padding, 0);
        require_pair(name, "dilation", o.dilation, 1);
        if (o.groups < 1) throw error(name, "there are {} groups: must be positive", o.groups);
        if (weight[0] % o.groups != 0 || image.channels != weight[1] * o.groups)
            fail("with {} groups x must be {} of {} channels, and the channels out a multiple of {}",
                 {o.groups, image.axes(), weight[1] * o.groups, o.groups});
        if (weight[2] < 1 || weight[3] < 1) fail("the kernel must not be empty");
        const WindowAxis rows = row_axis(image, weight), columns = column_axis(image, weight);
        if (rows.out() < 1 || columns.out() < 1)
            fail("a kernel of {} x {} must fit in the padded image of {} x {}",
                 {o.dilation.height * (weight[2] - 1) + 1, o.dilation.width * (weight[3] - 1) + 1,
                  image.height + 2 * o.padding.height, image.width + 2 * o.padding.width});
        ImageShape y = image;
        y.channels = weight[0];
        y.height = rows.out();
        y.width = columns.out();
        return y.extents();
    }

    template <class T, class... Bias>
    Tensor<T, 4> forward(const Tensor<T, 4>& x, const Tensor<T, 4>& weight, const Bias&... bias) const {
        const Extents<4> shape = result_shape(x.shape(), weight.shape());
        const auto of_planes = [&]<class P>(const Tensor<P, 4>& a, const Tensor<P, 4>& w) {
            auto y = Tensor<P, 4>::empty(shape);
            const P* add = nullptr;
            if constexpr (std::is_same_v<P, T>) ((add = bias.data()), ...);
            value(a, w, add, y.mutable_data());
            return y;
        };
        if constexpr (weft::detail::IsDual<T>::value && sizeof...(Bias) > 0)
            return weft::detail::bilinear(x, weight, of_planes) + (as_channels(bias), ...);
        else
            return weft::detail::bilinear(x, weight, of_planes);
    }

    template <class T, class Sink, class... Bias>
    void backward(const Tensor<T, 4>& dy, const Tensor<T, 4>&, Sink& sink, const Tensor<T, 4>& x,
                  const Tensor<T, 4>& weight, const Bias&...) const {
        if (sink.template wants<0>())
            sink.template add<0>(
                weft::detail::bilinear(dy, weight, [&]<class P>(const Tensor<P, 4>& d, const Tensor<P, 4>& w) {
                    auto dx = Tensor<P, 4>::empty(x.shape());
                    input_gradient(d, w, ImageShape(x.shape(), options.layout), dx.mutable_data());
                    return dx;
                }));
        if (sink.template wants<1>())
            sink.template add<1>(
                weft::detail::bilinear(x, dy, [&]<class P>(const Tensor<P, 4>& a, const Tensor<P, 4>& d) {
                    auto dw = Tensor<P, 4>::empty(weight.shape());
                    weight_gradient(a, d, weight.shape(), dw.mutable_data());
                    return dw;
                }));
        if constexpr (sizeof...(Bias) > 0)
            if (sink.template wants<2>()) {
                if (options.layout == Layout::channels_first)
                    sink.template add<2>(eval(sum<0, 2, 3>(dy)));
                else
                    sink.template add<2>(eval(sum<0, 1, 2>(dy)));
            }
    }

private:
    WindowAxis row_axis(const ImageShape& image, const Extents<4>& weight) const {
        return {image.height, weight[2], options.stride.height, options.padding.height, options.dilation.height};
    }
    WindowAxis column_axis(const ImageShape& image, const Extents<4>& weight) const {
        return {image.width, weight[3], options.stride.width, options.padding.width, options.dilation.width};
    }
    bool planes() const { return options.layout == Layout::channels_first; }

    template <class T>
    Tensor<T, 4> as_channels(const Tensor<T, 1>& bias) const {
        if (planes()) return reshape(bias, Extents<4>{1, bias.size(), 1, 1});
        return reshape(bias, Extents<4>{1, 1, 1, bias.size()});
    }

    Correlation forward_correlation(const ImageShape& image, const Extents<4>& weight) const {
        return {.batch = image.batch,
                .groups = options.groups,
                .in = weight[1],
                .out = weight[0] / options.groups,
                .rows = row_axis(image, weight).forward(),
                .columns = column_axis(image, weight).forward()};
    }

    /// Each output is a product of the channels at its own place, which lie together.
    bool is_product(const Correlation& c) const { return !planes() && c.groups == 1 && weft::detail::is_pointwise(c); }

    template <class T>
    void value(const Tensor<T, 4>& x, const Tensor<T, 4>& weight, const T* bias, T* y) const {
        const ImageShape image(x.shape(), options.layout);
        const Correlation c = forward_correlation(image, weight.shape());
        if (c.batch == 0 || c.out == 0) return;
        if (is_product(c))
            return weft::detail::product<T>(c.batch * c.pixels(), c.out, c.in, {x.data(), c.in, 1},
                                            {weight.data(), 1, c.in}, y, Into::replace, bias);
        const index depth = c.depth();
        correlate<T>(c, x.data(), {weight.data(), c.out * depth, depth, c.taps(), c.columns.taps()}, bias, y);
    }

    template <class T>
    void input_gradient(const Tensor<T, 4>& dy, const Tensor<T, 4>& weight, const ImageShape& image, T* dx) const {
        const Extents<4>& w = weight.shape();
        const Correlation forward = forward_correlation(image, w);
        const index size = image.batch * image.channels * image.pixels();
        if (size == 0) return;
        if (is_product(forward))
            return weft::detail::product<T>(image.batch * image.pixels(), forward.in, forward.out,
                                            {dy.data(), forward.out, 1}, {weight.data(), forward.in, 1}, dx,
                                            Into::replace);
        const TapWeights<T> turned{weight.data(), forward.out * forward.depth(), forward.taps(), forward.depth(), w[3]};
        Correlation c{.batch = image.batch, .groups = options.groups, .in = forward.out, .out = forward.in};
        // Positions that no window reaches are not written.
        bool all_reached = true;
        std::vector<Correlation> phases;
        for (index row = 0; row < std::min(options.stride.height, image.height); ++row) {
            c.rows = row_axis(image, w).adjoint(row);
            for (index column = 0; column < std::min(options.stride.width, image.width); ++column) {
                c.columns = column_axis(image, w).adjoint(column);
                if (c.depth() > 0)
                    phases.push_back(c);
                else
                    all_reached = false;
            }
        }
        if (!all_reached) std::fill_n(dx, size, T{});
        for (const Correlation& phase : phases) correlate<T>(phase, dy.data(), turned, nullptr, dx);
    }

    template <class T>
    void weight_gradient(const Tensor<T, 4>& x, const Tensor<T, 4>& dy, const Extents<4>& weight, T* dweight) const {
        const Correlation c = forward_correlation(ImageShape(x.shape(), options.layout), weight);
        if (c.batch == 0 || c.in == 0 || c.out == 0)
            std::fill_n(dweight, c.groups * c.out * c.depth(), T{});
        else if (is_product(c))
            weft::detail::product<T>(c.out, c.in, c.batch * c.pixels(), {dy.data(), 1, c.out}, {x.data(), c.in, 1},
                                     dweight, Into::replace);
        else if (planes() && c.in == 1 && c.out <= few)
            weft::detail::correlate_depthwise_planes_weight(c, x.data(), dy.data(), dweight);
        else if (planes())
            weft::detail::correlate_planes_weight(c, x.data(), dy.data(), dweight);
        else if (c.in == 1 && c.out == 1)
            weft::detail::correlate_depthwise_pixels_weight(c, x.data(), dy.data(), dweight);
        else
            weft::detail::correlate_pixels_weight(c, x.data(), dy.data(), dweight);
    }

    /// Channels of a group up to which products of matrices do not pay.
    static constexpr index few = 4;

    template <class T>
    void correlate(const Correlation& c, const T* x, const TapWeights<T>& weights, const T* bias, T* y) const {
        if (c.depth() == 0) { // no channels in
            const index all = c.groups * c.out, run = planes() ? c.pixels() : 1;
            for (index i = 0; i < c.batch * c.pixels() * all; ++i) y[i] = bias ? bias[i / run % all] : T{};
            return;
        }
        if (!planes()) {
            if (c.in == 1 && c.out == 1) return weft::detail::correlate_depthwise_pixels(c, x, weights, bias, y);
            return weft::detail::correlate_pixels(c, x, weights, bias, y);
        }
        if (c.in <= few && c.out <= few) return weft::detail::correlate_depthwise_planes(c, x, weights, bias, y);
        weft::detail::correlate_planes(c, x, weights, bias, y);
    }
};

template <class X, class W>
void check_convolution(const X& x, const W& weight, const ConvolutionOptions& options) {
    static_assert(X::rank == 4 && W::rank == 4,
                  "weft: conv2d: x is [N, C, H, W] or [N, H, W, C], weight [out, in / groups, height, width]");
    static_assert(std::same_as<typename X::value_type, typename W::value_type>,
                  "weft: conv2d: x and weight must have the same element type: use cast");
    (void)Convolution{options}.result_shape(x.shape(), weight.shape());
}

} // namespace detail

/// The convolution of images x, [N, C, H, W] or, with Layout::channels_last, [N, H, W, C], with weight
/// [out, C / groups, height, width], plus bias [out]; what PyTorch calls so: the kernel is not turned around. The
/// result has `out` channels of floor((H + 2 padding - dilation (height - 1) - 1) / stride) + 1 rows, and columns
/// likewise. O(N out C / groups) for each position of the kernel and of the result; the only memory besides it are
/// tiles that stay in cache and, for the gradient of the weight, some copies of that. Errors: channels that do not fit
/// the groups, a kernel larger than the padded image, a stride or dilation below 1, negative padding.
template <Expression X, Expression W>
auto conv2d(const X& x, const W& weight, const ConvolutionOptions& options = {}) {
    detail::check_convolution(x, weight, options);
    return apply_operation(detail::Convolution{options}, x, weight);
}
/// Errors also: the bias has another length than there are channels out.
template <Expression X, Expression W, Expression B>
requires(B::rank == 1) auto conv2d(const X& x, const W& weight, const B& bias, const ConvolutionOptions& options = {}) {
    detail::check_convolution(x, weight, options);
    if (bias.shape()[0] != weight.shape()[0])
        throw error("conv2d", "weight is {}, bias is {}: there must be a bias for each of the {} channels out",
                    weft::detail::shape_text(weight.shape()), weft::detail::shape_text(bias.shape()),
                    weight.shape()[0]);
    return apply_operation(detail::Convolution{options}, x, weight, bias);
}

} // namespace weft::inline WEFT_ABI::nn
