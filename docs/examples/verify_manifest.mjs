// Verify a case's manifest with Node's own modules, and the files beside it. Exits with 1 when something is not as signed.
//
//     node verify_manifest.mjs manifest.json webhook-keys.json [FOLDER]
//
// webhook-keys.json is GET /.well-known/webhook-keys.json as you got it from the sender, once, over HTTPS.
import { createHash, createPublicKey, verify } from "node:crypto";
import { createReadStream, readFileSync } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";

// RFC 8785: sorted names, no spaces; JSON.stringify writes texts and integers as it says.
const canonical = (value) => {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  return `{${Object.keys(value).sort().map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(",")}}`;
};

const [manifestFile, keysFile, folder] = process.argv.slice(2);
const { signature, ...content } = JSON.parse(readFileSync(manifestFile, "utf8"));
const [header, payload, signed] = signature.split(".");
const { kid } = JSON.parse(Buffer.from(header, "base64url").toString());
const jwk = JSON.parse(readFileSync(keysFile, "utf8")).keys.find((key) => key.kid === kid);
const input = Buffer.from(`${header}.${Buffer.from(canonical(content)).toString("base64url")}`);
const valid = jwk && payload === "" &&
  verify(null, input, createPublicKey({ key: jwk, format: "jwk" }), Buffer.from(signed, "base64url"));
if (!valid) {
  console.error("the signature is not by one of these keys");
  process.exit(1);
}
console.log(content.process_number, content.made_at, content.documents_total, "documents, signature valid");

for (const document of folder ? content.documents : []) {
  if (!document.file) continue;
  const hash = createHash("sha256");
  await pipeline(createReadStream(join(folder, document.file)), hash);
  if (hash.digest("hex") !== document.sha256) {
    console.error(`changed: ${document.file}`);
    process.exitCode = 1;
  }
}
