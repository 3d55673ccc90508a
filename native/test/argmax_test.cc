#include "test/harness.h"

namespace heddle::test {
namespace {

class ArgmaxTest : public KernelTest {};
HEDDLE_FOR_EACH_ISA(ArgmaxTest);

std::vector<float> argmaxOf(const KernelTable& table, int64_t rows, int64_t columns,
                            const std::vector<float>& x, int threads = 2) {
  return run(table,
             {"argmax", {Operand::f32({rows, columns}, x)}, {Operand::output({rows, 2})}, {}, {}},
             threads);
}

std::vector<float> reference(int64_t rows, int64_t columns, const std::vector<float>& x) {
  std::vector<float> y;
  for (int64_t r = 0; r < rows; r++) {
    const float* row = x.data() + r * columns;
    const float* greatest =
        std::max_element(row, row + columns, [](float a, float b) { return a < b; });
    const float* nan = std::find_if(row, row + columns, [](float a) { return std::isnan(a); });
    const float* found = nan == row + columns ? greatest : nan;
    y.push_back(static_cast<float>(found - row));
    y.push_back(*found);
  }
  return y;
}

TEST_P(ArgmaxTest, FindsTheFirstOfTheGreatest) {
  for (int64_t columns :
       {1, 2, 7, 8, 31, 32, 63, 64, 65, 127, 256, 257, 511, 512, 513, 1025, 5000}) {
    std::vector<float> x = normal(5 * columns, static_cast<uint32_t>(columns), 2);
    expectSameBits(argmaxOf(table(), 5, columns, x), reference(5, columns, x), "numbers");
    for (float& value : x) value = std::round(value);
    expectSameBits(argmaxOf(table(), 5, columns, x), reference(5, columns, x), "equal ones");
    for (float& value : x) value = -INFINITY;
    expectSameBits(argmaxOf(table(), 5, columns, x), reference(5, columns, x), "all at -inf");
  }
}

TEST_P(ArgmaxTest, FindsWhatIsNoNumberAtEveryPlace) {
  const int64_t columns = 1100;
  const std::vector<float> numbers = normal(columns, 1);
  for (float odd : {std::nanf(""), INFINITY, -INFINITY}) {
    for (int64_t place = 0; place < columns; place++) {
      std::vector<float> x = numbers;
      x[static_cast<size_t>(place)] = odd;
      const std::vector<float> y = argmaxOf(table(), 1, columns, x, 1);
      const std::vector<float> expected = reference(1, columns, x);
      ASSERT_EQ(y[0], expected[0]);
      ASSERT_TRUE(y[1] == expected[1] || (std::isnan(y[1]) && std::isnan(expected[1])));
    }
  }
}

TEST_P(ArgmaxTest, TakesRowsOfNothingAndNoRows) {
  EXPECT_TRUE(argmaxOf(table(), 0, 9, {}).empty());
  const std::vector<float> y = argmaxOf(table(), 1, 0, {});
  EXPECT_EQ(y[0], 0);
  EXPECT_TRUE(std::isnan(y[1]));
}

}  // namespace
}  // namespace heddle::test
