// quantizeBlocks: x f32[R,C] → int8 in blocks of 32 of a row, each with its own range
// (kernels/quantized_blocks.h). Error: half a step of the block, max |x| / 254.
#pragma once

#include "kernels/kernel.h"
#include "kernels/quantized_blocks.h"

namespace heddle::HEDDLE_ISA {

static void quantizeRowBlocks(const float* x, int64_t columns, Int8Block* blocks);

}  // namespace heddle::HEDDLE_ISA
