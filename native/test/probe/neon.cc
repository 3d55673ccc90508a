// Compiled as kernels/isa/neon.cc.
#define HEDDLE_ISA neon
#define HEDDLE_SIMD "simd/neon.h"
#include "test/probe/probe.inc"
