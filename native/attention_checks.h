// The rules of the kernels of attention that the notation of signatures.h cannot say.
#pragma once

#include "signatures.h"

namespace heddle {

void checkAttention(const NodeView& view);
void checkAttentionWeights(const NodeView& view);
void checkAttentionGradient(const NodeView& view);
void checkAttentionBiasGradient(const NodeView& view);
void checkAttentionRun(const NodeView& view);
void checkAttentionWeightsRun(const NodeView& view);

}  // namespace heddle
