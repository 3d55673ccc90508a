// The layout of packed weights (PackedMatrix): panels of kPanel output columns, in groups of
// `depth` values of k, [N/kPanel][⌈K/depth⌉][kPanel][depth], filled up with zeros. The depth is 1,
// or what the instruction set multiplies at once: pairs of bfloat16, groups of int8.
//
// After the panels of an int8 weight stand, for every column of them, its scale and the sum of its
// values, which is what each unit of an input row's zero adds to a product. int4 has a layout of
// its own (packing_int4.h).
#pragma once

#include "kernels/gemm.h"
#include "kernels/packing_int4.h"
#include "kernels/quantized.h"
#include "kernels/tile.h"

namespace heddle::HEDDLE_ISA {

HEDDLE_INLINE int64_t groupDepth(DType dtype) {
#ifdef HEDDLE_BF16_DOT
  if (dtype == DType::kBFloat16) return 2;
#endif
  return dtype == DType::kInt8 ? kDotDepth : 1;
}

// Elements from one panel to the next.
HEDDLE_INLINE int64_t panelElements(DType dtype, int64_t k) {
  const int64_t depth = groupDepth(dtype);
  return divideUp(k, depth) * depth * kPanel;
}

HEDDLE_INLINE int64_t placeInPanel(int64_t depth, int64_t k, int64_t column) {
  return (k / depth * kPanel + column) * depth + k % depth;
}

// The parts of a packed int8 weight. Columns are counted over all panels, the filling included.
struct PackedInt8 {
  int8_t* values;
  float* scales;
  int32_t* sums;
};

HEDDLE_INLINE PackedInt8 partsOfInt8(const PackedMatrix& matrix) {
  const int64_t panels = divideUp(matrix.n, kPanel);
  int8_t* values = static_cast<int8_t*>(const_cast<void*>(matrix.data));
  float* scales = reinterpret_cast<float*>(values + panels * panelElements(matrix.dtype, matrix.k));
  return {values, scales, reinterpret_cast<int32_t*>(scales + panels * kPanel)};
}

static int64_t packedBytes(DType dtype, int64_t n, int64_t k) {
  const int64_t panels = divideUp(n, kPanel);
  const int64_t elements = panels * panelElements(dtype, k);
  int64_t bytes = elements * (dtype == DType::kFloat32 ? 4 : 2);
  if (dtype == DType::kInt8) bytes = elements + panels * kPanel * 8;
  if (dtype == DType::kInt4) bytes = panels * int4PanelBytes(k);
  return bytes > 0 ? bytes : 1;
}

// Columns of `source` are the rows of the weight, or its columns where it comes transposed.
static void packPanel(float* panel, const float* source, int64_t n, int64_t k, int64_t first,
                      int columns, bool transposed, int64_t) {
  if (transposed) {
    for (int64_t i = 0; i < k; i++) {
      for (int j = 0; j < columns; j++) panel[i * kPanel + j] = source[i * n + first + j];
    }
    return;
  }
  transposeTo(source + first * k, k, panel, kPanel, columns, static_cast<int>(k));
}

// target[i][j] = source[j][i] for 4 × 4 of 16 bits, in general registers: an instruction or two an
// element on every instruction set.
HEDDLE_INLINE void transposeHalves4x4(const uint16_t* source, int64_t sourceStride,
                                      uint16_t* target, int64_t targetStride) {
  uint64_t rows[4];
#pragma GCC unroll 4
  for (int j = 0; j < 4; j++) __builtin_memcpy(&rows[j], source + j * sourceStride, 8);
  const uint64_t even = 0x0000ffff0000ffff, low = 0x00000000ffffffff;
  const uint64_t even01 = (rows[0] & even) | (rows[1] & even) << 16;
  const uint64_t odd01 = (rows[0] >> 16 & even) | (rows[1] & ~even);
  const uint64_t even23 = (rows[2] & even) | (rows[3] & even) << 16;
  const uint64_t odd23 = (rows[2] >> 16 & even) | (rows[3] & ~even);
  const uint64_t columns[4] = {(even01 & low) | even23 << 32, (odd01 & low) | odd23 << 32,
                               even01 >> 32 | (even23 & ~low), odd01 >> 32 | (odd23 & ~low)};
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) __builtin_memcpy(target + i * targetStride, &columns[i], 8);
}

static void packPanel(uint16_t* panel, const uint16_t* source, int64_t n, int64_t k, int64_t first,
                      int columns, bool transposed, int64_t depth) {
  const int64_t columnStride = transposed ? 1 : k;
  const int64_t depthStride = transposed ? n : 1;
  source += first * columnStride;
  int64_t done = 0;
  if (!transposed && depth == 1 && columns == kPanel) {
    for (; done + 4 <= k; done += 4) {
      for (int j = 0; j < kPanel; j += 4) {
        transposeHalves4x4(source + j * k + done, k, panel + done * kPanel + j, kPanel);
      }
    }
  }
  for (int j = 0; j < columns; j++) {
    for (int64_t i = done; i < k; i++) {
      panel[placeInPanel(depth, i, j)] = source[j * columnStride + i * depthStride];
    }
  }
}

template <class Element>
static void packPanel(Element* panel, const Element* source, int64_t n, int64_t k, int64_t first,
                      int columns, bool transposed, int64_t depth) {
  const int64_t columnStride = transposed ? 1 : k;
  const int64_t depthStride = transposed ? n : 1;
  source += first * columnStride;
  for (int j = 0; j < columns; j++) {
    for (int64_t i = 0; i < k; i++) {
      panel[placeInPanel(depth, i, j)] = source[j * columnStride + i * depthStride];
    }
  }
}

struct PanelShare {
  int64_t first, end;
};

HEDDLE_INLINE PanelShare shareOfPanels(int64_t n, int thread, int threads) {
  const int64_t panels = divideUp(n, kPanel);
  return {panels * thread / threads, panels * (thread + 1) / threads};
}

template <class Element>
static void packPanels(PackedMatrix* target, const Element* source, bool transposed, int thread,
                       int threads) {
  const int64_t n = target->n, k = target->k;
  const int64_t elements = panelElements(target->dtype, k);
  Element* data = static_cast<Element*>(const_cast<void*>(target->data));
  const PanelShare share = shareOfPanels(n, thread, threads);
  for (int64_t p = share.first; p < share.end; p++) {
    Element* panel = data + p * elements;
    const int columns = static_cast<int>(smaller(kPanel, n - p * kPanel));
    if (columns < kPanel || elements > k * kPanel) {
      __builtin_memset(panel, 0, sizeof(Element) * static_cast<size_t>(elements));
    }
    packPanel(panel, source, n, k, p * kPanel, columns, transposed, groupDepth(target->dtype));
  }
}

// Scales and sums of this thread's columns.
static void describeInt8(const PackedMatrix& target, const int8_t* source, int thread,
                         int threads) {
  const int64_t n = target.n, k = target.k;
  const float* scales = reinterpret_cast<const float*>(source + int8ScalesAt(n, k));
  const PackedInt8 parts = partsOfInt8(target);
  const PanelShare share = shareOfPanels(n, thread, threads);
  for (int64_t column = share.first * kPanel; column < share.end * kPanel; column++) {
    int32_t sum = 0;
    for (int64_t i = 0; column < n && i < k; i++) sum += source[column * k + i];
    parts.scales[column] = column < n ? scales[column] : 0.0f;
    parts.sums[column] = sum;
  }
}

static void packInt4(PackedMatrix* target, const Int4Block* source, int thread, int threads) {
  const int64_t n = target->n, k = target->k;
  const PanelShare share = shareOfPanels(n, thread, threads);
  for (int64_t p = share.first; p < share.end; p++) {
    uint8_t* panel = static_cast<uint8_t*>(const_cast<void*>(target->data)) + p * int4PanelBytes(k);
    packInt4Panel(panel, source + p * kPanel * blocksOf(k), blocksOf(k),
                  static_cast<int>(smaller(kPanel, n - p * kPanel)));
  }
}

static void packMatrix(PackedMatrix* target, const void* source, bool transposed, int thread,
                       int threads) {
  if (target->dtype == DType::kFloat32) {
    packPanels(target, static_cast<const float*>(source), transposed, thread, threads);
  } else if (target->dtype == DType::kInt8) {
    const int8_t* values = static_cast<const int8_t*>(source);
    packPanels(target, values, false, thread, threads);
    describeInt8(*target, values, thread, threads);
  } else if (target->dtype == DType::kInt4) {
    packInt4(target, static_cast<const Int4Block*>(source), thread, threads);
  } else {
    packPanels(target, static_cast<const uint16_t*>(source), transposed, thread, threads);
  }
}

template <class Element>
static void unpackPanels(const PackedMatrix* source, Element* target) {
  const int64_t elements = panelElements(source->dtype, source->k);
  const int64_t depth = groupDepth(source->dtype);
  for (int64_t row = 0; row < source->n; row++) {
    const Element* panel = static_cast<const Element*>(source->data) + row / kPanel * elements;
    for (int64_t i = 0; i < source->k; i++) {
      target[row * source->k + i] = panel[placeInPanel(depth, i, row % kPanel)];
    }
  }
}

static void unpackMatrix(const PackedMatrix* source, void* target) {
  if (source->dtype == DType::kFloat32) {
    unpackPanels(source, static_cast<float*>(target));
  } else if (source->dtype == DType::kInt8) {
    int8_t* values = static_cast<int8_t*>(target);
    unpackPanels(source, values);
    const int64_t at = int8ScalesAt(source->n, source->k);
    for (int64_t i = source->n * source->k; i < at; i++) values[i] = 0;
    const size_t bytes = sizeof(float) * static_cast<size_t>(source->n);
    __builtin_memcpy(values + at, partsOfInt8(*source).scales, bytes);
    __builtin_memset(values + at + bytes, 0, bytes);  // the zeros
  } else if (source->dtype == DType::kInt4) {
    unpackInt4(*source, static_cast<Int4Block*>(target));
  } else {
    unpackPanels(source, static_cast<uint16_t*>(target));
  }
}

}  // namespace heddle::HEDDLE_ISA
