// The baseline: plain C, one lane. Compiled with -fno-tree-vectorize -fno-tree-slp-vectorize
// -ffp-contract=off, so that scalar means scalar.
#define HEDDLE_ISA scalar
#define HEDDLE_SIMD "simd/scalar.h"
#include "kernels/table.inc"
