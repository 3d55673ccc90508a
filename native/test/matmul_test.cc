// `matmul`: both sides as they come, each possibly transposed.
#include "test/harness.h"

namespace heddle::test {
namespace {

class MatmulTest : public KernelTest {};
HEDDLE_FOR_EACH_ISA(MatmulTest);

struct Product {
  int64_t m, k, n;
  bool transposeA, transposeB;

  std::vector<float> a() const { return normal(m * k, 11); }
  std::vector<float> b() const { return normal(k * n, 12); }

  std::vector<float> run(const KernelTable& table, int threads) const {
    Invocation call;
    call.kernel = "matmul";
    call.inputs = {transposeA ? Operand::f32({k, m}, a()) : Operand::f32({m, k}, a()),
                   transposeB ? Operand::f32({n, k}, b()) : Operand::f32({k, n}, b())};
    call.outputs = {Operand::output({m, n})};
    call.ints = {transposeA, transposeB};
    return test::run(table, call, threads);
  }

  void expectRight(const std::vector<float>& c) const {
    const std::vector<float> left = a(), right = b();
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
        ASSERT_NEAR(c[i * n + j], sum, (k + 2) * 0x1p-24 * magnitude)
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
      // Many chunks and groups; many chunks and blocks of k.
      for (const Product& product : {Product{310, 40, 600, transposeA, transposeB},
                                     Product{160, 800, 150, transposeA, transposeB}}) {
        product.expectRight(product.run(table(), 3));
      }
    }
  }
}

TEST_P(MatmulTest, GivesTheSameBitsOnAnyTeamAndInAnyOrientation) {
  const Product product = {150, 500, 77, false, false};
  const std::vector<float> alone = product.run(table(), 1);
  for (int threads = 2; threads <= 4; threads++) {
    expectSameBits(product.run(table(), threads), alone, std::to_string(threads) + " threads");
  }
}

}  // namespace
}  // namespace heddle::test
