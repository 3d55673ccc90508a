// c = op(a)·op(b) with neither side packed beforehand: training, and products of two activations.
// Accumulator: float32, one chain over k for each output, as in gemm.h.
//
// Each task packs the panels it needs into its own scratch, so that the team never waits for
// another's.
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

static size_t matmulScratch(const Call& call) {
  const Matmul matmul = readMatmul(call);
  const int64_t rows = matmul.transposeA ? smaller(matmul.m, kChunkRows) : 0;
  return static_cast<size_t>((rows + kPanel) * cutDepth(matmul.k).size) * sizeof(float);
}

// Columns beyond the last are zeros: they are multiplied, and thrown away.
static void packColumns(const Matmul& matmul, int64_t start, int64_t depth, int64_t column,
                        int64_t columns, float* panel) {
  if (columns < kPanel) {
    __builtin_memset(panel, 0, sizeof(float) * static_cast<size_t>(depth * kPanel));
  }
  if (matmul.transposeB) {
    transposeTo(matmul.b + column * matmul.k + start, matmul.k, panel, kPanel,
                static_cast<int>(columns), static_cast<int>(depth));
    return;
  }
  for (int64_t k = 0; k < depth; k++) {
    const float* from = matmul.b + (start + k) * matmul.n + column;
    float* to = panel + k * kPanel;
    int64_t j = 0;
    for (; j + kLanes <= columns; j += kLanes) store(to + j, load(from + j));
    for (; j < columns; j++) to[j] = from[j];
  }
}

static void matmul(const Call& call, int, int threads, Scratch scratch) {
  const Matmul matmul = readMatmul(call);
  const Tasks tasks = cutTasks(matmul.m, matmul.n, threads);
  const DepthBlocks blocks = cutDepth(matmul.k);
  float* const panel = static_cast<float*>(scratch.data);
  float* const rows = panel + blocks.size * kPanel;

  for (int64_t number; (number = claim(call.work)) < countTasks(tasks);) {
    if (isCancelled(call)) return;
    const Task task = taskAt(tasks, number);
    for (int64_t i = 0; i < blocks.count; i++) {
      const int64_t start = i * blocks.size;
      const int64_t depth = smaller(blocks.size, matmul.k - start);
      const float* a = matmul.a + task.row * matmul.k + start;
      if (matmul.transposeA) {
        transposeTo(matmul.a + start * matmul.m + task.row, matmul.m, rows, blocks.size,
                    static_cast<int>(depth), static_cast<int>(task.rows));
        a = rows;
      }
      for (int64_t column = 0; column < task.columns; column += kPanel) {
        const int64_t columns = smaller(kPanel, task.columns - column);
        packColumns(matmul, start, depth, task.column + column, columns, panel);
        multiplyBlock<Float32Format>({a, matmul.transposeA ? blocks.size : matmul.k, panel, 0,
                                      matmul.c + task.row * matmul.n + task.column + column,
                                      matmul.n, task.rows, columns, depth, i == 0});
      }
    }
  }
}

}  // namespace heddle::HEDDLE_ISA
