#include "test/harness.h"

namespace heddle::test {
namespace {

class NormTest : public KernelTest {};
HEDDLE_FOR_EACH_ISA(NormTest);

struct NormCase {
  int64_t rows, columns;
  bool gamma, beta;
  double epsilon;
  float offset = 0;  // added to every element, far above their deviation
  float deviation = 1;
};

std::vector<NormCase> normCases() {
  std::vector<NormCase> cases;
  for (int64_t columns = 1; columns <= 33; columns++) {
    cases.push_back({3, columns, columns % 2 == 0, columns % 3 == 0, 1e-5});
  }
  for (int64_t columns : {63, 64, 65, 127, 128, 129, 384, 768, 1000}) {
    cases.push_back({40, columns, true, true, 1e-12});
  }
  cases.push_back({0, 8, true, true, 1e-5});
  cases.push_back({700, 31, true, false, 1e-5});
  cases.push_back({2, 384, true, true, 1e-12, 1000, 1});
  cases.push_back({2, 384, true, true, 1e-12, 30000, 0.125});
  cases.push_back({2, 384, true, true, 1e-12, 0, 1e-6f});
  cases.push_back({2, 384, true, true, 1e-12, 0, 1e15f});
  return cases;
}

std::string describe(const NormCase& c) {
  return std::to_string(c.rows) + " × " + std::to_string(c.columns) + " + " +
         std::to_string(c.offset);
}

struct NormProblem {
  explicit NormProblem(const NormCase& c) : c(c) {
    x = normal(c.rows * c.columns, 1, c.deviation);
    for (float& value : x) value += c.offset;
    gamma = normal(c.columns, 2);
    beta = normal(c.columns, 3);
  }

  Invocation layer() const {
    return {"layerNorm",
            {Operand::f32({c.rows, c.columns}, x),
             c.gamma ? Operand::f32({c.columns}, gamma) : Operand(),
             c.beta ? Operand::f32({c.columns}, beta) : Operand()},
            {Operand::output({c.rows, c.columns})},
            {},
            {c.epsilon}};
  }
  Invocation rms(double offset) const {
    return {"rmsNorm",
            {Operand::f32({c.rows, c.columns}, x),
             c.gamma ? Operand::f32({c.columns}, gamma) : Operand()},
            {Operand::output({c.rows, c.columns})},
            {1},
            {c.epsilon, offset}};
  }

  // (x − mean) / √(variance + ε)·gamma + beta, or without the mean.
  std::vector<double> solve(bool centered, double offset) const {
    std::vector<double> y(x.size());
    const size_t n = static_cast<size_t>(c.columns);
    for (size_t r = 0; r < static_cast<size_t>(c.rows); r++) {
      const float* row = x.data() + r * n;
      double mean = 0, squares = 0;
      for (size_t i = 0; i < n && centered; i++) mean += row[i] / static_cast<double>(n);
      for (size_t i = 0; i < n; i++) squares += (row[i] - mean) * (row[i] - mean);
      const double factor = 1 / std::sqrt(squares / static_cast<double>(n) + c.epsilon);
      for (size_t i = 0; i < n; i++) {
        y[r * n + i] = (row[i] - mean) * factor * (c.gamma ? gamma[i] + offset : 1) +
                       (centered && c.beta ? beta[i] : 0);
      }
    }
    return y;
  }

  NormCase c;
  std::vector<float> x, gamma, beta;
};

TEST_P(NormTest, MatchesItsDefinition) {
  for (const NormCase& c : normCases()) {
    const NormProblem problem(c);
    for (int threads = 1; threads <= 4; threads++) {
      expectClose(run(table(), problem.layer(), threads), problem.solve(true, 0), 4e-6, 4e-6,
                  "layerNorm " + describe(c));
      for (double offset : {0.0, 1.0}) {
        expectClose(run(table(), problem.rms(offset), threads), problem.solve(false, offset), 1e-7,
                    4e-6, "rmsNorm " + describe(c));
      }
    }
  }
}

TEST_P(NormTest, RowsDoNotDependOnEachOther) {
  for (const NormCase& c : normCases()) {
    const NormProblem whole(c);
    const std::vector<float> layer = run(table(), whole.layer(), 3);
    const std::vector<float> rms = run(table(), whole.rms(1), 3);
    for (int64_t r = 0; r < std::min<int64_t>(c.rows, 5); r++) {
      NormProblem alone = whole;
      alone.c.rows = 1;
      const auto cut = [&](const auto& from) {
        return std::vector<float>(from.begin() + r * c.columns, from.begin() + (r + 1) * c.columns);
      };
      alone.x = cut(whole.x);
      expectSameBits(run(table(), alone.layer()), cut(layer), describe(c));
      expectSameBits(run(table(), alone.rms(1)), cut(rms), describe(c));
    }
  }
}

// Groups of columns are normalised as rows of their own would be.
TEST_P(NormTest, GroupsAreRows) {
  for (int64_t width : {1, 7, 16, 64}) {
    const std::vector<float> x = normal(5 * 3 * width, 1), gamma = normal(width, 2);
    const auto normed = [&](int64_t rows, int64_t groups) {
      return run(table(),
                 {"rmsNorm",
                  {Operand::f32({rows, groups * width}, x), Operand::f32({width}, gamma)},
                  {Operand::output({rows, groups * width})},
                  {groups},
                  {1e-6, 1.0}},
                 2);
    };
    expectSameBits(normed(5, 3), normed(15, 1), "groups of " + std::to_string(width));
  }
}

TEST_P(NormTest, NonFiniteElementsSpoilTheirRowOnly) {
  for (float bad : {NAN, INFINITY, -INFINITY}) {
    NormProblem problem({3, 21, true, true, 1e-5});
    problem.x[21 + 20] = bad;
    const std::vector<float> y = run(table(), problem.layer());
    const std::vector<float> z = run(table(), problem.rms(0));
    for (size_t i = 0; i < y.size(); i++) {
      EXPECT_EQ(std::isnan(y[i]), i / 21 == 1) << i;
      if (std::isnan(bad)) {
        EXPECT_EQ(std::isnan(z[i]), i / 21 == 1) << i;
      }
    }
  }
}

TEST_P(NormTest, ConstantRowGivesBeta) {
  NormProblem problem({1, 37, false, true, 1e-5});
  problem.x.assign(37, 3.1f);
  expectClose(run(table(), problem.layer()),
              std::vector<double>(problem.beta.begin(), problem.beta.end()), 1e-6, 0, "constant");
}

}  // namespace
}  // namespace heddle::test
