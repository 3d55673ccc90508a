// Reads that fail, files that are too short, ranges that lie.
#include "file_range.h"

#include <errno.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <climits>
#include <cstring>
#include <vector>

#include "error.h"
#include "memory.h"
#include "test/temporary_file.h"

namespace heddle {
namespace {

// What the replaced read call does at its n-th call.
enum class Fault { kNone, kInterrupt, kError, kEnd, kShort };
Fault fault;
int faultAt, calls;

int64_t faultyRead(int descriptor, void* target, uint64_t bytes, int64_t offset) {
  if (calls++ == faultAt) {
    switch (fault) {
      case Fault::kInterrupt:
        errno = EINTR;
        return -1;
      case Fault::kError:
        errno = EIO;
        return -1;
      case Fault::kEnd:
        return 0;
      case Fault::kShort:
        bytes = 1;
        break;
      case Fault::kNone:
        break;
    }
  }
  return pread(descriptor, target, bytes, offset);
}

class FileRangeTest : public ::testing::Test {
 protected:
  static constexpr int64_t kElements = (9 << 20) / 8;  // three pieces
  static constexpr int64_t kStaging = 4 << 20;

  void SetUp() override {
    original_ = readCall;
    readCall = faultyRead;
  }
  void TearDown() override { readCall = original_; }

  static std::vector<double> numbers() {
    std::vector<double> values(kElements);
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(i % 4096);
    return values;
  }

  FileRange whole() const {
    return {file_.path(), 0, kElements * 8, FileDType::kF64, 1, {kElements}};
  }

  ErrorCode load(Fault what, int at, DType dtype = DType::kFloat32) {
    fault = what;
    faultAt = at;
    calls = 0;
    try {
      const InputFile file(file_.path());
      checkInside(file, whole());
      const AlignedBuffer data(kElements * 4), staging(kStaging);
      readElements(file, whole(), 0, kElements, dtype, data.data(),
                   {static_cast<char*>(staging.data()), kStaging}, cancelled_);
      if (dtype == DType::kFloat32) {
        const float* found = static_cast<const float*>(data.data());
        for (size_t i = 0; i < values_.size(); ++i) {
          if (found[i] != static_cast<float>(values_[i])) return ErrorCode::kEngine;
        }
      }
    } catch (const Error& error) {
      message_ = error.what();
      return error.code();
    }
    return ErrorCode::kNone;
  }

  static ErrorCode check(const FileRange& range) {
    try {
      checkFileRange(range);
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::kNone;
  }

  std::vector<double> values_ = numbers();
  const test::TemporaryFile file_{values_.data(), values_.size() * 8};
  std::atomic<int32_t> cancelled_{0};
  std::string message_;
  ReadCall original_ = nullptr;
};

TEST_F(FileRangeTest, EveryReadMayFail) {
  ASSERT_EQ(load(Fault::kNone, 0), ErrorCode::kNone);
  const int reads = calls;
  ASSERT_GE(reads, 3);
  for (int i = 0; i < reads; ++i) {
    EXPECT_EQ(load(Fault::kError, i), ErrorCode::kFile);
    EXPECT_NE(message_.find(file_.path()), std::string::npos);
    EXPECT_EQ(load(Fault::kEnd, i), ErrorCode::kFile);
    EXPECT_EQ(load(Fault::kInterrupt, i), ErrorCode::kNone);
    EXPECT_EQ(load(Fault::kShort, i), ErrorCode::kNone);
  }
}

TEST_F(FileRangeTest, AFileThatShrinksIsAnError) {
  const InputFile file(file_.path());
  ASSERT_EQ(truncate(file_.path(), 5 << 20), 0);
  fault = Fault::kNone;
  try {
    const AlignedBuffer data(kElements * 4), staging(kStaging);
    readElements(file, whole(), 0, kElements, DType::kFloat32, data.data(),
                 {static_cast<char*>(staging.data()), kStaging}, cancelled_);
    FAIL() << "half a file has been read";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kFile);
  }
}

TEST_F(FileRangeTest, AFileThatIsTooShortIsAnErrorBeforeAnyRead) {
  ASSERT_EQ(truncate(file_.path(), kElements * 8 - 1), 0);
  EXPECT_EQ(load(Fault::kNone, 0), ErrorCode::kFile);
  EXPECT_EQ(calls, 0);
}

TEST_F(FileRangeTest, CancellingEndsALoad) {
  cancelled_ = 1;
  EXPECT_EQ(load(Fault::kNone, 0), ErrorCode::kCancelled);
}

TEST_F(FileRangeTest, WhatDoesNotFitInt32IsAnError) {
  values_[kElements - 1] = 1e10;
  FILE* file = fopen(file_.path(), "wb");
  fwrite(values_.data(), 8, values_.size(), file);
  fclose(file);
  EXPECT_EQ(load(Fault::kNone, 0, DType::kInt32), ErrorCode::kFormat);
  EXPECT_NE(message_.find(std::to_string(kElements - 1)), std::string::npos);
}

TEST_F(FileRangeTest, RangesThatCannotBeAreRefused) {
  FileRange range = whole();
  EXPECT_EQ(check(range), ErrorCode::kNone);
  for (int64_t offset : {int64_t{-1}, INT64_MIN, INT64_MAX, INT64_MAX - kElements}) {
    range.offset = offset;
    EXPECT_EQ(check(range), ErrorCode::kFormat);
  }
  for (int64_t bytes : {int64_t{0}, int64_t{-1}, kElements * 8 - 1, INT64_MAX}) {
    range = whole();
    range.bytes = bytes;
    EXPECT_EQ(check(range), ErrorCode::kFormat);
  }
  const int64_t big = int64_t{1} << 32;
  EXPECT_EQ(check({file_.path(), 0, 0, FileDType::kF32, 2, {big, big}}), ErrorCode::kFormat);
  EXPECT_EQ(check({file_.path(), 0, 0, FileDType::kF32, 3, {0, big, big}}), ErrorCode::kFormat);
  EXPECT_EQ(check({file_.path(), 0, 0, FileDType::kF32, 2, {-1, 0}}), ErrorCode::kFormat);
  EXPECT_EQ(check({file_.path(), 0, 0, FileDType::kF32, 2, {0, 7}}), ErrorCode::kNone);
  EXPECT_EQ(check({file_.path(), 4, 4, FileDType::kF32, 0, {}}), ErrorCode::kNone);
}

TEST(InputFile, OnlyRegularFilesAreOpened) {
  EXPECT_THROW(InputFile(::testing::TempDir()), Error);
  EXPECT_THROW(InputFile(::testing::TempDir() + "not-there"), Error);
  const std::string pipe = ::testing::TempDir() + "heddle-pipe-" + std::to_string(getpid());
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_THROW(InputFile{pipe}, Error) << "and does not wait for a writer";
  unlink(pipe.c_str());
}

}  // namespace
}  // namespace heddle
