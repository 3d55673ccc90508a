// The rules of single kernels that the notation of signatures.h cannot say.
#pragma once

#include "signatures.h"

namespace heddle {

void checkLinear(const NodeView& view);
void checkLinearInt8(const NodeView& view);
void checkLinearInt4(const NodeView& view);
void checkEmbeddingPacked(const NodeView& view);
void checkMatmul(const NodeView& view);
void checkRelativeBias(const NodeView& view);
void checkArgmax(const NodeView& view);
void checkLogitBlocks(const NodeView& view);
void checkRmsNorm(const NodeView& view);
void checkColumns(const NodeView& view);
void checkRope(const NodeView& view);
void checkUnfold(const NodeView& view);
void checkBroadcast(const NodeView& view);
void checkAppend(const NodeView& view);

void checkColumnSums(const NodeView& view);
void checkRelativeBiasGradient(const NodeView& view);
void checkUnfoldGradient(const NodeView& view);
void checkColumnsGradient(const NodeView& view);

void checkDescend(const NodeView& view);
void checkAdam(const NodeView& view);

void checkCrossEntropyPart(const NodeView& view);
void checkCrossEntropyOfParts(const NodeView& view);
void checkRowRange(const NodeView& view);
void checkJoinRows(const NodeView& view);

void checkRopeRun(const NodeView& view);
void checkAppendRun(const NodeView& view);

}  // namespace heddle
