// `linear` and the packing of its weights.
#include "kernels/gemm.h"

#include "test/harness.h"
#include "test/reference.h"

namespace heddle::test {
namespace {

class GemmTest : public KernelTest {};
HEDDLE_FOR_EACH_ISA(GemmTest);

constexpr DType kWeightTypes[] = {DType::kFloat32, DType::kFloat16, DType::kBFloat16};

// A weight [n, k]: its stored elements, the numbers they stand for, and its packed form in memory
// that ends at a guard page.
class Weight {
 public:
  Weight(const KernelTable& table, DType dtype, int64_t n, int64_t k, bool transposed = false,
         int threads = 1)
      : packed_(static_cast<size_t>(table.packing.bytes(dtype, n, k))),
        operand_(DType::kInt32, {sizeof(PackedMatrix) / 4}) {
    const std::vector<float> drawn = normal(n * k, static_cast<uint32_t>(n * 31 + k), 0.5f);
    values.resize(drawn.size());
    for (size_t i = 0; i < drawn.size(); i++) append(dtype, drawn[i], i);
    std::vector<uint8_t> source = stored;
    const size_t size = elementBytes(dtype);
    for (int64_t row = 0; row < n && transposed; row++) {
      for (int64_t i = 0; i < k; i++) {
        std::memcpy(&source[(i * n + row) * size], &stored[(row * k + i) * size], size);
      }
    }
    matrix = {packed_.data(), dtype, n, k, table.packing.panel};
    for (int t = 0; t < threads; t++) {
      table.packing.pack(&matrix, source.data(), transposed, t, threads);
    }
    std::memcpy(operand_.tensor().data, &matrix, sizeof(matrix));
  }

  const Operand& operand() const { return operand_; }

  std::vector<double> values;
  std::vector<uint8_t> stored;
  PackedMatrix matrix;

 private:
  void append(DType dtype, float x, size_t i) {
    uint8_t bytes[4];
    uint16_t half = toBf16(x);
    values[i] = x;
    if (dtype == DType::kBFloat16) values[i] = fromBf16(half);
    if (dtype == DType::kFloat16) {
      half = static_cast<uint16_t>((half & 0x8000) | (0x3000 + (half & 0x0bff)));
      values[i] = fromF16(half);
    }
    std::memcpy(bytes, &half, sizeof(half));
    if (dtype == DType::kFloat32) std::memcpy(bytes, &x, sizeof(x));
    stored.insert(stored.end(), bytes, bytes + elementBytes(dtype));
  }

  Guarded packed_;
  Operand operand_;
};

struct GemmCase {
  int64_t rows, k, n;
  DType dtype = DType::kFloat32;
  Activation activation = Activation::kNone;
  bool bias = true, residual = true, roundInputs = false;

  std::string name() const {
    return std::to_string(rows) + "×" + std::to_string(k) + "×" + std::to_string(n) + " dtype " +
           std::to_string(static_cast<int>(dtype)) + " activation " +
           std::to_string(static_cast<int>(activation)) + (roundInputs ? " rounded" : "");
  }
};

// The operands of a case; `rows` of x from `firstRow` on.
struct GemmProblem {
  GemmProblem(const KernelTable& table, const GemmCase& test)
      : test(test),
        x(normal(test.rows * test.k, 1)),
        bias(normal(test.n, 2)),
        residual(normal(test.rows * test.n, 3)),
        weight(table, test.dtype, test.n, test.k) {}

  std::vector<float> run(const KernelTable& table, int threads, int64_t firstRow,
                         int64_t rows) const {
    const auto part = [&](const std::vector<float>& all, int64_t columns) {
      return std::vector<float>(all.begin() + firstRow * columns,
                                all.begin() + (firstRow + rows) * columns);
    };
    Invocation call;
    call.kernel = "linear";
    call.inputs = {
        Operand::f32({rows, test.k}, part(x, test.k)), weight.operand(),
        test.bias ? Operand::f32({test.n}, bias) : Operand(),
        test.residual ? Operand::f32({rows, test.n}, part(residual, test.n)) : Operand()};
    call.outputs = {Operand::output({rows, test.n})};
    call.ints = {static_cast<int64_t>(test.activation), test.roundInputs};
    return test::run(table, call, threads);
  }

  // |error| of a chain of k products: (k + 2)·2⁻²⁴·Σ|x·w|, then of the epilogue. Every activation
  // has a slope below 1.13.
  void expectRight(const std::vector<float>& y) const {
    ASSERT_EQ(y.size(), static_cast<size_t>(test.rows * test.n));
    for (int64_t i = 0; i < test.rows; i++) {
      for (int64_t j = 0; j < test.n; j++) {
        double sum = test.bias ? bias[j] : 0, magnitude = std::fabs(sum);
        for (int64_t k = 0; k < test.k; k++) {
          const float drawn = x[i * test.k + k];
          const double factor = test.roundInputs ? fromBf16(toBf16(drawn)) : drawn;
          const double product = factor * weight.values[j * test.k + k];
          sum += product;
          magnitude += std::fabs(product);
        }
        double expected = activated(test.activation, sum);
        double bound = 1.13 * (test.k + 2) * 0x1p-24 * magnitude + 8 * 0x1p-24 * std::fabs(sum);
        if (test.activation != Activation::kNone) bound += 8 * 0x1p-24 * (1 + std::fabs(sum));
        if (test.residual) expected += residual[i * test.n + j];
        bound += 0x1p-23 * std::fabs(expected) + 1e-37;
        ASSERT_NEAR(y[i * test.n + j], expected, bound) << test.name() << " at " << i << ", " << j;
      }
    }
  }

  GemmCase test;
  std::vector<float> x, bias, residual;
  Weight weight;
};

TEST_P(GemmTest, PackingIsUndoneExactly) {
  const int64_t panel = table().packing.panel;
  for (DType dtype : kWeightTypes) {
    for (int64_t n : {int64_t{0}, int64_t{1}, panel - 1, panel, panel + 1, 3 * panel + 2}) {
      for (int64_t k : {0, 1, 2, 7, 16, 33}) {
        for (bool transposed : {false, true}) {
          for (int threads : {1, 3}) {
            const Weight weight(table(), dtype, n, k, transposed, threads);
            std::vector<uint8_t> unpacked(weight.stored.size(), 0xAA);
            table().packing.unpack(&weight.matrix, unpacked.data());
            EXPECT_EQ(unpacked, weight.stored) << n << " × " << k;
          }
        }
      }
    }
  }
}

TEST_P(GemmTest, PackedBytesAreAtLeastOneAndDoNotOverflow) {
  for (DType dtype : kWeightTypes) {
    EXPECT_GE(table().packing.bytes(dtype, 0, 0), 1);
    EXPECT_GE(table().packing.bytes(dtype, 0, 5), 1);
    const int64_t huge = int64_t{1} << 47;
    EXPECT_GE(table().packing.bytes(dtype, huge, 1), huge * 2);
    EXPECT_GE(table().packing.bytes(dtype, 1, huge), huge * 2);
  }
}

TEST_P(GemmTest, MatchesTheReferenceAtEveryEdge) {
  const int64_t panel = table().packing.panel;
  for (int64_t rows : {0, 1, 2, 3, 4, 5, 6, 7, 8, 13}) {
    for (int64_t n : {int64_t{0}, int64_t{1}, panel - 1, panel, 2 * panel + 1, 6 * panel + 3}) {
      for (int64_t k : {0, 1, 2, 17}) {
        const GemmCase test = {rows, k, n};
        const GemmProblem problem(table(), test);
        problem.expectRight(problem.run(table(), 2, 0, rows));
      }
    }
  }
}

TEST_P(GemmTest, MatchesTheReferenceForEveryWeightType) {
  for (DType dtype : kWeightTypes) {
    for (bool roundInputs : {false, true}) {
      for (int64_t rows : {1, 2, 6, 7, 40}) {
        for (int64_t k : {1, 31, 384, 385, 801}) {
          GemmCase test = {rows, k, 67, dtype};
          test.roundInputs = roundInputs;
          const GemmProblem problem(table(), test);
          problem.expectRight(problem.run(table(), 3, 0, rows));
        }
      }
    }
  }
}

TEST_P(GemmTest, AppliesBiasActivationAndResidual) {
  for (Activation activation : kActivations) {
    for (bool bias : {false, true}) {
      for (bool residual : {false, true}) {
        const GemmCase test = {9, 20, 37, DType::kFloat32, activation, bias, residual};
        const GemmProblem problem(table(), test);
        problem.expectRight(problem.run(table(), 1, 0, test.rows));
      }
    }
  }
}

TEST_P(GemmTest, RunsManyChunksAndGroups) {
  const GemmCase test = {301, 50, 1100};
  const GemmProblem problem(table(), test);
  problem.expectRight(problem.run(table(), 4, 0, test.rows));
}

TEST_P(GemmTest, ARowKeepsItsBitsAloneAmongOthersAndOnAnyTeam) {
  for (DType dtype : kWeightTypes) {
    for (bool roundInputs : {false, true}) {
      GemmCase test = {151, 773, 83, dtype, Activation::kGelu};
      test.roundInputs = roundInputs;
      const GemmProblem problem(table(), test);
      const std::vector<float> whole = problem.run(table(), 1, 0, test.rows);
      for (int threads = 2; threads <= 4; threads++) {
        expectSameBits(problem.run(table(), threads, 0, test.rows), whole, test.name());
      }
      for (int64_t rows : {1, 2, 3, 5, 6, 7, 20}) {
        for (int64_t first : {int64_t{0}, int64_t{29}, test.rows - rows}) {
          const std::vector<float> expected(whole.begin() + first * test.n,
                                            whole.begin() + (first + rows) * test.n);
          expectSameBits(problem.run(table(), 2, first, rows), expected,
                         std::to_string(rows) + " rows from " + std::to_string(first));
        }
      }
    }
  }
}

// NaN and infinity reach the outputs of their row and no other.
TEST_P(GemmTest, PassesOnNanAndInfinity) {
  for (DType dtype : kWeightTypes) {
    for (bool roundInputs : {false, true}) {
      GemmCase test = {8, 33, 40, dtype, Activation::kNone, false, false};
      test.roundInputs = roundInputs;
      GemmProblem problem(table(), test);
      problem.x[3 * test.k + 32] = NAN;
      problem.x[5 * test.k] = INFINITY;
      const std::vector<float> y = problem.run(table(), 2, 0, test.rows);
      for (int64_t i = 0; i < test.rows; i++) {
        for (int64_t j = 0; j < test.n; j++) {
          const float found = y[i * test.n + j];
          const double sign = problem.weight.values[j * test.k];
          if (i == 3)
            EXPECT_TRUE(std::isnan(found)) << j;
          else if (i == 5)
            EXPECT_EQ(found, sign > 0 ? INFINITY : -INFINITY) << j;
          else
            EXPECT_TRUE(std::isfinite(found)) << i << ", " << j;
        }
      }
    }
  }
}

TEST_P(GemmTest, StopsBeforeTheNextTaskWhenCancelled) {
  const GemmProblem problem(table(), {4, 8, 40});
  const Operand x = Operand::f32({4, 8}, problem.x), y = Operand::output({4, 40});
  const Tensor inputs[4] = {x.tensor(), problem.weight.operand().tensor(), {}, {}};
  const int64_t ints[2] = {};
  WorkCounter work{0};
  const int32_t cancelled = 1;
  const Call call{inputs, &y.tensor(), ints, nullptr, &work, &cancelled};
  findKernel(table(), "linear")->run(call, 0, 1, {nullptr, 0});
  for (float value : y.values()) EXPECT_TRUE(std::isnan(value));
}

}  // namespace
}  // namespace heddle::test
