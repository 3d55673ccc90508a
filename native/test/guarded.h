// Memory whose end touches a page that cannot be read, and whose few bytes before the start are
// checked when it is given back.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>

#ifdef _WIN32
#include <windows.h>
#else
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace heddle::test {

class Guarded {
 public:
  explicit Guarded(size_t bytes) : bytes_(bytes) {
    const size_t page = pageSize();
    body_ = (bytes + kCanary + page - 1) / page * page;
    base_ = map(body_ + page);
    protect(base_ + body_, page);
    std::memset(base_, kPattern, body_ - bytes_);
  }
  ~Guarded() {
    for (size_t i = 0; i < body_ - bytes_; i++) {
      if (base_[i] != kPattern) {
        ADD_FAILURE() << "wrote " << body_ - bytes_ - i << " bytes before a buffer of " << bytes_;
        break;
      }
    }
    unmap(base_, body_ + pageSize());
  }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;

  void* data() const { return base_ + body_ - bytes_; }
  size_t bytes() const { return bytes_; }

 private:
  static constexpr size_t kCanary = 64;
  static constexpr uint8_t kPattern = 0xA5;

#ifdef _WIN32
  static size_t pageSize() {
    SYSTEM_INFO info;
    GetSystemInfo(&info);
    return info.dwPageSize;
  }
  static uint8_t* map(size_t bytes) {
    return static_cast<uint8_t*>(
        VirtualAlloc(nullptr, bytes, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE));
  }
  static void protect(uint8_t* at, size_t bytes) {
    DWORD before;
    VirtualProtect(at, bytes, PAGE_NOACCESS, &before);
  }
  static void unmap(uint8_t* at, size_t) { VirtualFree(at, 0, MEM_RELEASE); }
#else
  static size_t pageSize() { return static_cast<size_t>(sysconf(_SC_PAGESIZE)); }
  static uint8_t* map(size_t bytes) {
    void* made = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (made == MAP_FAILED) throw std::bad_alloc();
    return static_cast<uint8_t*>(made);
  }
  static void protect(uint8_t* at, size_t bytes) { mprotect(at, bytes, PROT_NONE); }
  static void unmap(uint8_t* at, size_t bytes) { munmap(at, bytes); }
#endif

  size_t bytes_;
  size_t body_;
  uint8_t* base_;
};

}  // namespace heddle::test
