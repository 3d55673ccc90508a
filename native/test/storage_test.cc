// Forms of a state, sharing between states of the same file range, and copies before writes.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "error.h"
#include "state.h"
#include "weights.h"

namespace heddle {
namespace {

const Packing& packing() { return scalar::table().packing; }

class Weights : public ::testing::Test {
 protected:
  void SetUp() override {
    snprintf(path_, sizeof path_, "%sheddle-XXXXXX", ::testing::TempDir().c_str());
    const int descriptor = mkstemp(path_);
    ASSERT_GE(descriptor, 0);
    ASSERT_EQ(write(descriptor, values_, sizeof values_), static_cast<ssize_t>(sizeof values_));
    close(descriptor);
  }
  void TearDown() override { unlink(path_); }

  std::shared_ptr<Storage> load(Form form, DType dtype = DType::kFloat32, int64_t rows = 3,
                                int64_t columns = 5) {
    const FileRange range = {path_, 0, 60, FileDType::kF32, 2, {rows, columns}};
    checkFileRange(range);
    checkForm(range, dtype, form);
    return loadWeights(range, dtype, form, packing(), {team_, 2}, cancelled_);
  }

  static std::vector<float> read(const State& state) {
    std::vector<float> data(15);
    state.read(data.data(), packing());
    return data;
  }

  const float values_[15] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14};
  const std::vector<float> rows_{values_, values_ + 15};
  char path_[256];
  Team team_;
  std::atomic<int32_t> cancelled_{0};
};

TEST_F(Weights, EveryFormReadsBackRowMajor) {
  EXPECT_EQ(read(State(load(Form::kPlain))), rows_);
  EXPECT_EQ(read(State(load(Form::kPacked))), rows_);
  const State transposed(load(Form::kPackedTransposed));
  EXPECT_EQ(transposed.dims()[0], 5);
  EXPECT_EQ(transposed.dims()[1], 3);
  const std::vector<float> found = read(transposed);
  for (size_t i = 0; i < 15; ++i) EXPECT_EQ(found[i], values_[i % 3 * 5 + i / 3]);
}

// Row r of the file ends with 5r + 4, its largest value: a step is that / 127.
TEST_F(Weights, Int8ReadsBackAsFloatsWithinHalfAStep) {
  for (Form form : {Form::kPlain, Form::kPacked}) {
    const State state(load(form, DType::kInt8));
    const std::vector<float> found = read(state);
    for (int i = 0; i < 15; ++i) EXPECT_NEAR(found[i], values_[i], (i / 5 * 5 + 4) / 253.9f) << i;
    EXPECT_EQ(found[14], 14);
  }
  // Transposed, rows are the columns of the file: 0, 5, 10 and so on.
  const std::vector<float> found = read(State(load(Form::kPackedTransposed, DType::kInt8)));
  for (int i = 0; i < 15; ++i) EXPECT_NEAR(found[i], values_[i % 3 * 5 + i / 3], 14 / 253.9f) << i;
}

TEST_F(Weights, AMissingFormIsMadeAndCounted) {
  const int64_t before = stateCounters().bytes;
  {
    const State state(load(Form::kPacked));
    Storage& storage = state.storage();
    EXPECT_EQ(storage.plain(), nullptr);
    const int64_t packs = stateCounters().packs;
    storage.needPacked(packing(), {team_, 2});
    EXPECT_EQ(stateCounters().packs, packs) << "it was there";
    storage.needPlain(packing());
    ASSERT_NE(storage.plain(), nullptr);
    EXPECT_EQ(memcmp(storage.plain(), values_, sizeof values_), 0);
    EXPECT_EQ(stateCounters().bytes - before, storage.bytes());
    EXPECT_GE(storage.bytes(), 120);
  }
  EXPECT_EQ(stateCounters().bytes, before);
}

TEST_F(Weights, SameRangeDTypeAndFormIsTheSameMemory) {
  const auto first = load(Form::kPlain);
  EXPECT_EQ(load(Form::kPlain), first);
  EXPECT_NE(load(Form::kPacked), first);
  EXPECT_NE(load(Form::kPlain, DType::kBFloat16), first);
  EXPECT_NE(load(Form::kPlain, DType::kFloat32, 5, 3), first);
}

TEST_F(Weights, AChangedFileIsAnotherOne) {
  const auto first = load(Form::kPlain);
  ASSERT_EQ(truncate(path_, 1000), 0);
  EXPECT_NE(load(Form::kPlain), first);
}

TEST_F(Weights, WritingCopiesWhatIsShared) {
  for (Form form : {Form::kPlain, Form::kPacked}) {
    const State reader(load(form));
    State writer(load(form));
    ASSERT_EQ(&reader.storage(), &writer.storage());
    writer.prepareToWrite(packing());
    ASSERT_NE(&reader.storage(), &writer.storage());
    static_cast<float*>(writer.storage().plain())[0] = 100;
    EXPECT_EQ(read(reader), rows_);
    EXPECT_EQ(read(writer)[0], 100);
    const Storage* own = &writer.storage();
    writer.prepareToWrite(packing());
    EXPECT_EQ(&writer.storage(), own) << "already its own";
  }
}

TEST_F(Weights, OnlyMatricesOfFloatsCanBePacked) {
  EXPECT_THROW(load(Form::kPacked, DType::kInt32), Error);
  const FileRange vector = {path_, 0, 60, FileDType::kF32, 1, {15}};
  EXPECT_THROW(checkForm(vector, DType::kFloat32, Form::kPacked), Error);
  const FileRange empty = {path_, 0, 0, FileDType::kF32, 2, {0, 5}};
  EXPECT_THROW(checkForm(empty, DType::kFloat32, Form::kPacked), Error);
  EXPECT_NO_THROW(checkForm(empty, DType::kFloat32, Form::kPlain));
}

}  // namespace
}  // namespace heddle
