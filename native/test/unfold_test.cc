#include "test/harness.h"

namespace heddle::test {
namespace {

class UnfoldTest : public KernelTest {};
HEDDLE_FOR_EACH_ISA(UnfoldTest);

TEST_P(UnfoldTest, MatchesItsDefinition) {
  const std::vector<int32_t> offsets = {0, 3, 3, 4, 20, 61};
  for (int64_t gap : {0, 1, 4}) {
    for (int64_t size : {1, 3, 5, 7}) {
      for (int64_t columns : {1, 2, 9, 40}) {
        const int64_t rows = offsets.back();
        const std::vector<float> x = normal(rows * columns, 1);
        std::vector<int32_t> positions;
        for (size_t s = 0; s + 1 < offsets.size(); s++) {
          for (int32_t i = 0; i < offsets[s + 1] - offsets[s]; i++) {
            positions.push_back(i + i / 4 * static_cast<int32_t>(gap));
          }
        }
        std::vector<float> expected(static_cast<size_t>(rows * columns * size), 0.0f);
        for (size_t s = 0; s + 1 < offsets.size(); s++) {
          for (int64_t r = offsets[s]; r < offsets[s + 1]; r++) {
            for (int64_t n = offsets[s]; n < offsets[s + 1]; n++) {
              const int64_t t =
                  positions[static_cast<size_t>(n)] - positions[static_cast<size_t>(r)] + size / 2;
              for (int64_t c = 0; t >= 0 && t < size && c < columns; c++) {
                expected[static_cast<size_t>((r * columns + c) * size + t)] =
                    x[static_cast<size_t>(n * columns + c)];
              }
            }
          }
        }
        for (int threads = 1; threads <= 4; threads++) {
          const Invocation invocation = {
              "unfold",
              {Operand::f32({rows, columns}, x), Operand::i32({rows}, positions),
               Operand::i32({6}, offsets)},
              {Operand::output({rows, columns * size})},
              {size},
              {}};
          expectSameBits(run(table(), invocation, threads), expected,
                         std::to_string(size) + " of " + std::to_string(columns));
        }
      }
    }
  }
}

}  // namespace
}  // namespace heddle::test
