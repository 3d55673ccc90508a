#include "expert_checks.h"

#include "node_checks.h"

namespace heddle {
namespace {

// [E·n, K], of sizes that are known when the plan is made.
void checkMatrices(const NodeView& view, const char* name, const Tensor& tensor, int64_t experts) {
  if (tensor.dims[0] > 0 && tensor.dims[1] > 0 && tensor.dims[0] % experts == 0) return;
  fail(view, name, "rows divisible by E = " + std::to_string(experts), dimsText(tensor));
}

// y and routing, by the columns of what is joined of them.
void checkJoined(const NodeView& view, const char* name, const Tensor& joined) {
  const int64_t chosen = view.ints[0];
  expectColumns(view, "y", view.inputs[0], chosen * columns(view, name, joined));
  expectColumns(view, "routing", view.inputs[1], 4 * chosen);
}

}  // namespace

void checkRouteExperts(const NodeView& view) {
  const int64_t experts = view.inputs[0].dims[1], chosen = view.ints[0];
  if (experts < chosen) {
    fail(view, "logits", "at least " + std::to_string(chosen) + " columns",
         dimsText(view.inputs[0]));
  }
  expectColumns(view, "output", view.outputs[0], 4 * chosen);
}

void checkLinearExperts(const NodeView& view) {
  const Tensor& weight = view.inputs[2];
  const int64_t experts = view.ints[0], chosen = view.ints[1];
  checkMatrices(view, "weight", weight, experts);
  expectColumns(view, "x", view.inputs[0],
                view.ints[2] != 0 ? weight.dims[1] : chosen * weight.dims[1]);
  expectColumns(view, "routing", view.inputs[1], 4 * chosen);
  expectColumns(view, "output", view.outputs[0], weight.dims[0] / experts * chosen);
}

void checkJoinExperts(const NodeView& view) { checkJoined(view, "output", view.outputs[0]); }

void checkRouteExpertsGradient(const NodeView& view) {
  const int64_t chosen = view.ints[0];
  if (view.inputs[0].dims[1] < chosen) {
    fail(view, "logits", "at least " + std::to_string(chosen) + " columns",
         dimsText(view.inputs[0]));
  }
  expectColumns(view, "routing", view.inputs[1], 4 * chosen);
}

void checkJoinExpertsGradient(const NodeView& view) {
  checkJoined(view, "gradient", view.inputs[2]);
}

void checkLinearExpertsGradient(const NodeView& view) {
  const Tensor& weight = view.inputs[2];
  const int64_t experts = view.ints[0], chosen = view.ints[1];
  checkMatrices(view, "weight", weight, experts);
  expectColumns(view, "routing", view.inputs[1], 4 * chosen);
  expectColumns(view, "gradient", view.inputs[0], weight.dims[0] / experts * chosen);
  expectColumns(view, "output", view.outputs[0], weight.dims[1] * chosen);
}

void checkLinearExpertsWeightGradient(const NodeView& view) {
  const Tensor& out = view.outputs[0];
  const int64_t experts = view.ints[0], chosen = view.ints[1];
  checkMatrices(view, "output", out, experts);
  expectColumns(view, "x", view.inputs[0], view.ints[2] != 0 ? out.dims[1] : chosen * out.dims[1]);
  expectColumns(view, "routing", view.inputs[1], 4 * chosen);
  expectColumns(view, "gradient", view.inputs[2], out.dims[0] / experts * chosen);
}

// Places are written as floats, exact up to here.
void checkRouteExpertsRun(const NodeView& view) {
  const int64_t rows = view.inputs[0].dims[0];
  if (rows * view.ints[0] < (1 << 24)) return;
  fail(view, "logits", "fewer than 2^24 rows times experts", dimsText(view.inputs[0]));
}

}  // namespace heddle
