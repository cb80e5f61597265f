// SPDX-License-Identifier: MIT
// usage: run_for <-march= of x86-64> <program> <argument>...
// Runs the program if this processor has the instructions of that architecture, and else says so. A program of its own,
// since in one that is compiled for them any code may use them.
#include <cstdio>
#include <cstring>
#include <string_view>
#include <unistd.h>

namespace {

bool has(std::string_view architecture) {
    __builtin_cpu_init();
    const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
                    __builtin_cpu_supports("bmi2");
    const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                    __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                    __builtin_cpu_supports("avx512vl");
    return architecture == "x86-64-v4" ? v4 : architecture == "x86-64-v3" ? v3 : true;
}

} // namespace

int main(int argc, char** argv) {
    if (argc < 3) {
        std::fputs("usage: run_for <-march= of x86-64> <program> <argument>...\n", stderr);
        return 2;
    }
    if (!has(argv[1])) {
        std::printf("skipped: there is no %s in this processor\n", argv[1]);
        return 0;
    }
    execv(argv[2], argv + 2);
    std::perror(argv[2]);
    return 1;
}
