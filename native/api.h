/*
 * The plain C API of the native side: states, plans, runs, errors. Everything above it
 * (native/binding, or another language) sees only this header.
 *
 * Handles are opaque and reference-counted inside: a plan keeps its states alive, a queued job
 * keeps its plan alive, so that a handle may be released at any time, once. No exception leaves a
 * function; one that can fail takes a `HeddleError*`, fills it, and returns null or false. All
 * functions may be called from any thread; one handle must not be released while another thread
 * uses it.
 */
#ifndef HEDDLE_API_H_
#define HEDDLE_API_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What kind of mistake; heddleCodeName gives the string that JS programs see (lib/errors.ts). */
typedef enum HeddleCode {
  kHeddleOk = 0,
  kHeddleShape,       /* shapes or dtypes do not fit */
  kHeddleArgument,    /* a wrong argument of a call */
  kHeddleInput,       /* an index operand holds a value out of bounds */
  kHeddleFile,        /* a file that cannot be read */
  kHeddleFormat,      /* a range or a value in a file that cannot be right */
  kHeddleUnsupported, /* an instruction set or dtype that is not there */
  kHeddleDisposed,    /* use after release */
  kHeddleMemory,      /* memory could not be had */
  kHeddleEngine,      /* the engine failed or has stopped */
  kHeddleCancelled    /* the job was cancelled; nothing was changed */
} HeddleCode;

typedef struct HeddleError {
  HeddleCode code;
  char message[1020];
} HeddleError;

const char* heddleCodeName(HeddleCode code);

/* Numbered as DType in kernels/kernel.h. */
typedef enum HeddleDType {
  kHeddleFloat32 = 0,
  kHeddleFloat16,
  kHeddleBFloat16,
  kHeddleInt32,
  kHeddleInt8, /* two dims; rows of int8 with a float32 scale each; given and read as float32 */
  kHeddleInt4, /* two dims; rows in blocks of 32 of int4; likewise */
  kHeddleDTypeRange = 0x7fffffff /* so that a wrong number is a value too, and can be refused */
} HeddleDType;

/* Element types of files. */
typedef enum HeddleFileDType {
  kHeddleFileF64 = 0,
  kHeddleFileF32,
  kHeddleFileF16,
  kHeddleFileBF16,
  kHeddleFileI64,
  kHeddleFileI32,
  kHeddleFileI16,
  kHeddleFileI8,
  kHeddleFileU8,
  kHeddleFileBool,
  kHeddleFileDTypeRange = 0x7fffffff
} HeddleFileDType;

typedef enum HeddleForm {
  kHeddlePlain = 0,
  kHeddlePacked,           /* for `linear`, from [n,k] */
  kHeddlePackedTransposed, /* for `linear`, from [k,n]; the state's dims are [n,k] */
  kHeddleFormRange = 0x7fffffff
} HeddleForm;

/* ---- the engine: one per process, made at first use ---- */

/*
 * Chooses the instruction set ("" or null: the best one) and the team's size (0: what affinity and
 * cgroup quota allow). Optional; fails where the set is unknown, cannot run here, or another one is
 * already in use.
 */
bool heddleStart(const char* isa, int threads, HeddleError* error);

/* Size of the team, 1 … 256, from the next run on. */
bool heddleSetThreads(int threads, HeddleError* error);

typedef struct HeddleInfo {
  const char* isa;
  const char* isas[8]; /* sets this CPU can run, best first */
  int isaCount;
  int threads;
  bool openmp;
} HeddleInfo;

bool heddleGetInfo(HeddleInfo* info, HeddleError* error);

int heddleKernelCount(void);
const char* heddleKernelName(int kernel);

/* `runs`, `nodes` and `packs` count since the process began; the others say what is alive now. */
typedef struct HeddleCounters {
  int64_t runs, nodes, states, stateBytes, plans, packs;
} HeddleCounters;

void heddleGetCounters(HeddleCounters* counters);

/* ---- groups: the jobs of one owner, such as one Node environment ---- */

typedef struct HeddleGroup HeddleGroup;

HeddleGroup* heddleOpenGroup(HeddleError* error);

/* Cancels the group's jobs, waits until the last has called back, and frees the group. */
void heddleCloseGroup(HeddleGroup* group);

/* ---- cancelling ---- */

typedef struct HeddleCancel HeddleCancel;

HeddleCancel* heddleCreateCancel(HeddleError* error);
/* Cancels every job that was, or will be, started with this handle. */
void heddleCancel(HeddleCancel* cancel);
void heddleReleaseCancel(HeddleCancel* cancel);

/* ---- states ---- */

typedef struct HeddleState HeddleState;

/* Copies `data` (row-major; null: zeros) of the size that dtype and dims say; int8 and int4 are
 * quantised from float32. */
HeddleState* heddleCreateState(HeddleDType dtype, const int64_t* dims, int rank, const void* data,
                               HeddleError* error);

/* One tensor in a file: `bytes` bytes at `offset` of the file at `path` (UTF-8). */
typedef struct HeddleFileRange {
  const char* path;
  int64_t offset;
  int64_t bytes;
  HeddleFileDType dtype;
  const int64_t* dims;
  int rank;
} HeddleFileRange;

/* Called once, on the engine thread: with a new handle, or with an error. */
typedef void (*HeddleLoaded)(void* context, HeddleState* state, const HeddleError* error);

/*
 * Reads a tensor on the engine thread, converts it to `dtype` and, where `form` says so, packs it;
 * or several matrices of as many columns, as one that has the rows of all. While any state of the
 * same files, ranges, dtype and form is alive, memory is shared with it.
 */
bool heddleLoadState(HeddleGroup* group, const HeddleFileRange* sources, size_t count,
                     HeddleDType dtype, HeddleForm form, HeddleLoaded loaded, void* context,
                     HeddleError* error);

HeddleDType heddleStateDType(const HeddleState* state);
int64_t heddleStateElements(const HeddleState* state);
/* Native memory held for this state when it was made. */
int64_t heddleStateBytes(const HeddleState* state);
/* Copies the contents, row-major, into `target` of exactly elements × size of dtype bytes. Waits
 * for a run that is writing this state. */
bool heddleReadState(const HeddleState* state, void* target, size_t bytes, HeddleError* error);
void heddleReleaseState(HeddleState* state);

/* ---- plans ---- */

typedef struct HeddlePlan HeddlePlan;

/* Checks `words` (plan_format.h) against `states`; the error names the node and operand. */
HeddlePlan* heddleCreatePlan(const int64_t* words, size_t count, HeddleState* const* states,
                             size_t stateCount, HeddleError* error);
void heddleReleasePlan(HeddlePlan* plan);

typedef struct HeddlePlanInfo {
  int64_t arenaBytes;
  int symbols, nodes, inputs, outputs;
} HeddlePlanInfo;

void heddleGetPlanInfo(const HeddlePlan* plan, HeddlePlanInfo* info);
HeddleDType heddlePlanInputDType(const HeddlePlan* plan, int input);

/* Elements of each input and output at these sizes of the symbolic dims; fails where a size exceeds
 * its capacity. */
bool heddlePlanSizes(const HeddlePlan* plan, const int64_t* symbols, size_t symbolCount,
                     int64_t* inputElements, int64_t* outputElements, HeddleError* error);

typedef struct HeddleRun {
  const int64_t* symbols; /* as for heddlePlanSizes */
  size_t symbolCount;
  const void* const*
      inputs; /* one for each input, of its dtype and size; copied before the call returns */
  float* const* outputs; /* one for each output; must stay until the call-back */
  HeddleCancel* cancel;  /* or null */
  double* profile; /* or null; 2 × nodes: start and end in ns; must stay until the call-back */
  int priority;    /* higher goes first; equal: first come, first served */
} HeddleRun;

/* Called once, on the engine thread (or, when a group closes, on the closing thread); `error` is
 * null after success. */
typedef void (*HeddleDone)(void* context, const HeddleError* error);

bool heddleRunPlan(HeddleGroup* group, HeddlePlan* plan, const HeddleRun* run, HeddleDone done,
                   void* context, HeddleError* error);

#ifdef __cplusplus
}
#endif

#endif /* HEDDLE_API_H_ */
