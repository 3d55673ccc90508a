// Tensors in blocks of 32 along a row: int4 weights, and rows of activations on their way into
// `linearInt4`. A row is ⌈C/32⌉ blocks, one after the other; beyond C the values of the last are 0.
//
// An int4 block stands for w = value·scale + minimum, with values 0 … 15: it is that of GGUF's
// Q4_1, and holds Q4_0 (minimum = −8·scale) exactly. Weights of a block are seldom as
// far below 0 as above: a symmetric range would leave some of the 16 values without use.
//   scale and minimum come of the least and the greatest weight, (hi − lo) / 15 and lo, and are
//   then twice replaced by the least-squares fit of the weights to their values; all in double,
//   scale and minimum rounded to float16 (by way of float32) before the values are chosen,
//   round((w − minimum)·(1 / scale)), ties to even, held to 0 … 15.
// A block with a NaN or an infinity, or whose minimum or scale float16 cannot hold, has both NaN.
//
// A block of activations is symmetric int8: with m = max |x|, scale = m / 127, values are
// x·(127 / m), to the nearest, ties to even, and sum is scale·Σ values, which is what each unit of
// a minimum adds to a product. m below 2⁻¹⁰⁰ counts as 0, and then all is. A block with a NaN or an
// infinity has the scale and the sum NaN. A range for each block costs a multiplication more for
// 32 products than one for each row, and one large activation then spoils 31 others, not thousands.
#pragma once

#include <stdint.h>

namespace heddle {

constexpr int kBlockValues = 32;

struct Int4Block {
  uint16_t scale, minimum;  // float16
  uint8_t values[16];       // value i in the lower half of byte i, value 16 + i in the upper
};
static_assert(sizeof(Int4Block) == 20, "as in GGUF");

struct Int8Block {
  int8_t values[kBlockValues];
  float scale, sum;
};
static_assert(sizeof(Int8Block) == 40, "no padding");

// Blocks of a row, and bytes of a tensor of such rows. No overflow for R·C < 2^58.
static inline int64_t blocksOf(int64_t columns) {
  return (columns + kBlockValues - 1) / kBlockValues;
}
static inline int64_t int4Bytes(int64_t rows, int64_t columns) {
  return rows * blocksOf(columns) * static_cast<int64_t>(sizeof(Int4Block));
}
static inline int64_t int8BlockBytes(int64_t rows, int64_t columns) {
  return rows * blocksOf(columns) * static_cast<int64_t>(sizeof(Int8Block));
}

// Value i of a block, 0 … 15.
static inline int int4Value(const Int4Block& block, int64_t i) {
  return i < 16 ? block.values[i] & 15 : block.values[i - 16] >> 4;
}

}  // namespace heddle
