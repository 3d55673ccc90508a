// `multiplyAdd` and `sumRows`.
#include "test/harness.h"

namespace heddle::test {
namespace {

class CeilingTest : public KernelTest {};
HEDDLE_FOR_EACH_ISA(CeilingTest);

std::vector<float> stepped(const KernelTable& table, const std::vector<float>& x, int64_t steps,
                           int threads) {
  const int64_t count = static_cast<int64_t>(x.size());
  return run(table,
             {"multiplyAdd", {Operand::f32({count}, x)}, {Operand::output({count})}, {steps}, {}},
             threads);
}

TEST_P(CeilingTest, MultiplyAddFollowsItsChain) {
  for (int64_t steps : {0, 1, 2, 7, 60}) {
    for (int64_t count : {0, 1, 7, 8, 95, 96, 97, 500, 1537}) {
      const std::vector<float> x = normal(count, 5);
      std::vector<double> expected(x.begin(), x.end());
      for (double& y : expected) {
        for (int64_t step = 0; step < steps; step++) y = y / 2 + 0.25;
      }
      // Each rounding is halved by the step after it: two of them at most, of numbers below 4.
      expectClose(stepped(table(), x, steps, 3), expected, 2 * 0x1p-22, 0,
                  std::to_string(steps) + " steps of " + std::to_string(count));
    }
  }
}

TEST_P(CeilingTest, SumRowsMatchesItsDefinition) {
  for (int64_t rows : {0, 1, 3, 50}) {
    for (int64_t columns : {0, 1, 7, 31, 64, 257, 1000}) {
      const std::vector<float> x = normal(rows * columns, 6);
      std::vector<double> expected(static_cast<size_t>(rows));
      double most = 0;
      for (int64_t r = 0; r < rows; r++) {
        double magnitude = 0;
        for (int64_t c = 0; c < columns; c++) {
          const float value = x[static_cast<size_t>(r * columns + c)];
          expected[static_cast<size_t>(r)] += value;
          magnitude += std::fabs(value);
        }
        most = std::max(most, magnitude);
      }
      const std::vector<float> y = run(
          table(),
          {"sumRows", {Operand::f32({rows, columns}, x)}, {Operand::output({rows})}, {}, {}}, 2);
      expectClose(y, expected, (static_cast<double>(columns) / 4 + 8) * 0x1p-24 * most, 0,
                  std::to_string(rows) + " × " + std::to_string(columns));
    }
  }
}

}  // namespace
}  // namespace heddle::test
