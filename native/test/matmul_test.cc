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
  bool transposeA, transposeB;
  bool roundInputs = false;
  bool finishes = false;  // with bias, ReLU and residual

  std::vector<float> bias() const { return normal(n, 13); }
  std::vector<float> residual() const { return normal(m * n, 14); }
  // What is multiplied of the values.
  std::vector<float> factors(std::vector<float> values) const {
    for (float& value : values) value = roundInputs ? fromBf16(toBf16(value)) : value;
    return values;
  }

  std::vector<float> a() const { return normal(m * k, 11); }
  std::vector<float> b() const { return normal(k * n, 12); }

  std::vector<float> run(const KernelTable& table, int threads) const {
    Invocation call;
    call.kernel = "matmul";
    call.inputs = {transposeA ? Operand::f32({k, m}, a()) : Operand::f32({m, k}, a()),
                   transposeB ? Operand::f32({n, k}, b()) : Operand::f32({k, n}, b()),
                   finishes ? Operand::f32({n}, bias()) : Operand(),
                   finishes ? Operand::f32({m, n}, residual()) : Operand()};
    call.outputs = {Operand::output({m, n})};
    call.ints = {transposeA, transposeB, finishes ? 1 : 0, roundInputs};
    return test::run(table, call, threads);
  }

  void expectRight(const std::vector<float>& c) const {
    const std::vector<float> left = factors(a()), right = factors(b());
    const std::vector<float> offset = bias(), after = residual();
    ASSERT_EQ(c.size(), static_cast<size_t>(m * n));
    for (int64_t i = 0; i < m; i++) {
      for (int64_t j = 0; j < n; j++) {
        double sum = 0, magnitude = 0;
        for (int64_t p = 0; p < k; p++) {
          const double product = static_cast<double>(left[transposeA ? p * m + i : i * k + p]) *
                                 right[transposeB ? j * k + p : p * n + j];
          sum += product;
          magnitude += std::fabs(product);
        }
        double allowed = (k + 2) * 0x1p-24 * magnitude;
        if (finishes) {
          sum = std::max(0.0, sum + offset[j]) + after[i * n + j];
          allowed += 0x1p-22 * (std::fabs(offset[j]) + std::fabs(sum));
        }
        ASSERT_NEAR(c[i * n + j], sum, allowed)
            << m << "×" << k << "×" << n << " at " << i << ", " << j;
      }
    }
  }
};

TEST_P(MatmulTest, MatchesTheReferenceInEveryOrientation) {
  const int64_t panel = table().packing.panel;
  for (bool transposeA : {false, true}) {
    for (bool transposeB : {false, true}) {
      for (int64_t m : {0, 1, 5, 6, 7, 19}) {
        for (int64_t n : {int64_t{0}, int64_t{1}, panel - 1, panel, 2 * panel + 5}) {
          for (int64_t k : {0, 1, 8, 33, 390}) {
            const Product product = {m, k, n, transposeA, transposeB};
            product.expectRight(product.run(table(), 2));
          }
        }
      }
      for (int64_t k : {1, 33, 390, 391}) {
        for (int64_t m : {3, 19}) {
          Product rounded = {m, k, 2 * panel + 5, transposeA, transposeB, true, m == 19};
          rounded.expectRight(rounded.run(table(), 2));
        }
      }
      // Many chunks and groups; many chunks and blocks of k.
      for (const Product& product : {Product{310, 40, 600, transposeA, transposeB},
                                     Product{160, 800, 150, transposeA, transposeB},
                                     Product{160, 801, 150, transposeA, transposeB, true, true}}) {
        product.expectRight(product.run(table(), 3));
      }
    }
  }
}

TEST_P(MatmulTest, GivesTheSameBitsOnAnyTeamAndInAnyOrientation) {
  for (bool roundInputs : {false, true}) {
    const Product product = {150, 500, 77, false, false, roundInputs, roundInputs};
    const std::vector<float> alone = product.run(table(), 1);
    for (int threads = 2; threads <= 4; threads++) {
      expectSameBits(product.run(table(), threads), alone, std::to_string(threads) + " threads");
    }
  }
}

}  // namespace
}  // namespace heddle::test
