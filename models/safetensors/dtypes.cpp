#include "models/safetensors/dtypes.h"

#include <bit>

namespace sesame {

namespace {

constexpr SafetensorsDType kTypes[] = {
    {"BOOL", 8, true, false, DType::UInt8},
    {"F4", 4, false, false, {}},
    {"F6_E2M3", 6, false, false, {}},
    {"F6_E3M2", 6, false, false, {}},
    {"U8", 8, true, false, DType::UInt8},
    {"I8", 8, false, false, {}},
    {"F8_E5M2", 8, false, false, {}},
    {"F8_E4M3", 8, false, false, {}},
    {"F8_E8M0", 8, false, false, {}},
    {"I16", 16, false, false, {}},
    {"U16", 16, false, false, {}},
    {"F16", 16, true, true, DType::Float32},
    {"BF16", 16, true, true, DType::Float32},
    {"I32", 32, true, false, DType::Int32},
    {"U32", 32, false, false, {}},
    {"F32", 32, true, false, DType::Float32},
    {"C64", 64, false, false, {}},
    {"F64", 64, true, false, DType::Float64},
    {"I64", 64, true, false, DType::Int64},
    {"U64", 64, false, false, {}},
};

}  // namespace

const SafetensorsDType* find_safetensors_dtype(std::string_view name) {
  for (const SafetensorsDType& type : kTypes) {
    if (name == type.name) return &type;
  }
  return nullptr;
}

const char* safetensors_dtype_name(DType dtype) {
  switch (dtype) {
    case DType::Float32:
      return "F32";
    case DType::Float64:
      return "F64";
    case DType::BFloat16:
      return "BF16";
    case DType::Int32:
      return "I32";
    case DType::Int64:
      return "I64";
    case DType::UInt8:
      return "U8";
  }
  return "?";
}

int safetensors_write_order(DType dtype) {
  switch (dtype) {
    case DType::Int64:
      return 0;
    case DType::Float64:
      return 1;
    case DType::Float32:
      return 2;
    case DType::Int32:
      return 3;
    case DType::BFloat16:
      return 4;
    case DType::UInt8:
      return 5;
  }
  return 6;
}

float half_to_float(std::uint16_t half) {
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000u) << 16;
  const std::uint32_t exponent = (half >> 10) & 0x1Fu, mantissa = half & 0x3FFu;
  if (exponent == 0) {  // zero and subnormals: mantissa * 2^-24
    const float value = static_cast<float>(mantissa) * 0x1p-24f;
    return sign != 0 ? -value : value;
  }
  const std::uint32_t wide = exponent == 31 ? 0xFFu : exponent + 112;
  return std::bit_cast<float>(sign | wide << 23 | mantissa << 13);
}

float bfloat16_to_float(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

}  // namespace sesame
