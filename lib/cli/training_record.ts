/** What a training run leaves to be read: metrics.jsonl, and report.html made of it. */
import { appendFileSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HeddleError } from '../errors.js';
import type { Evaluation } from '../train/evaluation.js';
import { reportPage } from './training_report.js';

export interface MetricsLine {
  readonly step: number;
  readonly loss?: number;
  readonly gradNorm?: number;
  readonly learningRate?: number;
  readonly tokensPerSecond?: number;
  readonly epoch?: number;
  readonly evaluation?: Evaluation;
  /** Of the result, at the end. */
  readonly test?: Evaluation;
}

export class TrainingRecord {
  private lines: MetricsLine[] = [];
  private isOpen = false;
  private readonly file: string;

  constructor(
    private readonly folder: string,
    private readonly run: { readonly title: string; readonly steps: number },
  ) {
    this.file = join(folder, 'metrics.jsonl');
  }

  /** Begins a record, or goes on with one: what was noted after `step` is taken again. */
  open(step: number): void {
    this.writing(() => {
      mkdirSync(this.folder, { recursive: true });
      if (step > 0) {
        this.lines = this.earlier().filter((line) => line.step <= step && !line.test);
      }
      writeFileSync(`${this.file}.new`, this.lines.map(jsonLine).join(''));
      renameSync(`${this.file}.new`, this.file);
    });
    this.isOpen = true;
  }

  add(line: MetricsLine): void {
    this.lines.push(line);
    this.writing(() => appendFileSync(this.file, jsonLine(line)));
  }

  /** Writes the report of what there is. */
  async close(): Promise<void> {
    if (!this.isOpen || this.lines.length === 0) return;
    this.isOpen = false;
    this.writing(() =>
      writeFileSync(join(this.folder, 'report.html'), reportPage(this.run, this.lines)),
    );
  }

  /** A line that a killed process has left half is none. */
  private earlier(): MetricsLine[] {
    let text: string;
    try {
      text = readFileSync(this.file, 'utf8');
    } catch {
      return [];
    }
    return text.split('\n').flatMap((line) => {
      try {
        return [JSON.parse(line) as MetricsLine];
      } catch {
        return [];
      }
    });
  }

  private writing(body: () => void): void {
    try {
      body();
    } catch (cause) {
      const message = `${this.folder}: cannot be written: ${(cause as Error).message}`;
      throw new HeddleError('ERR_FILE', message, { where: this.folder, cause });
    }
  }
}

const jsonLine = (line: MetricsLine): string => `${JSON.stringify(line)}\n`;
