#include "dispatch.h"

#include <string.h>

#include "cpu.h"

namespace heddle {
namespace {

struct Choice {
  const char* name;
  bool supported;
  const KernelTable& (*table)();
};

constexpr int kChoices = 8;

// Best first. A set of another architecture has no table in this build.
int choices(Choice* out) {
  int count = 0;
#if defined(__x86_64__) || defined(_M_X64)
  const CpuFeatures cpu = detectCpu();
#ifndef HEDDLE_WITHOUT_AVX512  // nor AVX-VNNI: test builds for a CPU that has neither
  out[count++] = {"avx512bf16", cpu.avx512bf16, avx512bf16::table};
  out[count++] = {"avx512vnni", cpu.avx512vnni, avx512vnni::table};
  out[count++] = {"avx512", cpu.avx512, avx512::table};
  out[count++] = {"avx2vnni", cpu.avx2vnni, avx2vnni::table};
#endif
  out[count++] = {"avx2", cpu.avx2, avx2::table};
#elif defined(__aarch64__) || defined(_M_ARM64)
  const CpuFeatures cpu = detectCpu();
  out[count++] = {"neondot", cpu.neondot, neondot::table};
  out[count++] = {"neon", cpu.neon, neon::table};
#endif
  out[count++] = {"scalar", true, scalar::table};
  return count;
}

}  // namespace

const KernelTable* selectKernels(const char* forced, const char** why) {
  Choice all[kChoices];
  const int count = choices(all);
  const bool any = !forced || !*forced;
  for (int i = 0; i < count; ++i) {
    if (!any && strcmp(forced, all[i].name) != 0) continue;
    if (all[i].supported) return &all[i].table();
    if (!any) {
      *why = "this CPU or its operating system lacks the instruction set";
      return nullptr;
    }
  }
  *why =
      "no such instruction set in this build (scalar; x86-64: avx2, avx2vnni, avx512, avx512vnni, "
      "avx512bf16; arm64: neon, neondot)";
  return nullptr;
}

int supportedIsas(const char** names, int capacity) {
  Choice all[kChoices];
  const int count = choices(all);
  int found = 0;
  for (int i = 0; i < count && found < capacity; ++i) {
    if (all[i].supported) names[found++] = all[i].name;
  }
  return found;
}

}  // namespace heddle
