// SPDX-License-Identifier: MIT
#pragma once

#include <weft/attention/attention_backward.hpp>
#include <weft/attention/attention_double_backward.hpp>
#include <weft/attention/attention_layout.hpp>
#include <weft/attention/attention_result.hpp>
#include <weft/attention/masks.hpp>
#include <weft/core/evaluate.hpp>
#include <weft/core/views.hpp>
#include <weft/linalg/matmul.hpp>

#include <memory>

namespace weft::inline WEFT_ABI {

namespace detail {

/// Attention of operands that lie as the layout says. Mask: what hides further keys; Function: a user's function of
/// the scores.
template <class Mask, class Function>
struct AttentionCall {
    AttentionLayout layout;
    AttentionOptions options;
    Mask mask;
    Function function;

    double scale() const {
        return options.scale ? *options.scale : 1 / std::sqrt(static_cast<double>(std::max<index>(1, layout.depth)));
    }
    template <class T>
    ScoreRules<T, Mask, Function> rules() const {
        return {options, T(scale()), T(options.softcap ? *options.softcap : 0), nullptr, {}, mask, function};
    }
    template <class T>
    ScoreRules<T, Mask, Function> rules(const Tensor<T, 4>& bias) const {
        auto r = rules<T>();
        r.bias = bias.data();
        const auto strides = contiguous_strides(bias.shape());
        for (std::size_t a = 0; a < 4; ++a) r.bias_strides[a] = bias.shape()[a] == 1 ? 0 : strides[a];
        return r;
    }
    template <class T, class S, class Q>
    AttentionOperands<T, S, Q> operands(const Q* q, const S* k, const S* v) const {
        AttentionOperands<T, S, Q> o;
        o.sequences = layout.sequences;
        o.heads = layout.heads;
        o.kv_heads = layout.kv_heads;
        o.depth = layout.depth;
        o.value_depth = layout.value_depth;
        o.q = layout.q.of(q);
        o.k = layout.k.of(k);
        o.v = layout.v.of(v);
        o.dropout = {options.dropout, options.seed, options.offset};
        o.tile_rows = options.tile_rows;
        o.tile_keys = options.tile_keys;
        return o;
    }
    /// What the gradients of operands that lie as the operands do are added to; those that are null are not wanted.
    template <class T, class S>
    AttentionGradients<T, S> gradients(const S* out, const T* lse, const S* dout, T* dq, T* dk, T* dv) const {
        AttentionGradients<T, S> g;
        g.out = layout.out.of(out);
        g.dout = layout.out.of(dout);
        g.lse = layout.lse.of(lse);
        g.dq = layout.q.of(dq);
        g.dk = layout.k.of(dk);
        g.dv = layout.v.of(dv);
        return g;
    }
};

/// q, k and v (and a bias) to the result; each a contiguous tensor that lies as the layout says.
template <class S, class Mask, class Function>
struct Attention {
    static constexpr auto name = "attention";
    using T = AttentionScalar<S>;
    AttentionCall<Mask, Function> call;
    Tensor<T, 1> lse{}; ///< of the forward, for the backward

    template <int N, class... Bias>
    Tensor<S, N> forward(const Tensor<S, N>& q, const Tensor<S, N>& k, const Tensor<S, N>& v, const Bias&... b) const {
        auto room = Tensor<T, 1>::empty({call.layout.rows()});
        return attend(room, q, k, v, b...);
    }
    template <int N, class... Bias>
    Tensor<S, N> forward_recorded(const Tensor<S, N>& q, const Tensor<S, N>& k, const Tensor<S, N>& v,
                                  const Bias&... b) {
        lse = Tensor<T, 1>::empty({call.layout.rows()});
        return attend(lse, q, k, v, b...);
    }
    template <int N, class Sink, class... Bias>
    void backward(const Tensor<T, N>& dy, const Tensor<T, N>& y, Sink& sink, const Tensor<T, N>& q,
                  const Tensor<T, N>& k, const Tensor<T, N>& v, const Bias&... b) const {
        Tensor<T, N> dq, dk, dv;
        if (sink.template wants<0>()) dq = Tensor<T, N>::zeros(q.shape());
        if (sink.template wants<1>()) dk = Tensor<T, N>::zeros(k.shape());
        if (sink.template wants<2>()) dv = Tensor<T, N>::zeros(v.shape());
        auto g = call.gradients(y.data(), lse.data(), dy.data(), room(dq), room(dk), room(dv));
        Tensor<T, 4> dbias;
        if constexpr (sizeof...(Bias) > 0)
            if (sink.template wants<3>()) {
                dbias = (Tensor<T, 4>::zeros(b.shape()), ...);
                g.dbias = room(dbias);
                g.bias_size = dbias.size();
            }
        attend_backward(call.template operands<T>(q.data(), k.data(), v.data()), g, call.template rules<T>(b...));
        if (sink.template wants<0>()) sink.template add<0>(dq);
        if (sink.template wants<1>()) sink.template add<1>(dk);
        if (sink.template wants<2>()) sink.template add<2>(dv);
        if constexpr (sizeof...(Bias) > 0)
            if (sink.template wants<3>()) sink.template add<3>(dbias);
    }
    template <int N, class... Bias>
    Tensor<S, N> attend(Tensor<T, 1>& sums, const Tensor<S, N>& q, const Tensor<S, N>& k, const Tensor<S, N>& v,
                        const Bias&... b) const {
        auto shape = q.shape();
        shape.back() = v.shape().back();
        auto out = Tensor<S, N>::empty(shape);
        auto o = call.template operands<T>(q.data(), k.data(), v.data());
        o.out = call.layout.out.of(out.mutable_data());
        o.lse = call.layout.lse.of(sums.mutable_data());
        attend_forward(o, call.template rules<T>(b...));
        return out;
    }

    template <int N>
    static T* room(Tensor<T, N>& x) {
        return x.size() > 0 ? x.mutable_data() : nullptr;
    }
};

/// One operand [B, N, (Hq + 2 Hkv) D]: the queries of all heads, the keys, the values.
template <class S>
struct PackedAttention {
    static constexpr auto name = "packed_attention";
    Attention<S, EveryKey, NoScoreFunction> attention;

    Tensor<S, 3> forward(const Tensor<S, 3>& x) const {
        auto sums = Tensor<AttentionScalar<S>, 1>::empty({attention.call.layout.rows()});
        return attend(sums, x);
    }
    Tensor<S, 3> forward_recorded(const Tensor<S, 3>& x) {
        attention.lse = Tensor<AttentionScalar<S>, 1>::empty({attention.call.layout.rows()});
        return attend(attention.lse, x);
    }
    template <class T, class Sink>
    void backward(const Tensor<T, 3>& dy, const Tensor<T, 3>& y, Sink& sink, const Tensor<T, 3>& x) const {
        if (!sink.template wants<0>()) return;
        auto dx = Tensor<T, 3>::zeros(x.shape());
        T* const to = Attention<S, EveryKey, NoScoreFunction>::room(dx);
        const auto& call = attention.call;
        attend_backward(call.template operands<T>(x.data(), x.data(), x.data()),
                        call.gradients(y.data(), attention.lse.data(), dy.data(), to, to, to),
                        call.template rules<T>());
        sink.template add<0>(dx);
    }

private:
    template <class T>
    Tensor<S, 3> attend(Tensor<T, 1>& sums, const Tensor<S, 3>& x) const {
        const auto& call = attention.call;
        auto out = Tensor<S, 3>::empty({x.extent(0), x.extent(1), call.layout.heads * call.layout.value_depth});
        auto o = call.template operands<T>(x.data(), x.data(), x.data());
        o.out = call.layout.out.of(out.mutable_data());
        o.lse = call.layout.lse.of(sums.mutable_data());
        attend_forward(o, call.template rules<T>());
        return out;
    }
};

/// Whether x is the transposition of axes 1 and 2 of a contiguous tensor.
template <class X>
bool heads_lie_second(const X& x) {
    auto extents = x.shape();
    auto strides = x.strides();
    if (is_contiguous(extents, strides)) return false;
    std::swap(extents[1], extents[2]);
    std::swap(strides[1], strides[2]);
    return is_contiguous(extents, strides);
}
/// The operand as it lies in memory: with the heads second if that is how it is stored.
template <class X>
auto as_heads_lie(const X& x, bool second) {
    auto extents = x.shape();
    auto strides = x.strides();
    if (second) {
        std::swap(extents[1], extents[2]);
        std::swap(strides[1], strides[2]);
    }
    return x.template window<4>(0, extents, strides);
}

template <class B>
void check_bias(const B& bias, const Extents<4>& scores) {
    static_assert(B::rank == 4, "weft: attention: a bias is [B or 1, H or 1, Nq or 1, Nk or 1]");
    for (std::size_t a = 0; a < 4; ++a)
        if (bias.shape()[a] != scores[a] && bias.shape()[a] != 1)
            throw error("attention", "bias is {}, the scores are {}: extents must be equal, or 1",
                        shape_text(bias.shape()), shape_text(scores));
}

/// The element type of operands: their own if they have one, else what they are computed in together.
template <class A, class... B>
struct JoinedType {
    using type = AttentionScalar<A>;
};
template <class A, class B, class... C>
struct JoinedType<A, B, C...> : JoinedType<typename Promote<AttentionScalar<A>, AttentionScalar<B>>::type, C...> {};
template <class Q, class K, class V, class... Bias>
using AttentionStorage =
    std::conditional_t<std::same_as<typename Q::value_type, typename K::value_type> &&
                           std::same_as<typename Q::value_type, typename V::value_type> &&
                           (std::same_as<AttentionScalar<typename Q::value_type>, typename Bias::value_type> && ...),
                       typename Q::value_type,
                       typename JoinedType<typename Q::value_type, typename K::value_type, typename V::value_type,
                                           typename Bias::value_type...>::type>;

/// The call of f(operation, q, k, v as they lie, bias...), and its result as q lies.
template <class Mask, class Function, class F, class Q, class K, class V, class... Bias>
auto attend_dense(const AttentionOptions& options, const Mask& mask, const Function& function, F&& f, const Q& query,
                  const K& key, const V& value, const Bias&... bias) {
    static_assert(Q::rank == 4 && K::rank == 4 && V::rank == 4, "weft: attention: q, k and v are [B, H, N, D]");
    using S = AttentionStorage<Q, K, V, Bias...>;
    const auto q = product_operand<S>(query);
    const auto k = product_operand<S>(key);
    const auto v = product_operand<S>(value);
    const std::array<bool, 3> second{heads_lie_second(q), heads_lie_second(k), heads_lie_second(v)};
    const AttentionLayout layout = dense_layout(q, k, v, second, options);
    mask.check(q.shape()[0], q.shape()[1], q.shape()[2], k.shape()[2]);
    (check_bias(bias, {q.shape()[0], q.shape()[1], q.shape()[2], k.shape()[2]}), ...);
    const Attention<S, Mask, Function> operation{{layout, options, mask, function}};
    const auto y = f(operation, as_heads_lie(q, second[0]), as_heads_lie(k, second[1]), as_heads_lie(v, second[2]),
                     product_operand<AttentionScalar<S>>(bias)...);
    return as_heads_lie(y, second[0]);
}

template <class Q, class V, class Result, class D>
void check_result(const char* name, const Q& q, const V& v, const Result& result, const D& dout) {
    const Extents<4> out{q.shape()[0], q.shape()[1], q.shape()[2], v.shape()[3]};
    if (result.out.shape() != out || dout.shape() != out || result.lse.shape() != Extents<3>{out[0], out[1], out[2]})
        throw error(name, "out is {}, lse is {}, dout is {}: they must be {}, without the last extent, and {}",
                    shape_text(result.out.shape()), shape_text(result.lse.shape()), shape_text(dout.shape()),
                    shape_text(out), shape_text(out));
}

template <class Score>
auto score_function(const Score& score) {
    if constexpr (std::same_as<Score, std::nullptr_t>)
        return NoScoreFunction{};
    else
        return score;
}

struct ApplyAttention {
    template <class Op, class... E>
    auto operator()(const Op& op, const E&... operands) const {
        return apply_operation(op, operands...);
    }
};

/// The result, a Tensor, and where the logarithms go.
template <class T>
struct ApplyWithSums {
    Tensor<T, 1>& sums;

    template <class Op, class... E>
    auto operator()(const Op& op, const E&... operands) const {
        sums = Tensor<T, 1>::empty({op.call.layout.rows()});
        return op.attend(sums, contiguous(operands)...);
    }
};

} // namespace detail

/// softmax(scale q k^T) v for each head, without the matrix of scores: O(Nq Nk (D + Dv)) time, O(Nq + Nk) memory per
/// thread. q [B, Hq, Nq, D], k [B, Hkv, Nk, D], v [B, Hkv, Nk, Dv], result [B, Hq, Nq, Dv]; head h of the queries uses
/// head h / (Hq / Hkv) of the keys, Hq a multiple of Hkv. Operands that are transpose(x, 1, 2) of [B, N, H, D] are read
/// as they lie, and so is the result then. Scores are scale q k, capped (softcap), less what ALiBi says (slopes);
/// causal, window and key_lengths hide keys, which then have no influence whatever they hold. A query that sees no key
/// gives 0. half and bfloat16 are computed in float, and stored rounded. Gradients of any order by Dual. Errors:
/// extents that do not fit, options out of range. Dao et al., FlashAttention (arXiv 2205.14135).
template <Expression Q, Expression K, Expression V>
auto attention(const Q& q, const K& k, const V& v, const AttentionOptions& options = {}) {
    return detail::attend_dense(options, detail::EveryKey{}, detail::NoScoreFunction{}, detail::ApplyAttention{}, q, k,
                                v);
}
/// The same with `bias`, [B or 1, Hq or 1, Nq or 1, Nk or 1], added to the scores after the softcap; -infinity hides.
/// Its gradient has its shape.
template <Expression Q, Expression K, Expression V, Expression B>
auto attention(const Q& q, const K& k, const V& v, const B& bias, const AttentionOptions& options = {}) {
    return detail::attend_dense(options, detail::EveryKey{}, detail::NoScoreFunction{}, detail::ApplyAttention{}, q, k,
                                v, bias);
}

/// The same with a function score(s, b, h, i, j) of the scores and a mask (see block_mask) that hides further keys:
/// PyTorch's flex_attention. The function is a template over its first argument, which is of the element type or its
/// Dual: the derivative is found so; nullptr: none.
template <Expression Q, Expression K, Expression V, class Score, class Mask>
auto flex_attention(const Q& q, const K& k, const V& v, const Score& score, const Mask& mask,
                    const AttentionOptions& options = {}) {
    return detail::attend_dense(options, mask, detail::score_function(score), detail::ApplyAttention{}, q, k, v);
}
/// The same with a bias, as above; the function gets the score with it.
template <Expression Q, Expression K, Expression V, Expression B, class Score, class Mask>
auto flex_attention(const Q& q, const K& k, const V& v, const B& bias, const Score& score, const Mask& mask,
                    const AttentionOptions& options = {}) {
    return detail::attend_dense(options, mask, detail::score_function(score), detail::ApplyAttention{}, q, k, v, bias);
}

namespace detail {

template <class S, class Mask, class Function, class... Bias>
AttentionResult<S, 4> attend_with_lse(const AttentionOptions& options, const Mask& mask, const Function& function,
                                      const Tensor<S, 4>& q, const Tensor<S, 4>& k, const Tensor<S, 4>& v,
                                      const Bias&... bias) {
    using T = AttentionScalar<S>;
    Tensor<T, 1> sums;
    const auto out = attend_dense(options, mask, function, ApplyWithSums<T>{sums}, q, k, v, bias...);
    return {out, reshape(sums, Extents<3>{q.shape()[0], q.shape()[1], q.shape()[2]})};
}

} // namespace detail

/// attention and flex_attention of tensors, with the logarithms that merge_attention and attention_backward need.
template <class S>
AttentionResult<S, 4> attention_with_lse(const Tensor<S, 4>& q, const Tensor<S, 4>& k, const Tensor<S, 4>& v,
                                         const AttentionOptions& options = {}) {
    return detail::attend_with_lse(options, detail::EveryKey{}, detail::NoScoreFunction{}, q, k, v);
}
/// The same with a bias, as in attention.
template <class S>
AttentionResult<S, 4> attention_with_lse(const Tensor<S, 4>& q, const Tensor<S, 4>& k, const Tensor<S, 4>& v,
                                         const Tensor<detail::AttentionScalar<S>, 4>& bias,
                                         const AttentionOptions& options = {}) {
    return detail::attend_with_lse(options, detail::EveryKey{}, detail::NoScoreFunction{}, q, k, v, bias);
}
/// The same of flex_attention.
template <class S, class Score, class Mask>
AttentionResult<S, 4> flex_attention_with_lse(const Tensor<S, 4>& q, const Tensor<S, 4>& k, const Tensor<S, 4>& v,
                                              const Score& score, const Mask& mask,
                                              const AttentionOptions& options = {}) {
    return detail::attend_with_lse(options, mask, detail::score_function(score), q, k, v);
}

/// The gradients of attention; those of half and bfloat16 are in float.
template <class T>
struct AttentionGradient {
    Tensor<T, 4> q, k, v;
    Tensor<double, 1> slopes; ///< [Hq], where there are slopes
    double scale = 0;         ///< by the scale
};

/// The gradients of sum(dout attention(q, k, v, options)), for out and lse of attention_with_lse of the same operands.
/// Errors: extents that do not fit.
template <class S>
AttentionGradient<detail::AttentionScalar<S>>
attention_backward(const Tensor<S, 4>& q, const Tensor<S, 4>& k, const Tensor<S, 4>& v,
                   const AttentionResult<S, 4>& result, const Tensor<S, 4>& dout,
                   const AttentionOptions& options = {}) {
    using T = detail::AttentionScalar<S>;
    const detail::AttentionCall<detail::EveryKey, detail::NoScoreFunction> call{
        detail::dense_layout(q, k, v, {}, options), options, {}, {}};
    detail::check_result("attention_backward", q, v, result, dout);
    AttentionGradient<T> d{Tensor<T, 4>::zeros(q.shape()), Tensor<T, 4>::zeros(k.shape()),
                           Tensor<T, 4>::zeros(v.shape()), Tensor<double, 1>::zeros({options.slopes.size()})};
    auto g = call.gradients(result.out.data(), result.lse.data(), dout.data(), d.q.mutable_data(), d.k.mutable_data(),
                            d.v.mutable_data());
    auto slopes = Tensor<T, 1>::zeros({options.slopes.size()});
    if (slopes.size() > 0) g.dslopes = slopes.mutable_data();
    detail::attend_backward(call.template operands<T>(q.data(), k.data(), v.data()), g, call.template rules<T>());
    d.slopes = slopes;
    // scores are scale q k, so their gradients times q k add up to those of q times q
    for (index i = 0; i < q.size(); ++i)
        d.scale += static_cast<double>(static_cast<T>(q.data()[i])) * static_cast<double>(d.q.data()[i]);
    d.scale /= call.scale();
    return d;
}

/// The gradients of attention_double_backward.
template <class T>
struct AttentionSecondGradient {
    Tensor<T, 4> q, k, v, dout;
};

/// The gradients of sum(cq dq) + sum(ck dk) + sum(cv dv), where dq, dk and dv are those of attention_backward, by q, k,
/// v and dout: forces trained through attention. O(Nq Nk (D + Dv)) time, no matrix of scores. Errors: extents that do
/// not fit; softcap or dropout.
template <class T>
AttentionSecondGradient<T>
attention_double_backward(const Tensor<T, 4>& q, const Tensor<T, 4>& k, const Tensor<T, 4>& v,
                          const AttentionResult<T, 4>& result, const Tensor<T, 4>& dout, const Tensor<T, 4>& cq,
                          const Tensor<T, 4>& ck, const Tensor<T, 4>& cv, const AttentionOptions& options = {}) {
    const detail::AttentionCall<detail::EveryKey, detail::NoScoreFunction> call{
        detail::dense_layout(q, k, v, {}, options), options, {}, {}};
    if (options.softcap || options.dropout > 0)
        throw error("attention_double_backward", "softcap and dropout are not supported: use Dual numbers");
    detail::check_result("attention_double_backward", q, v, result, dout);
    if (cq.shape() != q.shape() || ck.shape() != k.shape() || cv.shape() != v.shape())
        throw error("attention_double_backward", "cq is {}, ck is {}, cv is {}: must be {}, {}, {}",
                    detail::shape_text(cq.shape()), detail::shape_text(ck.shape()), detail::shape_text(cv.shape()),
                    detail::shape_text(q.shape()), detail::shape_text(k.shape()), detail::shape_text(v.shape()));
    AttentionSecondGradient<T> d{Tensor<T, 4>::zeros(q.shape()), Tensor<T, 4>::zeros(k.shape()),
                                 Tensor<T, 4>::zeros(v.shape()), Tensor<T, 4>::zeros(dout.shape())};
    const auto& at = call.layout;
    const detail::AttentionCotangents<T> c{at.out.of(result.out.data()), at.out.of(dout.data()),
                                           at.lse.of(result.lse.data()), at.q.of(cq.data()),
                                           at.k.of(ck.data()),           at.v.of(cv.data()),
                                           at.q.of(d.q.mutable_data()),  at.k.of(d.k.mutable_data()),
                                           at.v.of(d.v.mutable_data()),  at.out.of(d.dout.mutable_data())};
    detail::attend_double_backward(call.template operands<T>(q.data(), k.data(), v.data()), c,
                                   call.template rules<T>());
    return d;
}

/// The attention of queries to several sets of keys from those to each: sum of w out / sum of w with
/// w = e^(lse - largest lse). Sets of which a query sees nothing have no part in it. Errors: no parts; other shapes.
template <class S, int N>
AttentionResult<S, N> merge_attention(const std::vector<AttentionResult<S, N>>& parts) {
    using T = detail::AttentionScalar<S>;
    if (parts.empty()) throw error("merge_attention", "there are no parts");
    for (const auto& part : parts)
        if (part.out.shape() != parts[0].out.shape() || part.lse.shape() != parts[0].lse.shape())
            throw error("merge_attention", "parts of {} and {}: must be of one shape",
                        detail::shape_text(parts[0].out.shape()), detail::shape_text(part.out.shape()));
    AttentionResult<S, N> merged{Tensor<S, N>::empty(parts[0].out.shape()),
                                 Tensor<T, N - 1>::empty(parts[0].lse.shape())};
    const index depth = parts[0].out.shape().back();
    std::vector<T> sums(static_cast<std::size_t>(depth));
    for (index r = 0; r < merged.lse.size(); ++r) {
        const T lse = detail::merge_row<T>(
            static_cast<index>(parts.size()), depth,
            [&](index p) { return parts[static_cast<std::size_t>(p)].lse.data()[r]; },
            [&](index p) { return parts[static_cast<std::size_t>(p)].out.data() + r * depth; }, sums.data());
        merged.lse.mutable_data()[r] = lse;
        for (index d = 0; d < depth; ++d)
            merged.out.mutable_data()[r * depth + d] = S(sums[static_cast<std::size_t>(d)]);
    }
    return merged;
}

/// attention of packed sequences: q [Tq, Hq, D], k [Tk, Hkv, D], v [Tk, Hkv, Dv], result [Tq, Hq, Dv]. The queries
/// cu_q[s], ..., cu_q[s + 1] - 1 see the keys cu_k[s], ..., cu_k[s + 1] - 1 alone; causal and window count within
/// them. Sequences may be empty. key_lengths are not of use here. Errors: extents that do not fit; boundaries that
/// decrease or do not end with Tq and Tk.
template <Expression Q, Expression K, Expression V, class I>
auto varlen_attention(const Q& q, const K& k, const V& v, const Tensor<I, 1>& cu_q, const Tensor<I, 1>& cu_k,
                      const AttentionOptions& options = {}) {
    using S = typename Q::value_type;
    return apply_operation(
        detail::Attention<S, detail::EveryKey, detail::NoScoreFunction>{
            {detail::varlen_layout(q, k, v, cu_q, cu_k, options), options, {}, {}}},
        q, k, v);
}
/// The same of tensors, with the logarithms [Tq, Hq].
template <class S, class I>
AttentionResult<S, 3> varlen_attention_with_lse(const Tensor<S, 3>& q, const Tensor<S, 3>& k, const Tensor<S, 3>& v,
                                                const Tensor<I, 1>& cu_q, const Tensor<I, 1>& cu_k,
                                                const AttentionOptions& options = {}) {
    using T = detail::AttentionScalar<S>;
    const detail::Attention<S, detail::EveryKey, detail::NoScoreFunction> operation{
        {detail::varlen_layout(q, k, v, cu_q, cu_k, options), options, {}, {}}};
    Tensor<T, 1> sums;
    const auto out = detail::ApplyWithSums<T>{sums}(operation, q, k, v);
    return {out, reshape(sums, Extents<2>{q.shape()[0], q.shape()[1]})};
}

/// Self-attention of one projection x [B, N, (heads + 2 kv_heads) D]: for each position the queries of all heads, then
/// the keys, then the values; result [B, N, heads D]. Nothing is copied, and the gradient is one tensor like x. Errors:
/// the last extent is not so many times D.
template <Expression X>
auto packed_attention(const X& x, index heads, index kv_heads, const AttentionOptions& options = {}) {
    static_assert(X::rank == 3, "weft: packed_attention: x is [B, N, (heads + 2 kv_heads) D]");
    if (heads < 1 || kv_heads < 1 || x.shape()[2] % (heads + 2 * kv_heads) != 0)
        throw error("packed_attention", "x is {}, {} heads, {} of keys: its last extent must be (heads + 2 kv_heads) D",
                    detail::shape_text(x.shape()), heads, kv_heads);
    detail::check_heads(heads, kv_heads);
    const auto [batch, n, width] = x.shape();
    const index depth = width / (heads + 2 * kv_heads);
    detail::check_options(options, batch, heads, n);
    detail::AttentionLayout layout;
    layout.sequences = detail::equal_sequences(batch, n, n, options);
    layout.heads = heads;
    layout.kv_heads = kv_heads;
    layout.depth = layout.value_depth = depth;
    layout.q = {0, n * width, depth, width};
    layout.k = {heads * depth, n * width, depth, width};
    layout.v = {(heads + kv_heads) * depth, n * width, depth, width};
    layout.out = {0, n * heads * depth, depth, heads * depth};
    layout.lse = {0, heads * n, n, 1};
    return apply_operation(detail::PackedAttention<typename X::value_type>{{{layout, options, {}, {}}}}, x);
}

} // namespace weft::inline WEFT_ABI
