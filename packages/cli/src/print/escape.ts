// escape: text from a store, made safe for a terminal and for one line.
//
// Always:  whatever an id, a name or a message holds, what is printed moves no cursor, changes no colour, turns no direction and ends no line.

/** Control characters of both sets, marks that turn the direction of text, separators of lines, invisible ones, halves of surrogate pairs. */
const UNSAFE =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]|\p{Surrogate}|[\u{e0000}-\u{e007f}]/gu;

const SHORT: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/**
 * The text on one line, with everything that a terminal would obey written out: `"a\u001b[31m"` becomes `a\u{1b}[31m`.
 *
 * @example
 * plain("two\nlines") === "two\\nlines"
 */
export function plain(text: string): string {
  return text.replace(UNSAFE, (found) => SHORT[found] ?? `\\u{${found.codePointAt(0)!.toString(16)}}`);
}

/** A value as one line of JSON that a terminal obeys as little. It reads back as the same value. */
export function jsonText(value: unknown): string {
  // Within JSON such characters stand in texts alone, where they may be written as escapes.
  return (JSON.stringify(value) ?? "null").replace(UNSAFE, (found) =>
    Array.from({ length: found.length }, (_, index) => `\\u${found.charCodeAt(index).toString(16).padStart(4, "0")}`).join(""),
  );
}

/** The text cut to so many characters, with an ellipsis where something is missing. */
export function cut(text: string, length: number): string {
  const characters = [...text];
  return characters.length <= length ? text : `${characters.slice(0, Math.max(0, length - 1)).join("")}…`;
}
