// One lane, plain C: for CPUs with none of the other sets, and the plainest form to test them
// against. `fma` rounds twice here. Compiled without auto-vectorisation and without contraction.
#pragma once

namespace heddle::HEDDLE_ISA {

using F32 = float;
using Mask = bool;

constexpr int kLanes = 1;
constexpr int kTileRows = 4;
constexpr int kTileVectors = 4;
constexpr int kAttentionRows = 4;
constexpr int kAttentionVectors = 4;

HEDDLE_INLINE uint32_t bitsOf(float x) {
  uint32_t bits;
  __builtin_memcpy(&bits, &x, sizeof(bits));
  return bits;
}

HEDDLE_INLINE float fromBits(uint32_t bits) {
  float x;
  __builtin_memcpy(&x, &bits, sizeof(x));
  return x;
}

HEDDLE_INLINE F32 zero() { return 0.0f; }
HEDDLE_INLINE F32 broadcast(float x) { return x; }
HEDDLE_INLINE F32 iota() { return 0.0f; }
HEDDLE_INLINE F32 load(const float* p) { return *p; }
HEDDLE_INLINE void store(float* p, F32 x) { *p = x; }
HEDDLE_INLINE F32 loadFirst(const float* p, int n) { return n > 0 ? *p : 0.0f; }
HEDDLE_INLINE void storeFirst(float* p, F32 x, int n) {
  if (n > 0) *p = x;
}

HEDDLE_INLINE F32 add(F32 a, F32 b) { return a + b; }
HEDDLE_INLINE F32 sub(F32 a, F32 b) { return a - b; }
HEDDLE_INLINE F32 mul(F32 a, F32 b) { return a * b; }
HEDDLE_INLINE F32 div(F32 a, F32 b) { return a / b; }
HEDDLE_INLINE F32 min(F32 a, F32 b) { return a < b ? a : b; }
HEDDLE_INLINE F32 max(F32 a, F32 b) { return a > b ? a : b; }
HEDDLE_INLINE F32 fma(F32 a, F32 b, F32 c) { return a * b + c; }
HEDDLE_INLINE F32 fnma(F32 a, F32 b, F32 c) { return c - a * b; }
HEDDLE_INLINE F32 neg(F32 x) { return -x; }
HEDDLE_INLINE F32 abs(F32 x) { return __builtin_fabsf(x); }
HEDDLE_INLINE F32 sqrt(F32 x) { return __builtin_sqrtf(x); }

// Adding 2^23 pushes the fraction out of the significand, in the rounding mode in force.
HEDDLE_INLINE F32 roundEven(F32 x) {
  const float magnitude = __builtin_fabsf(x);
  const float rounded = magnitude < 8388608.0f ? (magnitude + 8388608.0f) - 8388608.0f : magnitude;
  return __builtin_copysignf(rounded, x);
}

HEDDLE_INLINE F32 scaleByPowerOfTwo(F32 x, F32 n) {
  const int whole = static_cast<int>(min(max(n, -252.0f), 254.0f));
  const int half = whole >> 1;
  const float first = fromBits(static_cast<uint32_t>(half + 127) << 23);
  const float second = fromBits(static_cast<uint32_t>(whole - half + 127) << 23);
  return x * first * second;
}

HEDDLE_INLINE F32 powerOfTwo(F32 shifted) { return fromBits(bitsOf(shifted) << 23); }

HEDDLE_INLINE Mask less(F32 a, F32 b) { return a < b; }
HEDDLE_INLINE Mask lessEqual(F32 a, F32 b) { return a <= b; }
HEDDLE_INLINE Mask equal(F32 a, F32 b) { return a == b; }
HEDDLE_INLINE Mask isNan(F32 x) { return x != x; }
HEDDLE_INLINE F32 select(Mask mask, F32 whenTrue, F32 whenFalse) {
  return mask ? whenTrue : whenFalse;
}

HEDDLE_INLINE float sum(F32 x) { return x; }
HEDDLE_INLINE float maximum(F32 x) { return x; }

HEDDLE_INLINE F32 loadBf16(const uint16_t* p) { return fromBits(static_cast<uint32_t>(*p) << 16); }

// Shifts exponent and significand into place, then repairs the bias by a multiplication, which also
// normalises subnormal halves.
HEDDLE_INLINE F32 loadF16(const uint16_t* p) {
  const uint32_t sign = static_cast<uint32_t>(*p & 0x8000) << 16;
  const uint32_t magnitude = static_cast<uint32_t>(*p & 0x7fff) << 13;
  const bool finite = magnitude < (0x7c00u << 13);
  const float value = fromBits(magnitude) * 0x1p112f;
  return fromBits((finite ? bitsOf(value) : magnitude | 0x7f800000u) | sign);
}

HEDDLE_INLINE F32 loadFirstBf16(const uint16_t* p, int n) { return n > 0 ? loadBf16(p) : 0.0f; }
HEDDLE_INLINE F32 loadFirstF16(const uint16_t* p, int n) { return n > 0 ? loadF16(p) : 0.0f; }

HEDDLE_INLINE F32 roundToBf16(F32 x) {
  const uint32_t bits = bitsOf(x);
  const uint32_t rounded = bits + 0x7fff + ((bits >> 16) & 1);
  return fromBits((x != x ? bits | 0x400000u : rounded) & 0xffff0000u);
}

using I32 = int32_t;

HEDDLE_INLINE I32 zeroI32() { return 0; }
HEDDLE_INLINE I32 loadI32(const int32_t* p) { return *p; }
HEDDLE_INLINE I32 loadFirstI32(const int32_t* p, int n) { return n > 0 ? *p : 0; }
HEDDLE_INLINE void storeI32(int32_t* p, I32 x) { *p = x; }
HEDDLE_INLINE I32 subI32(I32 a, I32 b) {
  return static_cast<int32_t>(static_cast<uint32_t>(a) - static_cast<uint32_t>(b));
}
HEDDLE_INLINE I32 broadcastI32(int32_t x) { return x; }
HEDDLE_INLINE I32 mulI32(I32 a, I32 b) {
  return static_cast<int32_t>(static_cast<uint32_t>(a) * static_cast<uint32_t>(b));
}
HEDDLE_INLINE F32 toFloat(I32 x) { return static_cast<float>(x); }

HEDDLE_INLINE F32 loadI8(const int8_t* p) { return static_cast<float>(*p); }
HEDDLE_INLINE F32 loadFirstI8(const int8_t* p, int n) { return n > 0 ? loadI8(p) : 0.0f; }
HEDDLE_INLINE void storeBytes(uint8_t* p, F32 x) {
  *p = static_cast<uint8_t>(static_cast<int32_t>(x));
}
HEDDLE_INLINE void storeFirstBytes(uint8_t* p, F32 x, int n) {
  if (n > 0) storeBytes(p, x);
}

using DotInput = int8_t;
constexpr int kDotDepth = 1;
constexpr int kDotOffset = 0;
HEDDLE_INLINE I32 dotWeights(const int8_t* p) { return *p; }
HEDDLE_INLINE I32 dotInput(const DotInput* p) { return *p; }
HEDDLE_INLINE I32 dot(I32 sum, I32 x, I32 w) { return sum + x * w; }

// Four bytes.
HEDDLE_INLINE uint32_t loadNibbles(const uint8_t* p) {
  uint32_t bytes;
  __builtin_memcpy(&bytes, p, sizeof(bytes));
  return bytes;
}
HEDDLE_INLINE uint32_t lowNibbles(uint32_t x) { return x & 0x0f0f0f0fu; }
HEDDLE_INLINE uint32_t highNibbles(uint32_t x) { return lowNibbles(x >> 4); }
HEDDLE_INLINE uint32_t blockInput(const int8_t* p) {
  uint32_t bytes;
  __builtin_memcpy(&bytes, p, sizeof(bytes));
  return bytes;
}
using BlockSum = int32_t;
HEDDLE_INLINE BlockSum zeroBlockSum() { return 0; }
HEDDLE_INLINE BlockSum dotBlock(BlockSum sum, uint32_t x, uint32_t w) {
  for (int shift = 0; shift < 32; shift += 8) {
    sum += static_cast<int8_t>(x >> shift & 0xff) * static_cast<int32_t>(w >> shift & 0xff);
  }
  return sum;
}
HEDDLE_INLINE I32 totalOf(BlockSum sum) { return sum; }

HEDDLE_INLINE void transposeBlock(const float* source, int64_t, float* target, int64_t) {
  *target = *source;
}

HEDDLE_INLINE void prefetch(const void* p) { __builtin_prefetch(p); }
HEDDLE_INLINE void prefetchFar(const void* p) { __builtin_prefetch(p, 0, 2); }

}  // namespace heddle::HEDDLE_ISA
