// Compiled with -mavx2 -mfma -mf16c.
#define HEDDLE_ISA avx2
#define HEDDLE_SIMD "simd/avx2.h"
#include "kernels/table.inc"
