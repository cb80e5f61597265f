// SPDX-License-Identifier: MIT
#pragma once

#include <weft/nn/optimizer.hpp>

#include <optional>

namespace weft::inline WEFT_ABI::nn {

/// Options of `ExponentialMovingAverage`.
struct ExponentialMovingAverageOptions {
    double decay = 0.99;
    /// At update n the decay is at most (1 + n) / (10 + n), so that the start fades sooner.
    bool use_num_updates = true;

    /// Calls f(name, value) for all of them.
    void for_each(auto&& f) {
        f("decay", decay);
        f("use_num_updates", use_num_updates);
    }
};

template <class = void>
class BasicExponentialMovingAverage;
/// A template of which there is one: only programs that use it compile it.
using ExponentialMovingAverage = BasicExponentialMovingAverage<>;

/// Averages of a module's parameters over the steps of training, average -= (1 - decay) (average - parameter), from
/// their values at construction, as the class of that name in torch_ema:
///
///     nn::ExponentialMovingAverage average{net, {.decay = 0.99}};
///     for (...) { ...; optimizer.step(); average.update(); }
///     {
///         const auto scope = average.average_parameters();
///         evaluate(net); // with the averages
///     }
///
/// Like an optimiser it holds handles of the parameters, not the module, which may move; a parameter shared by two
/// members has one average.
template <class>
class BasicExponentialMovingAverage {
public:
    using Options = ExponentialMovingAverageOptions;

    /// Errors: the decay is not in [0, 1].
    template <class M>
    explicit BasicExponentialMovingAverage(const M& module, const Options& options = {}) : options_(options) {
        check(options);
        for_each_distinct(module, [&]<class T, int N>(std::string_view name, const Parameter<T, N>& p) {
            slots<T>(*this).emplace_back(name, p);
        });
    }

    /// As given.
    const Options& options() const noexcept { return options_; }
    /// How many updates there have been.
    index num_updates() const noexcept { return num_updates_; }

    /// Moves the averages towards the parameters; after each step of the optimiser. Errors: a parameter has been given
    /// another size, or has its average for a value now. Then nothing has changed.
    void update() {
        check_parameters();
        ++num_updates_;
        const auto n = static_cast<double>(num_updates_);
        const double decay = options_.use_num_updates ? std::min(options_.decay, (1 + n) / (10 + n)) : options_.decay;
        for_each_slot(*this, [&](auto& slot) { slot.update(1 - decay); });
    }

    /// While it lives, the parameters have the averages for values. At its end they have again what they had before it,
    /// whatever has been done to them.
    class [[nodiscard]] Scope {
    public:
        Scope(const Scope&) = delete;
        Scope& operator=(const Scope&) = delete;
        ~Scope() {
            for_each_slot(average_, [](auto& slot) { slot.restore(); });
        }

    private:
        friend class BasicExponentialMovingAverage;
        explicit Scope(BasicExponentialMovingAverage& average) : average_(average) {
            for_each_slot(average_, [](auto& slot) { slot.swap_in(); });
        }
        BasicExponentialMovingAverage& average_;
    };
    /// Copies no elements. Errors: such a scope lives already; a parameter has been given another size.
    Scope average_parameters() {
        check_parameters();
        return Scope(*this);
    }

    /// Gives the averages to the parameters of a module of the same structure: this one, or a clone. Errors: its
    /// parameters have other names, types or shapes. Then nothing has changed.
    template <class M>
    void copy_to(M& module) const {
        std::array<std::size_t, 2> at{};
        for_each_distinct(module, [&]<class T, int N>(std::string_view name, const Parameter<T, N>& p) {
            const auto& own = slots<T>(*this);
            const std::size_t k = at[std::is_same_v<T, double>]++;
            if (k >= own.size() || own[k].name != name ||
                !std::equal(p.shape().begin(), p.shape().end(), own[k].shape.begin(), own[k].shape.end()))
                throw error(operation, "there is no average of a parameter {} of shape {} at that place", name,
                            weft::detail::shape_text(p.shape()));
        });
        if (at[0] != floats_.size() || at[1] != doubles_.size())
            throw error(operation, "the module has {} parameters, there are averages of {}", at[0] + at[1],
                        floats_.size() + doubles_.size());
        at = {};
        for_each_distinct(module, [&]<class T, int N>(std::string_view, Parameter<T, N>& p) {
            const Tensor<T, 1>& average = slots<T>(*this)[at[std::is_same_v<T, double>]++].average;
            p.set_value(Tensor<T, N>::share(average.storage(), average.data(), p.shape()));
        });
    }

    /// What a later run needs to go on with the same bits: the averages, `conv1.weight.average`, and the number of
    /// updates, with the options.
    io::NamedTensors state_dict() const {
        io::NamedTensors dict;
        for_each_slot(*this, [&]<class T>(const Slot<T>& slot) {
            dict.emplace_back(detail::joined(slot.name, "average"),
                              io::AnyTensor(io::dtype_of<T>(), slot.shape, slot.average.storage(),
                                            reinterpret_cast<const std::byte*>(slot.average.data())));
        });
        dict.emplace_back("num_updates", Tensor<std::int64_t, 0>(num_updates_));
        Options(options_).for_each([&](const char* option, const auto& value) {
            dict.emplace_back(option, Tensor<double, 0>(static_cast<double>(value)));
        });
        return dict;
    }
    /// Errors: names that only one side has, other shapes, a decay that is not in [0, 1]. Then nothing has changed.
    void load_state_dict(const io::NamedTensors& dict) {
        BasicExponentialMovingAverage loaded = *this;
        detail::DictReader reader(dict);
        for_each_slot(loaded, [&]<class T>(Slot<T>& slot) {
            const std::string name = detail::joined(slot.name, "average");
            if (const auto* const entry = reader.find(name, slot.shape))
                slot.average = detail::own_copy<T, 1>(detail::flat(*entry), name);
        });
        const auto number = [&]<class T>(const char* entry_name, T otherwise) {
            const auto* const entry = reader.find(entry_name, {});
            return entry ? entry->template to<T, 0>(io::Conversion::lossless, entry_name).item() : otherwise;
        };
        loaded.num_updates_ = number("num_updates", std::int64_t{0});
        loaded.options_.for_each([&](const char* option, auto& value) {
            value = static_cast<std::remove_reference_t<decltype(value)>>(number(option, 0.0));
        });
        reader.finish(true);
        check(loaded.options_);
        *this = std::move(loaded);
    }

private:
    static constexpr auto operation = "ExponentialMovingAverage";

    /// A parameter and its average; while a scope lives, also the value that the parameter had before.
    template <class T>
    struct Slot {
        std::string name;
        std::vector<index> shape;
        Parameter<T, 1> parameter;
        Tensor<T, 1> average;
        std::optional<Tensor<T, 1>> kept;

        template <int N>
        Slot(std::string_view path, const Parameter<T, N>& p)
            : name(path), shape(p.shape().begin(), p.shape().end()),
              parameter(p.template window<1>(0, {p.size()}, {1})), average(value()) {}

        /// Shares the memory.
        Tensor<T, 1> value() const {
            const auto& node = parameter.node();
            return Tensor<T, 1>::share(node->value, node->data, {node->size});
        }
        void check() const {
            if (kept) throw error(operation, "parameter {} has its average for a value already", name);
            if (parameter.node()->size != average.size())
                throw error(operation, "parameter {} has {} elements, its average has {}", name, parameter.node()->size,
                            average.size());
        }
        void update(double share) {
            const struct {
                Packet<T> share;
                void operator()(Packet<T>& a, const Packet<T>& p, std::array<Packet<T>, 0>&) const {
                    a = a - share * (a - p);
                }
            } rule{splat(static_cast<T>(share))};
            detail::update_values<0, T>(rule, average.mutable_data(), parameter.node()->data, nullptr, average.size());
        }
        void swap_in() {
            kept = value();
            parameter.set_value(average);
        }
        void restore() {
            parameter.set_value(*kept);
            kept.reset();
        }
    };
    template <class T>
    static auto& slots(auto& self) {
        static_assert(std::is_same_v<T, float> || std::is_same_v<T, double>,
                      "weft: averages are of parameters of float and double");
        if constexpr (std::is_same_v<T, float>)
            return self.floats_;
        else
            return self.doubles_;
    }
    static void for_each_slot(auto& self, auto&& f) {
        for (auto& slot : self.floats_) f(slot);
        for (auto& slot : self.doubles_) f(slot);
    }

    static void check(const Options& options) {
        if (!(options.decay >= 0 && options.decay <= 1))
            throw error(operation, "decay is {}: must be in [0, 1]", options.decay);
    }
    void check_parameters() const {
        for_each_slot(*this, [](const auto& slot) { slot.check(); });
    }
    template <class M, class F>
    static void for_each_distinct(M& module, F&& f) {
        std::set<const void*> seen;
        for_each_parameter(module, [&](std::string_view path, auto& p) {
            if (seen.insert(p.node().get()).second) f(path, p);
        });
    }

    Options options_;
    index num_updates_ = 0;
    std::vector<Slot<float>> floats_;
    std::vector<Slot<double>> doubles_;
};

} // namespace weft::inline WEFT_ABI::nn
