#include "tasks/classify/classify_model.h"

namespace sesame {

ClassifyModel::ClassifyModel(const BertConfig& config, const ClassifyHeadOptions& head_options,
                             bool with_pooler)
    : bert(config, with_pooler), head(head_options) {
  register_module("bert", bert);
  if (head.is_standard()) {
    register_module("dropout", head.dropout);
    register_module("classifier", *head.linear);
  } else {
    register_module("head", head);
  }
}

Tensor ClassifyModel::forward(const PackedBatch& batch) const {
  return head.forward(bert.forward(batch, {.pooled = head.needs_pooler()}), batch.segments);
}

TokenSequence tokenize_input(const Tokenizer& tokenizer, const std::vector<std::string>& texts,
                             const EncodeOptions& options, std::int64_t example) {
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  std::vector<std::int32_t> ids, type_ids;
  tokenizer.encode_ids(views, options, ids, type_ids);
  return {{ids.begin(), ids.end()}, {type_ids.begin(), type_ids.end()}, example};
}

}  // namespace sesame
