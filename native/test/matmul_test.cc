// `matmul`: both sides as they come, each possibly transposed, and perhaps rounded to bfloat16.
#include <algorithm>

#include "test/harness.h"
#include "test/reference.h"

namespace heddle::test {
namespace {

class MatmulTest : public KernelTest {};
HEDDLE_FOR_EACH_ISA(MatmulTest);

struct Product {
  int64_t m, k, n;
  bool roundInputs = false;
  bool finishes = false;  // with bias, ReLU and residual

  // op(a) [m, k] and op(b) [k, n].
  std::vector<float> a() const { return normal(m * k, 11); }
  std::vector<float> b() const { return normal(k * n, 12); }
  std::vector<float> bias() const { return normal(n, 13); }
  std::vector<float> residual() const { return normal(m * n, 14); }

  std::vector<float> run(const KernelTable& table, int threads, bool transposeA,
                         bool transposeB) const {
    Invocation call;
    call.kernel = "matmul";
    call.inputs = {side(a(), m, k, transposeA), side(b(), k, n, transposeB),
                   finishes ? Operand::f32({n}, bias()) : Operand(),
                   finishes ? Operand::f32({m, n}, residual()) : Operand()};
    call.outputs = {Operand::output({m, n})};
    call.ints = {transposeA, transposeB, finishes ? 1 : 0, roundInputs};
    return test::run(table, call, threads);
  }

  static Operand side(const std::vector<float>& values, int64_t rows, int64_t columns,
                      bool transposed) {
    if (!transposed) return Operand::f32({rows, columns}, values);
    Operand made(DType::kFloat32, {columns, rows});
    for (int64_t i = 0; i < rows; i++) {
      for (int64_t j = 0; j < columns; j++) {
        made.floats()[j * rows + i] = values[static_cast<size_t>(i * columns + j)];
      }
    }
    return made;
  }

  // What is multiplied of the values.
  std::vector<float> factors(std::vector<float> values) const {
    for (float& value : values) value = roundInputs ? fromBf16(toBf16(value)) : value;
    return values;
  }

  struct Answers {
    std::vector<double> values, allowed;
  };
  Answers solve() const {
    const std::vector<float> left = factors(a()), right = factors(b());
    const std::vector<float> offset = bias(), after = residual();
    Answers answers;
    for (int64_t i = 0; i < m; i++) {
      for (int64_t j = 0; j < n; j++) {
        double sum = 0, magnitude = 0;
        for (int64_t p = 0; p < k; p++) {
          const double product = static_cast<double>(left[i * k + p]) * right[p * n + j];
          sum += product;
          magnitude += std::fabs(product);
        }
        double allowed = (k + 2) * 0x1p-24 * magnitude;
        if (finishes) {
          sum = std::max(0.0, sum + offset[j]) + after[i * n + j];
          allowed += 0x1p-22 * (std::fabs(offset[j]) + std::fabs(sum));
        }
        answers.values.push_back(sum);
        answers.allowed.push_back(allowed);
      }
    }
    return answers;
  }

  void expectRightInEveryOrientation(const KernelTable& table, int threads) const {
    const Answers answers = solve();
    for (bool transposeA : {false, true}) {
      for (bool transposeB : {false, true}) {
        const std::vector<float> c = run(table, threads, transposeA, transposeB);
        ASSERT_EQ(c.size(), answers.values.size());
        for (size_t i = 0; i < c.size(); i++) {
          ASSERT_NEAR(c[i], answers.values[i], answers.allowed[i])
              << m << "×" << k << "×" << n << " at " << i << (transposeA ? ", a" : "")
              << (transposeB ? ", b" : "") << " transposed";
        }
      }
    }
  }
};

TEST_P(MatmulTest, MatchesTheReferenceInEveryOrientation) {
  const int64_t panel = table().packing.panel;
  for (int64_t m : {0, 1, 5, 6, 7, 19}) {
    for (int64_t n : {int64_t{0}, int64_t{1}, panel - 1, panel, 2 * panel + 5}) {
      for (int64_t k : {0, 1, 8, 33, 390}) {
        Product{m, k, n}.expectRightInEveryOrientation(table(), 2);
      }
    }
  }
  for (int64_t k : {1, 33, 390, 391}) {
    for (int64_t m : {3, 19}) {
      Product{m, k, 2 * panel + 5, true, m == 19}.expectRightInEveryOrientation(table(), 2);
    }
  }
  // Many chunks and groups of several panels; many chunks and blocks of k.
  for (const Product& product : {Product{310, 9, 18 * panel + 5}, Product{160, 800, 3 * panel + 5},
                                 Product{160, 801, 3 * panel + 5, true, true}}) {
    product.expectRightInEveryOrientation(table(), 3);
  }
}

TEST_P(MatmulTest, KeepsPanelsForTheRowsThatFollow) {
  const int64_t panel = table().packing.panel;
  for (bool roundInputs : {false, true}) {
    // Several chunks of rows a task; several groups of columns; panels too long to be kept.
    for (const Product& product :
         {Product{1000, 391, 21, roundInputs}, Product{70, 10, 1200, roundInputs},
          Product{7, 70001, panel + 1, roundInputs}}) {
      product.expectRightInEveryOrientation(table(), 1);
    }
  }
}

TEST_P(MatmulTest, GivesTheSameBitsOnAnyTeamAndInAnyOrientation) {
  for (bool roundInputs : {false, true}) {
    const Product product = {150, 500, 77, roundInputs, roundInputs};
    const std::vector<float> alone = product.run(table(), 1, false, false);
    for (int threads = 2; threads <= 4; threads++) {
      const bool transposeA = threads % 2 == 0, transposeB = threads > 2;
      expectSameBits(product.run(table(), threads, transposeA, transposeB), alone,
                     std::to_string(threads) + " threads");
    }
  }
}

}  // namespace
}  // namespace heddle::test
