#include "test/harness.h"

namespace heddle::test {
namespace {

class PoolTest : public KernelTest {};
HEDDLE_FOR_EACH_ISA(PoolTest);

const std::vector<int32_t> kSegments = {0, 1, 1, 8, 9, 200, 200, 213};
constexpr int kModes = 6;

Invocation poolOf(int64_t columns, const std::vector<float>& x,
                  const std::vector<int32_t>& segments, int64_t mode) {
  const int64_t count = static_cast<int64_t>(segments.size());
  return {"pool",
          {Operand::f32({segments.back(), columns}, x), Operand::i32({count}, segments)},
          {Operand::output({count - 1, columns})},
          {mode},
          {}};
}

double poolColumn(const float* x, int64_t stride, int64_t n, int mode) {
  if (n == 0) return 0;
  double sum = 0, weighted = 0, greatest = -INFINITY;
  for (int64_t i = 0; i < n; i++) {
    const double value = x[i * stride];
    sum += value;
    weighted += static_cast<double>(i + 1) * value;
    greatest = std::isnan(greatest) || value < greatest ? greatest : value;
  }
  const double count = static_cast<double>(n);
  switch (mode) {
    case 0:
      return sum / count;
    case 1:
      return x[0];
    case 2:
      return x[(n - 1) * stride];
    case 3:
      return greatest;
    case 4:
      return sum / std::sqrt(count);
    default:
      return weighted / (count * (count + 1) / 2);
  }
}

std::vector<double> reference(int64_t columns, const std::vector<float>& x,
                              const std::vector<int32_t>& segments, int mode) {
  std::vector<double> out;
  for (size_t s = 0; s + 1 < segments.size(); s++) {
    for (int64_t c = 0; c < columns; c++) {
      out.push_back(poolColumn(x.data() + segments[s] * columns + c, columns,
                               segments[s + 1] - segments[s], mode));
    }
  }
  return out;
}

TEST_P(PoolTest, MatchesItsDefinition) {
  for (int64_t columns : {1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 33, 127, 128, 129, 384}) {
    const std::vector<float> x = normal(kSegments.back() * columns, 1);
    for (int mode = 0; mode < kModes; mode++) {
      const std::string what =
          "mode " + std::to_string(mode) + ", columns " + std::to_string(columns);
      const std::vector<float> one = run(table(), poolOf(columns, x, kSegments, mode), 1);
      expectClose(one, reference(columns, x, kSegments, mode), 3e-6, 3e-6, what);
      for (int threads = 2; threads <= 4; threads++) {
        expectSameBits(run(table(), poolOf(columns, x, kSegments, mode), threads), one, what);
      }
    }
  }
}

TEST_P(PoolTest, SegmentAloneGivesTheSameBits) {
  const int64_t columns = 19;
  const std::vector<float> x = normal(kSegments.back() * columns, 2);
  for (int mode = 0; mode < kModes; mode++) {
    const std::vector<float> together = run(table(), poolOf(columns, x, kSegments, mode), 2);
    for (size_t s = 0; s + 1 < kSegments.size(); s++) {
      const std::vector<float> rows(x.begin() + kSegments[s] * columns,
                                    x.begin() + kSegments[s + 1] * columns);
      const auto begin = together.begin() + static_cast<int64_t>(s) * columns;
      expectSameBits(
          run(table(), poolOf(columns, rows, {0, kSegments[s + 1] - kSegments[s]}, mode)),
          std::vector<float>(begin, begin + columns), "mode " + std::to_string(mode));
    }
  }
}

TEST_P(PoolTest, NonFiniteElementsSpoilTheirColumnOnly) {
  const int64_t columns = 11;
  for (int32_t row : {9, 57, 199}) {
    std::vector<float> x = normal(kSegments.back() * columns, 3);
    x[static_cast<size_t>(row * columns + 10)] = NAN;
    for (int mode : {0, 3, 4, 5}) {
      expectClose(run(table(), poolOf(columns, x, kSegments, mode)),
                  reference(columns, x, kSegments, mode), 3e-6, 3e-6,
                  "mode " + std::to_string(mode) + ", row " + std::to_string(row));
    }
  }
}

TEST_P(PoolTest, L2NormalizeMatchesItsDefinition) {
  for (int64_t columns = 1; columns <= 140; columns++) {
    std::vector<float> x = normal(6 * columns, static_cast<uint32_t>(columns));
    std::fill(x.begin(), x.begin() + columns, 0.0f);  // a row of zeros stays zeros
    x[static_cast<size_t>(2 * columns - 1)] = NAN;    // row 1
    std::vector<double> expected;
    for (int64_t r = 0; r < 6; r++) {
      double squares = 0;
      const float* row = x.data() + r * columns;
      for (int64_t c = 0; c < columns; c++) squares += double{row[c]} * row[c];
      const double norm = std::isnan(squares) ? NAN : std::max(std::sqrt(squares), 1e-12);
      for (int64_t c = 0; c < columns; c++) expected.push_back(row[c] / norm);
    }
    const Invocation invocation = {"l2Normalize",
                                   {Operand::f32({6, columns}, x)},
                                   {Operand::output({6, columns})},
                                   {},
                                   {1e-12}};
    for (int threads = 1; threads <= 4; threads++) {
      expectClose(run(table(), invocation, threads), expected, 1e-7, 3e-6,
                  "columns " + std::to_string(columns));
    }
  }
}

}  // namespace
}  // namespace heddle::test
