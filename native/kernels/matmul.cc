// c = act(op(a)·op(b) + bias) + residual with neither side packed beforehand: training, and
// products of two activations. Accumulator: float32, one chain over k for each output, as in
// gemm.h; where both sides are rounded to bfloat16 and the CPU multiplies pairs of it, a chain of
// pairs.
//
// Each thread packs what it needs into its own scratch, so that the team never waits for another's:
// of a transposed a block of k of a task's rows, which stays where the next task has the same; of b
// a panel at a time, where it can be while the first rows are multiplied.
#include "kernels/epilogue.h"
#include "kernels/matmul_packing.h"
#include "kernels/tasks.h"

namespace heddle::HEDDLE_ISA {

struct Matmul {
  const float* a;  // [m,k], or [k,m] where transposeA
  const float* b;  // [k,n], or [n,k] where transposeB
  float* c;
  int64_t m, n, k;
  bool transposeA, transposeB;
  bool roundInputs;
  const float* bias;
  const float* residual;
  Activation activation;
};

static Matmul readMatmul(const Call& call) {
  const Tensor& a = call.inputs[0];
  const Tensor& b = call.inputs[1];
  const bool transposeA = call.ints[0] != 0, transposeB = call.ints[1] != 0;
  return {static_cast<const float*>(a.data),
          static_cast<const float*>(b.data),
          static_cast<float*>(call.outputs[0].data),
          a.dims[transposeA ? 1 : 0],
          b.dims[transposeB ? 0 : 1],
          a.dims[transposeA ? 0 : 1],
          transposeA,
          transposeB,
          call.ints[3] != 0,
          static_cast<const float*>(call.inputs[2].data),
          static_cast<const float*>(call.inputs[3].data),
          static_cast<Activation>(call.ints[2])};
}

HEDDLE_INLINE bool multipliesPairs(const Matmul& matmul) {
#ifdef HEDDLE_BF16_DOT
  return matmul.roundInputs;
#else
  (void)matmul;
  return false;
#endif
}

// A transposed a is copied anew for the panels of each task: rows are cut further before the panels
// are.
constexpr int64_t kLeastCopiedRows = 16 * kTileRows;

static Tasks cutProduct(const Matmul& matmul, int threads) {
  Tasks tasks = cutTasks(matmul.m, matmul.n, threads);
  if (!matmul.transposeA || matmul.m == 0 || matmul.n == 0) return tasks;
  const int64_t wanted = threads * kTasksPerThread;
  const int64_t chunks = smaller(wanted, divideUp(matmul.m, kLeastCopiedRows));
  if (chunks > tasks.chunks) tasks.chunks = chunks;
  tasks.groups = smaller(divideUp(wanted, tasks.chunks), tasks.panels);
  return tasks;
}

// A thread's part of the scratch.
struct MatmulScratch {
  float* panel;     // [block depth][kPanel]
  float* rows;      // a block of k of a chunk's rows, where a is transposed or rounded
  uint16_t* pairs;  // the same two as bfloat16, where pairs of it are multiplied
};

struct MatmulSizes {
  int64_t panel, rows, pairs;  // elements

  MatmulSizes(const Matmul& matmul) {
    const bool narrow = multipliesPairs(matmul);
    const int64_t depth = cutDepth(matmul.k).size;
    const int64_t chunk = smaller(matmul.m, kChunkRows);
    const bool copies = matmul.transposeA || (matmul.roundInputs && !narrow);
    panel = kPanel * depth;
    rows = copies ? divideUp(chunk * depth, kPanel) * kPanel : 0;
    pairs = narrow ? panel + chunk * depth : 0;
  }
};

static size_t matmulScratch(const Call& call) {
  const MatmulSizes sizes(readMatmul(call));
  return static_cast<size_t>(sizes.panel + sizes.rows) * sizeof(float) +
         static_cast<size_t>(sizes.pairs) * sizeof(uint16_t);
}

// A block of k of some rows of a, as they are multiplied.
struct LeftSide {
  const float* floats;  // of InterleavedFormat where a is transposed, but for pairs
  int64_t stride;
  const uint16_t* pairs;
  int64_t pairStride;
};

static LeftSide packRows(const Matmul& matmul, const Task& task, int64_t start, int64_t depth,
                         const MatmulScratch& own, const MatmulSizes& sizes, bool isThere) {
  const float* a =
      matmul.a + (matmul.transposeA ? start * matmul.m + task.row : task.row * matmul.k + start);
  const int64_t stride = matmul.transposeA ? matmul.m : matmul.k;
  LeftSide side = {a, stride, own.pairs + sizes.panel, depth + (depth & 1)};
  if (sizes.rows > 0) side = {own.rows, depth, side.pairs, side.pairStride};
  if (isThere) return side;
#ifdef HEDDLE_BF16_DOT
  if (matmul.roundInputs) {
    if (matmul.transposeA) {
      transposeTo(a, stride, own.rows, depth, static_cast<int>(depth), static_cast<int>(task.rows));
    }
    narrowRows(side.floats, side.stride, task.rows, depth, own.pairs + sizes.panel,
               side.pairStride);
    return side;
  }
#endif
  if (matmul.transposeA) interleaveRows(a, stride, depth, task.rows, own.rows);
  if (matmul.roundInputs && matmul.transposeA) {
    roundRows(own.rows, 0, 1, task.rows * depth, own.rows, 0);
  } else if (matmul.roundInputs) {
    roundRows(a, stride, task.rows, depth, own.rows, depth);
  }
  return side;
}

// The first tile apart from the others: it makes the panel as it goes, where b lies in rows and the
// panel is whole. `block` has all but the panel.
template <class Format>
static void multiplyFloats(const Matmul& matmul, Block<Format> block, const float* b,
                           int64_t stride, float* panel) {
  const int64_t all = block.rows;
  block.b = panel;
  block.rows = firstTile(all);
  if (matmul.transposeB || block.columns < kPanel) {
    packPanelOf(b, stride, matmul.transposeB, block.depth, block.columns, panel);
    if (matmul.roundInputs) roundRows(panel, 0, 1, block.depth * kPanel, panel, 0);
    multiplyBlock<Format>(block);
  } else if (matmul.roundInputs) {
    withRows<PackingTile<true>>(block.rows, block, b, stride, panel);
  } else {
    withRows<PackingTile<false>>(block.rows, block, b, stride, panel);
  }
  block.a += block.rows * block.aStride;
  block.c += block.rows * block.cStride;
  block.rows = all - block.rows;
  if (block.rows > 0) multiplyBlock<Format>(block);
}

// A block of k of some columns that make a panel.
static void multiplyColumns(const Matmul& matmul, const LeftSide& side, const MatmulScratch& own,
                            int64_t start, int64_t depth, const Task& task, int64_t column) {
  const int64_t columns = smaller(kPanel, task.column + task.columns - column);
  const int64_t stride = matmul.transposeB ? matmul.k : matmul.n;
  const float* b =
      matmul.b + (matmul.transposeB ? column * stride + start : start * stride + column);
  float* const c = matmul.c + task.row * matmul.n + column;
#ifdef HEDDLE_BF16_DOT
  if (matmul.roundInputs) {
    packPanelOf(b, stride, matmul.transposeB, depth, columns, own.panel);
    narrowPanel(own.panel, depth, own.pairs);
    multiplyBlock<Bf16PairFormat>({side.pairs, side.pairStride, own.pairs, 0, c, matmul.n,
                                   task.rows, columns, depth, start == 0, nullptr});
    return;
  }
#endif
  if (matmul.transposeA) {
    const Block<InterleavedFormat> block = {side.floats, side.stride, nullptr,   0,
                                            c,           matmul.n,    task.rows, columns,
                                            depth,       start == 0,  nullptr};
    return multiplyFloats(matmul, block, b, stride, own.panel);
  }
  const Block<Float32Format> block = {side.floats, side.stride, nullptr,   0,
                                      c,           matmul.n,    task.rows, columns,
                                      depth,       start == 0,  nullptr};
  multiplyFloats(matmul, block, b, stride, own.panel);
}

static void matmul(const Call& call, int, int threads, Scratch scratch) {
  const Matmul matmul = readMatmul(call);
  const Tasks tasks = cutProduct(matmul, threads);
  const DepthBlocks blocks = cutDepth(matmul.k);
  const MatmulSizes sizes(matmul);
  float* const memory = static_cast<float*>(scratch.data);
  const MatmulScratch own = {memory, memory + sizes.panel,
                             reinterpret_cast<uint16_t*>(memory + sizes.panel + sizes.rows)};
  const bool finishes = matmul.bias || matmul.residual || matmul.activation != Activation::kNone;
  int64_t packedRow = -1, packedStart = -1;

  for (int64_t number; (number = claim(call.work)) < countTasks(tasks);) {
    if (isCancelled(call)) return;
    const Task task = taskAt(tasks, number);
    for (int64_t i = 0; i < blocks.count; i++) {
      const int64_t start = i * blocks.size;
      const int64_t depth = smaller(blocks.size, matmul.k - start);
      const bool isThere = task.row == packedRow && start == packedStart;
      const LeftSide side = packRows(matmul, task, start, depth, own, sizes, isThere);
      packedRow = task.row;
      packedStart = start;
      for (int64_t at = 0; at < task.columns; at += kPanel) {
        multiplyColumns(matmul, side, own, start, depth, task, task.column + at);
      }
    }
    if (!finishes) continue;
    const int64_t place = task.row * matmul.n + task.column;
    finish({matmul.activation,
            matmul.bias ? matmul.bias + task.column : nullptr,
            matmul.residual ? matmul.residual + place : nullptr,
            matmul.n,
            {}},
           matmul.c + place, matmul.n, task.rows, task.columns);
  }
}

}  // namespace heddle::HEDDLE_ISA
