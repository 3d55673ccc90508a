#include "kernels/embedding.h"

#include "kernels/packing.h"
#include "kernels/quantized.h"
#include "kernels/rows.h"

namespace heddle::HEDDLE_ISA {

// n elements from `index` on, as float32.
template <DType kType>
static inline F32 loadAs(const void* data, int64_t index, int n) {
  if constexpr (kType == DType::kFloat32) {
    return loadUpTo(static_cast<const float*>(data) + index, n);
  } else if constexpr (kType == DType::kInt8) {
    const int8_t* p = static_cast<const int8_t*>(data) + index;
    return n == kLanes ? loadI8(p) : loadFirstI8(p, n);
  } else {
    const uint16_t* p = static_cast<const uint16_t*>(data) + index;
    if constexpr (kType == DType::kFloat16) return n == kLanes ? loadF16(p) : loadFirstF16(p, n);
    return n == kLanes ? loadBf16(p) : loadFirstBf16(p, n);
  }
}

template <DType kType>
static void gather(const Call& call) {
  const Tensor& table = call.inputs[0];
  const int32_t* ids = static_cast<const int32_t*>(call.inputs[1].data);
  const float* residual = static_cast<const float*>(call.inputs[2].data);
  float* out = static_cast<float*>(call.outputs[0].data);
  const float scale = static_cast<float>(call.floats[0]);
  const int64_t columns = table.dims[1];
  const float* rowScales = reinterpret_cast<const float*>(static_cast<const int8_t*>(table.data) +
                                                          int8ScalesAt(table.dims[0], columns));
  forEachRow(call, call.outputs[0].dims[0], columns, [&](int64_t r) {
    const int64_t source = ids[r] * columns;
    const int64_t target = r * columns;
    const F32 factor = broadcast(kType == DType::kInt8 ? rowScales[ids[r]] * scale : scale);
    forEachVector(columns, [&](int64_t i, int n) {
      const F32 base = residual ? loadUpTo(residual + target + i, n) : zero();
      storeUpTo(out + target + i, fma(loadAs<kType>(table.data, source + i, n), factor, base), n);
    });
  });
}

static void embedding(const Call& call, int, int, Scratch) {
  switch (call.inputs[0].dtype) {
    case DType::kFloat16:
      return gather<DType::kFloat16>(call);
    case DType::kBFloat16:
      return gather<DType::kBFloat16>(call);
    case DType::kInt8:
      return gather<DType::kInt8>(call);
    default:
      return gather<DType::kFloat32>(call);
  }
}

// Elements of a row that are brought side by side before they are widened.
constexpr int64_t kGathered = 64;

// A row of the table is a column of a panel there.
template <DType kType, class Element>
static void gatherPacked(const Call& call) {
  const PackedMatrix& table = *static_cast<const PackedMatrix*>(call.inputs[0].data);
  const int32_t* ids = static_cast<const int32_t*>(call.inputs[1].data);
  const float* residual = static_cast<const float*>(call.inputs[2].data);
  float* out = static_cast<float*>(call.outputs[0].data);
  const float scale = static_cast<float>(call.floats[0]);
  const int64_t columns = table.k, depth = groupDepth(kType);
  const int64_t panelSize = panelElements(kType, columns);
  forEachRow(call, call.outputs[0].dims[0], columns, [&](int64_t r) {
    const Element* panel = static_cast<const Element*>(table.data) + ids[r] / kPanel * panelSize;
    const float rowScale = kType == DType::kInt8 ? partsOfInt8(table).scales[ids[r]] : 1.0f;
    const F32 factor = broadcast(rowScale * scale);
    for (int64_t first = 0; first < columns; first += kGathered) {
      const int64_t count = smaller(kGathered, columns - first);
      const int64_t target = r * columns + first;
      Element gathered[kGathered];
      for (int64_t i = 0; i < count; i++) {
        gathered[i] = panel[placeInPanel(depth, first + i, ids[r] % kPanel)];
      }
      forEachVector(count, [&](int64_t i, int n) {
        const F32 base = residual ? loadUpTo(residual + target + i, n) : zero();
        storeUpTo(out + target + i, fma(loadAs<kType>(gathered, i, n), factor, base), n);
      });
    }
  });
}

static void embeddingPacked(const Call& call, int, int, Scratch) {
  switch (static_cast<const PackedMatrix*>(call.inputs[0].data)->dtype) {
    case DType::kFloat16:
      return gatherPacked<DType::kFloat16, uint16_t>(call);
    case DType::kBFloat16:
      return gatherPacked<DType::kBFloat16, uint16_t>(call);
    case DType::kInt8:
      return gatherPacked<DType::kInt8, int8_t>(call);
    default:
      return gatherPacked<DType::kFloat32, float>(call);
  }
}

// Every work item looks through all ids, so there are few of them.
constexpr int64_t kEntryItems = 64;

static void embeddingGradient(const Call& call, int, int, Scratch) {
  const Tensor& gradient = call.inputs[0];
  const int32_t* ids = static_cast<const int32_t*>(call.inputs[1].data);
  const int64_t rows = gradient.dims[0], columns = gradient.dims[1];
  const int64_t entries = call.outputs[0].dims[0];
  const int64_t share = divideUp(entries, kEntryItems);
  const F32 scale = broadcast(static_cast<float>(call.floats[0]));
  while (!isCancelled(call)) {
    const int64_t first = claim(call.work) * share;
    if (first >= entries) return;
    const int64_t end = smaller(first + share, entries);
    float* table = static_cast<float*>(call.outputs[0].data);
    __builtin_memset(table + first * columns, 0,
                     sizeof(float) * static_cast<size_t>((end - first) * columns));
    for (int64_t r = 0; r < rows; r++) {
      if (ids[r] < first || ids[r] >= end) continue;
      const float* from = static_cast<const float*>(gradient.data) + r * columns;
      float* to = table + ids[r] * columns;
      forEachVector(columns, [&](int64_t i, int n) {
        storeUpTo(to + i, fma(loadUpTo(from + i, n), scale, loadUpTo(to + i, n)), n);
      });
    }
  }
}

}  // namespace heddle::HEDDLE_ISA
