#ifdef _WIN32

#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <inttypes.h>
#include <windows.h>

#include "error.h"
#include "file_range.h"

namespace heddle {
namespace {

std::wstring widePath(const std::string& path) {
  const int size = static_cast<int>(path.size());
  const int length = MultiByteToWideChar(CP_UTF8, 0, path.data(), size, nullptr, 0);
  std::wstring wide(static_cast<size_t>(length), L'\0');
  if (length > 0) MultiByteToWideChar(CP_UTF8, 0, path.data(), size, &wide[0], length);
  return wide;
}

constexpr uint64_t join(DWORD high, DWORD low) { return static_cast<uint64_t>(high) << 32 | low; }

}  // namespace

InputFile::InputFile(const std::string& path) : path_(path) {
  handle_ = CreateFileW(widePath(path).c_str(), GENERIC_READ,
                        FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr,
                        OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, nullptr);
  if (handle_ == INVALID_HANDLE_VALUE) {
    throw Error(ErrorCode::kFile, "%s: cannot be opened: system error %lu", path.c_str(),
                GetLastError());
  }
  BY_HANDLE_FILE_INFORMATION facts;
  if (GetFileType(handle_) != FILE_TYPE_DISK || !GetFileInformationByHandle(handle_, &facts)) {
    CloseHandle(handle_);
    throw Error(ErrorCode::kFile, "%s: expected a regular file", path.c_str());
  }
  const uint64_t modified =
      join(facts.ftLastWriteTime.dwHighDateTime, facts.ftLastWriteTime.dwLowDateTime);
  identity_ = {facts.dwVolumeSerialNumber, join(facts.nFileIndexHigh, facts.nFileIndexLow),
               static_cast<int64_t>(modified), static_cast<int64_t>(modified),
               static_cast<int64_t>(join(facts.nFileSizeHigh, facts.nFileSizeLow))};
}

InputFile::~InputFile() { CloseHandle(handle_); }

int64_t InputFile::readPiece(int64_t offset, void* target, int64_t bytes) const {
  OVERLAPPED at = {};
  at.Offset = static_cast<DWORD>(offset);
  at.OffsetHigh = static_cast<DWORD>(offset >> 32);
  DWORD got = 0;
  if (ReadFile(handle_, target, static_cast<DWORD>(bytes), &got, &at)) return got;
  const DWORD reason = GetLastError();
  if (reason == ERROR_HANDLE_EOF) return 0;
  throw Error(ErrorCode::kFile,
              "%s: reading %" PRId64 " bytes at offset %" PRId64 " failed: system error %lu",
              path_.c_str(), bytes, offset, reason);
}

}  // namespace heddle

#endif
