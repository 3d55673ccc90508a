// What follows a product while it is still in the cache: y = act(y + bias) + residual.
#pragma once

#include "kernels/activation.h"
#include "simd/simd.h"

namespace heddle::HEDDLE_ISA {

// One tile of the output; pointers are to its first column, strides in floats.
struct Epilogue {
  Activation activation;
  const float* bias;      // null: none
  const float* residual;  // null: none
  int64_t residualStride;
};

template <Activation Kind>
static void finishRows(const Epilogue& epilogue, float* y, int64_t stride, int64_t rows,
                       int64_t columns) {
  const float* bias = epilogue.bias;
  for (int64_t i = 0; i < rows; i++) {
    float* row = y + i * stride;
    const float* residual =
        epilogue.residual ? epilogue.residual + i * epilogue.residualStride : nullptr;
    int64_t j = 0;
    for (; j + kLanes <= columns; j += kLanes) {
      F32 value = load(row + j);
      if (bias) value = add(value, load(bias + j));
      value = activate<Kind>(value);
      if (residual) value = add(value, load(residual + j));
      store(row + j, value);
    }
    if (j < columns) {
      const int rest = static_cast<int>(columns - j);
      F32 value = loadFirst(row + j, rest);
      if (bias) value = add(value, loadFirst(bias + j, rest));
      value = activate<Kind>(value);
      if (residual) value = add(value, loadFirst(residual + j, rest));
      storeFirst(row + j, value, rest);
    }
  }
}

static void finish(const Epilogue& epilogue, float* y, int64_t stride, int64_t rows,
                   int64_t columns) {
  switch (epilogue.activation) {
    case Activation::kNone:
      if (!epilogue.bias && !epilogue.residual) return;
      return finishRows<Activation::kNone>(epilogue, y, stride, rows, columns);
    case Activation::kRelu:
      return finishRows<Activation::kRelu>(epilogue, y, stride, rows, columns);
    case Activation::kGelu:
      return finishRows<Activation::kGelu>(epilogue, y, stride, rows, columns);
    case Activation::kGeluTanh:
      return finishRows<Activation::kGeluTanh>(epilogue, y, stride, rows, columns);
    case Activation::kSilu:
      return finishRows<Activation::kSilu>(epilogue, y, stride, rows, columns);
    case Activation::kTanh:
      return finishRows<Activation::kTanh>(epilogue, y, stride, rows, columns);
    case Activation::kSigmoid:
      return finishRows<Activation::kSigmoid>(epilogue, y, stride, rows, columns);
    case Activation::kQuickGelu:
      return finishRows<Activation::kQuickGelu>(epilogue, y, stride, rows, columns);
  }
}

}  // namespace heddle::HEDDLE_ISA
