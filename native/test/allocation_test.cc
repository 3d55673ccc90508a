// Memory that runs out: every allocation of a state, a plan and a run fails once, and each time
// there is an ERR_MEMORY and nothing is left behind.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <future>
#include <new>
#include <vector>

#include "api.h"
#include "engine.h"
#include "test/plan_words.h"

namespace {

std::atomic<long> untilFailure{-1};  // −1: nothing fails
std::atomic<long> alive{0};

void* allocate(size_t bytes, size_t alignment) {
  if (untilFailure.load() >= 0 && untilFailure.fetch_sub(1) == 0) throw std::bad_alloc();
  const size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  void* memory = aligned_alloc(alignment, rounded == 0 ? alignment : rounded);
  if (!memory) throw std::bad_alloc();
  ++alive;
  return memory;
}

void* allocateOrNull(size_t bytes, size_t alignment) noexcept {
  try {
    return allocate(bytes, alignment);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

void release(void* memory) {
  if (!memory) return;
  --alive;
  free(memory);
}

}  // namespace

// All of the forms: a sanitizer's runtime brings its own of those that are missing, and would see
// memory of one allocator given back to the other.
void* operator new(size_t bytes) { return allocate(bytes, alignof(max_align_t)); }
void* operator new[](size_t bytes) { return operator new(bytes); }
void* operator new(size_t bytes, std::align_val_t alignment) {
  return allocate(bytes, static_cast<size_t>(alignment));
}
void* operator new[](size_t bytes, std::align_val_t alignment) {
  return operator new(bytes, alignment);
}
void* operator new(size_t bytes, const std::nothrow_t&) noexcept {
  return allocateOrNull(bytes, alignof(max_align_t));
}
void* operator new[](size_t bytes, const std::nothrow_t&) noexcept {
  return allocateOrNull(bytes, alignof(max_align_t));
}
void* operator new(size_t bytes, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return allocateOrNull(bytes, static_cast<size_t>(alignment));
}
void* operator new[](size_t bytes, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return allocateOrNull(bytes, static_cast<size_t>(alignment));
}
void operator delete(void* memory) noexcept { release(memory); }
void operator delete[](void* memory) noexcept { release(memory); }
void operator delete(void* memory, size_t) noexcept { release(memory); }
void operator delete[](void* memory, size_t) noexcept { release(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { release(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { release(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { release(memory); }
void operator delete[](void* memory, size_t, std::align_val_t) noexcept { release(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { release(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { release(memory); }
void operator delete(void* memory, std::align_val_t, const std::nothrow_t&) noexcept {
  release(memory);
}
void operator delete[](void* memory, std::align_val_t, const std::nothrow_t&) noexcept {
  release(memory);
}

namespace heddle {
namespace {

struct Outcome {
  std::atomic<int> code{-1};
  static void run(void* self, const HeddleError* error) {
    static_cast<Outcome*>(self)->code = error ? error->code : kHeddleOk;
  }
};

// The whole way: a state, a plan over it, a run. Returns the first code that is not OK.
HeddleCode wholeWay(const std::vector<int64_t>& words) {
  HeddleError error = {};
  const int64_t dims[] = {3, 2};
  const float weight[] = {1, 2, 3, 4, 5, 6};
  HeddleState* state = heddleCreateState(kHeddleFloat32, dims, 2, weight, &error);
  if (!state) return error.code;
  HeddlePlan* plan = heddleCreatePlan(words.data(), words.size(), &state, 1, &error);
  heddleReleaseState(state);
  if (!plan) return error.code;
  const int64_t rows = 2;
  const float x[] = {1, 1, 2, 2};
  const int32_t segments[] = {0, 1, 2};
  float y[6];
  const void* inputs[] = {x, segments};
  float* outputs[] = {y};
  HeddleGroup* group = heddleOpenGroup(&error);
  if (!group) {
    heddleReleasePlan(plan);
    return error.code;
  }
  Outcome outcome;
  const HeddleRun run = {&rows, 1, inputs, outputs, nullptr, nullptr, 0};
  const bool queued = heddleRunPlan(group, plan, &run, Outcome::run, &outcome, &error);
  heddleReleasePlan(plan);
  while (queued && outcome.code < 0) std::this_thread::yield();
  heddleCloseGroup(group);
  if (!queued) return error.code;
  if (outcome.code == kHeddleOk) {
    EXPECT_EQ(y[0], 2 * 3.0f);
    EXPECT_EQ(y[5], 2 * 22.0f);
  }
  return static_cast<HeddleCode>(outcome.code.load());
}

TEST(Allocation, EachMayFail) {
  test::PlanWords builder(Engine::kernels());
  builder.symbol(4);
  const int64_t x = builder.input({-1, 2}), segments = builder.input({3}, DType::kInt32);
  const int64_t weight = builder.state({3, 2}), y = builder.arena(0, {-1, 3});
  const int64_t pooled = builder.arena(64, {2, 3}), out = builder.output({2, 3});
  builder.node("linear", {x, weight, -1, -1}, y, {0, 0});
  builder.node("pool", {y, segments}, pooled, {0});
  builder.node("scale", {pooled}, out, {}, {2, 0});
  const std::vector<int64_t> words = builder.words();
  HeddleError error = {};
  ASSERT_TRUE(heddleSetThreads(2, &error));
  ASSERT_EQ(wholeWay(words), kHeddleOk) << "the first run also makes the engine";

  HeddleCounters before;
  heddleGetCounters(&before);
  int failures = 0;
  for (long n = 0;; ++n) {
    const long aliveBefore = alive;
    untilFailure = n;
    const HeddleCode code = wholeWay(words);
    const bool reached = untilFailure.exchange(-1) < 0;
    if (!reached) {
      EXPECT_EQ(code, kHeddleOk);
      break;
    }
    ++failures;
    EXPECT_EQ(code, kHeddleMemory) << "allocation " << n;
    HeddleCounters after;
    heddleGetCounters(&after);
    EXPECT_EQ(after.states, before.states) << "allocation " << n;
    EXPECT_EQ(after.stateBytes, before.stateBytes) << "allocation " << n;
    EXPECT_EQ(after.plans, before.plans) << "allocation " << n;
    // The pool may have got a block more, or given one away; the queue may have grown.
    EXPECT_LE(alive - aliveBefore, 4) << "allocation " << n;
  }
  EXPECT_GT(failures, 30);
}

TEST(Allocation, NothingStaysBehindInTheLongRun) {
  test::PlanWords builder(Engine::kernels());
  builder.symbol(4);
  const int64_t x = builder.input({-1, 2}), segments = builder.input({3}, DType::kInt32);
  const int64_t weight = builder.state({3, 2}), y = builder.arena(0, {-1, 3});
  const int64_t pooled = builder.arena(64, {2, 3}), out = builder.output({2, 3});
  builder.node("linear", {x, weight, -1, -1}, y, {0, 0});
  builder.node("pool", {y, segments}, pooled, {0});
  builder.node("scale", {pooled}, out, {}, {2, 0});
  const std::vector<int64_t> words = builder.words();
  for (int i = 0; i < 20; ++i) wholeWay(words);
  const long before = alive;
  for (int i = 0; i < 200; ++i) {
    untilFailure = i % 50;
    wholeWay(words);
    untilFailure = -1;
  }
  for (int i = 0; i < 20; ++i) wholeWay(words);
  EXPECT_LE(alive - before, 8);
}

}  // namespace
}  // namespace heddle
