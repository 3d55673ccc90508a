// Aligned memory: owned buffers, and the pool from which runs take their arena and scratch.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <memory>
#include <utility>
#include <vector>

namespace heddle {

// `bytes` of uninitialised memory aligned to kAlignment. Move-only. Throws std::bad_alloc.
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(int64_t bytes);
  // Zeros; of a large buffer the system gives memory only where it is touched.
  static AlignedBuffer zeroed(int64_t bytes);
  // `bytes` of a larger buffer, which lives as long as its last part.
  static AlignedBuffer part(std::shared_ptr<const AlignedBuffer> whole, int64_t offset,
                            int64_t bytes);
  ~AlignedBuffer();
  AlignedBuffer(AlignedBuffer&& other) noexcept { swap(other); }
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    swap(other);
    return *this;
  }

  void* data() const { return data_; }  // never null once constructed with a size, even of zero
  int64_t bytes() const { return bytes_; }

 private:
  void swap(AlignedBuffer& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(cleared_, other.cleared_);
    whole_.swap(other.whole_);
    std::swap(bytes_, other.bytes_);
  }

  void* data_ = nullptr;
  void* cleared_ = nullptr;                     // where the buffer is inside of what `zeroed` took
  std::shared_ptr<const AlignedBuffer> whole_;  // what the buffer is a part of; mostly nothing
  int64_t bytes_ = 0;
};

// Memory for the many matrices of a model, each too small for a huge page of its own, side by side
// in large blocks: on pages of 4 KiB it takes longer to get the memory than to fill it, and
// products wait for the translation of addresses. A block is given back with the last buffer in it,
// so the buffers should come and go together. Used by the engine thread only; buffers may go
// anywhere.
class Slab {
 public:
  AlignedBuffer take(int64_t bytes);

 private:
  static constexpr int64_t kBlockBytes = int64_t{32} << 20;

  std::weak_ptr<const AlignedBuffer> block_;  // the one that is being filled
  int64_t used_ = 0;
};

// Blocks that go from run to run. Used by the engine thread only.
class BlockPool {
 public:
  // Room for the longest list that give() makes: giving back must not fail.
  BlockPool() { blocks_.reserve(kMaxBlocks + 1); }

  // A block of at least `bytes`: a pooled one that is not more than four times too large, else a
  // new one.
  AlignedBuffer take(int64_t bytes);
  void give(AlignedBuffer block) noexcept;
  int64_t bytes() const;

 private:
  static constexpr size_t kMaxBlocks = 6;
  static constexpr int64_t kMaxPooledBytes = int64_t{512} << 20;
  // Stay whatever their size, the arena and the scratch of the last run: one of a training step has
  // a thousand megabytes, which the system clears for as long as a tenth of the step.
  static constexpr size_t kLastBlocks = 2;

  std::vector<AlignedBuffer> blocks_;  // least recently used first
};

// A block for one scope.
class PooledBlock {
 public:
  PooledBlock(BlockPool& pool, int64_t bytes) : pool_(pool), block_(pool.take(bytes)) {}
  ~PooledBlock() { pool_.give(std::move(block_)); }
  PooledBlock(const PooledBlock&) = delete;
  PooledBlock& operator=(const PooledBlock&) = delete;
  char* data() const { return static_cast<char*>(block_.data()); }

 private:
  BlockPool& pool_;
  AlignedBuffer block_;
};

}  // namespace heddle
