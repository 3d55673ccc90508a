// One tensor inside a file: checked, identified and read. TypeScript has parsed the file's header;
// here only a path, an offset and sizes arrive, and all are checked again.
#pragma once

#include <stdint.h>

#include <atomic>
#include <string>

#include "convert.h"
#include "kernels/kernel.h"

namespace heddle {

struct FileRange {
  std::string path;  // UTF-8
  int64_t offset, bytes;
  FileDType dtype;
  int rank;
  int64_t dims[kMaxRank];
};

// Throws where offset, bytes, dtype and dims cannot belong together, whatever the file.
void checkFileRange(const FileRange& range);

// What tells whether a file is still the same one, with the same contents. The time of the last
// change of status is among it because a program can set the time of the last modification.
struct FileIdentity {
  uint64_t device, inode;
  int64_t modifiedNs, changedNs, size;
};

// A file open for reading; closed at the end of the scope.
class InputFile {
 public:
  explicit InputFile(const std::string& path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  const FileIdentity& identity() const { return identity_; }

  // Exactly `bytes` bytes, in pieces; looks at `cancelled` between them.
  void read(int64_t offset, void* target, int64_t bytes,
            const std::atomic<int32_t>& cancelled) const;

 private:
  int64_t readPiece(int64_t offset, void* target, int64_t bytes) const;

  std::string path_;
#ifdef _WIN32
  void* handle_;
#else
  int descriptor_;
#endif
  FileIdentity identity_ = {};
};

// Throws where the range, which has been checked, does not lie inside the file.
void checkInside(const InputFile& file, const FileRange& range);

// Memory for what is on its way from a file, for one thread.
struct Staging {
  char* data;
  int64_t bytes;  // at least those of an element
};

// `count` elements of the tensor from `first` on, row-major, converted to `dtype`. Both it and the
// range in the file have been checked.
void readElements(const InputFile& file, const FileRange& range, int64_t first, int64_t count,
                  DType dtype, void* target, Staging staging,
                  const std::atomic<int32_t>& cancelled);

// The call that reads, for tests to replace: like pread, −1 and errno on failure.
using ReadCall = int64_t (*)(int descriptor, void* target, uint64_t bytes, int64_t offset);
extern ReadCall readCall;

}  // namespace heddle
