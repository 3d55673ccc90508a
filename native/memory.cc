#include "memory.h"

#include <stdlib.h>

#include <new>

#ifndef _WIN32
#include <sys/mman.h>
#endif

#include "checked.h"

namespace heddle {
namespace {

constexpr int64_t kHugePage = int64_t{2} << 20;

std::align_val_t alignmentOf(int64_t bytes) {
  return std::align_val_t(bytes >= kHugePage ? kHugePage : int64_t{kAlignment});
}

// Rows of activations lie a page apart and weights fill thousands: with pages of 4 KiB products
// wait for the translation of addresses, most of all in virtual machines.
void askForHugePages([[maybe_unused]] void* data, [[maybe_unused]] int64_t bytes) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  if (bytes < kHugePage) return;
  // A hint; the buffer serves as well where the system refuses.
  (void)madvise(data, static_cast<size_t>(bytes / kHugePage * kHugePage), MADV_HUGEPAGE);
#endif
}

#ifdef _WIN32
void* takeZeros(size_t bytes) { return calloc(1, bytes); }
void giveZeros(void* data, size_t) { free(data); }
#else
// Not calloc, which writes the zeros where malloc has had the memory before.
void* takeZeros(size_t bytes) {
  void* data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return data == MAP_FAILED ? nullptr : data;
}
void giveZeros(void* data, size_t bytes) { munmap(data, bytes); }
#endif

// What `zeroed` takes: room to align the buffer in.
size_t zerosFor(int64_t bytes) { return static_cast<size_t>(alignUp(bytes)) + 2 * kAlignment; }

}  // namespace

// Through operator new, so that a test can let any allocation fail.
AlignedBuffer::AlignedBuffer(int64_t bytes) : bytes_(bytes) {
  if (bytes < 0 || bytes > kMaxBytes) throw std::bad_alloc();
  const size_t size = static_cast<size_t>(bytes > 0 ? alignUp(bytes) : kAlignment);
  // The form that does not throw: AddressSanitizer ends the process where the other one would
  // throw.
  data_ = ::operator new(size, alignmentOf(bytes), std::nothrow);
  if (!data_) throw std::bad_alloc();
  askForHugePages(data_, bytes);
}

AlignedBuffer AlignedBuffer::zeroed(int64_t bytes) {
  if (bytes < 0 || bytes > kMaxBytes) throw std::bad_alloc();
  AlignedBuffer buffer;
  buffer.cleared_ = takeZeros(zerosFor(bytes));
  if (!buffer.cleared_) throw std::bad_alloc();
  const uintptr_t address = reinterpret_cast<uintptr_t>(buffer.cleared_) + kAlignment - 1;
  buffer.data_ = reinterpret_cast<void*>(address / kAlignment * kAlignment);
  buffer.bytes_ = bytes;
  return buffer;
}

AlignedBuffer AlignedBuffer::part(std::shared_ptr<const AlignedBuffer> whole, int64_t offset,
                                  int64_t bytes) {
  AlignedBuffer buffer;
  buffer.data_ = static_cast<char*>(whole->data()) + offset;
  buffer.bytes_ = bytes;
  buffer.whole_ = std::move(whole);
  return buffer;
}

AlignedBuffer::~AlignedBuffer() {
  if (whole_) return;
  if (cleared_) {
    giveZeros(cleared_, zerosFor(bytes_));
  } else {
    ::operator delete(data_, alignmentOf(bytes_));
  }
}

AlignedBuffer Slab::take(int64_t bytes) {
  if (bytes < 0 || bytes > kBlockBytes / 4) return AlignedBuffer(bytes);
  std::shared_ptr<const AlignedBuffer> block = block_.lock();
  if (!block || used_ + alignUp(bytes) > kBlockBytes) {
    block = std::make_shared<const AlignedBuffer>(kBlockBytes);
    block_ = block;
    used_ = 0;
  }
  const int64_t offset = used_;
  used_ += alignUp(bytes);
  return AlignedBuffer::part(std::move(block), offset, bytes);
}

AlignedBuffer BlockPool::take(int64_t bytes) {
  size_t best = blocks_.size();
  for (size_t i = 0; i < blocks_.size(); ++i) {
    const int64_t size = blocks_[i].bytes();
    if (size < bytes || size / 4 > bytes) continue;
    if (best == blocks_.size() || size < blocks_[best].bytes()) best = i;
  }
  if (best == blocks_.size()) return AlignedBuffer(bytes);
  AlignedBuffer block = std::move(blocks_[best]);
  blocks_.erase(blocks_.begin() + static_cast<std::ptrdiff_t>(best));
  return block;
}

void BlockPool::give(AlignedBuffer block) noexcept {
  blocks_.push_back(std::move(block));
  while (blocks_.size() > kMaxBlocks ||
         (blocks_.size() > kLastBlocks && bytes() > kMaxPooledBytes)) {
    blocks_.erase(blocks_.begin());
  }
}

int64_t BlockPool::bytes() const {
  int64_t total = 0;
  for (const AlignedBuffer& block : blocks_) total += block.bytes();
  return total;
}

}  // namespace heddle
