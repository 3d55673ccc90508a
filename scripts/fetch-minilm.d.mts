export function minilmFolder(options?: { note?: (line: string) => void }): Promise<string>;
