// SPDX-License-Identifier: MIT
#pragma once

#include <weft/core/error.hpp>
#include <weft/core/fixed_text.hpp>
#include <weft/core/index.hpp>
#include <weft/io/message.hpp>

#include <algorithm>
#include <array>
#include <compare>
#include <iosfwd>
#include <limits>
#include <optional>
#include <span>
#include <utility>
#include <vector>

/// Irreducible representations of O(3), and the lists of them that describe feature vectors, with the grammar, order
/// and names of e3nn (Geiger & Smidt, arXiv 2207.09453).
namespace weft::inline WEFT_ABI::so3 {

/// One irreducible representation: degree l and parity p (1 even, -1 odd), of dimension 2l + 1. Ordered by degree, odd
/// before even: 0o < 0e < 1o < 1e.
struct Irrep {
    int l = 0;
    int p = 1;

    /// 2 l + 1
    constexpr int dim() const { return 2 * l + 1; }
    /// Whether it is 0e.
    constexpr bool is_scalar() const { return l == 0 && p == 1; }
    friend constexpr auto operator<=>(const Irrep&, const Irrep&) = default;
};

/// The terms of a tensor product: |l1 - l2| to l1 + l2, of parity p1 p2.
struct IrrepProduct {
    int first, last, p;

    /// Goes through the irreps of a product.
    struct Iterator {
        Irrep ir;
        constexpr Irrep operator*() const { return ir; }
        constexpr Iterator& operator++() {
            ++ir.l;
            return *this;
        }
        friend constexpr bool operator==(const Iterator&, const Iterator&) = default;
    };
    constexpr Iterator begin() const { return {{first, p}}; }
    constexpr Iterator end() const { return {{last + 1, p}}; }
    /// Whether an irrep is in the product.
    constexpr bool contains(const Irrep& ir) const { return ir.p == p && first <= ir.l && ir.l <= last; }
};
/// The irreps that the product of two contains: |l1 - l2| to l1 + l2, parity p1 p2.
constexpr IrrepProduct operator*(const Irrep& a, const Irrep& b) {
    return {a.l < b.l ? b.l - a.l : a.l - b.l, a.l + b.l, a.p * b.p};
}

/// `mul` copies of an irrep.
struct MulIrrep {
    index mul = 1;
    Irrep ir;

    /// Components of all copies.
    constexpr index dim() const { return mul * ir.dim(); }
    friend constexpr bool operator==(const MulIrrep&, const MulIrrep&) = default;
};

/// Where a term lies in a feature vector.
struct IrrepSlice {
    index begin, end;
    friend constexpr bool operator==(const IrrepSlice&, const IrrepSlice&) = default;
};

namespace detail {

constexpr index irreps_dim(std::span<const MulIrrep> terms) {
    index n = 0;
    for (const MulIrrep& t : terms) n += t.dim();
    return n;
}
constexpr index irreps_count(std::span<const MulIrrep> terms) {
    index n = 0;
    for (const MulIrrep& t : terms) n += t.mul;
    return n;
}
constexpr int irreps_lmax(std::span<const MulIrrep> terms) {
    int l = -1;
    for (const MulIrrep& t : terms)
        if (t.mul > 0) l = std::max(l, t.ir.l);
    return l;
}

/// Reads `[[mul] x] l p + ...` and calls out(term) for each; the answer says what is wrong, or is null.
class IrrepsParser {
public:
    constexpr explicit IrrepsParser(std::string_view text) : text_(text) {}

    template <class Out>
    constexpr const char* parse(Out&& out) {
        skip_blanks();
        if (text_.empty()) return nullptr;
        for (;;) {
            MulIrrep term;
            if (const char* const wrong = parse_term(term)) return wrong;
            out(term);
            if (text_.empty()) return nullptr;
            if (!take('+')) return "terms must be joined by +";
        }
    }

private:
    constexpr const char* parse_term(MulIrrep& term) {
        index number = 0;
        if (const char* const wrong = parse_number(number)) return wrong;
        if (take('x')) {
            term.mul = std::exchange(number, 0);
            if (const char* const wrong = parse_number(number)) return wrong;
        }
        if (number > 1000) return "the degree must be at most 1000";
        term.ir.l = static_cast<int>(number);
        if (take('e'))
            term.ir.p = 1;
        else if (take('o'))
            term.ir.p = -1;
        else if (take('y'))
            term.ir.p = term.ir.l % 2 == 0 ? 1 : -1;
        else
            return "the parity must be e, o or y behind the degree";
        return nullptr;
    }
    constexpr const char* parse_number(index& number) {
        if (text_.empty() || text_[0] < '0' || text_[0] > '9') return "a number without a sign must stand here";
        while (!text_.empty() && text_[0] >= '0' && text_[0] <= '9') {
            number = 10 * number + (text_[0] - '0');
            if (number > 1'000'000'000) return "the number must be at most 1000000000";
            text_.remove_prefix(1);
        }
        skip_blanks();
        return nullptr;
    }
    constexpr bool take(char c) {
        if (text_.empty() || text_[0] != c) return false;
        text_.remove_prefix(1);
        skip_blanks();
        return true;
    }
    constexpr void skip_blanks() {
        while (!text_.empty() && (text_[0] == ' ' || text_[0] == '\t' || text_[0] == '\n')) text_.remove_prefix(1);
    }

    std::string_view text_;
};

} // namespace detail

/// A list of irreps with multiplicities, which describes a feature vector: the terms one behind the other, each with
/// `mul` copies of 2l + 1 components m = -l ... l (see layout.hpp for the order of copies and components).
class Irreps {
public:
    Irreps() = default;
    /// `"32x0e+16x1o"`: terms of multiplicity (1 where it is left out), degree and parity: e even, o odd, y that of the
    /// spherical harmonics, (-1)^l. "" is valid. Errors: the text is not of this form.
    Irreps(std::string_view text) {
        const char* const wrong =
            detail::IrrepsParser(text).parse([&](const MulIrrep& term) { terms_.push_back(term); });
        if (wrong) throw error("Irreps", "{}: {}, as in \"32x0e+16x1o\"", io::detail::quote_name(text), wrong);
    }
    /// By their text.
    Irreps(const char* text) : Irreps(std::string_view(text)) {}
    /// By their text.
    Irreps(const std::string& text) : Irreps(std::string_view(text)) {}
    /// Of these terms.
    Irreps(std::vector<MulIrrep> terms) : terms_(std::move(terms)) {}
    /// Of these terms.
    Irreps(std::initializer_list<MulIrrep> terms) : terms_(terms) {}
    /// One copy of an irrep.
    Irreps(const Irrep& ir) : terms_{{1, ir}} {}

    /// Degrees 0 ... lmax once each, of parity p^l: `0e+1o+2e+...` for p = -1.
    static Irreps spherical_harmonics(int lmax, int p = -1) {
        Irreps all;
        for (int l = 0; l <= lmax; ++l) all.terms_.push_back({1, {l, l % 2 == 0 ? 1 : p}});
        return all;
    }

    index size() const { return static_cast<index>(terms_.size()); }
    bool empty() const { return terms_.empty(); }
    const MulIrrep& operator[](index i) const { return terms_[static_cast<std::size_t>(i)]; }
    auto begin() const { return terms_.begin(); }
    auto end() const { return terms_.end(); }

    /// Length of a feature vector.
    index dim() const { return detail::irreps_dim(terms_); }
    /// Copies of all terms together.
    index num_irreps() const { return detail::irreps_count(terms_); }
    /// The largest degree of terms that are there, -1 without any.
    int lmax() const { return detail::irreps_lmax(terms_); }
    /// Copies of an irrep, in all terms.
    index count(const Irrep& ir) const {
        index n = 0;
        for (const MulIrrep& t : terms_)
            if (t.ir == ir) n += t.mul;
        return n;
    }
    /// Whether there is a copy of it.
    bool contains(const Irrep& ir) const { return count(ir) > 0; }
    /// Begin and end of each term.
    std::vector<IrrepSlice> slices() const {
        std::vector<IrrepSlice> all;
        index at = 0;
        for (const MulIrrep& t : terms_) {
            all.push_back({at, at + t.dim()});
            at += t.dim();
        }
        return all;
    }

    /// Neighbours of the same irrep put together, and terms without copies left out.
    Irreps simplify() const {
        Irreps all;
        for (const MulIrrep& t : terms_) {
            if (t.mul == 0) continue;
            if (!all.empty() && all.terms_.back().ir == t.ir)
                all.terms_.back().mul += t.mul;
            else
                all.terms_.push_back(t);
        }
        return all;
    }
    struct Sorted;
    /// By irrep, and in the order they had where it is the same.
    Sorted sort() const;
    Irreps regroup() const;
    /// The terms for which keep(term) is true.
    template <class Keep>
    requires std::predicate<Keep, const MulIrrep&> Irreps filter(const Keep& keep)
    const {
        Irreps some;
        for (const MulIrrep& t : terms_)
            if (keep(t)) some.terms_.push_back(t);
        return some;
    }
    /// The terms whose irrep is one of `keep`.
    Irreps filter(const Irreps& keep) const {
        return filter([&](const MulIrrep& t) { return keep.lists(t.ir); });
    }
    /// The terms whose irrep is none of `drop`.
    Irreps without(const Irreps& drop) const {
        return filter([&](const MulIrrep& t) { return !drop.lists(t.ir); });
    }
    /// The terms of at most that degree.
    Irreps up_to(int largest_degree) const {
        return filter([&](const MulIrrep& t) { return t.ir.l <= largest_degree; });
    }

    friend Irreps operator+(Irreps a, const Irreps& b) {
        a.terms_.insert(a.terms_.end(), b.terms_.begin(), b.terms_.end());
        return a;
    }
    /// The list n times in turn.
    friend Irreps operator*(index n, const Irreps& irreps) {
        Irreps all;
        for (index i = 0; i < n; ++i) all.terms_.insert(all.terms_.end(), irreps.begin(), irreps.end());
        return all;
    }
    /// Term by term: 3x0e+7x0e is not 10x0e.
    friend bool operator==(const Irreps&, const Irreps&) = default;

private:
    bool lists(const Irrep& ir) const {
        return std::any_of(begin(), end(), [&](const MulIrrep& t) { return t.ir == ir; });
    }

    std::vector<MulIrrep> terms_;
};

/// A sorted list; term i is term inv[i] of the one it was, whose term j is now at p[j].
struct Irreps::Sorted {
    Irreps irreps;
    std::vector<index> p, inv;
};

inline Irreps::Sorted Irreps::sort() const {
    Sorted sorted;
    sorted.inv.resize(terms_.size());
    sorted.p.resize(terms_.size());
    for (std::size_t i = 0; i < terms_.size(); ++i) sorted.inv[i] = static_cast<index>(i);
    std::stable_sort(sorted.inv.begin(), sorted.inv.end(),
                     [&](index a, index b) { return (*this)[a].ir < (*this)[b].ir; });
    for (std::size_t i = 0; i < terms_.size(); ++i) {
        sorted.irreps.terms_.push_back((*this)[sorted.inv[i]]);
        sorted.p[static_cast<std::size_t>(sorted.inv[i])] = static_cast<index>(i);
    }
    return sorted;
}
/// One term for each irrep, in order.
inline Irreps Irreps::regroup() const { return sort().irreps.simplify(); }

namespace detail {

/// Irreps that are known at compile time.
template <std::size_t N>
struct IrrepsLiteral {
    std::array<MulIrrep, N> terms{};

    constexpr index dim() const { return irreps_dim(terms); }
    constexpr index num_irreps() const { return irreps_count(terms); }
    constexpr int lmax() const { return irreps_lmax(terms); }
    operator Irreps() const { return std::vector<MulIrrep>(terms.begin(), terms.end()); }
};

inline std::string irreps_text(const Irrep& ir) { return std::to_string(ir.l) + (ir.p == 1 ? 'e' : 'o'); }
inline std::string irreps_text(const MulIrrep& term) { return std::to_string(term.mul) + 'x' + irreps_text(term.ir); }
inline std::string irreps_text(const Irreps& irreps) {
    std::string text;
    for (const MulIrrep& term : irreps) text += (text.empty() ? "" : "+") + irreps_text(term);
    return text;
}
template <class X>
concept IrrepsText = requires(const X& x) {
    irreps_text(x);
};

} // namespace detail

inline namespace literals {

/// `"32x0e+16x1o"_irreps`, checked and known at compile time; converts to Irreps.
template <weft::detail::FixedText Text>
consteval auto operator""_irreps() {
    constexpr auto count = [] {
        std::size_t n = 0;
        if (detail::IrrepsParser(Text.view()).parse([&](const MulIrrep&) { ++n; })) throw "weft: these are no irreps";
        return n;
    }();
    detail::IrrepsLiteral<count> literal;
    std::size_t n = 0;
    detail::IrrepsParser(Text.view()).parse([&](const MulIrrep& term) { literal.terms[n++] = term; });
    return literal;
}

} // namespace literals

template <class Char, class Traits, class X>
requires(std::same_as<X, Irrep> || std::same_as<X, MulIrrep> ||
         std::same_as<X, Irreps>) std::basic_ostream<Char, Traits>
&operator<<(std::basic_ostream<Char, Traits>& out, const X& x) {
    const std::string text = detail::irreps_text(x);
    return out.write(text.data(), static_cast<std::streamsize>(text.size()));
}

} // namespace weft::inline WEFT_ABI::so3

/// `1o`, `16x1o`, `32x0e+16x1o`
template <class X>
requires(std::same_as<X, weft::so3::Irrep> || std::same_as<X, weft::so3::MulIrrep> ||
         std::same_as<X, weft::so3::Irreps>) struct fmt::formatter<X> {
    constexpr auto parse(fmt::format_parse_context& context) { return context.begin(); }
    template <class Context>
    auto format(const X& x, Context& context) const {
        return fmt::format_to(context.out(), "{}", weft::so3::detail::irreps_text(x));
    }
};
