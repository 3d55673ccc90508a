// Quantising for oneDNN's int8 product as Heddle does it (native/kernels/quantized.h): weights with a scale for each output,
// activations row by row to their own range. y = (Σ q·w − zero·Σ w) · scale of the row · scale of the output.
#pragma once

#include <math.h>
#include <stdint.h>

#include <algorithm>
#include <vector>

struct Int8Rows {
  std::vector<uint8_t> rows;
  std::vector<int8_t> weight;
  std::vector<float> rowScales, weightScales;
  std::vector<int32_t> zeros, weightSums;
  int m = 0, k = 0;

  void setWeight(const float* w, int n, int columns) {
    weight.resize(size_t(n) * columns), weightScales.resize(n), weightSums.resize(n);
    for (int i = 0; i < n; i++) {
      const float* row = w + size_t(i) * columns;
      float most = 0;
      for (int j = 0; j < columns; j++) most = std::max(most, fabsf(row[j]));
      int32_t sum = 0;
      for (int j = 0; j < columns; j++) {
        const int8_t q = int8_t(lrintf(row[j] * (127 / most)));
        weight[size_t(i) * columns + j] = q, sum += q;
      }
      weightScales[i] = most / 127, weightSums[i] = sum;
    }
  }

  void resize(int rowCount, int columns) {
    m = rowCount, k = columns;
    rows.resize(size_t(m) * k), rowScales.resize(m), zeros.resize(m);
  }

  void quantize(const float* x) {
#pragma omp parallel for
    for (int i = 0; i < m; i++) {
      const float* row = x + size_t(i) * k;
      float low = 0, high = 0;
#pragma omp simd reduction(min : low) reduction(max : high)
      for (int j = 0; j < k; j++) {
        low = row[j] < low ? row[j] : low;
        high = row[j] > high ? row[j] : high;
      }
      const float factor = high > low ? 255 / (high - low) : 0;
      const int zero = int(lrintf(-low * factor));
      uint8_t* out = &rows[size_t(i) * k];
      for (int j = 0; j < k; j++) {
        out[j] = uint8_t(std::min(255, int(row[j] * factor + float(zero) + 0.5f)));
      }
      rowScales[i] = (high - low) / 255, zeros[i] = zero;
    }
  }

  // Of `count` rows from `first` on.
  void scale(const int32_t* sums, int first, int count, float* y) const {
    const int n = int(weightSums.size());
#pragma omp parallel for
    for (int i = 0; i < count; i++) {
      const float s = rowScales[first + i];
      const int32_t zero = zeros[first + i];
#pragma omp simd
      for (int j = 0; j < n; j++) {
        const size_t at = size_t(i) * n + j;
        y[at] = float(sums[at] - zero * weightSums[j]) * (s * weightScales[j]);
      }
    }
  }
};
