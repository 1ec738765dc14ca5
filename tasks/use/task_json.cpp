#include "tasks/use/task_json.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "autograd/check.h"
#include "models/io/strict_json.h"

namespace sesame {

namespace {
constexpr int kLargestCount = 1 << 24;
}

Json read_task_json(const std::string& directory) {
  const std::string path = directory + "/task.json";
  SESAME_CHECK(std::filesystem::exists(path), "--model",
               "'{}' holds no task.json: expected the folder of a finished run of train", directory);
  return read_json_file(path);
}

void read_task_json(const std::string& directory, const std::string& task,
                    const std::function<void(const Json&)>& read) {
  const Json json = read_task_json(directory);
  const std::string path = directory + "/task.json";
  try {
    const std::string own = json.at("task");
    SESAME_CHECK(json.at("format") == 1 && own == task, path,
                 "holds task '{}' in format {}: expected task '{}' in format 1", own,
                 json_text(json.at("format")), task);
    for (const auto& [key, value] : json.items()) {
      if (!value.is_number() || key == "null_threshold")
        continue;  // a score; all others are lengths and counts
      SESAME_CHECK(value.is_number_integer() && value >= 0 && value <= kLargestCount, path,
                   "\"{}\" is {}: expected a whole number from 0 to {}", key, json_text(value),
                   kLargestCount);
    }
    read(json);
  } catch (const Json::exception& error) {
    fail(path, "not a task file of this program: {}", error.what());
  }
}

}  // namespace sesame
