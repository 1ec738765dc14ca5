#include "tasks/study/study.h"

#include <unistd.h>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "autograd/check.h"
#include "models/io/strict_json.h"
#include "tasks/study/page.h"
#include "tasks/study/store.h"

namespace sesame {
namespace {

constexpr StudyCommand kCommands[] = {
    {"curves", "training loss and development score, pretrained against random start", study_curves},
    {"landscape", "the loss along the line from start to solution and on planes around it", study_landscape},
    {"path", "the optimiser's path on the plane of landscape (which it runs where needed)", study_path},
    {"rollback", "groups of layers set back to their pretrained values after fine-tuning", study_rollback},
    {"modes", "what is trained: score, parameters, time, stored bytes and memory of each", study_modes},
    {"layers", "learned weights of the layers of a frozen model, by task", study_layers},
    {"table", "scores of every set, beside published ones of larger models", study_table},
};

void check_options(const StudyOptions& o) {
  SESAME_CHECK(!o.model.empty(), "--model", "names no model directory");
  const auto count = [](const char* name, std::int64_t value, std::int64_t least, std::int64_t most) {
    SESAME_CHECK(value >= least && value <= most, name, "must be {} to {}, got {}", least, most, value);
  };
  constexpr std::int64_t many = 1'000'000'000;
  count("--seeds", o.seeds, 0, 100);
  count("--tokens", o.tokens, 0, many);
  count("--steps", o.steps, 0, many);
  count("--epochs", o.epochs, 1, many);
  count("--batch-size", o.batch_size, 1, many);
  count("--dev-limit", o.dev_limit, 0, many);
  count("--evaluations", o.evaluations, 1, many);
  count("--probe-tokens", o.probe_tokens, 0, many);
  count("--line-points", o.line_points, 5, 1001);
  count("--grid", o.grid, 5, 201);
  count("--snapshots", o.snapshots, 1, many);
  const auto meets = [](const char* name, std::int64_t value) {
    SESAME_CHECK((value - 1) % 4 == 0, name,
                 "must be 5, 9, 13, ..., so that start and solution are met; got {}", value);
  };
  meets("--line-points", o.line_points);
  meets("--grid", o.grid);
  SESAME_CHECK(std::isfinite(o.lr) && o.lr > 0, "--lr", "must be above 0, got {}", o.lr);
  SESAME_CHECK(std::isfinite(o.radius) && o.radius > 0, "--radius", "must be above 0, got {}", o.radius);
}

// Says before the first training that the results have a place to go.
void check_out(const std::string& out) {
  SESAME_CHECK(!out.empty(), "--out", "names no folder for the results");
  std::error_code error;
  std::filesystem::create_directories(out, error);
  SESAME_CHECK(!error && std::filesystem::is_directory(out), "--out", "'{}' cannot be made: {}", out,
               error ? error.message() : "a file is in the way");
  SESAME_CHECK(::access(out.c_str(), W_OK | X_OK) == 0, "--out", "'{}' cannot be written", out);
  for (const StudyCommand& command : kCommands) ResultFile(out, command.name);  // of another version: now
}

}  // namespace

std::span<const StudyCommand> study_commands() { return kCommands; }

std::string run_study(const std::string& name, const StudyOptions& options) {
  const bool all = name == "all";
  bool known = all || name == "page";
  std::string names;
  for (const StudyCommand& command : kCommands) {
    known |= name == command.name;
    names += std::string(command.name) + ", ";
  }
  SESAME_CHECK(known, "study", "'{}' is not known: expected one of {}all, page", name, names);
  if (name != "page") check_options(options);
  check_out(options.out);
  const auto begin = std::chrono::steady_clock::now();
  std::string page = options.out + "/study.html";
  for (const StudyCommand& command : kCommands) {
    if (!all && name != command.name) continue;
    command.run(options);
    page = write_study_page(options.out, options.model);
  }
  if (name == "page") page = write_study_page(options.out, options.model);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return json_text(OrderedJson({{"study", name}, {"seconds", seconds}, {"page", page}}));
}

}  // namespace sesame
