// Every call of toxiproxy-node-client, against the server of the first argument
// with the second as its upstream.
"use strict";
const assert = require("node:assert");
const { Toxiproxy } = require("toxiproxy-node-client");

(async () => {
  const [host, upstream] = process.argv.slice(2);
  const client = new Toxiproxy(host);
  assert.match(await client.getVersion(), /2\.\d+\.\d+/);

  const proxy = await client.createProxy({ name: "node", listen: "127.0.0.1:0", upstream, enabled: true });
  assert.strictEqual(proxy.enabled, true);
  assert.doesNotMatch(proxy.listen, /:0$/);
  assert.strictEqual((await client.get("node")).listen, proxy.listen);
  assert.ok((await client.getAll()).node);

  const toxic = await proxy.addToxic({ name: "slow", type: "latency", stream: "downstream", toxicity: 0.5, attributes: { latency: 100, jitter: 5 } });
  assert.deepStrictEqual(toxic.attributes, { latency: 100, jitter: 5 });
  assert.strictEqual((await proxy.getToxic("slow")).toxicity, 0.5);
  const updated = await toxic.update({ toxicity: 1, attributes: { jitter: 7 } });
  assert.deepStrictEqual(updated.attributes, { latency: 100, jitter: 7 });
  await toxic.remove();
  await assert.rejects(proxy.getToxic("slow"));

  assert.strictEqual((await proxy.update({ enabled: false, listen: proxy.listen, upstream })).enabled, false);
  await client.reset();
  assert.strictEqual((await client.get("node")).enabled, true);

  const many = await client.populate([
    { name: "node", listen: proxy.listen, upstream, enabled: true },
    { name: "second", listen: "127.0.0.1:0", upstream, enabled: true },
  ]);
  assert.deepStrictEqual(Object.keys(many).sort(), ["node", "second"]);
  await many.second.remove();
  await proxy.remove();
  await assert.rejects(client.get("node"));
  console.log("session complete");
})().catch((err) => {
  console.error(err);
  process.exit(1);
});
