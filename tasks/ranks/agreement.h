// Before ranks work together: do they have the same options, data, vocabulary and weights?
#pragma once

#include <string>
#include <vector>

#include "autograd/comm/comm.h"
#include "models/tokenizer/tokenizer.h"
#include "nn/module.h"

namespace sesame {

// Something that must be equal on all ranks; `value` is the thing itself where it is short, else a hash.
struct Fact {
  std::string name, value;
};

// Throws Error on every rank, naming the first one that differs from rank 0 and all in which it does. Costs
// nothing with one rank, if the caller does not compute facts for it.
void check_agreement(Comm& comm, const std::vector<Fact>& facts);

// A JSON object of options as one fact each, "--lr".
std::vector<Fact> facts_of_options(const std::string& json);

// Hashes ("xxh64:..."), of what a file holds (a list of paths joined by ':' where no file has that name;
// empty where there is no regular file), of the tokens, of names, shapes and values.
std::string hash_of_file(const std::string& path);
std::string hash_of_tokens(const Tokenizer& tokenizer);
std::string hash_of_values(const std::vector<NamedParameter>& parameters);

}  // namespace sesame
