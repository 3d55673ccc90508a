// The rules of the kernels of cached keys and values that the notation of signatures.h cannot say.
#pragma once

#include "signatures.h"

namespace heddle {

void checkAppendPages(const NodeView& view);
void checkCopyPages(const NodeView& view);
void checkReadPages(const NodeView& view);
void checkPagedAttention(const NodeView& view);
void checkJoinParts(const NodeView& view);

void checkAppendPagesRun(const NodeView& view);
void checkCopyPagesRun(const NodeView& view);
void checkReadPagesRun(const NodeView& view);
void checkPagedAttentionRun(const NodeView& view);

}  // namespace heddle
