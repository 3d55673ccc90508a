#include "weights.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <string>
#include <tuple>
#include <utility>

#include "checked.h"
#include "error.h"
#include "quantize.h"
#include "weight_reader.h"

namespace heddle {
namespace {

using RangeKey = std::tuple<uint64_t, uint64_t, int64_t, int64_t, int64_t, int64_t, int64_t,
                            FileDType, int, int64_t, int64_t, int64_t, int64_t>;
using Key = std::tuple<DType, Form, std::vector<RangeKey>>;

RangeKey keyOf(const FileIdentity& file, const FileRange& range) {
  int64_t dims[kMaxRank] = {};
  for (int i = 0; i < range.rank; ++i) dims[i] = range.dims[i];
  return {file.device,  file.inode,  file.modifiedNs, file.changedNs, file.size,
          range.offset, range.bytes, range.dtype,     range.rank,     dims[0],
          dims[1],      dims[2],     dims[3]};
}

// Each opened once, however many ranges lie in it.
class Files {
 public:
  const InputFile& at(const std::string& path) {
    std::unique_ptr<InputFile>& file = files_[path];
    if (!file) file = std::make_unique<InputFile>(path);
    return *file;
  }

 private:
  std::map<std::string, std::unique_ptr<InputFile>> files_;
};

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

void checkForm(const std::vector<FileRange>& ranges, DType dtype, Form form) {
  if (ranges.empty()) throw Error(ErrorCode::kArgument, "sources: expected at least one");
  const bool joined = ranges.size() > 1;
  int64_t rows = 0;
  for (const FileRange& range : ranges) {
    if (form == Form::kPlain && !joined) return;
    if (range.rank != 2 || range.dims[0] < 1 || range.dims[1] < 1 || dtype == DType::kInt32) {
      throw Error(ErrorCode::kArgument,
                  "%s: only a matrix of floats, without empty dims, can be packed or joined",
                  range.path.c_str());
    }
    if (range.dims[1] != ranges[0].dims[1] || !checkedAdd(rows, range.dims[0], &rows)) {
      throw Error(ErrorCode::kArgument, "%s: matrices of different columns cannot be joined",
                  range.path.c_str());
    }
  }
  if (joined && form == Form::kPackedTransposed) {
    throw Error(ErrorCode::kArgument, "%s: what is joined cannot be transposed",
                ranges[0].path.c_str());
  }
  const int64_t dims[] = {rows, ranges[0].dims[1]};
  int64_t bytes = 0;
  if (joined && !checkedTensorBytes(dtype, dims, 2, &bytes)) {
    throw Error(ErrorCode::kArgument, "%s: the matrices exceed every memory together",
                ranges[0].path.c_str());
  }
}

std::shared_ptr<Storage> loadWeights(const std::vector<FileRange>& ranges, DType dtype, Form form,
                                     const Workbench& bench) {
  Files files;
  std::vector<RangeKey> parts;
  for (const FileRange& range : ranges)
    parts.push_back(keyOf(files.at(range.path).identity(), range));
  const Key key = {dtype, form, std::move(parts)};
  if (std::shared_ptr<Storage> found = table().find(key)) return found;

  const int rank = ranges[0].rank;
  int64_t dims[kMaxRank] = {};
  std::copy(ranges[0].dims, ranges[0].dims + rank, dims);
  for (size_t i = 1; i < ranges.size(); ++i) dims[0] += ranges[i].dims[0];
  for (const FileRange& range : ranges) checkInside(files.at(range.path), range);
  const bool transposed = form == Form::kPackedTransposed;
  if (transposed) std::swap(dims[0], dims[1]);
  auto storage = std::make_shared<Storage>(dtype, rank, dims, true);
  const Packing& packing = bench.kernels.packing;
  const auto readPlain = [&](DType to, void* target) {
    char* at = static_cast<char*>(target);
    for (const FileRange& range : ranges) {
      WeightReader(files.at(range.path), range, bench).readPlain(to, at);
      at += range.bytes / fileDTypeBytes(range.dtype) * dtypeBytes(to);
    }
  };
  const auto readPacked = [&](void* target) {
    int64_t rows = 0;
    for (const FileRange& range : ranges) {
      const int64_t before = rows > 0 ? packing.bytes(dtype, rows, dims[1]) : 0;
      WeightReader(files.at(range.path), range, bench)
          .readPacked(dtype, static_cast<char*>(target) + before);
      rows += range.dims[0];
    }
  };
  // A panel must not hold rows of two matrices, to be made of each by itself.
  const bool inPanels = std::all_of(ranges.begin(), ranges.end() - 1, [&](const FileRange& range) {
    return range.dims[0] % packing.panel == 0;
  });
  const bool plain = form == Form::kPlain;
  AlignedBuffer target =
      bench.slab.take(plain ? storage->plainBytes() : storage->packedBytes(packing));
  if (isQuantized(dtype)) {
    // Scales belong to rows of the result, which transposed are columns of the file.
    AlignedBuffer floats(storage->elements() * dtypeBytes(DType::kFloat32));
    readPlain(DType::kFloat32, floats.data());
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
    readPlain(dtype, target.data());
    storage->setPlain(std::move(target));
  } else if (transposed || !inPanels) {
    AlignedBuffer contents(storage->plainBytes());
    readPlain(dtype, contents.data());
    storage->packFrom(contents.data(), transposed, std::move(target), packing, bench.workers);
  } else {
    readPacked(target.data());
    storage->setPacked(std::move(target), packing);
  }
  table().insert(key, storage);
  return storage;
}

}  // namespace heddle
