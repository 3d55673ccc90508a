// The rules of the kernels of mixtures of experts that the notation of signatures.h cannot say.
#pragma once

#include "signatures.h"

namespace heddle {

void checkRouteExperts(const NodeView& view);
void checkLinearExperts(const NodeView& view);
void checkJoinExperts(const NodeView& view);
void checkRouteExpertsGradient(const NodeView& view);
void checkJoinExpertsGradient(const NodeView& view);
void checkLinearExpertsGradient(const NodeView& view);
void checkLinearExpertsWeightGradient(const NodeView& view);

void checkRouteExpertsRun(const NodeView& view);

}  // namespace heddle
