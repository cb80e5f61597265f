// SPDX-License-Identifier: MIT
// The memory that attention takes, by counting what the program asks of the system: this file replaces operator new of
// its program. The pool keeps what it has, so the largest amount since it was emptied is what it needed at most.
#include "../graph/random_graph.hpp"
#include "weft_test.hpp"

#include <weft/core/ops.hpp>
#include <weft/core/random.hpp>
#include <weft/grad/backward.hpp>
#include <weft/graph/edge_softmax.hpp>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::size_t> live{0}, peak{0};

// Every block is preceded by its size, at the distance of its alignment.
std::size_t distance_of(std::size_t alignment) { return std::max<std::size_t>(alignment, 64); }

void* take(std::size_t bytes, std::size_t alignment, const std::nothrow_t&) noexcept {
    const std::size_t distance = distance_of(alignment);
    const std::size_t total = (bytes + 2 * distance - 1) / distance * distance;
    auto* const base = static_cast<std::byte*>(std::aligned_alloc(distance, total));
    if (!base) return nullptr;
    new (base) std::size_t(bytes);
    const std::size_t now = live.fetch_add(bytes) + bytes;
    for (std::size_t most = peak.load(); now > most && !peak.compare_exchange_weak(most, now);) {
    }
    return base + distance;
}
void* take(std::size_t bytes, std::size_t alignment) {
    void* const p = take(bytes, alignment, std::nothrow);
    if (!p) throw std::bad_alloc();
    return p;
}
void give(void* p, std::size_t alignment) noexcept {
    if (!p) return;
    std::byte* const base = static_cast<std::byte*>(p) - distance_of(alignment);
    live.fetch_sub(*reinterpret_cast<std::size_t*>(base));
    std::free(base);
}

} // namespace

// All of them: a library that replaces them too (a sanitizer) must not answer for some.
void* operator new(std::size_t bytes) { return take(bytes, 1); }
void* operator new(std::size_t bytes, const std::nothrow_t& none) noexcept { return take(bytes, 1, none); }
void* operator new(std::size_t bytes, std::align_val_t a) { return take(bytes, std::size_t(a)); }
void* operator new(std::size_t bytes, std::align_val_t a, const std::nothrow_t& none) noexcept {
    return take(bytes, std::size_t(a), none);
}
void operator delete(void* p) noexcept { give(p, 1); }
void operator delete(void* p, std::size_t) noexcept { give(p, 1); }
void operator delete(void* p, const std::nothrow_t&) noexcept { give(p, 1); }
void operator delete(void* p, std::align_val_t a) noexcept { give(p, std::size_t(a)); }
void operator delete(void* p, std::size_t, std::align_val_t a) noexcept { give(p, std::size_t(a)); }
void operator delete(void* p, std::align_val_t a, const std::nothrow_t&) noexcept { give(p, std::size_t(a)); }
void* operator new[](std::size_t bytes) { return take(bytes, 1); }
void* operator new[](std::size_t bytes, const std::nothrow_t& none) noexcept { return take(bytes, 1, none); }
void* operator new[](std::size_t bytes, std::align_val_t a) { return take(bytes, std::size_t(a)); }
void* operator new[](std::size_t bytes, std::align_val_t a, const std::nothrow_t& none) noexcept {
    return take(bytes, std::size_t(a), none);
}
void operator delete[](void* p) noexcept { give(p, 1); }
void operator delete[](void* p, std::size_t) noexcept { give(p, 1); }
void operator delete[](void* p, const std::nothrow_t&) noexcept { give(p, 1); }
void operator delete[](void* p, std::align_val_t a) noexcept { give(p, std::size_t(a)); }
void operator delete[](void* p, std::size_t, std::align_val_t a) noexcept { give(p, std::size_t(a)); }
void operator delete[](void* p, std::align_val_t a, const std::nothrow_t&) noexcept { give(p, std::size_t(a)); }

namespace {

using namespace weft;

/// The most bytes that f() has at a time, beyond those that are there already.
template <class F>
double peak_of(F f) {
    f(); // what is made once and kept, as the orders of the graph's edges, is not counted
    weft::detail::Pool::instance().trim();
    const std::size_t before = live.load();
    peak = before;
    f();
    return static_cast<double>(peak.load() - before);
}

template <int N>
Tensor<float, N> normal(const Extents<N>& extents, std::uint64_t seed) {
    auto t = Tensor<float, N>::empty(extents);
    Generator generator{seed};
    fill_normal(generator, t.mutable_data(), t.size(), 0.0f, 1.0f);
    return t;
}

} // namespace

TEST_CASE("memory: counted as it is taken and given back", "[gnn]") {
    constexpr weft::index size = 1 << 18;
    const double one = peak_of([] { (void)Tensor<float, 1>::zeros({size}); });
    REQUIRE(one >= 4.0 * size);
    REQUIRE(one < 4.0 * size + 65536);
    const double two = peak_of([] {
        const auto a = Tensor<float, 1>::zeros({size}), b = Tensor<float, 1>::zeros({size});
        (void)Tensor<float, 1>(a + b);
    });
    REQUIRE(two >= 12.0 * size);
}

TEST_CASE("memory: attention and its backward take nothing of edges x heads x channels", "[gnn]") {
    constexpr weft::index N = 2000, E = 20000, H = 8, C = 8;
    const Graph g = weft_test::random_graph(N, E);
    const auto z = normal<3>({N, H, C}, 1), dy = normal<3>({N, H, C}, 2);
    const auto a = normal<2>({N, H}, 3), b = normal<2>({N, H}, 4);
    const auto attention = [&](const auto& from, const auto& to, const auto& values) {
        return sum_in(g, softmax_in(leaky_relu(src(from) + dst(to), 0.2f)) * src(values));
    };
    const double constant = 256 * 1024;
    const double inference = peak_of([&] { (void)Tensor<float, 3>(attention(a, b, z)); });
    INFO("inference took " << inference << " bytes");
    REQUIRE(inference < 1.3 * double(N * H * C) * sizeof(float) + constant);
    const double training = peak_of([&] {
        const Var<float, 2> va(a), vb(b);
        const Var<float, 3> vz(z);
        const Var y = attention(va, vb, vz);
        backward(y, Tensor<float, 3>(1.0f * dy)); // of memory of its own, as in a network
        REQUIRE((va.has_grad() && vb.has_grad() && vz.has_grad()));
    });
    const double bound = 1.3 * double(4 * N * H * C + 2 * E * H) * sizeof(float) + constant;
    INFO("training took " << training << " bytes, the bound is " << bound);
    REQUIRE(bound < double(E * H * C) * sizeof(float));
    REQUIRE(training < bound);
}
