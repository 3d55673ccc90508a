export function databaseObjects(bytes: Buffer): Generator<Buffer>;
export function stringVector(bytes: Buffer): string[] | undefined;
