#include "kernels/gemm.h"

#include "kernels/epilogue.h"
#include "kernels/packing.h"
#include "kernels/rounding.h"
#include "kernels/tasks.h"

namespace heddle::HEDDLE_ISA {

// The operands of one call, by name.
struct Linear {
  const float* x;
  const PackedMatrix* weight;
  const float* bias;
  const float* residual;
  float* y;
  int64_t rows, n, k;
  Activation activation;
  bool roundInputs;
};

static Linear readLinear(const Call& call) {
  const PackedMatrix* weight = static_cast<const PackedMatrix*>(call.inputs[1].data);
  return {static_cast<const float*>(call.inputs[0].data),
          weight,
          static_cast<const float*>(call.inputs[2].data),
          static_cast<const float*>(call.inputs[3].data),
          static_cast<float*>(call.outputs[0].data),
          call.inputs[0].dims[0],
          weight->n,
          weight->k,
          static_cast<Activation>(call.ints[0]),
          call.ints[1] != 0};
}

// Up to so many rows are rounded to bfloat16 once by each thread, more anew by each task: with few
// rows that would take as long as a good part of the product.
constexpr int64_t kRoundedRows = 16;

static bool roundsOnce(const Linear& linear) {
#ifdef HEDDLE_BF16_DOT
  if (linear.weight->dtype == DType::kBFloat16) return false;
#endif
  return linear.roundInputs && linear.rows <= kRoundedRows;
}

// Where a thread works: its own part of the scratch.
struct LinearScratch {
  float* rows;   // x rounded to bfloat16: [task rows][block depth], or all of it
  float* panel;  // [block depth][kPanel], a panel widened to float32
};

static int64_t scratchRowBytes(const Linear& linear, const DepthBlocks& blocks) {
  if (!linear.roundInputs) return 0;
  const int64_t depth = roundsOnce(linear) ? linear.k : blocks.size;
  const int64_t bytes = smaller(linear.rows, kChunkRows) * depth * 4;
  return divideUp(bytes, kAlignment) * static_cast<int64_t>(kAlignment);
}

static size_t linearScratch(const Call& call) {
  const Linear linear = readLinear(call);
  const DepthBlocks blocks = cutDepth(linear.k);
  int64_t bytes = scratchRowBytes(linear, blocks);
  if (linear.weight->dtype != DType::kFloat32) bytes += blocks.size * kPanel * 4;
  return static_cast<size_t>(bytes);
}

#ifdef HEDDLE_BF16_DOT
static void widenPairs(const uint16_t* panel, int64_t depth, float* target) {
  for (int64_t k = 0; k < depth; k += 2) {
    for (int v = 0; v < kTileVectors; v++) {
      const Bf16Pairs pairs = loadPairs(panel + (k * kTileVectors + v * 2) * kLanes);
      store(target + k * kPanel + v * kLanes, pairs.even);
      // An odd depth leaves half a pair: the scratch has room for it, the tile never reads it.
      store(target + (k + 1) * kPanel + v * kLanes, pairs.odd);
    }
  }
}
#endif

template <class Format>
static void widenPanel(const uint16_t* panel, int64_t depth, float* target) {
  for (int64_t i = 0; i < depth * kPanel; i += kLanes)
    store(target + i, Format::weights(panel + i));
}

// What this thread most likely multiplies with after a block: the next one of the same panels, else
// the panels beside them.
static const void* weightsAfter(const Linear& linear, const Task& task, int64_t end) {
  const int64_t elements = panelElements(linear.weight->dtype, linear.k);
  const int64_t size = linear.weight->dtype == DType::kFloat32 ? 4 : 2;
  const int64_t panel = end < linear.k ? task.panel : task.panel + divideUp(task.columns, kPanel);
  const int64_t place = panel * elements + (end < linear.k ? end * kPanel : 0);
  return static_cast<const char*>(linear.weight->data) + place * size;
}

// One task over one block of k, whatever the format: `block` has all but the operands.
template <class Format>
static void multiplyPacked(const Linear& linear, const Task& task, int64_t start,
                           const Block<Float32Format>& block) {
  const int64_t elements = panelElements(linear.weight->dtype, linear.k);
  const auto* data = static_cast<const typename Format::Weight*>(linear.weight->data);
  multiplyBlock<Format>({block.a, block.aStride, data + task.panel * elements + start * kPanel,
                         elements, block.c, block.cStride, block.rows, block.columns, block.depth,
                         block.first, block.after});
}

// Up to so many rows 16-bit weights are widened anew for each tile: that takes less than a pass of
// its own over the panel.
constexpr int64_t kDirectRows = 48;

// Many rows: each panel of 16-bit weights is widened once, and stays in the cache for all of them.
template <class Widen>
static void multiplyWidened(const Linear& linear, const Task& task, int64_t start,
                            const Block<Float32Format>& block, float* panel, Widen widen) {
  const int64_t elements = panelElements(linear.weight->dtype, linear.k);
  const uint16_t* data = static_cast<const uint16_t*>(linear.weight->data);
  for (int64_t column = 0; column < task.columns; column += kPanel) {
    widen(data + (task.panel + column / kPanel) * elements + start * kPanel, block.depth, panel);
    Block<Float32Format> one = block;
    one.b = panel;
    one.c = block.c + column;
    one.columns = smaller(kPanel, task.columns - column);
    if (column + kPanel < task.columns) {
      one.after = data + (task.panel + column / kPanel + 1) * elements + start * kPanel;
    }
    multiplyBlock(one);
  }
}

static void runBlock(const Linear& linear, const Task& task, int64_t start, int64_t depth,
                     int64_t blockSize, const LinearScratch& scratch) {
  const DType dtype = linear.weight->dtype;
  const float* x = linear.x + task.row * linear.k + start;
  float* y = linear.y + task.row * linear.n + task.column;
  const bool first = start == 0;
  const void* after = weightsAfter(linear, task, start + depth);
#ifdef HEDDLE_BF16_DOT
  if (linear.roundInputs && dtype == DType::kBFloat16) {
    const int64_t elements = panelElements(dtype, linear.k);
    uint16_t* rows = reinterpret_cast<uint16_t*>(scratch.rows);
    narrowRows(x, linear.k, task.rows, depth, rows, blockSize);
    const uint16_t* data = static_cast<const uint16_t*>(linear.weight->data);
    multiplyBlock<Bf16PairFormat>({rows, blockSize, data + task.panel * elements + start * kPanel,
                                   elements, y, linear.n, task.rows, task.columns, depth, first,
                                   after});
    return;
  }
#endif
  Block<Float32Format> block = {x,         linear.k,     nullptr, 0,     y,    linear.n,
                                task.rows, task.columns, depth,   first, after};
  if (linear.roundInputs) {
    roundRows(x, linear.k, task.rows, depth, scratch.rows, blockSize);
    block.a = scratch.rows;
    block.aStride = blockSize;
  }
  if (dtype == DType::kFloat32) {
    multiplyPacked<Float32Format>(linear, task, start, block);
  } else if (dtype == DType::kFloat16) {
    if (task.rows <= kDirectRows) return multiplyPacked<F16Format>(linear, task, start, block);
    multiplyWidened(linear, task, start, block, scratch.panel, widenPanel<F16Format>);
  } else {
#ifdef HEDDLE_BF16_DOT
    multiplyWidened(linear, task, start, block, scratch.panel, widenPairs);
#else
    if (task.rows <= kDirectRows) return multiplyPacked<Bf16Format>(linear, task, start, block);
    multiplyWidened(linear, task, start, block, scratch.panel, widenPanel<Bf16Format>);
#endif
  }
}

static void linear(const Call& call, int, int threads, Scratch scratch) {
  Linear linear = readLinear(call);
  const Tasks tasks = cutTasks(linear.rows, linear.n, threads);
  const DepthBlocks blocks = cutDepth(linear.k);
  float* const memory = static_cast<float*>(scratch.data);
  const LinearScratch own = {memory, memory + scratchRowBytes(linear, blocks) / 4};
  if (roundsOnce(linear)) {
    roundRows(linear.x, linear.k, linear.rows, linear.k, own.rows, linear.k);
    linear.x = own.rows;
    linear.roundInputs = false;
  }

  for (int64_t number; (number = claim(call.work)) < countTasks(tasks);) {
    if (isCancelled(call)) return;
    const Task task = taskAt(tasks, number);
    for (int64_t i = 0; i < blocks.count; i++) {
      const int64_t start = i * blocks.size;
      runBlock(linear, task, start, smaller(blocks.size, linear.k - start), blocks.size, own);
    }
    const int64_t place = task.row * linear.n + task.column;
    finish({linear.activation,
            linear.bias ? linear.bias + task.column : nullptr,
            linear.residual ? linear.residual + place : nullptr,
            linear.n,
            {}},
           linear.y + place, linear.n, task.rows, task.columns);
  }
}

}  // namespace heddle::HEDDLE_ISA
