// Conversions against arithmetic in double precision, and at the edges of each format.
#include "convert.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

namespace heddle {
namespace {

template <typename Out, typename In>
Out convertOne(FileDType from, In value, DType to) {
  Out out;
  EXPECT_EQ(convertElements(from, &value, to, &out, 1), -1);
  return out;
}

template <typename In>
bool fitsInt32(FileDType from, In value) {
  int32_t out;
  return convertElements(from, &value, DType::kInt32, &out, 1) == -1;
}

float halfValue(uint16_t bits) { return convertOne<float>(FileDType::kF16, bits, DType::kFloat32); }

uint32_t bitsOf(float value) {
  uint32_t bits;
  memcpy(&bits, &value, 4);
  return bits;
}

TEST(Convert, EveryHalfWidensToItsValue) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const int exponent = bits >> 10 & 31, fraction = bits & 1023;
    double expected =
        exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(fraction + 1024, exponent - 25);
    if (exponent == 31) expected = fraction == 0 ? INFINITY : NAN;
    if (bits & 0x8000) expected = -expected;
    const float found = halfValue(static_cast<uint16_t>(bits));
    if (std::isnan(expected)) {
      EXPECT_TRUE(std::isnan(found)) << bits;
    } else {
      EXPECT_EQ(bitsOf(found), bitsOf(static_cast<float>(expected))) << bits;
    }
  }
}

TEST(Convert, EveryHalfComesBack) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    if ((bits & 0x7c00) == 0x7c00 && (bits & 0x3ff)) continue;
    const float wide = halfValue(static_cast<uint16_t>(bits));
    EXPECT_EQ(convertOne<uint16_t>(FileDType::kF32, wide, DType::kFloat16), bits);
    EXPECT_EQ(convertOne<uint16_t>(FileDType::kF64, double{wide}, DType::kFloat16), bits);
  }
}

// Between two neighbours the nearer wins, and halfway the even one.
TEST(Convert, HalvesAreRoundedToTheNearestEven) {
  for (uint32_t bits = 0; bits < 0x7bff; ++bits) {
    const double low = halfValue(static_cast<uint16_t>(bits));
    const double high = halfValue(static_cast<uint16_t>(bits + 1));
    const double middle = (low + high) / 2;
    auto half = [](double value) {
      return convertOne<uint16_t>(FileDType::kF64, value, DType::kFloat16);
    };
    EXPECT_EQ(half(middle), bits + (bits & 1));
    EXPECT_EQ(half(std::nextafter(middle, 0.0)), bits);
    EXPECT_EQ(half(std::nextafter(middle, 1e9)), bits + 1);
  }
}

TEST(Convert, DoublesBecomeTheNearestFloat) {
  std::mt19937_64 random(3);
  for (int i = 0; i < 200000; ++i) {
    const uint64_t bits = random();
    double value;
    memcpy(&value, &bits, 8);
    if (i % 2) value = std::ldexp(value, -static_cast<int>(bits % 64));
    const float found = convertOne<float>(FileDType::kF64, value, DType::kFloat32);
    const float expected = static_cast<float>(value);
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(found));
    } else {
      EXPECT_EQ(bitsOf(found), bitsOf(expected)) << value;
    }
  }
}

TEST(Convert, FloatsAreRoundedToTheNearestBFloat16) {
  auto bfloat = [](float value) {
    return convertOne<uint16_t>(FileDType::kF32, value, DType::kBFloat16);
  };
  std::mt19937 random(5);
  for (int i = 0; i < 200000; ++i) {
    const uint32_t bits = random();
    float value;
    memcpy(&value, &bits, 4);
    if (std::isnan(value)) {
      EXPECT_EQ(bfloat(value) & 0x7fc0, 0x7fc0);
      continue;
    }
    EXPECT_EQ(bfloat(value), (bits + 0x7fff + (bits >> 16 & 1)) >> 16) << value;
  }
  EXPECT_EQ(bfloat(std::numeric_limits<float>::max()), 0x7f80);
}

TEST(Convert, OneRoundingOnly) {
  // Halfway between two bfloat16, and a little more than float32 can see.
  const double above = 1 + std::ldexp(1, -8) + std::ldexp(1, -40);
  EXPECT_EQ(convertOne<uint16_t>(FileDType::kF64, above, DType::kBFloat16), 0x3f81);
  const int64_t integer = (int64_t{1} << 62) + (int64_t{1} << 54) + 1;
  EXPECT_EQ(convertOne<uint16_t>(FileDType::kI64, integer, DType::kBFloat16), 0x5e81);
  EXPECT_EQ(convertOne<uint16_t>(FileDType::kI64, integer - 1, DType::kBFloat16), 0x5e80);
}

TEST(Convert, IntegersKeepTheirValues) {
  EXPECT_EQ(convertOne<float>(FileDType::kI64, INT64_MIN, DType::kFloat32), -0x1p63f);
  EXPECT_EQ(convertOne<float>(FileDType::kI32, int32_t{-7}, DType::kFloat32), -7.0f);
  EXPECT_EQ(convertOne<float>(FileDType::kI16, int16_t{-300}, DType::kFloat32), -300.0f);
  EXPECT_EQ(convertOne<float>(FileDType::kI8, int8_t{-128}, DType::kFloat32), -128.0f);
  EXPECT_EQ(convertOne<float>(FileDType::kU8, uint8_t{255}, DType::kFloat32), 255.0f);
  EXPECT_EQ(convertOne<int32_t>(FileDType::kBool, uint8_t{7}, DType::kInt32), 1);
  EXPECT_EQ(convertOne<int32_t>(FileDType::kI64, int64_t{INT32_MIN}, DType::kInt32), INT32_MIN);
  EXPECT_EQ(convertOne<int32_t>(FileDType::kF64, 2.5, DType::kInt32), 2);
  EXPECT_EQ(convertOne<int32_t>(FileDType::kF64, -3.5, DType::kInt32), -4);
  EXPECT_EQ(convertOne<int32_t>(FileDType::kF64, -2147483648.5, DType::kInt32), INT32_MIN);
}

TEST(Convert, WhatDoesNotFitInt32IsReported) {
  EXPECT_FALSE(fitsInt32(FileDType::kI64, int64_t{1} << 31));
  EXPECT_FALSE(fitsInt32(FileDType::kI64, INT64_MIN));
  EXPECT_FALSE(fitsInt32(FileDType::kF64, 2147483647.5));
  EXPECT_FALSE(fitsInt32(FileDType::kF64, 1e300));
  EXPECT_FALSE(fitsInt32(FileDType::kF32, NAN));
  EXPECT_FALSE(fitsInt32(FileDType::kF32, -INFINITY));
  EXPECT_TRUE(fitsInt32(FileDType::kF32, 1e-40f));
  const std::vector<int64_t> values = {1, 2, int64_t{1} << 40, 4};
  int32_t out[4];
  EXPECT_EQ(convertElements(FileDType::kI64, values.data(), DType::kInt32, out, 4), 2);
}

}  // namespace
}  // namespace heddle
