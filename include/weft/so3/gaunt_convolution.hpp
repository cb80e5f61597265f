// SPDX-License-Identifier: MIT
#pragma once

#include <weft/graph/graph.hpp>
#include <weft/so3/gaunt_circles.hpp>
#include <weft/so3/gaunt_frames.hpp>
#include <weft/so3/row_lanes.hpp>
#include <weft/so3/row_ranges.hpp>

namespace weft::inline WEFT_ABI::so3 {

namespace detail {

struct GauntConvolutionPlan {
    int l1, l2, l3;
    Circles circles;
    FrameCouplings couplings;

    GauntConvolutionPlan(int a, int b, int y)
        : l1(a), l2(b), l3(y), circles(std::max({a, b, y}), (a + b + y) / 2 + 1), couplings(std::max(a, y)) {}
    /// Nanoseconds for an edge and channel, about.
    double cost() const {
        const auto in = static_cast<double>(components_up_to(l1)), out = static_cast<double>(components_up_to(l3));
        return 0.03 * ((l1 + 1) * in + (l3 + 1) * out + circles.pairs() * (in + out));
    }
};

/// Rows [N, C, components] by node and packet of channels, the channels in the lanes; channels that are not there are
/// 0.
template <class T>
struct ChannelLanes {
    index channels, components;

    index packets() const { return (channels + lanes<T> - 1) / lanes<T>; }
    index row() const { return packets() * components * lanes<T>; }
    index count(index packet) const { return std::min(lanes<T>, channels - packet * lanes<T>); }
    void pack(const T* row_of_node, T* to) const {
        for (index p = 0; p < packets(); ++p)
            rows_to_lanes(row_of_node + p * lanes<T> * components, components, count(p),
                          to + p * components * lanes<T>);
    }
    void unpack(const T* from, T* row_of_node) const {
        for (index p = 0; p < packets(); ++p)
            lanes_to_rows(from + p * components * lanes<T>, components, count(p),
                          row_of_node + p * lanes<T> * components);
    }
    Tensor<T, 1> pack_all(const T* x, index nodes) const {
        auto all = Tensor<T, 1>::empty({nodes * row()});
        T* const to = all.mutable_data();
        for_each_row_chunk(nodes, 0.5 * static_cast<double>(row()), [&](index, index begin, index end) {
            for (index n = begin; n < end; ++n) pack(x + n * channels * components, to + n * row());
        });
        return all;
    }
};

/// Calls start(node), edge(lane of the frames, other end, edge) for its edges, and finish(node) for each row of the csr
/// in [begin, end).
template <class T, class Start, class Edge, class Finish>
void for_each_framed_edge(const FrameCouplings& couplings, const Csr& csr, index begin, index end, const T* r,
                          Start&& start, Edge&& edge, Finish&& finish) {
    EdgeFrames<T> frames(couplings);
    const std::int32_t* const ptr = csr.row_ptr.data();
    index loaded = ptr[begin], lane = 0;
    for (index node = begin; node < end; ++node) {
        start(node);
        for (index slot = ptr[node]; slot < ptr[node + 1]; ++slot, ++lane) {
            if (slot == loaded) {
                const index n = std::min<index>(lanes<T>, ptr[end] - slot);
                frames.load(csr.eid.data() + slot, n, r);
                loaded += n;
                lane = 0;
            }
            edge(frames, lane, csr.col.data()[slot], csr.eid.data()[slot]);
        }
        finish(node);
    }
}

/// x [N_src, C, (l1 + 1)^2], r [E, 3], h [E, C, l2 + 1] to [N_dst, C, (l3 + 1)^2].
struct GauntConvolutionOperation {
    static constexpr auto name = "gaunt_convolution";
    std::shared_ptr<const GauntConvolutionPlan> plan;
    Graph graph;

    template <class T>
    Tensor<T, 3> forward(const Tensor<T, 3>& x, const Tensor<T, 2>& r, const Tensor<T, 3>& h) const {
        return convolve(graph.in(), plan->l1, plan->l3, x, r, h);
    }
    /// The integral of three functions is symmetric: the gradient of x is the convolution back along the edges.
    template <class T, class Sink>
    void backward(const Tensor<T, 3>& dy, const Tensor<T, 3>&, Sink& sink, const Tensor<T, 3>& x, const Tensor<T, 2>& r,
                  const Tensor<T, 3>& h) const {
        if (sink.template wants<0>()) sink.template add<0>(convolve(graph.out(), plan->l3, plan->l1, dy, r, h));
        if (!sink.template wants<1>() && !sink.template wants<2>()) return;
        auto dr = Tensor<T, 2>::empty(r.shape());
        auto dh = Tensor<T, 3>::empty(h.shape());
        differentiate_filters(dy, x, r, h, dr.mutable_data(), dh.mutable_data());
        if (sink.template wants<1>()) sink.template add<1>(dr);
        if (sink.template wants<2>()) sink.template add<2>(dh);
    }

private:
    template <class F>
    void for_each_rows(const Csr& csr, index channels, F&& f) const {
        for_each_range(weft::detail::balanced_rows(csr.row_ptr, 64),
                       plan->cost() * static_cast<double>(channels * csr.col.size()),
                       [&](index, index begin, index end) { f(begin, end); });
    }
    /// The filter of an edge for a packet of channels: a component of each degree, of which short edges have the first.
    template <class T>
    void load_filter(const Tensor<T, 3>& h, index e, const ChannelLanes<T>& layout, index p, bool has_direction,
                     T* to) const {
        rows_to_lanes(h.data() + (e * layout.channels + p * lanes<T>)*layout.components, layout.components,
                      layout.count(p), to);
        if (!has_direction) std::fill_n(to + lanes<T>, plan->l2 * lanes<T>, T{});
    }

    /// For each row of the csr the sum over its edges of the products of filter and x of the other end.
    template <class T>
    Tensor<T, 3> convolve(const Csr& csr, int l_in, int l_out, const Tensor<T, 3>& x, const Tensor<T, 2>& r,
                          const Tensor<T, 3>& h) const {
        constexpr index w = lanes<T>, most = 2 * Circles::largest_group;
        const index channels = x.extent(1), rows = csr.row_ptr.size() - 1;
        const ChannelLanes<T> in{channels, components_up_to(l_in)}, out{channels, components_up_to(l_out)},
            filters{channels, plan->l2 + 1};
        const Tensor<T, 1> packed = in.pack_all(x.data(), x.extent(0));
        auto y = Tensor<T, 3>::empty({rows, channels, out.components});
        T* const to = y.mutable_data();
        const int order = std::min(l_in, l_out);
        const index stride = 2 * w * (order + 1);
        for_each_rows(csr, channels, [&](index begin, index end) {
            weft::detail::Scratch<T> memory(out.row() + (in.components + out.components + filters.components) * w +
                                            most * (stride + w) + 96);
            T* const sums = memory.take(out.row());
            T* const turned = memory.take(in.components * w);
            T* const product = memory.take(out.components * w);
            T* const filter = memory.take(filters.components * w);
            T* const circles = memory.take(most * stride);
            T* const values = memory.take(most * w);
            for_each_framed_edge<T>(
                plan->couplings, csr, begin, end, r.data(), [&](index) { std::fill_n(sums, out.row(), T{}); },
                [&](const EdgeFrames<T>& frames, index lane, index other, index e) {
                    const bool has_direction = !(frames.inverse_length(lane) == T{});
                    for (index p = 0; p < in.packets(); ++p) {
                        load_filter(h, e, filters, p, has_direction, filter);
                        frames.turn_in(lane, l_in, packed.data() + other * in.row() + p * in.components * w, turned);
                        std::fill_n(product, out.components * w, T{});
                        for (int group = 0; group < plan->circles.groups(); ++group) {
                            plan->circles.evaluate(group, l_in, order, turned, circles, stride);
                            plan->circles.evaluate_zonal(group, plan->l2, filter, values);
                            for (int c = 0; c < plan->circles.circles(group); ++c) {
                                const Packet<T> value = load_packet(values + c * w);
                                for (T *at = circles + c * stride, *last = at + stride; at != last; at += w)
                                    store_packet(at, value * load_packet(at));
                            }
                            plan->circles.collect(group, l_out, order, circles, stride, product);
                        }
                        frames.add_turned_back(lane, l_out, product, sums + p * out.components * w);
                    }
                },
                [&](index node) { out.unpack(sums, to + node * channels * out.components); });
        });
        return y;
    }

    /// The gradients of r and h. In the frame of an edge the filter is h_l Y_l0, and what moves with its direction are
    /// h_l Y_l1 and h_l Y_l-1: of the product of x and dy the orders up to 1 are all that is needed.
    template <class T>
    void differentiate_filters(const Tensor<T, 3>& dy, const Tensor<T, 3>& x, const Tensor<T, 2>& r,
                               const Tensor<T, 3>& h, T* dr, T* dh) const {
        using Scalar = typename weft::detail::DualScalar<T>::type;
        constexpr index w = lanes<T>, most = 2 * Circles::largest_group;
        const Csr& csr = graph.in();
        const int l1 = plan->l1, l2 = plan->l2, l3 = plan->l3;
        const index channels = x.extent(1);
        const ChannelLanes<T> in{channels, components_up_to(l1)}, out{channels, components_up_to(l3)},
            filters{channels, l2 + 1};
        const Tensor<T, 1> packed = in.pack_all(x.data(), x.extent(0));
        // Orders of x and dy that meet in orders up to 1 of the product, and a 0 behind them.
        const int order1 = std::min(l1, l3 + 1), order3 = std::min(l3, l1 + 1), orders = std::max(order1, order3);
        const index stride = 2 * w * (orders + 2), few = 4 * w;
        for_each_rows(csr, channels, [&](index begin, index end) {
            weft::detail::Scratch<T> memory(
                out.row() + (in.components + out.components + components_up_to(l2) + 2 * filters.components) * w +
                most * (2 * stride + few) + 128);
            T* const gradients = memory.take(out.row());
            T* const turned_x = memory.take(in.components * w);
            T* const turned_g = memory.take(out.components * w);
            T* const product = memory.take(components_up_to(l2) * w);
            T* const filter = memory.take(filters.components * w);
            T* const d_filter = memory.take(filters.components * w);
            T* const of_x = memory.take(most * stride);
            T* const of_g = memory.take(most * stride);
            T* const of_product = memory.take(most * few);
            std::fill_n(of_x, most * stride, T{});
            std::fill_n(of_g, most * stride, T{});
            for_each_framed_edge<T>(
                plan->couplings, csr, begin, end, r.data(),
                [&](index node) { out.pack(dy.data() + node * channels * out.components, gradients); },
                [&](const EdgeFrames<T>& frames, index lane, index other, index e) {
                    const bool has_direction = !(frames.inverse_length(lane) == T{});
                    Packet<T> along_x = splat(T{}), along_z = along_x;
                    for (index p = 0; p < in.packets(); ++p) {
                        load_filter(h, e, filters, p, has_direction, filter);
                        frames.turn_in(lane, l1, packed.data() + other * in.row() + p * in.components * w, turned_x);
                        frames.turn_in(lane, l3, gradients + p * out.components * w, turned_g);
                        std::fill_n(product, components_up_to(l2) * w, T{});
                        for (int group = 0; group < plan->circles.groups(); ++group) {
                            plan->circles.evaluate(group, l1, order1, turned_x, of_x, stride);
                            plan->circles.evaluate(group, l3, order3, turned_g, of_g, stride);
                            for (int c = 0; c < plan->circles.circles(group); ++c)
                                lowest_orders(of_x + c * stride, of_g + c * stride, orders, of_product + c * few);
                            plan->circles.collect(group, l2, 1, of_product, few, product);
                        }
                        for (int l = 0; l <= l2; ++l) {
                            const T* const middle = product + l * (l + 1) * w;
                            const Packet<T> d = load_packet(middle);
                            store_packet(d_filter + l * w, has_direction || l == 0 ? d : splat(T{}));
                            if (l == 0) continue;
                            // The slope of Y_l1 of norm 1 beside the pole, by z; of Y_l-1 by x.
                            const Packet<T> slope = constant<T>(static_cast<Scalar>(std::sqrt(l * (l + 1) / 2.0))) *
                                                    load_packet(filter + l * w);
                            along_x = multiply_add(slope, load_packet(middle - w), along_x);
                            along_z = multiply_add(slope, load_packet(middle + w), along_z);
                        }
                        lanes_to_rows(d_filter, filters.components, filters.count(p),
                                      dh + (e * channels + p * w) * filters.components);
                    }
                    const T scale = frames.inverse_length(lane);
                    const auto d =
                        frames.turned_back(lane, sum_lanes<T>(along_x) * scale, sum_lanes<T>(along_z) * scale);
                    std::copy_n(d.data(), 3, dr + 3 * e);
                },
                [](index) {});
        });
    }
    /// Orders 0 and 1 of the product of two real functions with coefficients up to `orders`, behind which a 0 is.
    template <class T>
    static void lowest_orders(const T* a, const T* b, int orders, T* to) {
        constexpr index w = lanes<T>;
        Packet<T> ar = load_packet(a), ai = splat(T{}), br = load_packet(b), bi = ai;
        Packet<T> mean = ar * br, both = ai, re = ai, im = ai;
        for (int m = 0; m <= orders; ++m) {
            a += 2 * w;
            b += 2 * w;
            const Packet<T> next_ar = load_packet(a), next_ai = load_packet(a + w), next_br = load_packet(b),
                            next_bi = load_packet(b + w);
            // a_(m + 1) conj(b_m) + conj(a_m) b_(m + 1)
            re = multiply_add(next_ar, br, multiply_add(next_ai, bi, re));
            im = multiply_add(next_ai, br, multiply_add(Packet<T>(-next_ar), bi, im));
            re = multiply_add(next_br, ar, multiply_add(next_bi, ai, re));
            im = multiply_add(next_bi, ar, multiply_add(Packet<T>(-next_br), ai, im));
            both = multiply_add(next_ar, next_br, multiply_add(next_ai, next_bi, both));
            ar = next_ar;
            ai = next_ai;
            br = next_br;
            bi = next_bi;
        }
        store_packet(to, mean + both + both);
        store_packet(to + w, splat(T{}));
        store_packet(to + 2 * w, re);
        store_packet(to + 3 * w, im);
    }
};

} // namespace detail

/// The convolution of functions on the sphere over a graph: for each destination the sum over its edges of the product,
/// as of GauntTensorProduct, of the function of the source and the filter of the edge, sum over l of
/// h_l |Y_l(r)|^-1 Y_l(r), projected on degrees up to l3. Luo, Chen & Krishnapriyan (arXiv 2401.10216).
///
/// In a frame whose axis is the direction of the edge the filter is the same along circles around it, so that products
/// are those of numbers (as in eSCN, Passaro & Zitnick, arXiv 2302.03655): O(L^3) for each edge and channel, with a
/// filter of its own for each. The functions are turned into that frame and back; no message is stored. Gradients of
/// any order by all operands, that of r by the slopes of the harmonics, which has no poles.
class GauntConvolution {
public:
    /// Of nothing, to be assigned to.
    GauntConvolution() : GauntConvolution(0, 0, 0) {}
    /// Functions of degrees up to l1, filters up to l2, results up to l3. Errors: a degree is negative.
    GauntConvolution(int l1, int l2, int l3) {
        if (std::min({l1, l2, l3}) < 0)
            throw error("GauntConvolution", "degrees {}, {}, {}: must not be negative", l1, l2, l3);
        plan_ = std::make_shared<const detail::GauntConvolutionPlan>(l1, l2, l3);
    }
    /// Degree of the features, at most.
    int l1() const { return plan_->l1; }
    /// Degree of the edges' functions, at most.
    int l2() const { return plan_->l2; }
    /// Degree of the result, at most.
    int l3() const { return plan_->l3; }

    /// x [N_src, C, (l1 + 1)^2], directions r [E, 3] of any length (edges up to 1e-12 long have a filter of degree 0
    /// alone, and no gradient of r), filters h [E, C, l2 + 1], to [N_dst, C, (l3 + 1)^2]. Edges in the order in which
    /// they were given. Errors: the extents do not fit.
    template <Expression X, Expression R, Expression H>
    auto operator()(const Graph& g, const X& x, const R& r, const H& h) const {
        static_assert(X::rank == 3 && R::rank == 2 && H::rank == 3,
                      "weft: GauntConvolution: x is [N, C, components], r [E, 3], h [E, C, l2 + 1]");
        const auto require = [](const char* what, const auto& value, const auto& shape) {
            if (value.shape() != shape)
                throw error("GauntConvolution", "{} is {}: must be {}", what, weft::detail::shape_text(value.shape()),
                            weft::detail::shape_text(shape));
        };
        const index channels = x.extent(1);
        require("x", x, Extents<3>{g.num_src(), channels, components_up_to(l1())});
        require("r", r, Extents<2>{g.num_edges(), 3});
        require("h", h, Extents<3>{g.num_edges(), channels, l2() + 1});
        return apply_operation(detail::GauntConvolutionOperation{plan_, g}, contiguous(x), contiguous(r),
                               contiguous(h));
    }

private:
    std::shared_ptr<const detail::GauntConvolutionPlan> plan_;
};

} // namespace weft::inline WEFT_ABI::so3
