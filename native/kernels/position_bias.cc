#include "kernels/position_bias.h"

#include "kernels/tile.h"

namespace heddle::HEDDLE_ISA {

static int64_t relativeBucket(int64_t distance, int64_t buckets, bool bidirectional,
                              int64_t maxDistance) {
  int64_t first = 0;
  int64_t apart = distance < 0 ? -distance : 0;
  if (bidirectional) {
    buckets /= 2;
    first = distance > 0 ? buckets : 0;
    apart = distance < 0 ? -distance : distance;
  }
  const int64_t exact = buckets / 2;
  const int64_t last = buckets > 0 ? buckets - 1 : 0;
  if (apart < exact) return first + apart;
  if (exact == 0 || maxDistance <= exact) return first + last;
  const float ratio = __builtin_logf(static_cast<float>(apart) / static_cast<float>(exact)) /
                      static_cast<float>(__builtin_log(static_cast<double>(maxDistance) /
                                                       static_cast<double>(exact)));
  const int64_t bucket = exact + static_cast<int64_t>(ratio * static_cast<float>(buckets - exact));
  return first + smaller(bucket, last);
}

static void relativeBias(const Call& call, int, int, Scratch) {
  const Tensor& table = call.inputs[0];
  const Tensor& bias = call.outputs[0];
  const int64_t heads = bias.dims[0], columns = bias.dims[1];
  const float* from = static_cast<const float*>(table.data);
  float* to = static_cast<float*>(bias.data);
  constexpr int64_t kChunk = 128;
  while (!isCancelled(call)) {
    const int64_t begin = claim(call.work) * kChunk;
    if (begin >= columns) return;
    for (int64_t i = begin; i < smaller(begin + kChunk, columns); i++) {
      const int64_t bucket =
          relativeBucket(i - columns / 2, table.dims[0], call.ints[0] != 0, call.ints[1]);
      for (int64_t h = 0; h < heads; h++) to[h * columns + i] = from[bucket * heads + h];
    }
  }
}

static void relativeBiasGradient(const Call& call, int, int, Scratch) {
  const Tensor& gradient = call.inputs[0];
  const Tensor& table = call.outputs[0];
  const int64_t buckets = table.dims[0], heads = table.dims[1], columns = gradient.dims[1];
  float* to = static_cast<float*>(table.data);
  while (!isCancelled(call)) {
    const int64_t h = claim(call.work);
    if (h >= heads) return;
    const float* from = static_cast<const float*>(gradient.data) + h * columns;
    for (int64_t b = 0; b < buckets; b++) to[b * heads + h] = 0;
    for (int64_t i = 0; i < columns; i++) {
      const int64_t b = relativeBucket(i - columns / 2, buckets, call.ints[0] != 0, call.ints[1]);
      to[b * heads + h] += from[i];
    }
  }
}

}  // namespace heddle::HEDDLE_ISA
