#include "test/harness.h"

namespace heddle::test {
namespace {

class RotaryTest : public KernelTest {};
HEDDLE_FOR_EACH_ISA(RotaryTest);

struct RotaryCase {
  int64_t rows, heads, size, half;
  int64_t fine, coarse;
  double base, factor;
};

double frequency(const RotaryCase& c, int64_t i) {
  return std::pow(c.base, -static_cast<double>(i) / static_cast<double>(c.half));
}

// Rows of cosines and sines for every `step`-th position.
std::vector<float> angles(const RotaryCase& c, int64_t rows, int64_t step, double factor) {
  std::vector<float> table;
  for (int64_t p = 0; p < rows; p++) {
    for (int part = 0; part < 2; part++) {
      for (int64_t i = 0; i < c.half; i++) {
        const double angle = static_cast<double>(p * step) * frequency(c, i);
        table.push_back(
            static_cast<float>(factor * (part == 0 ? std::cos(angle) : std::sin(angle))));
      }
    }
  }
  return table;
}

std::vector<RotaryCase> rotaryCases() {
  std::vector<RotaryCase> made;
  for (int64_t half = 1; half <= 33; half++) {
    made.push_back({5, 3, 2 * half, half, 16, 9, 10000.0, 1.0});
    made.push_back({4, 2, 2 * half + 5, half, 16, 9, 10000.0, 1.0});  // partly rotated
  }
  made.push_back({0, 2, 8, 4, 16, 9, 10000.0, 1.0});
  made.push_back({700, 4, 64, 32, 256, 512, 500000.0, 1.0});
  made.push_back({33, 2, 128, 64, 256, 512, 160000.0, 1.25});
  return made;
}

TEST_P(RotaryTest, MatchesItsDefinitionAtAnyPosition) {
  for (const RotaryCase& c : rotaryCases()) {
    const int64_t columns = c.heads * c.size;
    const std::vector<float> x = normal(c.rows * columns, 1);
    std::vector<int32_t> positions;
    for (int64_t r = 0; r < c.rows; r++) {
      const int64_t last = c.fine * c.coarse - 1;
      positions.push_back(static_cast<int32_t>(r < 3 ? last - r : r * 7919 % (last + 1)));
    }
    std::vector<double> expected(x.begin(), x.end());
    for (int64_t r = 0; r < c.rows; r++) {
      for (int64_t h = 0; h < c.heads; h++) {
        for (int64_t i = 0; i < c.half; i++) {
          const size_t a = static_cast<size_t>(r * columns + h * c.size + i);
          const size_t b = a + static_cast<size_t>(c.half);
          const double angle = positions[static_cast<size_t>(r)] * frequency(c, i);
          const double cosine = c.factor * std::cos(angle), sine = c.factor * std::sin(angle);
          expected[a] = x[a] * cosine - x[b] * sine;
          expected[b] = x[b] * cosine + x[a] * sine;
        }
      }
    }
    const Invocation invocation = {
        "rope",
        {Operand::f32({c.rows, columns}, x), Operand::i32({c.rows}, positions),
         Operand::f32({c.fine, 2 * c.half}, angles(c, c.fine, 1, 1.0)),
         Operand::f32({c.coarse, 2 * c.half}, angles(c, c.coarse, c.fine, c.factor))},
        {Operand::output({c.rows, columns})},
        {c.heads, 1},
        {}};
    const std::string what = std::to_string(c.heads) + " heads of " + std::to_string(c.size);
    const std::vector<float> one = run(table(), invocation);
    expectClose(one, expected, 2e-6, 1e-6, what);
    for (int threads = 2; threads <= 4; threads++) {
      expectSameBits(run(table(), invocation, threads), one, what);
    }
  }
}

// A position of the second variant is turned by the angles of the second half of the tables.
TEST_P(RotaryTest, VariantsFollowEachOther) {
  const RotaryCase first{5, 2, 12, 5, 8, 4, 100.0, 1.0}, second{5, 2, 12, 5, 8, 4, 7.0, 1.5};
  const std::vector<float> x = normal(5 * 24, 3);
  const std::vector<int32_t> places = {0, 7, 8, 30, 31};
  const auto rotated = [&](const RotaryCase* c, int64_t variants, int32_t shift) {
    std::vector<float> fine, coarse;
    const auto append = [&](const RotaryCase& of) {
      const std::vector<float> f = angles(of, 8, 1, 1.0), g = angles(of, 4, 8, of.factor);
      fine.insert(fine.end(), f.begin(), f.end());
      coarse.insert(coarse.end(), g.begin(), g.end());
    };
    for (int64_t v = 0; v < variants; v++) append(c[v]);
    std::vector<int32_t> positions = places;
    for (int32_t& position : positions) position += shift;
    return run(table(),
               {"rope",
                {Operand::f32({5, 24}, x), Operand::i32({5}, positions),
                 Operand::f32({8 * variants, 10}, fine), Operand::f32({4 * variants, 10}, coarse)},
                {Operand::output({5, 24})},
                {2, variants},
                {}});
  };
  const RotaryCase both[] = {first, second};
  expectSameBits(rotated(both, 2, 0), rotated(&first, 1, 0), "the first variant");
  expectSameBits(rotated(both, 2, 32), rotated(&second, 1, 0), "the second variant");
}

TEST_P(RotaryTest, NonFiniteValuesStayInTheirPair) {
  const RotaryCase c{2, 2, 12, 5, 8, 4, 100.0, 1.0};
  const std::vector<float> x = normal(2 * 24, 3);
  const auto rotated = [&](const std::vector<float>& values) {
    return run(table(), {"rope",
                         {Operand::f32({2, 24}, values), Operand::i32({2}, {3, 31}),
                          Operand::f32({8, 10}, angles(c, 8, 1, 1.0)),
                          Operand::f32({4, 10}, angles(c, 4, 8, 1.0))},
                         {Operand::output({2, 24})},
                         {2, 1},
                         {}});
  };
  const std::vector<float> clean = rotated(x);
  std::vector<float> spoilt = x;
  spoilt[24 + 12 + 1] = NAN;  // row 1, head 1, component 1, which turns with component 6
  const std::vector<float> actual = rotated(spoilt);
  for (size_t i = 0; i < actual.size(); i++) {
    const bool touched = i == 24 + 12 + 1 || i == 24 + 12 + 6;
    EXPECT_EQ(std::isnan(actual[i]), touched) << i;
    if (!touched) {
      EXPECT_EQ(actual[i], clean[i]) << i;
    }
  }
}

}  // namespace
}  // namespace heddle::test
