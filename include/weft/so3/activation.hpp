// SPDX-License-Identifier: MIT
#pragma once

#include <weft/so3/copies.hpp>
#include <weft/so3/normalize2mom.hpp>

#include <span>
#include <vector>

namespace weft::inline WEFT_ABI::so3 {

namespace detail {

/// `count` neighbouring components that a function is applied to, from `in` to `out`.
struct FunctionTerm {
    index in, out, count;
    Function f;
    double factor;
};
/// `copies` neighbouring copies of d components from `in` to `out`, each times its gate.
struct GatedTerm {
    index gate, in, out, copies, d;
};

/// What happens to a row of features: functions of scalars, and of gates, which copies are multiplied by.
struct ActivationPlan {
    Irreps in, out;
    std::vector<FunctionTerm> terms, gates; // of the gates, `out` is the place among them
    std::vector<GatedTerm> gated;
    index num_gates = 0;

    double cost() const { // nanoseconds a row, about
        double sum = 0.5 * static_cast<double>(in.dim());
        for (const FunctionTerm& t : terms) sum += static_cast<double>(t.count);
        for (const FunctionTerm& t : gates) sum += static_cast<double>(t.count);
        return sum;
    }
};

/// Rows of a plan, in one pass.
struct ActivationOperation {
    static constexpr auto name = "activation";
    std::shared_ptr<const ActivationPlan> plan;

    template <class T>
    Tensor<T, 2> forward(const Tensor<T, 2>& x) const {
        const index rows = x.extent(0), in = plan->in.dim(), out = plan->out.dim();
        auto y = Tensor<T, 2>::empty({rows, out});
        T* const all = y.mutable_data();
        for_each_rows(rows, in, plan->cost(), [&](index begin, index end) {
            weft::detail::Scratch<T> gates(plan->num_gates);
            for (index row = begin; row < end; ++row) {
                const T* const from = x.data() + row * in;
                T* const to = all + row * out;
                for (const FunctionTerm& t : plan->terms)
                    function_values(t.f, from + t.in, t.count, t.factor, to + t.out);
                open(from, gates.data());
                for (const GatedTerm& t : plan->gated)
                    scale_copies(from + t.in, gates.data() + t.gate, t.copies, t.d, to + t.out);
            }
        });
        return y;
    }
    template <class T, class Sink>
    void backward(const Tensor<T, 2>& dy, const Tensor<T, 2>&, Sink& sink, const Tensor<T, 2>& x) const {
        if (!sink.template wants<0>()) return;
        const index rows = x.extent(0), in = plan->in.dim(), out = plan->out.dim();
        auto dx = Tensor<T, 2>::empty({rows, in});
        T* const all = dx.mutable_data();
        for_each_rows(rows, in, 2 * plan->cost(), [&](index begin, index end) {
            weft::detail::Scratch<T> gates(plan->num_gates), adjoints(plan->num_gates);
            for (index row = begin; row < end; ++row) {
                const T* const from = x.data() + row * in;
                const T* const adjoint = dy.data() + row * out;
                T* const to = all + row * in;
                for (const FunctionTerm& t : plan->terms)
                    function_adjoints(t.f, from + t.in, adjoint + t.out, t.count, t.factor, to + t.in);
                open(from, gates.data());
                for (const GatedTerm& t : plan->gated) {
                    scale_copies(adjoint + t.out, gates.data() + t.gate, t.copies, t.d, to + t.in);
                    dot_copies(adjoint + t.out, from + t.in, t.copies, t.d, adjoints.data() + t.gate);
                }
                for (const FunctionTerm& t : plan->gates)
                    function_adjoints(t.f, from + t.in, adjoints.data() + t.out, t.count, t.factor, to + t.in);
            }
        });
        sink.template add<0>(dx);
    }

private:
    template <class T>
    void open(const T* from, T* gates) const {
        for (const FunctionTerm& t : plan->gates) function_values(t.f, from + t.in, t.count, t.factor, gates + t.out);
    }
};

/// The irreps of functions of the terms, one for each. Errors: another number of functions; a function of a term that
/// is no scalar; one of odd scalars that is neither even nor odd.
inline Irreps activated_irreps(const char* layer, const Irreps& irreps, const std::vector<Function>& functions) {
    if (static_cast<index>(functions.size()) != irreps.size())
        throw error(layer, "there are {} functions for {}: there must be {}, one for each term (or Function::none)",
                    functions.size(), irreps_text(irreps), irreps.size());
    std::vector<MulIrrep> out;
    for (index i = 0; i < irreps.size(); ++i) {
        const Function f = functions[static_cast<std::size_t>(i)];
        MulIrrep term = irreps[i];
        if (f != Function::none && term.ir.l != 0)
            throw error(layer, "{} of {}: only scalars (l = 0) have functions of their components", name_of(f),
                        irreps_text(term));
        if (term.ir.l == 0 && term.ir.p == -1) {
            term.ir.p = facts(f).parity;
            if (term.ir.p == 0)
                throw error(layer, "{} of {}: a function of odd scalars must be even or odd", name_of(f),
                            irreps_text(irreps[i]));
        }
        out.push_back(term);
    }
    return out;
}

/// What the functions do to the terms, which begin at the first of `places`; results one behind the other.
inline void add_functions(std::vector<FunctionTerm>& to, const Irreps& irreps, const std::vector<Function>& functions,
                          SecondMoment moment, std::span<const index> places) {
    index out = 0;
    for (index i = 0; i < irreps.size(); ++i) {
        const auto term = static_cast<std::size_t>(i);
        const index n = irreps[i].dim();
        if (n > 0) to.push_back({places[term], out, n, functions[term], normalize2mom(functions[term], moment)});
        out += n;
    }
}
/// Where the terms begin in a feature vector.
inline std::vector<index> term_places(const Irreps& irreps) {
    std::vector<index> places;
    for (const IrrepSlice& slice : irreps.slices()) places.push_back(slice.begin);
    return places;
}

} // namespace detail

/// Functions of the scalars of a feature vector, one for each term or Function::none, each normalised so that it keeps
/// the second moment of normal numbers: e3nn.nn.Activation. Odd scalars become even ones by an even function, stay odd
/// by an odd one.
class Activation {
public:
    /// Of nothing, to be assigned to.
    Activation() : Activation({}, {}) {}
    /// Errors: another number of functions than terms; a function of a term that is no scalar; one of odd scalars that
    /// is neither even nor odd.
    Activation(const Irreps& irreps_in, const std::vector<Function>& functions,
               SecondMoment moment = SecondMoment::sampled) {
        auto plan = std::make_shared<detail::ActivationPlan>();
        plan->in = irreps_in;
        plan->out = detail::activated_irreps("Activation", irreps_in, functions);
        detail::add_functions(plan->terms, irreps_in, functions, moment, detail::term_places(irreps_in));
        plan_ = plan;
    }

    const Irreps& irreps_in() const { return plan_->in; }
    const Irreps& irreps_out() const { return plan_->out; }

    /// x [N, dim] to [N, dim]. Errors: the dimension is another.
    template <Expression X>
    auto operator()(const X& x) const {
        static_assert(X::rank == 2, "weft: Activation: features are [N, dim]: use reshape");
        detail::require_features("Activation", x, plan_->in);
        return apply_operation(detail::ActivationOperation{plan_}, x);
    }
    void visit(auto&&) {}

private:
    std::shared_ptr<const detail::ActivationPlan> plan_;
};

} // namespace weft::inline WEFT_ABI::so3
