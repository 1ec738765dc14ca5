// Fuzz targets: readers of files that others wrote, fed with arbitrary bytes. Every outcome but success and
// sesame::Error is a finding: another exception, a crash, a hang, memory out of proportion.
//
//   SESAME_FUZZ_TARGET(vocab_txt) { Tokenizer::load(folder_with({"vocab.txt"}, bytes)); }
//
// The same files make two programs: `fuzz` (fuzzer.cpp; libFuzzer, clang) and `replay` (replay.cpp; any
// compiler, part of every test run), which reads seeds/<target>/ again.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace sesame::fuzz {

struct Target {
  const char* name;
  void (*run)(std::string_view bytes);
};

std::vector<Target>& targets();

// Runs a target on one input; false where it is refused with an Error. Lets through what is not an Error, and
// throws for an Error whose text is not one line.
bool run(const Target& target, std::string_view bytes);

// A temporary file with these bytes; the next call writes over it.
std::string file_with(std::string_view bytes, const std::string& name = "input");

// A temporary folder with the named files and no others. `bytes` holds one after the other, with a line
// "<<next>>" between two; what is missing at the end is left out of the folder.
std::string folder_with(std::initializer_list<const char*> names, std::string_view bytes);

struct Registration {
  Registration(const char* name, void (*run)(std::string_view)) { targets().push_back({name, run}); }
};

}  // namespace sesame::fuzz

#define SESAME_FUZZ_TARGET(name)                                            \
  static void name(std::string_view bytes);                                 \
  static const sesame::fuzz::Registration registration_##name(#name, name); \
  static void name(std::string_view bytes)
