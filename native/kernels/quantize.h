// quantizeRows: x f32[R,C] → int8 [R,C], each row to its own range (kernels/quantized.h). Error:
// half a step of the row, (hi − lo) / 510, and where an end of the range is rounded away, up to a
// step.
#pragma once

#include "kernels/kernel.h"
#include "kernels/quantized.h"
