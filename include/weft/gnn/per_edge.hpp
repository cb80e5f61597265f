// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/combine.hpp>
#include <weft/grad/backward.hpp>
#include <weft/graph/edge_reduce.hpp>
#include <weft/nn/sequential.hpp>

namespace weft::inline WEFT_ABI::gnn {

namespace detail {

template <class M>
inline constexpr bool is_elementwise = requires {
    requires M::elementwise;
};

/// All parameters of a module one behind the other, [P]; recorded, so that a gradient of it reaches them.
template <class T, class M>
Var<T, 1> flat_parameters(const M& module) {
    Var<T, 1> flat(Tensor<T, 1>::empty({0}));
    nn::for_each_parameter(module, [&](std::string_view, const auto& parameter) {
        flat = concat(0, flat, reshape(parameter.var(), Extents<1>{parameter.size()}));
    });
    return flat;
}

/// A module applied to tiles of messages. In a backward each chunk of edges has a copy of the module, whose gradients
/// gather over its tiles.
template <class T, class M>
class ModuleStage final : public weft::detail::StageKind<T> {
public:
    explicit ModuleStage(const M& module) : module_(module) {}
    std::unique_ptr<weft::detail::StageWork<T>> work(bool with_backward) const override {
        if (with_backward) return std::make_unique<Recorded>(module_);
        return std::make_unique<Inferred>(module_);
    }

private:
    using Tile = weft::detail::EdgeTile;

    static Tensor<T, 2> rows(const Tile& tile, const T* messages) {
        auto x = Tensor<T, 2>::empty({tile.edges(), tile.message.width});
        std::copy_n(messages, x.size(), x.mutable_data());
        return x;
    }

    class Inferred final : public weft::detail::StageWork<T> {
    public:
        explicit Inferred(const M& module) : module_(module) {}
        void forward(const Tile& tile, const T* messages, T* values) override {
            const Tensor<T, 2> y = module_(rows(tile, messages));
            std::copy_n(y.data(), y.size(), values);
        }
        void backward(const Tile&, const T*, const T*, T*) override {}

    private:
        const M& module_;
    };

    class Recorded final : public weft::detail::StageWork<T> {
    public:
        explicit Recorded(const M& module) : module_(nn::clone(module)) {}
        void forward(const Tile& tile, const T* messages, T* values) override {
            x_ = Var<T, 2>(rows(tile, messages));
            y_ = module_(x_);
            const Tensor<T, 2> y = y_.value();
            std::copy_n(y.data(), y.size(), values);
        }
        void backward(const Tile&, const T*, const T* adjoint, T* message_adjoint) override {
            auto dy = Tensor<T, 2>::empty(y_.shape());
            std::copy_n(adjoint, dy.size(), dy.mutable_data());
            weft::backward(y_, dy);
            if (x_.has_grad()) {
                const Tensor<T, 2> dx = x_.grad();
                std::copy_n(dx.data(), dx.size(), message_adjoint);
            } else {
                std::fill_n(message_adjoint, x_.size(), T{});
            }
        }
        void add_parameter_gradient(T* to) const override {
            nn::for_each_parameter(module_, [&](std::string_view, const auto& parameter) {
                if (parameter.has_grad()) {
                    const auto gradient = parameter.grad();
                    weft::detail::combine_run<SumOf>(to, gradient.data(), gradient.size());
                }
                to += parameter.size();
            });
        }

    private:
        M module_;
        Var<T, 2> x_, y_;
    };

    M module_;
};

/// The operation of the stage that per_edge makes. P: a Var of all parameters, or Tensor where nothing is recorded.
template <class T, class M, class P>
class PerEdge {
public:
    using parameters_type = P;
    using mirror = PerEdge;
    static constexpr auto message_adjoint = weft::detail::MessageAdjoint::apart;

    explicit PerEdge(const M& module) : module_(module) {
        if constexpr (weft::detail::Structure<P>::recorded) parameters_ = flat_parameters<T>(module);
    }
    PerEdge mirrored() const { return *this; }
    static constexpr int rank(int message) { return message; }
    Extents<1> row(const Extents<1>& message) const {
        const auto none = module_(Tensor<T, 2>::empty({0, message[0]}));
        return {none.extent(1)};
    }
    template <int InnerRank>
    static constexpr weft::detail::Spread adjoint_spread() {
        return weft::detail::Spread::full;
    }
    template <class U>
    std::shared_ptr<const weft::detail::StageKind<U>> kind() const {
        static_assert(std::same_as<T, U>);
        return std::make_shared<ModuleStage<T, M>>(module_);
    }
    const P& parameters() const { return parameters_; }

private:
    M module_;
    P parameters_;
};

} // namespace detail

/// In an edge expression: the module (or any callable from [rows, in] to [rows, out], each row by itself) applied to
/// the message [in] of every edge, giving [out]: `max_in(g, per_edge(network, dst(p) + src(q)))`. Edges are taken some
/// hundred at a time, so what the module computes stays in the cache; the backward computes it again. The module's
/// parameters are trained where the message has a Var. O(E cost of the module); the backward keeps the gradient of the
/// messages [E, in] for a while, and, where the expression around this reads sources, the values [E, out].
template <class M, EdgeExpression E>
auto per_edge(const M& module, const E& message) {
    static_assert(E::rank == 1, "weft: per_edge: the message is a row [channels]");
    static_assert(nn::Module<M> || std::is_empty_v<M>,
                  "weft: per_edge: a module has a visit function, so that its parameters are trained");
    using T = weft::detail::compute_type<E>;
    using P = std::conditional_t<weft::detail::Structure<E>::differentiable, Var<T, 1>, Tensor<T, 1>>;
    return EdgeStage<detail::PerEdge<T, M, P>, E>(message, detail::PerEdge<T, M, P>(module));
}

/// Leading activations become part of the expression.
template <class... M, EdgeExpression E>
auto per_edge(const nn::Sequential<M...>& modules, const E& message) {
    if constexpr (sizeof...(M) == 0)
        return message;
    else if constexpr (detail::is_elementwise<std::tuple_element_t<0, std::tuple<M...>>>)
        return per_edge(modules.rest(), std::get<0>(modules.modules)(message));
    else
        return per_edge<nn::Sequential<M...>, E>(modules, message);
}

} // namespace weft::inline WEFT_ABI::gnn
