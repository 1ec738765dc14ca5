// task.json of generate: what predict and evaluate need to know beside the model itself.
#pragma once

#include <cstdint>
#include <string>

#include "models/features.h"
#include "tasks/data/examples.h"

namespace sesame {

enum class Generator {
  Decoder,  // version 1: encoder, attention, decoder
  Self      // version 2: the encoder continues its own input
};
// "decoder", "self"; Error lists them.
Generator parse_generator(const std::string& name);
const char* generator_name(Generator generator);

struct GenerateTaskFile {
  Generator generator = Generator::Decoder;
  std::int64_t decoder_layers = 0;  // of version 1
  FeatureOptions features;
  bool own_vocabulary = false;  // the target's, in target_tokenizer/
  std::int64_t max_length = 128;
  std::int64_t max_target_length = 128;  // with the end token: predict writes one token less
  bool plain_special = false;
  ColumnSpec columns;
  std::size_t texts = 1;  // per input

  // Indented JSON.
  std::string to_json() const;
  // Throws Error naming the file and the key; also when `directory` holds no task.json (an unfinished run).
  static GenerateTaskFile read(const std::string& directory);
};

}  // namespace sesame
