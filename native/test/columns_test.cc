#include "test/harness.h"

namespace heddle::test {
namespace {

class ColumnsTest : public KernelTest {};
HEDDLE_FOR_EACH_ISA(ColumnsTest);

TEST_P(ColumnsTest, MatchesItsDefinition) {
  for (int64_t size = 1; size <= 35; size++) {
    for (int64_t count : {1, 2, 5}) {
      for (int64_t gap : {0, 1, 7}) {
        for (int64_t rows : {0, 1, 13, 700}) {
          const int64_t first = gap, step = size + gap, width = first + count * step;
          const std::vector<float> x = normal(rows * width, 1);
          std::vector<float> expected;
          for (int64_t r = 0; r < rows; r++) {
            for (int64_t b = 0; b < count; b++) {
              const auto begin = x.begin() + r * width + first + b * step;
              expected.insert(expected.end(), begin, begin + size);
            }
          }
          const Invocation invocation = {"columns",
                                         {Operand::f32({rows, width}, x)},
                                         {Operand::output({rows, size * count})},
                                         {first, step, size, count},
                                         {}};
          expectSameBits(run(table(), invocation, 1 + static_cast<int>(size % 3)), expected,
                         std::to_string(count) + " of " + std::to_string(size));
        }
      }
    }
  }
}

}  // namespace
}  // namespace heddle::test
