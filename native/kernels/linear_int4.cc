#include "kernels/linear_int4.h"

#include "kernels/epilogue.h"
#include "kernels/packing_int4.h"
#include "kernels/tasks.h"

namespace heddle::HEDDLE_ISA {

// Rows of a tile: their sums over a block and the values of a panel stay in registers. Halves are
// unpacked anew for each tile: two instructions beside the sixteen or more that multiply them.
constexpr int kBlockRows = 4;

// Rows of x, and where their products with one panel go.
struct BlockRows {
  const Int8Block* x;
  int64_t xStride;  // blocks of a row
  float* y;
  int64_t yStride;
};

// How far ahead of a single row the weights are asked for: it does nothing but wait for them, and
// hardware prefetchers stop at every page.
constexpr int64_t kAheadBytes = 2048;

// Adds the products of the lower or the upper halves of a block. One loop for each and one addition
// a turn: where there are more, compilers add up in a tree, with more products than registers.
template <int Rows, bool kHigh>
HEDDLE_INLINE void addHalves(const Int8Block* const* x, const uint8_t* values,
                             BlockSum (&sums)[Rows][kTileVectors]) {
#pragma GCC unroll 1
  for (int g = 0; g < 4; g++) {
    decltype(lowNibbles(loadNibbles(values))) weights[kTileVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kTileVectors; v++) {
      const auto bytes = loadNibbles(values + g * kGroupBytes + v * kLanes * 4);
      weights[v] = kHigh ? highNibbles(bytes) : lowNibbles(bytes);
    }
#pragma GCC unroll 4
    for (int i = 0; i < Rows; i++) {
      const auto input = blockInput(x[i]->values + 8 * g + (kHigh ? 4 : 0));
#pragma GCC unroll 4
      for (int v = 0; v < kTileVectors; v++) {
        sums[i][v] = dotBlock(sums[i][v], input, weights[v]);
      }
    }
  }
}

template <int Rows>
static void multiplyBlocks(const BlockRows& rows, const uint8_t* panel, int64_t blocks) {
  F32 totals[Rows][kTileVectors];
#pragma GCC unroll 4
  for (int i = 0; i < Rows; i++) {
#pragma GCC unroll 4
    for (int v = 0; v < kTileVectors; v++) totals[i][v] = zero();
  }
  const Int8Block* x[Rows];
  for (int i = 0; i < Rows; i++) x[i] = rows.x + i * rows.xStride;
  for (int64_t b = 0; b < blocks; b++) {
    const PanelBlock block = panelBlockAt(panel + b * kPanelBlock);
    if constexpr (Rows == 1) {
      for (int at = 0; at < kPanelBlock; at += kLine) {
        prefetch(reinterpret_cast<const char*>(block.scales) + kAheadBytes + at);
      }
    }
    BlockSum sums[Rows][kTileVectors];
#pragma GCC unroll 4
    for (int i = 0; i < Rows; i++) {
#pragma GCC unroll 4
      for (int v = 0; v < kTileVectors; v++) sums[i][v] = zeroBlockSum();
    }
    addHalves<Rows, false>(x, block.values, sums);
    addHalves<Rows, true>(x, block.values, sums);
#pragma GCC unroll 4
    for (int v = 0; v < kTileVectors; v++) {
      const F32 scales = loadF16(block.scales + v * kLanes);
      const F32 minimums = loadF16(block.minimums + v * kLanes);
#pragma GCC unroll 4
      for (int i = 0; i < Rows; i++) {
        const F32 both = mul(scales, broadcast(x[i]->scale));
        totals[i][v] = fma(toFloat(totalOf(sums[i][v])), both, totals[i][v]);
        totals[i][v] = fma(minimums, broadcast(x[i]->sum), totals[i][v]);
      }
    }
    for (int i = 0; i < Rows; i++) x[i]++;
  }
#pragma GCC unroll 4
  for (int i = 0; i < Rows; i++) {
#pragma GCC unroll 4
    for (int v = 0; v < kTileVectors; v++) {
      store(rows.y + i * rows.yStride + v * kLanes, totals[i][v]);
    }
  }
}

// Any number of rows by one panel, whose products fill it wholly.
static void multiplyPanelInt4(BlockRows rows, int64_t count, const uint8_t* panel, int64_t blocks) {
  while (count > 0) {
    const int64_t taken = count >= kBlockRows ? kBlockRows : count >= 2 ? 2 : 1;
    if (taken == kBlockRows) {
      multiplyBlocks<kBlockRows>(rows, panel, blocks);
    } else if (taken == 2) {
      multiplyBlocks<2>(rows, panel, blocks);
    } else {
      multiplyBlocks<1>(rows, panel, blocks);
    }
    rows.x += taken * rows.xStride;
    rows.y += taken * rows.yStride;
    count -= taken;
  }
}

// A panel of which the first columns only are wanted: products pass through a full one.
static void multiplyPartInt4(const BlockRows& rows, int64_t count, const uint8_t* panel,
                             int64_t blocks, int64_t columns) {
  alignas(kAlignment) float whole[kBlockRows * kPanel];
  for (int64_t row = 0; row < count; row += kBlockRows) {
    const int64_t part = smaller(kBlockRows, count - row);
    multiplyPanelInt4({rows.x + row * rows.xStride, rows.xStride, whole, kPanel}, part, panel,
                      blocks);
    for (int64_t i = 0; i < part; i++) {
      float* to = rows.y + (row + i) * rows.yStride;
      for (int64_t j = 0; j < columns; j++) to[j] = whole[i * kPanel + j];
    }
  }
}

static void linearInt4(const Call& call, int, int threads, Scratch) {
  const PackedMatrix& weight = *static_cast<const PackedMatrix*>(call.inputs[1].data);
  const Int8Block* x = static_cast<const Int8Block*>(call.inputs[0].data);
  const float* bias = static_cast<const float*>(call.inputs[2].data);
  const float* residual = static_cast<const float*>(call.inputs[3].data);
  float* y = static_cast<float*>(call.outputs[0].data);
  const Activation activation = static_cast<Activation>(call.ints[0]);
  const int64_t n = weight.n, blocks = blocksOf(weight.k);
  const Tasks tasks = cutTasks(call.inputs[0].dims[0], n, threads);

  for (int64_t number; (number = claim(call.work)) < countTasks(tasks);) {
    if (isCancelled(call)) return;
    const Task task = taskAt(tasks, number);
    const int64_t place = task.row * n + task.column;
    const uint8_t* panel =
        static_cast<const uint8_t*>(weight.data) + task.panel * int4PanelBytes(weight.k);
    for (int64_t column = 0; column < task.columns; column += kPanel) {
      const BlockRows rows = {x + task.row * blocks, blocks, y + place + column, n};
      const int64_t columns = task.columns - column;
      if (columns >= kPanel) {
        multiplyPanelInt4(rows, task.rows, panel, blocks);
      } else {
        multiplyPartInt4(rows, task.rows, panel, blocks, columns);
      }
      panel += int4PanelBytes(weight.k);
    }
    finish({activation,
            bias ? bias + task.column : nullptr,
            residual ? residual + place : nullptr,
            n,
            {}},
           y + place, n, task.rows, task.columns);
  }
}

}  // namespace heddle::HEDDLE_ISA
