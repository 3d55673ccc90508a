// `linearInt8`, on rows that `quantizeRows` of the same instruction set made.
#include "kernels/linear_int8.h"

#include "quantize.h"
#include "test/harness.h"
#include "test/reference.h"

namespace heddle::test {
namespace {

class LinearInt8Test : public KernelTest {};
HEDDLE_FOR_EACH_ISA(LinearInt8Test);

// A matrix as quantizeWeights stores it.
struct Int8Table {
  Int8Table(int64_t rows, int64_t columns, const std::vector<float>& values)
      : columns(columns), bytes(static_cast<size_t>(int8Bytes(rows, columns))) {
    quantizeWeights(DType::kInt8, values.data(), rows, columns, false, bytes.data(), 0, 1);
    scalesAt = int8ScalesAt(rows, columns);
  }

  int value(int64_t row, int64_t column) const {
    return static_cast<int8_t>(bytes[static_cast<size_t>(row * columns + column)]);
  }
  float scale(int64_t row) const {
    float scale;
    std::memcpy(&scale, &bytes[static_cast<size_t>(scalesAt + row * 4)], sizeof(scale));
    return scale;
  }

  int64_t columns, scalesAt;
  std::vector<uint8_t> bytes;
};

struct LinearInt8Case {
  int64_t rows, k, n;
  Activation activation = Activation::kNone;
  bool bias = true, residual = true;
};

struct LinearInt8Problem {
  LinearInt8Problem(const KernelTable& table, const LinearInt8Case& test)
      : LinearInt8Problem(table, test, normal(test.rows * test.k, 1),
                          normal(test.n * test.k, 4, 0.5f)) {}

  LinearInt8Problem(const KernelTable& kernels, const LinearInt8Case& test,
                    const std::vector<float>& x, const std::vector<float>& w)
      : test(test),
        x(x),
        bias(normal(test.n, 2)),
        residual(normal(test.rows * test.n, 3)),
        weight(test.n, test.k, w),
        packed_(static_cast<size_t>(kernels.packing.bytes(DType::kInt8, test.n, test.k))),
        operand_(DType::kInt32, {sizeof(PackedMatrix) / 4}) {
    matrix = {packed_.data(), DType::kInt8, test.n, test.k, kernels.packing.panel};
    for (int t = 0; t < 3; t++) {
      kernels.packing.pack(&matrix, weight.bytes.data(), false, t, 3);
    }
    std::memcpy(operand_.tensor().data, &matrix, sizeof(matrix));
  }

  std::vector<float> run(const KernelTable& table, int threads, int64_t firstRow,
                         int64_t rows) const {
    const auto part = [&](const std::vector<float>& all, int64_t columns) {
      return std::vector<float>(all.begin() + firstRow * columns,
                                all.begin() + (firstRow + rows) * columns);
    };
    Invocation quantize;
    quantize.kernel = "quantizeRows";
    quantize.inputs = {Operand::f32({rows, test.k}, part(x, test.k))};
    quantize.outputs = {Operand::outputOf(DType::kInt8, {rows, test.k})};
    test::run(table, quantize, threads);
    Invocation call;
    call.kernel = "linearInt8";
    call.inputs = {
        quantize.outputs[0], operand_, test.bias ? Operand::f32({test.n}, bias) : Operand(),
        test.residual ? Operand::f32({rows, test.n}, part(residual, test.n)) : Operand()};
    call.outputs = {Operand::output({rows, test.n})};
    call.ints = {static_cast<int64_t>(test.activation)};
    return test::run(table, call, threads);
  }

  Operand quantize(const KernelTable& table, int threads, int64_t rows,
                   const std::vector<float>& values) const {
    Invocation call;
    call.kernel = "quantizeRows";
    call.inputs = {Operand::f32({rows, test.k}, values)};
    call.outputs = {Operand::outputOf(DType::kInt8, {rows, test.k})};
    test::run(table, call, threads);
    return call.outputs[0];
  }

  // The sums are exact, so that without an activation every bit is known; with one, the error is
  // that of the activation.
  void expectRight(const KernelTable& table, const std::vector<float>& y) const {
    ASSERT_EQ(y.size(), static_cast<size_t>(test.rows * test.n));
    const Operand quantized = quantize(table, 1, test.rows, x);
    const uint8_t* bytes = static_cast<const uint8_t*>(quantized.tensor().data);
    const uint8_t* scales = bytes + int8ScalesAt(test.rows, test.k);
    const uint8_t* zeros = bytes + int8ZerosAt(test.rows, test.k);
    // Of a row of zeros, the zero is what the instruction set adds to each value.
    const Operand none = quantize(table, 1, 1, std::vector<float>(test.k));
    const bool offset = static_cast<const uint8_t*>(none.tensor().data)[0] == 128;
    for (int64_t i = 0; i < test.rows; i++) {
      for (int64_t j = 0; j < test.n; j++) {
        int64_t sum = 0;
        int32_t zero;
        float scale;
        std::memcpy(&zero, zeros + i * 4, sizeof(zero));
        std::memcpy(&scale, scales + i * 4, sizeof(scale));
        for (int64_t k = 0; k < test.k; k++) {
          const uint8_t byte = bytes[i * test.k + k];
          const int value = offset ? byte : static_cast<int8_t>(byte);
          sum += (value - zero) * weight.value(j, k);
        }
        scale *= weight.scale(j);
        float value = static_cast<float>(sum) * scale;
        if (test.bias) value += bias[j];
        double expected = activated(test.activation, value);
        const float found = y[i * test.n + j];
        if (test.activation == Activation::kNone) {
          if (test.residual) value += residual[i * test.n + j];
          ASSERT_EQ(found, value) << test.rows << "×" << test.k << "×" << test.n << " at " << i
                                  << ", " << j;
          continue;
        }
        const double bound = 8 * 0x1p-24 * (1 + std::fabs(value));
        if (test.residual) expected += residual[i * test.n + j];
        ASSERT_NEAR(found, expected, bound + 0x1p-23 * std::fabs(expected)) << i << ", " << j;
      }
    }
  }

  LinearInt8Case test;
  std::vector<float> x, bias, residual;
  Int8Table weight;
  PackedMatrix matrix;

 private:
  Guarded packed_;
  Operand operand_;
};

TEST_P(LinearInt8Test, PackingIsUndoneExactly) {
  const int64_t panel = table().packing.panel;
  for (int64_t n : {int64_t{1}, panel - 1, panel, panel + 1, 3 * panel + 2}) {
    for (int64_t k : {1, 2, 3, 4, 5, 7, 16, 33}) {
      const LinearInt8Problem problem(table(), {1, k, n});
      std::vector<uint8_t> unpacked(problem.weight.bytes.size(), 0xAA);
      table().packing.unpack(&problem.matrix, unpacked.data());
      EXPECT_EQ(unpacked, problem.weight.bytes) << n << " × " << k;
    }
  }
}

TEST_P(LinearInt8Test, MatchesTheReferenceAtEveryEdge) {
  const int64_t panel = table().packing.panel;
  for (int64_t rows : {0, 1, 2, 3, 4, 5, 6, 7, 8, 13}) {
    for (int64_t n : {int64_t{1}, panel - 1, panel, 2 * panel + 1, 6 * panel + 3}) {
      for (int64_t k : {1, 2, 3, 4, 5, 17}) {
        const LinearInt8Case test = {rows, k, n};
        const LinearInt8Problem problem(table(), test);
        problem.expectRight(table(), problem.run(table(), 2, 0, rows));
      }
    }
  }
}

TEST_P(LinearInt8Test, TakesManyBlocksChunksAndGroups) {
  for (int64_t k : {383, 384, 385, 767, 768, 769, 1601}) {
    for (int64_t rows : {1, 6, 40}) {
      const LinearInt8Problem problem(table(), {rows, k, 67});
      problem.expectRight(table(), problem.run(table(), 3, 0, rows));
    }
  }
  const LinearInt8Problem wide(table(), {301, 50, 1100});
  wide.expectRight(table(), wide.run(table(), 4, 0, 301));
}

TEST_P(LinearInt8Test, AppliesBiasActivationAndResidual) {
  for (Activation activation : kActivations) {
    for (bool bias : {false, true}) {
      for (bool residual : {false, true}) {
        const LinearInt8Problem problem(table(), {9, 20, 37, activation, bias, residual});
        problem.expectRight(table(), problem.run(table(), 1, 0, 9));
      }
    }
  }
}

// Every product as large as it can be, with both signs of the sum.
TEST_P(LinearInt8Test, TheLongestRowDoesNotOverflow) {
  const int64_t k = kMaxInt8Columns;
  for (float sign : {1.0f, -1.0f}) {
    const LinearInt8Problem problem(table(), {2, k, 3, Activation::kNone, false, false},
                                    std::vector<float>(2 * k, sign),
                                    std::vector<float>(3 * k, 1.0f));
    problem.expectRight(table(), problem.run(table(), 1, 0, 2));
  }
}

TEST_P(LinearInt8Test, ARowKeepsItsBitsAloneAmongOthersAndOnAnyTeam) {
  const LinearInt8Case test = {151, 773, 83, Activation::kGelu};
  const LinearInt8Problem problem(table(), test);
  const std::vector<float> whole = problem.run(table(), 1, 0, test.rows);
  for (int threads = 2; threads <= 4; threads++) {
    expectSameBits(problem.run(table(), threads, 0, test.rows), whole, "team");
  }
  for (int64_t rows : {1, 2, 5, 6, 7, 20}) {
    for (int64_t first : {int64_t{0}, int64_t{29}, test.rows - rows}) {
      const std::vector<float> expected(whole.begin() + first * test.n,
                                        whole.begin() + (first + rows) * test.n);
      expectSameBits(problem.run(table(), 2, first, rows), expected, std::to_string(rows));
    }
  }
}

// Neighbours as large as they can be together, against the largest byte: 255·128 in either
// direction, of equal weights and of a large and a small one, which 16 bits just hold.
TEST_P(LinearInt8Test, TheLargestPairsDoNotSaturate) {
  const int64_t k = 24;
  std::vector<float> x(k, 1.0f), w;
  x[k - 1] = 0;  // the range is from 0, so that all others are 255 steps above it
  for (float one : {127.0f, 64.0f, 1.0f}) {
    for (float sign : {1.0f, -1.0f}) {
      for (int64_t i = 0; i < k; i++) w.push_back(sign * (i % 2 ? 128 - one : one));
    }
  }
  const LinearInt8Problem problem(table(), {1, k, 6, Activation::kNone, false, false}, x, w);
  int largest = 0;
  for (int64_t j = 0; j < 6; j++) {
    largest = std::max(largest, std::abs(problem.weight.value(j, 0) + problem.weight.value(j, 1)));
  }
  EXPECT_EQ(largest, 128);
  problem.expectRight(table(), problem.run(table(), 1, 0, 1));
}

// NaN and infinity reach every output of their row and no other row.
TEST_P(LinearInt8Test, PassesOnNanAndInfinity) {
  for (float odd : {NAN, INFINITY, -INFINITY}) {
    const LinearInt8Case test = {8, 33, 40, Activation::kNone, false, false};
    LinearInt8Problem problem(table(), test);
    problem.x[3 * test.k + 32] = odd;
    const std::vector<float> y = problem.run(table(), 2, 0, test.rows);
    for (int64_t i = 0; i < test.rows; i++) {
      for (int64_t j = 0; j < test.n; j++) {
        EXPECT_EQ(std::isnan(y[i * test.n + j]), i == 3) << i << ", " << j;
      }
    }
  }
}

}  // namespace
}  // namespace heddle::test
