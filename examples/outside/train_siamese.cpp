// Trains the head of this project with Sesame's own trainer: schedule, evaluation, checkpoints and resuming
// come with it. Arguments: a model directory, a folder with train.tsv and dev.tsv (text, text2, label: same /
// different), and a folder for the run.
#include <sesame/models/pretrained.h>
#include <sesame/tasks/train/trainer.h>

#include <cstdio>
#include <filesystem>

#include "siamese.h"

int main(int argc, char** argv) {
  using namespace sesame;
  if (argc != 4) {
    std::fprintf(stderr, "usage: train_siamese MODEL DATA OUT\n");
    return 2;
  }
  const std::string directory = argv[1], data = argv[2], out = argv[3];
  outside::SiameseModel model(read_bert_config(directory));
  // The trunk from the directory (its pooler is not needed); the head keeps the values it was made with.
  load_weights(model, WeightFiles(directory), {.fresh = {"head"}, .ignore = {"pooler"}});
  outside::SiameseTask task(model, Tokenizer::load(directory), read_examples(data + "/train.tsv", {}),
                            read_examples(data + "/dev.tsv", {}));
  model.eval();
  const double before = task.evaluate().at("accuracy");

  std::filesystem::create_directories(out);
  TrainerOptions options;
  options.out = out;
  options.epochs = 2;
  options.batch_size = 16;
  options.lr = 5e-5;
  const double after = train(task, options).dev.at("accuracy");
  std::printf("accuracy before training %.3f, after %.3f\n", before, after);
  return after > 0.6 ? 0 : 1;
}
