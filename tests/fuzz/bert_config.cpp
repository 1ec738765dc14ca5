#include <stdexcept>

#include "autograd/check.h"
#include "models/bert/config.h"
#include "tests/fuzz/target.h"

using namespace sesame;

// What was accepted is written and read again, to the same text.
SESAME_FUZZ_TARGET(bert_config) {
  const std::string written = BertConfig::from_json(std::string(bytes), "config.json").to_json();
  try {
    if (BertConfig::from_json(written, "written").to_json() == written) return;
  } catch (const Error& error) {
    throw std::logic_error(std::string("a written config.json is refused: ") + error.what());
  }
  throw std::logic_error("a config.json changes when it is written again");
}
