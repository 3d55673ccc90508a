// The layout of packed weights (PackedMatrix): panels of kPanel output columns,
// [N/kPanel][K][kPanel], filled up with zeros. Where the instruction set multiplies pairs of
// bfloat16, a bfloat16 panel is [⌈K/2⌉][kPanel][2].
#pragma once

#include "kernels/gemm.h"
#include "kernels/tile.h"

namespace heddle::HEDDLE_ISA {

#ifdef HEDDLE_BF16_DOT
constexpr bool kBf16Pairs = true;
#else
constexpr bool kBf16Pairs = false;
#endif

HEDDLE_INLINE bool isPaired(DType dtype) { return kBf16Pairs && dtype == DType::kBFloat16; }

// Elements from one panel to the next.
HEDDLE_INLINE int64_t panelElements(DType dtype, int64_t k) {
  return (isPaired(dtype) ? k + (k & 1) : k) * kPanel;
}

HEDDLE_INLINE int64_t placeInPanel(bool paired, int64_t k, int64_t column) {
  return paired ? (k / 2 * kPanel + column) * 2 + (k & 1) : k * kPanel + column;
}

static int64_t packedBytes(DType dtype, int64_t n, int64_t k) {
  const int64_t size = dtype == DType::kFloat32 ? 4 : 2;
  const int64_t bytes = divideUp(n, kPanel) * panelElements(dtype, k) * size;
  return bytes > 0 ? bytes : 1;
}

// Columns of `source` are the rows of the weight, or its columns where it comes transposed.
static void packPanel(float* panel, const float* source, int64_t n, int64_t k, int64_t first,
                      int columns, bool transposed, bool) {
  if (transposed) {
    for (int64_t i = 0; i < k; i++) {
      for (int j = 0; j < columns; j++) panel[i * kPanel + j] = source[i * n + first + j];
    }
    return;
  }
  transposeTo(source + first * k, k, panel, kPanel, columns, static_cast<int>(k));
}

static void packPanel(uint16_t* panel, const uint16_t* source, int64_t n, int64_t k, int64_t first,
                      int columns, bool transposed, bool paired) {
  const int64_t columnStride = transposed ? 1 : k;
  const int64_t depthStride = transposed ? n : 1;
  source += first * columnStride;
  for (int j = 0; j < columns; j++) {
    for (int64_t i = 0; i < k; i++) {
      panel[placeInPanel(paired, i, j)] = source[j * columnStride + i * depthStride];
    }
  }
}

template <class Element>
static void packPanels(PackedMatrix* target, const Element* source, bool transposed, int thread,
                       int threads) {
  const int64_t n = target->n, k = target->k;
  const int64_t panels = divideUp(n, kPanel);
  const int64_t elements = panelElements(target->dtype, k);
  Element* data = static_cast<Element*>(const_cast<void*>(target->data));
  for (int64_t p = panels * thread / threads; p < panels * (thread + 1) / threads; p++) {
    Element* panel = data + p * elements;
    const int columns = static_cast<int>(smaller(kPanel, n - p * kPanel));
    if (columns < kPanel || elements > k * kPanel) {
      __builtin_memset(panel, 0, sizeof(Element) * static_cast<size_t>(elements));
    }
    packPanel(panel, source, n, k, p * kPanel, columns, transposed, isPaired(target->dtype));
  }
}

static void packMatrix(PackedMatrix* target, const void* source, bool transposed, int thread,
                       int threads) {
  if (target->dtype == DType::kFloat32) {
    packPanels(target, static_cast<const float*>(source), transposed, thread, threads);
  } else {
    packPanels(target, static_cast<const uint16_t*>(source), transposed, thread, threads);
  }
}

template <class Element>
static void unpackPanels(const PackedMatrix* source, Element* target) {
  const int64_t elements = panelElements(source->dtype, source->k);
  const bool paired = isPaired(source->dtype);
  for (int64_t row = 0; row < source->n; row++) {
    const Element* panel = static_cast<const Element*>(source->data) + row / kPanel * elements;
    for (int64_t i = 0; i < source->k; i++) {
      target[row * source->k + i] = panel[placeInPanel(paired, i, row % kPanel)];
    }
  }
}

static void unpackMatrix(const PackedMatrix* source, void* target) {
  if (source->dtype == DType::kFloat32) {
    unpackPanels(source, static_cast<float*>(target));
  } else {
    unpackPanels(source, static_cast<uint16_t*>(target));
  }
}

}  // namespace heddle::HEDDLE_ISA
