// y = act(x·Wᵀ + bias) + residual, x [R,K], W [N,K] packed once at load.
//
// Accumulator: float32, one chain over k for each output, in order, whatever the row count, the
// thread count or the tile an output falls into; so a row's result does not depend on the other
// rows. Structure: Goto & van de Geijn, "Anatomy of High-Performance Matrix Multiplication" (2008),
// without the packing of x, which at these sizes stays in L2.
#pragma once

#include "kernels/kernel.h"

namespace heddle {

enum class Activation : int64_t {
  kNone = 0,
  kRelu,
  kGelu,
  kGeluTanh,
  kSilu,
  kTanh,
  kSigmoid,
  kQuickGelu
};

// A weight in the layout of one instruction set (kernels/packing.h): panels of `panel` output
// columns, the last one filled up with zeros.
struct PackedMatrix {
  const void* data;
  DType dtype;  // of the stored elements
  int64_t n, k;
  int64_t panel;
};

// How an instruction set packs. Packing is shared by a team: thread t of T packs its share of the
// panels.
struct Packing {
  int64_t (*bytes)(DType dtype, int64_t n, int64_t k);  // at least 1; no overflow for n·k < 2^48
  // source: [n,k] row-major, or [k,n] where `transposed` (the layout of GPT-2's Conv1D), which
  // int8 and int4 never are: their scales belong to rows.
  void (*pack)(PackedMatrix* target, const void* source, bool transposed, int thread, int threads);
  // Inverse: writes [n,k] row-major, for int8 and int4 with its scales.
  void (*unpack)(const PackedMatrix* source, void* target);
  int64_t panel;
};

}  // namespace heddle
