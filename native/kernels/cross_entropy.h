// The loss of each row of logits f32[R,C] against its label, i32[R] in [0,C):
//
//   loss = log Σ e^(z − m) − (1 − ε)·(z_label − m) − ε·mean(z − m),   m the row's greatest logit
//
// with label smoothing ε (Szegedy et al., "Rethinking the Inception Architecture", 2016, section
// 7), and its gradient by the logits, (softmax(z) − (1 − ε)·[label] − ε / C)·gradient.
//
// The same over blocks of classes, so that the logits of one block are all there are (the idea is
// that of Wijmans et al., "Cut Your Losses in Large-Vocabulary Language Models", 2024): each block
// adds to four numbers a row, the greatest logit m so far, Σ e^(z − m) (rescaled where m grows,
// Milakov & Gimelshein 2018), z_label and Σ z.
//
// Accumulator: float32, 4·kLanes partial sums. Error of the loss below (C / (4·kLanes) + 12)·2⁻²⁴
// of the terms above.
#pragma once

#include "kernels/kernel.h"

namespace heddle::HEDDLE_ISA {

static void crossEntropy(const Call& call, int thread, int threads, Scratch scratch);
static void crossEntropyGradient(const Call& call, int thread, int threads, Scratch scratch);
static void crossEntropyPart(const Call& call, int thread, int threads, Scratch scratch);
static void crossEntropyOfParts(const Call& call, int thread, int threads, Scratch scratch);
static void crossEntropyPartGradient(const Call& call, int thread, int threads, Scratch scratch);

}  // namespace heddle::HEDDLE_ISA
