#include "tasks/logging/tfevents.h"

#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "autograd/check.h"

namespace sesame {

namespace {

// CRC-32C (Castagnoli), reflected polynomial.
constexpr std::array<uint32_t, 256> make_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) ? 0x82F63B78U : 0U);
    table[i] = value;
  }
  return table;
}

// TFRecord stores checksums rotated and shifted, so that a checksum of checksums does not go wrong.
uint32_t masked_crc(std::string_view data) {
  const uint32_t crc = crc32c(data);
  return std::rotr(crc, 15) + 0xA282EAD8U;
}

// Fixed-size little-endian, as TFRecord and protobuf have it.
template <class T>
void append_fixed(std::string& out, T value) {
  static_assert(std::endian::native == std::endian::little);
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  out.append(bytes, sizeof(T));
}

void append_varint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

// Protobuf: a key is (field << 3 | wire type).
enum Wire { kVarint = 0, kDouble = 1, kBytes = 2, kFloat = 5 };
void append_key(std::string& out, int field, Wire wire) {
  append_varint(out, static_cast<uint64_t>(field << 3 | wire));
}

void append_bytes(std::string& out, int field, std::string_view bytes) {
  append_key(out, field, kBytes);
  append_varint(out, bytes.size());
  out += bytes;
}

// Event { double wall_time = 1; int64 step = 2; ... }
std::string event_head(double wall_time, int64_t step) {
  std::string event;
  append_key(event, 1, kDouble);
  append_fixed(event, wall_time);
  if (step != 0) {
    append_key(event, 2, kVarint);
    append_varint(event, static_cast<uint64_t>(step));
  }
  return event;
}

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

uint32_t crc32c(std::string_view data) {
  static constexpr std::array<uint32_t, 256> kTable = make_table();
  uint32_t crc = 0xFFFFFFFFU;
  for (const char c : data) crc = (crc >> 8) ^ kTable[(crc ^ static_cast<unsigned char>(c)) & 0xFF];
  return ~crc;
}

std::string tfrecord(std::string_view payload) {
  std::string record;
  append_fixed<uint64_t>(record, payload.size());
  append_fixed(record, masked_crc(record));
  record += payload;
  append_fixed(record, masked_crc(payload));
  return record;
}

// Event.summary = 5 { value = 1 { tag = 1, simple_value = 2 } }
std::string scalar_event(double wall_time, int64_t step, const std::string& tag, float value) {
  std::string entry, summary;
  append_bytes(entry, 1, tag);
  append_key(entry, 2, kFloat);
  append_fixed(entry, value);
  append_bytes(summary, 1, entry);
  std::string event = event_head(wall_time, step);
  append_bytes(event, 5, summary);
  return event;
}

TensorBoardLog::TensorBoardLog(const std::string& folder, int64_t first_step) {
  char host[256] = "localhost";
  ::gethostname(host, sizeof(host) - 1);
  const double start = now();
  const std::string stem =
      fmt::format("{}/events.out.tfevents.{:010d}.{}", folder, static_cast<int64_t>(start), host);
  path_ = stem;
  // "x": never into the file of a run that began in the same second.
  for (int i = 1; (file_ = std::fopen(path_.c_str(), "wbx")) == nullptr; ++i) {
    SESAME_CHECK(errno == EEXIST && i < 1000, path_, "cannot be created: {}", std::strerror(errno));
    path_ = fmt::format("{}.{}", stem, i);
  }
  std::string version = event_head(start, 0);
  append_bytes(version, 3, "brain.Event:2");
  put(version);
  if (first_step > 0) {
    std::string session;  // SessionLog { status = 1: START = 1 }
    append_key(session, 1, kVarint);
    append_varint(session, 1);
    std::string event = event_head(start, first_step);
    append_bytes(event, 7, session);
    put(event);
  }
  flush();
}

TensorBoardLog::~TensorBoardLog() {
  if (file_ != nullptr) std::fclose(file_);
}

void TensorBoardLog::scalar(const std::string& tag, double value, int64_t step) {
  put(scalar_event(now(), step, tag, static_cast<float>(value)));
}

void TensorBoardLog::flush() {
  SESAME_CHECK(std::fflush(file_) == 0, path_, "writing failed: {}", std::strerror(errno));
}

void TensorBoardLog::put(const std::string& event) {
  const std::string record = tfrecord(event);
  errno = 0;
  const size_t written = std::fwrite(record.data(), 1, record.size(), file_);
  SESAME_CHECK(written == record.size(), path_, "writing failed: {}", std::strerror(errno));
}

}  // namespace sesame
