// A webhook receiver for Node 18 or newer, with nothing but its standard library.
//
//     AUTOS_WEBHOOK_SECRET=whsec_... AUTOS_WEBHOOK_KEYS=https://autos.example/.well-known/webhook-keys.json \
//         PORT=9000 node webhook_receiver.mjs
//
// The secret is that of your endpoint, or of GET /webhooks/secret. With AUTOS_WEBHOOK_KEYS the signatures by public key
// are checked too. One good signature is enough: the answer says which were.

import { createHmac, createPublicKey, timingSafeEqual, verify } from "node:crypto";
import { createServer } from "node:http";

const MOST_BYTES = 100 * 1024; // What Express takes by default: larger bodies are answered 413, and come again smaller.
const OLDEST_SECONDS = 300;
const secret = process.env.AUTOS_WEBHOOK_SECRET;
const keysUrl = process.env.AUTOS_WEBHOOK_KEYS;

let keys = [];

async function fetchKeys() {
  const set = await (await fetch(keysUrl)).json();
  keys = set.keys.map((key) => createPublicKey({ key, format: "jwk" }));
}

function isBySecret(content, signature) {
  if (!secret) return false;
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  const expected = createHmac("sha256", key).update(content).digest();
  return signature.length === expected.length && timingSafeEqual(signature, expected);
}

function isByKey(content, signature) {
  return keys.some((key) => verify(null, content, key, signature));
}

// Which kinds of signatures are right.
function verified(headers, body) {
  const { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signatures } = headers;
  const found = { v1: false, v1a: false };
  if (!id || !signatures || !(Math.abs(Date.now() / 1000 - Number(timestamp)) < OLDEST_SECONDS)) return found;
  const content = Buffer.concat([Buffer.from(`${id}.${timestamp}.`), body]);
  for (const text of signatures.split(" ")) {
    const [version, encoded = ""] = text.split(",");
    const signature = Buffer.from(encoded, "base64");
    if (version === "v1" && isBySecret(content, signature)) found.v1 = true;
    if (version === "v1a" && isByKey(content, signature)) found.v1a = true;
  }
  return found;
}

const server = createServer((request, response) => {
  const parts = [];
  let size = 0;
  request.on("data", (part) => {
    size += part.length;
    if (size <= MOST_BYTES) parts.push(part);
  });
  request.on("end", async () => {
    if (size > MOST_BYTES) return response.writeHead(413).end();
    const body = Buffer.concat(parts);
    let found = verified(request.headers, body);
    if (keysUrl && !found.v1a && (request.headers["webhook-signature"] ?? "").includes("v1a,")) {
      // A key that was made since: ask once more.
      await fetchKeys().catch(() => undefined);
      found = verified(request.headers, body);
    }
    const genuine = found.v1 || found.v1a;
    response.writeHead(genuine ? 200 : 401, { "content-type": "application/json" }).end(JSON.stringify(found));
    // The same webhook-id may come again: remember those that you have handled. Do slow work after the answer.
    if (genuine) console.error(`${JSON.parse(body).type} ${request.headers["webhook-id"]}`);
  });
});
server.listen(Number(process.env.PORT ?? 9000), "127.0.0.1", () => console.log(`listening on ${server.address().port}`));
