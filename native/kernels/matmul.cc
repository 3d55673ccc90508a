// c = op(a)·op(b) with neither side packed beforehand: training, and products of two activations.
// Accumulator: float32, one chain over k for each output, as in gemm.h.
//
// Each thread packs what it needs into its own scratch, so that the team never waits for another's:
// rows of a transposed a once for all the tasks of a chunk that follow one another; of b a panel at
// a time where its columns are contiguous, else all panels of a task, for longer pieces of its
// rows.
#include "kernels/tasks.h"

namespace heddle::HEDDLE_ISA {

struct Matmul {
  const float* a;  // [m,k], or [k,m] where transposeA
  const float* b;  // [k,n], or [n,k] where transposeB
  float* c;
  int64_t m, n, k;
  bool transposeA, transposeB;
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
          transposeB};
}

// A thread's part of the scratch.
struct MatmulScratch {
  float* panels;  // [1 or the panels of a task][block depth][kPanel]
  float* rows;    // [rows of a chunk][K], where a is transposed
};

static int64_t panelFloats(const Matmul& matmul) {
  const int64_t most = matmul.transposeB ? 1 : kGroupPanels;
  return smaller(divideUp(matmul.n, kPanel), most) * kPanel * cutDepth(matmul.k).size;
}

static size_t matmulScratch(const Call& call) {
  const Matmul matmul = readMatmul(call);
  const int64_t rows = matmul.transposeA ? smaller(matmul.m, kChunkRows) : 0;
  return static_cast<size_t>(panelFloats(matmul) + rows * matmul.k) * sizeof(float);
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

static void matmul(const Call& call, int, int threads, Scratch scratch) {
  const Matmul matmul = readMatmul(call);
  const Tasks tasks = cutTasks(matmul.m, matmul.n, threads);
  const DepthBlocks blocks = cutDepth(matmul.k);
  float* const memory = static_cast<float*>(scratch.data);
  const MatmulScratch own = {memory, memory + panelFloats(matmul)};
  int64_t packedRow = -1;

  for (int64_t number; (number = claim(call.work)) < countTasks(tasks);) {
    if (isCancelled(call)) return;
    const Task task = taskAt(tasks, number);
    const float* a = matmul.a + task.row * matmul.k;
    if (matmul.transposeA) {
      a = own.rows;
      if (task.row != packedRow) {
        transposeTo(matmul.a + task.row, matmul.m, own.rows, matmul.k, static_cast<int>(matmul.k),
                    static_cast<int>(task.rows));
      }
      packedRow = task.row;
    }
    for (int64_t i = 0; i < blocks.count; i++) {
      const int64_t start = i * blocks.size;
      const int64_t depth = smaller(blocks.size, matmul.k - start);
      const int64_t step = matmul.transposeB ? kPanel : task.columns;
      for (int64_t column = 0; column < task.columns; column += step) {
        const int64_t columns = smaller(step, task.columns - column);
        packColumns(matmul, start, depth, task.column + column, columns, own.panels);
        multiplyBlock<Float32Format>({a + start, matmul.k, own.panels, depth * kPanel,
                                      matmul.c + task.row * matmul.n + task.column + column,
                                      matmul.n, task.rows, columns, depth, i == 0, nullptr});
      }
    }
  }
}

}  // namespace heddle::HEDDLE_ISA
