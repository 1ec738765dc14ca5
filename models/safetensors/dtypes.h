// Element types of the safetensors format.
#pragma once

#include <cstdint>
#include <string_view>

#include "autograd/dtype.h"

namespace sesame {

struct SafetensorsDType {
  const char* name;
  unsigned bits;  // of one element
  bool readable;
  bool converted;  // to float32 on reading
  DType dtype;     // of the tensor that is read; only where readable
};

// Null when the format has no such type.
const SafetensorsDType* find_safetensors_dtype(std::string_view name);
// Name of a type in files.
const char* safetensors_dtype_name(DType dtype);
// Place in the order of the writer: lower comes first. The reference sorts its list of types descending.
int safetensors_write_order(DType dtype);

// IEEE half and bfloat16 to float, exactly (subnormals, infinities and NaN included).
float half_to_float(std::uint16_t half);
float bfloat16_to_float(std::uint16_t bits);

}  // namespace sesame
