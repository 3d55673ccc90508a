// As neon, and -march=armv8.2-a+dotprod.
#define HEDDLE_ISA neondot
#define HEDDLE_SIMD "simd/neon.h"
#define HEDDLE_SDOT  // int8 weights are packed in groups of four, for sdot
#include "kernels/table.inc"
