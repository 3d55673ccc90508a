// The vector vocabulary and the elementary functions of one instruction set behind plain function
// pointers, so that tests compiled for any CPU can call them.
#pragma once

#include <stdint.h>

namespace heddle {

struct ProbeFunction {
  const char* name;
  // y[i] = f(a[i], b[i], c[i]); a function of fewer arguments ignores the others.
  void (*run)(const float* a, const float* b, const float* c, float* y, int64_t count);
};

struct Probe {
  const char* isa;
  int lanes;
  const ProbeFunction* functions;
  int functionCount;
  // One register: its first n lanes loaded, all of its lanes stored.
  void (*loadFirst)(const float* from, int n, float* lanes);
  void (*loadFirstI32)(const int32_t* from, int n, float* lanes);
  void (*loadFirstBf16)(const uint16_t* from, int n, float* lanes);
  void (*loadFirstF16)(const uint16_t* from, int n, float* lanes);
  void (*loadI32)(const int32_t* from, float* lanes);
  void (*loadBf16)(const uint16_t* from, float* lanes);
  void (*loadF16)(const uint16_t* from, float* lanes);
  void (*iota)(float* lanes);
  float (*sum)(const float* lanes);
  float (*maximum)(const float* lanes);
  void (*transpose)(const float* source, int64_t sourceStride, float* target, int64_t targetStride,
                    int rows, int cols);
};

namespace scalar {
const Probe& probe();
}
namespace avx2 {
const Probe& probe();
}
namespace avx512 {
const Probe& probe();
}
namespace neon {
const Probe& probe();
}

}  // namespace heddle
