// The vector vocabulary (simd/README.md), lane by lane, against plain C++.
#include <cmath>
#include <cstring>
#include <random>

#include "test/guarded.h"
#include "test/probe/probes.h"

namespace heddle::test {
namespace {

class SimdTest : public ProbeTest {};
HEDDLE_FOR_EACH_PROBE(SimdTest);

uint32_t bitsOf(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof(bits));
  return bits;
}

float fromBits(uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, sizeof(x));
  return x;
}

void expectSame(float found, float expected, const std::string& what) {
  if (std::isnan(expected)) {
    EXPECT_TRUE(std::isnan(found)) << what << " gives " << found << ", expected NaN";
  } else {
    EXPECT_EQ(bitsOf(found), bitsOf(expected))
        << what << " gives " << found << ", expected " << expected;
  }
}

const float kSpecial[] = {0.0f,       -0.0f,      1.0f,   -1.0f,   0.5f,     1.5f,     2.5f,
                          -2.5f,      3.1415927f, 1e-40f, -1e-40f, 1e-38f,   1e38f,    -3.4e38f,
                          8388607.5f, 8388609.0f, -0.3f,  NAN,     INFINITY, -INFINITY};

// Every pair of special values.
void fillPairs(std::vector<float>* a, std::vector<float>* b) {
  for (float x : kSpecial) {
    for (float y : kSpecial) {
      a->push_back(x);
      b->push_back(y);
    }
  }
}

TEST_P(SimdTest, BinaryOperationsMatchPlainArithmetic) {
  std::vector<float> a, b;
  fillPairs(&a, &b);
  const struct {
    const char* name;
    float (*expected)(float, float);
  } cases[] = {
      {"add", [](float x, float y) { return x + y; }},
      {"sub", [](float x, float y) { return x - y; }},
      {"mul", [](float x, float y) { return x * y; }},
      {"div", [](float x, float y) { return x / y; }},
      {"min", [](float x, float y) { return x < y ? x : y; }},
      {"max", [](float x, float y) { return x > y ? x : y; }},
      {"less", [](float x, float y) { return x < y ? 1.0f : 0.0f; }},
      {"lessEqual", [](float x, float y) { return x <= y ? 1.0f : 0.0f; }},
      {"equal", [](float x, float y) { return x == y ? 1.0f : 0.0f; }},
      {"zero", [](float, float) { return 0.0f; }},
  };
  for (const auto& test : cases) {
    const std::vector<float> y = apply(test.name, a, b);
    for (size_t i = 0; i < a.size(); i++) {
      expectSame(
          y[i], test.expected(a[i], b[i]),
          std::string(test.name) + "(" + std::to_string(a[i]) + ", " + std::to_string(b[i]) + ")");
    }
  }
}

TEST_P(SimdTest, UnaryOperationsMatchPlainArithmetic) {
  std::vector<float> a(std::begin(kSpecial), std::end(kSpecial));
  std::mt19937 engine(1);
  for (int i = 0; i < 10000; i++) a.push_back(fromBits(static_cast<uint32_t>(engine())));
  const struct {
    const char* name;
    float (*expected)(float);
  } cases[] = {
      {"neg", [](float x) { return -x; }},
      {"abs", [](float x) { return std::fabs(x); }},
      {"sqrt", [](float x) { return std::sqrt(x); }},
      {"roundEven", [](float x) { return std::nearbyint(x); }},
      {"isNan", [](float x) { return std::isnan(x) ? 1.0f : 0.0f; }},
  };
  for (const auto& test : cases) {
    const std::vector<float> y = apply(test.name, a);
    for (size_t i = 0; i < a.size(); i++) {
      expectSame(y[i], test.expected(a[i]),
                 std::string(test.name) + "(" + std::to_string(a[i]) + ")");
    }
  }
}

TEST_P(SimdTest, FusedOperationsRoundOnceOrTwice) {
  std::mt19937 engine(2);
  std::uniform_real_distribution<float> uniform(-2, 2);
  std::vector<float> a(1003), b(1003), c(1003);
  for (size_t i = 0; i < a.size(); i++)
    a[i] = uniform(engine), b[i] = uniform(engine), c[i] = uniform(engine);
  const std::vector<float> plus = apply("fma", a, b, c), minus = apply("fnma", a, b, c);
  const bool twice = probe().lanes == 1;
  for (size_t i = 0; i < a.size(); i++) {
    const float product = a[i] * b[i];
    expectSame(plus[i], twice ? product + c[i] : std::fma(a[i], b[i], c[i]), "fma");
    expectSame(minus[i], twice ? c[i] - product : std::fma(-a[i], b[i], c[i]), "fnma");
  }
}

TEST_P(SimdTest, ScaleByPowerOfTwoNeverGivesGarbage) {
  std::vector<float> x, n;
  for (float value : {0.0f, -0.0f, 1.0f, -0.70710678f, 1.4142135f, 1e-30f, 1e30f, INFINITY, NAN}) {
    for (int power = -300; power <= 300; power++) {
      x.push_back(value);
      n.push_back(static_cast<float>(power));
    }
  }
  const std::vector<float> y = apply("scaleByPowerOfTwo", x, n);
  for (size_t i = 0; i < x.size(); i++) {
    const float expected = std::ldexp(x[i], static_cast<int>(n[i]));
    const std::string what = std::to_string(x[i]) + " · 2^" + std::to_string(n[i]);
    if (std::isnan(expected) || std::fabs(expected) >= 1.17549435e-38f || expected == 0) {
      expectSame(y[i], expected, what);
    } else {
      EXPECT_NEAR(y[i], expected, 1.5e-45) << what;  // the result is subnormal: one unit
    }
  }
}

// A full register at every misalignment, then the first n lanes against a page that cannot be read.
TEST_P(SimdTest, LoadsAndStoresTouchTheirLanesOnly) {
  const int lanes = probe().lanes;
  for (int count = 0; count <= 2 * lanes + 1; count++) {
    const size_t bytes = sizeof(float) * static_cast<size_t>(count);
    Guarded a(bytes), b(bytes), y(bytes);
    float* values = static_cast<float*>(a.data());
    float* others = static_cast<float*>(b.data());
    float* sums = static_cast<float*>(y.data());
    for (int i = 0; i < count; i++) values[i] = static_cast<float>(i + 1), others[i] = 100.0f;
    for (int i = 0; i < probe().functionCount; i++) {
      if (std::strcmp(probe().functions[i].name, "add") != 0) continue;
      probe().functions[i].run(values, others, others, sums, count);
    }
    for (int i = 0; i < count; i++) EXPECT_EQ(sums[i], static_cast<float>(i + 101)) << count;
  }
  for (int n = 0; n <= lanes; n++) {
    const size_t count = static_cast<size_t>(n);
    Guarded floats(count * 4), ints(count * 4), halves(count * 2);
    for (int i = 0; i < n; i++) {
      static_cast<float*>(floats.data())[i] = static_cast<float>(i + 1);
      static_cast<int32_t*>(ints.data())[i] = -i - 1;
      static_cast<uint16_t*>(halves.data())[i] = 0x3f80;
    }
    std::vector<float> first(lanes, 9), integers(lanes, 9), bf16(lanes, 9), f16(lanes, 9);
    probe().loadFirst(static_cast<float*>(floats.data()), n, first.data());
    probe().loadFirstI32(static_cast<int32_t*>(ints.data()), n, integers.data());
    probe().loadFirstBf16(static_cast<uint16_t*>(halves.data()), n, bf16.data());
    probe().loadFirstF16(static_cast<uint16_t*>(halves.data()), n, f16.data());
    for (int i = 0; i < lanes; i++) {
      EXPECT_EQ(first[i], i < n ? i + 1.0f : 0.0f);
      EXPECT_EQ(integers[i], i < n ? -i - 1.0f : 0.0f);
      EXPECT_EQ(bf16[i], i < n ? 1.0f : 0.0f);
      EXPECT_EQ(f16[i], i < n ? 1.875f : 0.0f);
    }
  }
}

TEST_P(SimdTest, WidensEveryHalf) {
  const int lanes = probe().lanes;
  std::vector<uint16_t> bits(lanes);
  std::vector<float> bf16(lanes), f16(lanes);
  for (int base = 0; base < 65536; base += lanes) {
    for (int i = 0; i < lanes; i++) bits[i] = static_cast<uint16_t>(base + i);
    probe().loadBf16(bits.data(), bf16.data());
    probe().loadF16(bits.data(), f16.data());
    for (int i = 0; i < lanes; i++) {
      const uint32_t half = bits[i];
      expectSame(bf16[i], fromBits(half << 16), "bfloat16 " + std::to_string(half));
      const int exponent = half >> 10 & 31;
      const float fraction = static_cast<float>(half & 1023);
      float expected = exponent == 0    ? std::ldexp(fraction, -24)
                       : exponent == 31 ? (fraction == 0 ? INFINITY : NAN)
                                        : std::ldexp(1024 + fraction, exponent - 25);
      if (half & 0x8000) expected = -expected;
      expectSame(f16[i], expected, "float16 " + std::to_string(half));
    }
  }
}

TEST_P(SimdTest, RoundsToTheNearestBf16) {
  std::vector<float> x = {NAN,       -NAN,    fromBits(0x7f800001), fromBits(0xffffffff), INFINITY,
                          -INFINITY, 3.4e38f, 3.3895314e38f};
  for (uint32_t low : {0x7fffu, 0x8000u, 0x8001u, 0xffffu}) {
    for (uint32_t high = 0; high < 65536; high += 7) x.push_back(fromBits(high << 16 | low));
  }
  const std::vector<float> y = apply("roundToBf16", x);
  for (size_t i = 0; i < x.size(); i++) {
    if (std::isnan(x[i])) {
      EXPECT_TRUE(std::isnan(y[i]));
      EXPECT_EQ(bitsOf(y[i]) & 0xffff, 0u);
      continue;
    }
    // Of the two neighbours the nearer, at equal distance the even one.
    const uint32_t below = bitsOf(x[i]) & 0xffff0000u, rest = bitsOf(x[i]) & 0xffff;
    const bool up = rest > 0x8000 || (rest == 0x8000 && (below >> 16 & 1));
    EXPECT_EQ(bitsOf(y[i]), below + (up ? 0x10000u : 0u)) << x[i];
  }
}

TEST_P(SimdTest, ReducesAcrossLanes) {
  const int lanes = probe().lanes;
  std::vector<float> x(lanes);
  for (int hot = 0; hot < lanes; hot++) {
    for (int i = 0; i < lanes; i++) x[i] = static_cast<float>(-(1 << i));
    float total = 0;
    x[hot] = 0.5f;
    for (float value : x) total += value;
    EXPECT_EQ(probe().sum(x.data()), total);
    EXPECT_EQ(probe().maximum(x.data()), 0.5f);
    x[hot] = NAN;
    EXPECT_TRUE(std::isnan(probe().sum(x.data())));
    x[hot] = INFINITY;
    EXPECT_EQ(probe().maximum(x.data()), INFINITY);
  }
}

TEST_P(SimdTest, NumbersItsLanesAndConvertsIntegers) {
  const int lanes = probe().lanes;
  std::vector<float> numbers(lanes), converted(lanes);
  std::vector<int32_t> integers(lanes);
  for (int i = 0; i < lanes; i++) integers[i] = (i % 2 ? -1 : 1) * (16777216 - i);
  probe().iota(numbers.data());
  probe().loadI32(integers.data(), converted.data());
  for (int i = 0; i < lanes; i++) {
    EXPECT_EQ(numbers[i], static_cast<float>(i));
    EXPECT_EQ(converted[i], static_cast<float>(integers[i]));
  }
}

TEST_P(SimdTest, TransposesWholeBlocksAndEdges) {
  const int most = 2 * probe().lanes + 1;
  for (int rows = 0; rows <= most; rows++) {
    for (int cols = 0; cols <= most; cols++) {
      const int64_t sourceStride = cols + 1, targetStride = rows + 2;
      std::vector<float> source(static_cast<size_t>(rows * sourceStride));
      std::vector<float> target(static_cast<size_t>(cols * targetStride), -1);
      for (size_t i = 0; i < source.size(); i++) source[i] = static_cast<float>(i);
      probe().transpose(source.data(), sourceStride, target.data(), targetStride, rows, cols);
      for (int j = 0; j < cols; j++) {
        for (int i = 0; i < targetStride; i++) {
          ASSERT_EQ(target[j * targetStride + i], i < rows ? source[i * sourceStride + j] : -1.0f)
              << rows << " × " << cols;
        }
      }
    }
  }
}

}  // namespace
}  // namespace heddle::test
