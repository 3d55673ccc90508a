// What a kernel is: the one interface between the plan executor and the arithmetic.
//
// A kernel is SPMD: every thread of the team calls it with the same `Call`, and the threads share
// the work by claiming tiles from `call.work`. Kernels hold no OpenMP pragma, no barrier and no
// state, and never fail: shapes, dtypes and index ranges were checked when the plan was made or the
// run began.
//
// This header and every kernel file are compiled once per instruction set. Neither includes a C++
// standard header: an inline std:: function compiled for AVX-512 may become the linker's one copy
// and crash an older CPU.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace heddle {

enum class DType : int32_t {
  kFloat32 = 0,
  kFloat16 = 1,
  kBFloat16 = 2,
  kInt32 = 3,
  kInt8 = 4,       // [R,C] with a scale for each row (kernels/quantized.h)
  kInt4 = 5,       // weights [N,K] in blocks of 32 of a row (kernels/quantized_blocks.h)
  kInt8Blocks = 6  // activations [R,C], likewise
};

constexpr int kMaxRank = 4;
constexpr size_t kAlignment = 64;  // in bytes, of arenas, states and scratch

// A dense, row-major tensor. `data` is null where an optional operand is absent.
// The weight of `linear`, `linearInt8` and `linearInt4` is the exception: its `data` points to a
// PackedMatrix (kernels/gemm.h).
struct Tensor {
  void* data;
  DType dtype;
  int32_t rank;
  int64_t dims[kMaxRank];
};

// Hands out tile numbers 0, 1, 2 … to the threads of one node. The executor zeroes it before the
// node.
struct WorkCounter {
  int64_t next;
};

static inline int64_t claim(WorkCounter* work) {
  return __atomic_fetch_add(&work->next, 1, __ATOMIC_RELAXED);
}

// One node of a plan, ready to run: actual dims, resolved pointers.
// Which operand stands where, and what `ints` and `floats` mean, is written in
// kernels/README.md.
struct Call {
  const Tensor* inputs;
  const Tensor* outputs;
  const int64_t* ints;
  const double* floats;
  WorkCounter* work;
  const int32_t* cancelled;  // non-zero: stop claiming tiles; the run's outputs will be thrown away
};

static inline bool isCancelled(const Call& call) {
  return __atomic_load_n(call.cancelled, __ATOMIC_RELAXED) != 0;
}

// Memory of one thread for the length of one node, aligned to kAlignment.
struct Scratch {
  void* data;
  size_t bytes;
};

using KernelFunction = void (*)(const Call& call, int thread, int threads, Scratch scratch);
// Bytes of scratch that each thread needs for this call; null in the table means none.
using ScratchFunction = size_t (*)(const Call& call);

struct Kernel {
  const char* name;
  KernelFunction run;
  ScratchFunction scratch;
};

}  // namespace heddle
