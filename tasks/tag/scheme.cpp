#include "tasks/tag/scheme.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "autograd/check.h"

namespace sesame {
namespace {

constexpr std::pair<Scheme, const char*> kNames[] = {{Scheme::None, "none"},
                                                     {Scheme::Iob1, "IOB1"},
                                                     {Scheme::Bio, "BIO"},
                                                     {Scheme::Bioes, "BIOES"},
                                                     {Scheme::Bilou, "BILOU"}};

// The letter of a tag that could belong to a scheme, else 0. Letters alone ("B") count where there is an O.
char letter_of(const std::string& tag, bool has_outside) {
  if (tag == "O") return 'O';
  const bool known = !tag.empty() && std::string_view("BIESLU").find(tag[0]) != std::string_view::npos;
  if (!known || (tag.size() == 1 && !has_outside)) return 0;
  return tag.size() == 1 || (tag.size() > 2 && tag[1] == '-') ? tag[0] : 0;
}

bool inside(const TagParts& tag) { return tag.prefix == 'B' || tag.prefix == 'I'; }

struct Violations {
  std::int64_t bio = 0, iob1 = 0;
};

// I- that continues nothing breaks BIO; B- that follows no entity of its type breaks IOB1.
Violations count_violations(const TagLists& tags) {
  Violations v;
  for (const auto& sentence : tags) {
    TagParts last{'O', ""};
    for (const std::string& tag : sentence) {
      const TagParts now = split_tag(tag);
      const bool touches = inside(last) && last.type == now.type;
      v.bio += now.prefix == 'I' && !touches;
      v.iob1 += now.prefix == 'B' && !touches;
      last = now;
    }
  }
  return v;
}

// Whether `now` may follow `last` (O before the first word and behind the last).
bool may_follow(const TagParts& last, const TagParts& now, Scheme scheme) {
  const bool continues = inside(last) && last.type == now.type;
  switch (scheme) {
    case Scheme::None:
      return true;
    case Scheme::Iob1:
      return now.prefix != 'B' || continues;
    case Scheme::Bio:
      return now.prefix != 'I' || continues;
    case Scheme::Bioes:
    case Scheme::Bilou:
      // split_tag reads L and U as E and S.
      return now.prefix == 'I' || now.prefix == 'E' ? continues : !inside(last);
  }
  return true;
}

double log_sum_exp(const std::vector<double>& x) {
  const double top = *std::max_element(x.begin(), x.end());
  double sum = 0;
  for (const double value : x) sum += std::exp(value - top);
  return top + std::log(sum);
}

}  // namespace

const char* scheme_name(Scheme scheme) { return kNames[static_cast<std::size_t>(scheme)].second; }

Scheme parse_scheme(const std::string& name, const std::string& where) {
  for (const auto& [scheme, known] : kNames) {
    if (name == known) return scheme;
  }
  fail(where, "unknown tagging scheme '{}': expected none, IOB1, BIO, BIOES or BILOU", name);
}

Scheme recognise_scheme(const TagLists& tags) {
  std::set<std::string> names;
  for (const auto& sentence : tags) names.insert(sentence.begin(), sentence.end());
  std::set<char> letters;
  for (const std::string& name : names) letters.insert(letter_of(name, names.contains("O")));
  if (letters.contains(0)) return Scheme::None;
  letters.erase('O');
  if (letters.empty()) return Scheme::None;
  if (letters.contains('E') || letters.contains('S')) return Scheme::Bioes;
  if (letters.contains('L') || letters.contains('U')) return Scheme::Bilou;
  const Violations violations = count_violations(tags);
  return violations.bio <= violations.iob1 ? Scheme::Bio : Scheme::Iob1;
}

Transitions legal_transitions(const std::vector<std::string>& labels, Scheme scheme) {
  const TagParts outside{'O', "_"};
  Transitions t;
  for (const std::string& from : labels) {
    const TagParts now = split_tag(from);
    t.start.push_back(may_follow(outside, now, scheme) ? 0 : kIllegal);
    t.end.push_back(may_follow(now, outside, scheme) ? 0 : kIllegal);
    for (const std::string& to : labels) {
      t.move.push_back(may_follow(now, split_tag(to), scheme) ? 0 : kIllegal);
    }
  }
  return t;
}

std::vector<std::int64_t> best_path(const std::vector<double>& emissions, const Transitions& transitions) {
  const std::size_t k = transitions.start.size(), n = emissions.size() / k;
  if (n == 0) return {};
  std::vector<double> score(k), next(k);
  std::vector<std::size_t> before(n * k, 0);
  for (std::size_t j = 0; j < k; ++j) score[j] = transitions.start[j] + emissions[j];
  for (std::size_t t = 1; t < n; ++t) {
    for (std::size_t j = 0; j < k; ++j) {
      std::size_t best = 0;
      for (std::size_t i = 1; i < k; ++i) {
        if (score[i] + transitions.move[i * k + j] > score[best] + transitions.move[best * k + j]) best = i;
      }
      before[t * k + j] = best;
      next[j] = score[best] + transitions.move[best * k + j] + emissions[t * k + j];
    }
    score.swap(next);
  }
  for (std::size_t j = 0; j < k; ++j) score[j] += transitions.end[j];
  std::vector<std::int64_t> path(n);
  auto at = static_cast<std::size_t>(std::max_element(score.begin(), score.end()) - score.begin());
  for (std::size_t t = n; t-- > 0;) {
    path[t] = static_cast<std::int64_t>(at);
    at = before[t * k + at];
  }
  return path;
}

std::vector<double> marginals(const std::vector<double>& emissions, const Transitions& transitions) {
  const std::size_t k = transitions.start.size(), n = emissions.size() / k;
  if (n == 0) return {};
  std::vector<double> alpha(n * k), beta(n * k), work(k);
  for (std::size_t j = 0; j < k; ++j) {
    alpha[j] = transitions.start[j] + emissions[j];
    beta[(n - 1) * k + j] = transitions.end[j];
  }
  for (std::size_t t = 1; t < n; ++t) {
    for (std::size_t j = 0; j < k; ++j) {
      for (std::size_t i = 0; i < k; ++i) work[i] = alpha[(t - 1) * k + i] + transitions.move[i * k + j];
      alpha[t * k + j] = emissions[t * k + j] + log_sum_exp(work);
    }
  }
  for (std::size_t t = n - 1; t-- > 0;) {
    for (std::size_t i = 0; i < k; ++i) {
      for (std::size_t j = 0; j < k; ++j) {
        work[j] = transitions.move[i * k + j] + emissions[(t + 1) * k + j] + beta[(t + 1) * k + j];
      }
      beta[t * k + i] = log_sum_exp(work);
    }
  }
  for (std::size_t j = 0; j < k; ++j) work[j] = alpha[(n - 1) * k + j] + transitions.end[j];
  const double log_z = log_sum_exp(work);
  for (std::size_t i = 0; i < n * k; ++i) alpha[i] = std::exp(alpha[i] + beta[i] - log_z);
  return alpha;
}

}  // namespace sesame
