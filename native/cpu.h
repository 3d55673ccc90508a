// What this CPU and its operating system can do, by CPUID feature and never by vendor; and how many
// threads this process may keep busy.
#pragma once

namespace heddle {

struct CpuFeatures {
  bool avx2;        // AVX2, FMA and F16C
  bool avx2vnni;    // avx2, and AVX-VNNI
  bool avx512;      // avx2, and AVX-512 F, BW, DQ, VL
  bool avx512vnni;  // avx512, and AVX512_VNNI
  bool avx512bf16;  // avx512vnni, and AVX512_BF16
  bool neon;
  bool neondot;  // neon, and the dot product of Armv8.2
};

CpuFeatures detectCpu();

// CPUs that the affinity mask allows, but no more than the cgroup quota rounded up; at least 1.
int availableThreads();

}  // namespace heddle
