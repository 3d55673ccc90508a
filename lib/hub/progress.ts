/** Bytes of all files of a download. */
import type { HubFile } from './hub_api.js';

/** Bytes that are there, and all, of each file by its path. */
export type FilesProgress = Readonly<Record<string, { loaded: number; total: number }>>;

/** Gets the bytes that are there, and those of all files. */
export type OnDownload = (progress: {
  loaded: number;
  total: number;
  files: FilesProgress;
}) => void;

/** How often a caller is told at most, ms. */
const tellEvery = 50;

export class DownloadProgress {
  private readonly bytes = new Map<string, number>();
  private loaded = 0;
  /** Undefined until all files are known: a total that grew would let a bar run backwards. */
  private total: number | undefined;
  private files: readonly HubFile[] = [];
  private toldAt = Number.NEGATIVE_INFINITY;

  constructor(private readonly onProgress: OnDownload | undefined) {}

  begin(files: readonly HubFile[]): void {
    this.files = files;
    this.total = files.reduce((sum, { size }) => sum + size, 0);
  }

  update({ path }: HubFile, bytes: number): void {
    this.loaded += bytes - (this.bytes.get(path) ?? 0);
    this.bytes.set(path, bytes);
    if (this.total === undefined) return;
    const now = performance.now();
    if (this.loaded < this.total && now - this.toldAt < tellEvery) return;
    this.toldAt = now;
    const { loaded, total } = this;
    this.onProgress?.({ loaded, total, files: this.each() });
  }

  private each(): FilesProgress {
    return Object.fromEntries(
      this.files.map(({ path, size }) => [
        path,
        { loaded: this.bytes.get(path) ?? 0, total: size },
      ]),
    );
  }
}
