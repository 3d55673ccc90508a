#include "test/harness.h"

namespace heddle::test {
namespace {

class PositionBiasTest : public KernelTest {};
HEDDLE_FOR_EACH_ISA(PositionBiasTest);

// Bucket by comparing the distance with each boundary, exact·(maxDistance / exact)^(i / wide).
int64_t bucketOf(int64_t distance, int64_t buckets, bool bidirectional, int64_t maxDistance) {
  int64_t first = 0, apart = std::max<int64_t>(-distance, 0);
  if (bidirectional) {
    buckets /= 2;
    if (distance > 0) first = buckets;
    apart = std::abs(distance);
  }
  const int64_t exact = buckets / 2;
  if (apart < exact) return first + apart;
  const int64_t wide = buckets - exact;
  int64_t i = 0;
  while (i + 1 < wide) {
    const double next = static_cast<double>(exact) *
                        std::pow(static_cast<double>(maxDistance) / static_cast<double>(exact),
                                 static_cast<double>(i + 1) / static_cast<double>(wide));
    if (static_cast<double>(apart) < next * (1 - 1e-9)) break;
    i++;
  }
  return first + exact + i;
}

TEST_P(PositionBiasTest, MatchesItsDefinition) {
  struct Case {
    int64_t buckets, heads, maxDistance, reach;
    bool bidirectional;
  };
  for (const Case& c :
       {Case{32, 12, 128, 128, true}, Case{32, 8, 128, 300, false}, Case{32, 3, 128, 5, true},
        Case{20, 1, 50, 60, true}, Case{8, 2, 20, 0, false}, Case{16, 2, 64, 200, true}}) {
    const std::vector<float> values = normal(c.buckets * c.heads, 1);
    std::vector<float> expected;
    for (int64_t h = 0; h < c.heads; h++) {
      for (int64_t distance = -c.reach; distance <= c.reach; distance++) {
        const int64_t bucket = bucketOf(distance, c.buckets, c.bidirectional, c.maxDistance);
        expected.push_back(values[static_cast<size_t>(bucket * c.heads + h)]);
      }
    }
    for (int threads = 1; threads <= 4; threads++) {
      const Invocation invocation = {"relativeBias",
                                     {Operand::f32({c.buckets, c.heads}, values)},
                                     {Operand::output({c.heads, 2 * c.reach + 1})},
                                     {c.bidirectional, c.maxDistance},
                                     {}};
      expectSameBits(run(table(), invocation, threads), expected,
                     std::to_string(c.buckets) + " buckets");
    }
  }
}

// Sizes for which the formula has nothing to say must still stay inside the table.
TEST_P(PositionBiasTest, DegenerateSizesStayInTheTable) {
  for (int64_t buckets : {1, 2, 3, 4}) {
    for (int64_t maxDistance : {1, 2, 1 << 24}) {
      for (int64_t bidirectional : {0, 1}) {
        const Invocation invocation = {
            "relativeBias",
            {Operand::f32({buckets, 1}, std::vector<float>(static_cast<size_t>(buckets), 2.0f))},
            {Operand::output({1, 41})},
            {bidirectional, maxDistance},
            {}};
        expectClose(run(table(), invocation), std::vector<double>(41, 2.0), 0, 0, "degenerate");
      }
    }
  }
}

}  // namespace
}  // namespace heddle::test
