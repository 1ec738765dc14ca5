#include "tasks/use/task_json.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "autograd/check.h"
#include "models/io/strict_json.h"

namespace sesame {

nlohmann::json read_task_json(const std::string& directory) {
  const std::string path = directory + "/task.json";
  SESAME_CHECK(std::filesystem::exists(path), "--model",
               "'{}' holds no task.json: expected the folder of a finished run of train", directory);
  return read_json_file(path);
}

void read_task_json(const std::string& directory, const std::string& task,
                    const std::function<void(const nlohmann::json&)>& read) {
  const nlohmann::json json = read_task_json(directory);
  const std::string path = directory + "/task.json";
  try {
    const std::string own = json.at("task");
    SESAME_CHECK(json.at("format") == 1 && own == task, path,
                 "holds task '{}' in format {}: expected task '{}' in format 1", own,
                 json_text(json.at("format")), task);
    read(json);
  } catch (const nlohmann::json::exception& error) {
    fail(path, "not a task file of this program: {}", error.what());
  }
}

}  // namespace sesame
