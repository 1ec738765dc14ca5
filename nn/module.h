// Module: a named tree of parameters. A layer is a struct with Tensor and Module members that it registers in
// its constructor under the names they have in Hugging Face checkpoints:
//
//   class Linear : public Module {
//     Linear(std::int64_t in, std::int64_t out) {
//       weight = Tensor::empty({out, in});
//       register_parameter("weight", weight);
//     }
//     Tensor weight;
//   };
//
// Modules stay where they are (no copy, no move): registration keeps pointers to the members.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "autograd/tensor.h"

namespace sesame {

struct NamedParameter {
  std::string name;  // dotted path from the module asked
  Tensor tensor;
};

class Module {
 public:
  Module() = default;
  virtual ~Module() = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  // All parameters of the tree in the order of registration. A tensor registered twice (tied weights) is
  // listed under its first name only.
  std::vector<NamedParameter> parameters() const;
  // The parameter of that dotted name; throws Error naming the closest ones when there is none.
  Tensor parameter(const std::string& name) const;
  // Number of elements, of all parameters or of those that require a gradient.
  std::int64_t parameter_count(bool trainable_only = false) const;

  // Training mode switches dropout on, and nothing else.
  void train(bool on = true);
  void eval() { train(false); }
  bool training() const { return training_; }
  // Switches gradients of all parameters in the tree.
  void set_requires_grad(bool on);
  void zero_grad();
  // Moves or converts all parameters. Parameters that lie in one storage do so afterwards as well.
  void to(TensorOptions options);

  // Dotted path from the root of the tree; changes when the module is registered in a parent.
  std::string path() const;
  // Hash of path(): the stable part of the key of random draws.
  std::uint64_t path_hash() const;
  // Indented listing of the tree with shapes.
  std::string describe() const;

 protected:
  // Names must be non-empty, without dots and new in this module (throws Error otherwise). The parameter
  // requires a gradient from here on.
  void register_parameter(const std::string& name, Tensor& member);
  void register_module(const std::string& name, Module& child);
  // Takes a submodule out of the tree; throws Error when there is none of that name.
  void unregister_module(const std::string& name);

 private:
  void check_name(const std::string& name) const;
  template <class Visit>
  void visit(const std::string& prefix, const Visit& visit_parameter) const;
  void describe_into(std::string& text, int depth) const;

  std::vector<std::pair<std::string, Tensor*>> own_parameters_;
  std::vector<std::pair<std::string, Module*>> children_;
  Module* parent_ = nullptr;
  std::string name_;
  bool training_ = true;
};

// A list of modules of one type, registered under "0", "1", ...
template <class T>
class ModuleList : public Module {
 public:
  template <class... Args>
  T& emplace_back(Args&&... args) {
    items_.push_back(std::make_unique<T>(std::forward<Args>(args)...));
    register_module(std::to_string(items_.size() - 1), *items_.back());
    return *items_.back();
  }
  std::size_t size() const { return items_.size(); }
  T& operator[](std::size_t i) { return *items_.at(i); }
  const T& operator[](std::size_t i) const { return *items_.at(i); }
  auto begin() { return items_.begin(); }
  auto end() { return items_.end(); }

 private:
  std::vector<std::unique_ptr<T>> items_;
};

// Lays parameters of equal width one behind the other in one storage, keeping values and gradient flags, so
// that one GEMM can serve them (linear_joined). Call it before anything else shares their memory.
void join_storage(const std::vector<Tensor*>& parameters);

}  // namespace sesame
