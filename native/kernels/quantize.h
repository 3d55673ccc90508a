// quantizeRows: x f32[R,C] → int8 [R,C], each row to its own range (kernels/quantized.h). Error:
// half a step of the row, (hi − lo) / 510, and where an end of the range is rounded away, up to a
// step.
#pragma once

#include "kernels/kernel.h"
#include "kernels/quantized.h"

namespace heddle::HEDDLE_ISA {

// The row of an int8 tensor as it is stored.
struct QuantizedRow {
  uint8_t* values;
  float* scale;
  int32_t* zero;
};

static void quantizeRow(const float* x, int64_t columns, const QuantizedRow& row);

}  // namespace heddle::HEDDLE_ISA
