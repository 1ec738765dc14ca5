// Initial values, drawn from counters: a parameter's values depend on the seed and its name only, not on what
// was initialised before it.
#pragma once

#include <cstdint>
#include <string>

#include "autograd/tensor.h"

namespace sesame {

// Key for the parameter `name` under `seed`.
std::uint64_t init_key(std::uint64_t seed, const std::string& name);

void init_normal(Tensor parameter, double mean, double std, std::uint64_t key);
// Normal, drawn again outside of +-2 std.
void init_truncated_normal(Tensor parameter, double std, std::uint64_t key);
void init_uniform(Tensor parameter, double low, double high, std::uint64_t key);
// Uniform in +-sqrt(6 / (fan in + fan out)) (Glorot & Bengio 2010, eq. 16); parameter [out, in].
void init_xavier_uniform(Tensor parameter, std::uint64_t key);

class Module;
struct NamedParameter;
// BERT's own: weights of two axes normal(0, std); of those with one axis, scales ("weight" of LayerNorm,
// "gamma") one and all others (biases) zero.
void init_bert(const NamedParameter& parameter, double std, std::uint64_t seed);
void init_bert(Module& module, double std, std::uint64_t seed);

}  // namespace sesame
