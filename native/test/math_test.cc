// The elementary functions (simd/math.h) against double precision, in units of the last place.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "test/probe/probes.h"

namespace heddle::test {
namespace {

class MathTest : public ProbeTest {
 public:
  // Of the rational functions, in ULP: without fused operations they round more often.
  double bound() const { return probe().lanes == 1 ? 8 : 6; }
};
HEDDLE_FOR_EACH_PROBE(MathTest);

constexpr float kSmallestNormal = std::numeric_limits<float>::min();

// Floats from `low` to `high`, spread evenly over their bit patterns: every binade counts the same.
std::vector<float> sweep(float low, float high, int count) {
  uint32_t first, last;
  std::memcpy(&first, &low, sizeof(first));
  std::memcpy(&last, &high, sizeof(last));
  std::vector<float> values;
  for (int i = 0; i <= count; i++) {
    const auto bits =
        static_cast<uint32_t>(first + (static_cast<uint64_t>(last) - first) * i / count);
    float value;
    std::memcpy(&value, &bits, sizeof(value));
    values.push_back(value);
    values.push_back(-value);
  }
  return values;
}

std::vector<float> spread(float low, float high, int count) {
  std::vector<float> values;
  for (int i = 0; i <= count; i++)
    values.push_back(low + (high - low) * static_cast<float>(i) / count);
  return values;
}

double unitOf(double exact) {
  const auto rounded = static_cast<float>(std::fabs(exact));
  return rounded < kSmallestNormal ? 0x1p-149 : std::nextafter(rounded, INFINITY) - rounded;
}

void expectWithin(double ulps, const std::vector<float>& x, const std::vector<float>& y,
                  double (*exact)(double), const std::string& name) {
  double worst = 0;
  for (size_t i = 0; i < x.size(); i++) {
    const double expected = exact(x[i]);
    const double error = std::fabs(y[i] - expected) / unitOf(expected);
    ASSERT_LE(error, ulps) << name << "(" << x[i] << ") is " << y[i] << ", expected " << expected;
    worst = std::max(worst, error);
  }
  ::testing::Test::RecordProperty("ulps", std::to_string(worst));
}

TEST_P(MathTest, ExpWithinTwoUlp) {
  for (const auto& x : {spread(-87.3f, 88.7f, 500000), sweep(1e-30f, 87.0f, 300000)}) {
    expectWithin(
        2, x, apply("exp", x), [](double v) { return std::exp(v); }, "exp");
  }
}

TEST_P(MathTest, ExpAtItsEnds) {
  const std::vector<float> x = {-INFINITY, -1e30f, -105, -104, INFINITY,
                                1e30f,     88.73f, 0.0f, -0.0f};
  const std::vector<float> expected = {0, 0, 0, 0, INFINITY, INFINITY, INFINITY, 1, 1};
  const std::vector<float> y = apply("exp", x);
  for (size_t i = 0; i < x.size(); i++) EXPECT_EQ(y[i], expected[i]) << "exp(" << x[i] << ")";
  EXPECT_TRUE(std::isnan(apply("exp", {NAN})[0]));
  EXPECT_TRUE(std::isnan(apply("exp", {-NAN})[0]));
  // Subnormal results: one unit of them.
  const std::vector<float> low = spread(-104, -87.3f, 100000);
  const std::vector<float> found = apply("exp", low);
  for (size_t i = 0; i < low.size(); i++) {
    ASSERT_NEAR(found[i], std::exp(static_cast<double>(low[i])),
                1.01 * 0x1p-149 + 2e-7 * kSmallestNormal)
        << low[i];
  }
}

TEST_P(MathTest, ExpNonPositiveWithinItsBound) {
  std::vector<float> x = spread(-87.3f, 0.0f, 500000);
  for (float value : sweep(1e-30f, 87.0f, 300000)) {
    if (value <= 0) x.push_back(value);
  }
  const std::vector<float> y = apply("expNonPositive", x);
  for (size_t i = 0; i < x.size(); i++) {
    const double expected = std::exp(static_cast<double>(x[i]));
    ASSERT_LE(std::fabs(y[i] - expected) / unitOf(expected), 2 + 1.25 * std::fabs(x[i])) << x[i];
  }
}

TEST_P(MathTest, ExpNonPositiveAtItsEnds) {
  const std::vector<float> x = {-INFINITY, -1e30f, -104, -87.34f, 0.0f, -0.0f};
  const std::vector<float> expected = {0, 0, 0, 0, 1, 1};
  const std::vector<float> y = apply("expNonPositive", x);
  for (size_t i = 0; i < x.size(); i++) EXPECT_EQ(y[i], expected[i]) << x[i];
  // Whatever a NaN carries.
  for (uint32_t bits : {0x7fc00000u, 0xffc00000u, 0x7fc00001u, 0x7fffffffu, 0x7f800001u}) {
    float nan;
    std::memcpy(&nan, &bits, sizeof(nan));
    EXPECT_TRUE(std::isnan(apply("expNonPositive", {nan})[0])) << bits;
  }
}

TEST_P(MathTest, ErfWithinItsBound) {
  for (const auto& x : {spread(-5, 5, 500000), sweep(1e-35f, 4.0f, 300000)}) {
    expectWithin(
        bound(), x, apply("erf", x), [](double v) { return std::erf(v); }, "erf");
  }
}

TEST_P(MathTest, TanhWithinItsBound) {
  for (const auto& x : {spread(-11, 11, 500000), sweep(1e-35f, 10.0f, 300000)}) {
    expectWithin(
        bound(), x, apply("tanh", x), [](double v) { return std::tanh(v); }, "tanh");
  }
}

TEST_P(MathTest, SigmoidWithinFourUlp) {
  for (const auto& x : {spread(-87, 87, 500000), sweep(1e-35f, 87.0f, 300000)}) {
    expectWithin(
        4, x, apply("sigmoid", x), [](double v) { return 1 / (1 + std::exp(-v)); }, "sigmoid");
  }
}

TEST_P(MathTest, BoundedFunctionsReachTheirLimits) {
  for (const char* name : {"erf", "tanh"}) {
    const std::vector<float> y = apply(name, {INFINITY, -INFINITY, 20, -20, 0.0f, -0.0f});
    const std::vector<float> expected = {1, -1, 1, -1, 0, -0.0f};
    for (size_t i = 0; i < y.size(); i++) {
      EXPECT_EQ(y[i], expected[i]) << name;
      EXPECT_EQ(std::signbit(y[i]), std::signbit(expected[i])) << name;
    }
    EXPECT_TRUE(std::isnan(apply(name, {NAN})[0])) << name;
    for (float value : apply(name, spread(-30, 30, 100000)))
      ASSERT_LE(std::fabs(value), 1.0f) << name;
  }
  const std::vector<float> y = apply("sigmoid", {INFINITY, -INFINITY, 100, -100, 0});
  const std::vector<float> expected = {1, 0, 1, 0, 0.5f};
  for (size_t i = 0; i < y.size(); i++) EXPECT_EQ(y[i], expected[i]);
  EXPECT_TRUE(std::isnan(apply("sigmoid", {NAN})[0]));
}

}  // namespace
}  // namespace heddle::test
