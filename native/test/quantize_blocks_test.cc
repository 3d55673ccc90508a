// quantizeBlocks, and the engine's own quantising of int4 weights.
#include <algorithm>

#include "quantize.h"
#include "quantize_int4.h"
#include "test/harness.h"

namespace heddle::test {
namespace {

class QuantizeBlocksTest : public KernelTest {};
HEDDLE_FOR_EACH_ISA(QuantizeBlocksTest);

std::vector<Int8Block> quantizedBlocks(const KernelTable& table, int64_t rows, int64_t columns,
                                       const std::vector<float>& x, int threads = 1) {
  Invocation call;
  call.kernel = "quantizeBlocks";
  call.inputs = {Operand::f32({rows, columns}, x)};
  call.outputs = {Operand::outputOf(DType::kInt8Blocks, {rows, columns})};
  test::run(table, call, threads);
  std::vector<Int8Block> blocks(static_cast<size_t>(rows * blocksOf(columns)));
  if (!blocks.empty()) {
    std::memcpy(blocks.data(), call.outputs[0].tensor().data, blocks.size() * sizeof(Int8Block));
  }
  return blocks;
}

// By the definition in quantized_blocks.h, in the same float32 arithmetic.
TEST_P(QuantizeBlocksTest, MatchesItsDefinitionBitForBit) {
  for (int64_t rows : {0, 1, 2, 7, 50}) {
    for (int64_t columns : {1, 2, 7, 15, 16, 17, 31, 32, 33, 63, 64, 65, 300}) {
      const std::vector<float> x = normal(rows * columns, static_cast<uint32_t>(columns), 3.0f);
      const std::vector<Int8Block> found = quantizedBlocks(table(), rows, columns, x, 2);
      for (size_t b = 0; b < found.size(); b++) {
        const int64_t row = static_cast<int64_t>(b) / blocksOf(columns);
        const int64_t first = static_cast<int64_t>(b) % blocksOf(columns) * kBlockValues;
        const int64_t count = std::min<int64_t>(kBlockValues, columns - first);
        const float* from = x.data() + row * columns + first;
        float largest = 0;
        for (int64_t i = 0; i < count; i++) largest = std::max(largest, std::fabs(from[i]));
        const float scale = largest / 127.0f;
        ASSERT_EQ(found[b].scale, scale) << "block " << b << " of " << columns;
        float sum = 0;
        for (int64_t i = 0; i < kBlockValues; i++) {
          const float value = i < count ? std::nearbyint(from[i] * (127.0f / largest)) : 0.0f;
          ASSERT_EQ(found[b].values[i], value) << "block " << b << " of " << columns << ", " << i;
          sum += value;
        }
        ASSERT_EQ(found[b].sum, scale * sum);
      }
    }
  }
}

TEST_P(QuantizeBlocksTest, OfNothingAndOfNoNumbers) {
  for (float tiny : {0.0f, -0.0f, 1e-40f}) {
    const Int8Block block = quantizedBlocks(table(), 1, 32, std::vector<float>(32, tiny))[0];
    EXPECT_EQ(block.scale, 0.0f);
    EXPECT_EQ(block.sum, 0.0f);
    for (int8_t value : block.values) EXPECT_EQ(value, 0);
  }
  for (float odd : {NAN, INFINITY, -INFINITY}) {
    std::vector<float> x = normal(96, 7);
    x[40] = odd;
    const std::vector<Int8Block> blocks = quantizedBlocks(table(), 1, 96, x);
    for (size_t b = 0; b < 3; b++) {
      EXPECT_EQ(std::isnan(blocks[b].scale), b == 1) << odd;
      EXPECT_EQ(std::isnan(blocks[b].sum), b == 1) << odd;
    }
    for (int8_t value : blocks[1].values) EXPECT_EQ(value, 0);
  }
}

std::vector<float> throughInt4(const std::vector<float>& row) {
  const int64_t columns = static_cast<int64_t>(row.size());
  std::vector<Int4Block> blocks(static_cast<size_t>(blocksOf(columns)));
  quantizeInt4Row(row.data(), columns, 1, blocks.data());
  std::vector<float> back(row.size());
  dequantizeInt4Row(blocks.data(), columns, back.data());
  return back;
}

double squaredError(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); i++) sum += (double(a[i]) - b[i]) * (double(a[i]) - b[i]);
  return sum;
}

// Of weights that lie evenly in their range, and less of those that do not.
TEST(QuantizeBlocks, Int4ErrsLessThanTheRangeInFifteenSteps) {
  for (uint32_t seed = 0; seed < 50; seed++) {
    for (int64_t columns : {2, 5, 17, 32}) {
      const std::vector<float> row = normal(columns, seed, 0.03f);
      const auto [low, high] = std::minmax_element(row.begin(), row.end());
      const float step = (*high - *low) / 15;
      std::vector<float> plain;
      for (float x : row) plain.push_back(*low + step * std::nearbyint((x - *low) / step));
      const double rounding = columns * std::pow(0x1p-11 * 4 * std::fabs(*high - *low), 2);
      EXPECT_LE(squaredError(row, throughInt4(row)), squaredError(row, plain) + rounding);
    }
  }
}

// A weight that comes from such blocks already, as from a GGUF file, loses nothing.
TEST(QuantizeBlocks, Int4KeepsWhatIsOnAGrid) {
  std::vector<float> row;
  for (int i = 0; i < 64; i++) row.push_back(0.03125f * static_cast<float>(i * 7 % 16) - 0.375f);
  EXPECT_EQ(throughInt4(row), row);
  const std::vector<float> same(40, -0.75f);
  EXPECT_EQ(throughInt4(same), same);
  const std::vector<float> zeros(33, 0.0f);
  EXPECT_EQ(throughInt4(zeros), zeros);
}

TEST(QuantizeBlocks, AnInt4BlockThatFloat16CannotHoldIsNan) {
  for (float odd : {NAN, INFINITY, -INFINITY, 1e6f, 3e38f}) {
    std::vector<float> row = normal(96, 5);
    row[40] = odd;
    const std::vector<float> back = throughInt4(row);
    for (size_t i = 0; i < 96; i++) EXPECT_EQ(std::isnan(back[i]), i / 32 == 1) << odd << ", " << i;
  }
}

TEST(QuantizeBlocks, Int4OfATransposedSourceOnAnyTeam) {
  constexpr int64_t kRows = 7, kColumns = 45;
  const std::vector<float> source = normal(kRows * kColumns, 3);
  std::vector<float> transposed(source.size());
  for (int64_t r = 0; r < kRows; r++) {
    for (int64_t c = 0; c < kColumns; c++) transposed[c * kRows + r] = source[r * kColumns + c];
  }
  std::vector<Int4Block> expected(kRows * blocksOf(kColumns)), found(expected.size());
  quantizeWeights(DType::kInt4, source.data(), kRows, kColumns, false, expected.data(), 0, 1);
  for (int t = 0; t < 3; t++) {
    quantizeWeights(DType::kInt4, transposed.data(), kRows, kColumns, true, found.data(), t, 3);
  }
  EXPECT_EQ(std::memcmp(found.data(), expected.data(), found.size() * sizeof(Int4Block)), 0);
}

}  // namespace
}  // namespace heddle::test
