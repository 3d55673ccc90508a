// The one exception of the native side. It never crosses the C API: api.cc turns it into a
// HeddleError.
#pragma once

#include <exception>

namespace heddle {

// Numbered as HeddleCode in api.h.
enum class ErrorCode {
  kNone = 0,
  kShape,
  kArgument,
  kInput,
  kFile,
  kFormat,
  kUnsupported,
  kDisposed,
  kMemory,
  kEngine,
  kCancelled,
};

// Holds its message in place: reporting that memory has run out must not need memory.
class Error : public std::exception {
 public:
  static constexpr int kMessageBytes = 1020;

  // `format` as for printf; a message that is too long is cut.
#if defined(__GNUC__)
  __attribute__((format(printf, 3, 4)))
#endif
  Error(ErrorCode code, const char* format, ...) noexcept;

  ErrorCode code() const noexcept { return code_; }
  const char* what() const noexcept override { return message_; }

  // The exception being handled, as an Error; to be called inside a catch block.
  static Error current() noexcept;

 private:
  ErrorCode code_;
  char message_[kMessageBytes];
};

}  // namespace heddle
