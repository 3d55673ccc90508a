// `add`, `multiply` and `scale`.
#include "test/harness.h"

namespace heddle::test {
namespace {

class ElementwiseTest : public KernelTest {
 public:
  std::vector<float> combine(const char* kernel, const Operand& a, const Operand& b, int64_t rows,
                             int64_t columns, int threads) const {
    Invocation call;
    call.kernel = kernel;
    call.inputs = {a, b};
    call.outputs = {Operand::output({rows, columns})};
    return run(table(), call, threads);
  }
};
HEDDLE_FOR_EACH_ISA(ElementwiseTest);

TEST_P(ElementwiseTest, CombinesEqualShapesAndRows) {
  for (int64_t rows : {0, 1, 3}) {
    for (int64_t columns = 0; columns <= 33; columns++) {
      const std::vector<float> a = normal(rows * columns, 5), b = normal(rows * columns, 6);
      const std::vector<float> row = normal(columns, 7);
      const Operand left = Operand::f32({rows, columns}, a);
      const Operand same = Operand::f32({rows, columns}, b), one = Operand::f32({columns}, row);
      const auto sums = combine("add", left, same, rows, columns, 2);
      const auto products = combine("multiply", left, same, rows, columns, 2);
      const auto rowSums = combine("add", left, one, rows, columns, 2);
      const auto rowProducts = combine("multiply", left, one, rows, columns, 2);
      for (int64_t i = 0; i < rows * columns; i++) {
        ASSERT_EQ(sums[i], a[i] + b[i]);
        ASSERT_EQ(products[i], a[i] * b[i]);
        ASSERT_EQ(rowSums[i], a[i] + row[i % columns]);
        ASSERT_EQ(rowProducts[i], a[i] * row[i % columns]);
      }
    }
  }
}

// Rows that straddle the spans in which the team claims its work.
TEST_P(ElementwiseTest, RepeatsARowAcrossSpans) {
  const int64_t rows = 23, columns = 1003;
  const std::vector<float> a = normal(rows * columns, 8), row = normal(columns, 9);
  const auto y = combine("add", Operand::f32({rows, columns}, a), Operand::f32({columns}, row),
                         rows, columns, 4);
  for (int64_t i = 0; i < rows * columns; i++) ASSERT_EQ(y[i], a[i] + row[i % columns]) << i;
}

TEST_P(ElementwiseTest, ScalesAndShifts) {
  for (int64_t count : {0, 1, 7, 16, 17, 33, 9001}) {
    const std::vector<float> x = normal(count, 10);
    Invocation call;
    call.kernel = "scale";
    call.inputs = {Operand::f32({count}, x)};
    call.outputs = {Operand::output({count})};
    call.floats = {-0.375, 2.5};
    const std::vector<float> y = run(table(), call, 3);
    for (int64_t i = 0; i < count; i++) {
      ASSERT_NEAR(y[i], x[i] * -0.375 + 2.5, 0x1p-23 * (std::fabs(x[i]) + 2.5));
    }
  }
}

}  // namespace
}  // namespace heddle::test
