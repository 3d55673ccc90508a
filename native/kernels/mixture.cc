#include "kernels/mixture.h"

#include "kernels/gemm.h"
#include "kernels/linear_int4.h"
#include "kernels/linear_int8.h"
#include "kernels/quantize.h"
#include "kernels/quantize_blocks.h"
#include "kernels/routing.h"
#include "kernels/rows.h"
#include "kernels/softmax.h"

namespace heddle::HEDDLE_ISA {

// The k largest of a row, in the order of their experts; any k where they cannot be compared.
static void chooseExperts(const float* values, int64_t experts, int64_t chosen, float* flags) {
  for (int64_t e = 0; e < experts; e++) flags[e] = 0;
  for (int64_t i = 0; i < chosen; i++) {
    int64_t best = -1;
    for (int64_t e = 0; e < experts; e++) {
      if (flags[e] == 0 && (best < 0 || values[e] > values[best])) best = e;
    }
    flags[best] = 1;
  }
}

// Few numbers, and an order over all rows: one thread does it.
static void routeExperts(const Call& call, int, int, Scratch scratch) {
  if (claim(call.work) != 0) return;
  const Tensor& logits = call.inputs[0];
  const int64_t rows = logits.dims[0], experts = logits.dims[1], chosen = call.ints[0];
  const Routing routing = routingOf(call.outputs[0]);
  float* probabilities = static_cast<float*>(scratch.data);
  float* flags = probabilities + experts;
  float* starts = flags + experts;  // exact below 2^24, as everything in `routing`
  for (int64_t e = 0; e <= experts; e++) starts[e] = 0;
  // First the experts and weights by assignment, where places and assignments will stand.
  for (int64_t r = 0; r < rows; r++) {
    softmaxRow(static_cast<const float*>(logits.data) + r * experts, probabilities, experts, 1.0f);
    chooseExperts(probabilities, experts, chosen, flags);
    float total = 0;
    int64_t slot = r * chosen;
    for (int64_t e = 0; e < experts; e++) {
      if (flags[e] == 0) continue;
      routing.places[slot] = static_cast<float>(e);
      routing.assignments[slot++] = probabilities[e];
      total += probabilities[e];
      starts[e + 1] += 1;
    }
    if (call.ints[1] == 0) continue;
    for (int64_t i = r * chosen; i < slot; i++) routing.assignments[i] /= total;
  }
  for (int64_t e = 0; e < experts; e++) starts[e + 1] += starts[e];
  for (int64_t i = 0; i < routing.count; i++) {
    const int64_t e = indexOf(routing.places[i], experts);
    const int64_t place = static_cast<int64_t>(starts[e]);
    starts[e] += 1;
    routing.experts[place] = static_cast<float>(e);
    routing.weights[place] = routing.assignments[i];
    routing.places[i] = static_cast<float>(place);
  }
  for (int64_t i = 0; i < routing.count; i++) {
    routing.assignments[static_cast<int64_t>(routing.places[i])] = static_cast<float>(i);
  }
}

static size_t routeExpertsScratch(const Call& call) {
  return static_cast<size_t>(call.inputs[0].dims[1] * 3 + 1) * sizeof(float);
}

constexpr int64_t kExpertRows = 24;  // rows that are multiplied at once
// Columns of an int8 or int4 weight that rows are multiplied with once they are rounded, which
// takes as long as some ten columns.
constexpr int64_t kRoundedColumns = 128;

struct ExpertProduct {
  const float* x;
  const PackedMatrix* weight;
  Routing routing;
  float* y;
  int64_t experts, chosen, n, k;
  bool gather, roundInputs;
};

static ExpertProduct readExperts(const Call& call) {
  const PackedMatrix* weight = static_cast<const PackedMatrix*>(call.inputs[2].data);
  const int64_t experts = call.ints[0];
  return {static_cast<const float*>(call.inputs[0].data),
          weight,
          routingOf(call.inputs[1]),
          static_cast<float*>(call.outputs[0].data),
          experts,
          call.ints[1],
          weight->n / experts,
          weight->k,
          call.ints[2] != 0,
          call.ints[3] != 0};
}

// A thread's memory.
struct ExpertWorkspace {
  int64_t* starts;  // [E + 1], the first place of each expert
  float* rows;      // [kExpertRows][k], gathered
  float* sums;      // [kExpertRows][kPanel]
  LinearScratch linear;
  // [kExpertRows] rows of x, rounded: int8 with their scales and zeros, or blocks.
  uint8_t* rounded;
  float* scales;
  int32_t* zeros;
};

static bool isRounded(const ExpertProduct& p) {
  return p.weight->dtype == DType::kInt8 || p.weight->dtype == DType::kInt4;
}

static size_t layOut(const ExpertProduct& p, void* base, ExpertWorkspace* w) {
  uintptr_t at = reinterpret_cast<uintptr_t>(base);
  const uintptr_t begin = at;
  const auto take = [&](int64_t bytes) {
    const uintptr_t place = at;
    at += static_cast<uintptr_t>(divideUp(bytes, 64) * 64);
    return place;
  };
  const DepthBlocks blocks = cutDepth(p.k);
  w->starts = reinterpret_cast<int64_t*>(take((p.experts + 1) * 8));
  w->rows = reinterpret_cast<float*>(take(kExpertRows * p.k * 4));
  w->sums = reinterpret_cast<float*>(take(kExpertRows * kPanel * 4));
  w->linear.rows = reinterpret_cast<float*>(take(kExpertRows * blocks.size * 4));
  w->linear.panel = reinterpret_cast<float*>(take(blocks.size * kPanel * 4));
  if (isRounded(p)) {
    // The blocks are more, and leave room for what an int8 group reads beyond the last row.
    w->rounded = reinterpret_cast<uint8_t*>(take(int8BlockBytes(kExpertRows, p.k)));
    w->scales = reinterpret_cast<float*>(take(kExpertRows * 4));
    w->zeros = reinterpret_cast<int32_t*>(take(kExpertRows * 4));
  }
  return at - begin;
}

// The rows of up to kExpertRows places, as they are multiplied with floats; rounded, where the
// weight wants that.
static const float* prepareRows(const ExpertProduct& p, int64_t place, int64_t rows,
                                const ExpertWorkspace& w) {
  const float* x = p.x + place * p.k;
  if (p.gather) {
    for (int64_t i = 0; i < rows; i++) {
      const int64_t row = indexOf(p.routing.assignments[place + i], p.routing.count) / p.chosen;
      __builtin_memcpy(w.rows + i * p.k, p.x + row * p.k, sizeof(float) * static_cast<size_t>(p.k));
    }
    x = w.rows;
  }
  for (int64_t i = 0; i < rows && isRounded(p); i++) {
    if (p.weight->dtype == DType::kInt8) {
      quantizeRow(x + i * p.k, p.k, {w.rounded + i * p.k, w.scales + i, w.zeros + i});
    } else {
      Int8Block* blocks = reinterpret_cast<Int8Block*>(w.rounded);
      quantizeRowBlocks(x + i * p.k, p.k, blocks + i * blocksOf(p.k));
    }
  }
  return x;
}

static void multiplyRowsInt8(const ExpertProduct& p, int64_t rows, int64_t panel,
                             const ExpertWorkspace& w) {
  const LinearInt8 linear = {reinterpret_cast<const int8_t*>(w.rounded),
                             w.scales,
                             w.zeros,
                             p.weight,
                             nullptr,
                             nullptr,
                             w.sums,
                             rows,
                             kPanel,
                             p.k,
                             Activation::kNone};
  const Task task = {0, rows, panel, 0, kPanel};
  const DepthBlocks blocks = cutInt8Depth(p.k);
  for (int64_t i = 0; i < blocks.count; i++) {
    const int64_t start = i * blocks.size;
    multiplyInt8(linear, task, start, smaller(blocks.size, p.k - start));
  }
  const PackedInt8 weight = partsOfInt8(*p.weight);
  finish({Activation::kNone,
          nullptr,
          nullptr,
          0,
          {w.scales, w.zeros, weight.scales + panel * kPanel, weight.sums + panel * kPanel}},
         w.sums, kPanel, rows, kPanel);
}

static void multiplyRowsInt4(const ExpertProduct& p, int64_t rows, int64_t panel,
                             const ExpertWorkspace& w) {
  const int64_t blocks = blocksOf(p.k);
  const uint8_t* data = static_cast<const uint8_t*>(p.weight->data);
  multiplyPanelInt4({reinterpret_cast<const Int8Block*>(w.rounded), blocks, w.sums, kPanel}, rows,
                    data + panel * int4PanelBytes(p.k), blocks);
}

static void multiplyRowsFloat(const ExpertProduct& p, const float* x, int64_t rows, int64_t panel,
                              const ExpertWorkspace& w) {
  const Linear linear = {x,    p.weight, nullptr, nullptr,           w.sums,
                         rows, kPanel,   p.k,     Activation::kNone, p.roundInputs};
  const Task task = {0, rows, panel, 0, kPanel};
  const DepthBlocks blocks = cutDepth(p.k);
  for (int64_t i = 0; i < blocks.count; i++) {
    const int64_t start = i * blocks.size;
    runBlock(linear, task, start, smaller(blocks.size, p.k - start), blocks.size, w.linear);
  }
}

// What prepareRows gave, by one panel, of whose columns those of the expert are kept.
static void multiplyRows(const ExpertProduct& p, const float* x, int64_t expert, int64_t place,
                         int64_t rows, int64_t panel, const ExpertWorkspace& w) {
  if (p.weight->dtype == DType::kInt8) {
    multiplyRowsInt8(p, rows, panel, w);
  } else if (p.weight->dtype == DType::kInt4) {
    multiplyRowsInt4(p, rows, panel, w);
  } else {
    multiplyRowsFloat(p, x, rows, panel, w);
  }
  const int64_t first = panel * kPanel - expert * p.n;  // the panel's first column, for the expert
  const int64_t begin = first < 0 ? -first : 0;
  const int64_t end = smaller(kPanel, p.n - first);
  for (int64_t i = 0; i < rows; i++) {
    float* to = p.y + (place + i) * p.n + first;
    for (int64_t j = begin; j < end; j++) to[j] = w.sums[i * kPanel + j];
  }
}

static void linearExperts(const Call& call, int, int, Scratch scratch) {
  const ExpertProduct p = readExperts(call);
  ExpertWorkspace w = {};
  layOut(p, scratch.data, &w);
  const int64_t together = isRounded(p) ? kRoundedColumns / kPanel : 1;
  startsOf(p.routing, p.experts, w.starts);
  int64_t passed = 0, expert = 0;
  for (int64_t number; !isCancelled(call);) {
    number = claim(call.work);
    for (;; expert++) {
      if (expert == p.experts) return;
      const int64_t begin = w.starts[expert], end = w.starts[expert + 1];
      const int64_t firstPanel = expert * p.n / kPanel;
      const int64_t panels = divideUp((expert + 1) * p.n, kPanel) - firstPanel;
      const int64_t items = end > begin ? divideUp(panels, together) : 0;
      if (number - passed >= items) {
        passed += items;
        continue;
      }
      const int64_t first = (number - passed) * together;
      const int64_t last = smaller(first + together, panels);
      for (int64_t place = begin; place < end; place += kExpertRows) {
        const int64_t rows = smaller(kExpertRows, end - place);
        const float* x = prepareRows(p, place, rows, w);
        for (int64_t panel = first; panel < last; panel++) {
          multiplyRows(p, x, expert, place, rows, firstPanel + panel, w);
        }
      }
      break;
    }
  }
}

static size_t linearExpertsScratch(const Call& call) {
  ExpertWorkspace unused;
  return layOut(readExperts(call), nullptr, &unused);
}

static void joinExperts(const Call& call, int, int, Scratch) {
  const float* y = static_cast<const float*>(call.inputs[0].data);
  const Routing routing = routingOf(call.inputs[1]);
  const Tensor& out = call.outputs[0];
  const int64_t columns = out.dims[1], chosen = call.ints[0];
  const bool weighed = call.ints[1] != 0;
  forEachRow(call, out.dims[0], columns * chosen, [&](int64_t r) {
    float* to = static_cast<float*>(out.data) + r * columns;
    forEachVector(columns, [&](int64_t i, int n) {
      F32 sum = zero();
      for (int64_t slot = r * chosen; slot < (r + 1) * chosen; slot++) {
        const int64_t place = indexOf(routing.places[slot], routing.count);
        const F32 x = loadUpTo(y + place * columns + i, n);
        sum = fma(broadcast(weighed ? routing.weights[place] : 1.0f), x, sum);
      }
      storeUpTo(to + i, sum, n);
    });
  });
}

}  // namespace heddle::HEDDLE_ISA
