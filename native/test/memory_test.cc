// Blocks that go from run to run.
#include "memory.h"

#include <gtest/gtest.h>

namespace heddle {
namespace {

constexpr int64_t kLarge = int64_t{600} << 20, kSmall = 1000;

TEST(BlockPool, KeepsTheArenaAndTheScratchOfTheLastRunWhateverTheirSize) {
  BlockPool pool;
  const void* arena = nullptr;
  for (int run = 0; run < 2; run++) {
    const PooledBlock block(pool, kLarge), scratch(pool, kSmall);
    if (run == 1) EXPECT_EQ(block.data(), arena);
    arena = block.data();
  }
  EXPECT_GE(pool.bytes(), kLarge);
}

TEST(BlockPool, GivesALargeArenaBackOnceOtherRunsFollow) {
  BlockPool pool;
  { const PooledBlock block(pool, kLarge); }
  for (int run = 0; run < 2; run++) {
    const PooledBlock block(pool, kSmall), scratch(pool, kSmall);
  }
  EXPECT_LE(pool.bytes(), 8 * kSmall);
}

}  // namespace
}  // namespace heddle
