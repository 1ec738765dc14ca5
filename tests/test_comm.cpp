// Ranks in threads of one process: the null twin, sums of gradients in buckets, shares of batches, agreement,
// resuming on another number of ranks. MPI itself is tested from outside by cli/ranks.sh.
#include <doctest/doctest.h>

#include <barrier>
#include <cstring>
#include <mutex>
#include <thread>

#include "autograd/check.h"
#include "autograd/comm/gradient_sum.h"
#include "autograd/engine.h"
#include "autograd/ops.h"
#include "tasks/ranks/agreement.h"
#include "tasks/ranks/batch_share.h"
#include "tasks/train/checkpoint.h"
#include "tasks/train/shared_state.h"
#include "temporary.h"

using namespace sesame;
using sesame::testing::contains;
using sesame::testing::error_of;

namespace {

// What the ranks of one test share.
struct Meeting {
  explicit Meeting(int ranks) : size(ranks), everybody(ranks) {}
  int size;
  std::barrier<> everybody;
  std::mutex mutex;
  std::vector<std::string> given{std::vector<std::string>(static_cast<std::size_t>(size))};
  std::vector<std::size_t> sums;  // how many numbers each sum of rank 0 had
};

class ThreadComm : public Comm {
 public:
  ThreadComm(Meeting& meeting, int rank) : meeting_(meeting), rank_(rank) {}
  int rank() const override { return rank_; }
  int size() const override { return meeting_.size; }
  Started start_sum(std::span<float> values) override { return start(values); }
  Started start_sum(std::span<double> values) override { return start(values); }
  void wait(Started& sum) override { sum.id = -1; }
  using Comm::broadcast;
  void broadcast(std::span<std::byte> bytes, int root) override {
    const auto all = gather({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    std::memcpy(bytes.data(), all[static_cast<std::size_t>(root)].data(), bytes.size());
  }
  std::vector<std::string> gather(std::string_view own) override {
    meeting_.given[static_cast<std::size_t>(rank_)] = own;
    meeting_.everybody.arrive_and_wait();
    std::vector<std::string> all = meeting_.given;
    meeting_.everybody.arrive_and_wait();
    return all;
  }
  void barrier() override { meeting_.everybody.arrive_and_wait(); }
  [[noreturn]] void abort(const std::string& line, int) override { throw Error(line); }
  std::string description() const override { return "threads"; }

 private:
  template <class Number>
  Started start(std::span<Number> values) {
    if (rank_ == 0) meeting_.sums.push_back(values.size());
    const auto all = gather({reinterpret_cast<const char*>(values.data()), values.size_bytes()});
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = 0;
      for (const std::string& one : all) {
        Number number;
        std::memcpy(&number, one.data() + i * sizeof(Number), sizeof number);
        values[i] += number;
      }
    }
    return {1};
  }

  Meeting& meeting_;
  int rank_;
};

// Runs `body` once for each rank, at the same time.
template <class Body>
void on_ranks(Meeting& meeting, const Body& body) {
  std::vector<std::thread> threads;
  for (int rank = 0; rank < meeting.size; ++rank) {
    threads.emplace_back([&, rank] {
      ThreadComm comm(meeting, rank);
      body(comm);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

Tensor parameter(const std::vector<double>& values) {
  Tensor tensor = Tensor::from(values);
  tensor.set_requires_grad(true);
  return tensor;
}

}  // namespace

TEST_CASE("the null twin is rank 0 of 1 and changes nothing") {
  const auto comm = make_null_comm();
  CHECK(comm->rank() == 0);
  CHECK(comm->size() == 1);
  CHECK(comm->leads());
  CHECK(comm->sum(2.5) == 2.5);
  std::string text = "as it is";
  comm->broadcast(text);
  CHECK(text == "as it is");
  CHECK(comm->gather("own") == std::vector<std::string>{"own"});
  comm->barrier();
  CHECK(world().size() == 1);
  std::byte none[1];
  CHECK(contains(error_of([&] { comm->broadcast(none, 1); }), "the root is 1"));
}

TEST_CASE("backward says when the gradient of a leaf is complete, once for each") {
  const Tensor a = parameter({1, 2}), b = parameter({3, 4});
  std::vector<const void*> done;
  const Tensor used_twice = mul(a, b) + a;
  backward(sum(used_twice), {.leaf_done = [&](const Tensor& leaf) {
             done.push_back(leaf.id());
             CHECK(leaf.grad().to_vector<double>() ==
                   (leaf.id() == a.id() ? std::vector<double>{4, 5} : std::vector<double>{1, 2}));
           }});
  CHECK(done.size() == 2);
  CHECK(done[0] != done[1]);
}

// Three leaves, of which the last is used by no rank and the second by rank 1 alone; buckets of 1 byte (each
// leaf in place), of two leaves, of all.
TEST_CASE("gradients of all ranks add up, whatever the buckets, and what nobody used has none") {
  for (const auto& [bucket_bytes, by_device_sum] :
       {std::pair<std::int64_t, bool>{1, false}, {32, false}, {1 << 20, false}, {1, true}, {32, true}}) {
    CAPTURE(bucket_bytes);
    CAPTURE(by_device_sum);
    Meeting meeting(3);
    std::mutex checking;
    on_ranks(meeting, [&](Comm& comm) {
      const Tensor a = parameter({1, 2}), b = parameter({3, 4}), unused = parameter({5, 6});
      const std::unique_ptr<DeviceSum> devices = by_device_sum ? make_host_sum(comm) : nullptr;
      GradientSum gradients(comm, {a, b, unused}, bucket_bytes, devices.get());
      for (int step = 0; step < 3; ++step) {
        const BackwardOptions pass{.leaf_done = [&](const Tensor& leaf) { gradients.ready(leaf); }};
        const double own = comm.rank() + 1;
        if (comm.rank() == 1) backward(sum(mul(a, b)), pass);
        if (comm.rank() == 0)
          backward(sum(mul(a, Tensor::from(std::vector<double>{10, 20}))), pass);  // 2 has nothing
        double numbers[] = {own, 1};
        gradients.finish(numbers);
        const std::lock_guard guard(checking);
        CHECK(numbers[0] == 6);
        CHECK(numbers[1] == 3);
        CHECK(a.grad().to_vector<double>() == std::vector<double>{13, 24});
        CHECK(b.grad().to_vector<double>() == std::vector<double>{1, 2});
        CHECK_FALSE(unused.grad().defined());
        for (Tensor leaf : {a, b, unused}) leaf.zero_grad();
      }
    });
    // In each step the buckets and the tail of two numbers and three marks.
    const std::size_t buckets = bucket_bytes == 1 ? 3 : bucket_bytes == 32 ? 2 : 1;
    CHECK(meeting.sums.size() == 3 * (buckets + 1));
  }
}

TEST_CASE("batches are dealt to the ranks and come back in order") {
  for (const int ranks : {1, 2, 3}) {
    Meeting meeting(ranks);
    std::mutex checking;
    on_ranks(meeting, [&](Comm& comm) {
      BatchShare share(comm);
      int computed = 0;
      for (int batch = 0; batch < 5; ++batch) {
        if (!share.takes_next()) continue;
        ++computed;
        share.give(std::vector<double>(static_cast<std::size_t>(batch), batch + 0.5));
      }
      const auto all = share.all();
      const std::lock_guard guard(checking);
      CHECK(computed == (5 - comm.rank() + ranks - 1) / ranks);
      REQUIRE(all.size() == 5);
      for (std::size_t i = 0; i < 5; ++i)
        CHECK(all[i] == std::vector<double>(i, static_cast<double>(i) + 0.5));
    });
  }
}

TEST_CASE("a rank that differs is named with what differs, on all ranks") {
  Meeting meeting(3);
  std::mutex checking;
  on_ranks(meeting, [&](Comm& comm) {
    check_agreement(comm, {{"--lr", "1"}});
    const std::string error = error_of([&] {
      check_agreement(comm, {{"--lr", comm.rank() == 2 ? "0.1" : "0.2"}, {"--seed", "7"}});
    });
    const std::lock_guard guard(checking);
    CHECK(contains(error, "rank 2 differs from rank 0: --lr is 0.1 there, 0.2 on rank 0; start"));
  });
}

TEST_CASE("every parameter is measured by one rank") {
  std::vector<NamedParameter> parameters;
  for (const std::size_t size : {1, 100, 3, 50, 50, 1}) {
    parameters.push_back({"p" + std::to_string(parameters.size()), parameter(std::vector<double>(size, 1))});
  }
  for (const int ranks : {1, 2, 5}) {
    Meeting meeting(ranks);
    std::size_t count = 0;
    for (int rank = 0; rank < ranks; ++rank) count += share_of(parameters, ThreadComm(meeting, rank)).size();
    CHECK(count == parameters.size());
  }
}

TEST_CASE("a run may go on with other ranks, batches and parts as long as its updates stay the same") {
  const auto options = [](int batch, int accumulate, int ranks, int tokens) {
    return fmt::format(R"({{"lr":1,"batch-size":{},"accumulate":{},"ranks":{},"batch-tokens":{}}})", batch,
                       accumulate, ranks, tokens);
  };
  CHECK(changed_options(options(16, 1, 2, 0), options(32, 1, 1, 0)).empty());
  CHECK(changed_options(options(16, 1, 2, 0), options(8, 2, 2, 0)).empty());
  CHECK(changed_options(options(16, 1, 2, 0), options(16, 1, 1, 0)) == "--ranks was 2, is 1");
  CHECK(changed_options(options(16, 1, 2, 90), options(16, 2, 1, 90)).empty());
  CHECK(changed_options(options(16, 1, 2, 90), options(16, 2, 1, 80)) == "--batch-tokens was 90, is 80");
  CHECK(changed_options(options(16, 1, 2, 90), options(32, 1, 1, 90)) ==
        "--batch-size was 16, is 32, --ranks was 2, is 1");
}
