#include "error.h"

#include <stdarg.h>
#include <stdio.h>

#include <new>

namespace heddle {

Error::Error(ErrorCode code, const char* format, ...) noexcept : code_(code) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(message_, sizeof message_, format, arguments);
  va_end(arguments);
}

Error Error::current() noexcept {
  try {
    throw;
  } catch (const Error& known) {
    return known;
  } catch (const std::bad_alloc&) {
    return Error(ErrorCode::kMemory, "not enough memory");
  } catch (const std::exception& other) {
    return Error(ErrorCode::kEngine, "%s", other.what());
  } catch (...) {
    return Error(ErrorCode::kEngine, "unknown failure");
  }
}

}  // namespace heddle
