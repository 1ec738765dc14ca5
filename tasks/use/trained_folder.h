// Folders of finished runs, opened for use: of an ordinary model, or of an adapter, whose base lies elsewhere
// and is loaded once however many adapters stand on it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "models/adapters/hub.h"
#include "models/tokenizer/tokenizer.h"
#include "models/trunk_model.h"
#include "tasks/use/predictor.h"

namespace sesame {

struct TrainedFolder {
  std::string directory;
  std::string model;  // where configuration and tokenizer lie: the folder, or the base of its adapter
  BertConfig config;
  std::shared_ptr<Bert> trunk;                // a model is made on it, and then loaded
  std::optional<AdapterFolder> adapter = {};  // on the trunk as `adapter_name`
  std::string adapter_name = {};
  Device device = {};
  bool verbose = false;

  Tokenizer tokenizer() const { return Tokenizer::load(model); }
  // Weights into a model made on `trunk`, in evaluation mode on the device. Throws Error when they do not
  // fit.
  void load(TrunkModel& into) const;
};

class TrainedFolders {
 public:
  // The models, the device, `base` and `verbose` of the options. Throws Error for a base where no model is an
  // adapter.
  explicit TrainedFolders(const UseOptions& options);

  // `pooler`: whether models of this task read it where it is stored. Throws Error for an adapter whose base
  // is not there or is another, naming both hashes.
  TrainedFolder open(const std::string& directory, bool pooler = true);
  Device device() const { return options_.device; }
  std::size_t bases() const { return bases_.size(); }  // loaded so far

 private:
  std::shared_ptr<Bert> base(const std::string& directory);

  UseOptions options_;
  std::map<std::string, std::shared_ptr<Bert>> bases_;
  int adapters_ = 0;
};

}  // namespace sesame
