// Failures that the machine causes: memory that runs out at any allocation, and files that shrink while they
// are read.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <new>

#include "autograd/allocator.h"
#include "autograd/ops/loss.h"
#include "models/io/mapped_file.h"
#include "models/tokenizer/tokenizer.h"
#include "tasks/data/examples.h"
#include "tasks/tag/word_reader.h"
#include "tests/golden_model.h"
#include "tests/temporary.h"

namespace {

std::atomic<long> allocations_left = -1;  // before operator new fails once; negative: it does not
std::atomic<long> living = 0;             // allocations that were not freed

}  // namespace

void* operator new(std::size_t bytes) {
  if (allocations_left >= 0 && allocations_left-- == 0) throw std::bad_alloc();
  void* memory = std::malloc(bytes);
  if (memory == nullptr) throw std::bad_alloc();
  ++living;
  return memory;
}
// The library's own calls this one through the first; AddressSanitizer's does not, and would miss the pair of delete.
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  try {
    return operator new(bytes);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
void operator delete(void* memory) noexcept {
  if (memory != nullptr) --living;
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept { operator delete(memory); }

using namespace sesame;
using namespace sesame::testing;

namespace {

// Runs `action` again and again; each time the next allocation of it fails, until one run needs no more.
// Whatever happens, it must end with std::bad_alloc or Error, and everything that it took must be given back.
// `afterwards` drops what the action leaves on purpose.
template <class Action>
long fail_each_allocation(const Action& action, const std::function<void()>& afterwards = {}) {
  action();  // what is made once and kept: thread pools, tables, static values
  action();
  long failures = 0, leaks = 0;
  for (bool failed = true; failed; ++failures) {
    const long before = living;
    const std::size_t device_before = allocator_stats().bytes_in_use;
    failed = false;
    allocations_left = failures;
    try {
      action();
    } catch (const std::bad_alloc&) {
      failed = true;
    } catch (const Error&) {
      failed = true;
    }
    failed |= allocations_left < 0;  // somebody caught it and went on
    allocations_left = -1;
    if (afterwards) afterwards();
    REQUIRE(allocator_stats().bytes_in_use == device_before);
    leaks += living > before + 4 ? 1 : 0;  // the cache of blocks may grow
  }
  CHECK(leaks <= 2);
  return failures;
}

}  // namespace

TEST_CASE("a training step survives the failure of any allocation, and the next step is as it should be") {
  GoldenClassifier model(read_bert_config(tiny_bert_directory()), 3);
  load_weights(model, WeightFiles(tiny_bert_directory()));
  const PackedBatch batch = pack_batch(
      {{.ids = {2, 7, 9, 3}, .type_ids = {}, .example = 0}, {.ids = {2, 8, 3}, .type_ids = {}, .example = 1}},
      40);
  const Tensor labels = Tensor::from(std::vector<std::int64_t>{1, 2});
  std::vector<NamedParameter> parameters = model.parameters();
  const auto drop_gradients = [&] {
    for (NamedParameter& p : parameters) p.tensor.zero_grad();
  };
  const auto step = [&] {
    const Tensor loss = cross_entropy(model.logits(batch), labels);
    loss.backward();
    return loss.item();
  };
  const double loss = step();
  const std::vector<double> gradient = doubles(model.parameter("classifier.weight").grad());
  drop_gradients();
  CHECK(fail_each_allocation([&] { step(), drop_gradients(); }, drop_gradients) > 100);
  CHECK(step() == loss);
  CHECK(doubles(model.parameter("classifier.weight").grad()) == gradient);
}

// Those that read JSON are left out: the library's destructor allocates, and where that fails the process
// ends.
TEST_CASE("readers survive the failure of any allocation") {
  const TemporaryFolder folder;
  const std::string table = folder.write("t.csv", "text,label\n\"a \"\"b\"\"\",yes\nc,no\n");
  const std::string words = folder.write("t.conll", "the O\ngood B-X\n\nis O\n");
  folder.write("vocab.txt", read_file(tiny_bert_directory() + "/vocab.txt"));
  CHECK(fail_each_allocation([&] { read_examples(table, {}); }) > 20);
  CHECK(fail_each_allocation([&] { read_words(words, {}); }) > 20);
  CHECK(fail_each_allocation([&] { Tokenizer::load(folder.path()).encode("the good"); }) > 100);
}

TEST_CASE("a mapped file that is cut short ends the process with its name and exit code 2") {
  const TemporaryFolder folder;
  const std::string path = folder.write("large", std::string(1 << 16, 'x'));
  int pipe_ends[2];
  REQUIRE(::pipe(pipe_ends) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::dup2(pipe_ends[1], STDERR_FILENO);
    const MappedFile file(path);
    if (::truncate(path.c_str(), 1) != 0) ::_exit(3);
    volatile unsigned char sum = 0;
    for (std::size_t i = 0; i < file.size(); i += 512) sum = sum + file.data()[i];
    ::_exit(0);
  }
  ::close(pipe_ends[1]);
  std::string said;
  char buffer[4096];
  for (ssize_t got; (got = ::read(pipe_ends[0], buffer, sizeof buffer)) > 0;) said.append(buffer, got);
  ::close(pipe_ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 2);
  CHECK_MESSAGE(
      said == "[" + path + "] was cut short or lost while it was read: it must not change during a run\n",
      said);
}
