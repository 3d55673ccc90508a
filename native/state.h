// Buffers that outlive a run: parameters, KV caches, optimiser moments.
//
// A State is what a plan and a JS handle refer to; its Storage is the memory. States that were
// loaded from the same range of the same file share one Storage (weights.h), which is then never
// written: a State gets its own copy before the first run that writes it.
//
// A Storage holds the contents plain (row-major), packed for `linear`, or both. The missing form is
// made from the other at first use, exactly: packing does not round. A run that writes a State
// writes the plain form, and afterwards the packed one is dropped.
//
// Only the engine thread makes forms and writes contents. Other threads read(), which waits for a
// run that is writing.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>

#include "checked.h"
#include "dispatch.h"
#include "memory.h"
#include "parallel.h"

namespace heddle {

enum class Form : int32_t { kPlain = 0, kPacked, kPackedTransposed };

// Alive now, and packings since the process began.
struct StateCounters {
  std::atomic<int64_t> states{0}, bytes{0}, packs{0};
};
StateCounters& stateCounters();

// The team, as what needs it sees it.
struct Workers {
  Team& team;
  int threads;
};

class Storage {
 public:
  Storage(DType dtype, int rank, const int64_t* dims, bool shared);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  const DType dtype;
  const int rank;
  int64_t dims[kMaxRank] = {};
  const bool shared;  // with other states: never to be written

  int64_t elements() const;
  int64_t plainBytes() const;
  int64_t bytes() const { return plain_.bytes() + packedData_.bytes(); }

  // Before the storage is known to others: takes the contents, row-major or packed; or packs them
  // from `source`, which is [n,k] or (transposed) [k,n], into memory of packedBytes().
  void setPlain(AlignedBuffer plain);
  void setPacked(AlignedBuffer packed, const Packing& packing);
  void packFrom(const void* source, bool transposed, AlignedBuffer target, const Packing& packing,
                Workers workers);
  int64_t packedBytes(const Packing& packing) const;

  // Makes sure that a form is there. Engine thread only.
  void needPlain(const Packing& packing);
  void needPacked(const Packing& packing, Workers workers);
  void dropPacked();

  void* plain() const { return plain_.data(); }
  const PackedMatrix* packed() const { return packedData_.data() ? &packed_ : nullptr; }

  // The contents in plain form, plainBytes() bytes. Any thread.
  void copyTo(void* target, const Packing& packing) const;

 private:
  void count(int64_t bytes);

  mutable std::mutex mutex_;  // held while a form comes or goes, and while read() copies
  AlignedBuffer plain_, packedData_;
  PackedMatrix packed_ = {};
};

class State {
 public:
  explicit State(std::shared_ptr<Storage> storage);
  ~State();
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  DType dtype() const { return dtype_; }
  int rank() const { return rank_; }
  const int64_t* dims() const { return dims_; }
  int64_t elements() const { return elements_; }
  int64_t bytesWhenMade() const { return bytes_; }

  Storage& storage() const { return *storage_; }

  // The contents, row-major; int8 and int4 as float32.
  void read(void* target, const Packing& packing) const;

  // Held from before the first write of a run until after its last.
  std::mutex& writing() const { return mutex_; }
  // Makes the contents plain and this state's own. To be called with writing() held.
  void prepareToWrite(const Packing& packing);

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<Storage> storage_;
  DType dtype_;
  int rank_;
  int64_t dims_[kMaxRank] = {};
  int64_t elements_, bytes_;
};

}  // namespace heddle
