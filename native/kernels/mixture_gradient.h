// The gradients of mixtures of experts (mixture.h). Given that of a result, g:
//
//   routeExpertsGradient          by logits z, from g of the weights: with p = softmax(z) and S the
//                                 experts of a row, p·(g − Σ p·g) with g = 0 outside S; where
//                                 `normalised`, with p the weights, and 0 outside S
//   joinExpertsGradient           by y: weight·g[row] at each place; by routing: Σ y[place]·g[row]
//                                 where the place's weight stands, else 0
//   linearExpertsGradient         by x, at each place: g[place]·W[expert], f32[R, k·K]; rows that
//                                 were gathered are added up by joinExperts
//   linearExpertsWeightGradient   by W[e]: Σ g[place]ᵀ·x over the places of e, f32[E·n, K]
//
// Accumulators: float32, one chain over the columns of W or over the places of an expert.
#pragma once

#include "kernels/kernel.h"

namespace heddle::HEDDLE_ISA {

static void routeExpertsGradient(const Call& call, int thread, int threads, Scratch scratch);
static size_t routeExpertsGradientScratch(const Call& call);
static void joinExpertsGradient(const Call& call, int thread, int threads, Scratch scratch);
static void linearExpertsGradient(const Call& call, int thread, int threads, Scratch scratch);
static size_t linearExpertsGradientScratch(const Call& call);
static void linearExpertsWeightGradient(const Call& call, int thread, int threads, Scratch scratch);
static size_t linearExpertsWeightGradientScratch(const Call& call);

}  // namespace heddle::HEDDLE_ISA
