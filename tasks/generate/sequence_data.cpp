#include "tasks/generate/sequence_data.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "autograd/check.h"

namespace sesame {
namespace {

// The two files of parallel text, or two empty names.
std::pair<std::string, std::string> parallel_files(const std::string& path) {
  std::error_code none;
  if (path.find(':') == std::string::npos || std::filesystem::exists(path, none)) return {};
  std::pair<std::string, std::string> files;
  for (std::size_t colon = path.find(':'); colon != std::string::npos; colon = path.find(':', colon + 1)) {
    files = {path.substr(0, colon), path.substr(colon + 1)};
    if (std::filesystem::exists(files.first, none) && std::filesystem::exists(files.second, none)) break;
  }
  return files;
}

bool is_blank(const std::string& text) { return text.find_first_not_of(" \t\r\n") == std::string::npos; }

std::vector<std::string> split_tabs(const std::string& line) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  for (std::size_t tab; (tab = line.find('\t', begin)) != std::string::npos; begin = tab + 1) {
    parts.push_back(line.substr(begin, tab - begin));
  }
  parts.push_back(line.substr(begin));
  return parts;
}

std::size_t count_rest(LineReader& reader) {
  for (std::string line; reader.next(line);) {
  }
  return reader.line();
}

Dataset read_parallel(const std::string& path, const std::pair<std::string, std::string>& files,
                      const ReadOptions& options) {
  LineReader sources(files.first), targets(files.second);
  Dataset data;
  data.path = path;
  data.kind = LabelKind::text;
  std::size_t texts = options.text_count;
  Example example;
  for (std::string line; options.limit == 0 || data.examples.size() < options.limit;) {
    const bool source = sources.next(line);
    example.label.clear();
    const bool target = targets.next(example.label);
    if (!source && !target) break;
    if (source != target) {
      const std::size_t counts[] = {count_rest(sources), count_rest(targets)};
      fail(path, "{} has {} lines, {} has {}: parallel text has as many in both", files.first, counts[0],
           files.second, counts[1]);
    }
    SESAME_CHECK(!is_blank(example.label), targets.where(), "the target is empty");
    example.texts = split_tabs(line);
    if (texts == 0) texts = example.texts.size();
    SESAME_CHECK(example.texts.size() == texts, sources.where(), "{} texts separated by tabs, {} wanted",
                 example.texts.size(), texts);
    example.labels = {example.label};
    example.line = sources.line();
    data.empty_texts += std::any_of(example.texts.begin(), example.texts.end(), is_blank);
    data.examples.push_back(example);
  }
  data.limited = options.limit > 0 && data.examples.size() == options.limit;
  SESAME_CHECK(!data.examples.empty(), path, "holds no example: both files are empty");
  return data;
}

}  // namespace

Dataset read_sequences(const std::string& path, ReadOptions options) {
  options.kind = LabelKind::text;
  const auto files = parallel_files(path);
  return files.first.empty() && files.second.empty() ? read_examples(path, options)
                                                     : read_parallel(path, files, options);
}

}  // namespace sesame
