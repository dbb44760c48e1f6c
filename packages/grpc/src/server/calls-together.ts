// calls-together: calls of one of our own ends that come on one stream.
//
// Owns:    how many of them are answered at once.
// Tells:   the service each call as though it had come alone: with the stream's caller, through the same gate.
// Always:  CT1 each call is answered once, under its number; one that fails does not end the stream.
//          CT2 what is under way is bounded: a caller that has too much of it is not listened to until some has been answered.

import { createBundle } from "../codec/bundle.ts";
import { readCalls, writeAnswers, type CallAnswer, type CallOut } from "../codec/own-calls.ts";
import { toWireError } from "../codec/status.ts";
import type { IncomingCall, Reply, StreamWriter } from "../transport/transport.ts";

/** So many calls of one stream are answered at once. */
const MOST_AT_ONCE = 1_024;

/** Answers the calls of a stream until it ends. */
export async function answerTogether(
  call: IncomingCall,
  incoming: AsyncIterable<Uint8Array>,
  writer: StreamWriter,
  answer: (call: IncomingCall, message: Uint8Array) => Promise<Reply>,
): Promise<void> {
  let underWay = 0;
  let drained: Promise<void> | undefined;
  let wake: (() => void) | undefined;
  const send = createBundle<{ readonly told: CallAnswer; readonly bytes: number }>((answers) => {
    if (call.signal.aborted || writer.write(writeAnswers(answers.map(({ told }) => told)))) return;
    drained ??= writer.drained().then(
      () => (drained = undefined),
      () => (drained = undefined),
    );
  });
  const settle = async ({ number, method, message }: CallOut): Promise<void> => {
    try {
      const reply = await answer({ ...call, method, hasDeadline: false }, message);
      send({ told: { number, message: reply.message }, bytes: reply.message.length });
    } catch (error) {
      const refusal = toWireError(error);
      send({ told: { number, error: refusal }, bytes: refusal.message.length });
    }
    underWay -= 1;
    wake?.();
  };

  for await (const bytes of incoming) {
    for (const each of readCalls(bytes)) {
      while (underWay >= MOST_AT_ONCE) await new Promise<void>((resolve) => (wake = resolve));
      if (drained !== undefined) await drained;
      underWay += 1;
      void settle(each);
    }
  }
  while (underWay > 0 && !call.signal.aborted) await new Promise<void>((resolve) => (wake = resolve));
}
