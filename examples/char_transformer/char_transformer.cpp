// SPDX-License-Identifier: MIT

/// A small transformer learns to write like a text, character by character.

#include "../command_line.hpp"
#include "../status_line.hpp"
#include "curve.hpp"
#include "sampling.hpp"
#include "training.hpp"

#include <chrono>
#include <cstdio>

namespace {

using namespace char_transformer;
using char_transformer::index; // POSIX has a function of this name
using Clock = std::chrono::steady_clock;

struct Options {
    std::string data, save, resume, plot, prompt = "\n";
    Recipe recipe;
    SamplingOptions sampling;
    index evaluate = 250, sample = 300, until = -1;
    int threads = 0;
    bool quiet = false;
};

void declare(CLI::App& app, Options& o) {
    Recipe& r = o.recipe;
    app.add_option("--data", o.data,
                   "Text to learn from; tinyshakespeare: the data set in WEFT_DATA_DIR; else eight sonnets")
        ->group("Data");
    app.add_option("--layers", r.size.layers, fmt::format("Blocks ({})", r.size.layers))
        ->check(positive)
        ->group("Model");
    app.add_option("--heads", r.size.heads, fmt::format("Heads, which divide the width ({})", r.size.heads))
        ->check(positive)
        ->group("Model");
    app.add_option("--width", r.size.width, fmt::format("Features of a character ({})", r.size.width))
        ->check(positive)
        ->group("Model");
    app.add_option("--context", r.size.context, fmt::format("Characters looked back at ({})", r.size.context))
        ->check(positive)
        ->group("Model");
    app.add_option("--batch", r.batch, fmt::format("Pieces of text in a step ({})", r.batch))
        ->check(positive)
        ->group("Training");
    app.add_option("--steps", r.steps, fmt::format("Steps ({})", r.steps))->check(positive)->group("Training");
    app.add_option("--until", o.until, "Stop here, to go on with --resume; the rate is that of all --steps")
        ->check(positive)
        ->group("Training");
    app.add_option("--lr", r.lr, fmt::format("Learning rate; it rises at first, then falls to a tenth ({})", r.lr))
        ->check(not_negative)
        ->group("Training");
    app.add_option("--seed", r.seed, "Seed of weights, batches and samples (0)")->group("Training");
    app.add_option("--evaluate", o.evaluate, fmt::format("Validate after so many steps each ({})", o.evaluate))
        ->check(positive)
        ->group("Training");
    app.add_option("--save", o.save, "Checkpoint to write whenever validated")->group("Files");
    app.add_option("--resume", o.resume, "Checkpoint to go on from, with the same numbers as without the break")
        ->group("Files");
    app.add_option("--plot", o.plot, "Learning curve to draw (SVG)")->group("Files");
    app.add_option("--sample", o.sample,
                   fmt::format("Characters to write at the end; a third of them whenever "
                               "validated ({})",
                               o.sample))
        ->check(CLI::Range(weft::index{0}, weft::index{1} << 20))
        ->group("Writing");
    app.add_option("--prompt", o.prompt, "What they follow (a new line)")->group("Writing");
    app.add_option("--temperature", o.sampling.temperature,
                   fmt::format("Below 1 likelier characters, 0 the likeliest ({})", o.sampling.temperature))
        ->check(not_negative)
        ->group("Writing");
    app.add_option("--top-p", o.sampling.top_p,
                   fmt::format("Draw from the likeliest that have this probability together ({})", o.sampling.top_p))
        ->check(CLI::Range(0.0, 1.0))
        ->group("Writing");
    declare_threads_and_quiet(app, o.threads, o.quiet);
}

/// The recipe of the checkpoint. Errors: an option that was given says something else.
Recipe resumed(const CLI::App& app, const Options& o) {
    Recipe saved = Trainer::saved_recipe(o.resume), given = o.recipe;
    std::vector<std::string> values;
    given.for_each([&](const std::string&, auto value) { values.push_back(fmt::format("{}", value)); });
    std::size_t at = 0;
    saved.for_each([&](const std::string& name, auto value) {
        const std::string text = fmt::format("{}", value);
        if (const std::string& asked = values[at++];
            name != "characters" && app.count("--" + name) > 0 && asked != text)
            throw error("char_transformer", "--{} is {}, the checkpoint has {}", name, asked, text);
    });
    return saved;
}

class Run {
public:
    Run(const Options& o, const Recipe& recipe, const Corpus& corpus) : options_(o), trainer_(recipe, corpus) {
        if (!o.resume.empty()) trainer_.load(o.resume);
    }

    void train() {
        const Recipe& r = trainer_.recipe;
        const index last = options_.until > 0 ? std::min(options_.until, r.steps) : r.steps;
        fmt::print("{} parameters, {} characters to learn from and {} to validate on, of {} kinds\n",
                   nn::parameter_count(trainer_.net), trainer_.corpus->train.size(), trainer_.corpus->validation.size(),
                   r.size.characters);
        first_ = trainer_.steps();
        evaluate();
        Clock::time_point shown{};
        while (trainer_.steps() < last) {
            const auto begin = Clock::now();
            loss_ = trainer_.step();
            seconds_ += std::chrono::duration<double>(Clock::now() - begin).count();
            curve_.emplace_back(trainer_.steps(), loss_);
            if (trainer_.steps() % options_.evaluate == 0 || trainer_.steps() == last) evaluate();
            if (!options_.quiet && status_.terminal() && Clock::now() - shown > std::chrono::milliseconds(200)) {
                status_.write(progress());
                shown = Clock::now();
            }
        }
        if (!options_.quiet) status_.finish();
        if (const index done = trainer_.steps() - first_; done > 0)
            fmt::print("{:.2f} ms a step, {:.0f} characters a second\n", 1e3 * seconds_per_step(),
                       static_cast<double>(r.batch * r.size.context) / seconds_per_step());
        if (!options_.plot.empty()) draw_curve();
    }

    void write(index count, const char* title) {
        const auto& vocabulary = trainer_.corpus->vocabulary;
        // Of a generator of its own at each step: what is written does not depend on what was written before.
        Generator generator{trainer_.recipe.seed, 3, static_cast<std::uint64_t>(trainer_.steps()) << 32};
        const auto ids =
            continue_text(trainer_.net, vocabulary.encode(options_.prompt), count, options_.sampling, generator);
        std::string text;
        for (const std::uint8_t id : ids) text += vocabulary.decode(id);
        fmt::print("{}{}\n{}", title, text, *title ? "---\n" : "");
    }

private:
    double seconds_per_step() const {
        return seconds_ / static_cast<double>(std::max<index>(trainer_.steps() - first_, 1));
    }
    std::string progress() const {
        const Recipe& r = trainer_.recipe;
        return fmt::format("step {:>5} of {}  loss {:.3f}  validation {:.3f}  {:.2f} ms/step  {:.0f} characters/s  {} "
                           "left",
                           trainer_.steps(), r.steps, loss_, validation_.back().second, 1e3 * seconds_per_step(),
                           static_cast<double>(r.batch * r.size.context) / seconds_per_step(),
                           StatusLine::clock(seconds_per_step() * static_cast<double>(r.steps - trainer_.steps())));
    }
    void evaluate() {
        validation_.emplace_back(trainer_.steps(), trainer_.validation_loss());
        if (!options_.quiet && status_.terminal()) status_.finish();
        fmt::print("step {:>5}  validation loss {:.4f} nats per character\n", trainer_.steps(),
                   validation_.back().second);
        if (!options_.quiet && trainer_.steps() > first_) {
            if (!status_.terminal()) status_.write(progress());
            if (trainer_.steps() < trainer_.recipe.steps && options_.sample >= 3) write(options_.sample / 3, "---");
        }
        std::fflush(stdout);
        if (!options_.save.empty() && trainer_.steps() > first_) trainer_.save(options_.save);
    }
    void draw_curve() const {
        std::FILE* const file = std::fopen(options_.plot.c_str(), "w");
        if (!file) throw error("char_transformer", "cannot write {}", options_.plot);
        const std::string text = learning_curve(curve_, validation_);
        const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
        if (std::fclose(file) != 0 || !written) throw error("char_transformer", "cannot write {}", options_.plot);
    }

    const Options& options_;
    Trainer trainer_;
    StatusLine status_;
    Points curve_, validation_;
    double seconds_ = 0, loss_ = 0;
    index first_ = 0;
};

void run(const CLI::App& app, const Options& o) {
    if (o.threads > 0) set_thread_count(o.threads);
    if (o.prompt.empty()) throw error("char_transformer", "--prompt is empty: it must have a character");
    Recipe recipe = o.resume.empty() ? o.recipe : resumed(app, o);
    const Corpus corpus(read_text(o.data), recipe.size.context);
    if (o.resume.empty()) recipe.size.characters = corpus.vocabulary.size();
    (void)corpus.vocabulary.encode(o.prompt);
    Run all(o, recipe, corpus);
    all.train();
    if (o.sample > 0) all.write(o.sample, "");
}

} // namespace

int main(int argc, char** argv) {
    Options o;
    CLI::App app(
        "Trains a small transformer (GPT-2's) to predict the next character of a text, prints how well it does "
        "on a tenth of the text that it does not learn from, and lets it write.");
    declare(app, o);
    return run_program("char_transformer", app, argc, argv, [&] { run(app, o); });
}
