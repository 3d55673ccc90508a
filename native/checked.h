// Arithmetic on sizes that come from outside: every step says whether it overflowed.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "kernels/kernel.h"
#include "kernels/quantized.h"
#include "kernels/quantized_blocks.h"

namespace heddle {

// The largest count of bytes that any buffer may have: far above real memory, far below overflow.
constexpr int64_t kMaxBytes = int64_t{1} << 46;

// a·b for a, b ≥ 0; false where it would exceed INT64_MAX.
inline bool checkedMultiply(int64_t a, int64_t b, int64_t* product) {
  if (a < 0 || b < 0) return false;
  if (a != 0 && b > INT64_MAX / a) return false;
  *product = a * b;
  return true;
}

// a+b for a, b ≥ 0; false where it would exceed INT64_MAX.
inline bool checkedAdd(int64_t a, int64_t b, int64_t* sum) {
  if (a < 0 || b < 0 || a > INT64_MAX - b) return false;
  *sum = a + b;
  return true;
}

// Product of dims times `elementBytes`; false where a dim is negative or the size exceeds
// kMaxBytes. A zero dim does not excuse the others: kernels multiply subsets of the dims.
inline bool checkedBytes(const int64_t* dims, int rank, int64_t elementBytes, int64_t* bytes) {
  int64_t total = elementBytes;
  bool empty = false;
  for (int i = 0; i < rank; ++i) {
    if (dims[i] == 0) {
      empty = true;
      continue;
    }
    if (!checkedMultiply(total, dims[i], &total) || total > kMaxBytes) return false;
  }
  *bytes = empty ? 0 : total;
  return true;
}

// Stored as blocks of 32 values, and not element by element.
inline bool isInBlocks(DType dtype) { return dtype == DType::kInt4 || dtype == DType::kInt8Blocks; }

// Of one element, where there are no blocks; an int8 tensor has scales and zeros besides.
inline int64_t dtypeBytes(DType dtype) {
  if (dtype == DType::kInt8) return 1;
  return dtype == DType::kFloat32 || dtype == DType::kInt32 ? 4 : 2;
}

// Bytes of a tensor; false where a dim is negative or the size exceeds kMaxBytes.
inline bool checkedTensorBytes(DType dtype, const int64_t* dims, int rank, int64_t* bytes) {
  if (isInBlocks(dtype)) {
    if (rank != 2 || !checkedBytes(dims, 2, 1, bytes)) return false;
    const int64_t blocks[] = {dims[0], blocksOf(dims[1])};
    const size_t size = dtype == DType::kInt4 ? sizeof(Int4Block) : sizeof(Int8Block);
    return checkedBytes(blocks, 2, static_cast<int64_t>(size), bytes);
  }
  if (!checkedBytes(dims, rank, dtypeBytes(dtype), bytes)) return false;
  if (dtype != DType::kInt8) return true;
  int64_t ofRows = 0;
  if (rank != 2 || !checkedBytes(dims, 1, 8, &ofRows)) return false;
  *bytes = int8Bytes(dims[0], dims[1]);
  return *bytes <= kMaxBytes;
}

// Why these dims cannot be those of a tensor of this dtype; null where they can.
inline const char* dimsProblem(DType dtype, const int64_t* dims, int rank) {
  if (isInBlocks(dtype)) return rank == 2 ? nullptr : "a tensor in blocks has two dims";
  if (dtype != DType::kInt8) return nullptr;
  if (rank != 2) return "an int8 tensor has two dims";
  return dims[1] > kMaxInt8Columns ? "an int8 tensor has at most 65536 columns" : nullptr;
}

inline int64_t alignUp(int64_t bytes) {
  constexpr int64_t mask = static_cast<int64_t>(kAlignment) - 1;
  return (bytes + mask) & ~mask;
}

}  // namespace heddle
