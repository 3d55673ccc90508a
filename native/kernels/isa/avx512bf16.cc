// As avx512, and -mavx512bf16.
#define HEDDLE_ISA avx512bf16
#define HEDDLE_SIMD "simd/avx512.h"
#define HEDDLE_BF16_DOT  // bfloat16 weights are packed in pairs, for vdpbf16ps
#include "kernels/table.inc"
