// thenable: somebody's promise, whoever made it.

/** Whether a value is to be waited for. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    ((typeof value === "object" && value !== null) || typeof value === "function") && "then" in value && typeof value.then === "function"
  );
}
