// As avx2, and -mavxvnni.
#define HEDDLE_ISA avx2vnni
#define HEDDLE_SIMD "simd/avx2.h"
#define HEDDLE_VNNI  // int8 weights are packed in groups of four, for vpdpbusd
#include "kernels/table.inc"
