#include "kernels/mixture_gradient.h"

#include "kernels/attention_tile.h"
#include "kernels/routing.h"
#include "kernels/rows.h"
#include "kernels/softmax.h"

namespace heddle::HEDDLE_ISA {

static void routeExpertsGradient(const Call& call, int, int, Scratch scratch) {
  const Tensor& logits = call.inputs[0];
  const int64_t experts = logits.dims[1], chosen = call.ints[0];
  const bool normalised = call.ints[1] != 0;
  const Routing routing = routingOf(call.inputs[1]), gradient = routingOf(call.inputs[2]);
  float* p = static_cast<float*>(scratch.data);
  float* slopes = p + experts;
  forEachRow(call, logits.dims[0], experts, [&](int64_t r) {
    for (int64_t e = 0; e < experts; e++) p[e] = slopes[e] = 0;
    if (!normalised) {
      softmaxRow(static_cast<const float*>(logits.data) + r * experts, p, experts, 1.0f);
    }
    float along = 0;
    for (int64_t slot = r * chosen; slot < (r + 1) * chosen; slot++) {
      const int64_t place = indexOf(routing.places[slot], routing.count);
      const int64_t e = indexOf(routing.experts[place], experts);
      if (normalised) p[e] = routing.weights[place];
      slopes[e] = gradient.weights[place];
      along += p[e] * slopes[e];
    }
    float* to = static_cast<float*>(call.outputs[0].data) + r * experts;
    for (int64_t e = 0; e < experts; e++) to[e] = p[e] * (slopes[e] - along);
  });
}

static size_t routeExpertsGradientScratch(const Call& call) {
  return static_cast<size_t>(call.inputs[0].dims[1] * 2) * sizeof(float);
}

static void joinExpertsGradient(const Call& call, int, int, Scratch) {
  const float* y = static_cast<const float*>(call.inputs[0].data);
  const Routing routing = routingOf(call.inputs[1]);
  const Tensor& gradient = call.inputs[2];
  const int64_t columns = gradient.dims[1], chosen = call.ints[0];
  const bool byRouting = call.outputs[1].data;
  forEachRow(call, gradient.dims[0], columns * chosen * 2, [&](int64_t r) {
    const float* g = static_cast<const float*>(gradient.data) + r * columns;
    for (int64_t slot = r * chosen; slot < (r + 1) * chosen; slot++) {
      const int64_t place = indexOf(routing.places[slot], routing.count);
      float* to = static_cast<float*>(call.outputs[0].data) + place * columns;
      const F32 weight = broadcast(routing.weights[place]);
      const float along = sumOver(columns, [&](int64_t i, int n) {
        const F32 x = loadUpTo(g + i, n);
        storeUpTo(to + i, mul(weight, x), n);
        return mul(x, loadUpTo(y + place * columns + i, n));
      });
      if (!byRouting) continue;
      // Each slot has a place of its own, and each place one number in every list.
      const Routing slopes = routingOf(call.outputs[1]);
      slopes.assignments[place] = slopes.experts[place] = slopes.places[place] = 0;
      slopes.weights[place] = along;
    }
  });
}

// Work over pairs of an expert and a panel of columns of its matrix.
struct ExpertPanels {
  const float* x;  // of the places or, gathered, of the rows
  const float* gradient;
  Routing routing;
  int64_t experts, chosen, n, k;
  bool gather;

  int64_t panels() const { return divideUp(k, kPanel); }
};

static ExpertPanels readPanels(const Call& call, const Tensor& matrices, const Tensor& gradient) {
  const int64_t experts = call.ints[0];
  return {nullptr,
          static_cast<const float*>(gradient.data),
          routingOf(call.inputs[1]),
          experts,
          call.ints[1],
          matrices.dims[0] / experts,
          matrices.dims[1],
          false};
}

// A few columns, padded with zeros to a whole panel.
static void packColumns(const float* from, int64_t columns, float* to) {
  for (int64_t i = 0; i < kPanel; i += kLanes) {
    const int64_t left = columns - i;
    const int n = left >= kLanes ? kLanes : left > 0 ? static_cast<int>(left) : 0;
    store(to + i, n > 0 ? loadUpTo(from + i, n) : zero());
  }
}

// Calls item(expert, first place, end, first column, columns) for each pair.
template <typename Item>
static inline void forEachPanel(const Call& call, const ExpertPanels& p, int64_t* starts,
                                const Item& item) {
  startsOf(p.routing, p.experts, starts);
  const int64_t items = p.experts * p.panels();
  for (int64_t number; !isCancelled(call) && (number = claim(call.work)) < items;) {
    const int64_t expert = number / p.panels(), column = number % p.panels() * kPanel;
    item(expert, starts[expert], starts[expert + 1], column, smaller(kPanel, p.k - column));
  }
}

static size_t panelBytes(int64_t experts, int64_t rows) {
  return static_cast<size_t>(divideUp((experts + 1) * 8, 64) * 64 + rows * kPanel * 4);
}

static float* afterStarts(const Scratch& scratch, int64_t experts) {
  return reinterpret_cast<float*>(static_cast<char*>(scratch.data) +
                                  divideUp((experts + 1) * 8, 64) * 64);
}

static void linearExpertsGradient(const Call& call, int, int, Scratch scratch) {
  const Tensor& weight = call.inputs[2];
  const ExpertPanels p = readPanels(call, weight, call.inputs[0]);
  int64_t* starts = static_cast<int64_t*>(scratch.data);
  float* panel = afterStarts(scratch, p.experts);  // [n][kPanel]
  float* sums = panel + p.n * kPanel;              // [kTileRows][kPanel]
  float* target = static_cast<float*>(call.outputs[0].data);
  forEachPanel(
      call, p, starts, [&](int64_t e, int64_t begin, int64_t end, int64_t column, int64_t columns) {
        if (begin == end) return;
        const float* matrix = static_cast<const float*>(weight.data) + e * p.n * p.k + column;
        for (int64_t i = 0; i < p.n; i++)
          packColumns(matrix + i * p.k, columns, panel + i * kPanel);
        for (int64_t place = begin; place < end; place += kTileRows) {
          const int64_t rows = smaller(kTileRows, end - place);
          const Product product{
              p.gradient + place * p.n, p.n, panel, kPanel, sums, kPanel, p.n, nullptr};
          multiplyColumns(product, static_cast<int>(rows), 0, kPanel);
          for (int64_t r = 0; r < rows; r++) {
            __builtin_memcpy(target + (place + r) * p.k + column, sums + r * kPanel,
                             sizeof(float) * static_cast<size_t>(columns));
          }
        }
      });
}

static size_t linearExpertsGradientScratch(const Call& call) {
  const int64_t experts = call.ints[0];
  return panelBytes(experts, call.inputs[2].dims[0] / experts + kTileRows);
}

constexpr int64_t kPlacesAtOnce = 64;

static void linearExpertsWeightGradient(const Call& call, int, int, Scratch scratch) {
  ExpertPanels p = readPanels(call, call.outputs[0], call.inputs[2]);
  p.x = static_cast<const float*>(call.inputs[0].data);
  p.gather = call.ints[2] != 0;
  int64_t* starts = static_cast<int64_t*>(scratch.data);
  float* inputs = afterStarts(scratch, p.experts);  // [kPlacesAtOnce][kPanel]
  float* sums = inputs + kPlacesAtOnce * kPanel;    // [n][kPanel]
  float* target = static_cast<float*>(call.outputs[0].data);
  float ones[kTileRows];
  for (float& one : ones) one = 1.0f;
  forEachPanel(
      call, p, starts, [&](int64_t e, int64_t begin, int64_t end, int64_t column, int64_t columns) {
        for (int64_t i = 0; i < p.n * kPanel; i += kLanes) store(sums + i, zero());
        for (int64_t first = begin; first < end; first += kPlacesAtOnce) {
          const int64_t places = smaller(kPlacesAtOnce, end - first);
          for (int64_t i = 0; i < places; i++) {
            const int64_t row =
                p.gather ? indexOf(p.routing.assignments[first + i], p.routing.count) / p.chosen
                         : first + i;
            packColumns(p.x + row * p.k + column, columns, inputs + i * kPanel);
          }
          for (int64_t i = 0; i < p.n; i += kTileRows) {
            const int64_t rows = smaller(kTileRows, p.n - i);
            const Product product{p.gradient + first * p.n + i,
                                  p.n,
                                  inputs,
                                  kPanel,
                                  sums + i * kPanel,
                                  kPanel,
                                  places,
                                  ones};
            multiplyColumns<true>(product, static_cast<int>(rows), 0, kPanel);
          }
        }
        for (int64_t i = 0; i < p.n; i++) {
          __builtin_memcpy(target + (e * p.n + i) * p.k + column, sums + i * kPanel,
                           sizeof(float) * static_cast<size_t>(columns));
        }
      });
}

static size_t linearExpertsWeightGradientScratch(const Call& call) {
  const int64_t experts = call.ints[0];
  return panelBytes(experts, kPlacesAtOnce + call.outputs[0].dims[0] / experts);
}

}  // namespace heddle::HEDDLE_ISA
