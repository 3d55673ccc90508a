#include "quantize_int8.h"

#include <math.h>
#include <string.h>

#include "kernels/quantized.h"

namespace heddle {
namespace {

// A tenth apart: between two of them, the least error changes by less than that of its square.
constexpr float kLimits[] = {127, 116, 106, 97, 88, 80, 72, 64};

// Columns that are rounded together, in pairs.
constexpr int kPairs = 8;
constexpr int kGroup = 2 * kPairs;

// max |x|, NaN where an element is NaN or infinite.
float largestOf(const float* row, int64_t count) {
  float largest = 0;
  float spoilt = 0;  // stays 0 as long as every element is finite
  for (int64_t i = 0; i < count; ++i) {
    const float magnitude = fabsf(row[i]);
    if (magnitude > largest) largest = magnitude;
    spoilt += row[i] * 0.0f;
  }
  return largest + spoilt;
}

// To the nearest, ties to even, for |x| < 2^22; unlike nearbyintf, compilers vectorise it.
float roundEven(float x) {
  constexpr float kShift = 0x1.8p23f;
  return x + kShift - kShift;
}

// What rounding at one limit costs: sums over every eighth pair, in the order of the row.
struct Cost {
  float squares[kPairs];  // of the differences, in steps
  float clipped[kPairs];  // of what pairs were beyond their limit
};

void roundGroup(const float* x, float factor, float* values, Cost* cost) {
  for (int p = 0; p < kPairs; ++p) {
    const float a = x[2 * p] * factor, b = x[2 * p + 1] * factor;
    const float left = roundEven(a), right = roundEven(b), both = left + right;
    const float most = both > kInt8PairLimit ? kInt8PairLimit : both;
    const float beyond = both - (most < -kInt8PairLimit ? -kInt8PairLimit : most);
    const float half = roundEven(beyond * 0.5f);
    values[2 * p] = left - half;
    values[2 * p + 1] = right - (beyond - half);
    const float leftError = values[2 * p] - a, rightError = values[2 * p + 1] - b;
    cost->squares[p] += leftError * leftError + rightError * rightError;
    cost->clipped[p] += beyond * beyond;
  }
}

// Calls group(first column, kGroup values, how many of them are the row's).
template <class Group>
void forEachGroup(const float* row, int64_t count, const Group& group) {
  int64_t i = 0;
  for (; i + kGroup <= count; i += kGroup) group(i, row + i, kGroup);
  if (i == count) return;
  float last[kGroup] = {};
  memcpy(last, row + i, sizeof(float) * static_cast<size_t>(count - i));
  group(i, last, static_cast<int>(count - i));
}

float sumOf(const float* lanes) {
  float sum = 0;
  for (int p = 0; p < kPairs; ++p) sum += lanes[p];
  return sum;
}

float bestLimit(const float* row, int64_t count, float largest) {
  float best = kLimits[0], least = 0;
  for (const float limit : kLimits) {
    Cost cost = {};
    float values[kGroup];
    const float factor = limit / largest;
    forEachGroup(row, count,
                 [&](int64_t, const float* x, int) { roundGroup(x, factor, values, &cost); });
    const float error = sumOf(cost.squares) / (limit * limit);
    if (limit == kLimits[0] || error < least) {
      least = error;
      best = limit;
    }
    if (sumOf(cost.clipped) == 0) break;  // smaller limits have coarser steps and nothing to gain
  }
  return best;
}

}  // namespace

float quantizeInt8Row(const float* row, int64_t columns, int8_t* values) {
  const float largest = largestOf(row, columns);
  if (!(largest >= kInt8Smallest)) {
    memset(values, 0, static_cast<size_t>(columns));
    return largest * 0.0f;
  }
  const float limit = bestLimit(row, columns, largest);
  const float factor = limit / largest;
  Cost cost = {};
  forEachGroup(row, columns, [&](int64_t first, const float* x, int some) {
    float rounded[kGroup];
    roundGroup(x, factor, rounded, &cost);
    for (int i = 0; i < some; ++i) values[first + i] = static_cast<int8_t>(rounded[i]);
  });
  return largest / limit;
}

void dequantizeInt8Row(const int8_t* values, float scale, int64_t columns, float* row) {
  for (int64_t c = 0; c < columns; ++c) row[c] = static_cast<float>(values[c]) * scale;
}

}  // namespace heddle
