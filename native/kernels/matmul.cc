// c = act(op(a)·op(b) + bias) + residual with neither side packed beforehand: training, and
// products of two activations. Accumulator: float32, one chain over k for each output, as in
// gemm.h; where both sides are rounded to bfloat16 and the CPU multiplies pairs of it, a chain of
// pairs.
//
// Each thread packs what it needs into its own scratch, so that the team never waits for another's:
// rows of a transposed a once for all the tasks of a chunk that follow one another; of b a panel at
// a time where its columns are contiguous, else all panels of a task, for longer pieces of its
// rows.
#include "kernels/epilogue.h"
#include "kernels/rounding.h"
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

HEDDLE_INLINE int64_t evenUp(int64_t k) { return k + (k & 1); }

// A thread's part of the scratch.
struct MatmulScratch {
  float* panels;    // [1 or the panels of a task][block depth][kPanel]
  float* rows;      // [rows of a chunk][K], where a is transposed or rounded
  uint16_t* pairs;  // the same two as bfloat16, where pairs of it are multiplied
};

struct MatmulSizes {
  int64_t panels, rows, pairs;  // elements

  MatmulSizes(const Matmul& matmul) {
    const bool narrow = multipliesPairs(matmul);
    const int64_t most = matmul.transposeB ? 1 : kGroupPanels;
    panels = smaller(divideUp(matmul.n, kPanel), most) * kPanel * cutDepth(matmul.k).size;
    const int64_t chunk = smaller(matmul.m, kChunkRows);
    const bool copies = matmul.transposeA || (matmul.roundInputs && !narrow);
    rows = copies ? divideUp(chunk * matmul.k, kPanel) * kPanel : 0;
    pairs = narrow ? panels + chunk * evenUp(matmul.k) : 0;
  }
};

static size_t matmulScratch(const Call& call) {
  const MatmulSizes sizes(readMatmul(call));
  return static_cast<size_t>(sizes.panels + sizes.rows) * sizeof(float) +
         static_cast<size_t>(sizes.pairs) * sizeof(uint16_t);
}

// One value of k of all panels. Columns beyond the last are zeros: they are multiplied, and thrown
// away.
static void packDepth(const float* from, int64_t columns, float* to, int64_t panelStride) {
  for (; columns >= kPanel; columns -= kPanel, from += kPanel, to += panelStride) {
    for (int v = 0; v < kTileVectors; v++) store(to + v * kLanes, load(from + v * kLanes));
  }
  for (int64_t j = 0; columns > 0 && j < kPanel; j++) to[j] = j < columns ? from[j] : 0.0f;
}

// Some columns of a block of b, as panels.
static void packColumns(const Matmul& matmul, int64_t start, int64_t depth, int64_t column,
                        int64_t columns, float* panels) {
  if (!matmul.transposeB) {
    const float* from = matmul.b + start * matmul.n + column;
    for (int64_t k = 0; k < depth; k++) {
      packDepth(from + k * matmul.n, columns, panels + k * kPanel, depth * kPanel);
    }
    return;
  }
  if (columns < kPanel) {
    __builtin_memset(panels, 0, sizeof(float) * static_cast<size_t>(depth * kPanel));
  }
  transposeTo(matmul.b + column * matmul.k + start, matmul.k, panels, kPanel,
              static_cast<int>(columns), static_cast<int>(depth));
}

// Rows of a as they are multiplied, from the first value of k on.
struct LeftSide {
  const float* floats;
  int64_t stride;
  const uint16_t* pairs;
  int64_t pairStride;
};

// Makes what a task's rows need; they stay for the tasks of the same chunk.
static LeftSide packRows(const Matmul& matmul, const Task& task, const MatmulScratch& own,
                         const MatmulSizes& sizes, bool isThere) {
  const int64_t k = matmul.k;
  LeftSide side = {matmul.a + task.row * k, k, own.pairs + sizes.panels, evenUp(k)};
  if (sizes.rows > 0) side.floats = own.rows;
  if (isThere) return side;
  if (matmul.transposeA) {
    transposeTo(matmul.a + task.row, matmul.m, own.rows, k, static_cast<int>(k),
                static_cast<int>(task.rows));
  }
#ifdef HEDDLE_BF16_DOT
  if (matmul.roundInputs) {
    narrowRows(side.floats, k, task.rows, k, own.pairs + sizes.panels, side.pairStride);
  }
#else
  if (matmul.roundInputs) {
    const float* from = matmul.transposeA ? own.rows : matmul.a + task.row * k;
    roundRows(from, k, task.rows, k, own.rows, k);
  }
#endif
  return side;
}

// A block of k of some columns, which own.panels holds.
static void multiplyColumns(const Matmul& matmul, const LeftSide& side, const MatmulScratch& own,
                            int64_t start, int64_t depth, int64_t rows, int64_t columns, float* c) {
  const int64_t panels = divideUp(columns, kPanel);
#ifdef HEDDLE_BF16_DOT
  if (matmul.roundInputs) {
    const int64_t stride = evenUp(depth) * kPanel;
    for (int64_t p = 0; p < panels; p++) {
      narrowPanel(own.panels + p * depth * kPanel, depth, own.pairs + p * stride);
    }
    multiplyBlock<Bf16PairFormat>({side.pairs + start, side.pairStride, own.pairs, stride, c,
                                   matmul.n, rows, columns, depth, start == 0, nullptr});
    return;
  }
#endif
  if (matmul.roundInputs) {
    const int64_t floats = panels * depth * kPanel;
    roundRows(own.panels, floats, 1, floats, own.panels, floats);
  }
  multiplyBlock<Float32Format>({side.floats + start, side.stride, own.panels, depth * kPanel, c,
                                matmul.n, rows, columns, depth, start == 0, nullptr});
}

static void matmul(const Call& call, int, int threads, Scratch scratch) {
  const Matmul matmul = readMatmul(call);
  const Tasks tasks = cutTasks(matmul.m, matmul.n, threads);
  const DepthBlocks blocks = cutDepth(matmul.k);
  const MatmulSizes sizes(matmul);
  float* const memory = static_cast<float*>(scratch.data);
  const MatmulScratch own = {memory, memory + sizes.panels,
                             reinterpret_cast<uint16_t*>(memory + sizes.panels + sizes.rows)};
  const bool finishes = matmul.bias || matmul.residual || matmul.activation != Activation::kNone;
  int64_t packedRow = -1;

  for (int64_t number; (number = claim(call.work)) < countTasks(tasks);) {
    if (isCancelled(call)) return;
    const Task task = taskAt(tasks, number);
    const LeftSide side = packRows(matmul, task, own, sizes, task.row == packedRow);
    packedRow = task.row;
    float* const c = matmul.c + task.row * matmul.n + task.column;
    for (int64_t i = 0; i < blocks.count; i++) {
      const int64_t start = i * blocks.size;
      const int64_t depth = smaller(blocks.size, matmul.k - start);
      const int64_t step = matmul.transposeB ? kPanel : task.columns;
      for (int64_t column = 0; column < task.columns; column += step) {
        const int64_t columns = smaller(step, task.columns - column);
        packColumns(matmul, start, depth, task.column + column, columns, own.panels);
        multiplyColumns(matmul, side, own, start, depth, task.rows, columns, c + column);
      }
    }
    if (!finishes) continue;
    const int64_t place = task.row * matmul.n + task.column;
    finish({matmul.activation,
            matmul.bias ? matmul.bias + task.column : nullptr,
            matmul.residual ? matmul.residual + place : nullptr,
            matmul.n,
            {}},
           c, matmul.n, task.rows, task.columns);
  }
}

}  // namespace heddle::HEDDLE_ISA
