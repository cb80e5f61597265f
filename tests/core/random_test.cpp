// SPDX-License-Identifier: MIT
#include "thread_executor.hpp"
#include "weft_test.hpp"

#include <weft/core/random.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <vector>

using weft::Generator;

namespace {

template <class T, class F>
std::vector<T> filled(weft::index n, F fill) {
    std::vector<T> v(static_cast<std::size_t>(n));
    fill(v.data(), n);
    return v;
}

// sqrt(n) times the greatest distance of the empirical distribution to `distribution`; 1.95 has probability 0.1 %.
template <class T, class F>
double kolmogorov(std::vector<T> x, F distribution) {
    std::sort(x.begin(), x.end());
    const double n = static_cast<double>(x.size());
    double distance = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        const double f = distribution(static_cast<double>(x[i])), at = static_cast<double>(i);
        distance = std::max({distance, f - at / n, (at + 1) / n - f});
    }
    return distance * std::sqrt(n);
}

// The mean of f(x), in standard errors from `expected`, when f(x) has the standard deviation `deviation`.
template <class T, class F>
double score(const std::vector<T>& x, F f, double expected, double deviation) {
    double sum = 0;
    for (const T v : x) sum += f(static_cast<double>(v));
    const double n = static_cast<double>(x.size());
    return (sum / n - expected) / (deviation / std::sqrt(n));
}

template <class T>
void check_uniform() {
    Generator g{.seed = 42};
    const auto x = filled<T>(1'000'003, [&](T* p, weft::index n) { weft::fill_uniform(g, p, n); });
    REQUIRE(*std::min_element(x.begin(), x.end()) >= 0);
    REQUIRE(*std::max_element(x.begin(), x.end()) < 1);
    REQUIRE(kolmogorov(x, [](double v) { return v; }) < 1.95);
    REQUIRE(std::abs(score(
                x, [](double v) { return v; }, 0.5, std::sqrt(1.0 / 12))) < 4);
    REQUIRE(std::abs(score(
                x, [](double v) { return v * v; }, 1.0 / 3, std::sqrt(4.0 / 45))) < 4);
    // Neighbours, and elements a vector apart, are uncorrelated.
    for (const std::size_t lag : {1u, 2u, 4u, 16u, 32u, 64u}) {
        double sum = 0;
        for (std::size_t i = 0; i + lag < x.size(); ++i)
            sum += (static_cast<double>(x[i]) - 0.5) * (static_cast<double>(x[i + lag]) - 0.5);
        REQUIRE(std::abs(sum) / std::sqrt(static_cast<double>(x.size() - lag)) < 4.0 / 12);
    }
    // The last bits are random too.
    const double grid = std::is_same_v<T, float> ? 0x1p24 : 0x1p53;
    double odd = 0;
    for (const T v : x) {
        const double k = static_cast<double>(v) * grid;
        REQUIRE_FALSE(k != std::floor(k));
        odd += std::fmod(k, 2);
    }
    const double n = static_cast<double>(x.size());
    REQUIRE(std::abs(odd - n / 2) < 4 * std::sqrt(n / 4));
}

template <class T>
void check_normal() {
    Generator g{.seed = 7, .stream = 3};
    const auto x = filled<T>(2'000'003, [&](T* p, weft::index n) { weft::fill_normal(g, p, n); });
    const auto power = [](int k) { return [k](double v) { return std::pow(v, k); }; };
    REQUIRE(kolmogorov(x, [](double v) { return 0.5 * std::erfc(-v / std::sqrt(2.0)); }) < 1.95);
    REQUIRE(std::abs(score(x, power(1), 0, 1)) < 4);
    REQUIRE(std::abs(score(x, power(2), 1, std::sqrt(2.0))) < 4);
    REQUIRE(std::abs(score(x, power(3), 0, std::sqrt(15.0))) < 4);
    REQUIRE(std::abs(score(x, power(4), 3, std::sqrt(96.0))) < 4);
    // Tails: counts beyond k deviations, each within 4 standard errors of its expectation.
    for (const double k : {1.0, 2.0, 3.0, 4.0}) {
        const double p = std::erfc(k / std::sqrt(2.0)), n = static_cast<double>(x.size());
        const auto beyond =
            std::count_if(x.begin(), x.end(), [&](T v) { return std::abs(static_cast<double>(v)) > k; });
        REQUIRE(std::abs(static_cast<double>(beyond) - n * p) < 4 * std::sqrt(n * p));
    }
    // The two numbers of a pair (16 elements apart) are independent, in size as well.
    double product = 0, squares = 0;
    for (std::size_t i = 0; i + 16 < x.size(); ++i) {
        const double a = static_cast<double>(x[i]), b = static_cast<double>(x[i + 16]);
        product += a * b;
        squares += (a * a - 1) * (b * b - 1);
    }
    REQUIRE(std::abs(product) / std::sqrt(static_cast<double>(x.size())) < 4);
    REQUIRE(std::abs(squares) / std::sqrt(static_cast<double>(x.size())) < 4 * 2);
}

// Box-Muller from the words of the generator with the library's functions in double.
template <class T>
double worst_normal_error(const Generator& at, std::uint64_t blocks, double scale) {
    double worst = 0;
    constexpr weft::index size = std::is_same_v<T, float> ? 64 : 32;
    for (std::uint64_t b = 0; b < blocks; ++b) {
        const weft::detail::RandomWords random(at, b);
        T got[size];
        weft::fill_normal_block(at, static_cast<weft::index>(b) * size, got, size);
        for (weft::index pair = 0; pair < size / 32; ++pair)
            for (weft::index i = 0; i < 16; ++i) {
                const std::uint32_t* w = random.word + 32 * pair + i;
                long double log_u = 0, angle = 0;
                if (std::is_same_v<T, float>) {
                    log_u = std::log1p(-(static_cast<long double>(~w[0]) + 0.5L) * 0x1p-32L);
                    angle = (static_cast<long double>(w[16]) + 0.5L) * 0x1p-32L;
                } else {
                    const long double k = static_cast<long double>(w[0]) * 0x1p20L + (w[16] >> 12) + 0.5L;
                    log_u = std::log(k * 0x1p-52L);
                    angle = (static_cast<long double>(w[32]) + (w[48] + 0.5L) * 0x1p-32L) * 0x1p-32L;
                }
                const long double radius = std::sqrt(-2 * log_u), turn = 2 * std::numbers::pi_v<long double> * angle;
                const long double x = radius * std::cos(turn), y = radius * std::sin(turn);
                const auto error = [&](T value, long double exact) {
                    return static_cast<double>(std::abs(static_cast<long double>(value) - exact) / radius) / scale;
                };
                worst = std::max({worst, error(got[32 * pair + i], x), error(got[32 * pair + 16 + i], y)});
            }
    }
    return worst;
}

template <class T, class Draw, class Block>
void check_invariance(Draw draw, Block block) {
    const weft::index n = 100'003;
    const Generator start{.seed = 99, .stream = 5, .position = 1000};
    std::vector<T> first;
    Generator end;
    for (const int threads : {1, 2, 3, 7})
        for (const bool own : {false, true}) {
            Generator g = start;
            std::vector<T> x;
            if (own) {
                const weft_test::ThreadExecutor executor(threads);
                x = filled<T>(n, [&](T* p, weft::index size) { draw(g, p, size); });
                REQUIRE((threads == 1 || executor.calls() == 1));
            } else {
                const weft_test::ThreadCount count(threads);
                x = filled<T>(n, [&](T* p, weft::index size) { draw(g, p, size); });
            }
            if (first.empty()) {
                first = x;
                end = g;
            }
            REQUIRE(x == first);
            REQUIRE(g == end);
        }
    // Any block is a part of the whole, and a shorter draw is its beginning.
    std::size_t wrong = 0;
    for (const weft::index from : {0, 1, 15, 16, 31, 32, 63, 64, 65, 1000, 99'900})
        for (const weft::index count : {0, 1, 2, 17, 63, 64, 65, 103}) {
            std::vector<T> part(static_cast<std::size_t>(count) + 1, T(1));
            block(start, from, part.data(), count);
            for (weft::index i = 0; i < count; ++i)
                wrong += part[static_cast<std::size_t>(i)] != first[static_cast<std::size_t>(from + i)];
            wrong += part.back() != T(1);
        }
    REQUIRE(wrong == 0);
}

} // namespace

TEST_CASE("random: uniform numbers are uniform", "[core]") {
    check_uniform<float>();
    check_uniform<double>();
}

TEST_CASE("random: uniform numbers stay below the upper bound", "[core]") {
    // Intervals of few representable numbers, where low + (high - low) * u often rounds to high.
    Generator g{.seed = 1};
    const float high = 1.0f + 0x1p-22f;
    const auto x = filled<float>(4096, [&](float* p, weft::index n) { weft::fill_uniform(g, p, n, 1.0f, high); });
    std::map<float, int> seen;
    for (const float v : x) ++seen[v];
    REQUIRE(seen.size() == 2);
    REQUIRE(seen.count(1.0f) == 1);
    REQUIRE(seen.count(1.0f + 0x1p-23f) == 1);
    const auto y = filled<double>(4096, [&](double* p, weft::index n) { weft::fill_uniform(g, p, n, -3.0, 5.0); });
    REQUIRE(*std::min_element(y.begin(), y.end()) < -2.9);
    REQUIRE(*std::max_element(y.begin(), y.end()) > 4.9);
    REQUIRE(std::all_of(y.begin(), y.end(), [](double v) { return v >= -3 && v < 5; }));
    const auto z = filled<float>(10, [&](float* p, weft::index n) { weft::fill_uniform(g, p, n, 2.0f, 2.0f); });
    REQUIRE(z == std::vector<float>(10, 2.0f));
}

TEST_CASE("random: normal numbers are normal", "[core]") {
    check_normal<float>();
    check_normal<double>();
    Generator g{.seed = 3}, h = g;
    const auto x = filled<double>(1000, [&](double* p, weft::index n) { weft::fill_normal(g, p, n); });
    const auto y = filled<double>(1000, [&](double* p, weft::index n) { weft::fill_normal(h, p, n, 5.0, 0.25); });
    for (std::size_t i = 0; i < x.size(); ++i) REQUIRE(y[i] == Approx(5 + 0.25 * x[i]).epsilon(1e-14));
}

TEST_CASE("random: normal numbers are those of Box and Muller's formula", "[core]") {
    REQUIRE(worst_normal_error<float>({.seed = 11}, 4000, 0x1p-24) < 4);
    REQUIRE(worst_normal_error<double>({.seed = 11}, 4000, 0x1p-53) < 4);
    // The ends of the unit interval.
    REQUIRE(weft::detail::log_unit(0x1p-33f, 1.0f) == Approx(std::log(0x1p-33)).epsilon(1e-7));
    REQUIRE(weft::detail::log_unit(1.0f, 0x1p-33f) == Approx(std::log1p(-0x1p-33)).epsilon(1e-6));
    REQUIRE(weft::detail::log_unit(0x1p-53, 1.0) == Approx(std::log(0x1p-53)).epsilon(1e-15));
}

TEST_CASE("random: Bernoulli draws have their probability", "[core]") {
    Generator g{.seed = 5};
    for (const double p : {0.0, 1e-3, 0.1, 0.5, 0.9, 1.0}) {
        const weft::index n = 1'000'000;
        const auto x =
            filled<std::uint8_t>(n, [&](std::uint8_t* q, weft::index size) { weft::fill_bernoulli(g, q, size, p); });
        const auto ones = static_cast<double>(std::count(x.begin(), x.end(), 1));
        REQUIRE(ones + static_cast<double>(std::count(x.begin(), x.end(), 0)) == static_cast<double>(n));
        REQUIRE(std::abs(ones - p * static_cast<double>(n)) <= 4 * std::sqrt(p * (1 - p) * static_cast<double>(n)));
    }
    // One draw for every type; dropout is the same draw times its scale.
    const Generator at{.seed = 6};
    Generator a = at, b = at;
    bool flags[1000];
    weft::fill_bernoulli(a, flags, 1000, 0.3);
    const auto floats = filled<float>(1000, [&](float* p, weft::index n) { weft::fill_bernoulli(b, p, n, 0.3); });
    const auto factors =
        filled<double>(1000, [&](double* p, weft::index n) { weft::fill_bernoulli_block(at, 0, p, n, 0.3, 1 / 0.3); });
    for (std::size_t i = 0; i < 1000; ++i) {
        REQUIRE(floats[i] == (flags[i] ? 1.0f : 0.0f));
        REQUIRE(factors[i] == (flags[i] ? 1 / 0.3 : 0.0));
    }
    REQUIRE(a == b);
}

TEST_CASE("random: draws do not depend on threads or blocks", "[core]") {
    check_invariance<float>([](Generator& g, float* p, weft::index n) { weft::fill_uniform(g, p, n, -1.0f, 2.0f); },
                            [](const Generator& at, weft::index first, float* p, weft::index n) {
                                weft::fill_uniform_block(at, first, p, n, -1.0f, 2.0f);
                                if (n > 0) REQUIRE(weft::uniform_at(at, first, -1.0f, 2.0f) == p[0]);
                            });
    check_invariance<double>([](Generator& g, double* p, weft::index n) { weft::fill_uniform(g, p, n, -1.0, 2.0); },
                             [](const Generator& at, weft::index first, double* p, weft::index n) {
                                 weft::fill_uniform_block(at, first, p, n, -1.0, 2.0);
                             });
    check_invariance<float>([](Generator& g, float* p, weft::index n) { weft::fill_normal(g, p, n, 0.5f, 2.0f); },
                            [](const Generator& at, weft::index first, float* p, weft::index n) {
                                weft::fill_normal_block(at, first, p, n, 0.5f, 2.0f);
                            });
    check_invariance<double>([](Generator& g, double* p, weft::index n) { weft::fill_normal(g, p, n); },
                             [](const Generator& at, weft::index first, double* p, weft::index n) {
                                 weft::fill_normal_block(at, first, p, n);
                             });
    check_invariance<float>([](Generator& g, float* p, weft::index n) { weft::fill_bernoulli(g, p, n, 0.2); },
                            [](const Generator& at, weft::index first, float* p, weft::index n) {
                                weft::fill_bernoulli_block(at, first, p, n, 0.2);
                            });
}

TEST_CASE("random: a generator moves by the documented amount", "[core]") {
    std::vector<float> f(200);
    std::vector<double> d(200);
    std::vector<int> k(200);
    for (const weft::index n : {0, 1, 31, 32, 33, 64, 65, 129}) {
        const auto one = static_cast<std::uint64_t>((n + 63) / 64), two = static_cast<std::uint64_t>((n + 31) / 32);
        Generator g{.seed = 1};
        auto moved = [&, last = std::uint64_t{0}]() mutable {
            const std::uint64_t by = g.position - last;
            last = g.position;
            return by;
        };
        weft::fill_uniform(g, f.data(), n);
        REQUIRE(moved() == one);
        weft::fill_normal(g, f.data(), n);
        REQUIRE(moved() == one);
        weft::fill_bernoulli(g, f.data(), n, 0.5);
        REQUIRE(moved() == one);
        weft::skip(g, n);
        REQUIRE(moved() == one);
        weft::fill_uniform(g, d.data(), n);
        REQUIRE(moved() == two);
        weft::fill_normal(g, d.data(), n);
        REQUIRE(moved() == two);
        weft::fill_integers(g, k.data(), n, 0, 10);
        REQUIRE(moved() == two);
        weft::permutation(g, n);
        REQUIRE(moved() == static_cast<std::uint64_t>((std::max<weft::index>(n - 1, 0) + 31) / 32));
    }
    // Another seed, stream or position gives other numbers.
    const float x = weft::uniform_at<float>({.seed = 1}, 0);
    REQUIRE(x != weft::uniform_at<float>({.seed = 2}, 0));
    REQUIRE(x != weft::uniform_at<float>({.seed = 1, .stream = 1}, 0));
    REQUIRE(x != weft::uniform_at<float>({.seed = 1, .position = 1}, 0));
    REQUIRE(weft::uniform_at<float>({.seed = 1}, 64) == weft::uniform_at<float>({.seed = 1, .position = 1}, 0));
}

TEST_CASE("random: integers are uniform", "[core]") {
    Generator g{.seed = 8};
    const auto x = filled<int>(700'000, [&](int* p, weft::index n) { weft::fill_integers(g, p, n, -3, 4); });
    std::map<int, double> count;
    for (const int v : x) ++count[v];
    REQUIRE((count.size() == 7 && count.begin()->first == -3 && count.rbegin()->first == 3));
    double chi = 0;
    for (const auto& [value, times] : count) chi += std::pow(times - 100'000, 2) / 100'000;
    REQUIRE(chi < 22.5); // 0.1 % of chi-square with 6 degrees of freedom

    // A range of 3/4 of 2^64 rejects a quarter of the words and would be visibly biased without it.
    const std::uint64_t range = std::uint64_t{3} << 62;
    const auto y = filled<std::uint64_t>(
        300'000, [&](std::uint64_t* p, weft::index n) { weft::fill_integers(g, p, n, 0, range); });
    double third[3] = {0, 0, 0}, low_bit = 0;
    for (const std::uint64_t v : y) {
        REQUIRE_FALSE(v >= range);
        ++third[v >> 62];
        low_bit += static_cast<double>(v & 1u);
    }
    chi = 0;
    for (const double times : third) chi += std::pow(times - 100'000, 2) / 100'000;
    REQUIRE(chi < 13.9); // 2 degrees of freedom
    REQUIRE(std::abs(low_bit - 150'000) < 4 * std::sqrt(75'000.0));

    const auto all = filled<std::int64_t>(1000, [&](std::int64_t* p, weft::index n) {
        weft::fill_integers(g, p, n, std::numeric_limits<std::int64_t>::min(),
                            std::numeric_limits<std::int64_t>::max());
    });
    REQUIRE(*std::min_element(all.begin(), all.end()) < -(std::int64_t{1} << 62));
    REQUIRE(*std::max_element(all.begin(), all.end()) > (std::int64_t{1} << 62));
    for (int i = 0; i < 100; ++i) {
        const std::int64_t v = weft::uniform_integer(g, 10, 12);
        REQUIRE((v == 10 || v == 11));
    }
    REQUIRE(weft::uniform_integer(g, 5, 6) == 5);
}

TEST_CASE("random: permutations are permutations, all equally likely", "[core]") {
    Generator g{.seed = 21};
    for (const weft::index n : {0, 1, 2, 33, 34, 1000}) {
        const Generator at = g;
        auto p = weft::permutation(g, n);
        Generator again = at;
        REQUIRE(weft::permutation(again, n) == p);
        std::sort(p.begin(), p.end());
        for (weft::index i = 0; i < n; ++i) REQUIRE(p[static_cast<std::size_t>(i)] == i);
        REQUIRE(p.size() == static_cast<std::size_t>(n));
    }
    std::map<std::vector<std::int64_t>, double> count;
    for (int i = 0; i < 120'000; ++i) ++count[weft::permutation(g, 5)];
    REQUIRE(count.size() == 120);
    double chi = 0;
    for (const auto& [order, times] : count) chi += std::pow(times - 1000, 2) / 1000;
    REQUIRE(chi < 173.6); // 0.1 % of chi-square with 119 degrees of freedom
    // Where element 0 of long ones goes.
    double place[10] = {};
    for (int i = 0; i < 20'000; ++i) {
        const auto p = weft::permutation(g, 100);
        ++place[(std::find(p.begin(), p.end(), 0) - p.begin()) / 10];
    }
    chi = 0;
    for (const double times : place) chi += std::pow(times - 2000, 2) / 2000;
    REQUIRE(chi < 27.9); // 9 degrees of freedom
}

TEST_CASE("random: wrong arguments are refused", "[core]") {
    Generator g{.seed = 1};
    const Generator before = g;
    float x[4];
    const float nan = std::numeric_limits<float>::quiet_NaN(), huge = std::numeric_limits<float>::max();
    REQUIRE_THROWS_WITH(weft::fill_uniform(g, x, 4, 2.0f, 1.0f),
                        ContainsSubstring("weft: fill_uniform: the interval [2, 1)"));
    REQUIRE_THROWS_AS(weft::fill_uniform(g, x, 4, 0.0f, nan), weft::Error);
    REQUIRE_THROWS_AS(weft::fill_uniform(g, x, 4, -huge, huge), weft::Error);
    REQUIRE_THROWS_AS(weft::fill_uniform(g, x, -1), weft::Error);
    REQUIRE_THROWS_AS(weft::fill_normal(g, x, 4, 0.0f, -1.0f), weft::Error);
    REQUIRE_THROWS_AS(weft::fill_normal(g, x, 4, nan, 1.0f), weft::Error);
    REQUIRE_THROWS_WITH(weft::fill_bernoulli(g, x, 4, 1.5), ContainsSubstring("1.5"));
    REQUIRE_THROWS_AS(weft::fill_bernoulli(g, x, 4, std::nan("")), weft::Error);
    REQUIRE_THROWS_AS(weft::fill_bernoulli_block(g, -1, x, 4, 0.5), weft::Error);
    REQUIRE_THROWS_WITH(weft::uniform_integer(g, 3, 3), ContainsSubstring("[3, 3) is empty"));
    REQUIRE_THROWS_AS(weft::permutation(g, -1), weft::Error);
    REQUIRE_THROWS_AS(weft::skip(g, 4, 3), weft::Error);
    REQUIRE(g == before);
}

TEST_CASE("random: elements of a Bernoulli draw by their places", "[core]") {
    const Generator at{0x123456789abcdef0u, 0xfedcba9876543210u, 0xfffffffffffffu};
    constexpr weft::index n = 1000;
    std::vector<float> all(n), some(n);
    std::vector<weft::index> places(n);
    for (weft::index i = 0; i < n; ++i) places[static_cast<std::size_t>(i)] = (i * 377) % n;
    for (const double keep : {0.0, 0.3, 1.0}) {
        weft::fill_bernoulli_block(at, 0, all.data(), n, keep, 2.5f);
        weft::fill_bernoulli_at(at, places.data(), some.data(), n, keep, 2.5f);
        for (std::size_t k = 0; k < places.size(); ++k) REQUIRE(some[k] == all[static_cast<std::size_t>(places[k])]);
    }
    REQUIRE_THROWS_AS(weft::fill_bernoulli_at(at, places.data(), some.data(), n, 1.5), weft::Error);
}
