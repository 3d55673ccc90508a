// A file that is gone with the object.
#pragma once

#include <gtest/gtest.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

namespace heddle::test {

class TemporaryFile {
 public:
  TemporaryFile(const void* data, size_t bytes) {
    snprintf(path_, sizeof path_, "%sheddle-XXXXXX", ::testing::TempDir().c_str());
    const int descriptor = mkstemp(path_);
    EXPECT_GE(descriptor, 0);
    EXPECT_EQ(write(descriptor, data, bytes), static_cast<ssize_t>(bytes));
    close(descriptor);
  }
  ~TemporaryFile() { unlink(path_); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  const char* path() const { return path_; }

 private:
  char path_[256];
};

}  // namespace heddle::test
