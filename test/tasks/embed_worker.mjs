/** Embeds texts in a worker thread with the built package, and stays alive with its model open. */
import { parentPort, workerData } from 'node:worker_threads';
import { load } from '../../dist/index.mjs';

const model = await load(workerData.folder);
parentPort.postMessage(await model.embed(workerData.texts));
parentPort.once('message', () => model.dispose());
