#include "test/harness.h"

namespace heddle::test {
namespace {

class StateTest : public KernelTest {};
HEDDLE_FOR_EACH_ISA(StateTest);

TEST_P(StateTest, AssignCopiesEveryElement) {
  for (int64_t count : {0, 1, 7, 8, 9, 100, 16383, 16384, 16385, 50001}) {
    std::vector<float> source = normal(count, 1);
    if (count > 0) source.back() = NAN;
    for (int threads = 1; threads <= 4; threads++) {
      const Invocation invocation = {
          "assign", {Operand::f32({count}, source), {}}, {Operand::output({count})}, {}, {}};
      expectSameBits(run(table(), invocation, threads), source, std::to_string(count));
    }
  }
}

TEST_P(StateTest, AssignLeavesTheStateWhereItsGuardIsNotFinite) {
  const std::vector<float> before = normal(100, 1), source = normal(100, 2);
  for (float guard : {0.0f, 3e38f, -1.0f, INFINITY, -INFINITY, NAN}) {
    const Invocation invocation = {"assign",
                                   {Operand::f32({100}, source), Operand::f32({1}, {guard})},
                                   {Operand::f32({100}, before)},
                                   {},
                                   {}};
    const bool writes = guard == 0.0f || guard == 3e38f || guard == -1.0f;
    expectSameBits(run(table(), invocation, 2), writes ? source : before, std::to_string(guard));
  }
}

TEST_P(StateTest, AppendWritesItsRowsAndNoOthers) {
  const int64_t capacity = 40;
  for (int64_t columns : {1, 5, 16, 1000}) {
    for (int64_t rows : {0, 1, 3, 40}) {
      for (int32_t at : {0, 1, 17, 39, 40}) {
        if (at + rows > capacity) continue;
        const std::vector<float> before = normal(capacity * columns, 2);
        const std::vector<float> source = normal(rows * columns, 3);
        std::vector<float> expected = before;
        std::copy(source.begin(), source.end(), expected.begin() + at * columns);
        for (int threads : {1, 4}) {
          const Invocation invocation = {
              "append",
              {Operand::f32({rows, columns}, source), Operand::i32({1}, {at})},
              {Operand::f32({capacity, columns}, before)},
              {},
              {}};
          expectSameBits(run(table(), invocation, threads), expected,
                         std::to_string(rows) + " rows at " + std::to_string(at));
        }
      }
    }
  }
}

}  // namespace
}  // namespace heddle::test
