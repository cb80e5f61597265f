// SPDX-License-Identifier: MIT
#pragma once

#include "model.hpp"
#include "text.hpp"

#include <weft/grad/backward.hpp>
#include <weft/io/safetensors.hpp>
#include <weft/nn/adam.hpp>
#include <weft/nn/loss.hpp>
#include <weft/nn/schedule.hpp>
#include <weft/nn/state_dict.hpp>

#include <charconv>
#include <set>

namespace char_transformer {

/// All that the numbers of a run depend on, beside the text.
struct Recipe {
    Size size;
    index batch = 12, steps = 2000;
    double lr = 1e-3;
    std::uint64_t seed = 0;

    /// Calls f(name, value) for what a checkpoint remembers.
    void for_each(auto&& f) {
        f("characters", size.characters);
        f("layers", size.layers);
        f("heads", size.heads);
        f("width", size.width);
        f("context", size.context);
        f("batch", batch);
        f("steps", steps);
        f("lr", lr);
        f("seed", seed);
    }
};

/// Parts of a text, [B, N], and the characters that follow theirs, [B N].
struct Batch {
    Tensor<std::int64_t, 2> ids;
    Tensor<std::int64_t, 1> next;

    Batch(const std::vector<std::uint8_t>& text, index count, index context, Generator& generator)
        : ids(Tensor<std::int64_t, 2>::empty({count, context})),
          next(Tensor<std::int64_t, 1>::empty({count * context})) {
        std::vector<std::int64_t> begins(static_cast<std::size_t>(count));
        fill_integers(generator, begins.data(), count, 0, static_cast<std::int64_t>(text.size()) - context);
        std::int64_t *to = ids.mutable_data(), *next_to = next.mutable_data();
        for (const std::int64_t begin : begins) {
            to = std::copy_n(text.begin() + begin, context, to);
            next_to = std::copy_n(text.begin() + begin + 1, context, next_to);
        }
    }
};

/// Trains a model: AdamW with decay of matrices only, clipped gradients, and a rate that rises over the first twentieth
/// of the steps and falls along a cosine to a tenth. A checkpoint has all that the rest of a run depends on.
class Trainer {
public:
    using Net = Model<float>;
    Recipe recipe;
    const Corpus* corpus;
    Net net;

    Trainer(const Recipe& r, const Corpus& text)
        : recipe(r), corpus(&text), net(make_net(r)), adam_(net, options(0.1)), batches_{r.seed, 1, 0} {
        std::set<std::string, std::less<>> vectors;
        nn::for_each_parameter(net, [&]<int N>(std::string_view name, const Parameter<float, N>&) {
            if (N < 2) vectors.emplace(name);
        });
        adam_.add_group([&](std::string_view name) { return vectors.contains(name); }, options(0));
        const index warmup = r.steps / 20;
        schedule_.emplace(adam_, Rate{warmup,
                                      {.t_max = std::max<index>(r.steps - warmup, 1), .eta_min = r.lr / 10},
                                      1 / static_cast<double>(warmup + 1)});
    }
    Trainer(const Trainer&) = delete;
    Trainer& operator=(const Trainer&) = delete;

    index steps() const { return schedule_->epoch(); }

    /// One step; gives the loss in nats per character. Errors: the loss is not finite.
    double step() {
        const Batch batch(corpus->train, recipe.batch, recipe.size.context, batches_);
        const Var loss = nn::cross_entropy(net(Var{batch.ids}), batch.next);
        const double value = static_cast<double>(loss.item());
        if (!std::isfinite(value)) throw error("char_transformer", "the loss of step {} is {}", steps(), value);
        backward(loss);
        nn::clip_grad_norm(net, 1);
        adam_.step();
        schedule_->step();
        return value;
    }

    /// The loss on 20 batches of 32 of the text that is not trained on, the same whenever it is asked for.
    double validation_loss() const {
        constexpr index batches = 20;
        Generator generator{recipe.seed, 2, 0};
        double sum = 0;
        for (index b = 0; b < batches; ++b) {
            const Batch batch(corpus->validation, 32, recipe.size.context, generator);
            sum += static_cast<double>(Tensor<float, 0>(nn::cross_entropy(net(batch.ids), batch.next)).item());
        }
        return sum / static_cast<double>(batches);
    }

    /// Writes parameters, moments, step and random state, with the recipe and a checksum of the text.
    void save(const std::filesystem::path& path) const {
        io::NamedTensors all;
        for (const auto& [name, tensor] : nn::state_dict(net)) all.emplace_back("model." + name, tensor);
        for (const auto& [name, tensor] : adam_.state_dict()) all.emplace_back("adamw." + name, tensor);
        io::Metadata words;
        Recipe(recipe).for_each([&](const std::string& name, auto value) { words["recipe." + name] = text_of(value); });
        words["format"] = format;
        words["text"] = text_of(corpus->checksum);
        words["step"] = text_of(steps());
        words["batches"] = text_of(batches_.position);
        io::save_safetensors(path, all, words);
    }
    /// Goes on where a checkpoint was written, with the same bits. The recipe must be that of `saved_recipe`. Errors:
    /// the file is none of these, or of another text.
    void load(const std::filesystem::path& path) {
        const auto file = io::SafetensorsFile::read(path);
        if (word(file, "text") != text_of(corpus->checksum))
            throw error("char_transformer", "{} is of another text", path.string());
        io::NamedTensors model, adamw;
        for (const std::string& name : file.names()) {
            const auto point = name.find('.');
            (name.starts_with("model.") ? model : adamw).emplace_back(name.substr(point + 1), file.any(name));
        }
        nn::load_state_dict(net, model);
        adam_.load_state_dict(adamw);
        batches_.position = number<std::uint64_t>(file, "batches");
        schedule_->set_epoch(number<index>(file, "step"));
    }
    static Recipe saved_recipe(const std::filesystem::path& path) {
        const auto file = io::SafetensorsFile::read(path);
        if (word(file, "format") != format)
            throw error("char_transformer", "{} is a checkpoint of format {}, must be {}", path.string(),
                        word(file, "format"), format);
        Recipe r;
        r.for_each([&](const std::string& name, auto& value) {
            value = number<std::remove_reference_t<decltype(value)>>(file, "recipe." + name);
        });
        return r;
    }

private:
    using Rate = nn::WarmupLR<nn::CosineAnnealingLR>;
    static constexpr auto format = "1";

    static Net make_net(const Recipe& r) {
        Generator generator{r.seed, 0, 0};
        return Net(r.size, generator);
    }
    nn::AdamWOptions options(double decay) const {
        return {.lr = recipe.lr, .betas = {0.9, 0.99}, .weight_decay = decay};
    }
    /// Doubles too are read back as they were.
    template <class V>
    static std::string text_of(V value) {
        return fmt::format("{}", value);
    }
    static std::string word(const io::SafetensorsFile& file, const std::string& key) {
        const auto found = file.metadata().find(key);
        if (found == file.metadata().end())
            throw error("char_transformer", "{} is no checkpoint of this program: it has no {}", file.file(), key);
        return found->second;
    }
    template <class V>
    static V number(const io::SafetensorsFile& file, const std::string& key) {
        const std::string text = word(file, key);
        V value{};
        const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (problem != std::errc() || end != text.data() + text.size())
            throw error("char_transformer", "{}: {} is {}, must be a number", file.file(), key, text);
        return value;
    }

    nn::AdamW adam_;
    std::optional<nn::Schedule<nn::AdamW, Rate>> schedule_;
    Generator batches_; // where the next batch is drawn
};

} // namespace char_transformer
