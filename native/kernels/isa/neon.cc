// AArch64 has NEON always: no flags.
#define HEDDLE_ISA neon
#define HEDDLE_SIMD "simd/neon.h"
#include "kernels/table.inc"
