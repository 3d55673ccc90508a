/** What kind of mistake an error reports; stable, for programs to branch on. */
export type ErrorCode =
  | 'ERR_SHAPE' // shapes or dtypes do not fit an operation
  | 'ERR_ARGUMENT' // a wrong argument of a call
  | 'ERR_INPUT' // ids, masks or texts that the model cannot take
  | 'ERR_FILE' // a file that cannot be read
  | 'ERR_FORMAT' // a malformed file
  | 'ERR_CONFIG' // a config.json that says something impossible
  | 'ERR_UNSUPPORTED' // an architecture, dtype or option that Heddle does not have
  | 'ERR_NOT_FOUND' // no such model, file or tensor
  | 'ERR_NETWORK' // the hub cannot be reached, or answers nonsense
  | 'ERR_AUTH' // the hub wants a token, or another one
  | 'ERR_DISPOSED' // use after dispose()
  | 'ERR_MEMORY' // memory could not be had
  | 'ERR_DIVERGED' // a training step whose loss or gradients are not finite
  | 'ERR_ENGINE'; // the native engine failed

/**
 * The one error class of Heddle. `message` says what was expected, what was found and where;
 * `code` is for programs, `expected`, `found` and `where` repeat the parts of the message.
 */
export class HeddleError extends Error {
  override readonly name = 'HeddleError';
  readonly expected: string | undefined;
  readonly found: string | undefined;
  readonly where: string | undefined;

  constructor(
    readonly code: ErrorCode,
    message: string,
    details: { expected?: string; found?: string; where?: string; cause?: unknown } = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.expected = details.expected;
    this.found = details.found;
    this.where = details.where;
  }
}

/** `where: expected …, found …`: the shape that most messages have. */
export function mismatch(
  code: ErrorCode,
  where: string,
  expected: string,
  found: string,
): HeddleError {
  return new HeddleError(code, `${where}: expected ${expected}, found ${found}`, {
    expected,
    found,
    where,
  });
}
