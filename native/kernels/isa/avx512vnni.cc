// As avx512, and -mavx512vnni.
#define HEDDLE_ISA avx512vnni
#define HEDDLE_SIMD "simd/avx512.h"
#define HEDDLE_VNNI  // int8 weights are packed in groups of four, for vpdpbusd
#include "kernels/table.inc"
