#include "dispatch.h"

#include <gtest/gtest.h>

#include <cstring>

#include "cpu.h"

namespace heddle {
namespace {

TEST(Dispatch, TheBestSetIsTheFirstSupportedOne) {
  const char* names[8];
  const int count = supportedIsas(names, 8);
  ASSERT_GE(count, 1);
  EXPECT_STREQ(names[count - 1], "scalar");
  const char* why = nullptr;
  for (const char* any : {static_cast<const char*>(nullptr), ""}) {
    const KernelTable* best = selectKernels(any, &why);
    ASSERT_NE(best, nullptr);
    EXPECT_STREQ(best->isa, names[0]);
  }
  EXPECT_EQ(supportedIsas(names, 1), 1);
}

TEST(Dispatch, AForcedSetIsTheOneAskedForOrNone) {
  for (const char* name : {"scalar", "avx2", "avx2vnni", "avx512", "avx512vnni", "avx512bf16",
                           "neon", "neondot", "AVX2", "sse9"}) {
    const char* names[8];
    bool supported = false;
    for (int i = supportedIsas(names, 8); i-- > 0;) supported |= strcmp(names[i], name) == 0;
    const char* why = nullptr;
    const KernelTable* table = selectKernels(name, &why);
    EXPECT_EQ(table != nullptr, supported) << name;
    if (table) {
      EXPECT_STREQ(table->isa, name);
    } else {
      EXPECT_NE(why, nullptr) << name;
    }
  }
}

TEST(Dispatch, LargerSetsImplySmallerOnes) {
  const CpuFeatures cpu = detectCpu();
  EXPECT_LE(cpu.avx512bf16, cpu.avx512vnni);
  EXPECT_LE(cpu.avx512vnni, cpu.avx512);
  EXPECT_LE(cpu.avx512, cpu.avx2);
  EXPECT_LE(cpu.avx2vnni, cpu.avx2);
  EXPECT_LE(cpu.neondot, cpu.neon);
}

TEST(Dispatch, ThreadsAreBetweenOneAndTheLimit) {
  EXPECT_GE(availableThreads(), 1);
  EXPECT_LE(availableThreads(), 256);
}

}  // namespace
}  // namespace heddle
