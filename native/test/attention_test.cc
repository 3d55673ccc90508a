#include "test/harness.h"

namespace heddle::test {
namespace {

struct Case {
  std::string name;
  int64_t heads = 2, keyHeads = 2, d = 8, e = 8;
  std::vector<int32_t> queries = {0, 5};
  std::vector<int32_t> keys = {};  // empty: as the queries
  int64_t left = -1, right = -1, biasKind = 0;
  double scale = 0.35, softCap = 0;
  bool positions = false;   // given, and in no order
  int64_t biasReach = 4;    // D of a relative bias
  bool sharedBias = false;  // a dense bias for all heads
};

std::vector<Case> attentionCases() {
  std::vector<Case> cases;
  const auto add = [&](const std::string& name, const auto& change) {
    Case made;
    made.name = name;
    change(made);
    cases.push_back(made);
  };
  for (int64_t d : {1, 5, 6, 7, 9, 10, 12, 15, 17, 33, 64, 128, 256}) {
    add("head" + std::to_string(d), [&](Case& c) { c.d = c.e = d, c.queries = {0, 3, 21}; });
  }
  for (int32_t n = 0; n <= 33; n++) {
    add("length" + std::to_string(n), [&](Case& c) { c.queries = {0, n}; });
  }
  for (int32_t n : {63, 64, 65, 95, 96, 97, 130, 193, 321}) {
    add("length" + std::to_string(n), [&](Case& c) { c.queries = {0, n}; });
    add("causal" + std::to_string(n), [&](Case& c) { c.queries = {0, n}, c.right = 0; });
    add("window" + std::to_string(n), [&](Case& c) {
      c.queries = {0, n}, c.left = 20, c.right = 3;
    });
  }
  const std::vector<int32_t> ragged = {0, 7, 7, 8, 25, 90, 91, 220};
  add("ragged", [&](Case& c) { c.queries = ragged; });
  add("raggedCausal", [&](Case& c) { c.queries = ragged, c.right = 0; });
  add("valuesWider", [&](Case& c) { c.e = 13, c.queries = ragged; });
  add("valuesNarrower", [&](Case& c) { c.d = 20, c.e = 3, c.queries = ragged; });
  add("cross", [&](Case& c) { c.queries = {0, 3, 3, 20, 30}, c.keys = {0, 70, 71, 71, 200}; });
  add("crossCausal", [&](Case& c) { c.queries = {0, 3, 20}, c.keys = {0, 70, 75}, c.right = 0; });
  add("oneQuery", [&](Case& c) {
    c.heads = 6, c.keyHeads = 2, c.queries = {0, 1, 2}, c.keys = {0, 150, 151};
  });
  add("grouped", [&](Case& c) { c.heads = 6, c.keyHeads = 2, c.queries = ragged, c.right = 0; });
  add("multiQuery", [&](Case& c) { c.heads = 7, c.keyHeads = 1, c.queries = ragged; });
  add("groupWiderThanTile", [&](Case& c) {
    c.heads = 101, c.keyHeads = 1, c.d = c.e = 3, c.queries = {0, 4, 9}, c.right = 0;
  });
  add("positions", [&](Case& c) { c.queries = ragged, c.positions = true, c.right = 0; });
  add("positionsWindow",
      [&](Case& c) { c.queries = ragged, c.positions = true, c.left = 9, c.right = 30; });
  add("leftOnly", [&](Case& c) { c.queries = ragged, c.left = 0; });
  add("softCap", [&](Case& c) { c.queries = ragged, c.softCap = 1.5, c.right = 0; });
  for (bool positions : {false, true}) {
    const std::string suffix = positions ? "Positions" : "";
    const auto biased = [&](Case& c) {
      c.queries = ragged, c.positions = positions, c.heads = 4, c.softCap = 3;
    };
    add("relative" + suffix, [&](Case& c) { biased(c), c.biasKind = 1; });
    add("relativeFar" + suffix, [&](Case& c) { biased(c), c.biasKind = 1, c.biasReach = 400; });
    add("dense" + suffix, [&](Case& c) { biased(c), c.biasKind = 2; });
    add("denseShared" + suffix,
        [&](Case& c) { biased(c), c.biasKind = 2, c.sharedBias = true, c.right = 1; });
  }
  add("largeScores", [&](Case& c) { c.queries = ragged, c.scale = 60; });
  return cases;
}

// The operands of a case, and the answer from its definition in double precision.
struct Problem {
  explicit Problem(const Case& shape) : c(shape) {
    if (c.keys.empty()) c.keys = c.queries;
    queryRows = c.queries.back();
    keyRows = c.keys.back();
    q = normal(queryRows * c.heads * c.d, 1);
    k = normal(keyRows * c.keyHeads * c.d, 2);
    v = normal(keyRows * c.keyHeads * c.e, 3);
    int32_t longest = 1;
    number(c.queries, 7, &queryPositions, &longest);
    number(c.keys, 5, &keyPositions, &longest);
    if (c.biasKind == 1) biasDims = {c.heads, 2 * c.biasReach + 1};
    if (c.biasKind == 2) biasDims = {c.sharedBias ? 1 : c.heads, longest, longest};
    int64_t size = c.biasKind == 0 ? 0 : 1;
    for (int64_t dim : biasDims) size *= dim;
    bias = normal(size, 4);
  }

  // Positions of the rows: their numbers, or a shuffle of them with `step`.
  void number(const std::vector<int32_t>& segments, int32_t step, std::vector<int32_t>* positions,
              int32_t* longest) const {
    for (size_t s = 0; s + 1 < segments.size(); s++) {
      const int32_t n = segments[s + 1] - segments[s];
      for (int32_t i = 0; i < n; i++) positions->push_back(c.positions ? i * step % n : i);
      *longest = std::max(*longest, n);
    }
  }

  Operand biasOperand() const {
    if (c.biasKind == 0) return Operand();
    Operand made(DType::kFloat32, biasDims);
    std::copy(bias.begin(), bias.end(), made.floats());
    return made;
  }

  Invocation invocation(bool weights) const {
    const auto count = [](const std::vector<int32_t>& x) { return static_cast<int64_t>(x.size()); };
    Invocation made;
    made.kernel = weights ? "attentionWeights" : "attention";
    made.inputs = {Operand::f32({queryRows, c.heads * c.d}, q),
                   Operand::f32({keyRows, c.keyHeads * c.d}, k)};
    if (!weights) made.inputs.push_back(Operand::f32({keyRows, c.keyHeads * c.e}, v));
    made.inputs.push_back(Operand::i32({count(c.queries)}, c.queries));
    made.inputs.push_back(Operand::i32({count(c.keys)}, c.keys));
    made.inputs.push_back(c.positions ? Operand::i32({queryRows}, queryPositions) : Operand());
    made.inputs.push_back(c.positions ? Operand::i32({keyRows}, keyPositions) : Operand());
    made.inputs.push_back(biasOperand());
    if (weights) {
      made.inputs.push_back(Operand::i32({count(c.queries)}, pairs()));
      made.outputs = {Operand::output({c.heads, pairs().back()})};
    } else {
      made.outputs = {Operand::output({queryRows, c.heads * c.e})};
    }
    made.ints = {c.heads, c.keyHeads, c.left, c.right, c.biasKind};
    made.floats = {c.scale, c.softCap};
    return made;
  }

  std::vector<int32_t> pairs() const {
    std::vector<int32_t> offsets = {0};
    for (size_t s = 0; s + 1 < c.queries.size(); s++) {
      offsets.push_back(offsets.back() +
                        (c.queries[s + 1] - c.queries[s]) * (c.keys[s + 1] - c.keys[s]));
    }
    return offsets;
  }

  double score(int64_t head, int64_t i, int64_t j) const {
    const int64_t keyHead = head * c.keyHeads / c.heads;
    double s = 0;
    for (int64_t x = 0; x < c.d; x++) {
      s += double{q[static_cast<size_t>((i * c.heads + head) * c.d + x)]} *
           k[static_cast<size_t>((j * c.keyHeads + keyHead) * c.d + x)];
    }
    s *= c.scale;
    if (c.softCap > 0) s = c.softCap * std::tanh(s / c.softCap);
    const int64_t from = queryPositions[static_cast<size_t>(i)];
    const int64_t to = keyPositions[static_cast<size_t>(j)];
    if (c.biasKind == 1) {
      const int64_t at = std::min(std::max<int64_t>(to - from, -c.biasReach), c.biasReach);
      s += bias[static_cast<size_t>(head * biasDims[1] + at + c.biasReach)];
    } else if (c.biasKind == 2) {
      const int64_t h = c.sharedBias ? 0 : head;
      s += bias[static_cast<size_t>((h * biasDims[1] + from) * biasDims[2] + to)];
    }
    return s;
  }

  bool visible(int64_t i, int64_t j) const {
    const int64_t ahead =
        keyPositions[static_cast<size_t>(j)] - queryPositions[static_cast<size_t>(i)];
    return (c.left < 0 || -ahead <= c.left) && (c.right < 0 || ahead <= c.right);
  }

  // f32[H, pairs], and from it the output.
  void solve(std::vector<double>* weights, std::vector<double>* output) const {
    const std::vector<int32_t> offsets = pairs();
    weights->assign(static_cast<size_t>(c.heads * offsets.back()), 0);
    output->assign(static_cast<size_t>(queryRows * c.heads * c.e), 0);
    for (int64_t h = 0; h < c.heads; h++) {
      for (size_t s = 0; s + 1 < c.queries.size(); s++) {
        const int64_t n = c.keys[s + 1] - c.keys[s];
        for (int64_t i = c.queries[s]; i < c.queries[s + 1]; i++) {
          double* row = weights->data() + h * offsets.back() + offsets[s] + (i - c.queries[s]) * n;
          solveRow(h, i, c.keys[s], n, row, output->data() + (i * c.heads + h) * c.e);
        }
      }
    }
  }

  void solveRow(int64_t h, int64_t i, int64_t firstKey, int64_t n, double* row, double* out) const {
    double greatest = -INFINITY, total = 0;
    for (int64_t j = 0; j < n; j++) {
      if (!visible(i, firstKey + j)) continue;
      row[j] = score(h, i, firstKey + j);
      greatest = std::max(greatest, row[j]);
    }
    for (int64_t j = 0; j < n; j++) {
      if (visible(i, firstKey + j)) total += row[j] = std::exp(row[j] - greatest);
    }
    const int64_t keyHead = h * c.keyHeads / c.heads;
    for (int64_t j = 0; j < n; j++) {
      if (!visible(i, firstKey + j)) continue;
      row[j] /= total;
      for (int64_t x = 0; x < c.e; x++) {
        out[x] +=
            row[j] * v[static_cast<size_t>(((firstKey + j) * c.keyHeads + keyHead) * c.e + x)];
      }
    }
  }

  Case c;
  int64_t queryRows, keyRows;
  std::vector<float> q, k, v, bias;
  std::vector<int64_t> biasDims;
  std::vector<int32_t> queryPositions, keyPositions;
};

class AttentionTest : public KernelTest {};
HEDDLE_FOR_EACH_ISA(AttentionTest);

TEST_P(AttentionTest, MatchesItsDefinition) {
  for (const Case& c : attentionCases()) {
    const Problem problem(c);
    std::vector<double> weights, output;
    problem.solve(&weights, &output);
    // A score of size s carries an error of about s·d·2⁻²⁴ into the exponent.
    const double bound = 2e-6 * (1 + c.scale * static_cast<double>(c.d) / 4);
    expectClose(run(table(), problem.invocation(false), 2), output, bound, bound, c.name);
    expectClose(run(table(), problem.invocation(true), 2), weights, bound, bound,
                c.name + " weights");
  }
}

TEST_P(AttentionTest, BitsDoNotDependOnThreads) {
  for (const Case& c : attentionCases()) {
    const Problem problem(c);
    const std::vector<float> one = run(table(), problem.invocation(false), 1);
    for (int threads = 2; threads <= 4; threads++) {
      expectSameBits(run(table(), problem.invocation(false), threads), one, c.name);
    }
  }
}

// Every segment alone gives the bits it gives among the others.
TEST_P(AttentionTest, BitsDoNotDependOnOtherSegments) {
  for (const Case& c : attentionCases()) {
    const Problem whole(c);
    const std::vector<float> together = run(table(), whole.invocation(false), 2);
    for (size_t s = 0; s + 1 < whole.c.queries.size(); s++) {
      const int32_t firstQuery = whole.c.queries[s], firstKey = whole.c.keys[s];
      Problem alone = whole;
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
  Case c;
  c.heads = 6;
  c.right = 0;
  c.queries = {0, 150};
  const Problem whole(c);
  const std::vector<float> together = run(table(), whole.invocation(false));
  for (int32_t row : {0, 1, 50, 63, 64, 149}) {
    Problem single = whole;
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
  Case c;
  c.heads = 4;
  c.right = 0;
  c.left = 40;
  c.queries = {0, 30, 170};
  const Problem clean(c);
  const std::vector<float> expected = run(table(), clean.invocation(false), 2);
  for (float bad : {NAN, INFINITY, -INFINITY}) {
    for (int64_t row : {0, 7, 29, 35, 94, 100, 169}) {
      for (int which = 0; which < 3; which++) {
        Problem dirty = clean;
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
  Case c;
  c.biasKind = 2;
  c.queries = {0, 70};
  Problem problem(c);
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

TEST_P(AttentionTest, ScratchDoesNotDependOnLength) {
  const Kernel* kernel = findKernel(table(), "attention");
  size_t bytes[2];
  for (int i = 0; i < 2; i++) {
    Case c;
    c.queries = {0, i == 0 ? 10 : 3000};
    const Invocation invocation = Problem(c).invocation(false);
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
