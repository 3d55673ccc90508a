// What every kernel test needs: the instruction sets that run here, operands in guarded memory, a
// team of real threads, and comparison with a reference in double precision.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "checked.h"
#include "dispatch.h"
#include "test/guarded.h"

namespace heddle::test {

// Every kernel table that this program and this machine can run (tables.cc).
std::vector<const KernelTable*> tables();

inline std::string tableName(const ::testing::TestParamInfo<const KernelTable*>& info) {
  return info.param->isa;
}

// Base of the fixtures: TEST_P(SoftmaxTest, …) with `table()` as the instruction set under test.
class KernelTest : public ::testing::TestWithParam<const KernelTable*> {
 public:
  const KernelTable& table() const { return *GetParam(); }
};

#define HEDDLE_FOR_EACH_ISA(Fixture)                                                    \
  INSTANTIATE_TEST_SUITE_P(Isa, Fixture, ::testing::ValuesIn(::heddle::test::tables()), \
                           ::heddle::test::tableName)

inline size_t elementBytes(DType dtype) {
  return dtype == DType::kFloat16 || dtype == DType::kBFloat16 ? 2 : 4;
}

// A tensor that owns its memory. The memory ends at a guard page, so its start is aligned to its
// element only: a kernel that reads past the end, or wants more alignment, crashes the test.
class Operand {
 public:
  Operand() : tensor_{} {}  // an absent optional operand

  Operand(DType dtype, std::initializer_list<int64_t> dims) : Operand(dtype, std::vector(dims)) {}
  Operand(DType dtype, const std::vector<int64_t>& dims) : tensor_{} {
    tensor_.dtype = dtype;
    for (int64_t dim : dims) {
      tensor_.dims[tensor_.rank++] = dim;
      size_ *= dim;
    }
    int64_t bytes = 0;
    EXPECT_TRUE(checkedTensorBytes(dtype, tensor_.dims, tensor_.rank, &bytes));
    memory_ = std::make_shared<Guarded>(static_cast<size_t>(bytes));
    tensor_.data = memory_->data();
  }

  static Operand f32(std::initializer_list<int64_t> dims, const std::vector<float>& values) {
    return Operand(DType::kFloat32, dims).fill(values.data(), values.size());
  }
  static Operand i32(std::initializer_list<int64_t> dims, const std::vector<int32_t>& values) {
    return Operand(DType::kInt32, dims).fill(values.data(), values.size());
  }
  // An output: every byte 0xFF, a NaN, so that an element nobody wrote is seen.
  static Operand output(std::initializer_list<int64_t> dims) {
    return outputOf(DType::kFloat32, dims);
  }
  static Operand outputOf(DType dtype, std::initializer_list<int64_t> dims) {
    Operand made(dtype, dims);
    if (made.size_ > 0) std::memset(made.tensor_.data, 0xFF, made.memory_->bytes());
    return made;
  }

  const Tensor& tensor() const { return tensor_; }
  int64_t size() const { return size_; }
  float* floats() const { return static_cast<float*>(tensor_.data); }
  std::vector<float> values() const {
    if (tensor_.dtype != DType::kFloat32) return {};
    return std::vector<float>(floats(), floats() + size_);
  }

 private:
  template <typename T>
  Operand&& fill(const T* values, size_t count) && {
    EXPECT_EQ(static_cast<int64_t>(count), size_);
    if (count > 0) std::memcpy(tensor_.data, values, count * sizeof(T));
    return std::move(*this);
  }

  Tensor tensor_;
  int64_t size_ = 1;
  std::shared_ptr<Guarded> memory_;
};

struct Invocation {
  const char* kernel;
  std::vector<Operand> inputs;
  std::vector<Operand> outputs;
  std::vector<int64_t> ints;
  std::vector<double> floats;
};

inline const Kernel* findKernel(const KernelTable& table, const char* name) {
  for (int i = 0; i < table.count; i++) {
    if (std::strcmp(table.kernels[i].name, name) == 0) return &table.kernels[i];
  }
  return nullptr;
}

// Runs the kernel as the executor does, on `threads` real threads with a scratch of exactly the
// bytes it asked for, and returns the first output.
inline std::vector<float> run(const KernelTable& table, const Invocation& invocation,
                              int threads = 1) {
  const Kernel* kernel = findKernel(table, invocation.kernel);
  if (kernel == nullptr) {
    ADD_FAILURE() << "no kernel named " << invocation.kernel << " for " << table.isa;
    return {};
  }
  std::vector<Tensor> inputs, outputs;
  for (const Operand& operand : invocation.inputs) inputs.push_back(operand.tensor());
  for (const Operand& operand : invocation.outputs) outputs.push_back(operand.tensor());
  WorkCounter work{0};
  const int32_t cancelled = 0;
  const Call call{inputs.data(), outputs.data(), invocation.ints.data(), invocation.floats.data(),
                  &work,         &cancelled};
  const size_t bytes = kernel->scratch ? kernel->scratch(call) : 0;
  std::vector<std::unique_ptr<Guarded>> scratch;
  for (int t = 0; t < threads; t++) {
    // Rounded up, because scratch is aligned at its start.
    scratch.push_back(
        std::make_unique<Guarded>((bytes + kAlignment - 1) / kAlignment * kAlignment));
    std::memset(scratch.back()->data(), 0xFF, scratch.back()->bytes());
  }
  std::vector<std::thread> team;
  for (int t = 1; t < threads; t++) {
    team.emplace_back([&, t] { kernel->run(call, t, threads, {scratch[t]->data(), bytes}); });
  }
  kernel->run(call, 0, threads, {scratch[0]->data(), bytes});
  for (std::thread& thread : team) thread.join();
  return invocation.outputs[0].values();
}

// Close: |actual − expected| ≤ absolute + relative·|expected|; NaN equals NaN only, infinity
// itself.
inline void expectClose(const std::vector<float>& actual, const std::vector<double>& expected,
                        double absolute, double relative, const std::string& what) {
  ASSERT_EQ(actual.size(), expected.size()) << what;
  for (size_t i = 0; i < actual.size(); i++) {
    const double want = expected[i];
    const double got = actual[i];
    const bool close = std::isnan(want) ? std::isnan(got)
                       : std::isinf(want)
                           ? got == want
                           : std::fabs(got - want) <= absolute + relative * std::fabs(want);
    ASSERT_TRUE(close) << what << ": element " << i << " is " << got << ", expected " << want;
  }
}

// The same bits, not only equal values.
inline void expectSameBits(const std::vector<float>& actual, const std::vector<float>& expected,
                           const std::string& what) {
  ASSERT_EQ(actual.size(), expected.size()) << what;
  for (size_t i = 0; i < actual.size(); i++) {
    ASSERT_EQ(std::memcmp(&actual[i], &expected[i], sizeof(float)), 0)
        << what << ": element " << i << " is " << actual[i] << ", expected " << expected[i];
  }
}

// The first of an endless sequence that depends on the seed. Kept, because drawing them again for
// each case takes longer than many a kernel does.
inline std::vector<float> normal(int64_t count, uint32_t seed, float deviation = 1.0f) {
  struct Sequence {
    std::mt19937 engine;
    std::normal_distribution<float> distribution;
    std::vector<float> drawn;
  };
  static std::map<uint32_t, Sequence> sequences;
  Sequence& sequence =
      sequences.try_emplace(seed, Sequence{std::mt19937(seed), {}, {}}).first->second;
  while (sequence.drawn.size() < static_cast<size_t>(count)) {
    sequence.drawn.push_back(sequence.distribution(sequence.engine));
  }
  std::vector<float> values(sequence.drawn.begin(), sequence.drawn.begin() + count);
  for (float& value : values) value *= deviation;
  return values;
}

}  // namespace heddle::test
