// paint: colours, or none.
import type { InstanceStatus } from "ostinato";

/** How text is set off. Without colours every function gives back what it was given. */
export interface Paint {
  readonly strong: (text: string) => string;
  readonly faint: (text: string) => string;
  readonly good: (text: string) => string;
  readonly bad: (text: string) => string;
  readonly waiting: (text: string) => string;
}

/** The colours of a terminal, or plain text. */
export function createPaint(colors: boolean): Paint {
  const code =
    (on: number, off: number) =>
    (text: string): string =>
      colors && text !== "" ? `\u001b[${on}m${text}\u001b[${off}m` : text;
  return { strong: code(1, 22), faint: code(2, 22), good: code(32, 39), bad: code(31, 39), waiting: code(33, 39) };
}

const TONES: { readonly [S in InstanceStatus]: keyof Paint } = {
  PENDING: "waiting",
  RUNNING: "strong",
  SUSPENDED: "waiting",
  COMPLETED: "good",
  FAILED: "bad",
  TERMINATED: "bad",
};

/** A status in its colour. */
export function paintStatus(paint: Paint, status: InstanceStatus, text: string = status): string {
  return paint[TONES[status]](text);
}
