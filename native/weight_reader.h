// Reads one tensor on the whole team, in pieces that pass from the file's cache to their place
// while they are in that of the processor. Files are read and never mapped: one that shrinks while
// it is mapped ends the process.
#pragma once

#include "engine.h"
#include "file_range.h"

namespace heddle {

class WeightReader {
 public:
  // The range lies inside the file. Both must outlive the reader.
  WeightReader(const InputFile& file, const FileRange& range, const Workbench& bench)
      : file_(file), range_(range), bench_(bench) {}

  // The whole tensor, row-major, converted to `dtype`.
  void readPlain(DType dtype, void* target) const;

  // A matrix [n,k] of floats, converted to `dtype` and packed for `linear`.
  void readPacked(DType dtype, void* target) const;

 private:
  template <typename Body>
  void inPieces(int64_t pieces, int64_t stagingBytes, const Body& body) const;

  const InputFile& file_;
  const FileRange& range_;
  const Workbench& bench_;
};

}  // namespace heddle
