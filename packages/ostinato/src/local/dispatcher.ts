// dispatcher: looks for work while there is room, and sleeps until there can be some.
//
// Owns:    when to claim. What is claimed goes to whoever made it.
// Always:  D1 one look at a time; a reason to look that comes meanwhile leads to one more.
//          D2 idle costs nothing: no polling, only hints, freed room, and the time of the next thing due.
//          D3 a failed look is tried again, later each time: recovery is a loop (G12).

import type { Instant } from "../contract/instant.ts";
import type { ClaimRequest, Claims } from "../engine/store.ts";
import type { Clock, ClockTimer } from "../platform/clock.ts";
import type { Wanted } from "./connected-workers.ts";

/** What a dispatcher is given. */
export interface DispatcherOptions {
  readonly clock: Clock;
  /** What there is room for right now. */
  readonly want: () => Wanted;
  readonly claim: (want: ClaimRequest) => Promise<Claims>;
  readonly take: (claims: Claims) => void;
  readonly failed: (error: unknown, retryMs: number) => void;
}

const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 10_000;

/** Claims work. */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  #looking = false;
  #again = false;
  #closed = false;
  #failures = 0;
  /** The last look came back with all it had asked for: freed room is a reason to look. */
  #more = false;
  #wakeAt: Instant | undefined;
  #timer: ClockTimer | undefined;

  constructor(options: DispatcherOptions) {
    this.#options = options;
  }

  /** Something may be ready. */
  look(): void {
    if (this.#closed) return;
    if (this.#looking) {
      this.#again = true;
      return;
    }
    this.#looking = true;
    void this.#lookWhileThereIsMore();
  }

  /** Room was freed: looks if more was there than could be taken. */
  roomFreed(): void {
    // While a look is under way, it was told of less room than there is now.
    if (this.#more || this.#looking) this.look();
  }

  /** A hint that something will be due at this instant: looks, unless it would have looked by then anyway. The look tells the time. */
  dueAt(instant: Instant): void {
    if (this.#wakeAt === undefined || instant < this.#wakeAt) this.look();
  }

  /** Something will be due at this instant of the store's clock; `reading` is what it shows now. */
  wakeAt(instant: Instant, reading: Instant): void {
    if (this.#closed || (this.#wakeAt !== undefined && this.#wakeAt <= instant)) return;
    this.#timer?.cancel();
    this.#wakeAt = instant;
    this.#timer = this.#options.clock.setTimer(Math.max(0, instant - reading), () => {
      this.#wakeAt = undefined;
      this.look();
    });
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  async #lookWhileThereIsMore(): Promise<void> {
    const { want, claim, take, failed, clock } = this.#options;
    do {
      this.#again = false;
      const request = want();
      try {
        const claims = await claim(request);
        if (this.#closed) break;
        this.#failures = 0;
        let free = 0;
        let entities = 0;
        for (const { held, record } of claims.instances) {
          if (held) continue;
          if (record.kind === "entity") entities++;
          else free++;
        }
        // What needs only the engine may be an entity, and takes the room of an instance all the same.
        const allInstances = free + entities > 0 && free + entities >= request.instances;
        const allEntities = entities > 0 && entities >= request.entityCount;
        const allActivities = claims.activities.length > 0 && claims.activities.length >= request.activityCount;
        // Nothing was asked for where there was no room: there may be something for when there is.
        this.#more = allInstances || allEntities || allActivities || request.isPartial || request.instances === 0;
        take(claims);
        if (claims.nextDueAt !== undefined) this.wakeAt(claims.nextDueAt, claims.at);
        if (allInstances || allEntities || allActivities) {
          const next = want();
          this.#again ||=
            (allInstances && next.instances > 0) || (allEntities && next.entityCount > 0) || (allActivities && next.activityCount > 0);
        }
      } catch (error) {
        if (this.#closed) break;
        const retryMs = Math.min(FIRST_RETRY_MS * 2 ** this.#failures++, LONGEST_RETRY_MS);
        failed(error, retryMs);
        clock.setTimer(retryMs, () => this.look());
        break;
      }
    } while (this.#again && !this.#closed);
    this.#looking = false;
  }
}
