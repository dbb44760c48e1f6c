// Traces and metrics as an OpenTelemetry SDK receives them: the real API, the real SDK, a real hub.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { context, SpanKind, type Tracer } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { AggregationTemporality, InMemoryMetricExporter, MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider, type ReadableSpan } from "@opentelemetry/sdk-trace";
import { activity, entity, externalEvent, openTaskHub, orchestrator, type HubOptions } from "ostinato";
import { durableSpanIds, openTelemetry, type Observer } from "ostinato/opentelemetry";

context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
after(() => context.disable());

/** A library that traces by itself, as an HTTP client does. */
let library: Tracer | undefined;

const approval = externalEvent<string>("approval");
const pack = activity("pack", async (ctx, order: string) => `${order}, packed`);
const send = activity("send", async (ctx, parcel: string) => {
  library?.startSpan("http POST").end();
  return `${parcel}, sent`;
});
const ship = orchestrator("ship", async (ctx, order: string) => await ctx.callActivity(send, order));
const sell = orchestrator("sell", { version: "2.0.0" }, async (ctx, order: string) => {
  await ctx.waitForExternalEvent(approval);
  const packed = await ctx.callActivity(pack, order);
  await ctx.createTimer("1ms");
  return await ctx.callSubOrchestrator(ship, packed);
});
const rounds = orchestrator("rounds", async (ctx, round: number) => {
  await ctx.callActivity(pack, `round ${round}`);
  if (round < 3) ctx.continueAsNew(round + 1);
  return round;
});
const opened = orchestrator("opened", async (ctx, shop: string) => shop);
const stock = entity("stock", { initial: () => 0 }).operations({
  add: (state, count: number) => state.set(state.value + count),
  open: (state) => void state.startOrchestrator(opened, state.key, { instanceId: `opened-${state.key}` }),
  ring: (state, times: number) => {
    if (times > 0) state.entity(stock, state.key).signal.ring(times - 1, { at: "1ms" });
    else state.startOrchestrator(opened, state.key, { instanceId: `rung-${state.key}` });
  },
});
const fill = orchestrator("fill", async (ctx, shop: string) => {
  const shelf = ctx.entity(stock, shop);
  const count = await shelf.add(3);
  shelf.signal.open();
  return count;
});
const failing = orchestrator("failing", async (ctx) => {
  throw new Error("it had to be");
});

function tracing(nested: boolean) {
  const exporter = new InMemorySpanExporter();
  const spanProcessors = [new SimpleSpanProcessor({ exporter })];
  const tracerProvider = new TracerProvider(nested ? { idGenerator: durableSpanIds(), spanProcessors } : { spanProcessors });
  library = tracerProvider.getTracer("a library");
  /** Spans are written after the fact: all of them, once the one that is named is there. */
  const until = async (name: string, count = 1): Promise<ReadableSpan[]> => {
    for (let look = 0; look < 500_000; look++) {
      const spans = exporter.getFinishedSpans();
      if (spans.filter((span) => span.name === name).length >= count) return spans;
      await new Promise((resolve) => setImmediate(resolve));
    }
    throw new Error(
      `no span '${name}' among ${exporter
        .getFinishedSpans()
        .map((span) => span.name)
        .join(", ")}`,
    );
  };
  return { tracerProvider, until };
}

async function withHub(options: HubOptions, use: (hub: Awaited<ReturnType<typeof openTaskHub>>) => Promise<void>): Promise<void> {
  const hub = await openTaskHub("memory:", options);
  const worker = await hub.startWorker({
    orchestrators: [sell, ship, rounds, failing, fill, opened],
    activities: [pack, send],
    entities: [stock],
  });
  try {
    await use(hub);
  } finally {
    await worker.stop();
    await hub.close();
  }
}

for (const nested of [true, false]) {
  test(`an instance with activities, a timer, an event and a child is one trace${nested ? ", nested as it was called" : ""}`, async () => {
    const { tracerProvider, until } = tracing(nested);
    await withHub({ telemetry: openTelemetry({ tracerProvider }) }, async (hub) => {
      const instance = await hub.start(sell, "order 1", { instanceId: "s1" });
      await instance.raiseEvent(approval, "Ada");
      assert.equal(await instance.result(), "order 1, packed, sent");
      const spans = await until("orchestration:sell@(2.0.0)");
      const named = (name: string, kind?: SpanKind) => {
        const found = spans.find((span) => span.name === name && (kind === undefined || span.kind === kind));
        assert.ok(found, `no span ${name}`);
        return found;
      };
      const { SERVER, CLIENT } = SpanKind;
      const start = named("create_orchestration:sell@(2.0.0)");
      const about = spans.filter((span) => !span.name.startsWith("orchestration_event"));
      assert.deepEqual([...new Set(about.map((span) => span.spanContext().traceId))], [start.spanContext().traceId]);
      assert.equal(named("orchestration_event:approval").attributes["durabletask.event.target_instance_id"], "s1");
      named("orchestration:sell:timer");
      assert.equal(named("orchestration:sell@(2.0.0)").attributes["durabletask.task.status"], "Completed");
      assert.equal(named("http POST").parentSpanContext?.spanId, named("activity:send", SERVER).spanContext().spanId);
      if (!nested) return;
      const parents: [string, string][] = [
        ["orchestration:sell@(2.0.0)", "create_orchestration:sell@(2.0.0)"],
        ["orchestration:sell:timer", "orchestration:sell@(2.0.0)"],
      ];
      for (const [child, parent] of parents)
        assert.equal(named(child).parentSpanContext?.spanId, named(parent).spanContext().spanId, `${child} below ${parent}`);
      assert.equal(named("activity:pack", SERVER).parentSpanContext?.spanId, named("activity:pack", CLIENT).spanContext().spanId);
      assert.equal(named("orchestration:ship", SERVER).parentSpanContext?.spanId, named("orchestration:ship", CLIENT).spanContext().spanId);
    });
  });
}

test("what entities are asked for, and what they start, is in the trace of who asked", async () => {
  const { tracerProvider, until } = tracing(true);
  await withHub({ telemetry: openTelemetry({ tracerProvider }) }, async (hub) => {
    const instance = await hub.start(fill, "corner");
    assert.equal(await instance.result(), 3);
    await until("orchestration:fill");
    const spans = await until("orchestration:opened");
    const named = (name: string) => spans.find((span) => span.name === name);
    const [call, signal] = [named("entity:stock:add"), named("entity:stock:open")];
    assert.deepEqual([call?.kind, call?.attributes["durabletask.task.status"]], [SpanKind.CLIENT, "Completed"]);
    assert.equal(signal?.attributes["durabletask.event.target_instance_id"], "@stock@corner");
    assert.equal(call?.parentSpanContext?.spanId, named("orchestration:fill")?.spanContext().spanId);
    const started = named("orchestration:opened");
    assert.equal(started?.parentSpanContext?.spanId, signal?.spanContext().spanId, "below the signal that it came of");
    assert.equal(started?.spanContext().traceId, named("create_orchestration:fill")?.spanContext().traceId);
  });
});

test("a client's signal begins a trace; what an entity signals for later begins its own", async () => {
  const { tracerProvider, until } = tracing(true);
  await withHub({ telemetry: openTelemetry({ tracerProvider }) }, async (hub) => {
    await hub.entity(stock, "corner").signal.open();
    await hub.entity(stock, "market").signal.ring(1);
    const spans = await until("orchestration:opened", 2);
    const named = (name: string, instanceId?: string) =>
      spans.find(
        (span) => span.name === name && (instanceId === undefined || span.attributes["durabletask.task.instance_id"] === instanceId),
      );
    const [signal, ring] = [named("entity:stock:open"), named("entity:stock:ring")];
    assert.equal(signal?.kind, SpanKind.PRODUCER);
    assert.equal(named("orchestration:opened", "opened-corner")?.parentSpanContext?.spanId, signal?.spanContext().spanId);
    assert.notEqual(named("orchestration:opened", "rung-market")?.spanContext().traceId, ring?.spanContext().traceId);
    assert.ok(ring !== undefined);
  });
});

test("after continue-as-new each execution has a span of its own, linked to the next, in one trace", async () => {
  const { tracerProvider, until } = tracing(true);
  await withHub({ telemetry: openTelemetry({ tracerProvider }) }, async (hub) => {
    const instance = await hub.start(rounds, 1);
    assert.equal(await instance.result(), 3);
    const spans = (await until("orchestration:rounds", 3)).filter((span) => span.name === "orchestration:rounds");
    assert.equal(new Set(spans.map((span) => span.spanContext().traceId)).size, 1);
    const links = spans.map((span) => span.links[0]?.context.spanId);
    assert.deepEqual(links, [spans[1]?.spanContext().spanId, spans[2]?.spanContext().spanId, undefined]);
  });
});

test("a failure and a termination end the trace with their status", async () => {
  const { tracerProvider, until } = tracing(true);
  await withHub({ telemetry: openTelemetry({ tracerProvider }) }, async (hub) => {
    await assert.rejects((await hub.start(failing)).result(), /it had to be/);
    const failed = (await until("orchestration:failing")).find((span) => span.name === "orchestration:failing");
    assert.equal(failed?.status.message, "it had to be");
    const parked = await hub.start(sell, "order 2");
    await parked.waitForStart();
    await parked.terminate();
    const ended = (await until("orchestration:sell@(2.0.0)")).find((span) => span.name === "orchestration:sell@(2.0.0)");
    assert.equal(ended?.attributes["durabletask.task.status"], "Terminated");
  });
});

test("an observer that throws at every question changes nothing, and is reported once for each", async () => {
  const no = (): never => {
    throw new Error("the observer is broken");
  };
  const broken: Observer = {
    starting: no,
    raising: no,
    signalling: no,
    calling: no,
    running: no,
    wants: no,
    executionEnded: no,
    counting: no,
  };
  const lines: string[] = [];
  await withHub({ telemetry: broken, log: { level: "warn", sink: (record) => void lines.push(record.message) } }, async (hub) => {
    for (let n = 0; n < 3; n++) {
      const instance = await hub.start(sell, `order ${n}`);
      await instance.raiseEvent(approval, "Ada");
      assert.equal(await instance.result(), `order ${n}, packed, sent`);
    }
  });
  const complaints = lines.filter((line) => line.startsWith("telemetry failed"));
  assert.ok(complaints.length >= 4);
  assert.equal(new Set(complaints).size, complaints.length);
});

test("histories are the same with and without telemetry, but for the trace context", async () => {
  const historyOf = async (options: HubOptions): Promise<unknown[]> => {
    const events: unknown[] = [];
    await withHub(options, async (hub) => {
      const instance = await hub.start(rounds, 2, { instanceId: "r" });
      await instance.result();
      for await (const event of instance.history()) {
        const {
          timestamp: _at,
          traceContext: _trace,
          executionId: _execution,
          lineage: _lineage,
          ...facts
        } = event as unknown as Record<string, unknown>;
        events.push(facts);
      }
    });
    return events;
  };
  const { tracerProvider } = tracing(true);
  assert.deepEqual(await historyOf({ telemetry: openTelemetry({ tracerProvider }) }), await historyOf({}));
});

test("durations and counters are metrics", async () => {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  const meterProvider = new MeterProvider({ readers: [reader] });
  const { tracerProvider, until } = tracing(true);
  await withHub({ telemetry: openTelemetry({ tracerProvider, meterProvider }) }, async (hub) => {
    await (await hub.start(rounds, 3)).result();
    await until("orchestration:rounds");
    await reader.forceFlush();
    const metrics = exporter.getMetrics().flatMap((all) => all.scopeMetrics.flatMap((scope) => scope.metrics));
    const named = (name: string) => metrics.find((metric) => metric.descriptor.name === name)?.dataPoints ?? [];
    assert.equal(named("ostinato.orchestration.duration")[0]?.attributes["durabletask.task.status"], "Completed");
    assert.equal(named("ostinato.activity.duration")[0]?.attributes["durabletask.task.name"], "pack");
    assert.ok(named("ostinato.counters").some((point) => point.attributes["counter"] === "turnsCommitted" && (point.value as number) >= 2));
  });
  await meterProvider.shutdown();
});
