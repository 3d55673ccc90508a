/**
 * A function that has the members of an object: what @huggingface/transformers' tokenizers and models are. Members run with the
 * function as `this`, and find the object's fields behind it; they must not set any.
 */
export function callable<F extends (...given: never[]) => unknown, M extends object>(
  call: F,
  members: M,
): F & M {
  // Functions have these of their own, which would hide a member's.
  for (const name of ['name', 'length']) Reflect.deleteProperty(call, name);
  return Object.setPrototypeOf(call, members) as F & M;
}
