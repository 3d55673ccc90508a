// c = act(op(a)·op(b) + bias) + residual with neither side packed beforehand: training, and
// products of two activations. Accumulator: float32, one chain over k for each output, as in
// gemm.h; where both sides are rounded to bfloat16 and the CPU multiplies pairs of it, a chain of
// pairs.
//
// Each thread packs what it needs into its own scratch, so that the team never waits for another's:
// of b some columns, which stay for all rows that the thread multiplies with them, where it can be
// while the first rows are multiplied; of a transposed a block of k of a task's rows.
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

// What a thread keeps of b: so many elements, which may lie in the third-level cache or beyond, for
// the tiles ask for them ahead of their turn.
constexpr int64_t kKeptElements = 1 << 20;

// Columns of a task. Rows that are copied are copied anew for those of each task: they are as many
// as may be there then, and rows are cut instead.
constexpr int64_t kLeastColumns = 128;
constexpr int64_t kMostColumns = 512;
constexpr int64_t kLeastRows = 96;

// Panels that a thread keeps at most; 0 where they are too long.
static int64_t keptPanels(const Matmul& matmul) {
  const int64_t fitting = kKeptElements / kPanel / (matmul.k > 0 ? matmul.k : 1);
  return smaller(fitting, divideUp(smaller(matmul.n, kMostColumns), kPanel));
}

HEDDLE_INLINE bool copiesRows(const Matmul& matmul) {
  return matmul.transposeA || matmul.roundInputs;
}

static Tasks cutProduct(const Matmul& matmul, int threads) {
  Tasks tasks = {matmul.m, matmul.n, 1, 1, divideUp(matmul.n, kPanel)};
  const int64_t kept = keptPanels(matmul), wanted = threads * kTasksPerThread;
  tasks.groups = divideUp(tasks.panels, kept > 0 ? kept : kGroupPanels);
  if (!copiesRows(matmul)) {
    const int64_t groups = smaller(wanted, divideUp(matmul.n, kLeastColumns));
    if (groups > tasks.groups) tasks.groups = groups;
  }
  if (tasks.groups == 0) return tasks;
  tasks.chunks = smaller(divideUp(wanted, tasks.groups), divideUp(matmul.m, kLeastRows));
  const int64_t groups = tasks.chunks > 0 ? divideUp(wanted, tasks.chunks) : 0;
  if (groups > tasks.groups) tasks.groups = smaller(groups, tasks.panels);
  return tasks;
}

// The tasks of a group of columns follow one another, so that a thread mostly has their panels.
HEDDLE_INLINE Task productAt(const Tasks& tasks, int64_t number) {
  return taskAt(tasks, number % tasks.chunks * tasks.groups + number / tasks.chunks);
}

// A thread's part of the scratch. Where pairs of bfloat16 are multiplied, `panels` is one of a
// block of k, that is still to be rounded.
struct MatmulScratch {
  float* panels;  // [block of k][panel][depth][kPanel], or one panel of a block where none is kept
  float* rows;    // a block of k of a task's rows, where a is transposed or rounded
  uint16_t* pairPanels;
  uint16_t* pairRows;
};

struct MatmulSizes {
  int64_t panels, rows, pairPanels, pairRows;  // elements

  MatmulSizes(const Matmul& matmul) {
    const DepthBlocks blocks = cutDepth(matmul.k);
    const bool pairs = multipliesPairs(matmul);
    const bool copies = pairs ? matmul.transposeA : copiesRows(matmul);
    const int64_t chunk = smaller(matmul.m, kChunkRows) * blocks.size;
    const int64_t one = kPanel * blocks.size;
    const int64_t kept = keptPanels(matmul) * blocks.count;
    const int64_t all = kept > 0 ? kept * one : one;
    panels = pairs ? one : all;
    rows = copies ? divideUp(chunk, kPanel) * kPanel : 0;
    pairPanels = pairs ? all : 0;
    pairRows = pairs ? chunk : 0;
  }
};

static size_t matmulScratch(const Call& call) {
  const MatmulSizes sizes(readMatmul(call));
  return static_cast<size_t>(sizes.panels + sizes.rows) * sizeof(float) +
         static_cast<size_t>(sizes.pairPanels + sizes.pairRows) * sizeof(uint16_t);
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
  const bool copies = sizes.rows > 0;
  const LeftSide side = {copies ? own.rows : a, copies ? depth : stride, own.pairRows,
                         depth + (depth & 1)};
  if (isThere) return side;
#ifdef HEDDLE_BF16_DOT
  if (matmul.roundInputs) {
    if (matmul.transposeA) {
      transposeTo(a, stride, own.rows, depth, static_cast<int>(depth), static_cast<int>(task.rows));
    }
    narrowRows(side.floats, side.stride, task.rows, depth, own.pairRows, side.pairStride);
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

// Makes a panel and multiplies with it; where b lies in rows and the panel is whole, at once with
// the first tile. `block` has all but the panel.
template <class Format>
static void multiplyNew(const Matmul& matmul, Block<Format> block, const float* b, int64_t stride,
                        float* panel, float*) {
  block.b = panel;
  if (matmul.transposeB || block.columns < kPanel || block.rows == 0) {
    packPanelOf(b, stride, matmul.transposeB, block.depth, block.columns, panel);
    if (matmul.roundInputs) roundRows(panel, 0, 1, block.depth * kPanel, panel, 0);
    return multiplyBlock<Format>(block);
  }
  if (matmul.roundInputs) {
    withRows<PackingTile<true>>(tileEnd(block.rows, 0), block, b, stride, panel);
  } else {
    withRows<PackingTile<false>>(tileEnd(block.rows, 0), block, b, stride, panel);
  }
  multiplyTiles<Format>(block, 1);
}

#ifdef HEDDLE_BF16_DOT
static void multiplyNew(const Matmul& matmul, Block<Bf16PairFormat> block, const float* b,
                        int64_t stride, uint16_t* panel, float* wide) {
  packPanelOf(b, stride, matmul.transposeB, block.depth, block.columns, wide);
  narrowPanel(wide, block.depth, panel);
  block.b = panel;
  multiplyBlock<Bf16PairFormat>(block);
}
#endif

// A block of k of a task, whose panels are kept for the next, and may be there of the one before.
struct DepthBlock {
  int64_t start;
  bool isKept, isThere;
};

template <class Format>
static void multiplyDepthBlock(const Matmul& matmul, const Task& task, const DepthBlock& part,
                               Block<Format> block, typename Format::Weight* panels, float* wide) {
  if (part.isThere) {
    block.b = panels;
    return multiplyBlock<Format>(block);
  }
  const int64_t stride = matmul.transposeB ? matmul.k : matmul.n;
  for (int64_t at = 0; at < task.columns; at += kPanel) {
    const int64_t column = task.column + at;
    const int64_t place =
        matmul.transposeB ? column * stride + part.start : part.start * stride + column;
    Block<Format> one = block;
    one.c += at;
    one.columns = smaller(kPanel, task.columns - at);
    auto* panel = part.isKept ? panels + at / kPanel * block.panelStride : panels;
    multiplyNew(matmul, one, matmul.b + place, stride, panel, wide);
  }
}

static void multiplyDepthBlock(const Matmul& matmul, const Task& task, const DepthBlock& part,
                               int64_t depth, const LeftSide& side, const MatmulScratch& own) {
  float* const c = matmul.c + task.row * matmul.n + task.column;
  const int64_t columns = divideUp(task.columns, kPanel) * kPanel;
  const int64_t place = part.isKept ? part.start * columns : 0;
  const bool first = part.start == 0;
#ifdef HEDDLE_BF16_DOT
  if (matmul.roundInputs) {
    const Block<Bf16PairFormat> block = {
        side.pairs, side.pairStride, nullptr,   side.pairStride * kPanel,
        c,          matmul.n,        task.rows, task.columns,
        depth,      first,           nullptr};
    return multiplyDepthBlock(matmul, task, part, block, own.pairPanels + place, own.panels);
  }
#endif
  const Block<Float32Format> block = {side.floats, side.stride, nullptr,   depth * kPanel,
                                      c,           matmul.n,    task.rows, task.columns,
                                      depth,       first,       nullptr};
  if (!matmul.transposeA) {
    return multiplyDepthBlock(matmul, task, part, block, own.panels + place, nullptr);
  }
  const Block<InterleavedFormat> interleaved = {side.floats, side.stride, nullptr,   depth * kPanel,
                                                c,           matmul.n,    task.rows, task.columns,
                                                depth,       first,       nullptr};
  multiplyDepthBlock(matmul, task, part, interleaved, own.panels + place, nullptr);
}

static void finishTask(const Matmul& matmul, const Task& task) {
  const int64_t place = task.row * matmul.n + task.column;
  finish({matmul.activation,
          matmul.bias ? matmul.bias + task.column : nullptr,
          matmul.residual ? matmul.residual + place : nullptr,
          matmul.n,
          {}},
         matmul.c + place, matmul.n, task.rows, task.columns);
}

static void matmul(const Call& call, int, int threads, Scratch scratch) {
  const Matmul matmul = readMatmul(call);
  const Tasks tasks = cutProduct(matmul, threads);
  const DepthBlocks blocks = cutDepth(matmul.k);
  const MatmulSizes sizes(matmul);
  float* const memory = static_cast<float*>(scratch.data);
  auto* const pairs = reinterpret_cast<uint16_t*>(memory + sizes.panels + sizes.rows);
  const MatmulScratch own = {memory, memory + sizes.panels, pairs, pairs + sizes.pairPanels};
  const bool finishes = matmul.bias || matmul.residual || matmul.activation != Activation::kNone;
  const bool isKept = keptPanels(matmul) > 0;
  int64_t keptPanel = -1, packedRow = -1, packedStart = -1;

  for (int64_t number; (number = claim(call.work)) < countTasks(tasks);) {
    const Task whole = productAt(tasks, number);
    const int64_t chunks = divideUp(whole.rows, kChunkRows);
    for (int64_t chunk = 0; chunk < chunks; chunk++) {
      if (isCancelled(call)) return;
      Task task = whole;
      task.row += whole.rows * chunk / chunks;
      task.rows = whole.row + whole.rows * (chunk + 1) / chunks - task.row;
      const bool isThere = isKept && task.panel == keptPanel;
      for (int64_t i = 0; i < blocks.count; i++) {
        const int64_t start = i * blocks.size;
        const int64_t depth = smaller(blocks.size, matmul.k - start);
        const bool hasRows = task.row == packedRow && start == packedStart;
        const LeftSide side = packRows(matmul, task, start, depth, own, sizes, hasRows);
        packedRow = task.row;
        packedStart = start;
        multiplyDepthBlock(matmul, task, {start, isKept, isThere}, depth, side, own);
      }
      keptPanel = task.panel;
      if (finishes) finishTask(matmul, task);
    }
  }
}

}  // namespace heddle::HEDDLE_ISA
