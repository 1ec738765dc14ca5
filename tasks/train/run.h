// A whole fine-tuning run: data, model and tokenizer in, the run's folder out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "autograd/tensor.h"
#include "models/generation/decoding_options.h"
#include "tasks/train/trainer.h"

namespace sesame {

// The options of tools/train under their names there; see interface in docs/train.md.
struct RunOptions {
  std::string task;  // classify, tag, extract, generate; empty: the preset's, else classify
  std::string train, dev, preset, columns, format;
  std::string labels = "auto";  // what the label column holds: auto, class, multi, number
  std::string label_separator = "|";
  std::string model, init = "pretrained";
  std::string head = "linear", pool = "cls";
  std::string tune = "full";  // full, frozen, adapter, lora, bitfit
  std::string adapter_kind = "houlsby";
  std::int64_t adapter_size = 64;
  std::string adapter_place = "both";  // of houlsby: both, attention, feed-forward
  std::string adapter_layers;          // "1-3": only these, counted from below; empty: all
  std::string adapter_norms = "on";    // the LayerNorms train along with the adapter
  std::int64_t lora_rank = 8;
  std::optional<double> lora_alpha;  // default: the rank
  std::int64_t unfreeze_top = 0;     // layers from the top that are trained beside what `tune` says
  bool unfreeze_gradually = false;   // one layer after the other, from the top, over the epochs
  double layer_decay = 1;            // factor on the learning rate from each layer to the one below
  std::string features = "last";     // last, mix, concat:K
  bool features_norm = false;        // normalise each row of each layer first
  std::int64_t cache_mb = 1024;      // features of a frozen trunk that are kept
  std::optional<double> dropout;     // default: as the model's configuration says
  double label_smoothing = 0;
  std::int64_t max_length = 0;  // 0: the task's own, 384 for extract and 128 for the others
  std::int64_t stride = 0;      // tokens that neighbouring windows share; 0: the task's own (tag, extract)
  bool plain_special = false;
  std::int64_t limit = 0, dev_limit = 0;
  // tag
  std::string decode = "free";  // free, legal (only sequences that the tagging scheme allows), crf
  // extract
  std::string question;          // of data that has none: the fixed question, may be empty
  std::int64_t max_answer = 30;  // tokens
  // generate
  std::string generator = "decoder";  // decoder (version 1), self (version 2)
  std::int64_t decoder_layers = 3;    // of version 1
  std::int64_t target_vocab = 0;  // size of an own vocabulary from the targets; 0: the encoder's (version 1)
  std::int64_t max_target_length = 0;  // tokens of a target, the end token included; 0: 128
  DecodingOptions decoding;            // of the evaluations during training
  Device device = {};
  DType dtype = DType::Float32;
  DType compute = DType::Float32;  // bfloat16: mixed precision (autograd/precision.h); dtype stays float32
  bool overwrite = false, verbose = false;
  std::optional<std::int64_t> batch_size;  // default: 32, of extract 16
  TrainerOptions trainer;                  // `out`, `resume` and the usual numbers
  std::string schedule = "linear";
  std::string run_toml;  // content of run.toml, the file that repeats the run
};

// Trains, writes the folder, and returns the run's result as one line of JSON. Throws Error before anything
// is written when data, model or options do not fit together.
std::string fine_tune(const RunOptions& options);

// Counts, lengths, parameters, memory and the first batch as JSON; trains nothing and writes nothing.
std::string dry_run(const RunOptions& options);

}  // namespace sesame
