/** What the CPU does at most with so many threads, measured by the engine itself (`ceilings` of the library). */
import { ceilings } from '../dist/index.mjs';
import { addon } from './addon.mjs';

/** @returns {Promise<{ threads: number, gflops: number, gbps: number }>} float32 multiply-adds; reading of memory */
export async function ceilingsOf(threads) {
  const before = addon().info().threads;
  addon().setThreads(threads);
  try {
    return await ceilings();
  } finally {
    addon().setThreads(before);
  }
}
