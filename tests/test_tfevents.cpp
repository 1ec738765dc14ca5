// TensorBoard events, byte by byte; and the progress line.
#include <doctest/doctest.h>

#include <cstring>
#include <filesystem>
#include <vector>

#include "tasks/logging/progress.h"
#include "tasks/logging/tfevents.h"
#include "tests/temporary.h"

using namespace sesame;
using sesame::testing::contains;
using sesame::testing::error_of;

namespace {

std::string hex(const std::string& bytes) {
  std::string text;
  for (const char c : bytes)
    text += fmt::format("{:02x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
  return text;
}

// The payloads of a file of records; checks lengths and both checksums by building each record again.
std::vector<std::string> payloads(const std::string& content) {
  std::vector<std::string> found;
  size_t at = 0;
  while (at < content.size()) {
    uint64_t length = 0;
    REQUIRE(content.size() - at >= 16);
    std::memcpy(&length, content.data() + at, 8);
    REQUIRE(content.size() - at >= 16 + length);
    found.push_back(content.substr(at + 12, length));
    CHECK(content.substr(at, 16 + length) == tfrecord(found.back()));
    at += 16 + length;
  }
  return found;
}

}  // namespace

TEST_CASE("CRC-32C gives the published values") {
  CHECK(crc32c("") == 0);
  CHECK(crc32c("123456789") == 0xE3069283U);            // Rocksoft check value
  CHECK(crc32c(std::string(32, '\0')) == 0x8A9136AAU);  // RFC 3720, B.4
  CHECK(crc32c(std::string(32, '\xFF')) == 0x62A8AB43U);
}

TEST_CASE("golden bytes, as TensorBoard's own writer makes them") {
  CHECK(hex(scalar_event(1.5, 300, "train/loss", 0.25f)) ==
        "09000000000000f83f10ac022a130a110a0a747261696e2f6c6f7373150000803e");
  CHECK(hex(scalar_event(1.5, 0, "a", 0.0f)) == "09000000000000f83f2a0a0a080a01611500000000");
  CHECK(hex(tfrecord(scalar_event(1.5, 300, "train/loss", 0.25f))) ==
        "2100000000000000017becf609000000000000f83f10ac022a130a110a0a747261696e2f6c6f7373150000803e6557981f");
}

TEST_CASE("a file: version, session start, scalars") {
  testing::TemporaryFolder folder;
  std::string path;
  {
    TensorBoardLog log(folder.path(), 7);
    path = log.path();
    log.scalar("train/loss", 0.25, 8);
    TensorBoardLog other(folder.path());
    CHECK(other.path() != path);
  }
  CHECK(contains(path, "/events.out.tfevents."));
  const auto events = payloads(testing::read_file(path));
  REQUIRE(events.size() == 3);
  CHECK(contains(events[0],
                 "\x1a\x0d"
                 "brain.Event:2"));
  CHECK(contains(events[1],
                 std::string("\x10\x07\x3a\x02\x08\x01", 6)));  // step 7, session_log { status: START }
  CHECK(contains(events[2], "train/loss"));
  CHECK(contains(error_of([&] { TensorBoardLog log(folder.path("none")); }),
                 "cannot be created: No such file"));
}

TEST_CASE("progress off a terminal: plain lines, the last state always") {
  testing::TemporaryFolder folder;
  const std::string path = folder.path("log");
  std::FILE* file = std::fopen(path.c_str(), "w");
  {
    Progress progress("train", 200, "steps", file);
    for (int i = 1; i <= 200; ++i) progress.update(i, "loss 0.5");
    progress.message("dev accuracy 0.9");
    progress.finish();
  }
  std::fclose(file);
  const std::string text = testing::read_file(path);
  CHECK(text.starts_with("dev accuracy 0.9\ntrain  200/200 (100%)  "));
  CHECK(text.ends_with("loss 0.5\n"));
  CHECK(!contains(text, "\r"));
  CHECK(format_duration(3723.4) == "1:02:03");
  CHECK(format_duration(245) == "4:05");
}
