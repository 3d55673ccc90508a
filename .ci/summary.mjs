/**
 * Prints the seconds of each section, what failed with its message and, alone on the last line, `N passed, N failed`
 * over all runners: the tests of vitest and ctest by their reports, and each section as one more check. Exits 1 where
 * one failed.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = process.argv[2];
const read = (name) => readFileSync(join(folder, name), 'utf8');
const total = { passed: 0, failed: 0 };

const sections = read('sections.tsv')
  .trim()
  .split('\n')
  .map((line) => line.split('\t'));
console.log('\nseconds  section');
for (const [result, seconds, title] of sections) {
  total[result]++;
  console.log(`${seconds.padStart(7)}  ${title}${result === 'failed' ? ': FAILED' : ''}`);
}
const seconds = sections.reduce((sum, [, s]) => sum + Number(s), 0);
console.log(`${String(seconds).padStart(7)}  in all`);

const failures = [];
const failed = (title, message) =>
  failures.push(`${title}\n${message.slice(0, 2000).replace(/^/gm, '    ')}`);

for (const name of readdirSync(folder)) {
  if (/^vitest-.*\.json$/.test(name)) {
    const report = JSON.parse(read(name));
    total.passed += report.numPassedTests;
    total.failed += report.numFailedTests;
    for (const { name: file, message, assertionResults } of report.testResults) {
      if (message) failed(`${name}: ${file}`, message); // the file itself: an import or a hook that failed
      for (const test of assertionResults.filter(({ status }) => status === 'failed')) {
        failed(`${name}: ${file}: ${test.fullName}`, test.failureMessages.join('\n'));
      }
    }
  } else if (/^ctest-.*\.xml$/.test(name)) {
    const [, tests, failures] = read(name).match(/\btests="(\d+)"\s+failures="(\d+)"/);
    total.passed += tests - failures;
    total.failed += Number(failures);
    for (const [, test] of read(name).matchAll(/<testcase name="([^"]*)"[^>]*status="fail"/g)) {
      failed(`${name}: ${test}`, 'its output stands in the section above');
    }
  }
}
if (failures.length > 0) console.log(`\nfailed:\n${failures.join('\n')}\n`);
process.exitCode = total.failed > 0 ? 1 : 0;
console.log(`${total.passed} passed, ${total.failed} failed`);
