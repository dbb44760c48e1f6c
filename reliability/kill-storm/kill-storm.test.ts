// A small storm, where there is a server to be had: two processes, everything but what takes long.
import assert from "node:assert/strict";
import { test } from "node:test";
import { whyNoPostgres } from "../../scripts/throw-away-postgres.ts";
import { isWell, written } from "../crash/tally.ts";
import { stormCampaign } from "./storm.ts";

test(
  "I1 H1 A3 T1 E1 L2 R3 two processes over one server, killed and frozen again and again, break nothing",
  { skip: whyNoPostgres() ?? false },
  async () => {
    const report = await stormCampaign({
      minutes: 0.05,
      kills: 6,
      instances: 40,
      processes: 2,
      seed: Number(process.env["SEED"] ?? Math.floor(Math.random() * 1e9)),
      without: new Set(["black-holes", "holds"]),
      // One of each that a minute has few of.
      often: { restarts: 20, "backends-killed": 20, freezes: 20 },
      leaseMs: 1_000,
    });
    assert.ok(isWell(report), written(report));
  },
);
