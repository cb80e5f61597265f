// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/error.hpp>

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
        throw weft::error(program, "--dataset {} needs the environment variable WEFT_DATA_DIR; or use --data", dataset);
    return folder;
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
