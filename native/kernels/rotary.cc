#include "kernels/rotary.h"

#include "kernels/rows.h"

namespace heddle::HEDDLE_ISA {

static void rope(const Call& call, int, int, Scratch) {
  const Tensor& x = call.inputs[0];
  const int32_t* positions = static_cast<const int32_t*>(call.inputs[1].data);
  const Tensor& fine = call.inputs[2];
  const Tensor& coarse = call.inputs[3];
  const int64_t columns = x.dims[1], heads = call.ints[0];
  const int64_t size = columns / heads, half = fine.dims[1] / 2;
  const int64_t period = fine.dims[0] / call.ints[1];
  const int64_t span = period * (coarse.dims[0] / call.ints[1]);
  forEachRow(call, x.dims[0], columns, [&](int64_t r) {
    const float* from = static_cast<const float*>(x.data) + r * columns;
    float* to = static_cast<float*>(call.outputs[0].data) + r * columns;
    const int64_t p = positions[r];
    const int64_t fineRow = p % period + p / span * period;
    const float* f = static_cast<const float*>(fine.data) + fineRow * 2 * half;
    const float* c = static_cast<const float*>(coarse.data) + p / period * 2 * half;
    forEachVector(half, [&](int64_t i, int n) {
      const F32 fineCos = loadUpTo(f + i, n), fineSin = loadUpTo(f + half + i, n);
      const F32 coarseCos = loadUpTo(c + i, n), coarseSin = loadUpTo(c + half + i, n);
      const F32 cosine = fnma(coarseSin, fineSin, mul(coarseCos, fineCos));
      const F32 sine = fma(coarseCos, fineSin, mul(coarseSin, fineCos));
      for (int64_t at = i; at < columns; at += size) {
        const F32 a = loadUpTo(from + at, n), b = loadUpTo(from + at + half, n);
        storeUpTo(to + at, fnma(b, sine, mul(a, cosine)), n);
        storeUpTo(to + at + half, fma(a, sine, mul(b, cosine)), n);
      }
    });
    for (int64_t head = 0; head < columns; head += size) {
      for (int64_t i = head + 2 * half; i < head + size; i++) to[i] = from[i];
    }
  });
}

}  // namespace heddle::HEDDLE_ISA
