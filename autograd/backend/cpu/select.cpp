// Chooses the CPU kernels for this machine, once.
#include <cstdlib>
#include <cstring>
#include <string>

#include "autograd/backend/cpu/host.h"
#include "autograd/backend/dispatch.h"
#include "autograd/check.h"

// Each instruction set supplies one function per kernel family.
#define SESAME_DECLARE_ISA(isa)       \
  namespace sesame::cpu::isa {        \
  void fill_memory(KernelTable&);     \
  void fill_pointwise(KernelTable&);  \
  void fill_reduce(KernelTable&);     \
  void fill_softmax(KernelTable&);    \
  void fill_norm(KernelTable&);       \
  void fill_linear(KernelTable&);     \
  void fill_few_rows(KernelTable&);   \
  void fill_rows(KernelTable&);       \
  void fill_segments(KernelTable&);   \
  void fill_attention(KernelTable&);  \
  void fill_loss(KernelTable&);       \
  void fill_crf(KernelTable&);        \
  void fill_optimizer(KernelTable&);  \
  inline KernelTable make_table() {   \
    KernelTable table = host_table(); \
    table.name = "cpu/" #isa;         \
    fill_memory(table);               \
    fill_pointwise(table);            \
    fill_reduce(table);               \
    fill_softmax(table);              \
    fill_norm(table);                 \
    fill_linear(table);               \
    fill_few_rows(table);             \
    fill_rows(table);                 \
    fill_segments(table);             \
    fill_attention(table);            \
    fill_loss(table);                 \
    fill_crf(table);                  \
    fill_optimizer(table);            \
    return table;                     \
  }                                   \
  }

SESAME_DECLARE_ISA(baseline)
#ifdef SESAME_X86_KERNELS
SESAME_DECLARE_ISA(avx2)
SESAME_DECLARE_ISA(avx512)
#endif

namespace sesame::cpu {
namespace {

KernelTable choose() {
#ifdef SESAME_X86_KERNELS
  if (best_isa() == "avx512") return avx512::make_table();
  if (best_isa() == "avx2") return avx2::make_table();
#endif
  return baseline::make_table();
}

}  // namespace

std::string best_isa() {
  const char* wanted = std::getenv("SESAME_ISA");
  const std::string name = wanted == nullptr ? "" : wanted;
  SESAME_CHECK(name.empty() || name == "baseline" || name == "avx2" || name == "avx512", "cpu",
               "SESAME_ISA={} is unknown: expected baseline, avx2 or avx512", name);
#ifdef SESAME_X86_KERNELS
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (avx512 && (name.empty() || name == "avx512")) return "avx512";
  if (avx2 && name != "baseline") return "avx2";
#endif
  return "baseline";
}

const KernelTable& table() {
  static const KernelTable chosen = choose();
  return chosen;
}

}  // namespace sesame::cpu
