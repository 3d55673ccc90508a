#include <algorithm>

#include "test/harness.h"

namespace heddle::test {
namespace {

class CrossEntropyTest : public KernelTest {};
HEDDLE_FOR_EACH_ISA(CrossEntropyTest);

struct CrossEntropyProblem {
  CrossEntropyProblem(int64_t rows, int64_t classes, double smoothing, float deviation)
      : rows(rows), classes(classes), smoothing(smoothing) {
    logits = normal(rows * classes, 1, deviation);
    gradient = normal(rows, 2);
    for (int64_t r = 0; r < rows; r++) labels.push_back(static_cast<int32_t>(7 * r % classes));
  }

  Invocation loss() const {
    return {"crossEntropy",
            {Operand::f32({rows, classes}, logits), Operand::i32({rows}, labels)},
            {Operand::output({rows, 1})},
            {},
            {smoothing}};
  }
  Invocation backward() const {
    return {"crossEntropyGradient",
            {Operand::f32({rows, classes}, logits), Operand::i32({rows}, labels),
             Operand::f32({rows, 1}, gradient)},
            {Operand::output({rows, classes})},
            {},
            {smoothing}};
  }

  void solve(std::vector<double>* losses, std::vector<double>* gradients) const {
    for (int64_t r = 0; r < rows; r++) {
      const float* row = logits.data() + r * classes;
      const double count = static_cast<double>(classes),
                   greatest = *std::max_element(row, row + classes);
      double sum = 0, mean = 0;
      for (int64_t i = 0; i < classes; i++) {
        sum += std::exp(row[i] - greatest);
        mean += row[i] / count;
      }
      const double logSum = greatest + std::log(sum);
      const int32_t label = labels[static_cast<size_t>(r)];
      losses->push_back(logSum - (1 - smoothing) * row[label] - smoothing * mean);
      for (int64_t i = 0; i < classes; i++) {
        const double wanted = smoothing / count + (i == label ? 1 - smoothing : 0);
        gradients->push_back((std::exp(row[i] - logSum) - wanted) *
                             gradient[static_cast<size_t>(r)]);
      }
    }
  }

  int64_t rows, classes;
  double smoothing;
  std::vector<float> logits, gradient;
  std::vector<int32_t> labels;
};

TEST_P(CrossEntropyTest, MatchesItsDefinition) {
  for (int64_t classes : {1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 1000, 8192}) {
    for (double smoothing : {0.0, 0.1, 1.0}) {
      for (float deviation : {1.0f, 30.0f}) {
        const CrossEntropyProblem problem(5, classes, smoothing, deviation);
        std::vector<double> losses, gradients;
        problem.solve(&losses, &gradients);
        const std::string what = std::to_string(classes);
        for (int threads = 1; threads <= 3; threads++) {
          expectClose(run(table(), problem.loss(), threads), losses, 2e-5, 4e-6, what);
          expectClose(run(table(), problem.backward(), threads), gradients, 1e-5, 1e-5, what);
        }
      }
    }
  }
}

TEST_P(CrossEntropyTest, LogitsMayBeHuge) {
  CrossEntropyProblem problem(1, 9, 0, 1);
  for (float& logit : problem.logits) logit = 1e30f;
  problem.logits[0] = 3e30f;
  problem.gradient = {1};
  EXPECT_EQ(run(table(), problem.loss())[0], 0.0f);
  problem.labels = {1};
  EXPECT_FLOAT_EQ(run(table(), problem.loss())[0], 2e30f);
  const std::vector<float> gradient = run(table(), problem.backward());
  for (size_t i = 0; i < 9; i++) EXPECT_EQ(gradient[i], i == 0 ? 1.0f : i == 1 ? -1.0f : 0.0f);
}

TEST_P(CrossEntropyTest, NaNSpoilsItsRowOnly) {
  CrossEntropyProblem problem(3, 21, 0.1, 1);
  problem.logits[21 + 20] = NAN;
  const std::vector<float> losses = run(table(), problem.loss());
  for (size_t r = 0; r < 3; r++) EXPECT_EQ(std::isnan(losses[r]), r == 1) << r;
}

// One block of classes after another, the last of another size.
TEST_P(CrossEntropyTest, IsTheSameByBlocksOfClasses) {
  for (int64_t block : {1, 7, 32, 100}) {
    const CrossEntropyProblem problem(5, 67, 0.1, 9.0f);
    std::vector<double> losses, gradients;
    problem.solve(&losses, &gradients);
    const int64_t rows = problem.rows, classes = problem.classes;
    const Operand weight = Operand::f32({classes, 1}, normal(classes, 3));
    const Operand labels = Operand::i32({rows}, problem.labels);
    const auto columns = [&](const std::vector<float>& all, int64_t first, int64_t count) {
      std::vector<float> part;
      for (int64_t r = 0; r < rows; r++) {
        const auto begin = all.begin() + r * classes + first;
        part.insert(part.end(), begin, begin + count);
      }
      return Operand::f32({rows, count}, part);
    };
    std::vector<float> parts;
    for (int64_t first = 0; first < classes; first += block) {
      const int64_t count = std::min(block, classes - first);
      const Operand before = parts.empty() ? Operand() : Operand::f32({rows, 4}, parts);
      parts =
          run(table(), {"crossEntropyPart",
                        {columns(problem.logits, first, count), labels, weight, Operand(), before},
                        {Operand::output({rows, 4})},
                        {first},
                        {}});
    }
    const Operand all = Operand::f32({rows, 4}, parts);
    const std::vector<float> loss = run(
        table(), {"crossEntropyOfParts", {all}, {Operand::output({rows, 1})}, {classes}, {0.1}});
    for (int64_t r = 0; r < rows; r++) ASSERT_NEAR(loss[r], losses[r], 1e-5 * losses[r]);
    for (int64_t first = 0; first < classes; first += block) {
      const int64_t count = std::min(block, classes - first);
      const std::vector<float> found =
          run(table(), {"crossEntropyPartGradient",
                        {columns(problem.logits, first, count), labels, weight, Operand(), all,
                         Operand::f32({rows, 1}, problem.gradient)},
                        {Operand::output({rows, count})},
                        {first},
                        {0.1}});
      for (int64_t r = 0; r < rows; r++) {
        for (int64_t i = 0; i < count; i++) {
          const double expected = gradients[static_cast<size_t>(r * classes + first + i)];
          ASSERT_NEAR(found[r * count + i], expected, 1e-5 * (1 + std::fabs(expected)));
        }
      }
    }
  }
}

}  // namespace
}  // namespace heddle::test
