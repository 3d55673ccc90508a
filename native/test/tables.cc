// What the kernel tests run on: the instruction sets of this machine or, with
// HEDDLE_TEST_EMULATED_AVX512, those of AVX-512 and VNNI compiled through SIMDe, which run
// anywhere.
#include "test/harness.h"
#include "test/probe/probes.h"

namespace heddle::test {

#ifdef HEDDLE_TEST_EMULATED_AVX512

std::vector<const KernelTable*> tables() {
  return {&avx2vnni::table(), &avx512::table(), &avx512bf16::table()};
}

std::vector<const Probe*> probes() { return {&avx512::probe()}; }

#else

std::vector<const KernelTable*> tables() {
  const char* names[16];
  std::vector<const KernelTable*> found;
  const int count = supportedIsas(names, 16);
  for (int i = 0; i < count; i++) {
    const char* why = nullptr;
    found.push_back(selectKernels(names[i], &why));
  }
  return found;
}

std::vector<const Probe*> probes() {
  std::vector<const Probe*> all = {&scalar::probe()};
#if defined(__aarch64__) || defined(_M_ARM64)
  all.push_back(&neon::probe());
#elif defined(__x86_64__) || defined(_M_X64)
  all.push_back(&avx2::probe());
#ifndef HEDDLE_WITHOUT_AVX512
  all.push_back(&avx512::probe());
#endif
#endif
  std::vector<const Probe*> found;
  for (const Probe* probe : all) {
    for (const KernelTable* table : tables()) {
      if (std::strcmp(probe->isa, table->isa) == 0) found.push_back(probe);
    }
  }
  return found;
}

#endif

}  // namespace heddle::test
