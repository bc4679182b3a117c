// The host of the module: it lends the time and plays the service, and shows that nothing else is asked of it.
import { readFileSync } from 'node:fs';
import assert from 'node:assert/strict';

const bytes = readFileSync(process.argv[2]);
const module = new WebAssembly.Module(bytes);
assert.deepEqual(WebAssembly.Module.imports(module), [], 'the module imports something');
const { step, client_step } = new WebAssembly.Instance(module, {}).exports;

const SEND = -1, DONE = -2;
let now = 1_700_000_000_000;
assert.equal(step(now, 503), SEND);
const until = step(now, 0);
assert(until > now && until <= now + 500, `a rest of ${until - now} ms`);
assert.equal(step(now, 0), until, 'polling again changed the wait');
now = until;
assert.equal(step(now, 200), SEND);
assert.equal(step(now, 0), DONE);
assert.equal(client_step(now, 503), 0, 'the client does not wait');
assert.equal(client_step(now + 600, 200), DONE, 'the client does not retry');
console.log(`retries of the core and the client in ${bytes.length} bytes of WebAssembly, no imports`);
