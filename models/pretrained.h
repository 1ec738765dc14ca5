// Hugging Face directories of BERT models: reading one, starting one afresh, writing one back.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "models/bert/bert.h"
#include "models/checkpoint.h"

namespace sesame {

// Whether a model gets a pooler: where the file stores one; always (fresh where the file has none); never.
enum class PoolerChoice { IfStored, Always, Never };

struct LoadBertOptions {
  PoolerChoice pooler = PoolerChoice::IfStored;
  bool random_init = false;  // keep the shape and forget the weights: no weight file is read
  std::uint64_t seed = 0;    // of everything that is drawn
  bool verbose = false;
};

struct LoadedBert {
  BertConfig config;
  std::unique_ptr<Bert> model;
  LoadReport report;  // empty for a random start, but for `fresh`
};

// Where the heads of all tasks lie in files, Hugging Face's and ours: not part of the trunk.
const std::vector<std::string>& head_prefixes();
// Whether a directory's weights hold a pooler, with or without the prefix "bert.".
bool stores_pooler(const WeightFiles& files);

// config.json of a directory.
BertConfig read_bert_config(const std::string& directory);

// Reads config.json and the trunk of model.safetensors or its shards; heads that lie beside the trunk are
// left unread and named in report.ignored. Throws Error as load_weights, BertConfig and WeightFiles do.
LoadedBert load_bert(const std::string& directory, const LoadBertOptions& options = {});

// Initial values as in Hugging Face: normal(0, initializer_range) for weights, zero for biases, one for
// LayerNorm, zero for the word embedding of the padding token. Works for a trunk and for a model with a trunk
// named "bert".
void init_bert_model(Module& module, const BertConfig& config, std::uint64_t seed);

// Writes config.json and model.safetensors into a directory (made when missing); each appears whole or not at
// all. `architecture` is the class that transformers should load ("BertForSequenceClassification").
void save_pretrained(const std::string& directory, const Module& module, const BertConfig& config,
                     const std::string& architecture);

}  // namespace sesame
