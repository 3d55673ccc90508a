// int8 tensors: weights, and rows of activations on their way into `linearInt8`.
//
// An int8 tensor [R,C] is R·C values, row-major; from the next multiple of four bytes on a float32
// scale for each row, and after those an int32 zero for each: element [r,c] stands for
// (value − zero[r])·scale[r].
//
// Weights are symmetric, because their zeros then cost nothing in a product: with m = max |x| of a
// row and a limit L, scale = m / L, values are x·(L / m) to the nearest, ties to even, and zero is
// 0. Two neighbours (columns 2i and 2i + 1) sum to at most 128 in magnitude; what is beyond it is
// taken from both alike. 255·128 fits 16 bits, in which AVX2 and AVX-512 without VNNI sum the two
// products (vpmaddubsw), so that no sum ever saturates. Of the limits 127 … 64 each row has the one
// whose values are nearest to it in squares: with a larger one steps are finer, with a smaller one
// fewer neighbours are too large together (with 64, none). Every instruction set has the same
// values.
//
// Activations use the whole range from lo = min(x, 0) to hi = max(x, 0), a row at a time: after
// LayerNorm or GELU a symmetric range would lie half empty. With f = 255 / (hi − lo), scale is
// (hi − lo) / 255, zero = round(−lo·f) − 128, and values are round(x·f) + zero, held to
// −128 … 127. They are stored with the offset that the instruction set's dot product wants
// (kDotOffset in simd/), and so is their zero.
//
// A range below 2⁻¹⁰⁰ counts as 0, and then all values are. A row with a NaN or an infinity, or
// whose range is infinite, has the scale NaN.
#pragma once

#include <stdint.h>

namespace heddle {

constexpr float kInt8Limit = 127.0f;
constexpr float kInt8PairLimit = 128.0f;
constexpr float kInt8Steps = 255.0f;
constexpr float kInt8Smallest = 0x1p-100f;

// 255·127·65536 fits int32: a sum over a row never overflows, whatever the offset.
constexpr int64_t kMaxInt8Columns = 65536;

// Where scales and zeros begin, in bytes, and where the tensor ends. No overflow for R·C < 2^61.
static inline int64_t int8ScalesAt(int64_t rows, int64_t columns) {
  return (rows * columns + 3) & ~static_cast<int64_t>(3);
}
static inline int64_t int8ZerosAt(int64_t rows, int64_t columns) {
  return int8ScalesAt(rows, columns) + 4 * rows;
}
static inline int64_t int8Bytes(int64_t rows, int64_t columns) {
  return int8ZerosAt(rows, columns) + 4 * rows;
}

}  // namespace heddle
