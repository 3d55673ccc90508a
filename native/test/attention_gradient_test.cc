// attention and attentionGradient as a step of training runs them: the second is given what the
// first has kept.
#include "test/attention_cases.h"

namespace heddle::test {
namespace {

class AttentionGradientTest : public KernelTest {};
HEDDLE_FOR_EACH_ISA(AttentionGradientTest);

std::vector<AttentionCase> gradientCases() {
  std::vector<AttentionCase> cases;
  for (const AttentionCase& c : attentionCases()) {
    if (c.biasKind != 3) cases.push_back(c);
  }
  return cases;
}

struct GradientProblem {
  explicit GradientProblem(const AttentionCase& shape) : attention(shape), c(attention.c) {
    gradient = normal(attention.queryRows * c.heads * c.e, 7);
  }

  struct Results {
    std::vector<float> output, statistics, byQueries, byKeys, byValues;
  };
  // forward: threads of the way forward.
  Results compute(const KernelTable& table, int threads, int forward = 2) const {
    Results results;
    Invocation made = attention.invocation(false);
    made.outputs[1] = Operand::output({attention.queryRows, 2 * c.heads});
    results.output = run(table, made, forward);
    results.statistics = made.outputs[1].values();
    made = given(results);
    results.byQueries = run(table, made, threads);
    results.byKeys = made.outputs[1].values();
    results.byValues = made.outputs[2].values();
    return results;
  }

  Invocation given(const Results& results) const {
    const int64_t rows = attention.queryRows, keyRows = attention.keyRows;
    Invocation made = attention.invocation(false);
    made.kernel = "attentionGradient";
    made.inputs.push_back(Operand::f32({rows, c.heads * c.e}, results.output));
    made.inputs.push_back(Operand::f32({rows, 2 * c.heads}, results.statistics));
    made.inputs.push_back(Operand::f32({rows, c.heads * c.e}, gradient));
    made.outputs = {Operand::output({rows, c.heads * c.d}),
                    Operand::output({keyRows, c.keyHeads * c.d}),
                    Operand::output({keyRows, c.keyHeads * c.e})};
    return made;
  }

  // From the definition: sums over all pairs, with their magnitudes, which errors are relative to.
  struct Answers {
    std::vector<double> statistics, byQueries, byKeys, byValues;
  };
  Answers solve() const {
    const AttentionProblem& a = attention;
    const AttentionProblem::Answers forward = a.solve();
    const std::vector<int32_t> offsets = a.pairs();
    Answers answers;
    answers.statistics = forward.statistics;
    answers.byQueries.assign(a.q.size(), 0);
    answers.byKeys.assign(a.k.size(), 0);
    answers.byValues.assign(a.v.size(), 0);
    for (int64_t h = 0; h < c.heads; h++) {
      const int64_t keyHead = h * c.keyHeads / c.heads;
      for (size_t s = 0; s + 1 < c.queries.size(); s++) {
        const int64_t n = c.keys[s + 1] - c.keys[s];
        for (int64_t i = c.queries[s]; i < c.queries[s + 1]; i++) {
          const float* g = gradient.data() + (i * c.heads + h) * c.e;
          double mean = 0;
          for (int64_t x = 0; x < c.e; x++)
            mean += forward.output[(i * c.heads + h) * c.e + x] * g[x];
          for (int64_t j = 0; j < n; j++) {
            const double weight =
                forward.weights[h * offsets.back() + offsets[s] + (i - c.queries[s]) * n + j];
            if (weight == 0) continue;
            addPair(i * c.heads + h, (c.keys[s] + j) * c.keyHeads + keyHead, weight, mean, g,
                    &answers);
          }
        }
      }
    }
    return answers;
  }

  // query, key: numbers of the heads' vectors.
  void addPair(int64_t query, int64_t key, double weight, double mean, const float* g,
               Answers* answers) const {
    const float* q = attention.q.data() + query * c.d;
    const float* k = attention.k.data() + key * c.d;
    const float* v = attention.v.data() + key * c.e;
    double along = 0, score = 0;
    for (int64_t x = 0; x < c.e; x++) along += double{g[x]} * v[x];
    for (int64_t x = 0; x < c.d; x++) score += double{q[x]} * k[x];
    double slope = weight * (along - mean) * c.scale;
    if (c.softCap > 0) slope *= 1 - std::pow(std::tanh(c.scale * score / c.softCap), 2);
    for (int64_t x = 0; x < c.d; x++) {
      answers->byQueries[query * c.d + x] += slope * k[x];
      answers->byKeys[key * c.d + x] += slope * q[x];
    }
    for (int64_t x = 0; x < c.e; x++) answers->byValues[key * c.e + x] += weight * g[x];
  }

  AttentionProblem attention;
  const AttentionCase& c;
  std::vector<float> gradient;
};

TEST_P(AttentionGradientTest, MatchesItsDefinition) {
  for (const AttentionCase& c : gradientCases()) {
    const GradientProblem problem(c);
    const GradientProblem::Answers answers = problem.solve();
    const GradientProblem::Results results = problem.compute(table(), 2);
    // Weights carry the error of their exponents, a few 2⁻²⁴ of the scores; each gradient is a sum
    // of up to 64 rows of size √d.
    const double size = 1 + c.scale * static_cast<double>(c.d) / 4;
    const double bound = 6e-6 * size * size * std::sqrt(static_cast<double>(c.d + c.e));
    const double close = 2e-6 * size;
    expectClose(results.statistics, answers.statistics, close, close, c.name + " statistics");
    expectSameBits(run(table(), problem.attention.invocation(false), 1), results.output,
                   c.name + " without statistics");
    expectClose(results.byQueries, answers.byQueries, bound, bound, c.name + " by queries");
    expectClose(results.byKeys, answers.byKeys, bound, bound, c.name + " by keys");
    expectClose(results.byValues, answers.byValues, bound, bound, c.name + " by values");
  }
}

// With more threads, other shares: one goes through a whole head, or through a tile or a block.
TEST_P(AttentionGradientTest, BitsDoNotDependOnThreads) {
  for (const AttentionCase& c : gradientCases()) {
    const GradientProblem problem(c);
    const GradientProblem::Results one = problem.compute(table(), 1, 1);
    for (int threads : {2, 7}) {
      const GradientProblem::Results many = problem.compute(table(), threads);
      expectSameBits(many.statistics, one.statistics, c.name);
      expectSameBits(many.byQueries, one.byQueries, c.name);
      expectSameBits(many.byKeys, one.byKeys, c.name);
      expectSameBits(many.byValues, one.byValues, c.name);
    }
  }
}

TEST_P(AttentionGradientTest, ComputesWhatIsAskedFor) {
  AttentionCase c;
  c.queries = {0, 70, 75};
  const GradientProblem problem(c);
  const GradientProblem::Results all = problem.compute(table(), 1);
  for (int threads : {1, 8}) {
    for (size_t absent : {size_t{1}, size_t{2}}) {
      Invocation made = problem.given(all);
      made.outputs[absent] = Operand();
      expectSameBits(run(table(), made, threads), all.byQueries, "by queries");
      const bool keysAbsent = absent == 1;
      expectSameBits(made.outputs[3 - absent].values(), keysAbsent ? all.byValues : all.byKeys,
                     keysAbsent ? "by values" : "by keys");
    }
  }
}

TEST_P(AttentionGradientTest, QueriesThatSeeNothingTakeNoPart) {
  AttentionCase c;
  c.queries = {0, 4, 4, 9};
  c.keys = {0, 0, 3, 8};
  const GradientProblem problem(c);
  for (int threads : {1, 8}) {
    const GradientProblem::Results results = problem.compute(table(), threads);
    const size_t blind = static_cast<size_t>(4 * c.heads), alone = static_cast<size_t>(3 * c.heads);
    for (size_t i = 0; i < 2 * blind; i++) EXPECT_EQ(results.statistics[i], 0) << i;
    for (size_t i = 0; i < blind * 8; i++) EXPECT_EQ(results.byQueries[i], 0) << i;
    for (size_t i = 0; i < alone * 8; i++) {  // keys that no query sees
      EXPECT_EQ(results.byKeys[i], 0) << i;
      EXPECT_EQ(results.byValues[i], 0) << i;
    }
  }
}

}  // namespace
}  // namespace heddle::test
