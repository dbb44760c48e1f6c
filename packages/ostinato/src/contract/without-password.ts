// without-password: addresses as they may be shown.

/**
 * A URL without the password in it, and without what stands behind names that say that it is secret.
 *
 * @example withoutPassword("postgres://ada:secret@db/orders") === "postgres://ada:***@db/orders"
 */
export function withoutPassword(url: string): string {
  // To the last @, since a password that was not encoded may have one.
  return url
    .replace(/^([a-z][a-z0-9+.-]*:(?:\/\/)?[^:/?#@]*):.*@/is, "$1:***@")
    .replace(/([?&;][^=&;]*(?:password|secret|token|key)[^=&;]*=)[^&;]*/gi, "$1***");
}
