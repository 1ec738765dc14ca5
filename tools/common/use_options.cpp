#include "tools/common/use_options.h"

#include "autograd/backend/dispatch.h"
#include "autograd/check.h"
#include "tasks/ranks/agreement.h"
#include "tasks/tasks.h"

namespace sesame {

void add_use_options(CLI::App& app, UseOptions& use, ComputeOptions& compute) {
  app.add_option("--model", use.models, "Folder of a finished run of train; several are an ensemble")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--base", use.base, "Model that an adapter was trained on, if it is no longer where it was");
  app.add_option("--columns", use.columns, "Columns by name, if they are not those of the training data");
  app.add_option("--format", use.format,
                 "auto, tsv, csv, jsonl, lines, conll, conllu, squad (default: by extension)");
  app.add_option("--batch-tokens", use.batch_tokens, "Tokens per batch");
  app.add_option("--device", compute.device, "cpu, cuda, cuda:N");
  app.add_option("--dtype", compute.dtype, "fp32, bf16 (CUDA: the encoder's layers)");
}

std::unique_ptr<Predictor> load_predictor(UseOptions& use, const ComputeOptions& compute, bool verbose) {
  use.device = device_of_rank(compute.device);
  use.verbose = verbose;
  kernels(use.device);  // says now when there is no such device
  SESAME_CHECK(!use.models.empty(), "--model", "names no model");
  SESAME_CHECK(use.batch_tokens > 0, "--batch-tokens", "must be positive, got {}", use.batch_tokens);
  SESAME_CHECK(compute.dtype == "fp32" || compute.dtype == "bf16", "--dtype",
               "unknown type '{}': expected fp32 or bf16", compute.dtype);
  use.compute = compute.dtype == "bf16" ? DType::BFloat16 : DType::Float32;
  SESAME_CHECK(use.compute == DType::Float32 || use.device != Device{}, "--dtype",
               "bf16 is not available on {}: use fp32", use.device.name());
  SESAME_CHECK(use.limit >= 0, "--limit", "must not be negative, got {}", use.limit);
  SESAME_CHECK(use.n_best >= 0, "--n-best", "must not be negative, got {}", use.n_best);
  const std::string task = trained_task(use.models.front());
  for (const std::string& other : use.models) {
    const std::string its = trained_task(other);
    SESAME_CHECK(its == task, "--model", "'{}' was trained for {}, '{}' for {}: they cannot form an ensemble",
                 use.models.front(), task, other, its);
  }
  return find_task(task).load(use);
}

void check_same_use(const UseOptions& use, const std::string& data) {
  if (world().size() == 1) return;
  SESAME_CHECK(data != "-", "--input",
               "of several processes only the first has a standard input: name a file");
  std::vector<Fact> facts = {{"--batch-tokens", std::to_string(use.batch_tokens)},
                             {"--limit", std::to_string(use.limit)},
                             {"--beam", std::to_string(use.decoding.beam)},
                             {"the data", hash_of_file(data)}};
  for (const std::string& model : use.models) {
    for (const char* file : {"task.json", "config.json", "model.safetensors", "adapter.safetensors",
                             "model_head.safetensors", "vocab.txt", "tokenizer.json"}) {
      facts.push_back({model + "/" + file, hash_of_file(model + "/" + file)});
    }
  }
  check_agreement(world(), facts);
}

}  // namespace sesame
