// wal: what the index of a write-ahead log says of the moment at which its writer died.
//
// The index is a file of shared memory that stays when a process is killed. Its layout is SQLite's, documented as part of the file format.
import { existsSync, readFileSync } from "node:fs";
import { endianness } from "node:os";

const LAST_FRAME = 16;
const CARRIED_OVER = 96;
const TO_CARRY_OVER = 128;

/** Whether the log was being carried over into the database when the process died. */
export function diedWhileCarryingOver(file: string): boolean {
  const index = `${file}-shm`;
  if (!existsSync(index)) return false;
  const bytes = readFileSync(index);
  if (bytes.length < TO_CARRY_OVER + 4) return false;
  const at = (offset: number): number => (endianness() === "LE" ? bytes.readUInt32LE(offset) : bytes.readUInt32BE(offset));
  return at(LAST_FRAME) > 0 && at(TO_CARRY_OVER) > at(CARRIED_OVER);
}
