// The two kinds of jobs: to run a plan, and to load a state from a file.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "engine.h"
#include "file_range.h"
#include "plan.h"
#include "state.h"

namespace heddle {

// What a run is given; see HeddleRun in api.h.
struct RunRequest {
  const int64_t* symbols;  // checked against the plan
  const void* const* inputs;
  float* const* outputs;
  double* profile;
  int priority;
};

// Copies symbols and inputs, then queues. `done` must not throw.
void submitRun(Group* group, std::shared_ptr<const Plan> plan, const RunRequest& request,
               std::shared_ptr<CancelFlag> cancel, std::function<void(const Error*)> done);

// `ranges` have passed checkFileRange and checkForm. `done` gets the state, or the error; must not
// throw.
void submitLoad(Group* group, std::vector<FileRange> ranges, DType dtype, Form form,
                std::function<void(std::shared_ptr<State>, const Error*)> done);

}  // namespace heddle
