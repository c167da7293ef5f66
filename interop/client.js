// Plays the script of messages with npm's ws against an echo server. Prints what
// was done; any difference from what is expected is an exception.
"use strict";
const assert = require("node:assert");
const { randomBytes } = require("node:crypto");
const { once } = require("node:events");
const WebSocket = require("ws");

async function echo(ws, message, options) {
  ws.send(message, options);
  await expect(ws, message);
}

async function expect(ws, message) {
  const [data, isBinary] = await once(ws, "message");
  assert.strictEqual(isBinary, Buffer.isBuffer(message));
  assert.strictEqual(Buffer.compare(data, Buffer.from(message)), 0);
}

async function main(url) {
  const ws = new WebSocket(url); // offers permessage-deflate
  await once(ws, "open");
  assert.strictEqual(ws.extensions, "");
  await echo(ws, "Hello, wörld \u{1F600}");
  await echo(ws, "");
  await echo(ws, Buffer.alloc(0));
  for (const size of [1, 125, 126, 127, 65535, 65536, 1 << 20, 16 << 20]) {
    await echo(ws, randomBytes(size));
  }
  const arrived = expect(ws, "fragmented €");
  ws.send("frag", { fin: false });
  ws.send("", { fin: false });
  ws.ping("between");
  ws.send("mented €", { fin: true });
  const [pong] = await once(ws, "pong");
  assert.strictEqual(pong.toString(), "between");
  await arrived;
  ws.close(4321, "enough");
  const [code] = await once(ws, "close");
  assert.strictEqual(code, 4321);

  const other = new WebSocket(url, { perMessageDeflate: false });
  await once(other, "open");
  other.send("BYE");
  assert.strictEqual((await once(other, "close"))[0], 1000);
  console.log("text, binary, empty, 16 MiB, fragments, ping between them, close 4321 and 1000");
}

main(process.argv[2]).then(
  () => process.exit(0),
  (err) => {
    console.error(err);
    process.exit(1);
  },
);
