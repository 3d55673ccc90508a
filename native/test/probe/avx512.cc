// Compiled as kernels/isa/avx512.cc.
#define HEDDLE_ISA avx512
#define HEDDLE_SIMD "simd/avx512.h"
#include "test/probe/probe.inc"
