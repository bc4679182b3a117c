// Lists every job with the official client and adds up their confidences: list.mjs BASE_URL.

import { readFileSync } from "node:fs";

import LlamaCloud from "@llamaindex/llama-cloud";

const client = new LlamaCloud({ apiKey: "llx-bench", baseURL: process.argv[2] });
let jobs = 0;
let confidence = 0;
for await (const job of client.classify.list({ page_size: 100 })) {
  jobs += 1;
  confidence += job.result.confidence ?? 0;
}
const [, peak] = readFileSync("/proc/self/status", "ascii").match(/^VmHWM:\s+(\d+)/m);
console.log(`jobs ${jobs} confidence ${confidence.toFixed(2)} peak_kib ${peak}`);
