export function readCatalog(bytes: Buffer): [string, string][];
export function clean(text: string): string;
export function isGood(source: string, target: string): boolean;
export function partOf(name: string): 'train' | 'valid' | 'test';
export function writePairs(
  out: string,
  options: { language: string; locale?: string[]; deb?: string[] },
): Promise<Record<'train' | 'valid' | 'test', number>>;
