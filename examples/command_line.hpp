// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/error.hpp>
#include <weft/core/index.hpp>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <string>

/// The folder that the environment variable WEFT_DATA_DIR names, which has the data set asked for. Errors: there is no
/// such variable.
inline std::filesystem::path data_folder(const char* program, const std::string& dataset) {
    const char* const folder = std::getenv("WEFT_DATA_DIR");
    if (!folder || !*folder)
        throw weft::error(program, "data set {} needs the environment variable WEFT_DATA_DIR; or use --data", dataset);
    return folder;
}

inline const CLI::Range positive(weft::index{1}, weft::index{1} << 20);
inline const CLI::Validator not_negative(
    [](std::string& text) {
        return std::strtod(text.c_str(), nullptr) >= 0 ? std::string() : "must not be negative: " + text;
    },
    "");

/// The options of every program that change nothing of its results.
inline void declare_threads_and_quiet(CLI::App& app, int& threads, bool& quiet) {
    app.add_option("--threads", threads, "Threads (all processors); the results do not depend on it")
        ->check(CLI::Range(1, 1024))
        ->group("Training");
    app.add_flag("--quiet", quiet, "No progress, only the result");
}

/// Reads the command line and calls run(). The exit code of the program: 2, with the reason on stderr, when one of them
/// fails.
template <class Run>
int run_program(const char* program, CLI::App& app, int argc, char** argv, Run&& run) {
    try {
        app.parse(argc, argv);
        run();
        return 0;
    } catch (const CLI::Success& success) {
        return app.exit(success);
    } catch (const CLI::ParseError& wrong) {
        fmt::print(stderr, "{}: {}\nOptions are described by --help.\n", program, wrong.what());
    } catch (const std::exception& wrong) {
        fmt::print(stderr, "{}\n", wrong.what());
    }
    return 2;
}
