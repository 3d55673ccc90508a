// The process-wide table of weights that were loaded from files: whoever asks for the same range of
// the same file, in the same dtype and form, gets the same memory, in every worker thread.
#pragma once

#include <memory>

#include "engine.h"
#include "file_range.h"
#include "state.h"

namespace heddle {

// Reads, converts and packs, or finds what is there already. `range` has passed checkFileRange. To
// be called on the engine thread, so that no range is read twice at once.
std::shared_ptr<Storage> loadWeights(const FileRange& range, DType dtype, Form form,
                                     const Workbench& bench);

// Throws where a tensor of these dims and dtype cannot take the form.
void checkForm(const FileRange& range, DType dtype, Form form);

}  // namespace heddle
