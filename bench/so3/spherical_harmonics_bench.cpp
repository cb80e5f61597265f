// SPDX-License-Identifier: MIT
// Spherical harmonics of degrees 0 to l in float: nanoseconds per point of a block in the cache, on one thread, beside
// the same recursion point by point; and of 100,000 rows of points, as in the peers of bench/peers.
#include "roofline.hpp"

#include <weft/grad/backward.hpp>
#include <weft/so3/spherical_harmonics.hpp>

#include <cmath>

namespace {

using namespace weft;
using weft::index; // there is a function of that name in the C library
using weft_bench::Bytes, weft_bench::Operations, weft_bench::repeat, weft_bench::uniform;

constexpr index points = 64;

/// One point after the other by the recursion of SolidHarmonics, with the same constants.
struct PointByPoint {
    int lmax;
    weft::detail::PoolVector<so3::detail::HarmonicStep<float>> steps;

    explicit PointByPoint(int l)
        : lmax(l), steps(so3::detail::harmonic_steps<float>(l, so3::Normalization::component)) {}

    /// The Legendre parts of all degrees and orders, in the order of the steps.
    void legendre(float z, float square, float* p) const {
        const auto* step = steps.data();
        for (int m = 0; m <= lmax; ++m)
            for (int l = m; l <= lmax; ++l, ++step, ++p)
                p[0] = l == m       ? step->along
                       : l == m + 1 ? step->along * z
                                    : step->along * z * p[-1] + step->back * square * p[-2];
    }
    /// y [components, points] of x [3, points].
    void values(const float* from, float* to, float* p) const {
        for (index i = 0; i < points; ++i) {
            const float r = 1 / std::sqrt(from[i] * from[i] + from[points + i] * from[points + i] +
                                          from[2 * points + i] * from[2 * points + i]);
            const float x = from[2 * points + i] * r, y = from[i] * r, z = from[points + i] * r;
            legendre(z, x * x + y * y + z * z, p);
            const float* part = p;
            float c = 1, s = 0;
            for (int m = 0; m <= lmax; ++m) {
                for (int l = m; l <= lmax; ++l, ++part) {
                    to[(l * (l + 1) - m) * points + i] = *part * s;
                    to[(l * (l + 1) + m) * points + i] = *part * c;
                }
                const float turned = x * s + y * c;
                c = x * c - y * s;
                s = turned;
            }
        }
    }
    /// dx [3, points] of x and dy [components, points].
    void gradient(const float* from, const float* dy, float* dx, float* p) const {
        for (index i = 0; i < points; ++i) {
            const float r = 1 / std::sqrt(from[i] * from[i] + from[points + i] * from[points + i] +
                                          from[2 * points + i] * from[2 * points + i]);
            const float x = from[2 * points + i] * r, y = from[i] * r, z = from[points + i] * r;
            legendre(z, x * x + y * y + z * z, p);
            const float* part = p;
            const auto* step = steps.data();
            float along_x = 0, along_y = 0, along_z = 0, across = 0, c = 1, s = 0, last_c = 0, last_s = 0;
            for (int m = 0; m <= lmax; ++m) {
                float plus = 0, minus = 0;
                for (int l = m; l <= lmax; ++l, ++part, ++step) {
                    const float* const center = dy + l * (l + 1) * points + i;
                    const float d_plus = center[m * points], d_minus = m > 0 ? center[-m * points] : 0;
                    plus += *part * d_plus;
                    minus += *part * d_minus;
                    if (l == m) continue;
                    along_z += step->slope * part[-1] * (d_plus * c + d_minus * s);
                    if (m > 0) {
                        const float before = m > 1 ? center[(1 - m) * points] : 0;
                        across += step->across * part[-1] * (center[(m - 1) * points] * last_c + before * last_s);
                    }
                }
                along_x += static_cast<float>(m) * (plus * last_c + minus * last_s);
                along_y += static_cast<float>(m) * (minus * last_c - plus * last_s);
                last_c = c;
                last_s = s;
                c = x * last_c - y * last_s;
                s = x * last_s + y * last_c;
            }
            along_x -= x * across;
            along_y -= y * across;
            const float radial = x * along_x + y * along_y + z * along_z;
            dx[2 * points + i] = r * (along_x - x * radial);
            dx[i] = r * (along_y - y * radial);
            dx[points + i] = r * (along_z - z * radial);
        }
    }
};

double nanoseconds_per_point(const auto& f) {
    return 1e9 / (100 * points) * weft_bench::shortest(100, [&] {
               for (int i = 0; i < 100; ++i) {
                   f();
                   benchmark::ClobberMemory();
               }
           });
}

void block(benchmark::State& state, int lmax, bool gradient) {
    const so3::SolidHarmonics<float> harmonics(lmax, so3::Normalization::component, true);
    const PointByPoint twin(lmax);
    const auto x = uniform<2>({3, points}, 1), dy = uniform<2>({harmonics.components(), points}, 2);
    auto y = dy, dx = x, y_twin = dy, dx_twin = x;
    std::vector<float> legendre(twin.steps.size());
    float* const work = y.mutable_data();
    float* const to = dx.mutable_data();
    harmonics.values(x.data(), work, points, points);
    twin.values(x.data(), y_twin.mutable_data(), legendre.data());
    double difference = 0;
    for (index i = 0; i < y.size(); ++i)
        difference = std::max(difference, std::abs(double(y.data()[i] - y_twin.data()[i])));
    y = dy;
    harmonics.gradient(x.data(), y.mutable_data(), to, points, points);
    twin.gradient(x.data(), dy.data(), dx_twin.mutable_data(), legendre.data());
    for (index i = 0; i < dx.size(); ++i)
        difference = std::max(difference, std::abs(double(dx.data()[i] - dx_twin.data()[i])));
    if (difference > 1e-3) return state.SkipWithError("the twin computes something else");

    float* const values = y.mutable_data();
    for (auto _ : state) {
        double own = 0, its = 0;
        if (gradient) {
            // dy is overwritten, with numbers that stay about as large
            own = nanoseconds_per_point([&] { harmonics.gradient(x.data(), values, to, points, points); });
            its = nanoseconds_per_point([&] { twin.gradient(x.data(), dy.data(), to, legendre.data()); });
        } else {
            own = nanoseconds_per_point([&] { harmonics.values(x.data(), values, points, points); });
            its = nanoseconds_per_point([&] { twin.values(x.data(), values, legendre.data()); });
        }
        state.counters["ns"] = own;
        state.counters["ns_by_point"] = its;
        state.counters["of_by_point"] = own / its;
    }
}

/// Of one point, about: its direction, four for each Legendre part and two for each component; and for the gradient
/// about ten for each component.
double operations(int lmax, bool gradient) {
    const int parts = (lmax + 1) * (lmax + 2) / 2, components = (lmax + 1) * (lmax + 1);
    return 8 + 4 * parts + 2 * components + (gradient ? 10 * components : 0);
}

void rows(benchmark::State& state, int lmax, index n, bool gradient) {
    const auto x = uniform<2>({n, 3}, 1);
    const auto degrees = so3::degrees_up_to(lmax);
    const index components = (lmax + 1) * (lmax + 1);
    const auto dy = uniform<2>({n, components}, 99);
    const auto bytes = 4 * static_cast<double>(n * (gradient ? 3 + 2 * (components + 3) : components + 3));
    const Operations work{static_cast<double>(n) * operations(lmax, gradient)};
    weft_bench::add_size(state, "points", static_cast<double>(n), "l" + std::to_string(lmax));
    if (!gradient)
        return repeat(state, Bytes{bytes}, work, [&] { return std::tuple(so3::spherical_harmonics(degrees, x)); });
    repeat(state, Bytes{bytes}, work, [&] {
        const Var<float, 2> leaf{x};
        backward(so3::spherical_harmonics(degrees, leaf), dy);
        return std::tuple(leaf.grad());
    });
}

/// The harmonics of n points as an operation that goes on with them has them: block by block, in the cache. With their
/// gradient for adjoints that are there in the same way, the values of the next block.
void fused(benchmark::State& state, int lmax, index n, bool gradient) {
    const so3::SolidHarmonics<float> harmonics(lmax, so3::Normalization::integral, true);
    const index blocks = n / points, components = harmonics.components();
    const auto x = uniform<2>({blocks, 3 * points}, 1);
    auto dx = Tensor<float, 2>::empty(x.shape());
    float* const to = dx.mutable_data();
    const double bytes = 12 * static_cast<double>(blocks * points) * (gradient ? 2 : 1);
    const Operations all{static_cast<double>(blocks * points) * operations(lmax, gradient)};
    repeat(state, Bytes{bytes}, all, [&] {
        parallel_for_ranges(blocks, 64, [&](index begin, index end) {
            weft::detail::Scratch<float> work(components * points);
            for (index b = begin; b < end; ++b) {
                harmonics.values(x.data() + b * 3 * points, work.data(), points, points);
                benchmark::ClobberMemory();
                if (gradient)
                    harmonics.gradient(x.data() + b * 3 * points, work.data(), to + b * 3 * points, points, points);
            }
        });
        benchmark::ClobberMemory();
    });
}

void add_all() {
    const auto add = [](const std::string& name, auto run) { return benchmark::RegisterBenchmark(name.c_str(), run); };
    for (const int l : {2, 3, 4, 6})
        for (const bool gradient : {false, true}) {
            const std::string suffix = std::string(gradient ? "_gradient" : "") + "/l" + std::to_string(l);
            add("harmonics_block" + suffix, [=](benchmark::State& s) { block(s, l, gradient); })->Iterations(1);
        }
    for (const int l : {2, 3, 6})
        for (const bool gradient : {false, true}) {
            const std::string backward = gradient ? "_backward/" : "/", degree = "xl" + std::to_string(l);
            const auto add_rows = [&](const char* name, index n, auto run) {
                add(name + backward + std::to_string(n) + degree, [=](benchmark::State& s) { run(s, l, n, gradient); })
                    ->Unit(benchmark::kMicrosecond)
                    ->UseRealTime();
            };
            for (const index n : {10, 100, 1000, 10'000, 100'000, 1'000'000}) add_rows("spherical_harmonics", n, rows);
            add_rows("spherical_harmonics_fused", 102'400, fused);
        }
}

} // namespace

int main(int argc, char** argv) {
    add_all();
    return weft_bench::run(argc, argv);
}
