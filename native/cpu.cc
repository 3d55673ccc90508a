#include "cpu.h"

#include <stdint.h>

#if defined(__x86_64__) || defined(_M_X64)
#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
#else
#include <cpuid.h>
#endif
#elif defined(__linux__) && defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#elif defined(_WIN32)
#include <windows.h>
#endif

namespace heddle {

#if defined(__x86_64__) || defined(_M_X64)
namespace {

struct Registers {
  uint32_t a, b, c, d;
};

Registers cpuid(uint32_t leaf, uint32_t subleaf) {
  Registers r = {0, 0, 0, 0};
#if defined(_MSC_VER) && !defined(__clang__)
  int out[4];
  __cpuid(out, 0);
  if (static_cast<uint32_t>(out[0]) < leaf) return r;
  __cpuidex(out, static_cast<int>(leaf), static_cast<int>(subleaf));
  r = {static_cast<uint32_t>(out[0]), static_cast<uint32_t>(out[1]), static_cast<uint32_t>(out[2]),
       static_cast<uint32_t>(out[3])};
#else
  __get_cpuid_count(leaf, subleaf, &r.a, &r.b, &r.c, &r.d);
#endif
  return r;
}

// Which register states the operating system saves on a context switch.
uint64_t enabledStates() {
#if defined(_MSC_VER) && !defined(__clang__)
  return _xgetbv(0);
#else
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return static_cast<uint64_t>(high) << 32 | low;
#endif
}

constexpr bool bit(uint32_t word, int n) { return (word >> n & 1) != 0; }

}  // namespace

// Intel SDM vol. 2A, CPUID; vol. 1, 15.2 (detection of AVX-512): both the instructions and the
// saving of their registers must be there.
CpuFeatures detectCpu() {
  CpuFeatures features = {};
  const Registers one = cpuid(1, 0);
  const Registers seven = cpuid(7, 0);
  const bool osxsave = bit(one.c, 27);
  const uint64_t states = osxsave ? enabledStates() : 0;
  const bool ymm = (states & 0x06) == 0x06;
  const bool zmm = (states & 0xe6) == 0xe6;
  features.avx2 = ymm && bit(one.c, 28) && bit(one.c, 12) && bit(one.c, 29) && bit(seven.b, 5);
  features.avx512 = features.avx2 && zmm && bit(seven.b, 16) && bit(seven.b, 17) &&
                    bit(seven.b, 30) && bit(seven.b, 31);
  const uint32_t later = seven.a >= 1 ? cpuid(7, 1).a : 0;
  features.avx2vnni = features.avx2 && bit(later, 4);
  features.avx512vnni = features.avx512 && bit(seven.c, 11);
  features.avx512bf16 = features.avx512vnni && bit(later, 5);
  return features;
}
#elif defined(__aarch64__) || defined(_M_ARM64)
namespace {

bool hasDotProduct() {
#if defined(__linux__)
  return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
#elif defined(__APPLE__)
  return true;  // every Mac with an ARM CPU
#elif defined(_WIN32)
  return IsProcessorFeaturePresent(PF_ARM_V82_DP_INSTRUCTIONS_AVAILABLE) != 0;
#else
  return false;
#endif
}

}  // namespace

CpuFeatures detectCpu() {
  CpuFeatures features = {};
  features.neon = true;
  features.neondot = hasDotProduct();
  return features;
}
#else
CpuFeatures detectCpu() { return {}; }
#endif

}  // namespace heddle
