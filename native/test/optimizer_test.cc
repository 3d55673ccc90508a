#include "test/harness.h"

namespace heddle::test {
namespace {

class OptimizerTest : public KernelTest {};
HEDDLE_FOR_EACH_ISA(OptimizerTest);

const std::vector<int64_t> kCounts = {0, 1, 7, 8, 9, 17, 4096, 4097, 20001};

Operand one(float value) { return Operand::f32({1}, {value}); }

TEST_P(OptimizerTest, SumOfSquaresIsNearlyExact) {
  for (int64_t count : kCounts) {
    const std::vector<float> x = normal(count, 1);
    double expected = 0;
    for (float value : x) expected += double{value} * value;
    for (int threads = 1; threads <= 3; threads++) {
      expectClose(
          run(table(), {"sumOfSquares", {Operand::f32({count}, x)}, {Operand::output({1})}, {}, {}},
              threads),
          {expected}, 0, 2e-6, std::to_string(count));
    }
  }
}

TEST_P(OptimizerTest, ClipFactorShortensOnlyWhatIsTooLong) {
  const auto factor = [&](float squares, double most) {
    return run(table(), {"clipFactor", {one(squares)}, {Operand::output({1})}, {}, {most}}, 2)[0];
  };
  EXPECT_FLOAT_EQ(factor(16, 1), 1 / 4.000001f);
  EXPECT_EQ(factor(0.25f, 1), 1.0f);
  EXPECT_EQ(factor(0, 1), 1.0f);
  EXPECT_EQ(factor(INFINITY, 1), 0.0f);
  EXPECT_TRUE(std::isnan(factor(NAN, 1)));
}

TEST_P(OptimizerTest, MomentsMatchTheirDefinition) {
  for (int64_t count : kCounts) {
    for (int64_t order : {1, 2}) {
      for (bool clipped : {false, true}) {
        const std::vector<float> before = normal(count, 1), gradient = normal(count, 2);
        const Invocation call = {"moment",
                                 {Operand::f32({count}, before), Operand::f32({count}, gradient),
                                  clipped ? one(0.25f) : Operand()},
                                 {Operand::output({count})},
                                 {order},
                                 {0.9, 0.1}};
        std::vector<double> expected;
        for (size_t i = 0; i < before.size(); i++) {
          const double g = gradient[i] * (clipped ? 0.25 : 1);
          expected.push_back(0.9 * before[i] + 0.1 * std::pow(g, static_cast<double>(order)));
        }
        for (int threads = 1; threads <= 3; threads++) {
          expectClose(run(table(), call, threads), expected, 3e-7, 3e-7, std::to_string(count));
        }
      }
    }
  }
}

TEST_P(OptimizerTest, DescentMatchesItsDefinition) {
  for (int64_t count : kCounts) {
    for (bool sign : {false, true}) {
      for (bool root : {false, true}) {
        const std::vector<float> p = normal(count, 1), direction = normal(count, 2);
        std::vector<float> squares = normal(count, 3);
        for (float& value : squares) value *= value;
        const float rates[3] = {0.1f, 1.25f, 2.5f};
        const Invocation call = {"descend",
                                 {Operand::f32({count}, p), Operand::f32({count}, direction),
                                  root ? Operand::f32({count}, squares) : Operand(),
                                  Operand::f32({3}, {rates[0], rates[1], rates[2]})},
                                 {Operand::output({count})},
                                 {sign},
                                 {0.5, 0.01}};
        std::vector<double> expected;
        for (size_t i = 0; i < p.size(); i++) {
          double step = sign ? (direction[i] > 0) - (direction[i] < 0) : direction[i] * rates[1];
          if (root) step /= std::sqrt(squares[i] * double{rates[2]}) + 0.01;
          expected.push_back(p[i] - rates[0] * (step + 0.5 * p[i]));
        }
        for (int threads = 1; threads <= 3; threads++) {
          expectClose(run(table(), call, threads), expected, 2e-6, 2e-6, std::to_string(count));
        }
      }
    }
  }
}

TEST_P(OptimizerTest, AdamIsItsPartsToTheBit) {
  for (int64_t count : kCounts) {
    const std::vector<float> p = normal(count, 1), m = normal(count, 2), g = normal(count, 3);
    std::vector<float> v = normal(count, 4);
    for (float& value : v) value *= value;
    const auto of = [&](const std::vector<float>& values) { return Operand::f32({count}, values); };
    const Operand rates = Operand::f32({3}, {0.1f, 1.25f, 2.5f}), clip = one(0.25f);
    const auto mean = [&](const std::vector<float>& before, int64_t order, double keep) {
      return run(table(), {"moment",
                           {of(before), of(g), clip},
                           {Operand::output({count})},
                           {order},
                           {keep, 1 - keep}});
    };
    const std::vector<float> first = mean(m, 1, 0.9), second = mean(v, 2, 0.99);
    const std::vector<float> expected = run(table(), {"descend",
                                                      {of(p), of(first), of(second), rates},
                                                      {Operand::output({count})},
                                                      {0},
                                                      {0.5, 0.01}});
    for (int threads = 1; threads <= 3; threads++) {
      for (const float guard : {1.0f, NAN, INFINITY}) {
        const std::vector<Operand> states = {of(p), of(m), of(v)};
        run(table(), {"adam", {of(g), rates, clip, one(guard)}, states, {}, {0.9, 0.99, 0.5, 0.01}},
            threads);
        const bool writes = guard == 1;
        expectSameBits(states[0].values(), writes ? expected : p, "parameter");
        expectSameBits(states[1].values(), writes ? first : m, "first moment");
        expectSameBits(states[2].values(), writes ? second : v, "second moment");
      }
    }
  }
}

}  // namespace
}  // namespace heddle::test
