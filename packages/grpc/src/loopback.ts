// loopback: whether a host is this machine and nothing else. What may be said there, and who may listen there, is decided where it is asked.

/**
 * Whether nobody but this machine hears what is sent to a host, and nobody else reaches what listens there.
 *
 * @example isLoopback("127.0.0.1") === true
 */
export function isLoopback(host: string): boolean {
  const plain = host.replace(/^\[(.*)\]$/, "$1").toLowerCase();
  return plain === "localhost" || plain.endsWith(".localhost") || plain === "::1" || /^127(?:\.\d{1,3}){3}$/.test(plain);
}
