#include "weights.h"

#include <map>
#include <mutex>
#include <tuple>
#include <utility>

#include "error.h"
#include "quantize.h"
#include "weight_reader.h"

namespace heddle {
namespace {

using Key = std::tuple<uint64_t, uint64_t, int64_t, int64_t, int64_t, int64_t, int64_t, FileDType,
                       DType, Form, int, int64_t, int64_t, int64_t, int64_t>;

Key keyOf(const FileIdentity& file, const FileRange& range, DType dtype, Form form) {
  int64_t dims[kMaxRank] = {};
  for (int i = 0; i < range.rank; ++i) dims[i] = range.dims[i];
  return {file.device,  file.inode,  file.modifiedNs, file.changedNs, file.size,
          range.offset, range.bytes, range.dtype,     dtype,          form,
          range.rank,   dims[0],     dims[1],         dims[2],        dims[3]};
}

class Table {
 public:
  std::shared_ptr<Storage> find(const Key& key) {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto at = entries_.find(key);
    return at == entries_.end() ? nullptr : at->second.lock();
  }

  void insert(const Key& key, const std::shared_ptr<Storage>& storage) {
    std::lock_guard<std::mutex> lock(mutex_);
    // Entries hold no memory; those whose weights have gone are swept when others come.
    for (auto at = entries_.begin(); at != entries_.end();) {
      at = at->second.expired() ? entries_.erase(at) : std::next(at);
    }
    entries_[key] = storage;
  }

 private:
  std::mutex mutex_;
  std::map<Key, std::weak_ptr<Storage>> entries_;
};

Table& table() {
  static Table* table = new Table;  // never destroyed: the engine thread may outlive static objects
  return *table;
}

}  // namespace

void checkForm(const FileRange& range, DType dtype, Form form) {
  if (form == Form::kPlain) return;
  if (range.rank != 2 || range.dims[0] < 1 || range.dims[1] < 1 || dtype == DType::kInt32) {
    throw Error(ErrorCode::kArgument,
                "%s: only a matrix of floats, without empty dims, can be packed",
                range.path.c_str());
  }
}

std::shared_ptr<Storage> loadWeights(const FileRange& range, DType dtype, Form form,
                                     const Workbench& bench) {
  const InputFile file(range.path);
  const Key key = keyOf(file.identity(), range, dtype, form);
  if (std::shared_ptr<Storage> found = table().find(key)) return found;
  checkInside(file, range);

  int64_t dims[kMaxRank] = {};
  for (int i = 0; i < range.rank; ++i) dims[i] = range.dims[i];
  const bool transposed = form == Form::kPackedTransposed;
  if (transposed) std::swap(dims[0], dims[1]);
  auto storage = std::make_shared<Storage>(dtype, range.rank, dims, true);
  const Packing& packing = bench.kernels.packing;
  const WeightReader reader(file, range, bench);
  const bool plain = form == Form::kPlain;
  AlignedBuffer target =
      bench.slab.take(plain ? storage->plainBytes() : storage->packedBytes(packing));
  if (isQuantized(dtype)) {
    // Scales belong to rows of the result, which transposed are columns of the file.
    AlignedBuffer floats(storage->elements() * dtypeBytes(DType::kFloat32));
    reader.readPlain(DType::kFloat32, floats.data());
    AlignedBuffer table = plain ? std::move(target) : AlignedBuffer(storage->plainBytes());
    bench.workers.team.run(bench.workers.threads, [&](int thread, int threads) {
      quantizeWeights(dtype, static_cast<const float*>(floats.data()), dims[0], dims[1], transposed,
                      table.data(), thread, threads);
    });
    if (plain) {
      storage->setPlain(std::move(table));
    } else {
      storage->packFrom(table.data(), false, std::move(target), packing, bench.workers);
    }
  } else if (plain) {
    reader.readPlain(dtype, target.data());
    storage->setPlain(std::move(target));
  } else if (transposed) {
    AlignedBuffer contents(storage->plainBytes());
    reader.readPlain(dtype, contents.data());
    storage->packFrom(contents.data(), true, std::move(target), packing, bench.workers);
  } else {
    reader.readPacked(dtype, target.data());
    storage->setPacked(std::move(target), packing);
  }
  table().insert(key, storage);
  return storage;
}

}  // namespace heddle
