// SPDX-License-Identifier: MIT
#pragma once

#include <weft/nn/optimizer.hpp>

#include <optional>
#include <variant>

namespace weft::inline WEFT_ABI::nn {

struct ExponentialMovingAverageOptions {
    double decay = 0.99;
    bool use_num_updates =
        true; ///< at update n the decay is at most (1 + n) / (10 + n), so that the start fades sooner

    void for_each(auto&& f) {
        f("decay", decay);
        f("use_num_updates", use_num_updates);
    }
};

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
class ExponentialMovingAverage {
public:
    using Options = ExponentialMovingAverageOptions;

    /// Errors: the decay is not in [0, 1].
    template <class M>
    explicit ExponentialMovingAverage(const M& module, const Options& options = {}) : options_(options) {
        check(options);
        for_each_distinct(module, [&]<class T, int N>(std::string_view name, const Parameter<T, N>& p) {
            slots_.emplace_back(std::in_place_type<Slot<T>>, name, p);
        });
    }

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
        for (AnySlot& slot : slots_) std::visit([&](auto& s) { s.update(1 - decay); }, slot);
    }

    /// While it lives, the parameters have the averages for values. At its end they have again what they had before it,
    /// whatever has been done to them.
    class [[nodiscard]] Scope {
    public:
        Scope(const Scope&) = delete;
        Scope& operator=(const Scope&) = delete;
        ~Scope() {
            for (AnySlot& slot : average_.slots_) std::visit([](auto& s) { s.restore(); }, slot);
        }

    private:
        friend class ExponentialMovingAverage;
        explicit Scope(ExponentialMovingAverage& average) : average_(average) {
            for (AnySlot& slot : average_.slots_) std::visit([](auto& s) { s.swap_in(); }, slot);
        }
        ExponentialMovingAverage& average_;
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
        std::size_t count = 0;
        for_each_distinct(module, [&]<class T, int N>(std::string_view path, const Parameter<T, N>& p) {
            const Slot<T>* const slot = count < slots_.size() ? std::get_if<Slot<T>>(&slots_[count]) : nullptr;
            ++count;
            if (!slot || slot->path != path ||
                !std::equal(p.shape().begin(), p.shape().end(), slot->shape.begin(), slot->shape.end()))
                throw error(operation, "parameter {} of shape {} is not that of which number {} is the average", path,
                            weft::detail::shape_text(p.shape()), count - 1);
        });
        if (count != slots_.size())
            throw error(operation, "the module has {} parameters, there are averages of {}", count, slots_.size());
        std::size_t at = 0;
        for_each_distinct(module, [&]<class T, int N>(std::string_view, Parameter<T, N>& p) {
            const Tensor<T, 1>& average = std::get<Slot<T>>(slots_[at++]).average;
            p.set_value(Tensor<T, N>::share(average.storage(), average.data(), p.shape()));
        });
    }

    /// What a later run needs to go on with the same bits: the averages, `conv1.weight.average`, and the number of
    /// updates, with the options.
    io::NamedTensors state_dict() const {
        io::NamedTensors dict;
        for (const AnySlot& slot : slots_)
            std::visit(
                [&](const auto& s) {
                    const auto& a = s.average;
                    dict.emplace_back(
                        detail::joined(s.path, "average"),
                        io::AnyTensor(io::dtype_of<typename std::remove_cvref_t<decltype(a)>::value_type>(), s.shape,
                                      a.storage(), reinterpret_cast<const std::byte*>(a.data())));
                },
                slot);
        dict.emplace_back("num_updates", Tensor<std::int64_t, 0>(num_updates_));
        Options(options_).for_each([&](const char* option, const auto& value) {
            dict.emplace_back(option, Tensor<double, 0>(static_cast<double>(value)));
        });
        return dict;
    }
    /// Errors: names that only one side has, other shapes, a decay that is not in [0, 1]. Then nothing has changed.
    void load_state_dict(const io::NamedTensors& dict) {
        ExponentialMovingAverage loaded = *this;
        detail::DictReader reader(dict);
        for (AnySlot& slot : loaded.slots_)
            std::visit(
                [&]<class T>(Slot<T>& s) {
                    const std::string path = detail::joined(s.path, "average");
                    if (const auto* const entry = reader.find(path, s.shape))
                        s.average = detail::own_copy<T, 1>(detail::flat(*entry), path);
                },
                slot);
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
        std::string path;
        std::vector<index> shape;
        Parameter<T, 1> parameter;
        Tensor<T, 1> average;
        std::optional<Tensor<T, 1>> kept;

        template <int N>
        Slot(std::string_view path_, const Parameter<T, N>& p)
            : path(path_), shape(p.shape().begin(), p.shape().end()),
              parameter(p.template window<1>(0, {p.size()}, {1})), average(value()) {}

        /// Shares the memory.
        Tensor<T, 1> value() const {
            const auto& node = parameter.node();
            return Tensor<T, 1>::share(node->value, node->data, {node->size});
        }
        void check() const {
            if (kept) throw error(operation, "parameter {} has its average for a value already", path);
            if (parameter.node()->size != average.size())
                throw error(operation, "parameter {} has {} elements, its average has {}", path, parameter.node()->size,
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
    using AnySlot = std::variant<Slot<float>, Slot<double>>;

    static void check(const Options& options) {
        if (!(options.decay >= 0 && options.decay <= 1))
            throw error(operation, "decay is {}: must be in [0, 1]", options.decay);
    }
    void check_parameters() const {
        for (const AnySlot& slot : slots_) std::visit([](const auto& s) { s.check(); }, slot);
    }
    template <class M, class F>
    static void for_each_distinct(M& module, F&& f) {
        std::unordered_set<const void*> seen;
        for_each_parameter(module, [&](std::string_view path, auto& p) {
            if (seen.insert(p.node().get()).second) f(path, p);
        });
    }

    Options options_;
    index num_updates_ = 0;
    std::vector<AnySlot> slots_;
};

} // namespace weft::inline WEFT_ABI::nn
