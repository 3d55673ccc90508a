#include "test/harness.h"

namespace heddle::test {
namespace {

class LogitBlocksTest : public KernelTest {};
HEDDLE_FOR_EACH_ISA(LogitBlocksTest);

constexpr int64_t kBlock = 128;

int64_t blocksOf(int64_t columns) { return (columns + kBlock - 1) / kBlock; }

std::vector<float> logitBlocksOf(const KernelTable& table, int64_t columns,
                                 const std::vector<float>& x,
                                 const std::vector<float>& temperatures, int threads = 2) {
  const auto rows = static_cast<int64_t>(temperatures.size());
  return run(table,
             {"logitBlocks",
              {Operand::f32({rows, columns}, x), Operand::f32({rows}, temperatures)},
              {Operand::output({rows, columns + 3 * blocksOf(columns)})},
              {},
              {}},
             threads);
}

// Σ exp(x/t − g/t), of quotients as float32 has them.
double sumOf(const float* x, int64_t count, float greatest, float t) {
  double sum = 0;
  for (int64_t i = 0; i < count; i++) {
    sum += std::exp(static_cast<double>(x[i] / t) - static_cast<double>(greatest / t));
  }
  return sum;
}

TEST_P(LogitBlocksTest, KeepsRowsAndSumsTheirBlocks) {
  const std::vector<float> temperatures = {1, 0.8f, 3, 0.05f};
  const auto rows = static_cast<int64_t>(temperatures.size());
  for (int64_t columns :
       {1, 2, 7, 8, 31, 33, 63, 64, 65, 127, 128, 129, 255, 256, 257, 1000, 8200}) {
    const std::vector<float> x = normal(rows * columns, static_cast<uint32_t>(columns), 4);
    const std::vector<float> y = logitBlocksOf(table(), columns, x, temperatures);
    expectSameBits(y, logitBlocksOf(table(), columns, x, temperatures, 1), "one thread");
    const int64_t blocks = blocksOf(columns), width = columns + 3 * blocks;
    for (int64_t r = 0; r < rows; r++) {
      const float* from = x.data() + r * columns;
      const float* row = y.data() + r * width;
      expectSameBits({row, row + columns}, {from, from + columns}, "the row");
      for (int64_t b = 0; b < blocks; b++) {
        const float* block = from + b * kBlock;
        const int64_t count = std::min(kBlock, columns - b * kBlock);
        const float greatest = *std::max_element(block, block + count);
        const float t = temperatures[static_cast<size_t>(r)];
        const float* found = row + columns + b;
        ASSERT_EQ(found[0], greatest);
        const double plain = sumOf(block, count, greatest, 1);
        ASSERT_NEAR(found[blocks], plain, plain * 29 / (1 << 24)) << columns;
        const double scaled = sumOf(block, count, greatest, t);
        ASSERT_NEAR(found[2 * blocks], scaled, scaled * 29 / (1 << 24)) << columns << ", t " << t;
      }
    }
  }
}

TEST_P(LogitBlocksTest, SumsToNaNWhereAColumnIsNoNumber) {
  const int64_t columns = 3 * kBlock - 5;
  const int64_t blocks = blocksOf(columns);
  const std::vector<float> numbers = normal(columns, 1);
  for (int64_t place = 0; place < columns; place++) {
    for (float odd : {std::nanf(""), INFINITY, -INFINITY}) {
      std::vector<float> x = numbers;
      x[static_cast<size_t>(place)] = odd;
      const std::vector<float> y = logitBlocksOf(table(), columns, x, {0.5f}, 1);
      for (int64_t b = 0; b < blocks; b++) {
        const bool isOdd = b == place / kBlock && !(odd < 0);
        const auto at = static_cast<size_t>(columns + b);
        ASSERT_EQ(std::isnan(y[at + static_cast<size_t>(blocks)]), isOdd) << place;
        ASSERT_EQ(std::isnan(y[at + static_cast<size_t>(2 * blocks)]), isOdd) << place;
      }
    }
  }
}

TEST_P(LogitBlocksTest, GivesNothingWhereNoColumnMayFollow) {
  for (int64_t columns : {1, 9, 127, 128, 129}) {
    const std::vector<float> x(static_cast<size_t>(columns), -INFINITY);
    const std::vector<float> y = logitBlocksOf(table(), columns, x, {0.5f});
    const auto blocks = static_cast<size_t>(blocksOf(columns));
    for (size_t b = 0; b < blocks; b++) {
      const float* found = y.data() + static_cast<size_t>(columns) + b;
      EXPECT_EQ(found[0], -INFINITY);
      EXPECT_EQ(found[blocks], 0);
      EXPECT_EQ(found[2 * blocks], 0);
    }
  }
  EXPECT_TRUE(logitBlocksOf(table(), 9, {}, {}).empty());
}

}  // namespace
}  // namespace heddle::test
