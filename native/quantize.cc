#include "quantize.h"

#include <string.h>

#include <vector>

#include "quantize_int4.h"
#include "quantize_int8.h"

namespace heddle {
namespace {

// A matrix [rows,columns], or stored as [columns,rows] where `transposed`; rows first … end.
struct Source {
  const float* data;
  int64_t rows, columns;
  bool transposed;
  int64_t first, end;
};

void quantizeInt8Rows(const Source& source, int8_t* target) {
  const int64_t rows = source.rows, columns = source.columns;
  std::vector<float> gathered(source.transposed ? static_cast<size_t>(columns) : 0);
  for (int64_t r = source.first; r < source.end; ++r) {
    const float* row = source.data + r * columns;
    if (source.transposed) {
      for (int64_t c = 0; c < columns; ++c) {
        gathered[static_cast<size_t>(c)] = source.data[c * rows + r];
      }
      row = gathered.data();
    }
    const float scale = quantizeInt8Row(row, columns, target + r * columns);
    memcpy(target + int8ScalesAt(rows, columns) + r * 4, &scale, sizeof(scale));
    memset(target + int8ZerosAt(rows, columns) + r * 4, 0, 4);
  }
  if (source.end < rows) return;
  const int64_t unused = int8ScalesAt(rows, columns) - rows * columns;
  memset(target + rows * columns, 0, static_cast<size_t>(unused));
}

void quantizeInt4Rows(const Source& source, Int4Block* target) {
  for (int64_t r = source.first; r < source.end; ++r) {
    const float* row = source.data + (source.transposed ? r : r * source.columns);
    quantizeInt4Row(row, source.columns, source.transposed ? source.rows : 1,
                    target + r * blocksOf(source.columns));
  }
}

}  // namespace

void quantizeWeights(DType dtype, const float* source, int64_t rows, int64_t columns,
                     bool transposed, void* target, int thread, int threads) {
  const Source share = {
      source, rows, columns, transposed, rows * thread / threads, rows * (thread + 1) / threads};
  if (dtype == DType::kInt8) {
    quantizeInt8Rows(share, static_cast<int8_t*>(target));
  } else {
    quantizeInt4Rows(share, static_cast<Int4Block*>(target));
  }
}

void dequantizeWeights(DType dtype, const void* source, int64_t rows, int64_t columns,
                       float* target) {
  const int8_t* values = static_cast<const int8_t*>(source);
  const Int4Block* blocks = static_cast<const Int4Block*>(source);
  for (int64_t r = 0; r < rows; ++r) {
    float* row = target + r * columns;
    if (dtype == DType::kInt8) {
      float scale;
      memcpy(&scale, values + int8ScalesAt(rows, columns) + r * 4, sizeof(scale));
      dequantizeInt8Row(values + r * columns, scale, columns, row);
    } else {
      dequantizeInt4Row(blocks + r * blocksOf(columns), columns, row);
    }
  }
}

}  // namespace heddle
