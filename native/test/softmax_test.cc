#include "test/harness.h"

namespace heddle::test {
namespace {

class SoftmaxTest : public KernelTest {};
HEDDLE_FOR_EACH_ISA(SoftmaxTest);

Invocation softmaxOf(int64_t rows, int64_t columns, const std::vector<float>& x, double t) {
  return {
      "softmax", {Operand::f32({rows, columns}, x)}, {Operand::output({rows, columns})}, {}, {t}};
}

std::vector<double> reference(int64_t rows, int64_t columns, const std::vector<float>& x,
                              double t) {
  std::vector<double> y(x.size());
  const size_t n = static_cast<size_t>(columns);
  for (size_t r = 0; r < static_cast<size_t>(rows); r++) {
    double greatest = -INFINITY, total = 0;
    for (size_t i = 0; i < n; i++) greatest = std::max(greatest, t * x[r * n + i]);
    for (size_t i = 0; i < n; i++) total += y[r * n + i] = std::exp(t * x[r * n + i] - greatest);
    for (size_t i = 0; i < n; i++) y[r * n + i] /= total;
  }
  return y;
}

TEST_P(SoftmaxTest, MatchesItsDefinition) {
  for (double t : {1.0, 0.0, 0.25, 20.0, -1.0, -3.5}) {
    for (int64_t columns = 1; columns <= 67; columns++) {
      const std::vector<float> x = normal(5 * columns, static_cast<uint32_t>(columns), 2);
      expectClose(run(table(), softmaxOf(5, columns, x, t), 2), reference(5, columns, x, t), 1e-37,
                  2e-5, "t " + std::to_string(t) + ", columns " + std::to_string(columns));
    }
  }
  const std::vector<float> x = normal(50 * 1000, 9);
  const std::vector<float> one = run(table(), softmaxOf(50, 1000, x, 1), 1);
  expectClose(one, reference(50, 1000, x, 1), 0, 2e-5, "many columns");
  for (int threads = 2; threads <= 4; threads++) {
    expectSameBits(run(table(), softmaxOf(50, 1000, x, 1), threads), one, "threads");
  }
}

TEST_P(SoftmaxTest, LargeElementsDoNotOverflow) {
  const std::vector<float> x = {3e38f, -3e38f, 3e38f, 0, 1, 2, 3, 4, 5};
  expectClose(run(table(), softmaxOf(1, 9, x, 4)), {0.5, 0, 0.5, 0, 0, 0, 0, 0, 0}, 0, 1e-6, "max");
  expectClose(run(table(), softmaxOf(1, 9, x, -4)), {0, 1, 0, 0, 0, 0, 0, 0, 0}, 0, 1e-6, "min");
}

TEST_P(SoftmaxTest, EmptyShapes) {
  EXPECT_TRUE(run(table(), softmaxOf(0, 7, {}, 1)).empty());
  EXPECT_TRUE(run(table(), softmaxOf(7, 0, {}, 1)).empty());
}

TEST_P(SoftmaxTest, NonFiniteElements) {
  const float infinity = INFINITY;
  for (size_t n : {3, 8, 9, 20}) {
    for (size_t at = 0; at < n; at++) {
      std::vector<float> x(n, 1.0f);
      const auto solve = [&](float value, double t) {
        x[at] = value;
        return run(table(), softmaxOf(1, static_cast<int64_t>(n), x, t));
      };
      for (float y : solve(NAN, 1)) EXPECT_TRUE(std::isnan(y));
      for (float y : solve(infinity, 1)) EXPECT_TRUE(std::isnan(y));
      for (float y : solve(-infinity, -1)) EXPECT_TRUE(std::isnan(y));
      std::vector<double> without(n, 1.0 / static_cast<double>(n - 1));
      without[at] = 0;
      expectClose(solve(-infinity, 1), without, 0, 1e-6, "-inf");
      expectClose(solve(infinity, -1), without, 0, 1e-6, "inf at t = -1");
    }
  }
  for (float y : run(table(), softmaxOf(1, 9, std::vector<float>(9, -infinity), 1))) {
    EXPECT_TRUE(std::isnan(y));
  }
}

}  // namespace
}  // namespace heddle::test
