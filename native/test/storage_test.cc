// Forms of a state, sharing between states of the same file range, and copies before writes.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <vector>

#include "error.h"
#include "quantize_int8.h"
#include "state.h"
#include "test/temporary_file.h"
#include "weights.h"

namespace heddle {
namespace {

const Packing& packing() { return scalar::table().packing; }

class Weights : public ::testing::Test {
 protected:
  std::shared_ptr<Storage> load(Form form, DType dtype = DType::kFloat32, int64_t rows = 3,
                                int64_t columns = 5) {
    const FileRange range = {file_.path(), 0, 60, FileDType::kF32, 2, {rows, columns}};
    checkFileRange(range);
    checkForm({range}, dtype, form);
    return loadWeights({range}, dtype, form,
                       {scalar::table(), {team_, 2}, pool_, slab_, cancelled_});
  }

  static std::vector<float> read(const State& state) {
    std::vector<float> data(15);
    state.read(data.data(), packing());
    return data;
  }

  const float values_[15] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14};
  const std::vector<float> rows_{values_, values_ + 15};
  const test::TemporaryFile file_{values_, sizeof values_};
  Team team_;
  BlockPool pool_;
  Slab slab_;
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
// What is left of some values when they are a row of int8.
std::vector<float> rounded(std::vector<float> row) {
  const int64_t columns = static_cast<int64_t>(row.size());
  std::vector<int8_t> values(row.size());
  const float scale = quantizeInt8Row(row.data(), columns, values.data());
  dequantizeInt8Row(values.data(), scale, columns, row.data());
  return row;
}

TEST_F(Weights, Int8ReadsBackAsFloatsOfItsRows) {
  for (Form form : {Form::kPlain, Form::kPacked}) {
    const std::vector<float> found = read(State(load(form, DType::kInt8)));
    for (int r = 0; r < 3; ++r) {
      const std::vector<float> row = rounded({values_ + 5 * r, values_ + 5 * r + 5});
      for (int c = 0; c < 5; ++c) EXPECT_EQ(found[5 * r + c], row[c]) << r << ", " << c;
    }
  }
  // Transposed, rows are the columns of the file: 0, 5, 10 and so on.
  const std::vector<float> found = read(State(load(Form::kPackedTransposed, DType::kInt8)));
  for (int r = 0; r < 5; ++r) {
    const std::vector<float> row = rounded({values_[r], values_[r + 5], values_[r + 10]});
    for (int c = 0; c < 3; ++c) EXPECT_EQ(found[3 * r + c], row[c]) << r << ", " << c;
  }
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
  ASSERT_EQ(truncate(file_.path(), 1000), 0);
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

TEST(Slab, PartsLieSideBySideAndKeepTheirBlock) {
  Slab slab;
  AlignedBuffer kept = slab.take(1);
  char* first = static_cast<char*>(kept.data());
  *first = 7;
  {
    const AlignedBuffer second = slab.take(100), large = slab.take(int64_t{9} << 20);
    EXPECT_EQ(second.data(), first + kAlignment);
    EXPECT_EQ(second.bytes(), 100);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(large.data()) % kAlignment, 0u);
  }
  // The block is full before these end, and another one begins.
  std::vector<AlignedBuffer> more;
  for (int i = 0; i < 9; ++i) {
    more.push_back(slab.take(int64_t{7} << 20));
    memset(more.back().data(), i, static_cast<size_t>(more.back().bytes()));
  }
  EXPECT_EQ(*first, 7);
  for (int i = 0; i < 9; ++i)
    EXPECT_EQ(static_cast<char*>(more[static_cast<size_t>(i)].data())[7 << 19], i);
}

TEST_F(Weights, OnlyMatricesOfFloatsCanBePacked) {
  EXPECT_THROW(load(Form::kPacked, DType::kInt32), Error);
  const FileRange vector = {file_.path(), 0, 60, FileDType::kF32, 1, {15}};
  EXPECT_THROW(checkForm({vector}, DType::kFloat32, Form::kPacked), Error);
  const FileRange empty = {file_.path(), 0, 0, FileDType::kF32, 2, {0, 5}};
  EXPECT_THROW(checkForm({empty}, DType::kFloat32, Form::kPacked), Error);
  EXPECT_NO_THROW(checkForm({empty}, DType::kFloat32, Form::kPlain));
}

// Matrices of many pieces, which the team reads at once.
class LargeWeights : public ::testing::Test {
 protected:
  static constexpr int64_t kRows = 1003, kColumns = 517;

  void SetUp() override { original_ = readCall; }
  void TearDown() override { readCall = original_; }

  // Exact in half precision too.
  static std::vector<float> numbers() {
    std::vector<float> values(kRows * kColumns);
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i * 7919 % 251);
    return values;
  }

  std::shared_ptr<Storage> load(Form form, DType dtype, const KernelTable& kernels) {
    const FileRange range = {file_.path(),    0, kRows * kColumns * 4,
                             FileDType::kF32, 2, {kRows, kColumns}};
    checkFileRange(range);
    return loadWeights({range}, dtype, form, {kernels, {team_, 2}, pool_, slab_, cancelled_});
  }

  const std::vector<float> values_ = numbers();
  const test::TemporaryFile file_{values_.data(), values_.size() * sizeof(float)};
  Team team_;
  BlockPool pool_;
  Slab slab_;
  std::atomic<int32_t> cancelled_{0};
  ReadCall original_ = nullptr;
};

TEST_F(LargeWeights, EveryDTypeAndFormReadsBack) {
  const char* why = "";
  for (const KernelTable* kernels : {&scalar::table(), selectKernels(nullptr, &why)}) {
    for (DType dtype : {DType::kFloat32, DType::kFloat16, DType::kBFloat16}) {
      for (Form form : {Form::kPlain, Form::kPacked, Form::kPackedTransposed}) {
        const State state(load(form, dtype, *kernels));
        std::vector<char> found(values_.size() * 4);
        state.read(found.data(), kernels->packing);
        int64_t wrong = 0;
        for (int64_t i = 0; i < kRows * kColumns; ++i) {
          const bool transposed = form == Form::kPackedTransposed;
          const int64_t at = transposed ? i % kRows * kColumns + i / kRows : i;
          uint32_t bits = 0;
          if (dtype == DType::kFloat32) {
            memcpy(&bits, &found[static_cast<size_t>(i) * 4], 4);
          } else {
            memcpy(&bits, &found[static_cast<size_t>(i) * 2], 2);
          }
          uint32_t expected = 0;
          convertElements(FileDType::kF32, &values_[static_cast<size_t>(at)], dtype, &expected, 1);
          wrong += bits != expected;
        }
        EXPECT_EQ(wrong, 0) << kernels->isa << ", dtype " << static_cast<int>(dtype) << ", form "
                            << static_cast<int>(form);
      }
    }
  }
}

TEST_F(LargeWeights, MatricesThatAreJoinedAreOne) {
  const char* why = "";
  const KernelTable* fastest = selectKernels(nullptr, &why);
  // The first of each kind ends between panels, the second within one.
  for (const std::vector<int64_t>& rows : {std::vector<int64_t>{320, 640, 43}, {3, 500, 500}}) {
    std::vector<FileRange> ranges;
    int64_t first = 0;
    for (int64_t count : rows) {
      const int64_t row = kColumns * 4;
      ranges.push_back(
          {file_.path(), first * row, count * row, FileDType::kF32, 2, {count, kColumns}});
      first += count;
    }
    for (DType dtype : {DType::kFloat32, DType::kBFloat16, DType::kInt8}) {
      for (Form form : {Form::kPlain, Form::kPacked}) {
        checkForm(ranges, dtype, form);
        const State joined(
            loadWeights(ranges, dtype, form, {*fastest, {team_, 2}, pool_, slab_, cancelled_}));
        const State whole(load(form, dtype, *fastest));
        EXPECT_EQ(joined.dims()[0], kRows);
        std::vector<char> found(values_.size() * 4), expected(values_.size() * 4);
        joined.read(found.data(), fastest->packing);
        whole.read(expected.data(), fastest->packing);
        EXPECT_TRUE(found == expected) << rows[0] << " rows, dtype " << static_cast<int>(dtype);
      }
    }
  }
}

std::atomic<int> readsLeft{0};

TEST_F(LargeWeights, AReadThatFailsOnAnyThreadFailsTheLoadAndLeavesNothing) {
  readCall = [](int descriptor, void* target, uint64_t bytes, int64_t offset) -> int64_t {
    return readsLeft-- > 0 ? pread(descriptor, target, bytes, offset) : 0;
  };
  const int64_t before = stateCounters().bytes;
  for (Form form : {Form::kPlain, Form::kPacked, Form::kPackedTransposed}) {
    for (int reads : {0, 1, 5, 15}) {
      readsLeft = reads;
      try {
        load(form, DType::kBFloat16, scalar::table());
        ADD_FAILURE() << "half a tensor has been loaded";
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kFile);
      }
    }
  }
  EXPECT_EQ(stateCounters().bytes, before);
  readsLeft = 1 << 30;
  EXPECT_NO_THROW(load(Form::kPacked, DType::kBFloat16, scalar::table()));
}

TEST_F(LargeWeights, CancellingEndsALoad) {
  cancelled_ = 1;
  try {
    load(Form::kPacked, DType::kFloat32, scalar::table());
    FAIL() << "it has been loaded";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kCancelled);
  }
}

}  // namespace
}  // namespace heddle
