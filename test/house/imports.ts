/** The direction of imports in lib/, as ARCHITECTURE.md draws it. */
import { posix } from 'node:path';
import ts from 'typescript';
import type { Source } from './sources.js';

/** Layers from the top down: a file imports its own folder and what stands on a lower line. */
const layers = [
  ['cli', 'server'],
  ['stages'],
  ['tasks'],
  ['train', 'analysis'],
  ['scores'],
  ['generation'],
  ['models'],
  ['layers'],
  ['ops'],
  ['graph'],
  ['native.ts'],
];

/** What stands beside the layers, and all that it may import. */
const beside: Record<string, string[]> = {
  checkpoints: ['graph', 'native.ts'],
  hub: ['checkpoints'],
  text: [],
};

/** The files that may import everything: what the package shows, and what is started by path. */
const isEntry = (path: string) => path === 'lib/index.ts' || path.startsWith('lib/worker/');

/** Where models, checkpoints, the hub and text come together; the other tasks know the types of what these give them. */
const joints = [
  'adapter',
  'adapter_training',
  'merge_adapter',
  'load',
  'load_static',
  'load_options',
  'load_trainable',
  'save_model',
  'saved_cache',
  'trainable_transformer',
  'trained_weights',
  'training_run',
  'training_folder',
  'training_text',
  'training_examples',
  'training_config',
  'training_methods',
  'model_tokenizer',
  'pretrained_tokenizer',
  'auto_config',
  'source',
  'train_tokenizer',
  'inspect',
  'estimate',
  'estimate_source',
  'layer_stack',
  'hub_models',
].map((name) => `lib/tasks/${name}.ts`);

interface Import {
  specifier: string;
  typeOnly: boolean;
}

/** Imports of the file that point the wrong way, each as a sentence. */
export function wrongImports({ path, text }: Source): string[] {
  if (isEntry(path)) return [];
  return importsOf(text)
    .filter(({ specifier }) => specifier.startsWith('.'))
    .map(({ specifier, typeOnly }) => ({ target: resolve(path, specifier), typeOnly }))
    .filter(({ target, typeOnly }) => !mayImport(path, target, typeOnly))
    .map(({ target }) => `${path} imports ${target}`);
}

function resolve(path: string, specifier: string): string {
  return posix.join(posix.dirname(path), specifier).replace(/\.js$/, '.ts');
}

/** All imports and re-exports, static and dynamic. */
function importsOf(text: string): Import[] {
  const found: Import[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
      const typeOnly = node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
      found.push({ specifier: node.moduleSpecifier.text, typeOnly });
    } else if (ts.isExportDeclaration(node) && node.moduleSpecifier) {
      const specifier = (node.moduleSpecifier as ts.StringLiteral).text;
      found.push({ specifier, typeOnly: node.isTypeOnly });
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [argument] = node.arguments;
      if (argument && ts.isStringLiteral(argument)) {
        found.push({ specifier: argument.text, typeOnly: false });
      }
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      found.push({ specifier: (node.argument.literal as ts.StringLiteral).text, typeOnly: true });
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile('file.ts', text, ts.ScriptTarget.Latest));
  return found;
}

function mayImport(from: string, to: string, typeOnly: boolean): boolean {
  if (to === 'lib/errors.ts' || to === 'package.json') return true;
  if (!to.startsWith('lib/')) return false;
  const [own, other] = [partOf(from), partOf(to)];
  if (own === other) return true;
  if (other in beside && (joints.includes(from) || (own === 'tasks' && typeOnly))) return true;
  const allowed = beside[own];
  if (allowed !== undefined) return allowed.includes(other);
  const [ownLayer, otherLayer] = [layerOf(own), layerOf(other)];
  return ownLayer >= 0 && otherLayer > ownLayer;
}

/** 'lib/graph/run.ts' → 'graph', 'lib/native.ts' → 'native.ts'. */
const partOf = (path: string) => path.split('/')[1] ?? '';

const layerOf = (part: string) => layers.findIndex((line) => line.includes(part));
