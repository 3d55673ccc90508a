// `quantizeRows`.
#include <algorithm>

#include "kernels/quantized.h"
#include "test/harness.h"

namespace heddle::test {
namespace {

class QuantizeTest : public KernelTest {};
HEDDLE_FOR_EACH_ISA(QuantizeTest);

Operand quantizedRows(const KernelTable& table, int64_t rows, int64_t columns,
                      const std::vector<float>& x, int threads = 1) {
  Invocation call;
  call.kernel = "quantizeRows";
  call.inputs = {Operand::f32({rows, columns}, x)};
  call.outputs = {Operand::outputOf(DType::kInt8, {rows, columns})};
  test::run(table, call, threads);
  return call.outputs[0];
}

const uint8_t* bytesOf(const Operand& operand) {
  return static_cast<const uint8_t*>(operand.tensor().data);
}

float scaleOf(const Operand& operand, int64_t row) {
  const Tensor& tensor = operand.tensor();
  float scale;
  std::memcpy(&scale, bytesOf(operand) + int8ScalesAt(tensor.dims[0], tensor.dims[1]) + row * 4, 4);
  return scale;
}

int32_t zeroOf(const Operand& operand, int64_t row) {
  const Tensor& tensor = operand.tensor();
  int32_t zero;
  std::memcpy(&zero, bytesOf(operand) + int8ZerosAt(tensor.dims[0], tensor.dims[1]) + row * 4, 4);
  return zero;
}

// Values as the row's zero counts them: bytes or, without an offset, signed ones.
bool isOffset(const KernelTable& table) {
  const Operand zeros = quantizedRows(table, 1, 1, {0.0f});
  EXPECT_TRUE(zeroOf(zeros, 0) == 0 || zeroOf(zeros, 0) == 128);
  EXPECT_EQ(bytesOf(zeros)[0], zeroOf(zeros, 0));
  return zeroOf(zeros, 0) == 128;
}

int valueAt(const Operand& operand, bool offset, int64_t i) {
  const uint8_t byte = bytesOf(operand)[i];
  return offset ? byte : static_cast<int8_t>(byte);
}

// By the definition in quantized.h, in the same float32 arithmetic.
TEST_P(QuantizeTest, MatchesItsDefinitionBitForBit) {
  const bool offset = isOffset(table());
  for (int64_t rows : {0, 1, 2, 7, 50}) {
    for (int64_t columns : {1, 2, 3, 7, 8, 15, 16, 17, 33, 300}) {
      std::vector<float> x = normal(rows * columns, static_cast<uint32_t>(columns), 3.0f);
      // Rows of every kind: of both signs, positive, negative, far from zero.
      for (int64_t i = 0; i < rows * columns; i++) {
        if (i / columns % 4 == 1) x[i] = std::fabs(x[i]);
        if (i / columns % 4 == 2) x[i] = -std::fabs(x[i]);
        if (i / columns % 4 == 3) x[i] += 100;
      }
      const Operand found = quantizedRows(table(), rows, columns, x, 2);
      for (int64_t r = 0; r < rows; r++) {
        float low = 0, high = 0;
        for (int64_t c = 0; c < columns; c++) {
          low = std::min(low, x[r * columns + c]);
          high = std::max(high, x[r * columns + c]);
        }
        const float factor = 255.0f / (high - low);
        const float shift = std::nearbyint(-low * factor) - 128.0f;
        ASSERT_EQ(scaleOf(found, r), (high - low) / 255.0f) << "row " << r;
        ASSERT_EQ(zeroOf(found, r), static_cast<int>(shift) + (offset ? 128 : 0));
        for (int64_t c = 0; c < columns; c++) {
          const float value = std::nearbyint(x[r * columns + c] * factor) + shift;
          const int held = static_cast<int>(std::max(-128.0f, std::min(127.0f, value)));
          ASSERT_EQ(valueAt(found, offset, r * columns + c), held + (offset ? 128 : 0))
              << "row " << r << ", column " << c << " of " << columns;
        }
      }
    }
  }
}

TEST_P(QuantizeTest, ValuesAreWithinAStepAndMostlyWithinHalfAStep) {
  const bool offset = isOffset(table());
  const int64_t rows = 20, columns = 77;
  std::vector<float> x = normal(rows * columns, 5);
  for (int64_t i = 0; i < rows * columns; i++) x[i] *= std::pow(10.0f, (i / columns) - 10.0f);
  const Operand found = quantizedRows(table(), rows, columns, x);
  for (int64_t r = 0; r < rows; r++) {
    const double scale = scaleOf(found, r);
    int beyond = 0;
    for (int64_t c = 0; c < columns; c++) {
      const int64_t i = r * columns + c;
      const double error = (valueAt(found, offset, i) - zeroOf(found, r)) * scale - x[i];
      EXPECT_LE(std::fabs(error), 1.0001 * scale);
      beyond += std::fabs(error) > 0.5001 * scale;
    }
    EXPECT_LE(beyond, 1) << "only an end of the range may be rounded away";
  }
}

TEST_P(QuantizeTest, RowsWithoutARangeAreZeroOrNan) {
  const int64_t columns = 19;
  const std::vector<float> kinds[] = {{0.0f},     {1e-32f},    {NAN},
                                      {INFINITY}, {-INFINITY}, {3e38f, -3e38f}};
  for (const std::vector<float>& odd : kinds) {
    for (int64_t place : {int64_t{0}, int64_t{9}, columns - 2}) {
      std::vector<float> x(3 * columns, 0.5f);
      for (int64_t i = columns; i < 2 * columns; i++) x[i] = 0;
      for (size_t i = 0; i < odd.size(); i++) x[columns + place + i] = odd[i];
      const Operand found = quantizedRows(table(), 3, columns, x);
      for (int64_t c = 0; c < columns; c++) {
        EXPECT_EQ(bytesOf(found)[columns + c], static_cast<uint8_t>(zeroOf(found, 1)));
      }
      const bool zero = odd.size() == 1 && std::isfinite(odd[0]);
      EXPECT_EQ(std::isnan(scaleOf(found, 1)), !zero) << odd[0];
      if (zero) {
        EXPECT_EQ(scaleOf(found, 1), 0.0f);
      }
      EXPECT_EQ(scaleOf(found, 0), 0.5f / 255.0f);
      EXPECT_EQ(scaleOf(found, 2), 0.5f / 255.0f);
    }
  }
}

}  // namespace
}  // namespace heddle::test
