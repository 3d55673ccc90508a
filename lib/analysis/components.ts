/** Which part of a transformer a parameter or a node of its graph belongs to. */
import type { Traced } from '../graph/program.js';
import type { State } from '../graph/state.js';

/** Parts that have parameters. `head`: all that stands on the last layer, poolers included. */
export const components = [
  'embedding',
  'attention',
  'feedForward',
  'experts',
  'convolution',
  'normalization',
  'head',
] as const;
export type Component = (typeof components)[number];

/** Parts that take time: `attention` is the projections alone, `scores` what grows with the square of the length. */
export type Term = Component | 'scores' | 'loss' | 'other';

const ofOps: Readonly<Record<string, Component>> = {
  layerNorm: 'normalization',
  rmsNorm: 'normalization',
  embedding: 'embedding',
  linearExperts: 'experts',
};

/** Layers are numbered; what is not stands before them or on top. */
function partOf(path: string, isAfterLayers: boolean): Component {
  const names = path.split('.');
  if (names.includes('conv')) return 'convolution';
  if (!names.some((name) => /^\d+$/.test(name))) return isAfterLayers ? 'head' : 'embedding';
  return names.some((name) => /attn|attention/i.test(name)) ? 'attention' : 'feedForward';
}

const isTable = (part: Component): boolean => part === 'embedding' || part === 'head';

const isScores = (op: string): boolean => /attention/i.test(op);

/** The parts of one model, as the graph of its outputs uses them. */
export class Components {
  /** By name: a model in another dtype has other states. */
  private readonly ofNames = new Map<string, Component>();
  private readonly ofPaths = new Map<string, Component>();

  constructor({ program, states }: Traced) {
    let isAfterLayers = false;
    for (const { op, name, operands } of program.nodes) {
      if (isScores(op)) isAfterLayers = true;
      let hasState = false;
      for (const operand of operands) {
        const source = program.values[operand]?.source;
        const state = source?.kind === 'state' ? states[source.state] : undefined;
        if (!state) continue;
        hasState = true;
        const part = ofOps[op] ?? partOf(state.name, isAfterLayers);
        // A table of words is one, also where the scores of words are made of it.
        if (!this.ofNames.has(state.name) || part === 'embedding') {
          this.ofNames.set(state.name, part);
        }
      }
      if (hasState && name && !isScores(op)) {
        this.ofPaths.set(name, ofOps[op] ?? partOf(name, isAfterLayers));
      }
    }
  }

  /** Of a parameter; one that no output depends on belongs to a head of another task. */
  of(state: State): Component {
    return this.ofNames.get(state.name) ?? partOf(state.name, true);
  }

  /**
   * Of a node of this graph, or of one made from it: gradients keep the paths of what they are of.
   * @param read the states that it reads, for one that has no known path.
   */
  termOf(op: string, name: string | undefined, read: () => readonly State[]): Term {
    if (isScores(op)) return 'scores';
    const known = name === undefined ? undefined : this.ofPaths.get(name);
    if (known) return known;
    // The table of words is read by their scores, too, and by the loss that is computed with them.
    const state =
      op === 'embedding' ? undefined : read().find((each) => this.ofNames.has(each.name));
    if (state) return isTable(this.of(state)) ? 'head' : this.of(state);
    if (ofOps[op]) return ofOps[op];
    // The loss makes the scores of words block by block, of parts of the table that have no name.
    if (op === 'linear' || op === 'matmul') return 'head';
    return /crossEntropy/i.test(op) ? 'loss' : 'other';
  }
}
