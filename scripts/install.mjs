/**
 * npm's install script: builds the addon from source. An install never fails because of it: without the
 * addon everything runs on the TypeScript backend, so a failure is one line and exit code 0.
 */
let failure;
try {
  // Imported here, so that a missing dependency is such a failure too.
  const { buildAddon } = await import('./build-addon.mjs');
  const { status, seconds } = await buildAddon();
  if (status === 'built') console.log(`heddle: built the native addon in ${seconds.toFixed(0)} s`);
} catch (error) {
  const missing = error.missing?.length ? ` (missing: ${error.missing.join(', ')})` : '';
  failure = `${error.message.split('\n')[0]}${missing}`;
}
if (failure !== undefined) {
  console.error(
    `heddle: no native addon: ${failure}. Everything runs without it, slowly; \`npx heddle build\` builds it and says what is missing.`,
  );
}
