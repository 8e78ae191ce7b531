// Has a finished lot judged, and a workflow look into it if it is not normal. May be run again after a crash.
//
//   npm install && npm run generate && npm run build
//   node dist/judge-lot.js JUDGMENT_ENDPOINT WORKFLOW_ENDPOINT LOT DEFECT_RATE TEMPERATURE PRODUCT

import { createHash } from "node:crypto";
import { setTimeout } from "node:timers/promises";

import { toJsonString } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient, type Client, type Interceptor } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";

import { ErrorInfoSchema } from "./contract/google/rpc/error_details_pb.ts";
import { JudgmentService } from "./contract/millwright/judgment/v1/judgment_service_pb.ts";
import { InstanceService } from "./contract/millwright/workflow/v1/instance_service_pb.ts";
import { InstanceEvent_Kind as Kind, type InstanceEvent } from "./contract/millwright/workflow/v1/instance_pb.ts";

const RULESET = "rulesets/quality.weld";
const WORKFLOW = "workflows/quality.grade-lot";
const INSPECTED = 400;
const ENDS = [Kind.COMPLETED, Kind.FAULTED, Kind.CANCELLED];
const BUSY = [Code.Unavailable, Code.ResourceExhausted];
const ATTEMPTS = 5;

const authorize: Interceptor = (next) => (request) => {
  request.header.set("authorization", `Bearer ${process.env.MILLWRIGHT_TOKEN}`);
  return next(request);
};

// Sends a call again that the service is too busy for: this library reads no service config.
const retry: Interceptor = (next) => async (request) => {
  for (let attempt = 1; ; attempt++) {
    try {
      return await next(request);
    } catch (error) {
      if (request.stream || attempt === ATTEMPTS || !BUSY.includes(ConnectError.from(error).code)) throw error;
      await setTimeout(200 * 2 ** attempt * Math.random());
    }
  }
};

// In plaintext it is for this machine; to another one, use https.
function transport(endpoint: string) {
  return createGrpcTransport({ baseUrl: `http://${endpoint}`, interceptors: [authorize, retry] });
}

// Has a lot judged. The same lot again gives the first answer again.
async function judge(endpoint: string, lot: string, defectRate: number, temperature: number, product: string) {
  const answer = await createClient(JudgmentService, transport(endpoint)).judge(
    {
      ruleset: RULESET,
      input: {
        values: {
          defect_rate: { kind: { case: "number", value: defectRate } },
          temperature: { kind: { case: "number", value: temperature } },
          product: { kind: { case: "text", value: product } },
        },
      },
      segment: { product, unit: lot },
      idempotencyKey: lot,
    },
    { timeoutMs: 30_000 },
  );
  return answer.execution!.judgment!;
}

// Starts the workflow for a lot, once however often this is called, and gives the instance's name.
async function start(client: Client<typeof InstanceService>, lot: string, defectRate: number) {
  const answer = await client.startInstance(
    {
      workflow: WORKFLOW,
      input: {
        kind: {
          case: "structValue",
          value: {
            fields: {
              lot: { kind: { case: "stringValue", value: lot } },
              inspected: { kind: { case: "numberValue", value: INSPECTED } },
              defective: { kind: { case: "numberValue", value: INSPECTED * defectRate } },
            },
          },
        },
      },
      requestId: idOf(lot),
    },
    { timeoutMs: 30_000 },
  );
  return answer.instance!.name;
}

// Gives each event of an instance once, up to its end, over as many streams as that takes.
async function* watch(client: Client<typeof InstanceService>, name: string): AsyncGenerator<InstanceEvent> {
  for (let sequence = 0n; ; await setTimeout(200)) {
    try {
      for await (const message of client.watchInstance({ name, fromSequence: sequence })) {
        sequence = message.sequence;
        if (message.message.case !== "event") continue;
        yield message.message.value;
        if (ENDS.includes(message.message.value.kind)) return;
      }
    } catch (error) {
      if (ConnectError.from(error).code !== Code.Unavailable) throw error;
    }
  }
}

// Makes a UUID that is the same for the same lot.
function idOf(lot: string) {
  const digits = createHash("sha256").update(`lots.plant.example/${lot}`).digest("hex");
  return [8, 4, 4, 4, 12].reduce<[string[], string]>(
    ([parts, rest], length) => [[...parts, rest.slice(0, length)], rest.slice(length)],
    [[], `${digits.slice(0, 12)}8${digits.slice(13, 16)}8${digits.slice(17)}`],
  )[0].join("-");
}

// Says why a call was refused: the reason, and what it is about.
function reason(error: unknown) {
  const refused = ConnectError.from(error);
  const [info] = refused.findDetails(ErrorInfoSchema);
  return info ? `${info.reason} ${JSON.stringify(info.metadata)}` : refused.message;
}

async function main(judging: string, working: string, lot: string, rate: string, temperature: string, product: string) {
  const judged = await judge(judging, lot, Number(rate), Number(temperature), product);
  console.log(`${lot}: ${judged.outcome}, by rule ${judged.winningRule}: ${judged.explanations.en}`);
  if (judged.outcome === "normal") return;
  const client = createClient(InstanceService, transport(working));
  const name = await start(client, lot, Number(rate));
  for await (const event of watch(client, name)) {
    console.log(`${event.sequence} ${Kind[event.kind]} ${event.task}`.trimEnd());
  }
  const got = await client.getInstance({ name }, { timeoutMs: 30_000 });
  console.log(toJsonString(ValueSchema, got.instance!.output!));
}

try {
  const [judging, working, lot, rate, temperature, product] = process.argv.slice(2);
  await main(judging, working, lot, rate, temperature, product);
} catch (error) {
  console.error(`refused: ${reason(error)}`);
  process.exitCode = 1;
}
