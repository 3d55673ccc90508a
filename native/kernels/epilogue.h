// What follows a product while it is still in the cache: y = act(y + bias) + residual; where y
// holds sums of int8 products, they become floats first.
#pragma once

#include "kernels/activation.h"
#include "kernels/rows.h"
#include "simd/simd.h"

namespace heddle::HEDDLE_ISA {

// How int32 sums, which stand where the floats will, become floats:
// (sum − rowZero[row]·columnSum[column])·rowScale[row]·columnScale[column].
struct Int8Sums {
  const float* rowScales;
  const int32_t* rowZeros;
  const float* columnScales;
  const int32_t* columnSums;
};

// One tile of the output; pointers are to its first row and column, strides in floats.
struct Epilogue {
  Activation activation;
  const float* bias;      // null: none
  const float* residual;  // null: none
  int64_t residualStride;
  Int8Sums sums;  // null pointers: y holds floats
};

HEDDLE_INLINE I32 loadUpToI32(const int32_t* p, int n) {
  return n == kLanes ? loadI32(p) : loadFirstI32(p, n);
}

HEDDLE_INLINE F32 floatsOfSums(const Int8Sums& sums, const float* row, int64_t i, int64_t column,
                               int n) {
  const I32 sum = loadUpToI32(reinterpret_cast<const int32_t*>(row) + column, n);
  const I32 columnSum = loadUpToI32(sums.columnSums + column, n);
  const I32 centred = subI32(sum, mulI32(broadcastI32(sums.rowZeros[i]), columnSum));
  const F32 columnScale = loadUpTo(sums.columnScales + column, n);
  return mul(toFloat(centred), mul(broadcast(sums.rowScales[i]), columnScale));
}

template <Activation Kind, bool kSums>
static void finishRows(const Epilogue& epilogue, float* y, int64_t stride, int64_t rows,
                       int64_t columns) {
  for (int64_t i = 0; i < rows; i++) {
    float* row = y + i * stride;
    const float* residual =
        epilogue.residual ? epilogue.residual + i * epilogue.residualStride : nullptr;
    forEachVector(columns, [&](int64_t j, int n) {
      F32 value = kSums ? floatsOfSums(epilogue.sums, row, i, j, n) : loadUpTo(row + j, n);
      if (epilogue.bias) value = add(value, loadUpTo(epilogue.bias + j, n));
      value = activate<Kind>(value);
      if (residual) value = add(value, loadUpTo(residual + j, n));
      storeUpTo(row + j, value, n);
    });
  }
}

template <bool kSums>
static void finishAs(const Epilogue& epilogue, float* y, int64_t stride, int64_t rows,
                     int64_t columns) {
  switch (epilogue.activation) {
    case Activation::kNone:
      if (!kSums && !epilogue.bias && !epilogue.residual) return;
      return finishRows<Activation::kNone, kSums>(epilogue, y, stride, rows, columns);
    case Activation::kRelu:
      return finishRows<Activation::kRelu, kSums>(epilogue, y, stride, rows, columns);
    case Activation::kGelu:
      return finishRows<Activation::kGelu, kSums>(epilogue, y, stride, rows, columns);
    case Activation::kGeluTanh:
      return finishRows<Activation::kGeluTanh, kSums>(epilogue, y, stride, rows, columns);
    case Activation::kSilu:
      return finishRows<Activation::kSilu, kSums>(epilogue, y, stride, rows, columns);
    case Activation::kTanh:
      return finishRows<Activation::kTanh, kSums>(epilogue, y, stride, rows, columns);
    case Activation::kSigmoid:
      return finishRows<Activation::kSigmoid, kSums>(epilogue, y, stride, rows, columns);
    case Activation::kQuickGelu:
      return finishRows<Activation::kQuickGelu, kSums>(epilogue, y, stride, rows, columns);
  }
}

static void finish(const Epilogue& epilogue, float* y, int64_t stride, int64_t rows,
                   int64_t columns) {
  if (epilogue.sums.rowScales) return finishAs<true>(epilogue, y, stride, rows, columns);
  finishAs<false>(epilogue, y, stride, rows, columns);
}

}  // namespace heddle::HEDDLE_ISA
