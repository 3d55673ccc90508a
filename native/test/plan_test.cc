// Plans: what is refused, where the team meets, and what a run does to outputs and states.
#include "plan.h"

#include <gtest/gtest.h>

#include <climits>
#include <cmath>

#include "error.h"
#include "test/plan_words.h"

namespace heddle {
namespace {

using test::PlanWords;

const KernelTable& table() { return scalar::table(); }

std::shared_ptr<State> makeState(std::vector<int64_t> dims, std::vector<float> data) {
  auto storage =
      std::make_shared<Storage>(DType::kFloat32, static_cast<int>(dims.size()), dims.data(), false);
  AlignedBuffer buffer(static_cast<int64_t>(data.size()) * 4);
  memcpy(buffer.data(), data.data(), data.size() * 4);
  storage->setPlain(std::move(buffer));
  return std::make_shared<State>(std::move(storage));
}

std::vector<float> contents(const State& state) {
  std::vector<float> data(static_cast<size_t>(state.elements()));
  state.read(data.data(), table().packing);
  return data;
}

std::unique_ptr<Plan> load(const PlanWords& words,
                           std::vector<std::shared_ptr<State>> states = {}) {
  const std::vector<int64_t> list = words.words();
  return loadPlan(list.data(), list.size(), std::move(states), table());
}

ErrorCode codeOf(const PlanWords& words, std::vector<std::shared_ptr<State>> states = {}) {
  try {
    load(words, std::move(states));
  } catch (const Error& error) {
    return error.code();
  }
  return ErrorCode::kNone;
}

struct Runner {
  Team team;
  BlockPool pool;
  std::atomic<int32_t> cancelled{0};

  void run(const Plan& plan, std::vector<int64_t> symbols, std::vector<const void*> inputs,
           std::vector<void*> outputs, int threads = 2) {
    checkSymbols(plan, symbols.data(), symbols.size());
    runPlan(plan, {symbols.data(), inputs.data(), outputs.data(), &cancelled, nullptr},
            {team, threads}, pool);
  }
};

// x → linear → scale → add of the linear's result; rows symbolic.
PlanWords smallPlan() {
  PlanWords words(table());
  words.symbol(8);
  const int64_t x = words.input({-1, 2}), weight = words.state({3, 2}), bias = words.state({3});
  const int64_t y = words.arena(0, {-1, 3}), z = words.arena(128, {-1, 3});
  const int64_t out = words.output({-1, 3});
  words.node("linear", {x, weight, bias, -1}, y, {0, 0});
  words.node("scale", {y}, z, {}, {2, 1});
  words.node("add", {y, z}, out);
  return words;
}

std::vector<std::shared_ptr<State>> smallStates() {
  return {makeState({3, 2}, {1, 2, 3, 4, 5, 6}), makeState({3}, {0.5, 0, -0.5})};
}

TEST(Plan, ComputesAtEverySizeAndThreadCount) {
  const auto plan = load(smallPlan(), smallStates());
  Runner runner;
  for (int threads : {1, 2, 3}) {
    for (int64_t rows = 0; rows <= 8; ++rows) {
      std::vector<float> x(static_cast<size_t>(rows) * 2), out(static_cast<size_t>(rows) * 3, NAN);
      for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i) - 3;
      runner.run(*plan, {rows}, {x.data()}, {out.data()}, threads);
      for (size_t r = 0; r < static_cast<size_t>(rows); ++r) {
        for (size_t n = 0; n < 3; ++n) {
          const float w0 = 2 * static_cast<float>(n) + 1,
                      bias = 0.5f - 0.5f * static_cast<float>(n);
          const float y = x[2 * r] * w0 + x[2 * r + 1] * (w0 + 1) + bias;
          EXPECT_EQ(out[3 * r + n], y + (2 * y + 1)) << rows << " rows, " << threads << " threads";
        }
      }
    }
  }
}

TEST(Plan, HostileWordsAreRefusedOrHarmless) {
  const std::vector<int64_t> words = smallPlan().words();
  const auto states = smallStates();
  Runner runner;
  const std::vector<float> x(16, 1.0f);
  int refused = 0;
  for (size_t at = 0; at < words.size(); ++at) {
    for (int64_t value : {int64_t{-3}, int64_t{-2}, int64_t{-1}, int64_t{0}, int64_t{1}, int64_t{2},
                          int64_t{3}, int64_t{4}, int64_t{7}, int64_t{64}, int64_t{1} << 31,
                          int64_t{1} << 46, int64_t{1} << 62, INT64_MAX, INT64_MIN}) {
      std::vector<int64_t> changed = words;
      changed[at] = value;
      std::vector<float> out(24);
      try {
        const auto plan = loadPlan(changed.data(), changed.size(), states, table());
        const std::vector<int64_t> sizes(plan->capacities.size(), 1);
        const Value& in = plan->values[static_cast<size_t>(plan->inputs.at(0))];
        const Value& result = plan->values[static_cast<size_t>(plan->outputs.at(0))];
        if (plan->arenaBytes > 1 << 20 || plan->elements(in, sizes.data()) > 16 ||
            plan->elements(result, sizes.data()) > 24) {
          continue;
        }
        runner.run(*plan, sizes, {x.data()}, {out.data()}, 1);
      } catch (const Error&) {
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, static_cast<int>(words.size()) * 5);
  for (size_t length = 0; length < words.size(); ++length) {
    EXPECT_THROW(loadPlan(words.data(), length, states, table()), Error);
  }
}

std::vector<bool> barriers(const Plan& plan) {
  std::vector<bool> found;
  for (const Node& node : plan.nodes) found.push_back(node.barrier);
  return found;
}

TEST(Plan, IndependentNeighboursShareOneBarrier) {
  PlanWords words(table());
  const int64_t x = words.input({4, 16}), out = words.output({4, 16});
  const int64_t h = words.arena(0, {4, 16}), q = words.arena(256, {4, 16});
  const int64_t k = words.arena(512, {4, 16}), v = words.arena(768, {4, 16});
  words.node("activation", {x}, h, {1});
  for (int64_t projection : {q, k, v}) words.node("scale", {h}, projection, {}, {2, 0});
  words.node("add", {q, k}, h);  // reads q and k; overwrites h, which they read
  words.node("multiply", {h, v}, out);
  words.node("scale", {v}, q, {},
             {1, 0});  // overwrites q, which nobody reads since the last barrier
  EXPECT_EQ(barriers(*load(words)),
            (std::vector<bool>{false, true, false, false, true, true, false}));
}

TEST(Plan, OverwritingWhatANeighbourWritesOrReadsNeedsABarrier) {
  PlanWords words(table());
  const int64_t x = words.input({16}), out = words.output({16});
  const int64_t a = words.arena(0, {16}), b = words.arena(64, {16});
  words.node("activation", {x}, a, {1});
  words.node("activation", {x}, b, {2});
  words.node("activation", {x}, a, {3});  // WAW
  words.node("scale", {a}, out, {}, {1, 0});
  words.node("activation", {x}, a, {1});  // WAR
  EXPECT_EQ(barriers(*load(words)), (std::vector<bool>{false, false, true, true, true}));
}

TEST(Plan, RefusesToReadWhatNothingWrote) {
  PlanWords words(table());
  const int64_t a = words.arena(0, {32}), half = words.arena(0, {16}), x = words.input({16});
  const int64_t out = words.output({32});
  words.node("activation", {x}, half, {1});
  words.node("scale", {a}, out, {}, {1, 0});
  EXPECT_EQ(codeOf(words), ErrorCode::kArgument);
}

TEST(Plan, RefusesAnOutputThatNothingWrites) {
  PlanWords words(table());
  words.output({1});
  EXPECT_EQ(codeOf(words), ErrorCode::kArgument);
}

TEST(Plan, OnlyElementwiseKernelsWorkInPlace) {
  for (const bool elementwise : {true, false}) {
    PlanWords words(table());
    const int64_t x = words.input({4, 16}), out = words.output({4, 16}),
                  a = words.arena(0, {4, 16});
    words.node("activation", {x}, a, {1});
    if (elementwise)
      words.node("scale", {a}, a, {}, {2, 0});
    else
      words.node("softmax", {a}, a, {}, {1});
    words.node("activation", {a}, out, {0});
    EXPECT_EQ(codeOf(words), elementwise ? ErrorCode::kNone : ErrorCode::kArgument);
  }
}

TEST(Plan, TakesThePlaceOfTheFirstOperandOnly) {
  for (const bool withResidual : {true, false}) {
    PlanWords words(table());
    const int64_t x = words.input({4, 16}), out = words.output({4, 16});
    const int64_t a = words.arena(0, {4, 16}), b = words.arena(256, {4, 16});
    words.node("activation", {x}, a, {1});
    words.node("activation", {x}, b, {1});
    words.node("columnsGradient", {withResidual ? a : -1, b}, withResidual ? a : b, {0, 16, 16, 1});
    words.node("activation", {withResidual ? a : b}, out, {0});
    EXPECT_EQ(codeOf(words), withResidual ? ErrorCode::kNone : ErrorCode::kArgument);
  }
}

TEST(Plan, RefusesSymbolsThatDiffer) {
  PlanWords words(table());
  words.symbol(4).symbol(4);
  const int64_t x = words.input({-1, 2}), out = words.output({-2, 2});
  words.node("softmax", {x}, out, {}, {1});
  EXPECT_EQ(codeOf(words), ErrorCode::kShape);
}

// table[ids] in an arena value, then state += it.
PlanWords gatherThenAssign() {
  PlanWords words(table());
  const int64_t weights = words.state({4, 2}), moment = words.state({1, 2});
  const int64_t ids = words.input({1}, DType::kInt32);
  const int64_t rows = words.arena(0, {1, 2}), sum = words.arena(64, {1, 2});
  words.node("embedding", {weights, ids, -1}, rows, {}, {1});
  words.node("add", {rows, moment}, sum);
  words.node("assign", {sum, -1}, moment);
  return words;
}

TEST(Plan, WritesStatesAndLeavesThemWhenItFails) {
  const auto weights = makeState({4, 2}, {1, 2, 3, 4, 5, 6, 7, 8});
  const auto moment = makeState({1, 2}, {10, 20});
  const auto plan = load(gatherThenAssign(), {weights, moment});
  Runner runner;
  int32_t id = 2;
  runner.run(*plan, {}, {&id}, {});
  EXPECT_EQ(contents(*moment), (std::vector<float>{15, 26}));
  id = 4;
  EXPECT_THROW(runner.run(*plan, {}, {&id}, {}), Error);
  id = 0;
  runner.cancelled = 1;
  try {
    runner.run(*plan, {}, {&id}, {});
    FAIL() << "a cancelled run has gone through";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kCancelled);
  }
  EXPECT_EQ(contents(*moment), (std::vector<float>{15, 26}));
}

TEST(Plan, AWriteReachesThePackedFormOfTheNextRun) {
  const auto weight = makeState({2, 2}, {1, 0, 0, 1});
  PlanWords words(table());
  const int64_t w = words.state({2, 2}), x = words.input({1, 2}), out = words.output({1, 2});
  const int64_t doubled = words.arena(0, {2, 2});
  words.node("linear", {x, w, -1, -1}, out, {0, 0});
  words.node("scale", {w}, doubled, {}, {2, 0});
  words.node("assign", {doubled, -1}, w);
  const auto plan = load(words, {weight});
  Runner runner;
  const float x0[] = {3, 5};
  for (float factor : {1.0f, 2.0f, 4.0f}) {
    float y[2];
    runner.run(*plan, {}, {x0}, {y});
    EXPECT_EQ(y[0], 3 * factor);
    EXPECT_EQ(y[1], 5 * factor);
  }
}

TEST(Plan, RefusesAPackedReadAfterAWrite) {
  PlanWords words(table());
  const int64_t w = words.state({2, 2}), x = words.input({2, 2}), out = words.output({2, 2});
  words.node("assign", {x, -1}, w);
  words.node("linear", {x, w, -1, -1}, out, {0, 0});
  EXPECT_EQ(codeOf(words, {makeState({2, 2}, {1, 0, 0, 1})}), ErrorCode::kArgument);
}

TEST(Plan, AppendsWithinItsCapacity) {
  const auto cache = makeState({4, 1}, {0, 0, 0, 0});
  PlanWords words(table());
  words.symbol(4);
  const int64_t state = words.state({4, 1}), x = words.input({-1, 1});
  const int64_t at = words.input({1}, DType::kInt32);
  words.node("append", {x, at}, state);
  // The symbol may be larger than the room: only a run can tell.
  const auto plan = load(words, {cache});
  Runner runner;
  const float rows[] = {1, 2, 3};
  int32_t position = 1;
  runner.run(*plan, {2}, {rows, &position}, {});
  EXPECT_EQ(contents(*cache), (std::vector<float>{0, 1, 2, 0}));
  position = 2;
  EXPECT_THROW(runner.run(*plan, {3}, {rows, &position}, {}), Error);
  EXPECT_EQ(contents(*cache), (std::vector<float>{0, 1, 2, 0}));
}

TEST(Plan, RefusesSizesAboveTheCapacity) {
  const auto plan = load(smallPlan(), smallStates());
  for (int64_t size : {int64_t{9}, int64_t{-1}, INT64_MAX}) {
    EXPECT_THROW(checkSymbols(*plan, &size, 1), Error);
  }
  EXPECT_THROW(checkSymbols(*plan, nullptr, 0), Error);
}

}  // namespace
}  // namespace heddle
