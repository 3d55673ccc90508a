#include "signatures.h"

#include <string.h>

#include "attention_checks.h"
#include "error.h"
#include "expert_checks.h"
#include "paged_checks.h"
#include "signature_checks.h"

namespace heddle {
namespace {

// Every integer of this size is exact in float32, and sums of two do not overflow int32.
#define POSITIONS "index<16777216>"

// What disentangled attention reads besides.
#define RELATIVE "relativeKeys? f32[B,D], relativeQueries? f32[B,D], buckets? index<B>[W]"

#define ATTENTION                                                                           \
  "q f32[Q,D], k f32[K,E], v f32[K,F], querySegments offsets<Q>[S+1], "                     \
  "keySegments offsets<K>[S+1], queryPositions? " POSITIONS "[Q], keyPositions? " POSITIONS \
  "[K], bias? f32[?], " RELATIVE

// What dropout of weights is keyed by.
#define DROPOUT ", dropoutSeed? index<2147483648>[1], dropoutStep? index<2147483648>[1]"

constexpr IntRange kActivation = {"activation", 0, 7};
constexpr IntRange kPageHeads = {"G", 1, 1 << 20};
constexpr IntRange kChosen = {"k", 1, 1 << 10};
constexpr int64_t kAnyLimit = int64_t{1} << 31;

struct Line {
  const char* kernel;
  const char* operands;
  std::vector<IntRange> ints;
  std::vector<const char*> floats;
  bool inPlace = false;
  NodeCheck onCreate = nullptr;
  NodeCheck onRun = nullptr;
};

const std::vector<IntRange> kAttentionInts = {{"H", 1, 1 << 20},
                                              {"G", 1, 1 << 20},
                                              {"left", -1, kAnyLimit},
                                              {"right", -1, kAnyLimit},
                                              {"biasKind", 0, 3}};

const std::vector<IntRange> kDroppedAttentionInts = {{"H", 1, 1 << 20},
                                                     {"G", 1, 1 << 20},
                                                     {"left", -1, kAnyLimit},
                                                     {"right", -1, kAnyLimit},
                                                     {"biasKind", 0, 3},
                                                     {"site", 0, kAnyLimit},
                                                     {"threshold", 0, int64_t{1} << 32}};

// Gradients of attention read its operands, and what it gave.
#define ATTENTION_GRADIENT ATTENTION DROPOUT ", y f32[Q,O], statistics f32[Q,T], gradient f32[Q,O]"

// clang-format off
const Line kLines[] = {
  {"linear", "x f32[R,K], weight packed[N,K], bias? f32[N], residual? f32[R,N] -> f32[R,N]",
   {kActivation, {"roundInputs", 0, 1}}, {}, false, checkLinear},
  {"matmul", "a f32[A,B], b f32[C,D], bias? f32[N], residual? f32[M,N] -> f32[M,N]",
   {{"transposeA", 0, 1}, {"transposeB", 0, 1}, kActivation, {"roundInputs", 0, 1}}, {}, false,
   checkMatmul},
  {"attention",
   ATTENTION DROPOUT " -> f32[Q,O], statistics? f32[Q,T]",
   kDroppedAttentionInts, {"scale", "softCap", "keepScale"}, false, checkAttention, checkAttentionRun},
  {"attentionWeights",
   "q f32[Q,D], k f32[K,E], querySegments offsets<Q>[S+1], keySegments offsets<K>[S+1], "
   "queryPositions? " POSITIONS "[Q], keyPositions? " POSITIONS "[K], bias? f32[?], "
   "pairs offsets<P>[S+1], " RELATIVE " -> f32[H,P]",
   kAttentionInts, {"scale", "softCap"}, false, checkAttentionWeights, checkAttentionWeightsRun},
  {"relativeBias", "table f32[B,H] -> f32[H,W]",
   {{"bidirectional", 0, 1}, {"maxDistance", 1, 1 << 24}}, {}, false, checkRelativeBias},
  {"layerNorm", "x f32[R,C], gamma? f32[C], beta? f32[C] -> f32[R,C]", {}, {"epsilon"}},
  {"rmsNorm", "x f32[R,C], gamma? f32[G] -> f32[R,C]", {{"groups", 1, 1 << 20}}, {"epsilon", "offset"},
   false, checkRmsNorm},
  {"activation", "x f32[*] -> f32[*]", {kActivation}, {}, true},
  {"add", "a f32[*], b f32[?] -> f32[*]", {}, {}, true, checkBroadcast},
  {"multiply", "a f32[*], b f32[?] -> f32[*]", {}, {}, true, checkBroadcast},
  {"scale", "x f32[*] -> f32[*]", {}, {"scale", "shift"}, true},
  {"embedding", "table any[V,C], ids index<V>[R], residual? f32[R,C] -> f32[R,C]", {}, {"scale"}},
  {"embeddingPacked", "table packed[V,C], ids index<V>[R], residual? f32[R,C] -> f32[R,C]",
   {}, {"scale"}, false, checkEmbeddingPacked},
  {"argmax", "x f32[R,C] -> f32[R,O]", {}, {}, false, checkArgmax},
  {"logitBlocks", "x f32[R,C], temperatures f32[R] -> f32[R,O]", {}, {}, false, checkLogitBlocks},
  {"softmax", "x f32[R,C] -> f32[R,C]", {}, {"t"}},
  {"pool", "x f32[R,C], segments offsets<R>[S+1] -> f32[S,C]", {{"mode", 0, 5}}, {}},
  {"l2Normalize", "x f32[R,C] -> f32[R,C]", {}, {"epsilon"}},
  {"assign", "source f32[*], guard? f32[1] -> state[*]", {}, {}},
  {"append", "source f32[R,C], at index<2147483647>[1] -> state[T,C]", {}, {}, false, checkAppend, checkAppendRun},
  {"quantizeRows", "x f32[R,C] -> i8[R,C]", {}, {}},
  {"linearInt8", "x i8[R,K], weight packed[N,K], bias? f32[N], residual? f32[R,N] -> f32[R,N]",
   {kActivation}, {}, false, checkLinearInt8},
  {"rope", "x f32[R,C], positions " POSITIONS "[R], fine f32[F,A], coarse f32[G,A] -> f32[R,C]",
   {{"H", 1, 1 << 20}, {"variants", 1, 1 << 10}}, {}, false, checkRope, checkRopeRun},
  {"unfold", "x f32[R,C], positions " POSITIONS "[R], segments offsets<R>[S+1] -> f32[R,O]",
   {{"W", 1, 1 << 20}}, {}, false, checkUnfold},
  {"multiplyAdd", "x f32[*] -> f32[*]", {{"steps", 0, kAnyLimit}}, {}},
  {"sumRows", "x f32[R,C] -> f32[R]", {}, {}},
  {"columns", "x f32[R,C] -> f32[R,O]",
   {{"first", 0, kAnyLimit}, {"step", 1, kAnyLimit}, {"size", 1, kAnyLimit}, {"count", 1, kAnyLimit}},
   {}, false, checkColumns},
  {"appendPages", "source f32[R,C], slots " POSITIONS "[R] -> pages[N,D]",
   {kPageHeads, {"transposed", 0, 1}}, {}, false, checkAppendPages, checkAppendPagesRun},
  {"copyPages", "from " POSITIONS "[M], to " POSITIONS "[M] -> pages[N,D]",
   {kPageHeads}, {}, false, checkCopyPages, checkCopyPagesRun},
  {"readPages", "pages any[N,D], slots " POSITIONS "[R] -> f32[R,C]",
   {kPageHeads, {"transposed", 0, 1}}, {}, false, checkReadPages, checkReadPagesRun},
  {"pagedAttention",
   "q f32[R,Q], keys any[N,D], values any[N,E], segments offsets<R>[S+1], lengths " POSITIONS "[S], "
   "tableOffsets offsets<B>[S+1], tables " POSITIONS "[B], partOffsets offsets<P>[R+1], bias? f32[?] "
   "-> f32[P,O]",
   {{"H", 1, 1 << 20}, kPageHeads, {"left", -1, kAnyLimit}}, {"scale", "softCap"}, false,
   checkPagedAttention, checkPagedAttentionRun},
  {"joinParts", "parts f32[P,O], partOffsets offsets<P>[R+1] -> f32[R,C]",
   {{"H", 1, 1 << 20}}, {}, false, checkJoinParts},
  {"routeExperts", "logits f32[R,E] -> f32[R,Q]",
   {kChosen, {"normalised", 0, 1}}, {}, false, checkRouteExperts, checkRouteExpertsRun},
  {"linearExperts", "x f32[R,X], routing f32[R,Q], weight packed[N,K] -> f32[R,C]",
   {{"E", 1, 1 << 20}, kChosen, {"gather", 0, 1}, {"roundInputs", 0, 1}}, {}, false,
   checkLinearExperts},
  {"joinExperts", "y f32[R,Y], routing f32[R,Q] -> f32[R,C]",
   {kChosen, {"weighed", 0, 1}}, {}, false, checkJoinExperts},
  {"activationGradient", "x f32[*], gradient f32[*] -> f32[*]", {kActivation}, {}, true},
  {"columnSums", "a f32[R,C], b? f32[R,C] -> f32[O]", {{"groups", 1, 1 << 20}}, {}, false, checkColumnSums},
  {"layerNormGradient", "x f32[R,C], gamma? f32[C], gradient f32[R,C] -> f32[R,C]", {}, {"epsilon"}},
  {"rmsNormGradient", "x f32[R,C], gamma? f32[G], gradient f32[R,C] -> f32[R,C]",
   {{"groups", 1, 1 << 20}}, {"epsilon", "offset"}, false, checkRmsNorm},
  {"softmaxGradient", "y f32[R,C], gradient f32[R,C] -> f32[R,C]", {}, {"t"}},
  {"poolGradient", "x f32[R,C], segments offsets<R>[S+1], gradient f32[S,C] -> f32[R,C]", {{"mode", 0, 5}}, {}},
  {"l2NormalizeGradient", "x f32[R,C], gradient f32[R,C] -> f32[R,C]", {}, {"epsilon"}},
  {"embeddingGradient", "gradient f32[R,C], ids index<V>[R] -> f32[V,C]", {}, {"scale"}},
  {"relativeBiasGradient", "gradient f32[H,W] -> f32[B,H]",
   {{"bidirectional", 0, 1}, {"maxDistance", 1, 1 << 24}}, {}, false, checkRelativeBiasGradient},
  {"unfoldGradient", "gradient f32[R,O], positions " POSITIONS "[R], segments offsets<R>[S+1] -> f32[R,C]",
   {{"W", 1, 1 << 20}}, {}, false, checkUnfoldGradient},
  {"columnsGradient", "residual? f32[R,C], gradient f32[R,O] -> f32[R,C]",
   {{"first", 0, kAnyLimit}, {"step", 1, kAnyLimit}, {"size", 1, kAnyLimit}, {"count", 1, kAnyLimit}},
   {}, true, checkColumnsGradient},
  {"attentionGradient",
   ATTENTION_GRADIENT " -> f32[Q,D], byKeys? f32[K,E], byValues? f32[K,F]",
   kDroppedAttentionInts, {"scale", "softCap", "keepScale"}, false, checkAttentionGradient, checkAttentionRun},
  {"crossEntropy", "logits f32[R,C], labels index<C>[R] -> f32[R,1]", {}, {"smoothing"}},
  {"crossEntropyGradient", "logits f32[R,C], labels index<C>[R], gradient f32[R,1] -> f32[R,C]", {}, {"smoothing"}},
  {"dropout", "x f32[*], seed index<2147483648>[1], step index<2147483648>[1] -> f32[*]",
   {{"site", 0, kAnyLimit}, {"threshold", 0, int64_t{1} << 32}}, {"scale"}, true},
  {"sumOfSquares", "x f32[?] -> f32[1]", {}, {}},
  {"clipFactor", "squares f32[1] -> f32[1]", {}, {"maxNorm"}},
  {"moment", "before f32[*], gradient f32[*], factor? f32[1] -> f32[*]", {{"order", 1, 2}}, {"keep", "take"}},
  {"descend", "parameter f32[*], direction f32[*], squares? f32[*], rates f32[O] -> f32[*]",
   {{"sign", 0, 1}}, {"weightDecay", "epsilon"}, false, checkDescend},
  {"adam", "gradient f32[*], rates f32[O], factor? f32[1], guard? f32[1] -> state[*], first state[*], second state[*]",
   {}, {"beta1", "beta2", "weightDecay", "epsilon"}, false, checkAdam},
  {"quantizeBlocks", "x f32[R,C] -> blocks[R,C]", {}, {}},
  {"linearInt4", "x blocks[R,K], weight packed[N,K], bias? f32[N], residual? f32[R,N] -> f32[R,N]",
   {kActivation}, {}, false, checkLinearInt4},
  {"crossEntropyPart", "logits f32[R,C], labels index<V>[R], weight any[V,K], bias? f32[V], before? f32[R,T] -> f32[R,T]",
   {{"first", 0, kAnyLimit}}, {}, false, checkCrossEntropyPart},
  {"crossEntropyOfParts", "parts f32[R,T] -> f32[R,1]",
   {{"classes", 1, kAnyLimit}}, {"smoothing"}, false, checkCrossEntropyOfParts},
  {"crossEntropyPartGradient",
   "logits f32[R,C], labels index<V>[R], weight any[V,K], bias? f32[V], parts f32[R,T], gradient f32[R,1] -> f32[R,C]",
   {{"first", 0, kAnyLimit}}, {"smoothing"}, true, checkCrossEntropyPart},
  {"rowRange", "x f32[R,C] -> f32[O,C]", {{"first", 0, kAnyLimit}}, {}, false, checkRowRange},
  {"joinRows", "a f32[?], b f32[?] -> f32[?]", {}, {}, false, checkJoinRows},
  {"attentionBiasGradient",
   ATTENTION_GRADIENT " -> f32[?], byRelativeQueries? f32[B,D]",
   kDroppedAttentionInts, {"scale", "softCap", "keepScale"}, false, checkAttentionBiasGradient, checkAttentionRun},
  {"routeExpertsGradient", "logits f32[R,E], routing f32[R,Q], gradient f32[R,Q] -> f32[R,E]",
   {kChosen, {"normalised", 0, 1}}, {}, false, checkRouteExpertsGradient},
  {"joinExpertsGradient",
   "y f32[R,Y], routing f32[R,Q], gradient f32[R,C] -> f32[R,Y], byRouting? f32[R,Q]",
   {kChosen}, {}, false, checkJoinExpertsGradient},
  {"linearExpertsGradient", "gradient f32[R,C], routing f32[R,Q], weight f32[N,K] -> f32[R,Y]",
   {{"E", 1, 1 << 20}, kChosen}, {}, false, checkLinearExpertsGradient},
  {"linearExpertsWeightGradient", "x f32[R,X], routing f32[R,Q], gradient f32[R,C] -> f32[N,K]",
   {{"E", 1, 1 << 20}, kChosen, {"gather", 0, 1}}, {}, false, checkLinearExpertsWeightGradient},
};
// clang-format on

// Reads the notation above. A mistake in it is a mistake in this file: any test that loads the
// table finds it.
class Parser {
 public:
  explicit Parser(const char* text) : at_(text) {}

  void parse(std::vector<OperandPattern>* inputs, std::vector<OperandPattern>* outputs) {
    do {
      inputs->push_back(operand(word()));
    } while (accept(','));
    expect('-');
    expect('>');
    outputs->push_back(operand("output"));
    while (accept(',')) outputs->push_back(operand(word()));
    if (*at_) fail();
  }

 private:
  OperandPattern operand(const std::string& name) {
    OperandPattern pattern;
    pattern.name = name;
    pattern.optional = accept('?');
    const std::string type = word();
    if (type == "f32")
      pattern.type = OperandType::kFloat32;
    else if (type == "any")
      pattern.type = OperandType::kAnyFloat;
    else if (type == "i8")
      pattern.type = OperandType::kInt8;
    else if (type == "blocks")
      pattern.type = OperandType::kInt8Blocks;
    else if (type == "packed")
      pattern.type = OperandType::kPacked;
    else if (type == "index")
      pattern.type = OperandType::kIndex;
    else if (type == "offsets")
      pattern.type = OperandType::kOffsets;
    else if (type == "state")
      pattern.type = OperandType::kState;
    else if (type == "pages")
      pattern.type = OperandType::kPages;
    else
      fail();
    if (accept('<')) {
      if (*at_ >= '0' && *at_ <= '9')
        pattern.bound = number();
      else
        pattern.boundLetter = letter();
      expect('>');
    }
    expect('[');
    if (accept('*'))
      pattern.sameShape = true;
    else if (accept('?'))
      pattern.anyShape = true;
    else
      dims(&pattern);
    expect(']');
    return pattern;
  }

  void dims(OperandPattern* pattern) {
    do {
      // The one constant dim there is: [1].
      if (accept('1')) {
        pattern->dims.push_back({-1, 0});
        continue;
      }
      DimPattern dim = {letter(), 0};
      if (accept('+')) {
        expect('1');
        dim.plus = 1;
      }
      pattern->dims.push_back(dim);
    } while (accept(','));
  }

  int letter() {
    skip();
    if (*at_ < 'A' || *at_ > 'Z') fail();
    return *at_++ - 'A';
  }

  int64_t number() {
    int64_t value = 0;
    while (*at_ >= '0' && *at_ <= '9') value = value * 10 + (*at_++ - '0');
    return value;
  }

  std::string word() {
    skip();
    std::string result;
    while ((*at_ >= 'a' && *at_ <= 'z') || (*at_ >= 'A' && *at_ <= 'Z') ||
           (*at_ >= '0' && *at_ <= '9'))
      result += *at_++;
    if (result.empty()) fail();
    return result;
  }

  void skip() {
    while (*at_ == ' ') ++at_;
  }
  bool accept(char c) {
    skip();
    if (*at_ != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) fail();
  }
  [[noreturn]] void fail() const {
    throw Error(ErrorCode::kEngine, "signatures.cc: cannot read the notation at '%s'", at_);
  }

  const char* at_;
};

std::vector<Signature> parseLines() {
  std::vector<Signature> signatures;
  for (const Line& line : kLines) {
    Signature signature = {line.kernel,   {},        {}, line.ints, line.floats, line.inPlace,
                           line.onCreate, line.onRun};
    Parser(line.operands).parse(&signature.inputs, &signature.outputs);
    signatures.push_back(std::move(signature));
  }
  return signatures;
}

const std::vector<Signature>& all() {
  static const std::vector<Signature> signatures = parseLines();
  return signatures;
}

}  // namespace

const Signature* findSignature(const char* kernel) {
  for (const Signature& signature : all()) {
    if (strcmp(signature.kernel, kernel) == 0) return &signature;
  }
  return nullptr;
}

int signatureCount() { return static_cast<int>(all().size()); }

const Signature& signatureAt(int index) { return all()[static_cast<size_t>(index)]; }

}  // namespace heddle
