// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/flush_subnormals.hpp>
#include <weft/core/ops/multiply.hpp>
#include <weft/core/ops/square.hpp>
#include <weft/core/reduce.hpp>
#include <weft/nn/module.hpp>
#include <weft/nn/state_dict.hpp>

#include <array>
#include <cmath>
#include <concepts>
#include <memory>
#include <vector>

namespace weft::inline WEFT_ABI::nn {

namespace detail {

// Elements of one chunk of an update: a few streams of it stay in the second-level cache.
inline constexpr index update_grain = index{1} << 15;

/// Calls f(begin, n) over [0, size) in parallel where that pays; `bytes` per element.
template <class F>
void for_each_range(index size, index bytes, F&& f) {
    weft::detail::for_each_chunk((size + update_grain - 1) / update_grain, 0.08 * static_cast<double>(size * bytes),
                                 [&](index chunk) {
                                     const index begin = chunk * update_grain;
                                     f(begin, std::min(update_grain, size - begin));
                                 });
}

/// One pass over a parameter, its gradient and K states: update(p, g, states) on packets. Subnormal numbers become 0:
/// states of what has no gradient any more would end among them.
template <std::size_t K, class T, class Update>
void update_values(const Update& rule, T* p, const T* g, T* const* states, index size) {
    using P = Packet<T>;
    for_each_range(size, static_cast<index>(sizeof(T) * (3 + 2 * K)), [&](index begin, index n) {
        const weft::detail::FlushSubnormals flushed;
        const Update update = rule; // local copies, which the stores below cannot alias
        std::array<T*, K> to{};
        for (std::size_t k = 0; k < K; ++k) to[k] = states[k] + begin;
        T* const value = p + begin;
        const T* const gradient = g + begin;
        std::array<P, K> s{};
        index i = 0;
        for (; i + lanes<T> <= n; i += lanes<T>) {
            P x = load_packet(value + i);
            for (std::size_t k = 0; k < K; ++k) s[k] = load_packet(to[k] + i);
            update(x, load_packet(gradient + i), s);
            store_packet(value + i, x);
            for (std::size_t k = 0; k < K; ++k) store_packet(to[k] + i, s[k]);
        }
        if (const index rest = n - i; rest > 0) {
            P x = load_first(value + i, rest, T{});
            for (std::size_t k = 0; k < K; ++k) s[k] = load_first(to[k] + i, rest, T{});
            update(x, load_first(gradient + i, rest, T{}), s);
            store_first(value + i, x, rest);
            for (std::size_t k = 0; k < K; ++k) store_first(to[k] + i, s[k], rest);
        }
    });
}

/// The same elements along one axis.
inline io::AnyTensor flat(const io::AnyTensor& tensor) {
    return {tensor.dtype(), {tensor.size()}, tensor.storage(), tensor.bytes().data()};
}

inline std::string joined(std::string_view path, std::string_view name) {
    return path.empty() ? std::string(name) : std::string(path) + "." + std::string(name);
}

} // namespace detail

/// Updates the parameters of a module from their gradients. `Rule` says how; see Adam and SGD. It holds handles of the
/// parameters, not the module, which may move; a parameter shared by two members is updated once. A step takes
/// subnormal numbers for 0 (torch.set_flush_denormal), so that states of what has no gradient any more stay fast.
/// Options are those of a group of parameters; all begin in group 0:
///
///     nn::Adam optimizer{net, {.lr = 0.01}};
///     optimizer.add_group(net.conv1, {.lr = 0.01, .weight_decay = 5e-4});
///     optimizer.options(1).lr *= 0.5;
template <class Rule>
class Optimizer {
public:
    using Options = typename Rule::Options;

    /// Errors: options out of range.
    template <class M>
    explicit Optimizer(const M& module, const Options& options = {}) {
        Rule::check(options);
        groups_.push_back(options);
        for_each_parameter(module, [&]<class T, int N>(std::string_view name, const Parameter<T, N>& p) {
            static_assert(std::is_same_v<T, float> || std::is_same_v<T, double>,
                          "weft: optimisers train parameters of float and double");
            if (find(p.node().get()) == nullptr) slots_.push_back(std::make_unique<Slot<T>>(name, p));
        });
    }

    /// Moves the parameters of a part of the module (a sub-module, or one Parameter) into a new group. Errors: options
    /// out of range; a parameter that this optimiser does not have.
    template <class M>
    requires(Module<M> || detail::is_parameter<M>) Options& add_group(const M& part, const Options& options) {
        std::vector<AnySlot*> moved;
        for_each_parameter(part, [&](std::string_view name, const auto& p) {
            moved.push_back(find(p.node().get()));
            if (!moved.back()) throw error(Rule::name, "parameter {} of the group is none of the optimiser's", name);
        });
        return move_to_group(moved, options);
    }
    /// The same for the parameters whose names `matches(name)` says. Errors: options out of range; no name matches.
    template <class F>
    requires(!Module<F> && std::predicate<F&, std::string_view>) Options& add_group(F&& matches,
                                                                                    const Options& options) {
        std::vector<AnySlot*> moved;
        for (const auto& slot : slots_)
            if (matches(std::string_view(slot->name))) moved.push_back(slot.get());
        if (moved.empty()) throw error(Rule::name, "no parameter has a name that the group asks for");
        return move_to_group(moved, options);
    }

    /// Groups of parameters, at least one.
    std::size_t group_count() const noexcept { return groups_.size(); }
    /// The options of a group; they may be changed between steps. Errors: there is no such group.
    Options& options(std::size_t group = 0) {
        if (group >= groups_.size()) throw error(Rule::name, "there is no group {} among {}", group, groups_.size());
        return groups_[group];
    }
    /// The same, to be read.
    const Options& options(std::size_t group = 0) const { return const_cast<Optimizer&>(*this).options(group); }

    /// Updates every parameter that has a gradient, and clears the gradients. Allocates nothing from the second step
    /// on. Errors: options out of range; a parameter that has been given another size. After these, and when there is
    /// no memory, another step() updates the parameters that were not reached.
    void step() {
        for (const Options& options : groups_) Rule::check(options);
        for (const auto& slot : slots_) slot->update(groups_[slot->group]);
    }
    /// Clears the gradients without an update.
    void clear_grad() {
        for (const auto& slot : slots_) slot->clear_grad();
    }

    /// What a later run needs to go on with the same bits, beside the module's own state dict: per parameter the number
    /// of steps and the states, `conv1.weight.exp_avg`; per group the options, `param_groups.0.lr`.
    io::NamedTensors state_dict() const {
        io::NamedTensors dict;
        for (const auto& slot : slots_) slot->save(dict);
        for_each_option([&](const std::string& name, const auto& value) {
            dict.emplace_back(name, Tensor<double, 0>(static_cast<double>(value)));
        });
        return dict;
    }
    /// Errors: names that only one side has, other shapes. Then nothing has changed.
    void load_state_dict(const io::NamedTensors& dict) {
        detail::DictReader reader(dict);
        std::vector<double> values;
        for_each_option([&](const std::string& name, const auto&) {
            const io::AnyTensor* const entry = reader.find(name, {});
            values.push_back(entry ? detail::flat(*entry).to<double, 1>(io::Conversion::lossless, name).item() : 0.0);
        });
        for (const auto& slot : slots_) slot->load(reader, groups_[slot->group]);
        reader.finish(true);
        for (const auto& slot : slots_) slot->accept();
        std::size_t at = 0;
        for_each_option([&](const std::string&, auto& value) {
            value = static_cast<std::remove_cvref_t<decltype(value)>>(values[at++]);
        });
    }

private:
    /// A parameter and its state, of any scalar type.
    struct AnySlot {
        std::string name;
        const void* node = nullptr;
        std::size_t group = 0;
        index steps = 0;

        virtual ~AnySlot() = default;
        virtual void update(const Options& options) = 0;
        virtual void clear_grad() = 0;
        virtual void save(io::NamedTensors& dict) const = 0;
        virtual void load(detail::DictReader& reader, const Options& options) = 0;
        virtual void accept() = 0;
    };

    template <class T>
    struct Slot final : AnySlot {
        static constexpr std::size_t count = Rule::states.size();
        using States = std::array<Tensor<T, 1>, count>;

        Parameter<T, 1> parameter;
        std::vector<index> shape;
        States states;
        States loaded;
        index loaded_steps = 0;

        template <int N>
        Slot(std::string_view path, const Parameter<T, N>& p)
            : parameter(p.template window<1>(0, {p.size()}, {1})), shape(p.shape().begin(), p.shape().end()) {
            this->name = path;
            this->node = p.node().get();
        }

        void update(const Options& options) override {
            if (!parameter.has_grad()) return;
            if (parameter.node()->size != parameter.size())
                throw error(Rule::name, "parameter {} has {} elements, it had {} when the optimiser was made",
                            this->name, parameter.node()->size, parameter.size());
            T* const p = parameter.mutable_values().data();
            const T* const g = parameter.gradient_values().data();
            const std::size_t used = Rule::state_count(options);
            T* to[count] = {};
            for (std::size_t k = 0; k < used; ++k) {
                if (states[k].size() != parameter.size()) states[k] = Tensor<T, 1>::zeros({parameter.size()});
                to[k] = states[k].mutable_data();
            }
            ++this->steps; // what may fail is behind
            const typename Rule::template Update<Packet<T>> rule(options, this->steps);
            update_with<Rule::least_states>(used, rule, p, g, to);
            parameter.clear_grad();
        }
        template <std::size_t K, class Update>
        void update_with(std::size_t used, const Update& rule, T* p, const T* g, T* const* to) {
            if constexpr (K < count)
                if (used > K) return update_with<K + 1>(used, rule, p, g, to);
            detail::update_values<K, T>(rule, p, g, to, parameter.size());
        }
        void clear_grad() override { parameter.clear_grad(); }

        void save(io::NamedTensors& dict) const override {
            if (this->steps == 0) return;
            dict.emplace_back(detail::joined(this->name, "step"), Tensor<std::int64_t, 0>(this->steps));
            for (std::size_t k = 0; k < count; ++k)
                if (states[k].size() == parameter.size())
                    dict.emplace_back(detail::joined(this->name, Rule::states[k]),
                                      io::AnyTensor(io::dtype_of<T>(), shape, states[k].storage(),
                                                    reinterpret_cast<const std::byte*>(states[k].data())));
        }
        void load(detail::DictReader& reader, const Options& options) override {
            loaded = States();
            loaded_steps = 0;
            const std::string step = detail::joined(this->name, "step");
            if (!reader.contains(step)) return;
            if (const auto* const entry = reader.find(step, {}))
                loaded_steps = detail::flat(*entry).to<std::int64_t, 1>(io::Conversion::rounding, step).item();
            for (std::size_t k = 0; k < count; ++k) {
                const std::string state = detail::joined(this->name, Rule::states[k]);
                if (!reader.contains(state) && k >= Rule::state_count(options)) continue;
                if (const auto* const entry = reader.find(state, shape))
                    loaded[k] = detail::own_copy<T, 1>(detail::flat(*entry), state);
            }
        }
        void accept() override {
            states = std::move(loaded);
            this->steps = loaded_steps;
        }
    };

    AnySlot* find(const void* node) const {
        for (const auto& slot : slots_)
            if (slot->node == node) return slot.get();
        return nullptr;
    }
    Options& move_to_group(const std::vector<AnySlot*>& moved, const Options& options) {
        Rule::check(options);
        groups_.push_back(options);
        for (AnySlot* const slot : moved) slot->group = groups_.size() - 1;
        return groups_.back();
    }
    template <class F>
    void for_each_option(F&& f) const {
        for (std::size_t i = 0; i < groups_.size(); ++i)
            const_cast<Options&>(groups_[i]).for_each([&](std::string_view field, auto& value) {
                f(weft::detail::message("param_groups.{}.{}", {i, field}), value);
            });
    }

    std::vector<Options> groups_;
    std::vector<std::unique_ptr<AnySlot>> slots_;
};

/// Scales all gradients of a module by min(1, max_norm / (norm + 1e-6)), where norm is the Euclidean norm of all of
/// them together, which is returned. As in PyTorch a NaN spreads to all.
template <class M>
double clip_grad_norm(const M& module, double max_norm) {
    double squares = 0;
    std::set<const void*> seen;
    for_each_parameter(module, [&](std::string_view, const auto& p) {
        if (p.has_grad() && seen.insert(p.node().get()).second)
            squares += static_cast<double>(sum(square(p.grad())).item());
    });
    const double total = std::sqrt(squares), factor = max_norm / (total + 1e-6);
    if (factor >= 1) return total;
    seen.clear();
    for_each_parameter(module, [&]<class T, int N>(std::string_view, const Parameter<T, N>& p) {
        if (!p.has_grad() || !seen.insert(p.node().get()).second) return;
        const struct {
            Packet<T> factor;
            void operator()(Packet<T>& x, const Packet<T>&, std::array<Packet<T>, 0>&) const { x = x * factor; }
        } scale{splat(static_cast<T>(factor))};
        T* const gradient = p.node()->gradient_to_update();
        detail::update_values<0, T>(scale, gradient, gradient, nullptr, p.node()->size);
    });
    return total;
}

} // namespace weft::inline WEFT_ABI::nn
