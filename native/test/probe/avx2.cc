// Compiled as kernels/isa/avx2.cc.
#define HEDDLE_ISA avx2
#define HEDDLE_SIMD "simd/avx2.h"
#include "test/probe/probe.inc"
