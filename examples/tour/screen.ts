// screen: how the tour looks. Plain text; colour on a terminal only, and never against NO_COLOR.
import { styleText } from "node:util";

type Style = Parameters<typeof styleText>[0];
const styled = (style: Style, text: string): string => styleText(style, text, { stream: process.stdout });

let sections = 0;
let open = "";

function endLine(): void {
  if (open !== "") process.stdout.write("\n");
  open = "";
}

/** A line as it is. */
export function line(text = ""): void {
  endLine();
  process.stdout.write(`${text}\n`);
}

/** A new pattern begins. */
export function section(name: string, what: string): void {
  line();
  line(`${styled("bold", `${++sections}  ${name}`)}  ${styled("dim", what)}`);
}

/** Something that happens on the way. */
export function note(text: string): void {
  line(styled("dim", `     ${text}`));
}

/** A word more on the line of those before it. */
export function word(text: string): void {
  if (open === "") process.stdout.write("     ");
  open += text;
  process.stdout.write(`${text} `);
}

/** The line was ended by whoever typed Enter. */
export function entered(): void {
  open = "";
}

/** What came of it. */
export function outcome(text: string): void {
  line(`   ${styled("green", "✓")} ${text}`);
}

/** What must not be. */
export function failure(text: string): void {
  line(`   ${styled("red", "✗")} ${text}`);
}

export const strong = (text: string): string => styled("bold", text);
export const loud = (text: string): string => styled("yellow", text);
export const count = (n: number): string => n.toLocaleString("en-US");
