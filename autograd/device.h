// Where a tensor's memory lies. Code above the backend passes devices on and never asks which one it is;
// backend/dispatch.h alone does.
#pragma once

#include <cstdint>
#include <string>

namespace sesame {

struct Device {
  enum class Type : std::uint8_t { Cpu, Cuda };
  Type type = Type::Cpu;
  int index = 0;

  bool operator==(const Device&) const = default;

  // "cpu", "cuda:0".
  std::string name() const;
  // Reads "cpu", "cuda", "cuda:1"; throws Error on anything else.
  static Device parse(const std::string& text);
};

}  // namespace sesame
