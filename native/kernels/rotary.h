// Rotary position embedding (Su et al., "RoFormer: Enhanced Transformer with Rotary Position
// Embedding", 2021), in the order of Hugging Face: component i of a head turns with component i +
// m.
//
//   y[i]     = x[i]·cos(p·θᵢ)     − x[i + m]·sin(p·θᵢ)
//   y[i + m] = x[i + m]·cos(p·θᵢ) + x[i]·sin(p·θᵢ)      for i < m; components from 2·m on are
//   copied
//
// Cosines and sines come from two tables of angles whose sum is p·θ: p = F·c + f, with row f of
// `fine` and row c of `coarse`, each cosines and then sines. So a few hundred rows, made in double
// precision, serve any position, and an error of about 2⁻²³ does not grow with it; a factor of both
// cosine and sine, as in YaRN, belongs in one of the tables.
//
// The tables may hold several variants of the angles, one after the other, each with F rows of
// `fine` and G of `coarse`. Position p of variant v is written p + v·F·G.
#pragma once

#include "kernels/kernel.h"

namespace heddle::HEDDLE_ISA {

static void rope(const Call& call, int thread, int threads, Scratch scratch);

}  // namespace heddle::HEDDLE_ISA
