// NEON of AArch64: four lanes, thirty-two registers. An ISA that also has the dot product of
// Armv8.2 defines HEDDLE_SDOT.
#pragma once

#include <arm_neon.h>

namespace heddle::HEDDLE_ISA {

using F32 = float32x4_t;
using Mask = uint32x4_t;  // a lane is all ones or all zeros

constexpr int kLanes = 4;
constexpr int kTileRows = 6;
constexpr int kTileVectors = 4;
constexpr int kAttentionRows = 6;
constexpr int kAttentionVectors = 4;

HEDDLE_INLINE F32 zero() { return vdupq_n_f32(0.0f); }
HEDDLE_INLINE F32 broadcast(float x) { return vdupq_n_f32(x); }
HEDDLE_INLINE F32 iota() {
  const float lanes[4] = {0, 1, 2, 3};
  return vld1q_f32(lanes);
}
HEDDLE_INLINE F32 load(const float* p) { return vld1q_f32(p); }
HEDDLE_INLINE void store(float* p, F32 x) { vst1q_f32(p, x); }

// NEON has no masked access: the first n elements pass through a full buffer.
HEDDLE_INLINE F32 loadFirst(const float* p, int n) {
  float lanes[kLanes] = {};
  for (int i = 0; i < n; i++) lanes[i] = p[i];
  return vld1q_f32(lanes);
}
HEDDLE_INLINE void storeFirst(float* p, F32 x, int n) {
  float lanes[kLanes];
  vst1q_f32(lanes, x);
  for (int i = 0; i < n; i++) p[i] = lanes[i];
}

HEDDLE_INLINE Mask less(F32 a, F32 b) { return vcltq_f32(a, b); }
HEDDLE_INLINE Mask lessEqual(F32 a, F32 b) { return vcleq_f32(a, b); }
HEDDLE_INLINE Mask equal(F32 a, F32 b) { return vceqq_f32(a, b); }
HEDDLE_INLINE Mask isNan(F32 x) { return vmvnq_u32(vceqq_f32(x, x)); }
HEDDLE_INLINE F32 select(Mask mask, F32 whenTrue, F32 whenFalse) {
  return vbslq_f32(mask, whenTrue, whenFalse);
}

HEDDLE_INLINE F32 add(F32 a, F32 b) { return vaddq_f32(a, b); }
HEDDLE_INLINE F32 sub(F32 a, F32 b) { return vsubq_f32(a, b); }
HEDDLE_INLINE F32 mul(F32 a, F32 b) { return vmulq_f32(a, b); }
HEDDLE_INLINE F32 div(F32 a, F32 b) { return vdivq_f32(a, b); }
// Not vminq and vmaxq, which give NaN where either operand is NaN; the other sets give `b`.
HEDDLE_INLINE F32 min(F32 a, F32 b) { return select(less(a, b), a, b); }
HEDDLE_INLINE F32 max(F32 a, F32 b) { return select(less(b, a), a, b); }
HEDDLE_INLINE F32 fma(F32 a, F32 b, F32 c) { return vfmaq_f32(c, a, b); }
HEDDLE_INLINE F32 fnma(F32 a, F32 b, F32 c) { return vfmsq_f32(c, a, b); }
HEDDLE_INLINE F32 neg(F32 x) { return vnegq_f32(x); }
HEDDLE_INLINE F32 abs(F32 x) { return vabsq_f32(x); }
HEDDLE_INLINE F32 sqrt(F32 x) { return vsqrtq_f32(x); }
HEDDLE_INLINE F32 roundEven(F32 x) { return vrndnq_f32(x); }

HEDDLE_INLINE F32 scaleByPowerOfTwo(F32 x, F32 n) {
  const F32 bounded = min(max(n, broadcast(-252.0f)), broadcast(254.0f));
  const int32x4_t whole = vcvtq_s32_f32(bounded);
  const int32x4_t half = vshrq_n_s32(whole, 1);
  const int32x4_t bias = vdupq_n_s32(127);
  const int32x4_t first = vshlq_n_s32(vaddq_s32(half, bias), 23);
  const int32x4_t second = vshlq_n_s32(vaddq_s32(vsubq_s32(whole, half), bias), 23);
  return mul(mul(x, vreinterpretq_f32_s32(first)), vreinterpretq_f32_s32(second));
}

HEDDLE_INLINE F32 powerOfTwo(F32 shifted) {
  return vreinterpretq_f32_s32(vshlq_n_s32(vreinterpretq_s32_f32(shifted), 23));
}

// Halves, then neighbours.
HEDDLE_INLINE float sum(F32 x) {
  const float32x2_t half = vadd_f32(vget_low_f32(x), vget_high_f32(x));
  return vget_lane_f32(half, 0) + vget_lane_f32(half, 1);
}
HEDDLE_INLINE float maximum(F32 x) { return vmaxvq_f32(x); }

HEDDLE_INLINE uint16x4_t loadFirst16(const uint16_t* p, int n) {
  uint16_t lanes[kLanes] = {};
  for (int i = 0; i < n; i++) lanes[i] = p[i];
  return vld1_u16(lanes);
}

HEDDLE_INLINE F32 widenBf16(uint16x4_t bits) {
  return vreinterpretq_f32_u32(vshll_n_u16(bits, 16));
}
HEDDLE_INLINE F32 widenF16(uint16x4_t bits) { return vcvt_f32_f16(vreinterpret_f16_u16(bits)); }

HEDDLE_INLINE F32 loadBf16(const uint16_t* p) { return widenBf16(vld1_u16(p)); }
HEDDLE_INLINE F32 loadF16(const uint16_t* p) { return widenF16(vld1_u16(p)); }
HEDDLE_INLINE F32 loadFirstBf16(const uint16_t* p, int n) { return widenBf16(loadFirst16(p, n)); }
HEDDLE_INLINE F32 loadFirstF16(const uint16_t* p, int n) { return widenF16(loadFirst16(p, n)); }

HEDDLE_INLINE F32 roundToBf16(F32 x) {
  const uint32x4_t bits = vreinterpretq_u32_f32(x);
  const uint32x4_t odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
  const uint32x4_t rounded = vaddq_u32(bits, vaddq_u32(odd, vdupq_n_u32(0x7fff)));
  const uint32x4_t quiet = vorrq_u32(bits, vdupq_n_u32(0x400000));
  const uint32x4_t kept = vbslq_u32(isNan(x), quiet, rounded);
  return vreinterpretq_f32_u32(vandq_u32(kept, vdupq_n_u32(0xffff0000)));
}

using I32 = int32x4_t;

HEDDLE_INLINE I32 zeroI32() { return vdupq_n_s32(0); }
HEDDLE_INLINE I32 loadI32(const int32_t* p) { return vld1q_s32(p); }
HEDDLE_INLINE I32 loadFirstI32(const int32_t* p, int n) {
  int32_t lanes[kLanes] = {};
  for (int i = 0; i < n; i++) lanes[i] = p[i];
  return vld1q_s32(lanes);
}
HEDDLE_INLINE void storeI32(int32_t* p, I32 x) { vst1q_s32(p, x); }
HEDDLE_INLINE I32 subI32(I32 a, I32 b) { return vsubq_s32(a, b); }
HEDDLE_INLINE I32 broadcastI32(int32_t x) { return vdupq_n_s32(x); }
HEDDLE_INLINE I32 mulI32(I32 a, I32 b) { return vmulq_s32(a, b); }
HEDDLE_INLINE F32 toFloat(I32 x) { return vcvtq_f32_s32(x); }

HEDDLE_INLINE int16x4_t loadI8AsI16(const int8_t* p) {
  int32_t group;
  __builtin_memcpy(&group, p, sizeof(group));
  return vget_low_s16(vmovl_s8(vreinterpret_s8_s32(vdup_n_s32(group))));
}
HEDDLE_INLINE F32 loadI8(const int8_t* p) { return toFloat(vmovl_s16(loadI8AsI16(p))); }
HEDDLE_INLINE F32 loadFirstI8(const int8_t* p, int n) {
  int8_t lanes[kLanes] = {};
  for (int i = 0; i < n; i++) lanes[i] = p[i];
  return loadI8(lanes);
}
HEDDLE_INLINE void storeBytes(uint8_t* p, F32 x) {
  const int16x4_t words = vmovn_s32(vcvtnq_s32_f32(x));
  const int8x8_t bytes = vmovn_s16(vcombine_s16(words, words));
  const int32_t group = vget_lane_s32(vreinterpret_s32_s8(bytes), 0);
  __builtin_memcpy(p, &group, sizeof(group));
}
HEDDLE_INLINE void storeFirstBytes(uint8_t* p, F32 x, int n) {
  uint8_t lanes[kLanes];
  storeBytes(lanes, x);
  for (int i = 0; i < n; i++) p[i] = lanes[i];
}

using DotInput = int8_t;
constexpr int kDotOffset = 0;
#ifdef HEDDLE_SDOT
constexpr int kDotDepth = 4;
HEDDLE_INLINE int8x16_t dotWeights(const int8_t* p) { return vld1q_s8(p); }
HEDDLE_INLINE int8x16_t dotInput(const DotInput* p) {
  int32_t group;
  __builtin_memcpy(&group, p, sizeof(group));
  return vreinterpretq_s8_s32(vdupq_n_s32(group));
}
HEDDLE_INLINE I32 dot(I32 sum, int8x16_t x, int8x16_t w) { return vdotq_s32(sum, x, w); }
#else
constexpr int kDotDepth = 1;
HEDDLE_INLINE int16x4_t dotWeights(const int8_t* p) { return loadI8AsI16(p); }
HEDDLE_INLINE int16x4_t dotInput(const DotInput* p) { return vdup_n_s16(*p); }
HEDDLE_INLINE I32 dot(I32 sum, int16x4_t x, int16x4_t w) { return vmlal_s16(sum, x, w); }
#endif

HEDDLE_INLINE uint8x16_t loadNibbles(const uint8_t* p) { return vld1q_u8(p); }
HEDDLE_INLINE int8x16_t lowNibbles(uint8x16_t x) {
  return vreinterpretq_s8_u8(vandq_u8(x, vdupq_n_u8(15)));
}
HEDDLE_INLINE int8x16_t highNibbles(uint8x16_t x) { return vreinterpretq_s8_u8(vshrq_n_u8(x, 4)); }
HEDDLE_INLINE int8x16_t blockInput(const int8_t* p) {
  int32_t group;
  __builtin_memcpy(&group, p, sizeof(group));
  return vreinterpretq_s8_s32(vdupq_n_s32(group));
}
#ifdef HEDDLE_SDOT
using BlockSum = int32x4_t;
HEDDLE_INLINE BlockSum zeroBlockSum() { return zeroI32(); }
HEDDLE_INLINE BlockSum dotBlock(BlockSum sum, int8x16_t x, int8x16_t w) {
  return vdotq_s32(sum, x, w);
}
HEDDLE_INLINE I32 totalOf(BlockSum sum) { return sum; }
#else
// Sixteen products of 15·127 fit 16 bits.
using BlockSum = int16x8_t;
HEDDLE_INLINE BlockSum zeroBlockSum() { return vdupq_n_s16(0); }
HEDDLE_INLINE BlockSum dotBlock(BlockSum sum, int8x16_t x, int8x16_t w) {
  const int16x8_t low = vmull_s8(vget_low_s8(x), vget_low_s8(w));
  return vaddq_s16(sum, vpaddq_s16(low, vmull_high_s8(x, w)));
}
HEDDLE_INLINE I32 totalOf(BlockSum sum) { return vpaddlq_s16(sum); }
#endif

HEDDLE_INLINE void transposeBlock(const float* source, int64_t sourceStride, float* target,
                                  int64_t targetStride) {
  const float32x4x2_t even = vtrnq_f32(load(source), load(source + sourceStride));
  const float32x4x2_t odd =
      vtrnq_f32(load(source + 2 * sourceStride), load(source + 3 * sourceStride));
  for (int i = 0; i < 2; i++) {
    store(target + i * targetStride,
          vcombine_f32(vget_low_f32(even.val[i]), vget_low_f32(odd.val[i])));
    store(target + (i + 2) * targetStride,
          vcombine_f32(vget_high_f32(even.val[i]), vget_high_f32(odd.val[i])));
  }
}

HEDDLE_INLINE void prefetch(const void* p) { __builtin_prefetch(p); }
HEDDLE_INLINE void prefetchFar(const void* p) { __builtin_prefetch(p, 0, 2); }

}  // namespace heddle::HEDDLE_ISA
