// Follow the public topics from another system, in Node 18 or newer: no event is lost, and a repeat is known by its id.
//
//     npm ci
//     node subscribe.mjs BOOTSTRAP GROUP [TOPIC ...]
//
// Prints a line of JSON for each record. Put your own work in the place of handle(). Stop it whenever you like, with
// kill -9 too: it goes on from what the group committed. docs/guides/subscribe.md explains every setting.
//
// Environment: SCHEMAS (a folder of the events' JSON Schemas), SINCE (RFC 3339: begin there whatever was committed),
// KAFKA_USERNAME, KAFKA_PASSWORD, KAFKA_CA_FILE (SASL_SSL with SCRAM-SHA-512), SESSION_TIMEOUT_MS.

import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import Ajv2020 from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import kafkajs from "kafkajs";
import lz4 from "lz4js";

const { CompressionCodecs, CompressionTypes, Kafka, logLevel } = kafkajs;

const PUBLIC = ["process.completed", "webhook.events", "document.events"];
const [bootstrap, groupId, ...named] = process.argv.slice(2);
const topics = named.length ? named : PUBLIC;
const { SCHEMAS, SINCE, KAFKA_USERNAME, KAFKA_PASSWORD, KAFKA_CA_FILE, SESSION_TIMEOUT_MS = "45000" } = process.env;

// document.events is compressed with LZ4, which kafkajs does not read by itself; the other two topics with gzip.
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: async (encoder) => Buffer.from(lz4.compress(encoder.buffer)),
  decompress: async (buffer) => Buffer.from(lz4.decompress(buffer)),
});

// By $id, which a record names in its header ce_dataschema.
function validators() {
  const folder = SCHEMAS ?? fileURLToPath(new URL("../../events", import.meta.url));
  const ajv = addFormats(new Ajv2020({ allErrors: false }));
  for (const name of readdirSync(folder).filter((one) => one.endsWith(".json"))) {
    ajv.addSchema(JSON.parse(readFileSync(`${folder}/${name}`, "utf8")));
  }
  return ajv;
}

// The record as a line; `problem` says why its event is not to be handled.
function read(topic, partition, message, known) {
  const headers = message.headers ?? {};
  const text = (name) => headers[name]?.toString();
  const line = { topic, partition, offset: Number(message.offset), id: text("ce_id"), type: text("ce_type") };
  let event;
  try {
    event = JSON.parse(message.value);
  } catch {
    return { ...line, problem: "unreadable" };
  }
  const validate = known.getSchema(text("ce_dataschema") ?? "");
  // A type of event, or a major version, that is newer than this program.
  if (!validate) return { ...line, problem: "unknown", event };
  if (!validate(event)) return { ...line, event, problem: `invalid: ${known.errorsText(validate.errors)}` };
  return { ...line, event };
}

// Your work. It must bear to be done twice: keep `id` in your database, in the transaction of what you change.
// What has a `problem` is set aside, not waited for: the records behind it are good.
async function handle(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function connection() {
  const common = { clientId: groupId, brokers: bootstrap.split(","), logLevel: logLevel.WARN };
  if (!KAFKA_USERNAME) return common;
  const sasl = { mechanism: "scram-sha-512", username: KAFKA_USERNAME, password: KAFKA_PASSWORD };
  return { ...common, sasl, ssl: KAFKA_CA_FILE ? { ca: [readFileSync(KAFKA_CA_FILE)] } : true };
}

const kafka = new Kafka(connection());
const known = validators();
const session = Number(SESSION_TIMEOUT_MS);
const consumer = kafka.consumer({
  groupId,
  sessionTimeout: session,
  heartbeatInterval: Math.floor(session / 5),
  readUncommitted: false, // read_committed, as it is by default
  maxWaitTimeInMs: 500, // of a fetch that finds nothing: for so long an end or a seek waits
});

for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => consumer.disconnect().then(() => process.exit(0)));
// What kafkajs cannot mend by itself: end, and let whoever started this start it again.
consumer.on(consumer.events.CRASH, ({ payload }) => payload.restart || process.exit(1));

await consumer.connect();
await consumer.subscribe({ topics, fromBeginning: true });
await consumer.run({
  // Offsets are committed after the work, at the latest at the end of a batch: a crash in between repeats it.
  autoCommitInterval: 1000,
  eachMessage: ({ topic, partition, message }) => handle(read(topic, partition, message, known)),
});

if (SINCE) {
  // Replay: of each partition the first record that is not older than SINCE.
  const admin = kafka.admin();
  await admin.connect();
  for (const topic of topics) {
    for (const { partition, offset } of await admin.fetchTopicOffsetsByTimestamp(topic, Date.parse(SINCE))) {
      consumer.seek({ topic, partition, offset });
    }
  }
  await admin.disconnect();
}
