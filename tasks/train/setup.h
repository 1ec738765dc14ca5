// From options to something that can be trained: what the set-ups of the tasks share.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "models/pretrained.h"
#include "models/tokenizer/tokenizer.h"
#include "models/trunk_model.h"
#include "tasks/train/run.h"
#include "tasks/train/task.h"

namespace sesame {

struct RunSetup {
  BertConfig
      config;  // as it will be written: with the labels, and in `architectures` the class that loads it
  Tokenizer tokenizer;
  std::unique_ptr<TrunkModel> model;
  std::unique_ptr<Task> task;  // refers to *model
};

// A message of the set-up, on stderr.
void say(const std::string& line);

// The message about predictions on dev that are all the same (tasks/metrics/collapse.h), if they are.
void say_collapse(const std::vector<std::string>& predicted, const std::vector<std::string>& gold);

// config.json of options.model with --dropout in place of its own.
BertConfig starting_config(const RunOptions& options);
// The tokenizer of options.model. Throws Error when it has more tokens than the model has word embeddings.
Tokenizer starting_tokenizer(const RunOptions& options, const BertConfig& config);
// True where the weights of options.model hold a pooler and are used.
bool starts_with_pooler(const RunOptions& options);

// Whether --head asks for an MLP in place of a linear classifier; Error for anything but linear and mlp.
bool wants_mlp(const RunOptions& options);

// Values for all parameters of `model`, and the line that says where they came from: --init random, or the
// weights of options.model. `head` are the prefixes of the task's own parts ("classifier", "head"): they are
// loaded where the directory holds them in the same shape and keep_head is true, else drawn afresh. Parts of
// other tasks in the directory are left unread and named. `may_lack_pooler`: a pooler that the file lacks is
// drawn afresh.
void load_start(Module& model, const BertConfig& config, const RunOptions& options,
                const std::vector<std::string>& head, bool keep_head, bool may_lack_pooler = false);

// Throws Error when --max-length does not lie between what `texts` need and the model's positions.
void check_max_length(std::int64_t max_length, std::size_t texts, const BertConfig& config);

}  // namespace sesame
