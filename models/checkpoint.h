// Strict loading of weight files into a Module. Every tensor of the file and every parameter of the model
// must find its partner; what does not is reported, never skipped in silence.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/safetensors/weight_files.h"
#include "nn/module.h"

namespace sesame {

struct LoadOptions {
  // Dotted prefixes ("classifier", "bert.pooler") of parts that may be new. A part loads when the file holds
  // all of it in the model's shapes; else all of it keeps the values it has and is listed as fresh.
  std::vector<std::string> fresh = {};
  // Dotted prefixes of file tensors that the model may leave unread (heads of another task). "cls" always
  // may.
  std::vector<std::string> ignore = {};
  bool verbose = false;  // name everything in the error, not the first three of each kind
};

struct LoadMismatch {
  std::string name;         // in the model
  std::string file, model;  // shape and type on each side: "(2, 384) F32", "(3, 384) float32"
};

struct LoadReport {
  std::string source;                    // the file, or the index of the shards
  std::vector<std::string> loaded;       // parameters with values from the file
  std::vector<std::string> missing;      // parameters that the file lacks
  std::vector<std::string> unexpected;   // tensors of the file that the model lacks
  std::vector<LoadMismatch> mismatched;  // in both, of different shape
  std::vector<std::string> fresh;        // declared new by the caller and not in the file
  std::vector<std::string> ignored;      // tensors of the file left unread on purpose

  bool complete() const { return missing.empty() && unexpected.empty() && mismatched.empty(); }
  // "2 missing (a, b), 1 unexpected (c)": counts and the first three of each kind, or all.
  std::string problems(bool all = false) const;
  // "103 tensors loaded, 2 fresh (classifier.weight, classifier.bias), 2 of the file not used (...)".
  std::string summary(bool all = false) const;
};

// Loads by name and copies once, into the memory that the parameters have. Known variants of names match:
// with or without the prefix "bert.", LayerNorm.gamma and .beta, tied weights stored under either of their
// names; the integer embeddings.position_ids is known and not reported. Throws Error with problems() before
// anything is written.
LoadReport load_weights(Module& module, const WeightFiles& files, const LoadOptions& options = {});

// The same for tensors in memory; `source` names them in errors.
LoadReport load_weights(Module& module, const NamedTensors& tensors, const std::string& source,
                        const LoadOptions& options = {});

// Initial values for the named parameters of a module: those of init_bert, independent of their order.
void init_fresh(Module& module, const std::vector<std::string>& names, double std, std::uint64_t seed);

// All parameters under their names, sharing memory.
NamedTensors state_dict(const Module& module);

}  // namespace sesame
