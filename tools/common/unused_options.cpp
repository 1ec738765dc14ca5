#include "tools/common/unused_options.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdio>
#include <string_view>
#include <vector>

#include "tasks/tasks.h"

namespace sesame {
namespace {

std::vector<std::string> words_of(std::string_view list) {
  std::vector<std::string> words;
  for (std::size_t end = 0; end != std::string_view::npos;
       list.remove_prefix(std::min(end + 2, list.size()))) {
    end = list.find(", ");
    words.emplace_back(list.substr(0, end));
    if (end == std::string_view::npos) break;
  }
  return words;
}

bool are_tasks(const std::vector<std::string>& words) {
  return std::all_of(words.begin(), words.end(), [](const std::string& word) {
    return std::any_of(task_table().begin(), task_table().end(), [&](const TaskRow& row) {
      return (std::string(row.option) + " ").starts_with("--task " + word + " ");
    });
  });
}

std::string value_of(const CLI::Option& option) {
  return option.count() > 0 ? option.results().back() : option.get_default_str();
}

// What the option's help says it is for, up to the colon; empty where it is for everything.
std::string purpose_of(const CLI::Option& option) {
  const std::string& help = option.get_description();
  const std::size_t colon = help.find(": ");
  if (colon == std::string::npos) return "";
  const std::string purpose = help.substr(0, colon);
  return purpose.starts_with("--") || are_tasks(words_of(purpose)) ? purpose : "";
}

bool serves(const CLI::App& app, const std::string& purpose, const std::string& task) {
  if (!purpose.starts_with("--")) {
    const std::vector<std::string> tasks = words_of(purpose);
    return std::find(tasks.begin(), tasks.end(), task) != tasks.end();
  }
  const std::size_t blank = purpose.find(' ');
  const std::string value = value_of(*app.get_option(purpose.substr(0, blank)));
  const std::vector<std::string> values = words_of(std::string_view(purpose).substr(blank + 1));
  return std::any_of(values.begin(), values.end(),
                     [&](const std::string& v) { return value.starts_with(v); });
}

}  // namespace

void say_unused_options(const CLI::App& app, const std::string& task) {
  for (const CLI::Option* option : app.get_options()) {
    if (option->count() == 0 || value_of(*option) == option->get_default_str()) continue;
    const std::string purpose = purpose_of(*option);
    if (purpose.empty() || serves(app, purpose, task)) continue;
    fmt::print(stderr, "{}: [{}] changes nothing here: it is for {}{}\n", app.get_name(), option->get_name(),
               purpose.starts_with("--") ? "" : "--task ", purpose);
  }
}

}  // namespace sesame
