// SPDX-License-Identifier: MIT
#pragma once

#include <weft/so3/activation.hpp>

namespace weft::inline WEFT_ABI::so3 {

/// Functions of scalars, and other irreps times functions of scalars of their own, the gates, one for each copy:
/// e3nn.nn.Gate. The input has all three in the order of sorted irreps, scalars before gates where both have the same;
/// the result has the scalars, then the gated irreps. All in one pass over the rows.
class Gate {
public:
    /// Of nothing, to be assigned to.
    Gate() : Gate({}, {}, {}, {}, {}) {}
    /// Errors: scalars or gates of l > 0; another number of gates than of gated copies; the functions do not fit (see
    /// Activation).
    Gate(const Irreps& scalars, const std::vector<Function>& scalar_functions, const Irreps& gates,
         const std::vector<Function>& gate_functions, const Irreps& gated,
         SecondMoment moment = SecondMoment::sampled) {
        require_scalars(scalars, "scalars");
        require_scalars(gates, "gates");
        if (gates.num_irreps() != gated.num_irreps())
            throw error("Gate", "there are {} gates in {} for {} irreps in {}: there must be one for each",
                        gates.num_irreps(), detail::irreps_text(gates), gated.num_irreps(), detail::irreps_text(gated));
        const Irreps opened = detail::activated_irreps("Gate", gates, gate_functions).simplify();
        auto plan = std::make_shared<detail::ActivationPlan>();
        plan->out = detail::activated_irreps("Gate", scalars, scalar_functions);
        plan->num_gates = gates.num_irreps();

        // Terms of the three groups are where sorting puts them.
        const Irreps terms = gated.simplify();
        const auto sorted = (scalars + gates + terms).sort();
        plan->in = sorted.irreps.simplify();
        const auto sorted_places = detail::term_places(sorted.irreps);
        std::vector<index> places;
        for (const index p : sorted.p) places.push_back(sorted_places[static_cast<std::size_t>(p)]);
        const std::span<const index> of_scalars = places, of_gates = of_scalars.subspan(size_of(scalars)),
                                     of_gated = of_gates.subspan(size_of(gates));
        detail::add_functions(plan->terms, scalars, scalar_functions, moment, of_scalars);
        detail::add_functions(plan->gates, gates, gate_functions, moment, of_gates);

        // A gated term is split where its gates change parity.
        index out = plan->out.dim(), gate = 0, left = 0;
        auto opened_term = opened.begin();
        std::vector<MulIrrep> results;
        auto place = of_gated.begin();
        for (const MulIrrep& term : terms) {
            index in = *place++;
            for (index done = 0; done < term.mul;) {
                if (left == 0) left = opened_term++->mul;
                const index copies = std::min(left, term.mul - done), d = term.ir.dim();
                plan->gated.push_back({gate, in, out, copies, d});
                results.push_back({copies, {term.ir.l, term.ir.p * (opened_term - 1)->ir.p}});
                gate += copies;
                in += copies * d;
                out += copies * d;
                left -= copies;
                done += copies;
            }
        }
        plan->out = plan->out + Irreps(results);
        plan_ = plan;
    }

    /// Of the input, in which the three groups are sorted.
    const Irreps& irreps_in() const { return plan_->in; }
    const Irreps& irreps_out() const { return plan_->out; }

    /// x [N, dim] to [N, dim of the result]. Errors: the dimension is another.
    template <Expression X>
    auto operator()(const X& x) const {
        static_assert(X::rank == 2, "weft: Gate: features are [N, dim]: use reshape");
        detail::require_features("Gate", x, plan_->in);
        return apply_operation(detail::ActivationOperation{plan_}, x);
    }
    void visit(auto&&) {}

private:
    static std::size_t size_of(const Irreps& irreps) { return static_cast<std::size_t>(irreps.size()); }
    static void require_scalars(const Irreps& irreps, const char* what) {
        if (irreps.lmax() > 0)
            throw error("Gate", "the {} are {}: all must have l = 0", what, detail::irreps_text(irreps));
    }

    std::shared_ptr<const detail::ActivationPlan> plan_;
};

} // namespace weft::inline WEFT_ABI::so3
