#include "tools/common/toml_config.h"

#include <fmt/format.h>

#include <regex>
#define TOML_EXCEPTIONS 1
#include <toml++/toml.h>

#include "tasks/metrics/metrics.h"

namespace sesame {
namespace {

std::string toml_value(const std::string& text) {
  static const std::regex bare("true|false|[-+]?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][-+]?[0-9]+)?");
  return std::regex_match(text, bare) ? text : json_string(text);
}

// CLI11 keeps defaults as it prints them: text in quotes, nothing for an empty one.
std::string default_of(const CLI::Option& option) {
  const std::string text = option.get_default_str();
  return text.size() >= 2 && text.front() == '"' && text.back() == '"' ? text.substr(1, text.size() - 2)
                                                                       : text;
}

void add_value(const toml::node& node, std::vector<std::string>& inputs) {
  if (const auto* text = node.as_string()) inputs.push_back(text->get());
  if (const auto* number = node.as_integer()) inputs.push_back(fmt::format("{}", number->get()));
  if (const auto* number = node.as_floating_point()) inputs.push_back(fmt::format("{}", number->get()));
  if (const auto* flag = node.as_boolean()) inputs.push_back(flag->get() ? "true" : "false");
  if (const auto* list = node.as_array()) {
    for (const toml::node& item : *list) add_value(item, inputs);
  }
}

}  // namespace

std::string toml_with(const CLI::App& app, const std::map<std::string, std::string>& replaced) {
  std::string text;
  for (const CLI::Option* option : app.get_options({})) {
    if (!option->get_configurable() || option->get_lnames().empty()) continue;
    const std::string& name = option->get_lnames().front();
    std::vector<std::string> values = option->results();
    if (values.size() > 1 && option->get_multi_option_policy() == CLI::MultiOptionPolicy::TakeLast) {
      values.erase(values.begin(), values.end() - 1);
    }
    if (values.empty() && !default_of(*option).empty()) values.push_back(default_of(*option));
    if (const auto other = replaced.find(name); other != replaced.end()) values = {other->second};
    if (values.empty() || (values.size() == 1 && values[0].empty())) continue;
    std::string line;
    for (const std::string& value : values) line += (line.empty() ? "" : ", ") + toml_value(value);
    text += fmt::format("{} = {}\n", name, values.size() > 1 ? "[" + line + "]" : line);
  }
  return text;
}

std::string TomlConfig::to_config(const CLI::App* app, bool, bool, std::string) const {
  return toml_with(*app, {});
}

std::vector<CLI::ConfigItem> TomlConfig::from_config(std::istream& input) const {
  std::vector<CLI::ConfigItem> items;
  try {
    const toml::table table = toml::parse(input);
    for (const auto& [key, node] : table) {
      CLI::ConfigItem item;
      item.name = std::string(key.str());
      add_value(node, item.inputs);
      if (node.is_table())
        throw CLI::ConfigError(fmt::format("--config: there are no sections, found [{}]", item.name));
      items.push_back(std::move(item));
    }
  } catch (const toml::parse_error& error) {
    throw CLI::ConfigError(
        fmt::format("--config: line {}: {}", error.source().begin.line, error.description()));
  }
  return items;
}

}  // namespace sesame
