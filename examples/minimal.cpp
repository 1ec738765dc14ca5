// Two sentences through a pretrained BERT, and how alike they are: the cosine of their mean states.
#include <sesame/autograd/ops.h>
#include <sesame/models/pretrained.h>
#include <sesame/models/tokenizer/tokenizer.h>
using namespace sesame;

int main(int argc, char** argv) {
  const std::string directory = argc > 1 ? argv[1] : "build/models/minilm";
  const Tokenizer tokenizer = Tokenizer::load(directory);
  const LoadedBert bert = load_bert(directory);
  std::vector<TokenSequence> sentences;
  for (const char* text : {"A man is eating food.", "Someone is having a meal."}) {
    const Encoding tokens = tokenizer.encode(text);
    sentences.push_back({.ids = {tokens.ids.begin(), tokens.ids.end()}});
  }
  bert.model->eval();
  const PackedBatch batch = pack_batch(sentences, bert.config.max_position_embeddings);
  const Tensor mean = segment_mean(bert.model->forward(batch).last, batch.segments);  // [2, 384]
  const Tensor a = mean.slice(0, 0, 1), b = mean.slice(0, 1, 2);
  fmt::print("cosine {:.4f}\n", (sum(a * b) / sqrt(sum(a * a) * sum(b * b))).item());
}
