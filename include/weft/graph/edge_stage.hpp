// SPDX-License-Identifier: MIT
#pragma once

#include <weft/graph/edge_kernel.hpp>

#include <memory>

namespace weft::inline WEFT_ABI {

/// A value per edge that is computed from all edges of a destination (softmax_in), from a row (sum over channels), or
/// by something that is no expression: inside an expression it is evaluated for a tile of destinations at a time, into
/// scratch.
template <class Operation, class Inner>
class EdgeStage : public detail::ExpressionBase {
public:
    using value_type = typename Inner::value_type;
    using operation_type = Operation;
    static constexpr int rank = Operation::rank(Inner::rank);
    static constexpr bool edge_expression = true;
    static constexpr bool recorded = detail::Structure<Inner>::recorded;
    static constexpr bool differentiable = detail::Structure<Inner>::differentiable;
    static constexpr detail::Row row = detail::Row::stage;

    /// The operation's rows of the rows of `inner`, an edge expression. Nothing is computed yet.
    explicit EdgeStage(Inner inner, Operation operation = {})
        : inner_(std::move(inner)), operation_(std::move(operation)), extents_(operation_.row(inner_.shape())) {}
    const Extents<rank>& shape() const noexcept { return extents_; }
    /// The message.
    const Inner& inner() const noexcept { return inner_; }
    /// What is made of it.
    const Operation& operation() const noexcept { return operation_; }

private:
    Inner inner_;
    Operation operation_;
    Extents<rank> extents_;
};

namespace detail {

template <class E>
inline constexpr bool is_stage = false;
template <class Operation, class Inner>
inline constexpr bool is_stage<EdgeStage<Operation, Inner>> = true;

/// The edges of consecutive destinations, and the row of the messages that a stage takes.
struct EdgeTile {
    const EdgeRows& rows;
    index row_begin, row_end;
    RowExtents message;

    index first_edge() const { return rows.row_ptr[row_begin]; }
    index edges() const { return rows.row_ptr[row_end] - first_edge(); }
};

/// What a stage does with the tiles of one chunk of a sweep, one after the other. Messages and their adjoints are
/// [edges of the tile, row of a message], values and their adjoints [edges of the tile, row of the stage].
template <class T>
class StageWork {
public:
    virtual ~StageWork() = default;
    virtual void forward(const EdgeTile&, const T* messages, T* values) = 0;
    virtual void backward(const EdgeTile&, const T* values, const T* adjoint, T* message_adjoint) = 0;
    /// Adds the gradient of the stage's parameters, gathered over the tiles.
    virtual void add_parameter_gradient(T*) const {}
};

/// Where the adjoints of messages lie: in the place of those of the values; nowhere, as one of a value is that of all
/// elements of the row it is the sum of (such a stage has no work: the kernel of its messages sums); or apart. In
/// place, the values take the place of the messages too.
enum class MessageAdjoint : char { in_place, spread, apart };

template <class T>
class StageKind {
public:
    virtual ~StageKind() = default;
    virtual std::unique_ptr<StageWork<T>> work(bool with_backward) const = 0;
};

/// A stage without state: static functions of Operation, in place, or a sum over the row.
template <class Operation, class T>
class PlainStage final : public StageKind<T> {
public:
    std::unique_ptr<StageWork<T>> work(bool) const override { return std::make_unique<Work>(); }
    static std::shared_ptr<const StageKind<T>> shared() {
        static const PlainStage stage;
        return {std::shared_ptr<void>(), &stage};
    }

private:
    struct Work final : StageWork<T> {
        void forward(const EdgeTile& tile, const T*, T* values) override {
            if constexpr (Operation::message_adjoint == MessageAdjoint::in_place) Operation::forward(tile, values);
        }
        void backward(const EdgeTile& tile, const T* values, const T*, T* message_adjoint) override {
            if constexpr (Operation::message_adjoint == MessageAdjoint::in_place)
                Operation::backward(tile, values, message_adjoint);
        }
    };
};

} // namespace detail
} // namespace weft::inline WEFT_ABI
