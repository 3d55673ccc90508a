#include "test/harness.h"
#include "test/reference.h"

namespace heddle::test {
namespace {

class ActivationTest : public KernelTest {
 public:
  std::vector<float> activate(Activation kind, const std::vector<float>& x, int threads) const {
    Invocation call;
    call.kernel = "activation";
    const auto count = static_cast<int64_t>(x.size());
    call.inputs = {Operand::f32({count}, x)};
    call.outputs = {Operand::output({count})};
    call.ints = {static_cast<int64_t>(kind)};
    return run(table(), call, threads);
  }
};
HEDDLE_FOR_EACH_ISA(ActivationTest);

// Lengths around the vector, and several spans. The bound: 8 units of 2⁻²⁴ of |x|, or of 1 if
// larger.
TEST_P(ActivationTest, MatchesTheReferenceAtEveryLength) {
  for (Activation kind : kActivations) {
    for (int length = 0; length <= 33; length++) {
      const std::vector<float> x = normal(length, 20 + length, 3);
      const std::vector<float> y = activate(kind, x, 2);
      ASSERT_EQ(y.size(), x.size());
      for (size_t i = 0; i < x.size(); i++) {
        ASSERT_NEAR(y[i], activated(kind, x[i]), 8 * 0x1p-24 * std::max(1.0f, std::fabs(x[i])));
      }
    }
  }
}

TEST_P(ActivationTest, MatchesTheReferenceOverItsRange) {
  std::vector<float> x;
  for (float v = -120; v <= 120; v += 0.00371f) x.push_back(v);
  for (Activation kind : kActivations) {
    const std::vector<float> y = activate(kind, x, 4);
    for (size_t i = 0; i < x.size(); i++) {
      ASSERT_NEAR(y[i], activated(kind, x[i]), 8 * 0x1p-24 * std::max(1.0f, std::fabs(x[i])))
          << static_cast<int>(kind) << " at " << x[i];
    }
    expectSameBits(activate(kind, x, 1), y, "one thread and four");
  }
}

TEST_P(ActivationTest, KeepsNanAndReachesItsLimits) {
  for (Activation kind : kActivations) {
    const std::vector<float> y = activate(kind, {NAN, INFINITY, 1e30f, -1e30f}, 1);
    const bool bounded = kind == Activation::kTanh || kind == Activation::kSigmoid;
    EXPECT_TRUE(std::isnan(y[0])) << static_cast<int>(kind);
    EXPECT_EQ(y[1], bounded ? 1.0f : INFINITY) << static_cast<int>(kind);
    EXPECT_EQ(y[2], bounded ? 1.0f : 1e30f) << static_cast<int>(kind);
    EXPECT_EQ(y[3], kind == Activation::kNone   ? -1e30f
                    : kind == Activation::kTanh ? -1.0f
                                                : 0.0f)
        << static_cast<int>(kind);
  }
}

}  // namespace
}  // namespace heddle::test
