// SPDX-License-Identifier: MIT
#pragma once

#include "model.hpp"

#include <algorithm>
#include <numeric>

namespace char_transformer {

struct SamplingOptions {
    double temperature = 0.8; ///< divides the logits; 0: always the likeliest
    double top_p = 0.95;      ///< only from the likeliest characters that have this probability together
};

/// Draws a character by its logits.
inline index draw(const Tensor<float, 1>& logits, const SamplingOptions& o, Generator& generator) {
    const auto count = static_cast<std::size_t>(logits.size());
    std::vector<index> order(count);
    std::iota(order.begin(), order.end(), index{0});
    std::stable_sort(order.begin(), order.end(), [&](index a, index b) { return logits(a) > logits(b); });
    if (o.temperature == 0) return order[0];
    std::vector<double> weight(count);
    for (std::size_t i = 0; i < count; ++i)
        weight[i] =
            std::exp((static_cast<double>(logits(order[i])) - static_cast<double>(logits(order[0]))) / o.temperature);
    const double wanted = o.top_p * std::accumulate(weight.begin(), weight.end(), 0.0);
    std::size_t kept = 0;
    double sum = 0;
    while (kept < count && (kept == 0 || sum < wanted)) sum += weight[kept++];
    double u = 0;
    fill_uniform(generator, &u, 1, 0.0, sum);
    for (std::size_t i = 0; i + 1 < kept; ++i)
        if ((u -= weight[i]) < 0) return order[i];
    return order[kept - 1];
}

/// `count` more characters behind `ids`. Each is one step with the keys and values of those before; when these are as
/// many as the context, it goes on with the later half of them.
template <class T>
std::vector<std::uint8_t> continue_text(const Model<T>& net, std::vector<std::uint8_t> ids, index count,
                                        const SamplingOptions& o, Generator& generator) {
    auto caches = net.make_caches();
    const auto length = [&] { return static_cast<index>(ids.size()); };
    index read = length() - std::min(length(), net.context()); // what is before is in the caches, or forgotten
    for (index k = 0; k < count; ++k) {
        if (k > 0 && caches.front().length(0) == net.context()) {
            caches = net.make_caches();
            read = length() - std::max<index>(1, net.context() / 2);
        }
        const index n = length() - read;
        auto next = Tensor<std::int64_t, 2>::empty({1, n});
        std::copy(ids.end() - n, ids.end(), next.mutable_data());
        read = length();
        const auto hidden = net.hidden(next, caches);
        const Tensor<float, 1> logits = reshape(net.logits(contiguous(slice(hidden, 1, n - 1))), {-1});
        ids.push_back(static_cast<std::uint8_t>(draw(logits, o, generator)));
    }
    return ids;
}

} // namespace char_transformer
