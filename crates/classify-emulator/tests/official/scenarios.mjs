// Scenarios for the official TypeScript client against the emulator: both versions of the API. Every reply is checked
// against our schema.

import assert from "node:assert/strict";
import crypto from "node:crypto";
import fs from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";

import LlamaCloud, { toFile } from "@llamaindex/llama-cloud";
import Ajv from "ajv/dist/2020.js";

const baseURL = process.env.EMULATOR_URL;
const schema = JSON.parse(fs.readFileSync(process.env.SCHEMA, "utf8"));
const ajv = new Ajv({ strict: false, allErrors: true });
const compile = (body) => ajv.compile({ ...body, $defs: schema.$defs });
const schemaRef = (name) => ({ $ref: `#/$defs/${name}` });

function expected(route) {
  if (route.schema) return schemaRef(route.schema);
  if (route.list_of) return { type: "array", items: schemaRef(route.list_of) };
  return {
    type: "object",
    additionalProperties: false,
    required: ["items"],
    properties: {
      items: { type: "array", items: schemaRef(route.page_of) },
      next_page_token: { type: ["string", "null"] },
      total_size: { type: ["integer", "null"] },
    },
  };
}

const routes = schema.routes.map((route) => ({
  ...route,
  path: new RegExp(route.path),
  validate: route.status === 204 ? null : compile(expected(route)),
  seen: false,
}));
const errorValidators = { invalid: compile(schemaRef("invalid")), error: compile(schemaRef("error")) };

function assertValid(validate, body, what) {
  assert.ok(validate(body), `${what}: ${ajv.errorsText(validate.errors)}\n${JSON.stringify(body)}`);
}

const failures = [];

// What the client would use, with a look at each reply before the client has it.
async function checkedFetch(url, init) {
  const response = await fetch(url, init);
  // The client also tries out what its runtime's fetch can do, on a `data:` URL.
  if (!String(url).startsWith(baseURL)) return response;
  const method = (init?.method ?? "GET").toUpperCase();
  const { pathname } = new URL(url);
  const text = await response.clone().text();
  const what = `${method} ${pathname}: ${response.status}`;
  try {
    if (response.status >= 400) {
      const name = response.status === 422 ? "invalid" : "error";
      assertValid(errorValidators[name], JSON.parse(text), what);
      return response;
    }
    const route = routes.find((item) => item.method === method && item.path.test(pathname));
    assert.ok(route, `no schema for ${what}`);
    assert.equal(response.status, route.status, what);
    route.seen = true;
    if (route.validate) assertValid(route.validate, JSON.parse(text), what);
    else assert.equal(text, "", what);
  } catch (error) {
    // Thrown here it would look like a failed connection, and the client would try again.
    failures.push(error);
  }
  return response;
}

const cloud = new LlamaCloud({ baseURL, apiKey: "llx-test", fetch: checkedFetch });
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

// Receives webhooks until it is closed.
class Receiver {
  received = [];
  #waiting = [];

  async start() {
    this.server = http.createServer((request, response) => {
      const chunks = [];
      request.on("data", (chunk) => chunks.push(chunk));
      request.on("end", () => {
        this.received.push({ headers: request.headers, body: Buffer.concat(chunks) });
        response.writeHead(204).end();
        for (const check of this.#waiting) check();
      });
    });
    await new Promise((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    this.url = `http://127.0.0.1:${this.server.address().port}/hook`;
    return this;
  }

  async wait(count) {
    await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${this.received.length} of ${count} webhooks`)), 30_000);
      const check = () => {
        if (this.received.length < count) return;
        clearTimeout(timer);
        resolve();
      };
      this.#waiting.push(check);
      check();
    });
    return this.received;
  }

  close() {
    this.server.close();
    this.server.closeAllConnections();
  }
}

function signatureIsValid(secret, { headers, body }) {
  return headers["lc-signature"] === `sha256=${crypto.createHmac("sha256", secret).update(body).digest("hex")}`;
}

async function collect(pages) {
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

  async listsWithEveryFilterAndPaging() {
    const file_input = await upload("bill.txt");
    const stuck = await upload("never-list.txt");
    const saved = await cloud.configurations.create({
      name: "filter",
      parameters: { product_type: "classify_v2", rules },
    });
    const before = new Date(Date.now() - 60_000).toISOString();
    const ids = [];
    for (let count = 0; count < 4; count += 1) {
      ids.unshift((await cloud.classify.create({ file_input, configuration: { rules } })).id);
    }
    const bySaved = (await cloud.classify.create({ file_input, configuration_id: saved.id })).id;
    ids.unshift(bySaved);
    for (const id of ids) await cloud.classify.waitForCompletion(id, undefined, fast);
    const open = (await cloud.classify.create({ file_input: stuck, configuration: { rules } })).id;
    const all = [open, ...ids];
    const listed = async (query) => (await collect(cloud.classify.list(query))).map((job) => job.id);
    assert.deepEqual(await listed({ page_size: 2 }), all);
    assert.deepEqual(await listed({ job_ids: [ids[1], ids[3]] }), [ids[1], ids[3]]);
    assert.deepEqual(await listed({ status: null, configuration_id: null }), all);
    assert.deepEqual(await listed({ status: "COMPLETED", page_size: 1 }), ids);
    assert.deepEqual(await listed({ status: "CANCELLED" }), []);
    assert.deepEqual(await listed({ configuration_id: saved.id }), [bySaved]);
    assert.deepEqual(await listed({ created_at_on_or_after: before }), all);
    assert.deepEqual(await listed({ created_at_on_or_before: before }), []);
    assert.deepEqual(await listed({ project_id: "0c8ce2fe-2f4f-4a5b-9d0c-000000000002" }), []);
    await assert.rejects(cloud.classify.list({ page_size: 0 }), LlamaCloud.UnprocessableEntityError);
    await assert.rejects(cloud.classify.list({ page_size: 101 }), LlamaCloud.UnprocessableEntityError);
    await assert.rejects(cloud.classify.list({ status: "DONE" }), LlamaCloud.UnprocessableEntityError);
  },

  async webhooksVerify() {
    const receiver = await new Receiver().start();
    try {
      const file_input = await upload("bill.txt");
      const inline = { webhook_url: receiver.url, webhook_signing_secret: "k3y", webhook_output_format: "json" };
      const saved = await cloud.webhookConfigs.create({
        webhook_url: receiver.url,
        webhook_signing_secret: "second",
        webhook_events: ["classify.success"],
      });
      const job = await cloud.classify.create({
        file_input,
        configuration: { rules },
        webhook_configurations: [inline],
        webhook_configuration_ids: [saved.id],
      });
      const received = await receiver.wait(4);
      const objects = received.filter(({ body }) => body.toString().startsWith("{"));
      const texts = received.filter(({ body }) => body.toString().startsWith('"'));
      assert.deepEqual([objects.length, texts.length], [3, 1]);
      for (const item of objects) {
        assert.ok(signatureIsValid("k3y", item) && !signatureIsValid("second", item));
        assert.equal(JSON.parse(item.body).data.job_id, job.id);
      }
      const types = objects.map(({ headers }) => headers["x-webhook-event-type"]).sort();
      assert.deepEqual(types, ["classify.pending", "classify.running", "classify.success"]);
      assert.ok(signatureIsValid("second", texts[0]));
      const event = JSON.parse(JSON.parse(texts[0].body));
      assert.equal(event.event_type, "classify.success");
      assert.equal(event.event_id, texts[0].headers["x-webhook-event-id"]);
    } finally {
      receiver.close();
    }
  },

  async webhookConfigurationsInFull() {
    const hook = await cloud.webhookConfigs.create({ webhook_url: "https://example.test/a", webhook_signing_secret: "s" });
    assert.equal(hook.has_secret, true);
    assert.equal((await cloud.webhookConfigs.retrieve(hook.id)).webhook_url, "https://example.test/a");
    const changed = await cloud.webhookConfigs.update(hook.id, { webhook_events: ["classify.error"] });
    assert.deepEqual(changed.webhook_events, ["classify.error"]);
    assert.deepEqual((await cloud.webhookConfigs.list()).map((item) => item.id), [hook.id]);
    const paged = await cloud.get("/api/v2/webhook-configs", { query: { page_size: 1 } });
    assert.equal(paged.items[0].id, hook.id);
    for (const webhook_events of [[], ["classify.done"]]) {
      const refused = cloud.webhookConfigs.update(hook.id, { webhook_events });
      await assert.rejects(refused, LlamaCloud.UnprocessableEntityError);
    }
    await cloud.webhookConfigs.delete(hook.id);
  },

  async configurationsInFull() {
    const parameters = { product_type: "classify_v2", rules, parsing_configuration: { lang: "de" } };
    const first = await cloud.configurations.create({ name: "one", parameters });
    const again = await cloud.configurations.create({ name: "one", parameters });
    assert.equal(again.id, first.id);
    assert.notEqual(again.version, first.version);
    assert.equal((await cloud.configurations.update(first.id, { name: "two" })).name, "two");
    assert.equal((await cloud.configurations.retrieve(first.id)).name, "two");
    const names = async (query) => (await collect(cloud.configurations.list(query))).map((item) => item.name);
    assert.deepEqual(await names({ product_type: ["classify_v2"], latest_only: true, page_size: 1 }), ["two"]);
    assert.deepEqual(await names({ name: "one" }), []);
    await cloud.configurations.delete(first.id);
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
    const first = await cloud.files.create({
      file: await toFile(Buffer.from(INVOICE), "a.txt"),
      purpose: "classify",
      external_file_id: "x-1",
    });
    const second = await upload("b.txt");
    const ids = async (query) => (await collect(cloud.files.list(query))).map((file) => file.id);
    assert.deepEqual(await ids({ page_size: 1 }), [second, first.id]);
    assert.deepEqual(await ids({ order_by: "name" }), [first.id, second]);
    assert.deepEqual(await ids({ file_name: "a.txt" }), [first.id]);
    assert.deepEqual(await ids({ external_file_id: "x-1" }), [first.id]);
    assert.deepEqual(await ids({ file_ids: [second] }), [second]);
    const linked = await cloud.files.list({ expand: ["download_url"], file_name: "a.txt" });
    assert.ok(linked.items[0].download_url.url);
    assert.equal((await cloud.files.retrieve(first.id)).name, "a.txt");
    assert.equal((await cloud.files.query({ filter: { file_ids: [first.id] } })).items.length, 1);
    await cloud.files.delete(first.id);
    assert.deepEqual(await ids({ file_name: "a.txt" }), []);
  },

  // A call that this release does not have yet.
  async deleteWhatHasEnded() {
    const job = await cloud.classify.create({ file_input: await upload("bill.txt"), configuration: { rules } });
    await cloud.classify.waitForCompletion(job.id, undefined, fast);
    assert.equal((await cloud.delete(`/api/v2/classify/${job.id}`)).id, job.id);
    await assert.rejects(cloud.classify.get(job.id), LlamaCloud.NotFoundError);
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

  async everyRouteWasChecked() {
    const missing = routes.filter((route) => !route.seen).map((route) => `${route.method} ${route.path}`);
    assert.deepEqual(missing, []);
  },
};

let passed = 0;
let failed = 0;
for (const [name, scenario] of Object.entries(scenarios)) {
  await fetch(`${baseURL}/_emulator/reset`, { method: "POST" });
  try {
    failures.length = 0;
    await scenario();
    if (failures.length > 0) throw failures[0];
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
