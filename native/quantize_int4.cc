#include "quantize_int4.h"

#include <math.h>
#include <string.h>

#include "convert.h"

namespace heddle {
namespace {

constexpr int kFits = 2;  // a third gains less than a hundredth of the error

uint16_t halfOf(double value) {
  const float rounded = static_cast<float>(value);
  uint16_t bits;
  convertElements(FileDType::kF32, &rounded, DType::kFloat16, &bits, 1);
  return bits;
}

double fromHalf(uint16_t bits) {
  float value;
  convertElements(FileDType::kF16, &bits, DType::kFloat32, &value, 1);
  return value;
}

// One block on its way: weights as they are, values as they stand now.
struct Fit {
  double weights[kBlockValues];
  int values[kBlockValues];
  int count;
  uint16_t scaleBits, minimumBits;
};

// Takes a range, rounded to float16, and the values that are nearest to the weights in it.
void choose(Fit* fit, double scale, double minimum) {
  fit->scaleBits = halfOf(scale);
  fit->minimumBits = halfOf(minimum);
  const double step = fromHalf(fit->scaleBits), least = fromHalf(fit->minimumBits);
  const double factor = step > 0 && step < HUGE_VAL ? 1 / step : 0;
  for (int i = 0; i < fit->count; ++i) {
    // Not so where weight or minimum is no finite number: then 0.
    const double value = nearbyint((fit->weights[i] - least) * factor);
    fit->values[i] = value > 0 ? (value < 15 ? static_cast<int>(value) : 15) : 0;
  }
}

// The line through (value, weight) of the least squared error; false where all values are one.
bool fitLine(const Fit& fit, double* scale, double* minimum) {
  int values = 0, squares = 0;
  double weights = 0, products = 0;
  for (int i = 0; i < fit.count; ++i) {
    values += fit.values[i];
    squares += fit.values[i] * fit.values[i];
    weights += fit.weights[i];
    products += fit.values[i] * fit.weights[i];
  }
  const int spread = fit.count * squares - values * values;
  if (spread == 0) return false;
  *scale = (fit.count * products - values * weights) / spread;
  *minimum = (weights - *scale * values) / fit.count;
  return true;
}

bool isFinite(uint16_t half) { return (half & 0x7c00) != 0x7c00; }

void quantizeBlock(Fit* fit, Int4Block* block) {
  double low = fit->weights[0], high = low, spoilt = 0;
  for (int i = 0; i < fit->count; ++i) {
    low = fit->weights[i] < low ? fit->weights[i] : low;
    high = fit->weights[i] > high ? fit->weights[i] : high;
    spoilt += fit->weights[i] * 0;  // NaN where one is NaN or infinite
  }
  choose(fit, (high - low) / 15 + spoilt, low + spoilt);
  double scale, minimum;
  for (int n = 0; n < kFits && fitLine(*fit, &scale, &minimum); ++n) choose(fit, scale, minimum);
  memset(block, 0, sizeof *block);
  if (!isFinite(fit->scaleBits) || !isFinite(fit->minimumBits)) {
    block->scale = block->minimum = 0x7e00;  // NaN
    return;
  }
  block->scale = fit->scaleBits;
  block->minimum = fit->minimumBits;
  for (int i = 0; i < fit->count; ++i) {
    block->values[i % 16] |= static_cast<uint8_t>(fit->values[i] << (i < 16 ? 0 : 4));
  }
}

}  // namespace

void quantizeInt4Row(const float* row, int64_t columns, int64_t stride, Int4Block* blocks) {
  for (int64_t begin = 0; begin < columns; begin += kBlockValues) {
    Fit fit = {};
    fit.count = static_cast<int>(columns - begin < kBlockValues ? columns - begin : kBlockValues);
    for (int i = 0; i < fit.count; ++i) {
      fit.weights[i] = static_cast<double>(row[(begin + i) * stride]);
    }
    quantizeBlock(&fit, blocks + begin / kBlockValues);
  }
}

void dequantizeInt4Row(const Int4Block* blocks, int64_t columns, float* row) {
  for (int64_t i = 0; i < columns; ++i) {
    const Int4Block& block = blocks[i / kBlockValues];
    const double scale = fromHalf(block.scale), minimum = fromHalf(block.minimum);
    row[i] = static_cast<float>(int4Value(block, i % kBlockValues) * scale + minimum);
  }
}

}  // namespace heddle
