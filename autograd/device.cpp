#include "autograd/device.h"

#include <algorithm>

#include "autograd/check.h"

namespace sesame {

std::string Device::name() const {
  return type == Type::Cpu ? std::string("cpu") : fmt::format("cuda:{}", index);
}

Device Device::parse(const std::string& text) {
  if (text == "cpu") return {};
  if (text == "cuda") return {Type::Cuda, 0};
  if (text.starts_with("cuda:") && text.size() > 5 && text.size() <= 8 &&
      std::all_of(text.begin() + 5, text.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    return {Type::Cuda, std::stoi(text.substr(5))};
  }
  fail("device", "unknown device '{}': expected cpu, cuda or cuda:N", text);
}

}  // namespace sesame
