// The cases of attention, their operands, and their answers from the definition in double
// precision.
#pragma once

#include "test/harness.h"

namespace heddle::test {

struct AttentionCase {
  std::string name;
  int64_t heads = 2, keyHeads = 2, d = 8, e = 8;
  std::vector<int32_t> queries = {0, 5};
  std::vector<int32_t> keys = {};  // empty: as the queries
  int64_t left = -1, right = -1, biasKind = 0;
  double scale = 0.35, softCap = 0;
  bool positions = false;   // given, and in no order
  int64_t biasReach = 4;    // D of a relative bias
  bool sharedBias = false;  // a dense bias for all heads
  int terms = 3;            // of disentangled attention: 1 relative keys, 2 relative queries
  int64_t buckets = 13;
  int64_t threshold = 0;  // of dropout, which the answers leave out
};

inline std::vector<AttentionCase> attentionCases() {
  std::vector<AttentionCase> cases;
  const auto add = [&](const std::string& name, const auto& change) {
    AttentionCase made;
    made.name = name;
    change(made);
    cases.push_back(made);
  };
  for (int64_t d : {1, 5, 6, 7, 9, 10, 12, 15, 17, 33, 64, 128, 256}) {
    add("head" + std::to_string(d), [&](AttentionCase& c) {
      c.d = c.e = d, c.queries = {0, 3, 21};
    });
  }
  for (int32_t n = 0; n <= 33; n++) {
    add("length" + std::to_string(n), [&](AttentionCase& c) { c.queries = {0, n}; });
  }
  for (int32_t n : {63, 64, 65, 95, 96, 97, 130, 193}) {
    add("length" + std::to_string(n), [&](AttentionCase& c) { c.queries = {0, n}; });
    add("causal" + std::to_string(n), [&](AttentionCase& c) { c.queries = {0, n}, c.right = 0; });
    add("window" + std::to_string(n), [&](AttentionCase& c) {
      c.queries = {0, n}, c.left = 20, c.right = 3;
    });
  }
  add("causal321", [&](AttentionCase& c) { c.queries = {0, 321}, c.right = 0; });
  const std::vector<int32_t> ragged = {0, 7, 7, 8, 25, 90, 91, 220};
  add("ragged", [&](AttentionCase& c) { c.queries = ragged; });
  add("raggedCausal", [&](AttentionCase& c) { c.queries = ragged, c.right = 0; });
  add("valuesWider", [&](AttentionCase& c) { c.e = 13, c.queries = ragged; });
  add("valuesNarrower", [&](AttentionCase& c) { c.d = 20, c.e = 3, c.queries = ragged; });
  add("cross", [&](AttentionCase& c) {
    c.queries = {0, 3, 3, 20, 30}, c.keys = {0, 70, 71, 71, 200};
  });
  add("crossCausal", [&](AttentionCase& c) {
    c.queries = {0, 3, 20}, c.keys = {0, 70, 75}, c.right = 0;
  });
  add("oneQuery", [&](AttentionCase& c) {
    c.heads = 6, c.keyHeads = 2, c.queries = {0, 1, 2}, c.keys = {0, 150, 151};
  });
  add("grouped",
      [&](AttentionCase& c) { c.heads = 6, c.keyHeads = 2, c.queries = ragged, c.right = 0; });
  add("multiQuery", [&](AttentionCase& c) { c.heads = 7, c.keyHeads = 1, c.queries = ragged; });
  add("groupWiderThanTile", [&](AttentionCase& c) {
    c.heads = 530, c.keyHeads = 1, c.d = c.e = 3, c.queries = {0, 4, 9}, c.right = 0;
    c.biasKind = 1;
  });
  // In long tiles with one thread, in short ones with more.
  add("longTiles", [&](AttentionCase& c) {
    c.heads = c.keyHeads = 3, c.d = c.e = 4, c.queries = {0, 530}, c.right = 0;
  });
  add("positions", [&](AttentionCase& c) { c.queries = ragged, c.positions = true, c.right = 0; });
  add("positionsWindow",
      [&](AttentionCase& c) { c.queries = ragged, c.positions = true, c.left = 9, c.right = 30; });
  add("leftOnly", [&](AttentionCase& c) { c.queries = ragged, c.left = 0; });
  add("softCap", [&](AttentionCase& c) { c.queries = ragged, c.softCap = 1.5, c.right = 0; });
  for (bool positions : {false, true}) {
    const std::string suffix = positions ? "Positions" : "";
    const auto biased = [&](AttentionCase& c) {
      c.queries = ragged, c.positions = positions, c.heads = 4, c.softCap = 3;
    };
    add("relative" + suffix, [&](AttentionCase& c) { biased(c), c.biasKind = 1; });
    add("relativeFar" + suffix,
        [&](AttentionCase& c) { biased(c), c.biasKind = 1, c.biasReach = 400; });
    add("dense" + suffix, [&](AttentionCase& c) { biased(c), c.biasKind = 2; });
    add("denseShared" + suffix,
        [&](AttentionCase& c) { biased(c), c.biasKind = 2, c.sharedBias = true, c.right = 1; });
  }
  for (bool positions : {false, true}) {
    const std::string suffix = positions ? "Positions" : "";
    const auto disentangled = [&](AttentionCase& c) {
      c.queries = ragged, c.positions = positions, c.heads = c.keyHeads = 3, c.biasKind = 3;
      c.biasReach = 150;
    };
    add("disentangled" + suffix, disentangled);
    add("disentangledKeys" + suffix,
        [&](AttentionCase& c) { disentangled(c), c.terms = 1, c.d = 5; });
    add("disentangledQueries" + suffix,
        [&](AttentionCase& c) { disentangled(c), c.terms = 2, c.d = 33; });
    add("disentangledNear" + suffix, [&](AttentionCase& c) { disentangled(c), c.biasReach = 3; });
    add("disentangledFine" + suffix, [&](AttentionCase& c) { disentangled(c), c.buckets = 301; });
    add("disentangledWindow" + suffix,
        [&](AttentionCase& c) { disentangled(c), c.left = 20, c.right = 3, c.buckets = 301; });
  }
  add("disentangledCross", [&](AttentionCase& c) {
    c.queries = {0, 3, 3, 20, 30}, c.keys = {0, 70, 71, 71, 200}, c.biasKind = 3;
    c.keyHeads = c.heads, c.biasReach = 90;
  });
  // Long enough for long tiles with one thread.
  add("disentangledLong", [&](AttentionCase& c) {
    c.heads = c.keyHeads = 6, c.d = c.e = 4, c.queries = {0, 300}, c.biasKind = 3;
    c.biasReach = 150;
  });
  add("largeScores", [&](AttentionCase& c) { c.queries = ragged, c.scale = 60; });
  return cases;
}

// The operands of a case, and the answer from its definition in double precision.
struct AttentionProblem {
  explicit AttentionProblem(const AttentionCase& shape) : c(shape) {
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
    int64_t size = c.biasKind == 0 || c.biasKind == 3 ? 0 : 1;
    for (int64_t dim : biasDims) size *= dim;
    bias = normal(size, 4);
    if (c.biasKind != 3) return;
    relativeKeys = normal(c.buckets * c.heads * c.d, 5);
    relativeQueries = normal(c.buckets * c.heads * c.d, 6);
    for (int64_t i = 0; i <= 2 * c.biasReach; i++) {  // growing, and not by the same steps
      buckets.push_back(
          static_cast<int32_t>(i * i * (c.buckets - 1) / (4 * c.biasReach * c.biasReach)));
    }
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
    if (c.biasKind == 0 || c.biasKind == 3) return Operand();
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
      made.outputs = {Operand::output({queryRows, c.heads * c.e}), Operand()};
    }
    const auto table = [&](int term, const std::vector<float>& values) {
      const bool isThere = c.biasKind == 3 && (c.terms & term) != 0;
      return isThere ? Operand::f32({c.buckets, c.heads * c.d}, values) : Operand();
    };
    made.inputs.push_back(table(1, relativeKeys));
    made.inputs.push_back(table(2, relativeQueries));
    made.inputs.push_back(c.biasKind == 3 ? Operand::i32({2 * c.biasReach + 1}, buckets)
                                          : Operand());
    made.ints = {c.heads, c.keyHeads, c.left, c.right, c.biasKind};
    made.floats = {c.scale, c.softCap};
    if (weights) return made;
    const bool drops = c.threshold > 0;
    made.inputs.push_back(drops ? Operand::i32({1}, {5}) : Operand());
    made.inputs.push_back(drops ? Operand::i32({1}, {9}) : Operand());
    made.ints.push_back(3);
    made.ints.push_back(c.threshold);
    made.floats.push_back(drops ? 1.25 : 1);
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
    if (c.biasKind == 3) s += relativeScore(head, i, j);
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

  double relativeScore(int64_t head, int64_t i, int64_t j) const {
    const int64_t ahead =
        keyPositions[static_cast<size_t>(j)] - queryPositions[static_cast<size_t>(i)];
    const int64_t at = std::min(std::max(ahead, -c.biasReach), c.biasReach) + c.biasReach;
    const int64_t bucket = buckets[static_cast<size_t>(at)];
    double sum = 0;
    for (int64_t x = 0; x < c.d; x++) {
      const size_t r = static_cast<size_t>((bucket * c.heads + head) * c.d + x);
      const double query = q[static_cast<size_t>((i * c.heads + head) * c.d + x)];
      const double key = k[static_cast<size_t>((j * c.heads + head) * c.d + x)];
      if (c.terms & 1) sum += query * relativeKeys[r];
      if (c.terms & 2) sum += key * relativeQueries[r];
    }
    return sum;
  }

  bool visible(int64_t i, int64_t j) const {
    const int64_t ahead =
        keyPositions[static_cast<size_t>(j)] - queryPositions[static_cast<size_t>(i)];
    return (c.left < 0 || -ahead <= c.left) && (c.right < 0 || ahead <= c.right);
  }

  // weights: f32[H, pairs]. statistics: f32[rows, 2H], of each row and head the greatest score, and
  // 1 over the sum of the exponentials of the scores less that; zeros where it sees no key.
  struct Answers {
    std::vector<double> weights, output, statistics;
  };
  Answers solve() const {
    const std::vector<int32_t> offsets = pairs();
    Answers answers;
    answers.weights.assign(static_cast<size_t>(c.heads * offsets.back()), 0);
    answers.output.assign(static_cast<size_t>(queryRows * c.heads * c.e), 0);
    answers.statistics.assign(static_cast<size_t>(queryRows * c.heads * 2), 0);
    for (int64_t h = 0; h < c.heads; h++) {
      for (size_t s = 0; s + 1 < c.queries.size(); s++) {
        const int64_t n = c.keys[s + 1] - c.keys[s];
        for (int64_t i = c.queries[s]; i < c.queries[s + 1]; i++) {
          const int64_t head = i * c.heads + h;
          double* row =
              answers.weights.data() + h * offsets.back() + offsets[s] + (i - c.queries[s]) * n;
          solveRow(h, i, c.keys[s], n, row, answers.output.data() + head * c.e,
                   answers.statistics.data() + head * 2);
        }
      }
    }
    return answers;
  }

  void solveRow(int64_t h, int64_t i, int64_t firstKey, int64_t n, double* row, double* out,
                double* statistics) const {
    double greatest = -INFINITY, total = 0;
    for (int64_t j = 0; j < n; j++) {
      if (!visible(i, firstKey + j)) continue;
      row[j] = score(h, i, firstKey + j);
      greatest = std::max(greatest, row[j]);
    }
    for (int64_t j = 0; j < n; j++) {
      if (visible(i, firstKey + j)) total += row[j] = std::exp(row[j] - greatest);
    }
    if (total > 0) statistics[0] = greatest, statistics[1] = 1 / total;
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

  AttentionCase c;
  int64_t queryRows, keyRows;
  std::vector<float> q, k, v, bias, relativeKeys, relativeQueries;
  std::vector<int32_t> buckets;
  std::vector<int64_t> biasDims;
  std::vector<int32_t> queryPositions, keyPositions;
};

}  // namespace heddle::test
