// The identity of a trunk, for adapters that are worth nothing on another one.
#pragma once

#include <string>
#include <vector>

#include "models/bert/bert.h"

namespace sesame {

// "xxh64:" and 16 hexadecimal digits over what the trunk computes with: heads, activation and epsilon of its
// configuration, then its tensors in the order of their names, each as name, shape and float32 values.
// Adapters, their LayerNorms and LoRA do not count, nor do parameters whose names begin with one of `without`
// ("pooler." where the base has none). Meant for the weights as they were loaded: bfloat16 copies give
// another hash.
std::string base_hash(const Bert& bert, const std::vector<std::string>& without = {});

// Throws Error at `where` naming both hashes unless the trunk has the one that was stored.
void check_base(const Bert& bert, const std::string& stored, const std::string& where,
                const std::vector<std::string>& without = {});

}  // namespace sesame
