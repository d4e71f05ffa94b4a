// ioredis, and the `redis` client in both protocols: `node test_clients.js HOST PORT`. The last line is
// `result: PASSED FAILED SKIPPED`.

import assert from "node:assert/strict";
import Redis from "ioredis";
import { createClient } from "redis";

const [host, port] = process.argv.slice(2);
const tests = [];

function test(name, run) {
  tests.push([name, run]);
}

async function withIoredis(run) {
  const redis = new Redis({ host, port: Number(port) });
  try {
    await redis.flushall();
    await run(redis);
  } finally {
    redis.disconnect();
  }
}

async function withClient(protocol, run) {
  const client = createClient({ RESP: protocol, socket: { host, port: Number(port) } });
  await client.connect();
  try {
    await client.flushAll();
    await run(client);
  } finally {
    client.destroy();
  }
}

test("ioredis: pipelines of all types", () =>
  withIoredis(async (redis) => {
    const pipeline = redis.pipeline();
    for (let n = 0; n < 2000; n++) {
      pipeline.hset("h", `field:${n}`, n).sadd("s", n).zadd("z", n % 97, `m${n}`).rpush("l", n);
    }
    const replies = await pipeline.exec();
    assert.ok(replies.every(([error]) => error === null));
    assert.equal(Object.keys(await redis.hgetall("h")).length, 2000);
    assert.equal(await redis.scard("s"), 2000);
    assert.deepEqual(await redis.zrange("z", 0, 1, "WITHSCORES"), ["m0", "0", "m1067", "0"]);
    assert.deepEqual(await redis.lrange("l", -2, -1), ["1998", "1999"]);
    let seen = 0;
    for await (const keys of redis.hscanStream("h", { count: 100 })) seen += keys.length / 2;
    assert.equal(seen, 2000);
  }));

test("ioredis: a transaction, a script of its own, and somebody who waits", () =>
  withIoredis(async (redis) => {
    assert.deepEqual(await redis.multi().set("a", 1).incr("a").exec(), [[null, "OK"], [null, 2]]);
    redis.defineCommand("push", { numberOfKeys: 1, lua: "return redis.call('RPUSH', KEYS[1], ARGV[1])" });
    const waiting = redis.duplicate();
    const popped = waiting.blpop("queue", 30);
    assert.equal(await redis.push("queue", "task"), 1);
    assert.deepEqual(await popped, ["queue", "task"]);
    waiting.disconnect();
  }));

test("ioredis: messages", () =>
  withIoredis(async (redis) => {
    const listener = redis.duplicate();
    const message = new Promise((resolve) => listener.on("message", (...args) => resolve(args)));
    await listener.subscribe("news");
    assert.equal(await redis.publish("news", "hello"), 1);
    assert.deepEqual(await message, ["news", "hello"]);
    listener.disconnect();
  }));

for (const protocol of [2, 3]) {
  test(`redis, RESP${protocol}: all types`, () =>
    withClient(protocol, async (client) => {
      await client.hSet("h", { a: "1", b: "2" });
      assert.deepEqual({ ...(await client.hGetAll("h")) }, { a: "1", b: "2" });
      await client.sAdd("s", ["x", "y"]);
      assert.deepEqual([...(await client.sMembers("s"))].sort(), ["x", "y"]);
      await client.zAdd("z", [{ score: 1.5, value: "m" }, { score: 2, value: "n" }]);
      assert.deepEqual(await client.zRangeWithScores("z", 0, -1), [
        { value: "m", score: 1.5 },
        { value: "n", score: 2 },
      ]);
      await client.rPush("l", ["1", "2", "3"]);
      assert.deepEqual(await client.lRange("l", 0, -1), ["1", "2", "3"]);
      assert.equal(await client.eval("return #KEYS", { keys: ["a", "b"] }), 2);
      assert.deepEqual(await client.multi().incr("n").hGet("h", "a").exec(), [1, "1"]);
      await assert.rejects(client.hGet("l", "field"), /WRONGTYPE/);
    }));

  test(`redis, RESP${protocol}: messages`, () =>
    withClient(protocol, async (client) => {
      const listener = client.duplicate();
      await listener.connect();
      let resolve;
      const message = new Promise((done) => (resolve = done));
      await listener.subscribe("news", (text, channel) => resolve([channel, text]));
      assert.equal(await client.publish("news", "hello"), 1);
      assert.deepEqual(await message, ["news", "hello"]);
      listener.destroy();
    }));
}

let failed = 0;
for (const [name, run] of tests) {
  try {
    await run();
  } catch (error) {
    failed++;
    console.log(`${name}: ${error.stack}`);
  }
}
console.log(`result: ${tests.length - failed} ${failed} 0`);
process.exit(failed ? 1 : 0);
