// The C API over the engine: checks what a C caller can get wrong, and lets no exception out.
#include "api.h"

#include <string.h>

#include <new>
#include <utility>
#include <vector>

#include "checked.h"
#include "engine.h"
#include "error.h"
#include "jobs.h"
#include "plan.h"
#include "quantize.h"
#include "state.h"
#include "weights.h"

using heddle::Engine;
using heddle::Error;
using heddle::ErrorCode;

struct HeddleGroup {
  heddle::Group group;
};
struct HeddleCancel {
  std::shared_ptr<heddle::CancelFlag> flag;
};
struct HeddleState {
  std::shared_ptr<heddle::State> state;
};
struct HeddlePlan {
  std::shared_ptr<const heddle::Plan> plan;
};

static_assert(static_cast<int>(ErrorCode::kCancelled) == kHeddleCancelled, "one numbering");
static_assert(static_cast<int>(heddle::DType::kInt4) == kHeddleInt4, "one numbering");
static_assert(static_cast<int>(heddle::FileDType::kBool) == kHeddleFileBool, "one numbering");
static_assert(static_cast<int>(heddle::Form::kPackedTransposed) == kHeddlePackedTransposed,
              "one numbering");
static_assert(sizeof(HeddleError::message) >= Error::kMessageBytes, "messages fit");

namespace {

void describe(const Error& from, HeddleError* error) {
  if (!error) return;
  error->code = static_cast<HeddleCode>(from.code());
  memcpy(error->message, from.what(), strlen(from.what()) + 1);
}

// Runs `body`; where it throws, fills `error` and returns `failed`.
template <typename Result, typename Body>
Result guarded(HeddleError* error, Result failed, const Body& body) noexcept {
  try {
    return body();
  } catch (...) {
    describe(Error::current(), error);
    return failed;
  }
}

void checkTensor(int dtype, const int64_t* dims, int rank, int64_t* bytes) {
  if (dtype < kHeddleFloat32 || dtype > kHeddleInt4) {
    throw Error(ErrorCode::kArgument, "dtype: no such dtype: %d", dtype);
  }
  if (rank < 0 || rank > heddle::kMaxRank) {
    throw Error(ErrorCode::kArgument, "dims: expected 0 to %d of them, found %d", heddle::kMaxRank,
                rank);
  }
  const auto type = static_cast<heddle::DType>(dtype);
  if (const char* problem = heddle::dimsProblem(type, dims, rank)) {
    throw Error(ErrorCode::kShape, "dims: %s", problem);
  }
  if (!heddle::checkedTensorBytes(type, dims, rank, bytes)) {
    throw Error(ErrorCode::kArgument, "dims: negative, or their product exceeds every memory");
  }
}

}  // namespace

extern "C" {

const char* heddleCodeName(HeddleCode code) {
  static const char* const names[] = {"OK",         "ERR_SHAPE",  "ERR_ARGUMENT",    "ERR_INPUT",
                                      "ERR_FILE",   "ERR_FORMAT", "ERR_UNSUPPORTED", "ERR_DISPOSED",
                                      "ERR_MEMORY", "ERR_ENGINE", "ABORT_ERR"};
  return names[code];
}

bool heddleStart(const char* isa, int threads, HeddleError* error) {
  return guarded(error, false, [&] {
    if (threads != 0) Engine::setThreads(threads);
    Engine::kernels(isa);
    return true;
  });
}

bool heddleSetThreads(int threads, HeddleError* error) {
  return guarded(error, false, [&] {
    Engine::setThreads(threads);
    return true;
  });
}

bool heddleGetInfo(HeddleInfo* info, HeddleError* error) {
  return guarded(error, false, [&] {
    info->isa = Engine::kernels().isa;
    info->isaCount = heddle::supportedIsas(info->isas, 8);
    info->threads = Engine::threads();
    info->openmp = HEDDLE_HAS_OPENMP != 0;
    return true;
  });
}

int heddleKernelCount(void) { return Engine::kernels().count; }

const char* heddleKernelName(int kernel) { return Engine::kernels().kernels[kernel].name; }

void heddleGetCounters(HeddleCounters* counters) {
  const heddle::EngineCounters& engine = Engine::counters();
  const heddle::StateCounters& states = heddle::stateCounters();
  *counters = {engine.runs, engine.nodes, states.states, states.bytes, engine.plans, states.packs};
}

HeddleGroup* heddleOpenGroup(HeddleError* error) {
  return guarded<HeddleGroup*>(error, nullptr, [] { return new HeddleGroup; });
}

void heddleCloseGroup(HeddleGroup* group) {
  if (!group) return;
  Engine::close(&group->group);
  delete group;
}

HeddleCancel* heddleCreateCancel(HeddleError* error) {
  return guarded<HeddleCancel*>(
      error, nullptr, [] { return new HeddleCancel{std::make_shared<heddle::CancelFlag>()}; });
}

void heddleCancel(HeddleCancel* cancel) { cancel->flag->requested.store(1); }

void heddleReleaseCancel(HeddleCancel* cancel) { delete cancel; }

HeddleState* heddleCreateState(HeddleDType dtype, const int64_t* dims, int rank, const void* data,
                               HeddleError* error) {
  return guarded<HeddleState*>(error, nullptr, [&] {
    int64_t bytes = 0;
    checkTensor(dtype, dims, rank, &bytes);
    auto storage =
        std::make_shared<heddle::Storage>(static_cast<heddle::DType>(dtype), rank, dims, false);
    heddle::AlignedBuffer contents =
        data ? heddle::AlignedBuffer(bytes) : heddle::AlignedBuffer::zeroed(bytes);
    if (data && heddle::isQuantized(storage->dtype))
      heddle::quantizeWeights(storage->dtype, static_cast<const float*>(data), dims[0], dims[1],
                              false, contents.data(), 0, 1);
    else if (data)
      memcpy(contents.data(), data, static_cast<size_t>(bytes));
    storage->setPlain(std::move(contents));
    return new HeddleState{std::make_shared<heddle::State>(std::move(storage))};
  });
}

bool heddleLoadState(HeddleGroup* group, const HeddleFileRange* sources, size_t count,
                     HeddleDType dtype, HeddleForm form, HeddleLoaded loaded, void* context,
                     HeddleError* error) {
  return guarded(error, false, [&] {
    if (form < kHeddlePlain || form > kHeddlePackedTransposed) {
      throw Error(ErrorCode::kArgument, "form: no such form: %d", form);
    }
    std::vector<heddle::FileRange> ranges;
    for (size_t s = 0; s < count; ++s) {
      const HeddleFileRange& source = sources[s];
      if (source.dtype < 0 || source.dtype >= heddle::kFileDTypes) {
        throw Error(ErrorCode::kArgument, "dtype: no such dtype of a file: %d", source.dtype);
      }
      int64_t bytes = 0;
      checkTensor(dtype, source.dims, source.rank, &bytes);
      heddle::FileRange range = {source.path,  source.offset,
                                 source.bytes, static_cast<heddle::FileDType>(source.dtype),
                                 source.rank,  {}};
      for (int i = 0; i < range.rank; ++i) range.dims[i] = source.dims[i];
      heddle::checkFileRange(range);
      ranges.push_back(std::move(range));
    }
    const auto to = static_cast<heddle::DType>(dtype);
    const auto layout = static_cast<heddle::Form>(form);
    heddle::checkForm(ranges, to, layout);
    auto done = [loaded, context](std::shared_ptr<heddle::State> state, const Error* failure) {
      HeddleError out = {};
      HeddleState* handle = nullptr;
      if (!failure) {
        handle =
            guarded<HeddleState*>(&out, nullptr, [&] { return new HeddleState{std::move(state)}; });
      } else {
        describe(*failure, &out);
      }
      loaded(context, handle, handle ? nullptr : &out);
    };
    heddle::submitLoad(&group->group, std::move(ranges), to, layout, done);
    return true;
  });
}

HeddleDType heddleStateDType(const HeddleState* state) {
  return static_cast<HeddleDType>(state->state->dtype());
}

int64_t heddleStateElements(const HeddleState* state) { return state->state->elements(); }

int64_t heddleStateBytes(const HeddleState* state) { return state->state->bytesWhenMade(); }

bool heddleReadState(const HeddleState* state, void* target, size_t bytes, HeddleError* error) {
  return guarded(error, false, [&] {
    const heddle::State& source = *state->state;
    const bool asFloats = heddle::isQuantized(source.dtype());
    const int64_t expected =
        source.elements() * (asFloats ? 4 : heddle::dtypeBytes(source.dtype()));
    if (static_cast<int64_t>(bytes) != expected) {
      throw Error(ErrorCode::kArgument, "read: expected room for %lld bytes, found %zu",
                  static_cast<long long>(expected), bytes);
    }
    source.read(target, Engine::kernels().packing);
    return true;
  });
}

void heddleReleaseState(HeddleState* state) { delete state; }

HeddlePlan* heddleCreatePlan(const int64_t* words, size_t count, HeddleState* const* states,
                             size_t stateCount, HeddleError* error) {
  return guarded<HeddlePlan*>(error, nullptr, [&] {
    std::vector<std::shared_ptr<heddle::State>> shared;
    shared.reserve(stateCount);
    for (size_t i = 0; i < stateCount; ++i) shared.push_back(states[i]->state);
    std::shared_ptr<heddle::Plan> plan =
        heddle::loadPlan(words, count, std::move(shared), Engine::kernels());
    auto handle = new HeddlePlan{std::move(plan)};
    Engine::counters().plans += 1;
    return handle;
  });
}

void heddleReleasePlan(HeddlePlan* plan) {
  if (!plan) return;
  Engine::counters().plans -= 1;
  delete plan;
}

void heddleGetPlanInfo(const HeddlePlan* plan, HeddlePlanInfo* info) {
  const heddle::Plan& p = *plan->plan;
  *info = {p.arenaBytes, static_cast<int>(p.capacities.size()), static_cast<int>(p.nodes.size()),
           static_cast<int>(p.inputs.size()), static_cast<int>(p.outputs.size())};
}

HeddleDType heddlePlanInputDType(const HeddlePlan* plan, int input) {
  const heddle::Plan& p = *plan->plan;
  const int32_t value = p.inputs[static_cast<size_t>(input)];
  return static_cast<HeddleDType>(p.values[static_cast<size_t>(value)].dtype);
}

bool heddlePlanSizes(const HeddlePlan* plan, const int64_t* symbols, size_t symbolCount,
                     int64_t* inputElements, int64_t* outputElements, HeddleError* error) {
  return guarded(error, false, [&] {
    const heddle::Plan& p = *plan->plan;
    heddle::checkSymbols(p, symbols, symbolCount);
    auto measure = [&](const std::vector<int32_t>& numbers, int64_t* out) {
      for (size_t i = 0; i < numbers.size(); ++i) {
        out[i] = p.elements(p.values[static_cast<size_t>(numbers[i])], symbols);
      }
    };
    measure(p.inputs, inputElements);
    measure(p.outputs, outputElements);
    return true;
  });
}

bool heddleRunPlan(HeddleGroup* group, HeddlePlan* plan, const HeddleRun* run, HeddleDone done,
                   void* context, HeddleError* error) {
  return guarded(error, false, [&] {
    heddle::checkSymbols(*plan->plan, run->symbols, run->symbolCount);
    auto finished = [done, context](const Error* failure) {
      HeddleError out = {};
      if (failure) describe(*failure, &out);
      done(context, failure ? &out : nullptr);
    };
    heddle::submitRun(&group->group, plan->plan,
                      {run->symbols, run->inputs, run->outputs, run->profile, run->priority},
                      run->cancel ? run->cancel->flag : nullptr, finished);
    return true;
  });
}

}  // extern "C"
