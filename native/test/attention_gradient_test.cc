// attentionStatistics, attentionQueryGradient, attentionKeyValueGradient: the way a step of
// training goes, each given what the one before computed.
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

  Invocation with(const char* kernel, const std::vector<float>& first, int64_t firstWidth,
                  int64_t outputRows, int64_t outputWidth) const {
    Invocation made = attention.invocation(false);
    made.kernel = kernel;
    made.inputs.push_back(Operand::f32({attention.queryRows, firstWidth}, first));
    made.inputs.push_back(Operand::f32({attention.queryRows, c.heads * c.e}, gradient));
    made.outputs = {Operand::output({outputRows, outputWidth})};
    return made;
  }

  struct Results {
    std::vector<float> statistics, queries, keysAndValues;
  };
  Results compute(const KernelTable& table, int threads) const {
    const int64_t rows = attention.queryRows, keyRows = attention.keyRows, heads = c.heads;
    const std::vector<float> output = run(table, attention.invocation(false), threads);
    Results results;
    results.statistics =
        run(table, with("attentionStatistics", output, heads * c.e, rows, 3 * heads), threads);
    results.queries =
        run(table, with("attentionQueryGradient", results.statistics, 3 * heads, rows, heads * c.d),
            threads);
    results.keysAndValues = run(table,
                                with("attentionKeyValueGradient", results.statistics, 3 * heads,
                                     keyRows, c.keyHeads * (c.d + c.e)),
                                threads);
    return results;
  }

  // From the definition: sums over all pairs, with their magnitudes, which errors are relative to.
  void solve(std::vector<double>* queries, std::vector<double>* keysAndValues) const {
    const AttentionProblem& a = attention;
    std::vector<double> weights, output;
    a.solve(&weights, &output);
    const std::vector<int32_t> offsets = a.pairs();
    queries->assign(static_cast<size_t>(a.queryRows * c.heads * c.d), 0);
    keysAndValues->assign(static_cast<size_t>(a.keyRows * c.keyHeads * (c.d + c.e)), 0);
    for (int64_t h = 0; h < c.heads; h++) {
      const int64_t keyHead = h * c.keyHeads / c.heads;
      for (size_t s = 0; s + 1 < c.queries.size(); s++) {
        const int64_t n = c.keys[s + 1] - c.keys[s];
        for (int64_t i = c.queries[s]; i < c.queries[s + 1]; i++) {
          const float* g = gradient.data() + (i * c.heads + h) * c.e;
          double mean = 0;
          for (int64_t x = 0; x < c.e; x++) mean += output[(i * c.heads + h) * c.e + x] * g[x];
          for (int64_t j = 0; j < n; j++) {
            const int64_t key = c.keys[s] + j;
            const double weight =
                weights[h * offsets.back() + offsets[s] + (i - c.queries[s]) * n + j];
            if (weight == 0) continue;
            addPair(h, keyHead, i, key, weight, mean, g, queries, keysAndValues);
          }
        }
      }
    }
  }

  void addPair(int64_t h, int64_t keyHead, int64_t i, int64_t key, double weight, double mean,
               const float* g, std::vector<double>* queries,
               std::vector<double>* keysAndValues) const {
    const float* q = attention.q.data() + (i * c.heads + h) * c.d;
    const float* k = attention.k.data() + (key * c.keyHeads + keyHead) * c.d;
    const float* v = attention.v.data() + (key * c.keyHeads + keyHead) * c.e;
    double along = 0, score = 0;
    for (int64_t x = 0; x < c.e; x++) along += double{g[x]} * v[x];
    for (int64_t x = 0; x < c.d; x++) score += double{q[x]} * k[x];
    double slope = weight * (along - mean) * c.scale;
    if (c.softCap > 0) slope *= 1 - std::pow(std::tanh(c.scale * score / c.softCap), 2);
    double* byKey = keysAndValues->data() + key * c.keyHeads * (c.d + c.e);
    for (int64_t x = 0; x < c.d; x++) {
      (*queries)[(i * c.heads + h) * c.d + x] += slope * k[x];
      byKey[keyHead * c.d + x] += slope * q[x];
    }
    double* byValue = byKey + c.keyHeads * c.d + keyHead * c.e;
    for (int64_t x = 0; x < c.e; x++) byValue[x] += weight * g[x];
  }

  AttentionProblem attention;
  const AttentionCase& c;
  std::vector<float> gradient;
};

TEST_P(AttentionGradientTest, MatchesItsDefinition) {
  for (const AttentionCase& c : gradientCases()) {
    const GradientProblem problem(c);
    std::vector<double> queries, keysAndValues;
    problem.solve(&queries, &keysAndValues);
    const GradientProblem::Results results = problem.compute(table(), 2);
    // Weights carry the error of their exponents, a few 2⁻²⁴ of the scores; each gradient is a sum
    // of up to 64 rows of size √d.
    const double size = 1 + c.scale * static_cast<double>(c.d) / 4;
    const double bound = 6e-6 * size * size * std::sqrt(static_cast<double>(c.d + c.e));
    expectClose(results.queries, queries, bound, bound, c.name + " by queries");
    expectClose(results.keysAndValues, keysAndValues, bound, bound, c.name + " by keys, values");
  }
}

TEST_P(AttentionGradientTest, BitsDoNotDependOnThreads) {
  for (const AttentionCase& c : gradientCases()) {
    const GradientProblem problem(c);
    const GradientProblem::Results one = problem.compute(table(), 1);
    for (int threads : {2, 4}) {
      const GradientProblem::Results many = problem.compute(table(), threads);
      expectSameBits(many.statistics, one.statistics, c.name);
      expectSameBits(many.queries, one.queries, c.name);
      expectSameBits(many.keysAndValues, one.keysAndValues, c.name);
    }
  }
}

TEST_P(AttentionGradientTest, QueriesThatSeeNothingTakeNoPart) {
  AttentionCase c;
  c.queries = {0, 4};
  c.keys = {0, 0};
  const GradientProblem problem(c);
  const GradientProblem::Results results = problem.compute(table(), 2);
  for (float value : results.queries) EXPECT_EQ(value, 0);
  for (size_t i = 0; i < results.statistics.size(); i++) EXPECT_EQ(results.statistics[i], 0) << i;
}

}  // namespace
}  // namespace heddle::test
