#include "kernels/kv_pages.h"

#include "kernels/quantized.h"
#include "kernels/rows.h"

namespace heddle::HEDDLE_ISA {

// A cache as its State's tensor says it.
struct Pages {
  void* data;
  DType dtype;
  int64_t rows, heads, size;  // rows = pages·heads·64; size of a head
  bool transposed;            // keys

  int64_t row(int64_t slot, int64_t head) const {
    return (slot / kPagePositions * heads + head) * kPagePositions + slot % kPagePositions;
  }
  // Where element i of a row is, and how far apart its elements are.
  int64_t place(int64_t row) const {
    const int64_t block = row / kPagePositions * kPagePositions * size;
    return transposed ? block + row % kPagePositions : row * size;
  }
  int64_t stride() const { return transposed ? kPagePositions : 1; }
  float* scales() const {
    return reinterpret_cast<float*>(static_cast<int8_t*>(data) + int8ScalesAt(rows, size));
  }
};

static Pages pagesOf(const Tensor& state, int64_t heads, bool transposed) {
  return {state.data, state.dtype, state.dims[0], heads, state.dims[1], transposed};
}

static inline uint16_t bf16Bits(float x) {
  uint32_t bits;
  __builtin_memcpy(&bits, &x, sizeof(bits));
  return static_cast<uint16_t>(bits >> 16);
}

static inline float bf16Value(uint16_t half) {
  const uint32_t bits = static_cast<uint32_t>(half) << 16;
  float x;
  __builtin_memcpy(&x, &bits, sizeof(x));
  return x;
}

// Calls element(i, value) for x[i] as `change` makes it of whole vectors.
template <typename Change, typename Element>
static inline void eachChanged(const float* x, int64_t count, const Change& change,
                               const Element& element) {
  forEachVector(count, [&](int64_t i, int n) {
    alignas(kAlignment) float lanes[kLanes];
    store(lanes, change(loadUpTo(x + i, n)));
    for (int j = 0; j < n; j++) element(i + j, lanes[j]);
  });
}

// Symmetric, with the whole range: as weights (quantized.h), but for the limit on neighbours.
static void writeInt8(const Pages& pages, int64_t row, const float* x) {
  float largest = 0, spoilt = 0;
  for (int64_t i = 0; i < pages.size; i++) {
    const float magnitude = x[i] < 0 ? -x[i] : x[i];
    largest = magnitude > largest ? magnitude : largest;
    spoilt += x[i] * 0.0f;
  }
  largest += spoilt;
  const bool usable = largest >= kInt8Smallest;
  const F32 factor = broadcast(usable ? kInt8Limit / largest : 0.0f);
  pages.scales()[row] = usable ? largest / kInt8Limit : largest * 0.0f;
  int8_t* to = static_cast<int8_t*>(pages.data) + pages.place(row);
  const int64_t stride = pages.stride();
  if (!usable) {
    for (int64_t i = 0; i < pages.size; i++) to[i * stride] = 0;
    return;
  }
  eachChanged(
      x, pages.size, [&](F32 value) { return roundEven(mul(value, factor)); },
      [&](int64_t i, float value) { to[i * stride] = static_cast<int8_t>(value); });
}

static void writeRow(const Pages& pages, int64_t row, const float* x) {
  const int64_t stride = pages.stride(), place = pages.place(row);
  if (pages.dtype == DType::kInt8) {
    writeInt8(pages, row, x);
  } else if (pages.dtype == DType::kBFloat16) {
    uint16_t* to = static_cast<uint16_t*>(pages.data) + place;
    eachChanged(
        x, pages.size, [](F32 value) { return roundToBf16(value); },
        [&](int64_t i, float value) { to[i * stride] = bf16Bits(value); });
  } else {
    float* to = static_cast<float*>(pages.data) + place;
    for (int64_t i = 0; i < pages.size; i++) to[i * stride] = x[i];
  }
}

static void readRow(const Pages& pages, int64_t row, float* x) {
  const int64_t stride = pages.stride(), place = pages.place(row);
  for (int64_t i = 0; i < pages.size; i++) {
    const int64_t at = place + i * stride;
    if (pages.dtype == DType::kInt8) {
      x[i] = static_cast<float>(static_cast<const int8_t*>(pages.data)[at]) * pages.scales()[row];
    } else if (pages.dtype == DType::kBFloat16) {
      x[i] = bf16Value(static_cast<const uint16_t*>(pages.data)[at]);
    } else {
      x[i] = static_cast<const float*>(pages.data)[at];
    }
  }
}

// A cancelled run leaves its States as they were, so writing once begun is not given up half-way.
static void appendPages(const Call& call, int, int, Scratch) {
  const Tensor& source = call.inputs[0];
  const int32_t* slots = static_cast<const int32_t*>(call.inputs[1].data);
  const Pages pages = pagesOf(call.outputs[0], call.ints[0], call.ints[1] != 0);
  const int64_t rows = source.dims[0], width = pages.heads * pages.size;
  const int64_t chunk = divideUp(4096, width);
  for (int64_t begin; (begin = claim(call.work) * chunk) < rows;) {
    for (int64_t r = begin; r < smaller(begin + chunk, rows); r++) {
      const float* x = static_cast<const float*>(source.data) + r * width;
      for (int64_t g = 0; g < pages.heads; g++) {
        writeRow(pages, pages.row(slots[r], g), x + g * pages.size);
      }
    }
  }
}

static void copyPages(const Call& call, int, int, Scratch) {
  const int32_t* from = static_cast<const int32_t*>(call.inputs[0].data);
  const int32_t* to = static_cast<const int32_t*>(call.inputs[1].data);
  const Pages pages = pagesOf(call.outputs[0], call.ints[0], false);
  const int64_t rows = pages.heads * kPagePositions;
  const int64_t element = pages.dtype == DType::kFloat32 ? 4 : pages.dtype == DType::kInt8 ? 1 : 2;
  const int64_t bytes = rows * pages.size * element;
  for (int64_t i; (i = claim(call.work)) < call.inputs[0].dims[0];) {
    char* data = static_cast<char*>(pages.data);
    __builtin_memmove(data + to[i] * bytes, data + from[i] * bytes, static_cast<size_t>(bytes));
    if (pages.dtype != DType::kInt8) continue;
    float* scales = pages.scales();
    __builtin_memmove(scales + to[i] * rows, scales + from[i] * rows,
                      sizeof(float) * static_cast<size_t>(rows));
  }
}

static void readPages(const Call& call, int, int, Scratch) {
  const Pages pages = pagesOf(call.inputs[0], call.ints[0], call.ints[1] != 0);
  const int32_t* slots = static_cast<const int32_t*>(call.inputs[1].data);
  const int64_t width = pages.heads * pages.size;
  forEachRow(call, call.outputs[0].dims[0], width, [&](int64_t r) {
    float* x = static_cast<float*>(call.outputs[0].data) + r * width;
    for (int64_t g = 0; g < pages.heads; g++) {
      readRow(pages, pages.row(slots[r], g), x + g * pages.size);
    }
  });
}

}  // namespace heddle::HEDDLE_ISA
