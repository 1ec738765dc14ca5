// The safetensors reader and writer: round trips, the bytes of the reference implementation, and every rule
// of the format broken once.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>

#include "models/safetensors/dtypes.h"
#include "models/safetensors/safetensors.h"
#include "models/safetensors/weight_files.h"
#include "tests/temporary.h"

using namespace sesame;
using sesame::testing::contains;
using sesame::testing::error_of;
using sesame::testing::read_file;
using sesame::testing::TemporaryFolder;

namespace {

std::string bytes_of(std::uint64_t length) {
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes;
}

// A file with this header and `data` bytes of data.
std::string file_with(const std::string& header, std::size_t data) {
  return bytes_of(header.size()) + header + std::string(data, '\0');
}

std::string tensor_json(const std::string& name, const std::string& dtype, const std::string& shape,
                        const std::string& offsets) {
  return "\"" + name + R"(":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets +
         "}";
}

struct Broken {
  std::string rule;
  std::string content;
  std::string expected;  // part of the error
};

std::vector<Broken> broken_files() {
  const std::string good = tensor_json("a", "F32", "[2]", "[0,8]");
  const auto one = [](const std::string& dtype, const std::string& shape, const std::string& offsets) {
    return file_with("{" + tensor_json("a", dtype, shape, offsets) + "}", 8);
  };
  return {
      {"empty", "", "is 0 bytes long"},
      {"shorter than the length", "1234567", "is 7 bytes long"},
      {"length limit", bytes_of(100'000'001) + "{}", "exceeds the format's limit"},
      {"huge length", bytes_of(UINT64_MAX) + "{}", "exceeds the format's limit"},
      {"header beyond the end", bytes_of(50) + "{}", "reaches beyond the end"},
      {"no header", bytes_of(0), "must begin with {"},
      {"first byte", file_with(" {}", 0), "must begin with {"},
      {"byte order mark", file_with("\xEF\xBB\xBF{}", 0), "must begin with {"},
      {"no JSON", file_with("{\"a\":", 0), "is not valid UTF-8 JSON"},
      {"text behind", file_with("{} x", 0), "is not valid UTF-8 JSON"},
      {"invalid UTF-8", file_with("{\"__metadata__\":{\"a\":\"\xC3\x28\"}}", 0), "is not valid UTF-8 JSON"},
      {"overlong UTF-8", file_with("{\"__metadata__\":{\"\xC0\xAF\":\"\"}}", 0), "is not valid UTF-8 JSON"},
      {"NUL", file_with(std::string("{}\0", 3), 0), "is not valid UTF-8 JSON"},
      {"nesting", file_with("{\"a\":" + std::string(100'000, '[') + std::string(100'000, ']') + "}", 0),
       "nested deeper than 8 levels"},
      {"tensor twice", file_with("{" + good + "," + good + "}", 8), "key \"a\" appears twice"},
      {"dtype twice", file_with(R"({"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 8),
       "key \"dtype\" appears twice"},
      {"metadata twice", file_with(R"({"__metadata__":{"k":"1","k":"2"}})", 0), "key \"k\" appears twice"},
      {"metadata value", file_with(R"({"__metadata__":{"k":1}})", 0),
       "may hold strings only, \"k\" is number"},
      {"metadata kind", file_with(R"({"__metadata__":["k"]})", 0), "__metadata__ must be an object"},
      {"tensor kind", file_with(R"({"a":[1]})", 0), "must be described by an object"},
      {"missing key", file_with(R"({"a":{"dtype":"F32","shape":[0]}})", 0), "lacks \"data_offsets\""},
      {"extra key", file_with(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}})", 8),
       "has keys besides"},
      {"unknown dtype", one("F31", "[2]", "[0,8]"), "unknown dtype \"F31\""},
      {"dtype kind", file_with(R"({"a":{"dtype":1,"shape":[2],"data_offsets":[0,8]}})", 8),
       "dtype must be a string"},
      {"shape kind", one("F32", "2", "[0,8]"), "shape must be a list"},
      {"negative size", one("F32", "[-2]", "[0,8]"), "non-negative integers, found -2"},
      {"fractional size", one("F32", "[2.0]", "[0,8]"), "non-negative integers, found 2.0"},
      {"huge size", one("F32", "[18446744073709551615]", "[0,8]"), "is out of range"},
      {"size beyond 64 bits", one("F32", "[99999999999999999999]", "[0,8]"), "non-negative integers"},
      {"product overflows to 8", one("F32", "[4611686018427387905,4]", "[0,16]"), "overflows 64 bits"},
      {"product overflows behind a zero", one("F32", "[0,4294967296,4294967296,4294967296]", "[0,0]"),
       "overflows 64 bits"},
      {"offsets kind", one("F32", "[2]", "8"), "must be [begin, end]"},
      {"three offsets", one("F32", "[2]", "[0,8,8]"), "must be [begin, end]"},
      {"offsets reversed", one("F32", "[2]", "[8,0]"), "end before they begin"},
      {"bytes of the shape", one("F32", "[3]", "[0,8]"), "takes 12 bytes, data_offsets [0, 8] hold 8"},
      {"bits", one("F4", "[3]", "[0,2]"), "do not fill whole bytes"},
      {"hole at the start", one("F32", "[1]", "[4,8]"), "4 bytes before tensor \"a\""},
      {"hole between",
       file_with(
           "{" + tensor_json("a", "U8", "[2]", "[0,2]") + "," + tensor_json("b", "U8", "[2]", "[4,6]") + "}",
           6),
       "2 bytes before tensor \"b\""},
      {"overlap",
       file_with(
           "{" + tensor_json("a", "U8", "[4]", "[0,4]") + "," + tensor_json("b", "U8", "[4]", "[2,6]") + "}",
           6),
       "overlaps"},
      {"same range twice",
       file_with(
           "{" + tensor_json("a", "U8", "[4]", "[0,4]") + "," + tensor_json("b", "U8", "[4]", "[0,4]") + "}",
           4),
       "overlaps"},
      {"truncated data", file_with("{" + good + "}", 7), "ends at 8, the data at 7 bytes"},
      {"bytes behind", file_with("{" + good + "}", 9), "1 bytes behind the last tensor"},
      {"bytes without tensors", file_with("{}", 1), "1 bytes behind the last tensor"},
  };
}

}  // namespace

TEST_CASE("every broken rule is refused with the file and the rule") {
  const TemporaryFolder folder;
  for (const Broken& broken : broken_files()) {
    CAPTURE(broken.rule);
    const std::string path = folder.write("broken.safetensors", broken.content);
    const std::string error = error_of([&] { SafetensorsFile file(path); });
    CHECK_MESSAGE(contains(error, broken.expected), error);
    CHECK_MESSAGE(contains(error, "broken.safetensors"), error);
    CHECK(error.find('\n') == std::string::npos);
  }
  CHECK(contains(error_of([&] { SafetensorsFile file(folder.path("absent")); }), "cannot be opened"));
  CHECK(contains(error_of([&] { SafetensorsFile file(folder.path()); }), "is not a regular file"));
}

TEST_CASE("a file cut anywhere or with any header byte changed never crashes") {
  const TemporaryFolder folder;
  save_safetensors(folder.path("whole"), {{"a", Tensor::ones({3})}, {"b", Tensor::ones({2, 2})}});
  const std::string whole = read_file(folder.path("whole"));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::string path = folder.write("cut", whole.substr(0, size));
    CHECK(!error_of([&] { SafetensorsFile file(path); }).empty());
  }
  int accepted = 0;
  for (std::size_t at = 0; at < whole.size() - 28; ++at) {
    for (const char with : {'\0', '9', '"', '}', '\xFF'}) {
      std::string changed = whole;
      changed[at] = with;
      const std::string path = folder.write("changed", changed);
      const std::string error = error_of([&] {
        const SafetensorsFile file(path);
        for (const SafetensorsEntry& entry : file.entries()) file.tensor(entry.name);
      });
      accepted += error.empty() ? 1 : 0;
    }
  }
  CHECK(accepted < 60);  // changed names and metadata, and bytes replaced by themselves
}

TEST_CASE("round trip of all types, shapes and names") {
  const TemporaryFolder folder;
  const NamedTensors tensors = {
      {"z", Tensor::from(std::vector<float>{1, -2.5f, 3e-40f, INFINITY}, Shape{2, 2})},
      {"scalar", Tensor::from(std::vector<double>{0.1}, Shape{})},
      {"ids", Tensor::from(std::vector<std::int64_t>{-1, INT64_MAX, 0})},
      {"small", Tensor::from(std::vector<std::int32_t>{7, -7})},
      {"bytes", Tensor::from(std::vector<std::uint8_t>{1, 2, 255})},
      {"empty", Tensor::zeros({0, 5})},
      {"Grün \"quoted\"\n", Tensor::from(std::vector<float>{1, 2, 3, 4, 5, 6}, {2, 3}).transpose(0, 1)},
  };
  const std::string path = folder.path("all.safetensors");
  save_safetensors(path, tensors, {{"format", "pt"}, {"note", "ä"}});
  const SafetensorsFile file(path);
  CHECK(file.metadata() == SafetensorsMetadata{{"format", "pt"}, {"note", "ä"}});
  REQUIRE(file.entries().size() == tensors.size());
  for (const auto& [name, tensor] : tensors) {
    CAPTURE(name);
    const Tensor read = file.tensor(name);
    CHECK(read.shape() == tensor.shape());
    REQUIRE(read.dtype() == tensor.dtype());
    CHECK(read.to(DType::Float64).to_vector<double>() == tensor.to(DType::Float64).to_vector<double>());
  }
  CHECK(file.tensor("ids").to_vector<std::int64_t>() == std::vector<std::int64_t>{-1, INT64_MAX, 0});
  CHECK(contains(error_of([&] { file.tensor("absent"); }), "has no tensor \"absent\""));
}

TEST_CASE("bytes equal the reference implementation's") {
  // safetensors.numpy.save({"b": float32 [1, 2], "a": float32 [3], "i": int64 [7], "d": float64 4.0},
  //                        {"format": "pt"})
  const std::string header =
      R"({"__metadata__":{"format":"pt"},"i":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},)"
      R"("d":{"dtype":"F64","shape":[],"data_offsets":[8,16]},"a":{"dtype":"F32","shape":[1],"data_offsets":[16,20]},)"
      R"("b":{"dtype":"F32","shape":[2],"data_offsets":[20,28]}})";
  const TemporaryFolder folder;
  save_safetensors(folder.path("f"), {{"b", Tensor::from(std::vector<float>{1, 2})},
                                      {"a", Tensor::from(std::vector<float>{3})},
                                      {"i", Tensor::from(std::vector<std::int64_t>{7})},
                                      {"d", Tensor::from(std::vector<double>{4}, Shape{})}});
  const std::string bytes = read_file(folder.path("f"));
  const std::size_t padded = (header.size() + 7) / 8 * 8;
  CHECK(bytes.size() == 8 + padded + 28);
  CHECK(bytes.substr(0, 8) == bytes_of(padded));
  CHECK(bytes.substr(8, header.size()) == header);
  CHECK(bytes.substr(8 + header.size(), padded - header.size()) == std::string(padded - header.size(), ' '));
}

TEST_CASE("the writer refuses what the reader would") {
  const TemporaryFolder folder;
  const Tensor one = Tensor::ones({1});
  const auto save = [&](const NamedTensors& tensors) {
    return error_of([&] { save_safetensors(folder.path("f"), tensors); });
  };
  CHECK(contains(save({{"a", one}, {"a", one}}), "two tensors are named \"a\""));
  CHECK(contains(save({{"", one}}), "cannot name a tensor"));
  CHECK(contains(save({{"__metadata__", one}}), "cannot name a tensor"));
  CHECK(contains(save({{"\xFF", one}}), "cannot name a tensor"));
  CHECK(contains(save({{"a", Tensor()}}), "is undefined"));
  CHECK(!std::filesystem::exists(folder.path("f")));
  CHECK(folder.entries() == 0);
}

TEST_CASE("aligned tensors are views of the file, others are copied, and both outlive the reader") {
  const TemporaryFolder folder;
  const std::string values("\0\0\x80\x3f\0\0\0\x40", 8);  // 1, 2
  // Header lengths of 64 and 65: the data begin at an address that is aligned, or not.
  for (const std::size_t length : {80u, 81u}) {
    std::string header = "{" + tensor_json("a", "F32", "[2]", "[0,8]") + "}";
    header.append(length - header.size(), ' ');
    const std::string path = folder.write("f", bytes_of(length) + header + values);
    Tensor read = SafetensorsFile(path).tensor("a");
    std::filesystem::remove(path);
    CHECK(read.to_vector<float>() == std::vector<float>{1, 2});
    CHECK(reinterpret_cast<std::uintptr_t>(read.data<float>()) % 4 == 0);
    CHECK((read.storage()->owner != nullptr) == (length == 80));
    if (length == 80) CHECK(contains(error_of([&] { read.fill_(0); }), "read-only view of a mapped file"));
  }
}

TEST_CASE("half and bfloat16 become float32 exactly") {
  // numpy.float16 patterns: 1, -2, 65504 (largest), 2^-14, 2^-24 (smallest), largest subnormal, -0, inf, nan.
  const std::vector<std::pair<std::uint16_t, float>> halves = {
      {0x3C00, 1.0f},      {0xC000, -2.0f},           {0x7BFF, 65504.0f}, {0x0400, 6.103515625e-05f},
      {0x0001, 0x1p-24f},  {0x03FF, 1023 * 0x1p-24f}, {0x8000, -0.0f},    {0x7C00, INFINITY},
      {0xFC00, -INFINITY}, {0x3555, 0.333251953125f}};
  for (const auto& [bits, value] : halves) {
    CHECK(half_to_float(bits) == value);
    CHECK(std::signbit(half_to_float(bits)) == std::signbit(value));
  }
  CHECK(std::isnan(half_to_float(0x7E00)));
  CHECK(bfloat16_to_float(0x3F80) == 1.0f);
  CHECK(bfloat16_to_float(0xC049) == -3.140625f);
  CHECK(std::isnan(bfloat16_to_float(0x7FC0)));

  const TemporaryFolder folder;
  const std::string header =
      "{" + tensor_json("h", "F16", "[2]", "[0,4]") + "," + tensor_json("b", "BF16", "[1,2]", "[4,8]") + "," +
      tensor_json("x", "I16", "[2]", "[8,12]") + "," + tensor_json("m", "BOOL", "[3]", "[12,15]") + "}";
  const std::string path = folder.write(
      "f", bytes_of(header.size()) + header + std::string("\0\x3C\0\xC0\x80\x3F\x49\xC0\0\0\0\0\1\0\1", 15));
  const SafetensorsFile file(path);
  CHECK(file.tensor("h").to_vector<float>() == std::vector<float>{1, -2});
  CHECK(file.tensor("b").to_vector<float>() == std::vector<float>{1, -3.140625f});
  CHECK(file.tensor("b").shape() == Shape{1, 2});
  CHECK(file.tensor("m").to_vector<std::uint8_t>() == std::vector<std::uint8_t>{1, 0, 1});
  CHECK(contains(error_of([&] { file.tensor("x"); }), "tensor \"x\" is I16, which cannot be read"));
}

TEST_CASE("more axes than a tensor can have are refused on reading") {
  const TemporaryFolder folder;
  const std::string path =
      folder.write("f", file_with("{" + tensor_json("a", "F32", "[1,1,1,1,1,1,2]", "[0,8]") + "}", 8));
  const SafetensorsFile file(path);
  CHECK(contains(error_of([&] { file.tensor("a"); }), "has 7 axes, at most 6"));
}

TEST_CASE("sharded checkpoints") {
  const TemporaryFolder folder;
  save_safetensors(folder.path("s1.safetensors"), {{"a", Tensor::full({2}, 1)}});
  save_safetensors(folder.path("s2.safetensors"), {{"b", Tensor::full({2}, 2)}, {"c", Tensor::full({1}, 3)}});
  const auto open = [&](const std::string& map) {
    folder.write("model.safetensors.index.json",
                 R"({"metadata":{"total_size":20},"weight_map":)" + map + "}");
    return WeightFiles(folder.path());
  };
  const auto error = [&](const std::string& map) { return error_of([&] { open(map); }); };
  const WeightFiles files = open(R"({"a":"s1.safetensors","b":"s2.safetensors","c":"s2.safetensors"})");
  CHECK(files.names() == std::vector<std::string>{"a", "b", "c"});
  CHECK(files.tensor("b").to_vector<float>() == std::vector<float>{2, 2});
  CHECK(contains(error(R"({"a":"s1.safetensors","b":"s3.safetensors"})"),
                 "lists the shard \"s3.safetensors\""));
  CHECK(contains(error(R"({"a":"s1.safetensors","x":"s1.safetensors"})"),
                 "lists tensor \"x\" in \"s1.safetensors\""));
  CHECK(contains(error(R"({"b":"s2.safetensors"})"), "holds tensor \"c\""));
  for (const char* outside : {"../s1.safetensors", "/tmp/x", "..", "", "a/b"}) {
    CHECK(contains(error(fmt::format(R"({{"a":"{}"}})", outside)), "must be plain file names"));
  }
  CHECK(contains(error(R"({"a":1})"), "must be a string"));
  CHECK(contains(error("[]"), "weight_map"));
  CHECK(contains(error("{}"), "is empty"));
}

TEST_CASE("directories without safetensors") {
  const TemporaryFolder folder;
  CHECK(contains(error_of([&] { WeightFiles files(folder.path("absent")); }), "does not exist"));
  CHECK(contains(error_of([&] { WeightFiles files(folder.path()); }), "has no weights"));
  folder.write("pytorch_model.bin", "PK");
  const std::string error = error_of([&] { WeightFiles files(folder.path()); });
  CHECK(contains(error, "pytorch_model.bin, a pickle"));
  CHECK(contains(error, "safe_serialization=True"));
}
