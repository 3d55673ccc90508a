// attention, attentionGradient and attentionBiasGradient as a step of training runs them: the
// others are given what the first has kept.
#include "test/attention_cases.h"

namespace heddle::test {
namespace {

class AttentionGradientTest : public KernelTest {};
HEDDLE_FOR_EACH_ISA(AttentionGradientTest);

struct GradientProblem {
  explicit GradientProblem(const AttentionCase& shape) : attention(shape), c(attention.c) {
    gradient = normal(attention.queryRows * c.heads * c.e, 7);
  }

  struct Results {
    std::vector<float> output, statistics, byQueries, byKeys, byValues, byBias, byTable;
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
    if (c.biasKind == 0) return results;
    made.kernel = "attentionBiasGradient";
    const bool both = c.biasKind == 3 && c.terms == 3;
    const std::vector<int64_t> relative = {c.buckets, c.heads * c.d};
    const Operand whole(DType::kFloat32, c.biasKind == 3 ? relative : attention.biasDims);
    made.outputs = {whole, both ? Operand(DType::kFloat32, relative) : Operand()};
    results.byBias = run(table, made, threads);
    if (both) results.byTable = made.outputs[1].values();
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
    std::vector<double> statistics, byQueries, byKeys, byValues, byBias, byRelativeKeys,
        byRelativeQueries;
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
    answers.byBias.assign(a.bias.size(), 0);
    answers.byRelativeKeys.assign(a.relativeKeys.size(), 0);
    answers.byRelativeQueries.assign(a.relativeQueries.size(), 0);
    for (int64_t h = 0; h < c.heads; h++) {
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
            addPair(h, i, c.keys[s] + j, weight, mean, g, &answers);
          }
        }
      }
    }
    return answers;
  }

  void addPair(int64_t head, int64_t row, int64_t keyRow, double weight, double mean,
               const float* g, Answers* answers) const {
    const int64_t query = row * c.heads + head;
    const int64_t key = keyRow * c.keyHeads + head * c.keyHeads / c.heads;
    const float* q = attention.q.data() + query * c.d;
    const float* k = attention.k.data() + key * c.d;
    const float* v = attention.v.data() + key * c.e;
    double along = 0, score = 0;
    for (int64_t x = 0; x < c.e; x++) along += double{g[x]} * v[x];
    for (int64_t x = 0; x < c.d; x++) score += double{q[x]} * k[x];
    const double byScore = weight * (along - mean);
    double slope = byScore * c.scale;
    if (c.softCap > 0) slope *= 1 - std::pow(std::tanh(c.scale * score / c.softCap), 2);
    for (int64_t x = 0; x < c.d; x++) {
      answers->byQueries[query * c.d + x] += slope * k[x];
      answers->byKeys[key * c.d + x] += slope * q[x];
    }
    for (int64_t x = 0; x < c.e; x++) answers->byValues[key * c.e + x] += weight * g[x];
    const int64_t from = attention.queryPositions[static_cast<size_t>(row)];
    const int64_t to = attention.keyPositions[static_cast<size_t>(keyRow)];
    const int64_t at = std::min(std::max(to - from, -c.biasReach), c.biasReach) + c.biasReach;
    if (c.biasKind == 1) answers->byBias[head * attention.biasDims[1] + at] += byScore;
    if (c.biasKind == 2) {
      const int64_t h = c.sharedBias ? 0 : head;
      answers->byBias[(h * attention.biasDims[1] + from) * attention.biasDims[2] + to] += byScore;
    }
    if (c.biasKind != 3) return;
    const int64_t table = (attention.buckets[static_cast<size_t>(at)] * c.heads + head) * c.d;
    for (int64_t x = 0; x < c.d; x++) {
      if (c.terms & 1)
        answers->byQueries[query * c.d + x] += slope * attention.relativeKeys[table + x];
      if (c.terms & 2)
        answers->byKeys[key * c.d + x] += slope * attention.relativeQueries[table + x];
      answers->byRelativeKeys[table + x] += slope * q[x];
      answers->byRelativeQueries[table + x] += slope * k[x];
    }
  }

  AttentionProblem attention;
  const AttentionCase& c;
  std::vector<float> gradient;
};

TEST_P(AttentionGradientTest, MatchesItsDefinition) {
  for (const AttentionCase& c : attentionCases()) {
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
    // These are sums over all pairs.
    const double most = 8 * bound;
    if (c.biasKind == 1 || c.biasKind == 2) {
      expectClose(results.byBias, answers.byBias, most, most, c.name + " by the bias");
    } else if (c.biasKind == 3) {
      const bool hasKeys = (c.terms & 1) != 0;
      expectClose(results.byBias, hasKeys ? answers.byRelativeKeys : answers.byRelativeQueries,
                  most, most, c.name + " by a table");
      if (c.terms == 3) {
        expectClose(results.byTable, answers.byRelativeQueries, most, most,
                    c.name + " by relative queries");
      }
    }
  }
}

// With more threads, other shares: one goes through a whole head, or through a tile or a block.
TEST_P(AttentionGradientTest, BitsDoNotDependOnThreads) {
  std::vector<AttentionCase> cases = attentionCases();
  for (size_t i = 0, count = cases.size(); i < count; i += 3) {
    cases.push_back(cases[i]);
    cases.back().threshold = 858993459;  // a fifth
    cases.back().name += "Dropout";
  }
  for (const AttentionCase& c : cases) {
    const GradientProblem problem(c);
    const GradientProblem::Results one = problem.compute(table(), 1, 1);
    for (int threads : {2, 7}) {
      const GradientProblem::Results many = problem.compute(table(), threads);
      expectSameBits(many.statistics, one.statistics, c.name);
      expectSameBits(many.byQueries, one.byQueries, c.name);
      expectSameBits(many.byKeys, one.byKeys, c.name);
      expectSameBits(many.byValues, one.byValues, c.name);
      expectSameBits(many.byBias, one.byBias, c.name);
      expectSameBits(many.byTable, one.byTable, c.name);
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
