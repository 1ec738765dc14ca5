#include "nn/module.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "autograd/check.h"
#include "autograd/random.h"

namespace sesame {
namespace {

std::string join_names(const std::string& prefix, const std::string& name) {
  return prefix.empty() ? name : prefix + "." + name;
}

}  // namespace

void Module::check_name(const std::string& name) const {
  SESAME_CHECK(!name.empty(), "module", "the name of a parameter or submodule must not be empty");
  SESAME_CHECK(name.find('.') == std::string::npos, "module", "the name '{}' must not contain a dot", name);
  const auto same = [&](const auto& entry) { return entry.first == name; };
  SESAME_CHECK(std::none_of(own_parameters_.begin(), own_parameters_.end(), same) &&
                   std::none_of(children_.begin(), children_.end(), same),
               "module", "the name '{}' is registered already in '{}'", name, path());
}

void Module::register_parameter(const std::string& name, Tensor& member) {
  check_name(name);
  SESAME_CHECK(member.defined(), "module", "parameter '{}' must have a value when it is registered", name);
  member.set_requires_grad(true);
  own_parameters_.emplace_back(name, &member);
}

void Module::register_module(const std::string& name, Module& child) {
  check_name(name);
  SESAME_CHECK(child.parent_ == nullptr, "module", "submodule '{}' belongs to another module already", name);
  child.parent_ = this;
  child.name_ = name;
  children_.emplace_back(name, &child);
}

void Module::unregister_module(const std::string& name) {
  const auto found = std::find_if(children_.begin(), children_.end(),
                                  [&](const auto& entry) { return entry.first == name; });
  SESAME_CHECK(found != children_.end(), "module", "there is no submodule '{}' in '{}'", name, path());
  found->second->parent_ = nullptr;
  found->second->name_.clear();
  children_.erase(found);
}

template <class Visit>
void Module::visit(const std::string& prefix, const Visit& visit_parameter) const {
  for (const auto& [name, tensor] : own_parameters_) visit_parameter(join_names(prefix, name), *tensor);
  for (const auto& [name, child] : children_) child->visit(join_names(prefix, name), visit_parameter);
}

std::vector<NamedParameter> Module::parameters() const {
  std::vector<NamedParameter> list;
  std::unordered_set<const void*> seen;
  visit("", [&](const std::string& name, Tensor& tensor) {
    if (seen.insert(tensor.id()).second) list.push_back({name, tensor});
  });
  return list;
}

Tensor Module::parameter(const std::string& name) const {
  Tensor found;
  std::string some;
  visit("", [&](const std::string& candidate, Tensor& tensor) {
    if (candidate == name) found = tensor;
    const std::string last = name.substr(name.rfind('.') + 1);
    if (some.size() < 200 && candidate.ends_with(last)) some += (some.empty() ? "" : ", ") + candidate;
  });
  SESAME_CHECK(found.defined(), "module", "there is no parameter '{}'; near it: {}", name,
               some.empty() ? "nothing" : some);
  return found;
}

std::int64_t Module::parameter_count(bool trainable_only) const {
  std::int64_t count = 0;
  for (const NamedParameter& p : parameters()) {
    if (!trainable_only || p.tensor.requires_grad()) count += p.tensor.numel();
  }
  return count;
}

void Module::train(bool on) {
  training_ = on;
  for (const auto& [name, child] : children_) child->train(on);
}

void Module::set_requires_grad(bool on) {
  visit("", [&](const std::string&, Tensor& tensor) { tensor.set_requires_grad(on); });
}

void Module::zero_grad() {
  visit("", [&](const std::string&, Tensor& tensor) { tensor.zero_grad(); });
}

void Module::to(TensorOptions options) {
  NoGradGuard no_grad;
  std::unordered_map<const Storage*, Tensor> moved;  // whole storages as flat tensors
  std::unordered_map<const void*, Tensor> replaced;  // tied parameters stay tied
  visit("", [&](const std::string&, Tensor& tensor) {
    if (tensor.dtype() == options.dtype && tensor.device() == options.device) return;
    Tensor& fresh = replaced[tensor.id()];
    if (!fresh.defined()) {
      Tensor& storage = moved[tensor.storage().get()];
      if (!storage.defined()) {
        const auto count = static_cast<std::int64_t>(tensor.storage()->bytes / dtype_size(tensor.dtype()));
        storage = tensor.alias({count}, {1}, 0).to(options.dtype).to(options.device);
      }
      fresh = storage.alias(tensor.shape(), tensor.strides(), tensor.offset());
      fresh.set_requires_grad(tensor.requires_grad());
    }
    tensor = fresh;
  });
}

std::string Module::path() const { return parent_ == nullptr ? "" : join_names(parent_->path(), name_); }

std::uint64_t Module::path_hash() const { return hash_text(path()); }

void Module::describe_into(std::string& text, int depth) const {
  const std::string indent(static_cast<std::size_t>(depth) * 2, ' ');
  for (const auto& [name, tensor] : own_parameters_) {
    text +=
        fmt::format("{}{} {}{}\n", indent, name, tensor->shape(), tensor->requires_grad() ? "" : " frozen");
  }
  for (const auto& [name, child] : children_) {
    text += fmt::format("{}{}\n", indent, name);
    child->describe_into(text, depth + 1);
  }
}

std::string Module::describe() const {
  std::string text;
  describe_into(text, 0);
  return text;
}

void join_storage(const std::vector<Tensor*>& parameters) {
  NoGradGuard no_grad;
  std::int64_t total = 0;
  for (const Tensor* p : parameters) total += p->numel();
  const Tensor& first = *parameters.at(0);
  const Tensor storage = Tensor::empty({total}, first.options());
  std::int64_t offset = 0;
  for (Tensor* p : parameters) {
    Tensor joined = storage.alias(p->shape(), contiguous_strides(p->shape()), offset);
    joined.copy_(*p);
    joined.set_requires_grad(p->requires_grad());
    offset += p->numel();
    *p = joined;
  }
}

}  // namespace sesame
