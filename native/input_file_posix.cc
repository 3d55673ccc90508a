#ifndef _WIN32

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"
#include "file_range.h"

namespace heddle {

ReadCall readCall = [](int descriptor, void* target, uint64_t bytes, int64_t offset) -> int64_t {
  return pread(descriptor, target, static_cast<size_t>(bytes), static_cast<off_t>(offset));
};

InputFile::InputFile(const std::string& path) : path_(path) {
  // O_NONBLOCK: opening a FIFO must fail the check below, not wait for a writer.
  do {
    descriptor_ = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  } while (descriptor_ < 0 && errno == EINTR);
  if (descriptor_ < 0) {
    throw Error(ErrorCode::kFile, "%s: cannot be opened: %s", path.c_str(), strerror(errno));
  }
  struct stat facts;
  if (fstat(descriptor_, &facts) != 0 || !S_ISREG(facts.st_mode)) {
    close(descriptor_);
    throw Error(ErrorCode::kFile, "%s: expected a regular file", path.c_str());
  }
#ifdef __APPLE__
  const timespec modified = facts.st_mtimespec, changed = facts.st_ctimespec;
#else
  const timespec modified = facts.st_mtim, changed = facts.st_ctim;
#endif
  auto nanoseconds = [](const timespec& time) {
    return static_cast<int64_t>(time.tv_sec) * 1000000000 + time.tv_nsec;
  };
  identity_ = {static_cast<uint64_t>(facts.st_dev), static_cast<uint64_t>(facts.st_ino),
               nanoseconds(modified), nanoseconds(changed), static_cast<int64_t>(facts.st_size)};
}

InputFile::~InputFile() { close(descriptor_); }

int64_t InputFile::readPiece(int64_t offset, void* target, int64_t bytes) const {
  for (;;) {
    const int64_t got = readCall(descriptor_, target, static_cast<uint64_t>(bytes), offset);
    if (got >= 0) return got;
    if (errno == EINTR) continue;
    throw Error(ErrorCode::kFile, "%s: reading %" PRId64 " bytes at offset %" PRId64 " failed: %s",
                path_.c_str(), bytes, offset, strerror(errno));
  }
}

}  // namespace heddle

#endif
