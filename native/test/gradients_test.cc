// The gradients of everything but attention and the loss.
#include "test/harness.h"

namespace heddle::test {
namespace {

class GradientsTest : public KernelTest {};
HEDDLE_FOR_EACH_ISA(GradientsTest);

const std::vector<int64_t> kWidths = {1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 65, 257};
using Row = std::vector<double>;

double dot(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  EXPECT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); i++) sum += double{a[i]} * b[i];
  return sum;
}

// Runs with 1 to 4 threads; all have to give the same bits.
std::vector<float> runOnTeams(const KernelTable& table, const Invocation& call) {
  const std::vector<float> one = run(table, call, 1);
  for (int threads = 2; threads <= 4; threads++) {
    expectSameBits(run(table, call, threads), one, call.kernel);
  }
  return one;
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

double activate(int64_t kind, double x) {
  switch (kind) {
    case 1:
      return x > 0 ? x : 0;
    case 2:
      return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
    case 3:
      return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    case 4:
      return x * sigmoid(x);
    case 5:
      return std::tanh(x);
    case 6:
      return sigmoid(x);
    case 7:
      return x * sigmoid(1.702 * x);
    default:
      return x;
  }
}

TEST_P(GradientsTest, OfActivationsAreTheirSlopes) {
  for (int64_t kind = 0; kind <= 7; kind++) {
    for (int64_t count : {1, 7, 8, 9, 17, 9001}) {
      const std::vector<float> x = normal(count, 1, 3), gradient = normal(count, 2);
      const Invocation call = {"activationGradient",
                               {Operand::f32({count}, x), Operand::f32({count}, gradient)},
                               {Operand::output({count})},
                               {kind},
                               {}};
      Row expected;
      for (size_t i = 0; i < x.size(); i++) {
        const double step = 1e-6, at = x[i];
        const double slope = (activate(kind, at + step) - activate(kind, at - step)) / (2 * step);
        expected.push_back(slope * gradient[i]);
      }
      expectClose(runOnTeams(table(), call), expected, 3e-6, 3e-6, std::to_string(kind));
    }
  }
}

TEST_P(GradientsTest, OfReluIsZeroAtZeroAndCarriesNaN) {
  const Invocation call = {"activationGradient",
                           {Operand::f32({3}, {0, -0.0f, NAN}), Operand::f32({3}, {5, 5, 5})},
                           {Operand::output({3})},
                           {1},
                           {}};
  const std::vector<float> found = run(table(), call);
  EXPECT_EQ(found[0], 0);
  EXPECT_EQ(found[1], 0);
  EXPECT_TRUE(std::isnan(found[2]));
}

// A row's function in double precision; central differences of Σ y·gradient are what is expected.
template <typename Forward>
Row differences(const std::vector<float>& x, const std::vector<float>& gradient, int64_t columns,
                const Forward& forward) {
  Row expected;
  for (size_t begin = 0; begin < x.size(); begin += static_cast<size_t>(columns)) {
    const auto at = x.begin() + static_cast<std::ptrdiff_t>(begin);
    const auto lossOf = [&](const Row& row) {
      const Row y = forward(row);
      double sum = 0;
      for (size_t i = 0; i < y.size(); i++) sum += y[i] * gradient[begin + i];
      return sum;
    };
    for (int64_t i = 0; i < columns; i++) {
      const double step = 1e-5;
      Row up(at, at + columns), down = up;
      up[static_cast<size_t>(i)] += step;
      down[static_cast<size_t>(i)] -= step;
      expected.push_back((lossOf(up) - lossOf(down)) / (2 * step));
    }
  }
  return expected;
}

// x / √(mean of squares + epsilon)·gain, after the mean was taken away where `centered`.
Row normed(Row row, bool centered, double epsilon, const std::vector<float>& gain, double offset) {
  const double count = static_cast<double>(row.size());
  double mean = 0, squares = 0;
  for (double value : row) mean += centered ? value / count : 0;
  for (double& value : row) squares += std::pow(value -= mean, 2) / count;
  for (size_t i = 0; i < row.size(); i++) {
    row[i] *= (gain.empty() ? 1 : gain[i] + offset) / std::sqrt(squares + epsilon);
  }
  return row;
}

TEST_P(GradientsTest, OfNormsMatchDifferences) {
  constexpr int64_t kRows = 3;
  for (int64_t columns : kWidths) {
    for (bool hasGain : {false, true}) {
      const std::vector<float> x = normal(kRows * columns, 1),
                               gradient = normal(kRows * columns, 2);
      const std::vector<float> gain = hasGain ? normal(columns, 3) : std::vector<float>();
      const Operand gains = hasGain ? Operand::f32({columns}, gain) : Operand();
      Invocation call = {
          "layerNormGradient",
          {Operand::f32({kRows, columns}, x), gains, Operand::f32({kRows, columns}, gradient)},
          {Operand::output({kRows, columns})},
          {},
          {0.01}};
      const auto layer = [&](const Row& row) { return normed(row, true, 0.01, gain, 0); };
      // At a width of 1 or 2 most of the two terms cancels.
      const Row byLayer = differences(x, gradient, columns, layer);
      expectClose(runOnTeams(table(), call), byLayer, 2e-5, 1e-5, "layerNorm");
      call.kernel = "rmsNormGradient";
      call.ints = {1};
      call.floats = {0.01, 0.5};
      const auto rms = [&](const Row& row) { return normed(row, false, 0.01, gain, 0.5); };
      const Row byRms = differences(x, gradient, columns, rms);
      expectClose(runOnTeams(table(), call), byRms, 2e-5, 1e-5, "rmsNorm");
      // The same rows as the parts of one.
      call.inputs[0] = Operand::f32({1, kRows * columns}, x);
      call.inputs[2] = Operand::f32({1, kRows * columns}, gradient);
      call.outputs = {Operand::output({1, kRows * columns})};
      call.ints = {kRows};
      expectClose(run(table(), call, 2), byRms, 2e-5, 1e-5, "rmsNorm in groups");
    }
  }
}

TEST_P(GradientsTest, OfSoftmaxAndL2NormalizeMatchDifferences) {
  constexpr int64_t kRows = 3;
  for (int64_t columns : kWidths) {
    const std::vector<float> x = normal(kRows * columns, 1), gradient = normal(kRows * columns, 2);
    const Operand values = Operand::f32({kRows, columns}, x);
    const Operand gradients = Operand::f32({kRows, columns}, gradient);
    const double t = 1.5;
    const std::vector<float> y =
        run(table(), {"softmax", {values}, {Operand::output({kRows, columns})}, {}, {t}});
    const auto softmax = [&](const Row& row) {
      Row result;
      double sum = 0;
      for (double value : row) result.push_back(std::exp(t * value)), sum += result.back();
      for (double& value : result) value /= sum;
      return result;
    };
    expectClose(runOnTeams(table(), {"softmaxGradient",
                                     {Operand::f32({kRows, columns}, y), gradients},
                                     {Operand::output({kRows, columns})},
                                     {},
                                     {t}}),
                differences(x, gradient, columns, softmax), 3e-6, 3e-6, "softmax");
    for (double epsilon : {1e-12, 1e3}) {
      const auto divided = [&](const Row& row) {
        Row result = row;
        double squares = 0;
        for (double value : row) squares += value * value;
        for (double& value : result) value /= std::max(std::sqrt(squares), epsilon);
        return result;
      };
      expectClose(runOnTeams(table(), {"l2NormalizeGradient",
                                       {values, gradients},
                                       {Operand::output({kRows, columns})},
                                       {},
                                       {epsilon}}),
                  differences(x, gradient, columns, divided), 2e-5, 1e-5, "l2Normalize");
    }
  }
}

TEST_P(GradientsTest, ColumnSumsAddInFloat32Blocks) {
  for (int64_t rows : {0, 1, 63, 64, 65, 1000}) {
    for (int64_t columns : {1, 7, 63, 64, 65, 200}) {
      for (int64_t groups : {1, 3}) {
        for (bool product : {false, true}) {
          const int64_t width = columns * groups;
          const std::vector<float> a = normal(rows * width, 1), b = normal(rows * width, 2);
          Row expected(static_cast<size_t>(columns));
          for (size_t i = 0; i < a.size(); i++) {
            expected[i % expected.size()] += double{a[i]} * (product ? b[i] : 1);
          }
          const Invocation call = {"columnSums",
                                   {Operand::f32({rows, width}, a),
                                    product ? Operand::f32({rows, width}, b) : Operand()},
                                   {Operand::output({columns})},
                                   {groups},
                                   {}};
          expectClose(runOnTeams(table(), call), expected, 1e-4, 1e-5, std::to_string(rows));
        }
      }
    }
  }
}

// A linear kernel A and its gradient Aᵀ: Σ (A·x)·g = Σ x·(Aᵀ·g) for any x and g.
void expectAdjoint(const KernelTable& table, Invocation forward, Invocation backward, size_t slot) {
  const std::vector<float> x = forward.inputs[0].values();
  const std::vector<float> g = backward.inputs[slot].values();
  const double there = dot(run(table, forward, 2), g);
  const double back = dot(x, runOnTeams(table, backward));
  EXPECT_NEAR(there, back, 2e-5 * std::sqrt(static_cast<double>(x.size() + g.size())) * 4)
      << backward.kernel;
}

TEST_P(GradientsTest, OfLinearKernelsAreTheirTransposes) {
  const Operand segments = Operand::i32({5}, {0, 9, 9, 10, 30});
  for (int64_t columns : {1, 7, 33, 129}) {
    const Operand x = Operand::f32({30, columns}, normal(30 * columns, 1));
    const auto output = [](int64_t rows, int64_t width) {
      return std::vector<Operand>{Operand::output({rows, width})};
    };
    const Operand pooled = Operand::f32({4, columns}, normal(4 * columns, 2));
    for (int64_t mode = 0; mode <= 5; mode++) {
      // The greatest of a segment is linear where it is the same for every x: by the choice of x.
      expectAdjoint(table(), {"pool", {x, segments}, output(4, columns), {mode}, {}},
                    {"poolGradient", {x, segments, pooled}, output(30, columns), {mode}, {}}, 2);
    }
    std::vector<int32_t> ids, positions;
    for (int32_t i = 0; i < 50; i++) ids.push_back(i * i % 30);
    for (int32_t i = 0; i < 30; i++) positions.push_back(i + i / 4);
    const Operand gathered = Operand::f32({50, columns}, normal(50 * columns, 3));
    expectAdjoint(
        table(),
        {"embedding", {x, Operand::i32({50}, ids), Operand()}, output(50, columns), {}, {1.5}},
        {"embeddingGradient", {gathered, Operand::i32({50}, ids)}, output(30, columns), {}, {1.5}},
        0);
    for (int64_t size : {1, 3, 5}) {
      const Operand wide = Operand::f32({30, columns * size}, normal(30 * columns * size, 4));
      const Operand places = Operand::i32({30}, positions);
      expectAdjoint(
          table(), {"unfold", {x, places, segments}, output(30, columns * size), {size}, {}},
          {"unfoldGradient", {wide, places, segments}, output(30, columns), {size}, {}}, 0);
    }
    if (columns < 9) continue;
    const int64_t size = columns / 4, step = size + 2;
    const Operand part = Operand::f32({30, 3 * size}, normal(90 * size, 5));
    const std::vector<int64_t> blocks = {1, step, size, 3};
    if (1 + 2 * step + size > columns) continue;
    expectAdjoint(table(), {"columns", {x}, output(30, 3 * size), blocks, {}},
                  {"columnsGradient", {Operand(), part}, output(30, columns), blocks, {}}, 1);
    const Operand whole = Operand::f32({30, columns}, normal(30 * columns, 3));
    const Invocation alone = {
        "columnsGradient", {Operand(), part}, output(30, columns), blocks, {}};
    const Invocation added = {"columnsGradient", {whole, part}, output(30, columns), blocks, {}};
    std::vector<float> expected = run(table(), alone, 2);
    const std::vector<float> residual = normal(30 * columns, 3);
    for (size_t i = 0; i < expected.size(); i++) expected[i] += residual[i];
    expectSameBits(run(table(), added, 2), expected, "with a residual");
    expectSameBits(run(table(), {"columnsGradient", {whole, part}, {whole}, blocks, {}}, 2),
                   expected, "in the residual's place");
  }
}

TEST_P(GradientsTest, OfTheRelativeBiasIsItsTranspose) {
  for (int64_t bidirectional : {0, 1}) {
    for (int64_t reach : {20, 128}) {
      const int64_t heads = 5, buckets = 32, width = 2 * reach + 1;
      expectAdjoint(table(),
                    {"relativeBias",
                     {Operand::f32({buckets, heads}, normal(buckets * heads, 1))},
                     {Operand::output({heads, width})},
                     {bidirectional, reach},
                     {}},
                    {"relativeBiasGradient",
                     {Operand::f32({heads, width}, normal(heads * width, 2))},
                     {Operand::output({buckets, heads})},
                     {bidirectional, reach},
                     {}},
                    0);
    }
  }
}

}  // namespace
}  // namespace heddle::test
