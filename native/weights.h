// The process-wide table of weights that were loaded from files: whoever asks for the same range of
// the same file, in the same dtype and form, gets the same memory, in every worker thread.
#pragma once

#include <memory>
#include <vector>

#include "engine.h"
#include "file_range.h"
#include "state.h"

namespace heddle {

// Reads, converts and packs, or finds what is there already: a tensor, or several matrices [n,k] of
// one k as one, the rows of each after those before. `ranges` have passed checkFileRange and
// checkForm. To be called on the engine thread, so that no range is read twice at once.
std::shared_ptr<Storage> loadWeights(const std::vector<FileRange>& ranges, DType dtype, Form form,
                                     const Workbench& bench);

// Throws where there is no range, where several cannot be joined, or where what they hold cannot
// take the dtype and the form.
void checkForm(const std::vector<FileRange>& ranges, DType dtype, Form form);

}  // namespace heddle
