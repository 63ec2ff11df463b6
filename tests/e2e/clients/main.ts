// Fetches a case by openapi-fetch with the types that openapi-typescript made, and prints what it read.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

declare const process: { env: Record<string, string> };

const number = process.env.PROCESS_NUMBER;
const api = createClient<paths>({
  baseUrl: process.env.AUTOS_API_URL,
  headers: { Authorization: `Bearer ${process.env.AUTOS_API_KEY}` },
});
const path = { numero: number };

const asked = await api.GET("/processes/{numero}", { params: { path } });
if (!asked.data) throw new Error(asked.error?.code);
const view: components["schemas"]["ProcessView"] = asked.data;

let status: components["schemas"]["StatusView"];
let tag = "";
do {
  const answer = await api.GET("/processes/{numero}/status", { params: { path, query: { wait: 20 }, header: { "if-none-match": tag } } });
  tag = answer.response.headers.get("etag") ?? "";
  if (answer.response.status === 304) continue;
  if (!answer.data) throw new Error(answer.error?.code);
  status = answer.data;
} while (status!?.completed_at == null);

const page = await api.GET("/processes/{numero}/documents", { params: { path, query: { limit: 2 } } });
const first: components["schemas"]["DocumentView"] = page.data!.documents[0];
const wrong = await api.GET("/processes/{numero}/status", { params: { path: { numero: "1" } } });
const problem: components["schemas"]["Problem"] = wrong.error!;

console.log(JSON.stringify({
  number: view.process_number,
  completed: status!.completed_documents,
  total: page.data!.total,
  first: first.name,
  link: first.download_url !== null,
  problem: problem.code,
}));
