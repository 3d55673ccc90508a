#include "state.h"

#include <string.h>

#include <utility>

#include "quantize.h"

namespace heddle {

StateCounters& stateCounters() {
  // Never destroyed: states may outlive static objects.
  static StateCounters* counters = new StateCounters;
  return *counters;
}

Storage::Storage(DType dtype, int rank, const int64_t* dims, bool shared)
    : dtype(dtype), rank(rank), shared(shared) {
  for (int i = 0; i < rank; ++i) this->dims[i] = dims[i];
}

Storage::~Storage() { count(-bytes()); }

int64_t Storage::elements() const {
  int64_t product = 1;
  for (int i = 0; i < rank; ++i) product *= dims[i];
  return product;
}

int64_t Storage::plainBytes() const {
  int64_t bytes = 0;
  checkedTensorBytes(dtype, dims, rank, &bytes);  // checked before there was a Storage
  return bytes;
}

void Storage::count(int64_t bytes) { stateCounters().bytes += bytes; }

void Storage::setPlain(AlignedBuffer plain) {
  std::lock_guard<std::mutex> lock(mutex_);
  plain_ = std::move(plain);
  count(plain_.bytes());
}

int64_t Storage::packedBytes(const Packing& packing) const {
  return packing.bytes(dtype, dims[0], dims[1]);
}

void Storage::setPacked(AlignedBuffer packed, const Packing& packing) {
  stateCounters().packs += 1;
  std::lock_guard<std::mutex> lock(mutex_);
  packedData_ = std::move(packed);
  packed_ = {packedData_.data(), dtype, dims[0], dims[1], packing.panel};
  count(packedData_.bytes());
}

void Storage::packFrom(const void* source, bool transposed, AlignedBuffer target,
                       const Packing& packing, Workers workers) {
  PackedMatrix matrix = {target.data(), dtype, dims[0], dims[1], packing.panel};
  workers.team.run(workers.threads, [&](int thread, int threads) {
    packing.pack(&matrix, source, transposed, thread, threads);
  });
  setPacked(std::move(target), packing);
}

void Storage::needPlain(const Packing& packing) {
  if (plain_.data()) return;
  AlignedBuffer data(plainBytes());
  packing.unpack(&packed_, data.data());
  setPlain(std::move(data));
}

void Storage::needPacked(const Packing& packing, Workers workers) {
  if (packedData_.data()) return;
  packFrom(plain_.data(), false, AlignedBuffer(packedBytes(packing)), packing, workers);
}

void Storage::dropPacked() {
  std::lock_guard<std::mutex> lock(mutex_);
  count(-packedData_.bytes());
  AlignedBuffer dropped = std::move(packedData_);
  packed_ = {};
}

void Storage::copyTo(void* target, const Packing& packing) const {
  if (plainBytes() == 0) return;  // then `target` may be null
  std::lock_guard<std::mutex> lock(mutex_);
  if (plain_.data()) {
    memcpy(target, plain_.data(), static_cast<size_t>(plainBytes()));
  } else {
    packing.unpack(&packed_, target);
  }
}

State::State(std::shared_ptr<Storage> storage)
    : storage_(std::move(storage)),
      dtype_(storage_->dtype),
      rank_(storage_->rank),
      elements_(storage_->elements()),
      bytes_(storage_->bytes()) {
  for (int i = 0; i < rank_; ++i) dims_[i] = storage_->dims[i];
  stateCounters().states += 1;
}

State::~State() { stateCounters().states -= 1; }

void State::read(void* target, const Packing& packing) const {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!isQuantized(dtype_)) return storage_->copyTo(target, packing);
  AlignedBuffer table(storage_->plainBytes());
  storage_->copyTo(table.data(), packing);
  dequantizeWeights(dtype_, table.data(), dims_[0], dims_[1], static_cast<float*>(target));
}

void State::prepareToWrite(const Packing& packing) {
  if (!storage_->shared) {
    storage_->needPlain(packing);
    return;
  }
  auto own = std::make_shared<Storage>(dtype_, rank_, dims_, false);
  AlignedBuffer data(own->plainBytes());
  storage_->copyTo(data.data(), packing);
  own->setPlain(std::move(data));
  storage_ = std::move(own);
}

}  // namespace heddle
