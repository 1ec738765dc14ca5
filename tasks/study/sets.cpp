#include "tasks/study/sets.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>

#include "autograd/check.h"
#include "models/io/strict_json.h"
#include "tasks/tasks.h"

namespace sesame {
namespace {

namespace fs = std::filesystem;

// Of the example data one set for one text, for two and for words.
constexpr std::pair<const char*, const char*> kExamples[] = {
    {"sentiment", ""}, {"pairs", ""}, {"tags", ",task=tag"}};

template <class Number>
Number parse_number(const std::string& text, const std::string& where) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  SESAME_CHECK(error == std::errc() && end == text.data() + text.size() && value > 0, where,
               "'{}' is no number above 0", text);
  return value;
}

// The one file DIR/train.*, or the one that `given` names, inside DIR or anywhere.
std::string find_file(const fs::path& folder, const std::string& stem, const std::string& given,
                      const std::string& where) {
  if (!given.empty()) {
    const fs::path inside = folder / given;
    return fs::exists(inside) ? inside.string() : given;
  }
  std::vector<std::string> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (name == stem || name.starts_with(stem + ".")) found.push_back(entry.path().string());
  }
  SESAME_CHECK(!error, where, "'{}' is no folder that can be read: {}", folder.string(), error.message());
  SESAME_CHECK(found.size() == 1, where, "'{}' holds {} files {}.*, expected one: name it with {}=FILE",
               folder.string(), found.size(), stem, stem);
  return found[0];
}

// "curves+table".
std::vector<std::string> parse_studies(const std::string& text, const std::string& where) {
  std::vector<std::string> names;
  std::istringstream parts(text);
  for (std::string name; std::getline(parts, name, '+');) {
    const auto known = study_commands();
    const bool found =
        std::any_of(known.begin(), known.end(), [&](const StudyCommand& c) { return name == c.name; });
    SESAME_CHECK(found, where, "'{}' in studies={} is no subcommand of study", name, text);
    names.push_back(name);
  }
  return names;
}

void set_key(StudySet& set, std::string& columns, const std::string& key, const std::string& value,
             const std::string& where) {
  RunOptions& run = set.run;
  const auto column = [&] { columns += (columns.empty() ? "" : ",") + key + "=" + value; };
  if (key == "preset")
    run.preset = value;
  else if (key == "task")
    run.task = value;
  else if (key == "train")
    run.train = value;
  else if (key == "dev")
    run.dev = value;
  else if (key == "format")
    run.format = value;
  else if (key == "labels")
    run.labels = value;
  else if (key == "question")
    run.question = value;
  else if (key == "max-length")
    run.max_length = parse_number<std::int64_t>(value, where);
  else if (key == "batch-size")
    run.batch_size = parse_number<std::int64_t>(value, where);
  else if (key == "limit")
    run.limit = parse_number<std::int64_t>(value, where);
  else if (key == "lr")
    run.trainer.lr = parse_number<double>(value, where);
  else if (key == "studies")
    set.studies = parse_studies(value, where);
  else if (key == "text" || key == "text2" || key == "text3" || key == "label" || key == "target")
    column();
  else
    fail(where,
         "unknown key '{}': expected preset, task, train, dev, text, text2, text3, label, target, "
         "question, format, labels, max-length, batch-size, lr, limit or studies",
         key);
}

StudySet parse_set(const StudyOptions& options, const std::string& spec, const std::string& where) {
  std::istringstream parts(spec);
  std::string part, columns;
  std::getline(parts, part, ',');
  const std::size_t equals = part.find('=');
  SESAME_CHECK(equals != std::string::npos && equals > 0 && equals + 1 < part.size(), where,
               "'{}' is no data set: expected NAME=DIR, as in sst2=data/sst2", spec);
  StudySet set{.name = part.substr(0, equals), .run = {}, .fingerprint = {}};
  SESAME_CHECK(set.name.find_first_of("/\\ ") == std::string::npos, where,
               "'{}': the name of a set holds no slash and no space", set.name);
  const fs::path folder = part.substr(equals + 1);
  set.run.trainer.lr = options.lr;
  set.run.batch_size = options.batch_size;
  while (std::getline(parts, part, ',')) {
    const std::size_t at = part.find('=');
    SESAME_CHECK(at != std::string::npos, where, "'{}' in '{}': expected key=value", part, spec);
    set_key(set, columns, part.substr(0, at), part.substr(at + 1), where);
  }
  RunOptions& run = set.run;
  run.train = find_file(folder, "train", run.train, where);
  run.dev = find_file(folder, "dev", run.dev, where);
  run.columns = columns;
  run.model = options.model;
  run.dev_limit = options.dev_limit;
  run.verbose = options.verbose;
  run.task = task_of(run.task, run.preset);
  run.trainer.batch_size = run.batch_size.value();
  find_task(run.task).defaults(run);
  return set;
}

std::uintmax_t bytes_of(const std::string& path) {
  std::error_code error;
  const std::uintmax_t bytes = fs::file_size(path, error);
  return error ? 0 : bytes;
}

// Where a file changes under its name its size mostly does too.
std::string fingerprint_of(const RunOptions& run) {
  return json_text(Json({{"train", run.train},
                         {"train bytes", bytes_of(run.train)},
                         {"dev", run.dev},
                         {"dev bytes", bytes_of(run.dev)},
                         {"model", run.model},
                         {"model bytes", bytes_of(run.model + "/model.safetensors")},
                         {"preset", run.preset},
                         {"task", run.task},
                         {"columns", run.columns},
                         {"labels", run.labels},
                         {"format", run.format},
                         {"question", run.question},
                         {"max-length", run.max_length},
                         {"limit", run.limit},
                         {"dev-limit", run.dev_limit},
                         {"lr", run.trainer.lr},
                         {"batch-size", run.trainer.batch_size}}));
}

}  // namespace

std::vector<StudySet> study_sets(const StudyOptions& options) {
  std::vector<StudySet> sets;
  const auto add = [&](const std::string& spec, const std::string& where) {
    StudySet set = parse_set(options, spec, where);
    set.fingerprint = fingerprint_of(set.run);
    std::erase_if(sets, [&](const StudySet& old) { return old.name == set.name; });
    sets.push_back(std::move(set));
  };
  for (const auto& [name, keys] : kExamples) {
    const std::string folder = fmt::format("examples/data/{}", name);
    if (options.examples && fs::exists(folder)) add(fmt::format("{}={}{}", name, folder, keys), folder);
  }
  for (const std::string& spec : options.presets) {
    add(fmt::format("{},preset={}", spec, spec.substr(0, spec.find('='))), "--preset");
  }
  for (const std::string& spec : options.data) add(spec, "--data");
  SESAME_CHECK(!sets.empty(), "--data",
               "there is no data: name a set with --data NAME=DIR or --preset NAME=DIR, or start the program "
               "where examples/data lies");
  return sets;
}

std::vector<StudySet> study_sets(StudyOptions options, const std::string& study, std::int64_t dev_limit) {
  if (options.dev_limit == 0) options.dev_limit = dev_limit;
  std::vector<StudySet> sets = study_sets(options);
  std::erase_if(sets, [&](const StudySet& set) {
    return !set.studies.empty() &&
           std::find(set.studies.begin(), set.studies.end(), study) == set.studies.end();
  });
  if (sets.empty()) say(study + ": no set is for it: nothing to do");
  return sets;
}

}  // namespace sesame
