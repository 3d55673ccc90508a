// Ranges of a file that lie about offset, bytes, dtype and dims: refused, or read from inside the
// file.
#include "file_range.h"

#include <stdlib.h>
#include <unistd.h>

#include <cstring>

#include "error.h"
#include "weights.h"

namespace {

using namespace heddle;

constexpr int64_t kFileBytes = 4096;

// A file of kFileBytes, gone from its folder when the process ends.
const std::string& filePath() {
  static const std::string* path = [] {
    char name[] = "/tmp/heddle-fuzz-XXXXXX";
    const int descriptor = mkstemp(name);
    char contents[kFileBytes];
    for (int i = 0; i < kFileBytes; ++i) contents[i] = static_cast<char>(i * 37);
    if (descriptor < 0 || write(descriptor, contents, sizeof contents) != kFileBytes) abort();
    close(descriptor);
    auto* result = new std::string(name);
    atexit([] { unlink(filePath().c_str()); });
    return result;
  }();
  return *path;
}

struct Input {
  int64_t offset, bytes, dims[kMaxRank];
  uint8_t rank, from, to, form;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Input input = {};
  memcpy(&input, data, size < sizeof input ? size : sizeof input);
  FileRange range = {filePath(),
                     input.offset,
                     input.bytes,
                     static_cast<FileDType>(input.from % kFileDTypes),
                     input.rank % (kMaxRank + 1),
                     {}};
  memcpy(range.dims, input.dims, sizeof range.dims);
  const DType dtype = static_cast<DType>(input.to % 4);
  const Form form = static_cast<Form>(input.form % 3);
  static Team* team = new Team;
  static BlockPool* pool = new BlockPool;
  static Slab* slab = new Slab;
  const std::atomic<int32_t> cancelled{0};
  const KernelTable& kernels = scalar::table();
  try {
    checkFileRange(range);
    checkForm({range}, dtype, form);
    const State state(
        loadWeights({range}, dtype, form, {kernels, {*team, 1}, *pool, *slab, cancelled}));
    if (range.offset + range.bytes > kFileBytes) abort();
    std::vector<char> contents(static_cast<size_t>(state.storage().plainBytes()));
    state.read(contents.data(), kernels.packing);
  } catch (const Error&) {
  }
  return 0;
}
