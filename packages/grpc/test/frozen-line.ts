// frozen-line: a wire between two ends that can go dead without saying so.

import { connect, createServer, type AddressInfo, type Socket } from "node:net";

export interface Line {
  readonly port: number;
  /** Nothing goes through any more, in either direction, and nobody is told. */
  freeze(): void;
  close(): void;
}

/** Makes a line to a port of this machine. */
export async function lineTo(port: number): Promise<Line> {
  const ends = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect({ port, host: "127.0.0.1", noDelay: true });
    near.setNoDelay(true);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      ends.add(from);
      from.on("error", () => undefined);
      from.on("data", (chunk) => to.write(chunk));
      from.on("close", () => to.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    freeze() {
      for (const end of ends) end.pause();
    },
    close() {
      server.close();
      for (const end of ends) end.destroy();
    },
  };
}
