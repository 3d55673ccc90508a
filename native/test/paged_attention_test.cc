// Pages of keys and values, and attention to them, against the definition in double precision.
#include <algorithm>
#include <numeric>

#include "kernels/page_size.h"
#include "test/harness.h"

namespace heddle::test {
namespace {

class PagedAttentionTest : public KernelTest {};
HEDDLE_FOR_EACH_ISA(PagedAttentionTest);

struct PagedCase {
  std::string name;
  int64_t heads, keyHeads, d, e;
  std::vector<int32_t> lengths;  // of each sequence
  std::vector<int32_t> rows;     // its last rows, which are the queries
  int64_t window;                // −1: all
  double softCap;
  bool bias;
};

std::vector<PagedCase> pagedCases() {
  const std::vector<int32_t> many = {1, 63, 64, 65, 130, 5}, last = {1, 1, 1, 1, 1, 1};
  const std::vector<int32_t> prompts = {1, 63, 1, 40, 130, 0};
  std::vector<PagedCase> made;
  for (int64_t d : {1, 5, 8, 12, 16, 33, 64, 128}) {
    made.push_back({"head" + std::to_string(d), 4, 2, d, d, many, last, -1, 0, false});
  }
  made.push_back({"values narrower", 6, 3, 20, 7, many, prompts, -1, 0, false});
  made.push_back({"one key head", 7, 1, 16, 16, many, prompts, -1, 0, false});
  made.push_back({"window", 4, 4, 16, 16, many, prompts, 9, 0, false});
  made.push_back({"softCap", 4, 2, 16, 16, many, prompts, -1, 1.5, false});
  made.push_back({"bias", 3, 3, 12, 12, many, prompts, -1, 0, true});
  made.push_back({"long", 6, 2, 16, 16, {1500, 513, 512}, {1, 2, 1}, -1, 0, false});
  made.push_back({"longWindow", 2, 1, 8, 8, {1500, 600}, {1, 7}, 100, 0, false});
  made.push_back({"longPrompt", 2, 2, 8, 8, {700}, {300}, -1, 0, false});
  return made;
}

// A cache filled by the kernel, with the pages of the sequences in no order.
class PagedProblem {
 public:
  PagedProblem(const KernelTable& table, const PagedCase& c, DType dtype) : c(c), table_(table) {
    int32_t pages = 0;
    tableOffsets = {0};
    segments = {0};
    for (size_t s = 0; s < c.lengths.size(); s++) {
      pages += (c.lengths[s] + 63) / 64;
      tableOffsets.push_back(pages);
      segments.push_back(segments.back() + c.rows[s]);
    }
    tables.resize(static_cast<size_t>(pages));
    std::iota(tables.begin(), tables.end(), 2);
    std::shuffle(tables.begin(), tables.end(), std::mt19937(3));
    for (size_t s = 0; s < c.lengths.size(); s++) {
      for (int32_t i = 0; i < c.lengths[s]; i++) slots.push_back(slotOf(s, i));
    }
    const int64_t total = static_cast<int64_t>(slots.size());
    keys = cache(dtype, (pages + 3) * c.keyHeads * 64, c.d);
    values = cache(dtype, (pages + 3) * c.keyHeads * 64, c.e);
    sourceKeys = normal(total * c.keyHeads * c.d, 5);
    sourceValues = normal(total * c.keyHeads * c.e, 6);
    append(sourceKeys, keys, c.d, 1);
    append(sourceValues, values, c.e, 0);
    q = normal(segments.back() * c.heads * c.d, 7);
    bias = normal(c.heads * 2000, 8);
  }

  int32_t slotOf(size_t s, int32_t position) const {
    return tables[static_cast<size_t>(tableOffsets[s] + position / 64)] * 64 + position % 64;
  }

  std::vector<float> read(const Operand& pages, int64_t size, int64_t transposed) const {
    const int64_t total = static_cast<int64_t>(slots.size());
    return run(table_, {"readPages",
                        {pages, Operand::i32({total}, slots)},
                        {Operand::output({total, c.keyHeads * size})},
                        {c.keyHeads, transposed},
                        {}});
  }

  // With as many parts as the length asks for, or one.
  std::vector<float> attend(bool split, int threads) const {
    const int64_t rows = segments.back(), count = static_cast<int64_t>(c.lengths.size());
    std::vector<int32_t> parts = {0};
    for (size_t s = 0; s < c.lengths.size(); s++) {
      const int32_t each = split ? std::max(1, (c.lengths[s] + 511) / 512) : 1;
      for (int32_t r = 0; r < c.rows[s]; r++) parts.push_back(parts.back() + each);
    }
    const int64_t total = parts.back();
    const Operand offsets = Operand::i32({rows + 1}, parts);
    const std::vector<float> sums = run(
        table_,
        {"pagedAttention",
         {Operand::f32({rows, c.heads * c.d}, q), keys, values, Operand::i32({count + 1}, segments),
          Operand::i32({count}, c.lengths), Operand::i32({count + 1}, tableOffsets),
          Operand::i32({static_cast<int64_t>(tables.size())}, tables), offsets,
          c.bias ? Operand::f32({c.heads, 1, 2000}, bias) : Operand()},
         {Operand::output({total, c.heads * (c.e + 2)})},
         {c.heads, c.keyHeads, c.window < 0 ? -1 : c.window - 1},
         {kScale, c.softCap}},
        threads);
    return run(table_,
               {"joinParts",
                {Operand::f32({total, c.heads * (c.e + 2)}, sums), offsets},
                {Operand::output({rows, c.heads * c.e})},
                {c.heads},
                {}},
               threads);
  }

  std::vector<double> solve() const {
    const std::vector<float> k = read(keys, c.d, 1), v = read(values, c.e, 0);
    std::vector<double> out;
    int64_t before = 0, row = 0;
    for (size_t s = 0; s < c.lengths.size(); before += c.lengths[s], s++) {
      for (int32_t r = 0; r < c.rows[s]; r++, row++) {
        const int64_t position = c.lengths[s] - c.rows[s] + r;
        for (int64_t h = 0; h < c.heads; h++) solveHead(k, v, before, position, row, h, &out);
      }
    }
    return out;
  }

  static constexpr double kScale = 0.4;
  PagedCase c;
  std::vector<int32_t> segments, tableOffsets, tables, slots;
  std::vector<float> sourceKeys, sourceValues, q, bias;
  Operand keys, values;

 private:
  static Operand cache(DType dtype, int64_t rows, int64_t size) {
    return Operand::outputOf(dtype, {rows, size});
  }

  void append(const std::vector<float>& source, const Operand& pages, int64_t size,
              int64_t transposed) const {
    const int64_t total = static_cast<int64_t>(slots.size());
    run(table_,
        {"appendPages",
         {Operand::f32({total, c.keyHeads * size}, source), Operand::i32({total}, slots)},
         {pages},
         {c.keyHeads, transposed},
         {}},
        3);
  }

  void solveHead(const std::vector<float>& k, const std::vector<float>& v, int64_t before,
                 int64_t position, int64_t row, int64_t h, std::vector<double>* out) const {
    const int64_t g = h / (c.heads / c.keyHeads);
    std::vector<double> scores(static_cast<size_t>(position + 1), -INFINITY);
    double highest = -INFINITY, sum = 0;
    for (int64_t j = 0; j <= position; j++) {
      if (c.window >= 0 && position - j >= c.window) continue;
      double score = 0;
      for (int64_t i = 0; i < c.d; i++) {
        score += static_cast<double>(q[static_cast<size_t>((row * c.heads + h) * c.d + i)]) *
                 k[static_cast<size_t>(((before + j) * c.keyHeads + g) * c.d + i)];
      }
      score *= kScale;
      if (c.softCap > 0) score = c.softCap * std::tanh(score / c.softCap);
      if (c.bias) score += bias[static_cast<size_t>(h * 2000 + j)];
      scores[static_cast<size_t>(j)] = score;
      highest = std::max(highest, score);
    }
    for (double& score : scores) sum += score = std::exp(score - highest);
    for (int64_t i = 0; i < c.e; i++) {
      double total = 0;
      for (int64_t j = 0; j <= position; j++) {
        total += scores[static_cast<size_t>(j)] *
                 v[static_cast<size_t>(((before + j) * c.keyHeads + g) * c.e + i)];
      }
      out->push_back(total / sum);
    }
  }

  const KernelTable& table_;
};

TEST_P(PagedAttentionTest, MatchesItsDefinition) {
  for (const PagedCase& c : pagedCases()) {
    for (DType dtype : {DType::kFloat32, DType::kBFloat16, DType::kInt8}) {
      const PagedProblem problem(table(), c, dtype);
      // A score of size s carries an error of about s·d·2⁻²⁴ into the exponent.
      const double bound = 2e-6 * (1 + PagedProblem::kScale * static_cast<double>(c.d) / 4);
      expectClose(problem.attend(true, 2), problem.solve(), bound, bound, c.name);
    }
  }
}

TEST_P(PagedAttentionTest, BitsDependNeitherOnPartsNorOnThreads) {
  for (const PagedCase& c : pagedCases()) {
    const PagedProblem problem(table(), c, DType::kFloat32);
    const std::vector<float> one = problem.attend(false, 1);
    for (int threads = 1; threads <= 3; threads++) {
      expectSameBits(problem.attend(true, threads), one, c.name);
    }
  }
}

// A row gives the same alone as among the rows of its prompt.
TEST_P(PagedAttentionTest, BitsDoNotDependOnOtherRows) {
  const PagedCase whole = {"prompt", 6, 2, 16, 16, {600}, {600}, -1, 0, false};
  const PagedProblem problem(table(), whole, DType::kFloat32);
  const std::vector<float> together = problem.attend(false, 2);
  PagedProblem single = problem;
  single.c.rows = {1};
  single.segments = {0, 1};
  single.q.assign(problem.q.end() - 6 * 16, problem.q.end());
  expectSameBits(single.attend(true, 2),
                 std::vector<float>(together.end() - 6 * 16, together.end()), "the last row");
}

TEST_P(PagedAttentionTest, PagesKeepWhatTheirDtypeHolds) {
  for (int64_t size : {1, 5, 12, 64}) {
    const PagedCase c = {"kept", 2, 2, size, size, {100, 1}, {1, 1}, -1, 0, false};
    for (DType dtype : {DType::kFloat32, DType::kBFloat16, DType::kInt8}) {
      const PagedProblem problem(table(), c, dtype);
      const std::vector<float> kept = problem.read(problem.keys, size, 1);
      for (size_t row = 0; row < kept.size(); row += static_cast<size_t>(size)) {
        float largest = 0;
        for (size_t i = row; i < row + static_cast<size_t>(size); i++) {
          largest = std::max(largest, std::fabs(problem.sourceKeys[i]));
        }
        for (size_t i = row; i < row + static_cast<size_t>(size); i++) {
          const float x = problem.sourceKeys[i];
          const float allowed = dtype == DType::kFloat32    ? 0.0f
                                : dtype == DType::kBFloat16 ? std::fabs(x) / 256
                                                            : largest / 253;
          ASSERT_LE(std::fabs(kept[i] - x), allowed) << size << " " << i;
        }
      }
    }
  }
}

TEST_P(PagedAttentionTest, CopiedPagesAreWhole) {
  for (DType dtype : {DType::kFloat32, DType::kBFloat16, DType::kInt8}) {
    const PagedCase c = {"copied", 3, 3, 10, 10, {64, 64}, {1, 1}, -1, 0, false};
    PagedProblem problem(table(), c, dtype);
    const std::vector<float> before = problem.read(problem.keys, 10, 1);
    run(table(),
        {"copyPages",
         {Operand::i32({1}, {problem.tables[0]}), Operand::i32({1}, {problem.tables[1]})},
         {problem.keys},
         {3},
         {}},
        2);
    const std::vector<float> after = problem.read(problem.keys, 10, 1);
    const auto half = static_cast<std::ptrdiff_t>(before.size() / 2);
    expectSameBits(std::vector<float>(after.begin() + half, after.end()),
                   std::vector<float>(before.begin(), before.begin() + half), "the copy");
    expectSameBits(std::vector<float>(after.begin(), after.begin() + half),
                   std::vector<float>(before.begin(), before.begin() + half), "the original");
  }
}

// A value that is not finite reaches the rows that see it, and no others.
TEST_P(PagedAttentionTest, NonFiniteValuesReachOnlyRowsThatSeeThem) {
  const PagedCase c = {"spoilt", 2, 1, 8, 8, {90}, {90}, 20, 0, false};
  PagedProblem problem(table(), c, DType::kFloat32);
  const std::vector<float> clean = problem.attend(false, 2);
  const int64_t slot = problem.slotOf(0, 70);
  problem.values.floats()[slot * 8 + 3] = INFINITY;
  const std::vector<float> spoilt = problem.attend(false, 2);
  for (int64_t r = 0; r < 90; r++) {
    for (int64_t i = 0; i < 16; i++) {
      const size_t at = static_cast<size_t>(r * 16 + i);
      const bool sees = r >= 70 && r < 90 && i % 8 == 3;
      ASSERT_EQ(std::isfinite(spoilt[at]), !sees) << r << " " << i;
      if (!sees) {
        ASSERT_EQ(spoilt[at], clean[at]) << r << " " << i;
      }
    }
  }
}

}  // namespace
}  // namespace heddle::test
