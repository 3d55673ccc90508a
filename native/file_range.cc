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

void checkInside(const InputFile& file, const FileRange& range) {
  // checkFileRange has seen that the sum does not overflow.
  if (range.offset + range.bytes <= file.identity().size) return;
  throw Error(ErrorCode::kFile,
              "%s: expected %" PRId64 " bytes at offset %" PRId64 ", found a file of %" PRId64,
              range.path.c_str(), range.bytes, range.offset, file.identity().size);
}

void readElements(const InputFile& file, const FileRange& range, int64_t first, int64_t count,
                  DType dtype, void* target, Staging staging,
                  const std::atomic<int32_t>& cancelled) {
  const int64_t from = fileDTypeBytes(range.dtype), to = dtypeBytes(dtype);
  if (sameBytes(range.dtype, dtype)) {
    return file.read(range.offset + first * from, target, count * from, cancelled);
  }
  const int64_t step = staging.bytes / from, end = first + count;
  char* out = static_cast<char*>(target);
  for (int64_t at = first; at < end; at += step) {
    const int64_t piece = std::min(step, end - at);
    file.read(range.offset + at * from, staging.data, piece * from, cancelled);
    const int64_t bad = convertElements(range.dtype, staging.data, dtype, out, piece);
    if (bad >= 0) {
      throw Error(ErrorCode::kFormat,
                  "%s: element %" PRId64 " of the %s tensor at offset %" PRId64
                  " does not fit int32",
                  range.path.c_str(), at + bad, fileDTypeName(range.dtype), range.offset);
    }
    out += piece * to;
  }
}

}  // namespace heddle
