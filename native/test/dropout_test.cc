#include "test/harness.h"

namespace heddle::test {
namespace {

class DropoutTest : public KernelTest {};
HEDDLE_FOR_EACH_ISA(DropoutTest);

constexpr int64_t kHalf = int64_t{1} << 31;

std::vector<float> drop(const KernelTable& table, const std::vector<float>& x, int32_t seed,
                        int32_t step, int64_t site, int64_t threshold, int threads = 1) {
  const int64_t count = static_cast<int64_t>(x.size());
  return run(table,
             {"dropout",
              {Operand::f32({count}, x), Operand::i32({1}, {seed}), Operand::i32({1}, {step})},
              {Operand::output({count})},
              {site, threshold},
              {2.0}},
             threads);
}

// Random123's known answers (kat_vectors): the words of the counter 0 under the key 0.
TEST_P(DropoutTest, ComparesThePublishedNumbers) {
  const uint32_t words[4] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
  for (int i = 0; i < 4; i++) {
    const std::vector<float> x = {1, 2, 3, 4};
    const float kept = 2 * x[static_cast<size_t>(i)];
    EXPECT_EQ(drop(table(), x, 0, 0, 0, int64_t{words[i]})[static_cast<size_t>(i)], kept);
    EXPECT_EQ(drop(table(), x, 0, 0, 0, int64_t{words[i]} + 1)[static_cast<size_t>(i)], 0.0f);
  }
}

TEST_P(DropoutTest, IsTheSameOnAnyTeamAndOtherwiseForEveryKey) {
  for (int64_t count : {1, 3, 4, 63, 64, 65, 4096, 9001}) {
    const std::vector<float> x = normal(count, 1);
    const std::vector<float> one = drop(table(), x, 5, 6, 7, kHalf);
    for (int threads = 2; threads <= 4; threads++) {
      expectSameBits(drop(table(), x, 5, 6, 7, kHalf, threads), one, std::to_string(count));
    }
    // A shorter tensor is dropped as the beginning of a longer one.
    const std::vector<float> whole = drop(table(), normal(9001, 1), 5, 6, 7, kHalf);
    expectSameBits(one, std::vector<float>(whole.begin(), whole.begin() + count), "beginning");
    if (count < 63) continue;
    EXPECT_NE(drop(table(), x, 4, 6, 7, kHalf), one);
    EXPECT_NE(drop(table(), x, 5, 5, 7, kHalf), one);
    EXPECT_NE(drop(table(), x, 5, 6, 8, kHalf), one);
  }
}

TEST_P(DropoutTest, DropsTheShareAskedFor) {
  const std::vector<float> ones(40000, 1.0f);
  for (double rate : {0.0, 0.1, 0.5, 0.9, 1.0}) {
    const int64_t threshold = static_cast<int64_t>(std::round(rate * 0x1p32));
    int64_t dropped = 0;
    for (float value : drop(table(), ones, 1, 2, 3, threshold)) dropped += value == 0;
    // Five standard deviations of 40000 draws.
    EXPECT_NEAR(static_cast<double>(dropped) / 40000, rate, 0.0126) << rate;
  }
}

}  // namespace
}  // namespace heddle::test
