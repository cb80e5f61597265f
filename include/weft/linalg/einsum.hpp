// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/fixed_text.hpp>
#include <weft/core/reduce.hpp>
#include <weft/core/views.hpp>
#include <weft/linalg/matmul.hpp>

namespace weft::inline WEFT_ABI {

namespace detail {

/// The labels of the axes of an operand, in their order. Letters are the equation's; the axes that "..." stands for are
/// labelled from the last to the first by 1, 2, ...
struct EinsumLabels {
    static constexpr int most = 24;
    char of[most]{};
    int count = 0;

    constexpr int position(char label) const {
        for (int i = 0; i < count; ++i)
            if (of[i] == label) return i;
        return -1;
    }
    constexpr bool contains(char label) const { return position(label) >= 0; }
    constexpr int times(char label) const { return static_cast<int>(std::count(of, of + count, label)); }
    constexpr bool add(char label) {
        if (count == most) return false;
        of[count++] = label;
        return true;
    }
    constexpr EinsumLabels operator+(const EinsumLabels& other) const {
        EinsumLabels sum = *this;
        for (int i = 0; i < other.count; ++i) sum.add(other.of[i]);
        return sum;
    }
    /// Those for which keep(label), each once.
    constexpr EinsumLabels where(auto keep) const {
        EinsumLabels kept;
        for (int i = 0; i < count; ++i)
            if (!kept.contains(of[i]) && keep(of[i])) kept.add(of[i]);
        return kept;
    }
    constexpr EinsumLabels once() const {
        return where([](char) { return true; });
    }
    constexpr bool operator==(const EinsumLabels&) const = default;
};

enum class EinsumProblem { none, syntax, operands, axes, result, length };

/// An equation for operands of `Count` given ranks, with what is wrong about it.
template <std::size_t Count>
struct EinsumEquation {
    EinsumProblem problem = EinsumProblem::none;
    std::array<EinsumLabels, Count> operands{};
    EinsumLabels result{};
};

constexpr bool is_einsum_label(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/// The labels of one term, `dots` axes for "...".
constexpr EinsumProblem read_einsum_term(std::string_view term, int dots, EinsumLabels& labels) {
    bool dotted = false;
    while (!term.empty()) {
        if (is_einsum_label(term.front())) {
            if (!labels.add(term.front())) return EinsumProblem::length;
            term.remove_prefix(1);
        } else if (term.starts_with("...") && !dotted) {
            dotted = true;
            for (int i = dots; i > 0; --i)
                if (!labels.add(static_cast<char>(i))) return EinsumProblem::length;
            term.remove_prefix(3);
        } else {
            return EinsumProblem::syntax;
        }
    }
    return EinsumProblem::none;
}

/// NumPy's and PyTorch's equations, "bij,bjk->bik"; without "->" the result has the labels that occur once, in the
/// order of the alphabet, behind "...". Spaces do not count.
template <std::size_t Count>
constexpr EinsumEquation<Count> parse_einsum(std::string_view equation, const std::array<int, Count>& ranks) {
    EinsumEquation<Count> parsed;
    const auto fail = [&](EinsumProblem problem) {
        parsed.problem = problem;
        return parsed;
    };
    char compact[256]{};
    std::size_t length = 0;
    for (const char c : equation) {
        if (c == ' ') continue;
        if (length == sizeof compact) return fail(EinsumProblem::length);
        compact[length++] = c;
    }
    std::string_view terms(compact, length), result;
    const std::size_t arrow = terms.find("->");
    if (arrow != std::string_view::npos) {
        result = terms.substr(arrow + 2);
        terms = terms.substr(0, arrow);
    }
    int most_dots = 0;
    for (std::size_t i = 0; i < Count; ++i) {
        const std::size_t end = terms.find(',');
        if ((end == std::string_view::npos) != (i + 1 == Count)) return fail(EinsumProblem::operands);
        const std::string_view term = terms.substr(0, end);
        if (end != std::string_view::npos) terms.remove_prefix(end + 1);
        const auto letters = static_cast<int>(std::count_if(term.begin(), term.end(), is_einsum_label));
        const bool dotted = term.find("...") != std::string_view::npos;
        const int dots = dotted ? ranks[i] - letters : 0;
        if (dots < 0) return fail(EinsumProblem::axes);
        if (const auto problem = read_einsum_term(term, dots, parsed.operands[i]); problem != EinsumProblem::none)
            return fail(problem);
        if (parsed.operands[i].count != ranks[i]) return fail(EinsumProblem::axes);
        most_dots = std::max(most_dots, dots);
    }
    EinsumLabels all;
    for (const EinsumLabels& labels : parsed.operands)
        for (int i = 0; i < labels.count; ++i)
            if (!all.contains(labels.of[i]) && !all.add(labels.of[i])) return fail(EinsumProblem::length);
    if (arrow == std::string_view::npos) {
        for (int i = most_dots; i > 0; --i) parsed.result.add(static_cast<char>(i));
        for (char c = 'A'; c <= 'z'; ++c) {
            int times = 0;
            for (const EinsumLabels& labels : parsed.operands) times += labels.times(c);
            if (is_einsum_label(c) && times == 1) parsed.result.add(c);
        }
        return parsed;
    }
    if (const auto problem = read_einsum_term(result, most_dots, parsed.result); problem != EinsumProblem::none)
        return fail(problem);
    for (int i = 0; i < parsed.result.count; ++i) {
        const char c = parsed.result.of[i];
        if (parsed.result.times(c) > 1 || !all.contains(c)) return fail(EinsumProblem::result);
    }
    return parsed;
}

/// A tensor whose axes have these labels.
template <EinsumLabels Labels, class X>
struct Labelled {
    static constexpr EinsumLabels labels = Labels;
    X value;
    index extent(char label) const { return value.shape()[static_cast<std::size_t>(Labels.position(label))]; }
};
template <EinsumLabels Labels, class X>
Labelled<Labels, X> labelled(X value) {
    return {std::move(value)};
}

/// The axes in the order of `To`, a permutation of the labels.
template <EinsumLabels To, EinsumLabels From, class X>
auto reordered(const Labelled<From, X>& x) {
    static_assert(To.count == From.count);
    if constexpr (To == From) {
        return x.value;
    } else {
        std::array<int, static_cast<std::size_t>(To.count)> order{};
        for (int i = 0; i < To.count; ++i) order[static_cast<std::size_t>(i)] = From.position(To.of[i]);
        return permute(x.value, order);
    }
}

/// x with every label once, and with the extent that the label has: an axis of one element is repeated, and several of
/// the same label are the diagonal.
template <EinsumLabels Labels, class X>
auto einsum_operand(const X& x, const index* extent_of) {
    constexpr EinsumLabels once = Labels.once();
    const auto y = eval(x);
    const auto from = y.strides();
    Extents<once.count> extents{}, strides{};
    for (int i = 0; i < Labels.count; ++i) {
        const auto axis = static_cast<std::size_t>(i), to = static_cast<std::size_t>(once.position(Labels.of[i]));
        extents[to] = extent_of[static_cast<std::size_t>(Labels.of[i])];
        if (y.shape()[axis] == extents[to]) strides[to] += from[axis];
    }
    return labelled<once>(y.template window<once.count>(0, extents, strides));
}

/// Without the axes whose label is not in Keep, by sums over them.
template <EinsumLabels Keep, EinsumLabels Labels, class X>
auto einsum_sum(const Labelled<Labels, X>& x) {
    constexpr EinsumLabels kept = Labels.where([](char c) { return Keep.contains(c); });
    constexpr EinsumLabels gone = Labels.where([](char c) { return !Keep.contains(c); });
    if constexpr (gone.count == 0) {
        return x;
    } else {
        return [&]<std::size_t... I>(std::index_sequence<I...>) {
            return labelled<kept>(sum<Labels.position(gone.of[I])...>(x.value));
        }
        (std::make_index_sequence<static_cast<std::size_t>(gone.count)>{});
    }
}

/// The product of the extents of these labels, and the extents themselves.
template <EinsumLabels Labels>
index einsum_size(const auto& x) {
    index size = 1;
    for (int i = 0; i < Labels.count; ++i) size *= x.extent(Labels.of[i]);
    return size;
}
template <EinsumLabels Labels>
void copy_extents(const auto& x, index* to) {
    for (int i = 0; i < Labels.count; ++i) to[i] = x.extent(Labels.of[i]);
}

/// x as a stack of matrices [batch, rows, columns] in the order in which its elements lie, as far as that is possible.
template <EinsumLabels Batch, EinsumLabels Rows, EinsumLabels Columns, EinsumLabels Labels, class X>
auto einsum_matrices(const Labelled<Labels, X>& x) {
    constexpr bool transposed = Rows.count > 0 && Labels.count > 0 && Rows.contains(Labels.of[Labels.count - 1]);
    constexpr EinsumLabels order = transposed ? Batch + Columns + Rows : Batch + Rows + Columns;
    const index rows = einsum_size<Rows>(x), columns = einsum_size<Columns>(x);
    const auto y = reordered<order>(x);
    const auto matrices = [&] {
        if constexpr (Batch.count == 0)
            return reshape(y, {transposed ? columns : rows, transposed ? rows : columns});
        else
            return reshape(y, {einsum_size<Batch>(x), transposed ? columns : rows, transposed ? rows : columns});
    }();
    if constexpr (transposed)
        return transpose(matrices);
    else
        return eval(matrices);
}

/// Labels of a and b that neither Keep nor the product needs are summed over: a product of matrices, or, where there is
/// no such label, of elements.
template <EinsumLabels Keep, EinsumLabels A, class X, EinsumLabels B, class Y>
auto einsum_pair(const Labelled<A, X>& a, const Labelled<B, Y>& b) {
    constexpr EinsumLabels batch = A.where([](char c) { return B.contains(c) && Keep.contains(c); });
    constexpr EinsumLabels inner = A.where([](char c) { return B.contains(c) && !Keep.contains(c); });
    constexpr EinsumLabels rows = A.where([](char c) { return !B.contains(c); });
    constexpr EinsumLabels columns = B.where([](char c) { return !A.contains(c); });
    constexpr EinsumLabels all = batch + rows + columns;
    Extents<all.count> extents{};
    copy_extents<batch>(a, extents.data());
    copy_extents<rows>(a, extents.data() + batch.count);
    copy_extents<columns>(b, extents.data() + batch.count + rows.count);
    if constexpr (inner.count == 0) {
        Extents<all.count> left = extents, right = extents;
        std::fill_n(left.begin() + batch.count + rows.count, columns.count, 1);
        std::fill_n(right.begin() + batch.count, rows.count, 1);
        return labelled<all>(
            eval(reshape(reordered<batch + rows>(a), left) * reshape(reordered<batch + columns>(b), right)));
    } else {
        return labelled<all>(reshape(
            matmul(einsum_matrices<batch, rows, inner>(a), einsum_matrices<batch, inner, columns>(b)), extents));
    }
}

/// How many axes the product of operands i and j has, each of which others or the result need.
template <std::size_t Count>
constexpr int einsum_product_rank(const std::array<EinsumLabels, Count>& operands, const EinsumLabels& result,
                                  std::size_t i, std::size_t j) {
    return (operands[i] + operands[j])
        .where([&](char c) {
            bool needed = result.contains(c);
            for (std::size_t k = 0; k < Count; ++k) needed = needed || (k != i && k != j && operands[k].contains(c));
            return needed;
        })
        .count;
}
/// The pair whose product has the fewest axes; the first of several.
template <std::size_t Count>
constexpr std::pair<std::size_t, std::size_t> einsum_next_pair(const std::array<EinsumLabels, Count>& operands,
                                                               const EinsumLabels& result) {
    std::pair<std::size_t, std::size_t> best{0, 1};
    for (std::size_t i = 0; i < Count; ++i)
        for (std::size_t j = i + 1; j < Count; ++j)
            if (einsum_product_rank(operands, result, i, j) <
                einsum_product_rank(operands, result, best.first, best.second))
                best = {i, j};
    return best;
}

template <EinsumLabels Result, class... X>
auto einsum_contract(const std::tuple<X...>& operands) {
    constexpr std::size_t n = sizeof...(X);
    constexpr std::array<EinsumLabels, n> labels{X::labels...};
    if constexpr (n == 1) {
        const auto last = einsum_sum<Result>(std::get<0>(operands));
        return contiguous(reordered<Result>(last));
    } else {
        constexpr auto pair = einsum_next_pair(labels, Result);
        constexpr auto needed_without = [=](std::size_t i, std::size_t j) {
            EinsumLabels needed = Result;
            for (std::size_t k = 0; k < n; ++k)
                if (k != i && k != j) needed = (needed + labels[k]).once();
            return needed;
        };
        constexpr std::size_t i = pair.first, j = pair.second;
        constexpr EinsumLabels others = needed_without(i, j);
        const auto left = einsum_sum<(others + labels[j]).once()>(std::get<i>(operands));
        const auto right = einsum_sum<(others + labels[i]).once()>(std::get<j>(operands));
        const auto rest = [&]<std::size_t... K>(std::index_sequence<K...>) {
            return std::tuple_cat([&] {
                if constexpr (K == i || K == j)
                    return std::tuple<>();
                else
                    return std::make_tuple(std::get<K>(operands));
            }()...);
        }
        (std::make_index_sequence<n>{});
        return einsum_contract<Result>(std::tuple_cat(rest, std::make_tuple(einsum_pair<others>(left, right))));
    }
}

} // namespace detail

/// Einstein's summation, as NumPy's and PyTorch's einsum, with an equation that is checked by the compiler:
/// `einsum<"bij,bkj->bik">(a, b)`. Every axis has a label (a letter); a label that the result, behind "->", does not
/// have is summed over; one that an operand has twice means the diagonal; "..." stands for any number of axes, which
/// are aligned at the last. Without "->" the result has the labels that occur once, in the order of the alphabet.
/// Products of two operands with a label to sum over are products of matrices; of several operands those are multiplied
/// first whose product has the fewest axes. For another order write one einsum within another. Of tensors, expressions
/// and Vars. Errors: axes of one label have different extents (none is broadcast, also not those of "..."). What is
/// wrong about the equation alone does not compile.
template <detail::FixedText Equation, Expression... E>
requires(sizeof...(E) >= 1) auto einsum(const E&... operands) {
    constexpr std::size_t count = sizeof...(E);
    constexpr auto equation = detail::parse_einsum<count>(Equation.view(), {E::rank...});
    using detail::EinsumProblem;
    static_assert(
        equation.problem != EinsumProblem::syntax,
        "weft: einsum: the equation must be labels a-z, A-Z and at most one ... for each operand, separated by "
        "commas, and after -> those of the result");
    static_assert(equation.problem != EinsumProblem::operands,
                  "weft: einsum: the equation must have as many terms, separated by commas, as there are operands");
    static_assert(equation.problem != EinsumProblem::axes,
                  "weft: einsum: every operand must have as many labels as axes");
    static_assert(equation.problem != EinsumProblem::result,
                  "weft: einsum: every label of the result must be there once, and be a label of an operand");
    static_assert(equation.problem != EinsumProblem::length, "weft: einsum: the equation has too many labels");
    if constexpr (equation.problem == EinsumProblem::none) {
        index extents[128];
        std::fill(std::begin(extents), std::end(extents), 1);
        const auto join = [&](std::size_t operand, const detail::EinsumLabels& labels, const auto& shape) {
            for (std::size_t axis = 0; axis < shape.size(); ++axis) {
                index& extent = extents[static_cast<std::size_t>(labels.of[axis])];
                if (extent == 1) extent = shape[axis];
                if (shape[axis] != extent && shape[axis] != 1)
                    throw error("einsum", "{}: axis {} of operand {}, {}, must be 1 or {}, as others of its label",
                                Equation.view(), axis, operand, detail::shape_text(shape), extent);
            }
        };
        return [&]<std::size_t... I>(std::index_sequence<I...>) {
            (join(I, equation.operands[I], operands.shape()), ...);
            return detail::einsum_contract<equation.result>(
                std::make_tuple(detail::einsum_operand<equation.operands[I]>(operands, extents)...));
        }
        (std::make_index_sequence<count>{});
    }
}

} // namespace weft::inline WEFT_ABI
