#include <algorithm>

#include "test/harness.h"

namespace heddle::test {
namespace {

class CrossEntropyTest : public KernelTest {};
HEDDLE_FOR_EACH_ISA(CrossEntropyTest);

struct Problem {
  Problem(int64_t rows, int64_t classes, double smoothing, float deviation)
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
        const Problem problem(5, classes, smoothing, deviation);
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
  Problem problem(1, 9, 0, 1);
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
  Problem problem(3, 21, 0.1, 1);
  problem.logits[21 + 20] = NAN;
  const std::vector<float> losses = run(table(), problem.loss());
  for (size_t r = 0; r < 3; r++) EXPECT_EQ(std::isnan(losses[r]), r == 1) << r;
}

}  // namespace
}  // namespace heddle::test
