// Pages of cached keys and values (Kwon et al., "Efficient Memory Management for Large Language
// Model Serving with PagedAttention", 2023): 64 positions each, which any sequence may refer to.
//
// A State [P·G·64, d] holds P pages of G heads, float32, bfloat16 or int8. To a reader its row (p·G
// + g)·64
// + i is head g of the page's position i; in memory the 64 rows of a page and head are one block,
// for keys transposed, [d][64], so that attention reads it as it is. int8 blocks have a scale for
// each row, where int8 tensors have theirs (quantized.h), and values as weights have them.
//
//   appendPages  pages[slot[r]] = source[r]; source f32[R, G·d]; slot = 64·page + position in it
//   copyPages    pages[to[i]] = pages[from[i]], whole pages
//   readPages    out[r] = pages[slot[r]], f32[R, G·d]
#pragma once

#include "kernels/kernel.h"
#include "kernels/page_size.h"

namespace heddle::HEDDLE_ISA {

static void appendPages(const Call& call, int thread, int threads, Scratch scratch);
static void copyPages(const Call& call, int thread, int threads, Scratch scratch);
static void readPages(const Call& call, int thread, int threads, Scratch scratch);

}  // namespace heddle::HEDDLE_ISA
