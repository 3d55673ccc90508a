#include "test/attention_cases.h"

namespace heddle::test {
namespace {

class AttentionTest : public KernelTest {};
HEDDLE_FOR_EACH_ISA(AttentionTest);

TEST_P(AttentionTest, MatchesItsDefinition) {
  for (const AttentionCase& c : attentionCases()) {
    const AttentionProblem problem(c);
    const AttentionProblem::Answers answers = problem.solve();
    // A score of size s carries an error of about s·d·2⁻²⁴ into the exponent.
    const double bound = 2e-6 * (1 + c.scale * static_cast<double>(c.d) / 4);
    expectClose(run(table(), problem.invocation(false), 2), answers.output, bound, bound, c.name);
    expectClose(run(table(), problem.invocation(true), 2), answers.weights, bound, bound,
                c.name + " weights");
  }
}

TEST_P(AttentionTest, BitsDoNotDependOnThreads) {
  for (const AttentionCase& c : attentionCases()) {
    const AttentionProblem problem(c);
    const std::vector<float> one = run(table(), problem.invocation(false), 1);
    for (int threads = 2; threads <= 4; threads++) {
      expectSameBits(run(table(), problem.invocation(false), threads), one, c.name);
    }
  }
}

// Every segment alone gives the bits it gives among the others.
TEST_P(AttentionTest, BitsDoNotDependOnOtherSegments) {
  for (const AttentionCase& c : attentionCases()) {
    const AttentionProblem whole(c);
    const std::vector<float> together = run(table(), whole.invocation(false), 2);
    for (size_t s = 0; s + 1 < whole.c.queries.size(); s++) {
      const int32_t firstQuery = whole.c.queries[s], firstKey = whole.c.keys[s];
      AttentionProblem alone = whole;
      alone.c.queries = {0, whole.c.queries[s + 1] - firstQuery};
      alone.c.keys = {0, whole.c.keys[s + 1] - firstKey};
      alone.queryRows = alone.c.queries[1];
      alone.keyRows = alone.c.keys[1];
      const auto cut = [](auto* rows, int64_t first, int64_t count, int64_t width) {
        rows->erase(rows->begin(), rows->begin() + first * width);
        rows->resize(static_cast<size_t>(count * width));
      };
      cut(&alone.q, firstQuery, alone.queryRows, c.heads * c.d);
      cut(&alone.k, firstKey, alone.keyRows, c.keyHeads * c.d);
      cut(&alone.v, firstKey, alone.keyRows, c.keyHeads * c.e);
      cut(&alone.queryPositions, firstQuery, alone.queryRows, 1);
      cut(&alone.keyPositions, firstKey, alone.keyRows, 1);
      const auto begin = together.begin() + firstQuery * c.heads * c.e;
      expectSameBits(run(table(), alone.invocation(false)),
                     std::vector<float>(begin, begin + alone.queryRows * c.heads * c.e),
                     c.name + " segment " + std::to_string(s));
    }
  }
}

// The last query of a causal segment, asked alone with its position, as when text is generated.
TEST_P(AttentionTest, BitsDoNotDependOnOtherQueries) {
  AttentionCase c;
  c.heads = 6;
  c.right = 0;
  c.queries = {0, 150};
  const AttentionProblem whole(c);
  const std::vector<float> together = run(table(), whole.invocation(false));
  for (int32_t row : {0, 1, 50, 63, 64, 149}) {
    AttentionProblem single = whole;
    single.c.queries = {0, 1};
    single.c.positions = true;
    single.queryRows = 1;
    single.queryPositions = {row};
    const auto first = whole.q.begin() + row * c.heads * c.d;
    single.q = std::vector<float>(first, first + c.heads * c.d);
    const auto expected = together.begin() + row * c.heads * c.e;
    expectSameBits(run(table(), single.invocation(false)),
                   std::vector<float>(expected, expected + c.heads * c.e),
                   "query " + std::to_string(row));
  }
}

// NaN and infinities spoil the rows that see them; the bits of the others stay.
TEST_P(AttentionTest, NonFiniteInputsReachOnlyRowsThatSeeThem) {
  AttentionCase c;
  c.heads = 4;
  c.right = 0;
  c.left = 40;
  c.queries = {0, 30, 170};
  const AttentionProblem clean(c);
  const std::vector<float> expected = run(table(), clean.invocation(false), 2);
  for (float bad : {NAN, INFINITY, -INFINITY}) {
    for (int64_t row : {0, 7, 29, 35, 94, 100, 169}) {
      for (int which = 0; which < 3; which++) {
        AttentionProblem dirty = clean;
        std::vector<float>& spoilt = which == 0 ? dirty.q : which == 1 ? dirty.k : dirty.v;
        const int64_t width = (which == 0 ? c.heads : c.keyHeads) * c.d;
        spoilt[static_cast<size_t>(row * width + 3)] = bad;  // head 0
        const std::vector<float> actual = run(table(), dirty.invocation(false), 2);
        for (int64_t i = 0; i < clean.queryRows; i++) {
          const bool sameSegment = (i < 30) == (row < 30);
          for (int64_t h = 0; h < c.heads; h++) {
            const bool touched =
                which == 0 ? i == row && h == 0
                           : sameSegment && clean.visible(i, row) && h < c.heads / c.keyHeads;
            for (int64_t x = 0; x < c.e; x++) {
              const size_t at = static_cast<size_t>((i * c.heads + h) * c.e + x);
              if (!touched) {
                ASSERT_EQ(std::memcmp(&actual[at], &expected[at], sizeof(float)), 0)
                    << bad << " in operand " << which << ", row " << row << " changed row " << i;
              } else if (std::isnan(bad) && (which < 2 || x == 3)) {
                ASSERT_TRUE(std::isnan(actual[at]))
                    << "NaN in operand " << which << ", row " << row << " is lost in row " << i;
              }
            }
          }
        }
      }
    }
  }
}

TEST_P(AttentionTest, BiasOfMinusInfinityHidesKeys) {
  AttentionCase c;
  c.biasKind = 2;
  c.queries = {0, 70};
  AttentionProblem problem(c);
  for (int64_t h = 0; h < c.heads; h++) {
    for (int64_t i = 0; i < 70; i++) {
      for (int64_t j = 0; j < 70; j++) {
        if (i % 9 == 0 || j > i) {
          problem
              .bias[static_cast<size_t>((h * problem.biasDims[1] + i) * problem.biasDims[2] + j)] =
              -INFINITY;
        }
      }
    }
  }
  const std::vector<float> actual = run(table(), problem.invocation(false), 2);
  for (int64_t i = 0; i < 70; i++) {
    for (int64_t x = 0; x < c.heads * c.e; x++) {
      const float value = actual[static_cast<size_t>(i * c.heads * c.e + x)];
      ASSERT_TRUE(std::isfinite(value));
      ASSERT_EQ(i % 9 == 0, value == 0.0f) << "row " << i;
    }
  }
}

TEST_P(AttentionTest, VastScores) {
  for (const float size : {1e5f, 1e10f, 1.8e19f}) {
    AttentionCase c;
    c.d = 1;
    c.scale = 1;
    c.queries = {0, 20};
    AttentionProblem problem(c);
    for (float& x : problem.q) x = size;
    for (float& x : problem.k) x = size;
    const std::vector<float> actual = run(table(), problem.invocation(false), 1);
    expectClose(actual, problem.solve().output, 1e-6, 1e-6, std::to_string(size));
  }
}

TEST_P(AttentionTest, ScratchDoesNotDependOnLength) {
  const Kernel* kernel = findKernel(table(), "attention");
  size_t bytes[2];
  for (int i = 0; i < 2; i++) {
    AttentionCase c;
    c.queries = {0, i == 0 ? 10 : 3000};
    const Invocation invocation = AttentionProblem(c).invocation(false);
    std::vector<Tensor> inputs;
    for (const Operand& operand : invocation.inputs) inputs.push_back(operand.tensor());
    const Tensor output = invocation.outputs[0].tensor();
    const Call call{inputs.data(), &output, invocation.ints.data(), invocation.floats.data(),
                    nullptr,       nullptr};
    bytes[i] = kernel->scratch(call);
  }
  EXPECT_EQ(bytes[0], bytes[1]);
  EXPECT_LT(bytes[0], size_t{1} << 17);
}

}  // namespace
}  // namespace heddle::test
