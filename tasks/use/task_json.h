// task.json of a finished run, as far as all tasks read it alike.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace sesame {

// The file as JSON. Throws Error when `directory` holds none (an unfinished run).
nlohmann::json read_task_json(const std::string& directory);

// The same for a run of `task`, handed to `read`. Throws Error naming the file when it is of another task or
// format, and when `read` misses a key or finds another type.
void read_task_json(const std::string& directory, const std::string& task,
                    const std::function<void(const nlohmann::json&)>& read);

}  // namespace sesame
