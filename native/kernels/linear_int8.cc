#include "kernels/linear_int8.h"

#include "kernels/epilogue.h"
#include "kernels/packing.h"
#include "kernels/tasks.h"

namespace heddle::HEDDLE_ISA {

// Groups of kDotDepth values of k side by side.
struct Int8Format {
  using Weight = int8_t;
  using Input = DotInput;
  using Sum = int32_t;
  static constexpr int kDepth = kDotDepth;
  HEDDLE_INLINE I32 zeroSum() { return zeroI32(); }
  HEDDLE_INLINE I32 loadSum(const int32_t* p) { return loadI32(p); }
  HEDDLE_INLINE void storeSum(int32_t* p, I32 sum) { storeI32(p, sum); }
  HEDDLE_INLINE auto weights(const int8_t* p) { return dotWeights(p); }
  HEDDLE_INLINE auto input(const DotInput* p) { return dotInput(p); }
  template <class Vector>
  HEDDLE_INLINE I32 accumulate(Vector x, Vector w, I32 sum) {
    return dot(sum, x, w);
  }
};

// As kBlockDepth, in a panel of bytes: 24 KiB for AVX-512, 18 KiB for AVX2.
constexpr int64_t kInt8BlockDepth = kPanel >= 64 ? 384 : 768;

struct LinearInt8 {
  const int8_t* x;
  const float* rowScales;
  const int32_t* rowZeros;
  const PackedMatrix* weight;
  const float* bias;
  const float* residual;
  float* y;
  int64_t rows, n, k;
  Activation activation;
};

static LinearInt8 readLinearInt8(const Call& call) {
  const PackedMatrix* weight = static_cast<const PackedMatrix*>(call.inputs[1].data);
  const int8_t* x = static_cast<const int8_t*>(call.inputs[0].data);
  const int64_t rows = call.inputs[0].dims[0];
  return {x,
          reinterpret_cast<const float*>(x + int8ScalesAt(rows, weight->k)),
          reinterpret_cast<const int32_t*>(x + int8ZerosAt(rows, weight->k)),
          weight,
          static_cast<const float*>(call.inputs[2].data),
          static_cast<const float*>(call.inputs[3].data),
          static_cast<float*>(call.outputs[0].data),
          rows,
          weight->n,
          weight->k,
          static_cast<Activation>(call.ints[0])};
}

static DepthBlocks cutInt8Depth(int64_t k) { return cutDepth(k, kInt8BlockDepth, 4); }

static void multiplyInt8(const LinearInt8& linear, const Task& task, int64_t start, int64_t depth) {
  const int64_t elements = panelElements(DType::kInt8, linear.k);
  const int8_t* weights = static_cast<const int8_t*>(linear.weight->data);
  const int8_t* x = linear.x + task.row * linear.k + start;
  Block<Int8Format> block = {};
  // A group that reaches beyond the row's end reads what follows it, the next row or the scales,
  // against weights that are zero.
  block.a = reinterpret_cast<const DotInput*>(x);
  block.aStride = linear.k;
  block.b = weights + task.panel * elements + start * kPanel;
  block.panelStride = elements;
  block.c = reinterpret_cast<int32_t*>(linear.y + task.row * linear.n + task.column);
  block.cStride = linear.n;
  block.rows = task.rows;
  block.columns = task.columns;
  block.depth = depth;
  block.first = start == 0;
  block.after =
      block.b + (start + depth < linear.k ? depth * kPanel : task.columns / kPanel * elements);
  multiplyBlock(block);
}

static void linearInt8(const Call& call, int, int threads, Scratch) {
  const LinearInt8 linear = readLinearInt8(call);
  const Tasks tasks = cutTasks(linear.rows, linear.n, threads);
  const DepthBlocks blocks = cutInt8Depth(linear.k);
  const PackedInt8 weight = partsOfInt8(*linear.weight);

  for (int64_t number; (number = claim(call.work)) < countTasks(tasks);) {
    if (isCancelled(call)) return;
    const Task task = taskAt(tasks, number);
    for (int64_t i = 0; i < blocks.count; i++) {
      const int64_t start = i * blocks.size;
      multiplyInt8(linear, task, start, smaller(blocks.size, linear.k - start));
    }
    const int64_t place = task.row * linear.n + task.column;
    finish({linear.activation,
            linear.bias ? linear.bias + task.column : nullptr,
            linear.residual ? linear.residual + place : nullptr,
            linear.n,
            {linear.rowScales + task.row, linear.rowZeros + task.row, weight.scales + task.column,
             weight.sums + task.column}},
           linear.y + place, linear.n, task.rows, task.columns);
  }
}

}  // namespace heddle::HEDDLE_ISA
