// The engine's own quantising of int8 weights.
#include "quantize_int8.h"

#include <algorithm>
#include <cmath>

#include "quantize.h"
#include "test/harness.h"

namespace heddle::test {
namespace {

struct Int8Row {
  explicit Int8Row(const std::vector<float>& row) : values(row.size()) {
    scale = quantizeInt8Row(row.data(), static_cast<int64_t>(row.size()), values.data());
  }

  double squaredError(const std::vector<float>& row) const {
    double sum = 0;
    for (size_t i = 0; i < row.size(); i++) {
      const double error = static_cast<double>(values[i]) * scale - row[i];
      sum += error * error;
    }
    return sum;
  }

  int largestPair() const {
    int largest = 0;
    for (size_t i = 0; i + 1 < values.size(); i += 2) {
      largest = std::max(largest, std::abs(values[i] + values[i + 1]));
    }
    return largest;
  }

  std::vector<int8_t> values;
  float scale;
};

std::vector<float> wide(int64_t count, uint32_t seed) {
  std::vector<float> row = normal(count, seed);
  for (float& x : row) x = x * x * x;  // a few far from the rest
  return row;
}

TEST(QuantizeInt8, NeighboursAreNeverTooLargeTogether) {
  int reached = 0;
  for (int64_t columns : {1, 2, 3, 15, 16, 17, 18, 33, 300, 1000}) {
    for (uint32_t seed = 0; seed < 20; seed++) {
      for (std::vector<float> row : {normal(columns, seed), wide(columns, seed),
                                     std::vector<float>(static_cast<size_t>(columns), -0.3f)}) {
        const Int8Row rounded(row);
        EXPECT_LE(rounded.largestPair(), 128) << columns << " columns, seed " << seed;
        reached += rounded.largestPair() == 128;
      }
    }
  }
  EXPECT_GT(reached, 0) << "no row came near the limit";
}

// Against every limit tried by itself, in double.
TEST(QuantizeInt8, TheLimitIsTheOneOfTheLeastError) {
  for (uint32_t seed = 0; seed < 30; seed++) {
    const std::vector<float> row = seed % 2 ? normal(384, seed) : wide(385, seed);
    float largest = 0;
    for (float x : row) largest = std::max(largest, std::fabs(x));
    double least = INFINITY;
    for (double limit : {127, 116, 106, 97, 88, 80, 72, 64}) {
      double error = 0;
      for (size_t i = 0; i < row.size(); i += 2) {
        const double a = row[i] * limit / largest;
        const double b = i + 1 < row.size() ? row[i + 1] * limit / largest : 0;
        double left = std::nearbyint(a), right = std::nearbyint(b);
        const double beyond = left + right - std::clamp(left + right, -128.0, 128.0);
        left -= std::nearbyint(beyond / 2);
        right -= beyond - std::nearbyint(beyond / 2);
        error += ((left - a) * (left - a) + (right - b) * (right - b)) / (limit * limit);
      }
      least = std::min(least, error * largest * largest);
    }
    EXPECT_NEAR(Int8Row(row).squaredError(row), least, 1e-4 * least) << seed;
  }
}

// Rows of which no neighbours are too large together keep all of ±127, and half a step.
TEST(QuantizeInt8, ARowWithRoomUsesTheWholeRange) {
  std::vector<float> row = normal(101, 7, 0.1f);
  row[40] = -5;
  const Int8Row rounded(row);
  EXPECT_EQ(rounded.values[40], -127);
  EXPECT_EQ(rounded.scale, 5.0f / 127.0f);
  for (size_t i = 0; i < row.size(); i++) {
    EXPECT_LE(std::fabs(rounded.values[i] * rounded.scale - row[i]), 0.5001f * rounded.scale);
  }
}

TEST(QuantizeInt8, EqualNeighboursTakeTheCoarsestLimitExactly) {
  const std::vector<float> row(50, 3.0f);
  const Int8Row rounded(row);
  EXPECT_EQ(rounded.values, std::vector<int8_t>(50, 64));
  EXPECT_EQ(rounded.squaredError(row), 0);
}

TEST(QuantizeInt8, RowsWithoutARangeAreZeroOrNan) {
  for (float odd : {0.0f, 1e-32f, NAN, INFINITY, -INFINITY}) {
    std::vector<float> row(19);
    row[17] = odd;
    const Int8Row rounded(row);
    EXPECT_EQ(rounded.values, std::vector<int8_t>(19, 0));
    EXPECT_EQ(std::isnan(rounded.scale), std::isnan(odd) || std::isinf(odd)) << odd;
  }
}

TEST(QuantizeInt8, ATeamMakesTheSameTensorOfEitherLayout) {
  const int64_t rows = 5, columns = 7;
  const std::vector<float> x = normal(rows * columns, 8);
  std::vector<float> transposed(x.size());
  for (int64_t r = 0; r < rows; r++) {
    for (int64_t c = 0; c < columns; c++) transposed[c * rows + r] = x[r * columns + c];
  }
  const size_t bytes = static_cast<size_t>(int8Bytes(rows, columns));
  std::vector<uint8_t> one(bytes, 1), other(bytes, 2);
  quantizeWeights(DType::kInt8, x.data(), rows, columns, false, one.data(), 0, 1);
  for (int t = 0; t < 3; t++) {
    quantizeWeights(DType::kInt8, transposed.data(), rows, columns, true, other.data(), t, 3);
  }
  EXPECT_EQ(one, other);
  std::vector<float> back(x.size());
  dequantizeWeights(DType::kInt8, one.data(), rows, columns, back.data());
  for (size_t i = 0; i < x.size(); i++) EXPECT_NEAR(back[i], x[i], 0.03f);
}

}  // namespace
}  // namespace heddle::test
