// Mixtures of experts, against the definition in double precision.
#include <algorithm>
#include <numeric>

#include "quantize.h"
#include "test/harness.h"

namespace heddle::test {
namespace {

class MixtureTest : public KernelTest {};
HEDDLE_FOR_EACH_ISA(MixtureTest);

std::vector<float> route(const KernelTable& table, const std::vector<float>& logits, int64_t rows,
                         int64_t chosen, int64_t normalised) {
  const int64_t experts = static_cast<int64_t>(logits.size()) / rows;
  return run(table,
             {"routeExperts",
              {Operand::f32({rows, experts}, logits)},
              {Operand::output({rows, 4 * chosen})},
              {chosen, normalised},
              {}},
             3);
}

TEST_P(MixtureTest, RoutesToTheLargest) {
  for (int64_t experts : {1, 3, 8, 130}) {
    for (int64_t chosen : {int64_t{1}, int64_t{2}, int64_t{8}}) {
      if (chosen > experts) continue;
      for (int64_t rows : {1, 7, 60}) {
        const std::vector<float> logits = normal(rows * experts, 1, 2.0f);
        const size_t count = static_cast<size_t>(rows * chosen);
        const std::vector<float> routing = route(table(), logits, rows, chosen, 1);
        for (size_t place = 1; place < count; place++) {
          ASSERT_LE(routing[count + place - 1], routing[count + place]) << "order of experts";
        }
        for (int64_t r = 0; r < rows; r++) {
          std::vector<float> sorted(logits.begin() + r * experts,
                                    logits.begin() + (r + 1) * experts);
          const std::vector<float> row = sorted;
          std::sort(sorted.rbegin(), sorted.rend());
          double total = 0, weights = 0;
          for (int64_t i = 0; i < chosen; i++) total += std::exp(sorted[static_cast<size_t>(i)]);
          for (int64_t s = 0; s < chosen; s++) {
            const size_t assignment = static_cast<size_t>(r * chosen + s);
            const size_t place = static_cast<size_t>(routing[3 * count + assignment]);
            ASSERT_EQ(routing[place], static_cast<float>(assignment));
            const float logit = row[static_cast<size_t>(routing[count + place])];
            ASSERT_GE(logit, sorted[static_cast<size_t>(chosen - 1)]);
            EXPECT_NEAR(routing[2 * count + place], std::exp(logit) / total, 1e-5);
            weights += routing[2 * count + place];
          }
          EXPECT_NEAR(weights, 1, 1e-5);
        }
      }
    }
  }
}

// Whatever the logits are, each row has as many experts as it should, each once.
TEST_P(MixtureTest, RoutesWhatCannotBeCompared) {
  for (float bad : {NAN, INFINITY, -INFINITY}) {
    const std::vector<float> routing = route(table(), std::vector<float>(5 * 4, bad), 5, 2, 0);
    for (size_t r = 0; r < 5; r++) {
      const size_t a = static_cast<size_t>(routing[30 + 2 * r]);
      const size_t b = static_cast<size_t>(routing[30 + 2 * r + 1]);
      ASSERT_LT(a, size_t{10});
      ASSERT_LT(b, size_t{10});
      ASSERT_NE(routing[10 + a], routing[10 + b]);
    }
  }
}

// Consumers stay inside their operands even where the routing is no routing.
TEST_P(MixtureTest, JoinsWhateverTheRoutingSays) {
  for (float bad : {NAN, INFINITY, -INFINITY, -1.0f, 1e9f}) {
    const Invocation invocation = {
        "joinExperts",
        {Operand::f32({3, 10}, normal(30, 1)), Operand::f32({3, 8}, std::vector<float>(24, bad))},
        {Operand::output({3, 5})},
        {2, 1},
        {}};
    EXPECT_EQ(run(table(), invocation, 2).size(), size_t{15});
  }
}

TEST_P(MixtureTest, JoinsTheWeighedRows) {
  const int64_t rows = 9, experts = 4, chosen = 2;
  const std::vector<float> routing = route(table(), normal(rows * experts, 2), rows, chosen, 0);
  for (int64_t columns : {1, 7, 16, 45}) {
    const std::vector<float> y = normal(rows * chosen * columns, 3);
    std::vector<double> expected(static_cast<size_t>(rows * columns), 0.0);
    for (int64_t place = 0; place < rows * chosen; place++) {
      const int64_t row = static_cast<int64_t>(routing[static_cast<size_t>(place)]) / chosen;
      const double weight = routing[static_cast<size_t>(2 * rows * chosen + place)];
      for (int64_t i = 0; i < columns; i++) {
        expected[static_cast<size_t>(row * columns + i)] +=
            weight * y[static_cast<size_t>(place * columns + i)];
      }
    }
    const Invocation invocation = {
        "joinExperts",
        {Operand::f32({rows, chosen * columns}, y), Operand::f32({rows, 4 * chosen}, routing)},
        {Operand::output({rows, columns})},
        {chosen, 1},
        {}};
    expectClose(run(table(), invocation, 2), expected, 1e-6, 1e-6, std::to_string(columns));
  }
}

// A PackedMatrix as an operand carries it.
std::vector<int32_t> intsOf(const PackedMatrix& matrix) {
  std::vector<int32_t> ints(sizeof(matrix) / 4);
  std::memcpy(ints.data(), &matrix, sizeof(matrix));
  return ints;
}

// What packs a weight: [E·n, k] as one matrix.
struct Packed {
  Packed(const KernelTable& table, const std::vector<float>& weight, int64_t rows, int64_t k)
      : memory(static_cast<size_t>(table.packing.bytes(DType::kFloat32, rows, k)) / 4 + 1),
        matrix{memory.data(), DType::kFloat32, rows, k, table.packing.panel} {
    table.packing.pack(&matrix, weight.data(), false, 0, 1);
  }
  std::vector<float> memory;
  PackedMatrix matrix;
};

TEST_P(MixtureTest, MultipliesEachRowWithItsExperts) {
  const int64_t experts = 5, chosen = 2;
  for (int64_t rows : {1, 3, 70}) {
    for (int64_t n : {1, 16, 37}) {
      for (int64_t k : {1, 20, 400}) {
        const std::vector<float> x = normal(rows * k, 1), w = normal(experts * n * k, 2);
        const std::vector<float> routing =
            route(table(), normal(rows * experts, 3), rows, chosen, 1);
        Packed packed(table(), w, experts * n, k);
        const Operand xs = Operand::f32({rows, k}, x);
        const Operand routes = Operand::f32({rows, 4 * chosen}, routing);
        const Operand out = Operand::output({rows, chosen * n});
        const Tensor weight = {&packed.matrix, DType::kFloat32, 2, {experts * n, k}};
        const Tensor inputs[3] = {xs.tensor(), routes.tensor(), weight};
        const int64_t ints[] = {experts, chosen, 1, 0};
        WorkCounter work{0};
        const int32_t cancelled = 0;
        const Call call{inputs, &out.tensor(), ints, nullptr, &work, &cancelled};
        const Kernel* kernel = findKernel(table(), "linearExperts");
        const size_t bytes = kernel->scratch(call);
        Guarded scratch((bytes + kAlignment - 1) / kAlignment * kAlignment);
        kernel->run(call, 0, 1, {scratch.data(), bytes});
        std::vector<double> expected;
        for (int64_t place = 0; place < rows * chosen; place++) {
          const int64_t row = static_cast<int64_t>(routing[static_cast<size_t>(place)]) / chosen;
          const int64_t expert =
              static_cast<int64_t>(routing[static_cast<size_t>(rows * chosen + place)]);
          for (int64_t j = 0; j < n; j++) {
            double sum = 0;
            for (int64_t i = 0; i < k; i++) {
              sum += static_cast<double>(x[static_cast<size_t>(row * k + i)]) *
                     w[static_cast<size_t>((expert * n + j) * k + i)];
            }
            expected.push_back(sum);
          }
        }
        expectClose(out.values(), expected, 1e-6 * static_cast<double>(k), 1e-5,
                    std::to_string(rows) + " rows, " + std::to_string(n));
      }
    }
  }
}

// The same bits as where every row is multiplied with every expert.
TEST_P(MixtureTest, RoundsRowsForInt8AndInt4) {
  const int64_t experts = 3, chosen = 2, rows = 31;
  for (DType dtype : {DType::kInt8, DType::kInt4}) {
    const bool isInt8 = dtype == DType::kInt8;
    for (int64_t n : {1, 37, 150}) {
      for (int64_t k : {1, 33, 400}) {
        const std::vector<float> x = normal(rows * k, 1), w = normal(experts * n * k, 2);
        const std::vector<float> routing =
            route(table(), normal(rows * experts, 3), rows, chosen, 1);
        const int64_t dims[] = {experts * n, k};
        int64_t bytes = 0;
        ASSERT_TRUE(checkedTensorBytes(dtype, dims, 2, &bytes));
        std::vector<float> plain(static_cast<size_t>(bytes / 4 + 1));
        quantizeWeights(dtype, w.data(), dims[0], k, false, plain.data(), 0, 1);
        Guarded memory(static_cast<size_t>(table().packing.bytes(dtype, dims[0], k)));
        PackedMatrix matrix = {memory.data(), dtype, dims[0], k, table().packing.panel};
        table().packing.pack(&matrix, plain.data(), false, 0, 1);
        const Operand weight = Operand::i32({sizeof(PackedMatrix) / 4}, intsOf(matrix));

        Invocation round = {
            isInt8 ? "quantizeRows" : "quantizeBlocks",
            {Operand::f32({rows, k}, x)},
            {Operand::outputOf(isInt8 ? DType::kInt8 : DType::kInt8Blocks, {rows, k})},
            {},
            {}};
        run(table(), round);
        const std::vector<float> all = run(table(), {isInt8 ? "linearInt8" : "linearInt4",
                                                     {round.outputs[0], weight, {}, {}},
                                                     {Operand::output({rows, dims[0]})},
                                                     {0},
                                                     {}});
        const std::vector<float> found =
            run(table(),
                {"linearExperts",
                 {Operand::f32({rows, k}, x), Operand::f32({rows, 4 * chosen}, routing), weight},
                 {Operand::output({rows, chosen * n})},
                 {experts, chosen, 1, 0},
                 {}},
                3);
        std::vector<float> expected;
        for (int64_t place = 0; place < rows * chosen; place++) {
          const int64_t row = static_cast<int64_t>(routing[static_cast<size_t>(place)]) / chosen;
          const int64_t expert =
              static_cast<int64_t>(routing[static_cast<size_t>(rows * chosen + place)]);
          const auto from = all.begin() + row * dims[0] + expert * n;
          expected.insert(expected.end(), from, from + n);
        }
        expectSameBits(found, expected, std::to_string(n) + " of " + std::to_string(k));
      }
    }
  }
}

}  // namespace
}  // namespace heddle::test
