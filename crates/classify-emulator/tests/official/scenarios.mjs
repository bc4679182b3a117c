// Scenarios for the official TypeScript client against the emulator: both versions of the API.

import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";

import LlamaCloud, { toFile } from "@llamaindex/llama-cloud";

const baseURL = process.env.EMULATOR_URL;
const cloud = new LlamaCloud({ baseURL, apiKey: "llx-test" });
const rules = [
  { type: "invoice", description: "A bill with line items, an amount due and payment terms" },
  { type: "contract", description: "A legal agreement between parties with clauses and signatures" },
];
const INVOICE = "INVOICE 2041. Three widgets. Amount due: 60 EUR, payment terms 30 days.";
const fast = { pollingInterval: 0.02, maxInterval: 0.05 };

async function upload(name, text = INVOICE) {
  const file = await cloud.files.create({ file: await toFile(Buffer.from(text), name), purpose: "classify" });
  return file.id;
}

async function collected(pages) {
  const items = [];
  for await (const item of pages) items.push(item);
  return items;
}

const scenarios = {
  async uploadCreateWait() {
    const job = await cloud.classify.create({ file_input: await upload("bill.txt"), configuration: { rules } });
    assert.equal(job.status, "PENDING");
    const done = await cloud.classify.waitForCompletion(job.id, undefined, fast);
    assert.equal(done.result.type, "invoice");
  },

  async aStreamFromDisk() {
    const name = path.join(os.tmpdir(), `classify-emulator-${process.pid}.txt`);
    fs.writeFileSync(name, INVOICE);
    try {
      const file = await cloud.files.create({ file: fs.createReadStream(name), purpose: "classify" });
      assert.equal(file.name, path.basename(name));
      const link = await cloud.files.content(file.id);
      assert.equal(await (await fetch(link.url)).text(), INVOICE);
    } finally {
      fs.rmSync(name);
    }
  },

  async savedConfigurationAndRun() {
    const saved = await cloud.configurations.create({
      name: "ts",
      parameters: { product_type: "classify_v2", rules },
    });
    const done = await cloud.classify.run({ file_input: await upload("bill.txt"), configuration_id: saved.id }, fast);
    assert.equal(done.result.type, "invoice");
    await cloud.configurations.delete(saved.id);
    await assert.rejects(cloud.configurations.retrieve(saved.id), LlamaCloud.NotFoundError);
  },

  async transactionIdIsOneJob() {
    const body = { file_input: await upload("bill.txt"), configuration: { rules }, transaction_id: "ts-1" };
    const [first, second] = [await cloud.classify.create(body), await cloud.classify.create(body)];
    assert.equal(second.id, first.id);
  },

  async listsPageAndFilter() {
    const file_input = await upload("bill.txt");
    const ids = [];
    for (let count = 0; count < 5; count += 1) {
      ids.unshift((await cloud.classify.create({ file_input, configuration: { rules } })).id);
    }
    const listed = async (query) => (await collected(cloud.classify.list(query))).map((job) => job.id);
    assert.deepEqual(await listed({ page_size: 2 }), ids);
    assert.deepEqual(await listed({ job_ids: [ids[1], ids[3]] }), [ids[1], ids[3]]);
    assert.deepEqual(await listed({ status: null, configuration_id: null }), ids);
    assert.deepEqual(await listed({ created_at_on_or_before: "2020-01-01T00:00:00Z" }), []);
    await assert.rejects(cloud.classify.list({ page_size: 0 }), LlamaCloud.UnprocessableEntityError);
  },

  async cancel() {
    const stuck = await cloud.classify.create({ file_input: await upload("never-ts.txt"), configuration: { rules } });
    assert.equal((await cloud.classify.cancel(stuck.id)).status, "CANCELLED");
    const refused = cloud.classify.cancel(stuck.id, undefined, { maxRetries: 0 });
    await assert.rejects(refused, LlamaCloud.ConflictError);
  },

  async failuresAreTold() {
    const job = await cloud.classify.create({ file_input: await upload("broken-ts.txt"), configuration: { rules } });
    await assert.rejects(cloud.classify.waitForCompletion(job.id, undefined, fast), /PDF_IS_BROKEN/);
  },

  async filesInFull() {
    const id = await upload("a.txt");
    assert.equal((await cloud.files.list({ file_name: "a.txt" })).items[0].id, id);
    assert.equal((await cloud.files.query({ filter: { file_ids: [id] } })).items.length, 1);
    await cloud.files.delete(id);
    assert.deepEqual(await collected(cloud.files.list({ file_name: "a.txt" })), []);
  },

  // This release has lost the typed calls of version 1; its untyped ones still go through the same client.
  async version1() {
    const file = (await upload("bill.txt")).replace("dfl-", "");
    const jobs = "/api/v1/classifier/jobs";
    const job = await cloud.post(jobs, { body: { file_ids: [file], rules } });
    assert.equal(job.status, "PENDING");
    const deadline = Date.now() + 30_000;
    let status = job.status;
    while (status === "PENDING") {
      assert.ok(Date.now() < deadline, "the job has not ended");
      ({ status } = await cloud.get(`${jobs}/${job.id}`));
    }
    assert.equal(status, "SUCCESS");
    const results = await cloud.get(`${jobs}/${job.id}/results`);
    assert.equal(results.items[0].result.type, "invoice");
    assert.equal((await cloud.get(jobs, { query: { page_size: 1 } })).items.length, 1);
  },

  async keysAndErrors() {
    const stranger = new LlamaCloud({ baseURL, apiKey: "x", defaultHeaders: { Authorization: null } });
    await assert.rejects(stranger.classify.list(), /Could not resolve authentication|401/);
    await assert.rejects(cloud.classify.get("clj-none"), LlamaCloud.NotFoundError);
  },
};

let passed = 0;
let failed = 0;
for (const [name, scenario] of Object.entries(scenarios)) {
  await fetch(`${baseURL}/_emulator/reset`, { method: "POST" });
  try {
    await scenario();
    passed += 1;
    console.log(`ok     ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED ${name}`);
    console.log(error);
  }
}
console.log(`scenarios.mjs: ${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
