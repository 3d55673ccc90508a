#include "file_range.h"

#include <inttypes.h>

#include <algorithm>

#include "checked.h"
#include "error.h"

namespace heddle {
namespace {

// Small enough that a cancelled load ends soon, large enough that the calls cost nothing.
constexpr int64_t kPiece = int64_t{4} << 20;

}  // namespace

void checkFileRange(const FileRange& range) {
  const char* path = range.path.c_str();
  for (int i = 0; i < range.rank; ++i) {
    if (range.dims[i] < 0) {
      throw Error(ErrorCode::kFormat, "%s: expected dims of at least 0, found %" PRId64, path,
                  range.dims[i]);
    }
  }
  int64_t bytes = 0, end = 0;
  if (!checkedBytes(range.dims, range.rank, fileDTypeBytes(range.dtype), &bytes)) {
    throw Error(ErrorCode::kFormat, "%s: the dims of a tensor exceed every memory", path);
  }
  if (bytes != range.bytes) {
    throw Error(ErrorCode::kFormat,
                "%s: expected %" PRId64
                " bytes for a tensor of its dims and dtype %s, found %" PRId64,
                path, bytes, fileDTypeName(range.dtype), range.bytes);
  }
  if (range.offset < 0 || !checkedAdd(range.offset, range.bytes, &end)) {
    throw Error(ErrorCode::kFormat, "%s: a tensor at the impossible offset %" PRId64, path,
                range.offset);
  }
}

void InputFile::read(int64_t offset, void* target, int64_t bytes,
                     const std::atomic<int32_t>& cancelled) const {
  int64_t done = 0;
  while (done < bytes) {
    if (cancelled.load(std::memory_order_relaxed)) throw Error(ErrorCode::kCancelled, "cancelled");
    const int64_t want = std::min(bytes - done, kPiece);
    const int64_t got = readPiece(offset + done, static_cast<char*>(target) + done, want);
    if (got == 0) {
      throw Error(ErrorCode::kFile,
                  "%s: expected %" PRId64 " bytes at offset %" PRId64
                  ", found the end after %" PRId64,
                  path_.c_str(), bytes, offset, done);
    }
    done += got;
  }
}

AlignedBuffer readTensor(const InputFile& file, const FileRange& range, DType dtype,
                         const std::atomic<int32_t>& cancelled) {
  // checkFileRange has seen that the sum does not overflow.
  if (range.offset + range.bytes > file.identity().size) {
    throw Error(ErrorCode::kFile,
                "%s: expected %" PRId64 " bytes at offset %" PRId64 ", found a file of %" PRId64,
                range.path.c_str(), range.bytes, range.offset, file.identity().size);
  }
  const int64_t from = fileDTypeBytes(range.dtype), to = dtypeBytes(dtype);
  const int64_t elements = range.bytes / from;
  AlignedBuffer target(elements * to);
  if (sameBytes(range.dtype, dtype)) {
    file.read(range.offset, target.data(), range.bytes, cancelled);
    return target;
  }
  AlignedBuffer staging(std::min(range.bytes, kPiece));
  const int64_t step = kPiece / from;
  for (int64_t first = 0; first < elements; first += step) {
    const int64_t count = std::min(step, elements - first);
    file.read(range.offset + first * from, staging.data(), count * from, cancelled);
    char* out = static_cast<char*>(target.data()) + first * to;
    const int64_t bad = convertElements(range.dtype, staging.data(), dtype, out, count);
    if (bad >= 0) {
      throw Error(ErrorCode::kFormat,
                  "%s: element %" PRId64 " of the %s tensor at offset %" PRId64
                  " does not fit int32",
                  range.path.c_str(), first + bad, fileDTypeName(range.dtype), range.offset);
    }
  }
  return target;
}

}  // namespace heddle
