#include "weight_reader.h"

#include <algorithm>
#include <mutex>
#include <optional>

#include "error.h"

namespace heddle {
namespace {

// Of the file, at a time: large enough that calls cost nothing; with what is made of it, it stays
// in a second-level cache.
constexpr int64_t kPieceBytes = int64_t{128} << 10;

// Of the file: below that, waking the team takes longer than it saves.
constexpr int64_t kLeastForTeam = int64_t{192} << 10;

int64_t divideUp(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Of what several threads do: the first error, after which the others begin nothing.
class FirstError {
 public:
  template <typename Body>
  void guard(const Body& body) noexcept {
    try {
      body();
    } catch (...) {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (!error_) error_ = Error::current();
      failed_.store(true, std::memory_order_relaxed);
    }
  }
  bool failed() const { return failed_.load(std::memory_order_relaxed); }
  void rethrow() const {
    if (error_) throw *error_;
  }

 private:
  std::mutex mutex_;
  std::atomic<bool> failed_{false};
  std::optional<Error> error_;
};

}  // namespace

// body(piece, staging) for every number below `pieces`, on whichever thread is free.
template <typename Body>
void WeightReader::inPieces(int64_t pieces, int64_t stagingBytes, const Body& body) const {
  const bool small = range_.bytes < kLeastForTeam;
  const int threads = small ? 1 : bench_.workers.threads;
  const int64_t each = alignUp(stagingBytes);
  const PooledBlock staging(bench_.pool, each * threads);
  std::atomic<int64_t> next{0};
  FirstError error;
  bench_.workers.team.run(threads, [&](int thread, int) {
    error.guard([&] {
      for (int64_t i; !error.failed() && (i = next++) < pieces;) {
        body(i, staging.data() + thread * each);
      }
    });
  });
  error.rethrow();
}

void WeightReader::readPlain(DType dtype, void* target) const {
  const int64_t from = fileDTypeBytes(range_.dtype), to = dtypeBytes(dtype);
  const int64_t elements = range_.bytes / from, step = kPieceBytes / from;
  inPieces(divideUp(elements, step), kPieceBytes, [&](int64_t piece, char* staging) {
    const int64_t first = piece * step;
    readElements(file_, range_, first, std::min(step, elements - first), dtype,
                 static_cast<char*>(target) + first * to, {staging, kPieceBytes}, bench_.cancelled);
  });
}

void WeightReader::readPacked(DType dtype, void* target) const {
  const Packing& packing = bench_.kernels.packing;
  const int64_t n = range_.dims[0], k = range_.dims[1], row = k * dtypeBytes(dtype);
  const int64_t step = packing.panel * std::max<int64_t>(1, kPieceBytes / (packing.panel * row));
  const int64_t rowsBytes = alignUp(step * row);
  inPieces(divideUp(n, step), rowsBytes + kPieceBytes, [&](int64_t piece, char* staging) {
    const int64_t first = piece * step, rows = std::min(step, n - first);
    readElements(file_, range_, first * k, rows * k, dtype, staging,
                 {staging + rowsBytes, kPieceBytes}, bench_.cancelled);
    // Panels of floats follow each other, so those of some rows are a packed matrix of their own.
    const int64_t before = first > 0 ? packing.bytes(dtype, first, k) : 0;
    PackedMatrix panels = {static_cast<char*>(target) + before, dtype, rows, k, packing.panel};
    packing.pack(&panels, staging, false, 0, 1);
  });
}

}  // namespace heddle
