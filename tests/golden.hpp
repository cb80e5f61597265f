// SPDX-License-Identifier: MIT
#pragma once

// Comparison with results of reference implementations: safetensors files whose metadata lists cases, each with its
// options as a JSON object, and whose tensors are named `case.tensor`. Results are in double; the code under test runs
// in double and in float. Tag such tests [golden]. The files are read as they are: another file of the same form, below
// WEFT_GOLDEN_DIR, may have other cases, sizes and options; a test that does not know one of them fails.

#include "weft_test.hpp"

#include <weft/io/safetensors.hpp>

#include <nlohmann/json.hpp>

#include <cmath>
#include <cstdio>
#include <set>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace weft_test {

/// How near to a reference results must be: double to `relative` of it and `absolute`, float to `of_float` of the
/// largest |reference|. Where that is less than a hundredth of `cancelled`, the size of what cancels in it, float has
/// the digits of that.
struct Tolerance {
    double of_float = 3e-5, relative = 1e-10, absolute = 1e-10, cancelled = 0;
};

/// The tensors and options of one case, and what has been compared with them.
class GoldenCase {
public:
    GoldenCase(const weft::io::SafetensorsFile& file, std::string name, nlohmann::json options = {})
        : file_(file), name_(std::move(name)), options_(std::move(options)) {}

    const std::string& name() const { return name_; }
    const nlohmann::json& options() const { return options_; }
    /// All that the file says in words.
    const weft::io::Metadata& metadata() const { return file_.metadata(); }
    /// The option `key`, or `otherwise` where the case does not have it or it is null.
    template <class T>
    T option(const std::string& key, T otherwise) const {
        known_options_.insert(key);
        const auto found = options_.find(key);
        if (found == options_.end() || found->is_null()) return otherwise;
        INFO("option " << key << " is " << found->dump());
        return found->template get<T>();
    }
    /// Fails when the case has an option that nobody asked for: the results would be those of something else.
    void require_known_options() const {
        if (!options_.is_object()) return;
        for (const auto& [key, value] : options_.items()) {
            const bool described_only = key == "note" || key == "op" || key == "eps" || key == "dim_size" ||
                                        key == "edge_weight" || key == "bipartite";
            if (!described_only && !known_options_.contains(key))
                FAIL("this test does not know the option " << key << " = " << value.dump());
        }
    }

    bool has(const std::string& tensor) const { return file_.contains(full(tensor)); }
    /// The names of the case's tensors that begin with `prefix`, the rest of each: tensors("g.") gives "x" for "g.x".
    /// What belongs to a case with a longer name, `case.more`, is not this one's.
    std::vector<std::string> tensors(const std::string& prefix = "") const {
        const std::string all = full(prefix);
        std::vector<std::string> found;
        for (const std::string& t : file_.names()) {
            bool own = t.starts_with(all);
            for (const auto& [other, options] : file_.metadata())
                own = own && !(other.starts_with(full("")) && other != name_ && t.starts_with(other + "."));
            if (own) found.push_back(t.substr(all.size()));
        }
        return found;
    }
    std::vector<weft::index> shape(const std::string& tensor) const { return file_.info(full(tensor)).shape; }
    template <class T, int N>
    weft::Tensor<T, N> get(const std::string& tensor) const {
        used_.insert(tensor);
        return file_.get<T, N>(full(tensor), weft::io::Conversion::rounding);
    }
    /// The elements of a tensor whatever its rank.
    weft::Tensor<double, 1> flat(const std::string& tensor) const {
        const weft::io::AnyTensor any = file_.any(full(tensor));
        const weft::io::AnyTensor one(any.dtype(), {any.size()}, any.storage(), any.bytes().data());
        return one.to<double, 1>(weft::io::Conversion::rounding, full(tensor));
    }
    /// A tensor of the file that belongs to all its cases.
    template <class T, int N>
    weft::Tensor<T, N> shared(const std::string& tensor) const {
        return file_.get<T, N>(tensor, weft::io::Conversion::rounding);
    }
    /// The number in a tensor of one element, whatever its rank.
    template <class T>
    T number(const std::string& tensor) const {
        used_.insert(tensor);
        const weft::io::AnyTensor any = file_.any(full(tensor));
        REQUIRE(any.size() == 1);
        const weft::io::AnyTensor one(any.dtype(), {1}, any.storage(), any.bytes().data());
        return one.to<T, 1>(weft::io::Conversion::rounding, full(tensor)).item();
    }

    /// Checks `actual` against the tensor of that name: the shape, integers exactly, others within the tolerance. A
    /// gradient that is zero in exact arithmetic is rounding errors of double precision in the reference, below 1e-12:
    /// what cancels there is taken to be as large as the largest gradient of the case.
    template <class T, int N>
    void compare(const std::string& tensor, const weft::Tensor<T, N>& actual, const Tolerance& tolerance = {}) {
        using Reference = std::conditional_t<std::is_floating_point_v<T>, double, T>;
        require_known_options();
        ++compared_;
        INFO(full(tensor) << " in " << file_.file());
        const auto expected = get<Reference, N>(tensor);
        const std::vector<weft::index> actual_shape(actual.shape().begin(), actual.shape().end());
        REQUIRE(actual_shape == shape(tensor));
        double largest = 0;
        if constexpr (std::is_floating_point_v<T>)
            for (const double r : expected.values()) largest = std::max(largest, std::abs(r));
        if (largest < 1e-12 && tensor.starts_with("g.")) largest = largest_gradient();
        if (largest < 0.01 * tolerance.cancelled) largest = tolerance.cancelled;
        for (weft::index i = 0; i < actual.size(); ++i) {
            const T a = actual.data()[i];
            const Reference r = expected.data()[i];
            bool equal = static_cast<Reference>(a) == r;
            if constexpr (std::is_same_v<T, double>)
                equal = equal || std::abs(a - r) <= tolerance.absolute + tolerance.relative * std::abs(r);
            else if constexpr (std::is_floating_point_v<T>)
                equal = equal || std::abs(double(a) - r) <= tolerance.of_float * largest;
            INFO("element " << i << " is " << a << ", the reference " << r << ", the largest reference " << largest);
            if (!equal) FAIL("differs from the reference");
        }
        SUCCEED();
    }
    int compared() const { return compared_; }
    /// Fails when the case has a tensor that nobody looked at.
    void require_all_used() const {
        for (const std::string& tensor : tensors())
            if (!used_.contains(tensor)) FAIL("this test does not know the tensor " << full(tensor));
    }

private:
    double largest_gradient() const {
        double largest = 0;
        for (const std::string& tensor : tensors("g.")) {
            const auto gradient = flat("g." + tensor);
            for (const double r : gradient.values()) largest = std::max(largest, std::abs(r));
        }
        return largest;
    }
    std::string full(const std::string& tensor) const { return name_.empty() ? tensor : name_ + "." + tensor; }

    const weft::io::SafetensorsFile& file_;
    std::string name_;
    nlohmann::json options_;
    mutable std::set<std::string> known_options_, used_;
    int compared_ = 0;
};

/// NAME/FILE.safetensors below WEFT_GOLDEN_DIR where that is set, and only there, else in tests/golden/. The file may
/// be missing: see skip_without.
inline std::filesystem::path golden_path(const std::string& name, const std::string& file) {
    const auto given = detail::folder("WEFT_GOLDEN_DIR", name);
    const auto kept = std::filesystem::path(WEFT_TEST_FOLDER) / "golden" / name;
    return (given.empty() ? kept : given) / (file + ".safetensors");
}

/// Whether the test must end because there is no such file; says so.
inline bool skip_without(const std::filesystem::path& path) {
    if (std::filesystem::exists(path)) return false;
    const std::string message = "skipped: there is no " + path.string();
#ifdef SKIP
    SKIP(message);
#else
    WARN(message);
#endif
    return true;
}

namespace detail {

/// Runs f(case) for the cases that list(file) names; fails when there is none or one in which nothing is compared.
template <class List, class F>
void run_golden(const std::string& name, const std::string& file, List list, F f) {
    const auto path = golden_path(name, file);
    if (skip_without(path)) return;
    const auto opened = weft::io::SafetensorsFile::read(path);
    int cases = 0, tensors = 0;
    for (GoldenCase& golden : list(opened)) {
        INFO("case " << golden.name() << " " << golden.options().dump());
        f(golden);
        if (golden.compared() == 0) FAIL("nothing was compared");
        golden.require_all_used();
        ++cases;
        tensors += golden.compared();
    }
    INFO(path.string());
    REQUIRE(cases > 0);
    std::printf("golden %s: compared %d tensors of %d cases\n", path.string().c_str(), tensors, cases);
}

} // namespace detail

/// Runs f(GoldenCase&) for every case of golden_path(NAME, FILE) with chosen(case). Fails when there is none, when
/// nothing is compared in one, and at tensors and options that f does not look at. Without the file the test is
/// skipped, visibly.
template <class F, class Chosen>
void for_each_golden_case(const std::string& name, const std::string& file, F f, Chosen chosen) {
    detail::run_golden(
        name, file,
        [&](const weft::io::SafetensorsFile& opened) {
            std::vector<GoldenCase> cases;
            for (const auto& [key, options] : opened.metadata()) {
                GoldenCase golden(opened, key, nlohmann::json::parse(options, nullptr, false));
                if (golden.options().is_object() && chosen(std::as_const(golden))) cases.push_back(std::move(golden));
            }
            return cases;
        },
        f);
}
template <class F>
void for_each_golden_case(const std::string& name, const std::string& file, F f) {
    for_each_golden_case(name, file, f, [](const GoldenCase&) { return true; });
}

/// Runs f(GoldenCase&) for the tensors `case_name.…` of a file as one case without options, or for all tensors of a
/// file without cases when `case_name` is empty.
template <class F>
void with_golden_case(const std::string& name, const std::string& file, const std::string& case_name, F f) {
    detail::run_golden(
        name, file,
        [&](const weft::io::SafetensorsFile& opened) { return std::vector<GoldenCase>{GoldenCase(opened, case_name)}; },
        f);
}

/// Runs f(GoldenCase&) for every group of tensors `GROUP.…` of a file that has no options; what is in front of the first
/// point is the group. Fails as for_each_golden_case.
template <class F>
void for_each_golden_group(const std::string& name, const std::string& file, F f) {
    detail::run_golden(
        name, file,
        [&](const weft::io::SafetensorsFile& opened) {
            std::set<std::string> groups;
            for (const std::string& tensor : opened.names()) groups.insert(tensor.substr(0, tensor.find('.')));
            std::vector<GoldenCase> cases;
            for (const std::string& group : groups) cases.emplace_back(opened, group);
            return cases;
        },
        f);
}

} // namespace weft_test
