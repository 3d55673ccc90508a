// `linearInt4`, on blocks that `quantizeBlocks` of the same instruction set made, against the
// product in double precision of the numbers that the blocks stand for.
#include "kernels/linear_int4.h"

#include "quantize.h"
#include "quantize_int4.h"
#include "test/harness.h"
#include "test/reference.h"

namespace heddle::test {
namespace {

class LinearInt4Test : public KernelTest {};
HEDDLE_FOR_EACH_ISA(LinearInt4Test);

struct LinearInt4Case {
  int64_t rows, k, n;
  Activation activation = Activation::kNone;
  bool bias = true, residual = true;
};

struct LinearInt4Problem {
  LinearInt4Problem(const KernelTable& table, const LinearInt4Case& test)
      : LinearInt4Problem(table, test, normal(test.rows * test.k, 1),
                          normal(test.n * test.k, 4, 0.5f)) {}

  LinearInt4Problem(const KernelTable& kernels, const LinearInt4Case& test,
                    const std::vector<float>& x, const std::vector<float>& w)
      : test(test),
        x(x),
        bias(normal(test.n, 2)),
        residual(normal(test.rows * test.n, 3)),
        weight(static_cast<size_t>(test.n * blocksOf(test.k))),
        packed_(static_cast<size_t>(kernels.packing.bytes(DType::kInt4, test.n, test.k))),
        operand_(DType::kInt32, {sizeof(PackedMatrix) / 4}) {
    quantizeWeights(DType::kInt4, w.data(), test.n, test.k, false, weight.data(), 0, 1);
    pack(kernels);
  }

  void pack(const KernelTable& kernels) {
    matrix = {packed_.data(), DType::kInt4, test.n, test.k, kernels.packing.panel};
    for (int t = 0; t < 3; t++) kernels.packing.pack(&matrix, weight.data(), false, t, 3);
    std::memcpy(operand_.tensor().data, &matrix, sizeof(matrix));
  }

  std::vector<float> run(const KernelTable& table, int threads, int64_t firstRow,
                         int64_t rows) const {
    const auto part = [&](const std::vector<float>& all, int64_t columns) {
      return std::vector<float>(all.begin() + firstRow * columns,
                                all.begin() + (firstRow + rows) * columns);
    };
    Invocation call;
    call.kernel = "linearInt4";
    call.inputs = {
        quantize(table, threads, rows, part(x, test.k)), operand_,
        test.bias ? Operand::f32({test.n}, bias) : Operand(),
        test.residual ? Operand::f32({rows, test.n}, part(residual, test.n)) : Operand()};
    call.outputs = {Operand::output({rows, test.n})};
    call.ints = {static_cast<int64_t>(test.activation)};
    return test::run(table, call, threads);
  }

  Operand quantize(const KernelTable& table, int threads, int64_t rows,
                   const std::vector<float>& values) const {
    Invocation call;
    call.kernel = "quantizeBlocks";
    call.inputs = {Operand::f32({rows, test.k}, values)};
    call.outputs = {Operand::outputOf(DType::kInt8Blocks, {rows, test.k})};
    test::run(table, call, threads);
    return call.outputs[0];
  }

  // |y − Σ x·w| ≤ (2 B + 6) u Σ_b (|products of b| + |minimum·sum of x|) for B blocks.
  void expectRight(const KernelTable& table, const std::vector<float>& y) const {
    ASSERT_EQ(y.size(), static_cast<size_t>(test.rows * test.n));
    const Operand quantized = quantize(table, 1, test.rows, x);
    const auto* inputs = static_cast<const Int8Block*>(quantized.tensor().data);
    const int64_t blocks = blocksOf(test.k);
    std::vector<float> weights(static_cast<size_t>(test.n * test.k));
    dequantizeWeights(DType::kInt4, weight.data(), test.n, test.k, weights.data());
    for (int64_t i = 0; i < test.rows; i++) {
      for (int64_t j = 0; j < test.n; j++) {
        double sum = 0, magnitude = 0;
        for (int64_t b = 0; b < blocks; b++) {
          Int8Block block;
          std::memcpy(&block, inputs + i * blocks + b, sizeof(block));
          double products = 0, offsets = 0;
          float minimum;
          dequantizeInt4Row(lowest(weight[j * blocks + b]).data(), 1, &minimum);
          for (int64_t k = b * kBlockValues; k < std::min(test.k, (b + 1) * kBlockValues); k++) {
            const double value = block.values[k % kBlockValues] * static_cast<double>(block.scale);
            sum += value * weights[j * test.k + k];
            products += value * (weights[j * test.k + k] - minimum);
            offsets += value * minimum;
          }
          magnitude += std::fabs(products) + std::fabs(offsets);
        }
        double bound = (2.0 * blocks + 6) * 0x1p-24 * magnitude;
        if (test.bias) sum += bias[j];
        double expected = activated(test.activation, sum);
        bound = 1.2 * bound + 8 * 0x1p-24 * (1 + std::fabs(sum));
        if (test.residual) expected += residual[i * test.n + j];
        ASSERT_NEAR(y[i * test.n + j], expected, bound + 0x1p-23 * std::fabs(expected))
            << test.rows << "×" << test.k << "×" << test.n << " at " << i << ", " << j;
      }
    }
  }

  // The block whose every value is the minimum of this one.
  static std::vector<Int4Block> lowest(const Int4Block& block) {
    return {{block.scale, block.minimum, {}}};
  }

  LinearInt4Case test;
  std::vector<float> x, bias, residual;
  std::vector<Int4Block> weight;
  PackedMatrix matrix;

 private:
  Guarded packed_;
  Operand operand_;
};

TEST_P(LinearInt4Test, PackingIsUndoneExactly) {
  const int64_t panel = table().packing.panel;
  for (int64_t n : {int64_t{1}, panel - 1, panel, panel + 1, 3 * panel + 2}) {
    for (int64_t k : {1, 5, 16, 31, 32, 33, 97}) {
      const LinearInt4Problem problem(table(), {1, k, n});
      std::vector<Int4Block> unpacked(problem.weight.size());
      table().packing.unpack(&problem.matrix, unpacked.data());
      EXPECT_EQ(
          std::memcmp(unpacked.data(), problem.weight.data(), unpacked.size() * sizeof(Int4Block)),
          0)
          << n << " × " << k;
    }
  }
}

TEST_P(LinearInt4Test, MatchesTheReferenceAtEveryEdge) {
  const int64_t panel = table().packing.panel;
  for (int64_t rows : {0, 1, 2, 3, 4, 5, 6, 7, 9}) {
    for (int64_t n : {int64_t{1}, panel - 1, panel, 2 * panel + 1, 6 * panel + 3}) {
      for (int64_t k : {1, 4, 31, 32, 33, 71}) {
        const LinearInt4Problem problem(table(), {rows, k, n});
        problem.expectRight(table(), problem.run(table(), 2, 0, rows));
      }
    }
  }
}

TEST_P(LinearInt4Test, TakesManyChunksAndGroups) {
  const LinearInt4Problem deep(table(), {3, 1601, 67});
  deep.expectRight(table(), deep.run(table(), 3, 0, 3));
  const LinearInt4Problem wide(table(), {301, 50, 601});
  wide.expectRight(table(), wide.run(table(), 4, 0, 301));
}

TEST_P(LinearInt4Test, AppliesBiasActivationAndResidual) {
  for (Activation activation : kActivations) {
    for (bool bias : {false, true}) {
      for (bool residual : {false, true}) {
        const LinearInt4Problem problem(table(), {9, 40, 37, activation, bias, residual});
        problem.expectRight(table(), problem.run(table(), 1, 0, 9));
      }
    }
  }
}

// Every product as large as it can be, with both signs of the sum.
TEST_P(LinearInt4Test, ABlockDoesNotOverflow) {
  for (float sign : {1.0f, -1.0f}) {
    const LinearInt4Case test = {5, 64, 3, Activation::kNone, false, false};
    LinearInt4Problem problem(table(), test, std::vector<float>(5 * 64, sign),
                              std::vector<float>(3 * 64));
    for (Int4Block& block : problem.weight) {
      block = {0x3c00, 0, {}};  // scale 1
      std::memset(block.values, 0xff, sizeof(block.values));
    }
    problem.pack(table());
    for (float y : problem.run(table(), 1, 0, 5)) EXPECT_NEAR(y, sign * 15 * 64, 1e-3f);
  }
}

TEST_P(LinearInt4Test, ARowKeepsItsBitsAloneAmongOthersAndOnAnyTeam) {
  const LinearInt4Case test = {151, 173, 83, Activation::kGelu};
  const LinearInt4Problem problem(table(), test);
  const std::vector<float> whole = problem.run(table(), 1, 0, test.rows);
  for (int threads = 2; threads <= 4; threads++) {
    expectSameBits(problem.run(table(), threads, 0, test.rows), whole, "team");
  }
  for (int64_t rows : {1, 2, 3, 5, 6, 7, 20}) {
    for (int64_t first : {int64_t{0}, int64_t{29}, test.rows - rows}) {
      const std::vector<float> expected(whole.begin() + first * test.n,
                                        whole.begin() + (first + rows) * test.n);
      expectSameBits(problem.run(table(), 2, first, rows), expected, std::to_string(rows));
    }
  }
}

// NaN and infinity reach every output of their row and no other row.
TEST_P(LinearInt4Test, PassesOnNanAndInfinity) {
  for (float odd : {NAN, INFINITY, -INFINITY}) {
    const LinearInt4Case test = {8, 33, 40, Activation::kNone, false, false};
    LinearInt4Problem problem(table(), test);
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
