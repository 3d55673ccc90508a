export function sentencesOf(tagged: string): string[];
export function passagesOf(sentences: readonly string[], words: number): string[];
export function splitPassages(
  texts: ReadonlyMap<string, string>,
  words?: number,
): { train: string[]; valid: string[]; test: string[] };
export function writeBrown(folder: string): Promise<{ train: number; valid: number; test: number }>;
