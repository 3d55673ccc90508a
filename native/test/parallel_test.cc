// The team of std::threads, as it is where the compiler has no OpenMP.
#define HEDDLE_NO_OPENMP
#include "parallel.h"

#include <gtest/gtest.h>

namespace heddle {
namespace {

static_assert(HEDDLE_HAS_OPENMP == 0, "this is about the other team");

TEST(Team, EveryThreadRunsTheBodyOnce) {
  Team team;
  for (int threads : {1, 2, 5, 3, 1, 4}) {
    std::vector<std::atomic<int>> calls(static_cast<size_t>(threads));
    for (int i = 0; i < 20; ++i) {
      team.run(threads, [&](int thread, int count) {
        EXPECT_EQ(count, threads);
        calls[static_cast<size_t>(thread)]++;
      });
    }
    for (const std::atomic<int>& count : calls) EXPECT_EQ(count, 20);
  }
}

TEST(Team, NobodyPassesABarrierEarly) {
  Team team;
  constexpr int kThreads = 4, kRounds = 2000;
  int values[kThreads] = {};
  bool wrong[kThreads] = {};
  team.run(kThreads, [&](int thread, int) {
    for (int round = 1; round <= kRounds; ++round) {
      values[thread] = round;
      team.barrier();
      for (int value : values) wrong[thread] |= value != round;
      team.barrier();
    }
  });
  for (bool each : wrong) EXPECT_FALSE(each);
}

// Waits far longer than any spinning and far shorter, in turns, so that threads sleep and spin.
TEST(Team, MeetsAfterLongAndShortWaits) {
  Team team;
  constexpr int kThreads = 3, kRounds = 60;
  int values[kThreads] = {};
  bool wrong[kThreads] = {};
  team.run(kThreads, [&](int thread, int) {
    for (int round = 1; round <= kRounds; ++round) {
      if (round % kThreads == thread && round % 10 < 4) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
      values[thread] = round;
      team.barrier();
      for (int value : values) wrong[thread] |= value != round;
      team.barrier();
    }
  });
  for (bool each : wrong) EXPECT_FALSE(each);
}

TEST(Team, ServesManyBodiesWhileItIsHeld) {
  Team team;
  constexpr int kThreads = 4;
  for (int round = 0; round < 3; ++round) {
    team.hold(kThreads, [&] {
      for (int i = 0; i < 300; ++i) {
        const int wanted = i % 6 + 1, expected = std::min(wanted, kThreads);
        int values[kThreads] = {};
        bool wrong[kThreads] = {};
        team.run(wanted, [&](int thread, int count) {
          wrong[thread] = count != expected;
          values[thread] = i + 1;
          team.barrier();
          for (int each = 0; each < count; ++each) wrong[thread] |= values[each] != i + 1;
        });
        for (bool each : wrong) EXPECT_FALSE(each);
        for (int each = 0; each < kThreads; ++each) {
          EXPECT_EQ(values[each], each < expected ? i + 1 : 0);
        }
      }
    });
    team.run(2, [&](int, int count) { EXPECT_EQ(count, 2); });
  }
}

}  // namespace
}  // namespace heddle
