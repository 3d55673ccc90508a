// Compiled with -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma -mf16c.
#define HEDDLE_ISA avx512
#define HEDDLE_SIMD "simd/avx512.h"
#include "kernels/table.inc"
