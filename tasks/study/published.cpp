#include "tasks/study/published.h"

namespace sesame {
namespace {

constexpr const char* kBert = "Devlin et al. 2019";
constexpr const char* kScripts = "README of transformers/examples/pytorch/text-classification";
constexpr const char* kSmall = "README of google-research/bert (smaller models)";
constexpr const char* kMiniLm = "README of microsoft/unilm/minilm";

constexpr PublishedScore kScores[] = {
    {"sst2", "BERT-base, cased", "92.3 accuracy", "dev", kScripts},
    {"sst2", "MiniLM-L12-H384", "93.0 accuracy", "dev", kMiniLm},
    {"sst2", "BERT-base", "93.5 accuracy", "test", kBert},
    {"sst2", "BERT-large", "94.9 accuracy", "test", kBert},
    {"sst2", "BERT-tiny (2 layers of 128)", "83.2 accuracy", "test", kSmall},
    {"sst2", "BERT-mini (4 layers of 256)", "85.9 accuracy", "test", kSmall},
    {"cola", "BERT-base, cased", "56.5 mcc", "dev", kScripts},
    {"cola", "MiniLM-L12-H384", "58.5 mcc", "dev", kMiniLm},
    {"cola", "BERT-base", "52.1 mcc", "test", kBert},
    {"cola", "BERT-large", "60.5 mcc", "test", kBert},
    {"cola", "BERT-tiny (2 layers of 128)", "0.0 mcc", "test", kSmall},
    {"mrpc", "BERT-base, cased", "84.1 accuracy, 88.9 f1", "dev", kScripts},
    {"mrpc", "BERT-base", "88.9 f1", "test", kBert},
    {"mrpc", "BERT-large", "89.3 f1", "test", kBert},
    {"mrpc", "BERT-tiny (2 layers of 128)", "71.1 accuracy, 81.1 f1", "test", kSmall},
    {"stsb", "BERT-base, cased", "88.6 pearson, 88.5 spearman", "dev", kScripts},
    {"stsb", "BERT-base", "85.8 spearman", "test", kBert},
    {"stsb", "BERT-large", "86.5 spearman", "test", kBert},
    {"qqp", "BERT-base, cased", "90.7 accuracy, 87.5 f1", "dev", kScripts},
    {"qqp", "BERT-base", "71.2 f1", "test", kBert},
    {"mnli", "BERT-base, cased", "83.9 accuracy (matched)", "dev", kScripts},
    {"mnli", "MiniLM-L12-H384", "85.7 accuracy (matched)", "dev", kMiniLm},
    {"mnli", "BERT-base", "84.6 accuracy (matched)", "test", kBert},
    {"mnli", "BERT-large", "86.7 accuracy (matched)", "test", kBert},
    {"qnli", "BERT-base, cased", "90.7 accuracy", "dev", kScripts},
    {"qnli", "BERT-base", "90.5 accuracy", "test", kBert},
    {"rte", "BERT-base, cased", "65.7 accuracy", "dev", kScripts},
    {"rte", "BERT-base", "66.4 accuracy", "test", kBert},
    {"rte", "BERT-large", "70.1 accuracy", "test", kBert},
    {"squad", "BERT-base", "80.8 exact match, 88.5 f1", "dev", kBert},
    {"squad", "BERT-large", "84.1 exact match, 90.9 f1", "dev", kBert},
    {"squad2", "BERT-large", "78.7 exact match, 81.9 f1", "dev", kBert},
    {"conll2003", "BERT-base", "96.4 entity f1", "dev", kBert},
    {"conll2003", "BERT-base", "92.4 entity f1", "test", kBert},
    {"conll2003", "BERT-large", "92.8 entity f1", "test", kBert},
};

}  // namespace

std::span<const PublishedScore> published_scores() { return kScores; }

}  // namespace sesame
