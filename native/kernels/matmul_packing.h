// How `matmul` makes rows and panels of matrices that come as they are.
#pragma once

#include "kernels/rounding.h"
#include "kernels/tile.h"

namespace heddle::HEDDLE_ISA {

// Values of k that are copied of all tiles before the next: pieces of source and target that lie in
// the first-level cache together.
constexpr int64_t kCopiedDepth = 16;

// Floats that are copied at once: a tile's rows and what stands beside them.
constexpr int64_t kCopiedFloats = (kTileRows + kLanes - 1) / kLanes * kLanes;

// The first `count` of `depth` rows of a tile, target [depth][rows], source [depth] with a stride.
// What is copied too much of one is overwritten by the next; the last ones are copied as they are.
static void copyTile(const float* source, int64_t stride, int64_t count, int64_t depth,
                     int64_t rows, float* target) {
  const int64_t whole = smaller(count, depth - divideUp(kCopiedFloats - rows, rows));
  int64_t k = 0;
  for (; k < whole; k++) {
#pragma GCC unroll 16
    for (int64_t i = 0; i < kCopiedFloats; i += kLanes) {
      store(target + k * rows + i, load(source + k * stride + i));
    }
  }
  for (; k < count; k++) {
    for (int64_t i = 0; i < rows; i++) target[k * rows + i] = source[k * stride + i];
  }
}

// Columns of the source, [depth] with a stride, as rows of InterleavedFormat.
static void interleaveRows(const float* source, int64_t stride, int64_t depth, int64_t rows,
                           float* target) {
  const int64_t tiles = divideUp(rows, kTileRows);
  for (int64_t k = 0; k < depth; k += kCopiedDepth) {
    const int64_t count = smaller(kCopiedDepth, depth - k);
    const float* from = source + k * stride;
    // Rows of the source lie too far apart for the hardware to see what comes next.
    for (int64_t i = 0; i < smaller(kCopiedDepth, depth - k - count); i++) {
      const float* next = from + (count + i) * stride;
      for (int64_t row = 0; row < rows; row += kLine / 4) prefetch(next + row);
    }
    int64_t row = 0;
    for (int64_t tile = 0; tile < tiles; tile++) {
      const int64_t end = tileEnd(rows, tile);
      copyTile(from + row, stride, count, depth - k, end - row,
               target + row * depth + k * (end - row));
      row = end;
    }
  }
}

// Some columns of a block of b, [k,n] or transposed, as a panel. Columns beyond the last are zeros:
// they are multiplied, and thrown away.
static void packPanelOf(const float* b, int64_t stride, bool transposed, int64_t depth,
                        int64_t columns, float* panel) {
  if (columns < kPanel) {
    __builtin_memset(panel, 0, sizeof(float) * static_cast<size_t>(depth * kPanel));
  }
  if (transposed) {
    transposeTo(b, stride, panel, kPanel, static_cast<int>(columns), static_cast<int>(depth));
    return;
  }
  for (int64_t k = 0; k < depth; k++) {
    for (int64_t j = 0; j < columns; j++) panel[k * kPanel + j] = b[k * stride + j];
  }
}

// Values of k that the rows of b are asked for ahead of their turn.
constexpr int64_t kRowsAhead = 32;

// A whole panel that is made while its first rows are multiplied, as multiplyTile would with a
// panel that is there: loads and stores find room between the multiplications.
template <bool kRounds>
struct PackingTile {
  template <int Rows, class Format>
  HEDDLE_INLINE void run(const Block<Format>& block, const float* from, int64_t stride,
                         float* panel) {
    const float* a = block.a;
    const int64_t aStride = block.aStride;
    F32 sums[Rows][kTileVectors];
#pragma GCC unroll 16
    for (int i = 0; i < Rows; i++) {
#pragma GCC unroll 16
      for (int v = 0; v < kTileVectors; v++) {
        sums[i][v] = block.first ? zero() : load(block.c + i * block.cStride + v * kLanes);
      }
    }
    // Addresses, which may lie beyond the matrix: after the last rows those of the panel beside it.
    const uintptr_t step = static_cast<uintptr_t>(stride) * sizeof(float);
    const uintptr_t begin = reinterpret_cast<uintptr_t>(from);
    uintptr_t next = begin + static_cast<uintptr_t>(kRowsAhead) * step;
    const int64_t rowsLeft = block.depth - kRowsAhead;
    for (int64_t k = 0; k < block.depth; k++) {
      if (k == rowsLeft) next = begin + kPanel * sizeof(float);
      for (uintptr_t at = 0; at < kPanel * sizeof(float); at += kLine) {
        prefetchFar(reinterpret_cast<const void*>(next + at));
      }
      next += step;
      F32 w[kTileVectors];
#pragma GCC unroll 16
      for (int v = 0; v < kTileVectors; v++) {
        w[v] = load(from + v * kLanes);
        if (kRounds) w[v] = roundToBf16(w[v]);
        store(panel + v * kLanes, w[v]);
      }
#pragma GCC unroll 16
      for (int i = 0; i < Rows; i++) {
        const F32 x = broadcast(a[kInterleaved<Format> ? i : i * aStride]);
#pragma GCC unroll 16
        for (int v = 0; v < kTileVectors; v++) sums[i][v] = fma(x, w[v], sums[i][v]);
      }
      a += kInterleaved<Format> ? Rows : 1;
      from += stride;
      panel += kPanel;
    }
#pragma GCC unroll 16
    for (int i = 0; i < Rows; i++) {
#pragma GCC unroll 16
      for (int v = 0; v < kTileVectors; v++) {
        store(block.c + i * block.cStride + v * kLanes, sums[i][v]);
      }
    }
  }
};

}  // namespace heddle::HEDDLE_ISA
