// SPDX-License-Identifier: MIT
// The main function of every test program, for Catch2 2 and 3.
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_session.hpp>
#else
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#endif

#include <cstdlib>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
// The OpenMP library does not give back what it has for threads it has ended.
extern "C" const char* __lsan_default_suppressions() { return "leak:libomp\n"; }
#endif
#endif

int main(int argc, char** argv) {
    Catch::Session session;
    if (const int error = session.applyCommandLine(argc, argv); error != 0) return error;
    // Hidden tests run when they are asked for.
    if (session.configData().testsOrTags.empty()) session.configData().testsOrTags.push_back("~[.]");
    // Tests of data sets that are not in the repository run where a variable says where these are.
    if (std::getenv("WEFT_DATA_DIR") == nullptr) session.configData().testsOrTags.push_back("~[data]");
    return session.run();
}
