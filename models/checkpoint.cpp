#include "models/checkpoint.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "autograd/check.h"
#include "models/safetensors/dtypes.h"
#include "nn/init.h"

namespace sesame {

namespace {

constexpr const char* kPrefix = "bert.";
constexpr std::size_t kShown = 3;

// Pairs that are one tensor in the model; files hold either or both.
constexpr std::pair<const char*, const char*> kTied[] = {
    {"bert.embeddings.word_embeddings.weight", "cls.predictions.decoder.weight"},
    {"cls.predictions.bias", "cls.predictions.decoder.bias"},
};

// Where the tensors of a load come from.
struct Source {
  std::string path;
  std::vector<std::string> names;
  std::function<std::vector<std::int64_t>(const std::string&)> shape;
  std::function<std::string(const std::string&)> dtype;
  std::function<Tensor(const std::string&)> tensor;
};

std::string replace_suffix(const std::string& name, std::string_view from, std::string_view to) {
  if (!name.ends_with(from)) return name;
  return name.substr(0, name.size() - from.size()) + std::string(to);
}

// The name that files of today give a tensor.
std::string modern_name(const std::string& name) {
  return replace_suffix(replace_suffix(name, "LayerNorm.gamma", "LayerNorm.weight"), "LayerNorm.beta",
                        "LayerNorm.bias");
}

std::string without_prefix(const std::string& name) {
  return name.starts_with(kPrefix) ? name.substr(std::string_view(kPrefix).size()) : name;
}

bool is_position_ids(const std::string& name) { return without_prefix(name) == "embeddings.position_ids"; }

// Whether the name is `prefix` or lies below it.
bool lies_in(const std::string& name, const std::string& prefix) {
  return name == prefix || (name.starts_with(prefix) && name[prefix.size()] == '.');
}

bool lies_in_any(const std::string& name, const std::vector<std::string>& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](const auto& prefix) { return lies_in(name, prefix); });
}

// Finds the tensor of the file for a parameter; names of the file are modern ones here.
class Matcher {
 public:
  explicit Matcher(const Source& source) {
    for (const std::string& name : source.names) {
      const bool fresh = by_modern_.emplace(modern_name(name), name).second;
      SESAME_CHECK(fresh, source.path, "holds \"{}\" under its old and its new name", modern_name(name));
    }
  }
  // Name in the file, or "".
  std::string find(const std::string& parameter) const {
    for (const std::string& candidate : candidates(parameter)) {
      const auto found = by_modern_.find(candidate);
      if (found != by_modern_.end()) return found->second;
    }
    return "";
  }

 private:
  // Names that today's files may give a parameter.
  static std::vector<std::string> candidates(const std::string& parameter) {
    const std::string bare = without_prefix(parameter);
    std::vector<std::string> names = {parameter, parameter == bare ? kPrefix + bare : bare};
    for (const auto& [first, second] : kTied) {
      if (kPrefix + bare == first || bare == first) names.emplace_back(second);
      if (bare == second) names.emplace_back(first);
    }
    return names;
  }

  std::map<std::string, std::string> by_modern_;
};

struct Pair {
  NamedParameter parameter;
  std::string stored;  // "" when the file has none
  bool fits = false;
};

std::string shape_text(const std::vector<std::int64_t>& sizes) {
  std::string text = "(";
  for (std::size_t i = 0; i < sizes.size(); ++i) text += fmt::format("{}{}", i > 0 ? ", " : "", sizes[i]);
  return text + (sizes.size() == 1 ? ",)" : ")");
}

bool fits(const Source& source, const std::string& stored, const Tensor& parameter) {
  const std::vector<std::int64_t> sizes = source.shape(stored);
  const Shape& wanted = parameter.shape();
  const std::string dtype = source.dtype(stored);
  const bool floating = dtype == "F32" || dtype == "F64" || dtype == "F16" || dtype == "BF16";
  return floating && std::equal(sizes.begin(), sizes.end(), wanted.begin(), wanted.end());
}

std::vector<Pair> match(const Module& module, const Source& source) {
  const Matcher matcher(source);
  std::vector<Pair> pairs;
  for (const NamedParameter& parameter : module.parameters()) {
    Pair pair{parameter, matcher.find(parameter.name)};
    pair.fits = !pair.stored.empty() && fits(source, pair.stored, parameter.tensor);
    pairs.push_back(std::move(pair));
  }
  return pairs;
}

// Prefixes declared fresh whose part of the file is not complete.
std::vector<std::string> fresh_parts(const std::vector<Pair>& pairs, const LoadOptions& options) {
  std::vector<std::string> parts;
  for (const std::string& prefix : options.fresh) {
    const bool broken = std::any_of(pairs.begin(), pairs.end(), [&](const Pair& pair) {
      return lies_in(pair.parameter.name, prefix) && !pair.fits;
    });
    if (broken) parts.push_back(prefix);
  }
  return parts;
}

void judge_leftovers(const Source& source, const std::vector<Pair>& pairs, const LoadOptions& options,
                     LoadReport& report) {
  std::set<std::string> used, other_names;
  for (const Pair& pair : pairs) {
    used.insert(pair.stored);
    if (!pair.fits) continue;
    for (const auto& [first, second] : kTied) {
      const std::string bare = without_prefix(pair.parameter.name);
      if (kPrefix + bare == first || bare == first) other_names.insert(second);
    }
  }
  for (const std::string& name : source.names) {
    if (used.contains(name) || is_position_ids(name)) continue;
    if (other_names.contains(name) || lies_in(name, "cls") || lies_in_any(name, options.ignore)) {
      report.ignored.push_back(name);
    } else {
      report.unexpected.push_back(name);
    }
  }
}

LoadReport load(Module& module, const Source& source, const LoadOptions& options) {
  const std::vector<Pair> pairs = match(module, source);
  const std::vector<std::string> new_parts = fresh_parts(pairs, options);
  LoadReport report;
  report.source = source.path;
  std::vector<const Pair*> to_copy;
  for (const Pair& pair : pairs) {
    const std::string& name = pair.parameter.name;
    if (lies_in_any(name, new_parts)) {
      report.fresh.push_back(name);
    } else if (pair.fits) {
      report.loaded.push_back(name);
      to_copy.push_back(&pair);
    } else if (pair.stored.empty()) {
      report.missing.push_back(name);
    } else {
      const Tensor& tensor = pair.parameter.tensor;
      report.mismatched.push_back({name,
                                   shape_text(source.shape(pair.stored)) + " " + source.dtype(pair.stored),
                                   tensor.shape().str() + " " + dtype_name(tensor.dtype())});
    }
  }
  judge_leftovers(source, pairs, options, report);
  SESAME_CHECK(report.complete(), source.path, "the weights do not fit the model: {}{}",
               report.problems(options.verbose), options.verbose ? "" : "; --verbose lists all");
  const NoGradGuard no_grad;
  for (const Pair* pair : to_copy) {
    Tensor parameter = pair->parameter.tensor;
    parameter.copy_(source.tensor(pair->stored));
  }
  return report;
}

// "3 missing (a, b, c)", with " and 5 more" where the list is cut.
void add_kind(std::string& text, const char* kind, const std::vector<std::string>& names, bool all) {
  if (names.empty()) return;
  text += fmt::format("{}{} {} (", text.empty() ? "" : ", ", names.size(), kind);
  const std::size_t shown = all ? names.size() : std::min(names.size(), kShown);
  for (std::size_t i = 0; i < shown; ++i) text += (i > 0 ? ", " : "") + names[i];
  if (shown < names.size()) text += fmt::format(" and {} more", names.size() - shown);
  text += ')';
}

}  // namespace

std::string LoadReport::problems(bool all) const {
  std::string text;
  add_kind(text, "missing", missing, all);
  add_kind(text, "unexpected", unexpected, all);
  std::vector<std::string> shapes;
  for (const LoadMismatch& m : mismatched) {
    shapes.push_back(fmt::format("{}: file {}, model {}", m.name, m.file, m.model));
  }
  add_kind(text, "mismatched", shapes, all);
  return text;
}

std::string LoadReport::summary(bool all) const {
  std::string text = fmt::format("{} tensors loaded", loaded.size());
  add_kind(text, "fresh", fresh, all);
  add_kind(text, "of the file not used", ignored, all);
  return text;
}

LoadReport load_weights(Module& module, const WeightFiles& files, const LoadOptions& options) {
  const Source source{files.path(), files.names(),
                      [&](const std::string& name) { return files.entry(name).shape; },
                      [&](const std::string& name) { return files.entry(name).dtype; },
                      [&](const std::string& name) { return files.tensor(name); }};
  return load(module, source, options);
}

LoadReport load_weights(Module& module, const NamedTensors& tensors, const std::string& path,
                        const LoadOptions& options) {
  std::map<std::string, Tensor> by_name(tensors.begin(), tensors.end());
  Source source{path, {}, {}, {}, {}};
  for (const auto& item : tensors) source.names.push_back(item.first);
  source.shape = [&](const std::string& name) {
    const Shape& shape = by_name.at(name).shape();
    return std::vector<std::int64_t>(shape.begin(), shape.end());
  };
  source.dtype = [&](const std::string& name) -> std::string {
    return safetensors_dtype_name(by_name.at(name).dtype());
  };
  source.tensor = [&](const std::string& name) { return by_name.at(name); };
  return load(module, source, options);
}

void init_fresh(Module& module, const std::vector<std::string>& names, double std, std::uint64_t seed) {
  for (const std::string& name : names) init_bert({name, module.parameter(name)}, std, seed);
}

NamedTensors state_dict(const Module& module) {
  NamedTensors state;
  for (const NamedParameter& parameter : module.parameters())
    state.emplace_back(parameter.name, parameter.tensor);
  return state;
}

}  // namespace sesame
