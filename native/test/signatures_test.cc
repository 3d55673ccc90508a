// The table of signatures against the table of kernels, and what single kernels refuse.
#include "signatures.h"

#include <gtest/gtest.h>

#include "dispatch.h"
#include "error.h"
#include "plan.h"
#include "test/plan_words.h"

namespace heddle {
namespace {

using test::PlanWords;

TEST(Signatures, EveryKernelHasOneAndEveryoneHasAKernel) {
  const KernelTable& table = scalar::table();
  for (int i = 0; i < table.count; ++i) {
    EXPECT_NE(findSignature(table.kernels[i].name), nullptr) << table.kernels[i].name;
  }
  EXPECT_EQ(signatureCount(), table.count);
  EXPECT_EQ(findSignature("unknown"), nullptr);
}

TEST(Signatures, EveryInstructionSetHasTheSameKernels) {
  const char* names[8];
  const int count = supportedIsas(names, 8);
  for (int i = 0; i < count; ++i) {
    const char* why = nullptr;
    const KernelTable* table = selectKernels(names[i], &why);
    ASSERT_NE(table, nullptr) << names[i];
    ASSERT_EQ(table->count, scalar::table().count);
    for (int k = 0; k < table->count; ++k) {
      EXPECT_STREQ(table->kernels[k].name, scalar::table().kernels[k].name);
    }
  }
}

// Attention over plain inputs, with whatever is to be wrong about it.
struct Attention {
  int64_t q = 8, k = 4, v = 6, out = 12;
  int64_t heads = 2, keyHeads = 1, biasKind = 0;
  int64_t statistics = 0;  // columns; 0: not asked for
  std::vector<int64_t> bias;

  ErrorCode check() const {
    PlanWords words(scalar::table());
    words.symbol(4).symbol(4).symbol(3);
    const int64_t inputs[] = {words.input({-1, q}), words.input({-2, k}), words.input({-2, v}),
                              words.input({-3}, DType::kInt32), words.input({-3}, DType::kInt32)};
    const int64_t biasValue = bias.size() > 0 ? words.input(bias) : -1;
    words.node("attention",
               {inputs[0], inputs[1], inputs[2], inputs[3], inputs[4], -1, -1, biasValue, -1, -1,
                -1, -1, -1},
               {words.output({-1, out}), statistics ? words.output({-1, statistics}) : -1},
               {heads, keyHeads, -1, -1, biasKind, 0, 0}, {1, 0, 1});
    const std::vector<int64_t> list = words.words();
    try {
      loadPlan(list.data(), list.size(), {}, scalar::table());
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::kNone;
  }
};

TEST(Signatures, AttentionColumnsMustFitTheHeads) {
  EXPECT_EQ(Attention{}.check(), ErrorCode::kNone);
  for (auto field : {&Attention::q, &Attention::k, &Attention::v, &Attention::out}) {
    Attention wrong;
    wrong.*field += 1;
    EXPECT_EQ(wrong.check(), ErrorCode::kShape);
    wrong.*field = 0;
    EXPECT_EQ(wrong.check(), ErrorCode::kShape);
    wrong.*field = -1;  // a symbol
    EXPECT_EQ(wrong.check(), ErrorCode::kShape);
  }
  Attention heads;
  heads.keyHeads = 2;
  EXPECT_EQ(heads.check(), ErrorCode::kShape);
  heads.heads = 0;
  EXPECT_EQ(heads.check(), ErrorCode::kArgument);
  Attention kept;
  kept.statistics = 4;
  EXPECT_EQ(kept.check(), ErrorCode::kNone);
  kept.statistics = 3;
  EXPECT_EQ(kept.check(), ErrorCode::kShape);
}

TEST(Signatures, AttentionBiasMustFitItsKind) {
  Attention attention;
  attention.biasKind = 1;
  EXPECT_EQ(attention.check(), ErrorCode::kShape);
  attention.bias = {2, 5};
  EXPECT_EQ(attention.check(), ErrorCode::kNone);
  attention.bias = {2, 4};
  EXPECT_EQ(attention.check(), ErrorCode::kShape);
  attention.bias = {1, 5};
  EXPECT_EQ(attention.check(), ErrorCode::kShape);
  attention.biasKind = 2;
  EXPECT_EQ(attention.check(), ErrorCode::kShape);
  attention.bias = {1, 4, 4};
  EXPECT_EQ(attention.check(), ErrorCode::kNone);
  attention.biasKind = 0;
  EXPECT_EQ(attention.check(), ErrorCode::kShape);
}

// A plan of one attention with disentangled scores; some of its parts may be missing.
struct Disentangled {
  bool keys = true, queries = true, buckets = true;
  int64_t keyHeads = 2, biasKind = 3, width = 8;
  double softCap = 0;

  ErrorCode check() const {
    PlanWords words(scalar::table());
    words.symbol(8);
    words.symbol(8);
    words.symbol(8);
    const int64_t rows = words.input({-1, 8});
    const int64_t keyRows = words.input({-1, 4 * keyHeads});
    const int64_t segments = words.input({-2}, DType::kInt32);
    const int64_t relativeKeys = keys ? words.state({5, width}) : -1;
    const int64_t relativeQueries = queries ? words.state({5, width}) : -1;
    const int64_t table = buckets ? words.input({-3}, DType::kInt32) : -1;
    words.node("attention",
               {rows, keyRows, keyRows, segments, segments, -1, -1, -1, relativeKeys,
                relativeQueries, table, -1, -1},
               {words.output({-1, 8}), -1}, {2, keyHeads, -1, -1, biasKind, 0, 0}, {1, softCap, 1});
    const std::vector<int64_t> list = words.words();
    const int64_t dims[] = {5, width};
    std::vector<std::shared_ptr<State>> states;
    for (int i = 0; i < (keys ? 1 : 0) + (queries ? 1 : 0); i++) {
      auto storage = std::make_shared<Storage>(DType::kFloat32, 2, dims, false);
      AlignedBuffer zeros(static_cast<size_t>(20 * width));
      memset(zeros.data(), 0, static_cast<size_t>(20 * width));
      storage->setPlain(std::move(zeros));
      states.push_back(std::make_shared<State>(storage));
    }
    try {
      loadPlan(list.data(), list.size(), states, scalar::table());
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::kNone;
  }
};

TEST(Signatures, DisentangledAttentionMustHaveItsParts) {
  const auto check = [](const auto& change) {
    Disentangled made;
    change(made);
    return made.check();
  };
  EXPECT_EQ(check([](Disentangled&) {}), ErrorCode::kNone);
  EXPECT_EQ(check([](Disentangled& d) { d.keys = false; }), ErrorCode::kNone);
  EXPECT_EQ(check([](Disentangled& d) { d.queries = false; }), ErrorCode::kNone);
  EXPECT_EQ(check([](Disentangled& d) { d.keys = d.queries = false; }), ErrorCode::kShape);
  EXPECT_EQ(check([](Disentangled& d) { d.buckets = false; }), ErrorCode::kShape);
  EXPECT_EQ(check([](Disentangled& d) { d.biasKind = 0; }), ErrorCode::kShape);
  EXPECT_EQ(check([](Disentangled& d) { d.keyHeads = 1; }), ErrorCode::kShape);
  EXPECT_EQ(check([](Disentangled& d) { d.width = 6; }), ErrorCode::kShape);
  EXPECT_EQ(check([](Disentangled& d) { d.softCap = 2; }), ErrorCode::kShape);
}

class DenseBias : public ::testing::Test {
 protected:
  // Runs with a dense bias of 2 × 3 positions over one segment of `rows` queries and keys.
  void run(int64_t rows, std::vector<int32_t> keyPositions) {
    PlanWords words(scalar::table());
    words.symbol(8);
    const int64_t q = words.input({-1, 2}), k = words.input({-1, 2}), v = words.input({-1, 2});
    const int64_t segments = words.input({2}, DType::kInt32);
    const int64_t positions = keyPositions.empty() ? -1 : words.input({-1}, DType::kInt32);
    const int64_t bias = words.state({1, 2, 3});
    words.node("attention", {q, k, v, segments, segments, -1, positions, bias, -1, -1, -1, -1, -1},
               {words.output({-1, 2}), -1}, {1, 1, -1, -1, 2, 0, 0}, {1, 0, 1});
    const int64_t dims[] = {1, 2, 3};
    auto storage = std::make_shared<Storage>(DType::kFloat32, 3, dims, false);
    AlignedBuffer zeros(24);
    memset(zeros.data(), 0, 24);
    storage->setPlain(std::move(zeros));
    const std::vector<int64_t> list = words.words();
    const auto plan =
        loadPlan(list.data(), list.size(), {std::make_shared<State>(storage)}, scalar::table());
    const std::vector<float> x(16, 1.0f);
    const int32_t offsets[] = {0, static_cast<int32_t>(rows)};
    std::vector<float> out(16);
    const void* inputs[] = {x.data(), x.data(), x.data(), offsets, keyPositions.data()};
    void* outputs[] = {out.data()};
    const std::atomic<int32_t> cancelled{0};
    Team team;
    BlockPool pool;
    runPlan(*plan, {&rows, inputs, outputs, &cancelled, nullptr}, {team, 1}, pool);
  }
};

TEST_F(DenseBias, PositionsMustLieInside) {
  EXPECT_NO_THROW(run(2, {}));
  EXPECT_THROW(run(3, {}), Error) << "three queries, two rows of bias";
  EXPECT_NO_THROW(run(2, {0, 2}));
  EXPECT_THROW(run(2, {0, 3}), Error);
  EXPECT_THROW(run(2, {0, -1}), Error);
}

TEST(Signatures, MatmulDimsMustFitItsTransposes) {
  for (int64_t transposeA : {0, 1}) {
    for (int64_t transposeB : {0, 1}) {
      PlanWords words(scalar::table());
      const int64_t a = words.input({2, 3}), b = words.input({3, 4}), out = words.output({2, 4});
      words.node("matmul", {a, b, -1, -1}, out, {transposeA, transposeB, 0, 0});
      const std::vector<int64_t> list = words.words();
      if (transposeA == 0 && transposeB == 0) {
        EXPECT_NO_THROW(loadPlan(list.data(), list.size(), {}, scalar::table()));
      } else {
        EXPECT_THROW(loadPlan(list.data(), list.size(), {}, scalar::table()), Error);
      }
    }
  }
}

}  // namespace
}  // namespace heddle
