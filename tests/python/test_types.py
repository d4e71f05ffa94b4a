"""Hashes, lists, sets, sorted sets, scripts and messages through redis-py, in both protocols."""

import threading
import unittest

import harness
import redis


class Base:
    protocol = 2

    def setUp(self):
        self.redis = harness.empty_client(protocol=self.protocol, decode_responses=True)

    def tearDown(self):
        self.redis.close()

    def test_a_hash_is_a_dict(self):
        fields = {f"field:{n}": str(n) for n in range(3000)}
        self.assertEqual(self.redis.hset("h", mapping=fields), 3000)
        self.assertEqual(self.redis.hgetall("h"), fields)
        self.assertEqual(dict(self.redis.hscan_iter("h", count=50)), fields)
        self.assertEqual(self.redis.hmget("h", "field:7", "none"), ["7", None])
        self.assertEqual(self.redis.hincrby("h", "field:7", 3), 10)
        self.assertEqual(self.redis.hincrbyfloat("h", "field:7", 0.5), 10.5)
        self.assertEqual(set(self.redis.hkeys("h")), set(fields))
        self.assertEqual(self.redis.hdel("h", *list(fields)[:2999]), 2999)
        self.assertEqual(self.redis.hgetall("h"), {"field:2999": "2999"})
        self.assertEqual(self.redis.hdel("h", "field:2999"), 1)
        self.assertFalse(self.redis.exists("h"))

    def test_a_set_is_a_set(self):
        even = {str(n) for n in range(0, 4000, 2)}
        threes = {str(n) for n in range(0, 4000, 3)}
        self.redis.sadd("even", *even)
        self.redis.sadd("threes", *threes)
        self.assertEqual(set(self.redis.sinter("even", "threes")), even & threes)
        self.assertEqual(set(self.redis.sunion("even", "threes")), even | threes)
        self.assertEqual(set(self.redis.sdiff("even", "threes")), even - threes)
        self.assertEqual(self.redis.sunionstore("all", "even", "threes"), len(even | threes))
        self.assertEqual(set(self.redis.sscan_iter("all", count=17)), even | threes)
        popped = set(self.redis.spop("all", 100))
        self.assertEqual(len(popped), 100)
        self.assertEqual(set(self.redis.smembers("all")), (even | threes) - popped)
        self.assertEqual(self.redis.smismember("even", "2", "3"), [1, 0])

    def test_a_sorted_set_is_in_the_order_of_its_scores(self):
        scores = {f"m{n}": float(n * 7919 % 3001) for n in range(3000)}
        self.redis.zadd("z", scores)
        ordered = sorted(scores, key=lambda member: (scores[member], member))
        self.assertEqual(self.redis.zrange("z", 0, -1), ordered)
        self.assertEqual(self.redis.zrevrange("z", 0, 9), ordered[::-1][:10])
        self.assertEqual(self.redis.zrank("z", ordered[1234]), 1234)
        self.assertEqual(self.redis.zscore("z", "m5"), scores["m5"])
        within = [member for member in ordered if 100 <= scores[member] <= 200]
        self.assertEqual(self.redis.zrangebyscore("z", 100, 200), within)
        self.assertEqual(self.redis.zcount("z", 100, 200), len(within))
        least = self.redis.zpopmin("z", 2)
        self.assertEqual([list(one) for one in least], [[m, scores[m]] for m in ordered[:2]])
        self.assertEqual(self.redis.zincrby("z", 10000, ordered[2]), scores[ordered[2]] + 10000)
        self.assertEqual(self.redis.zrevrank("z", ordered[2]), 0)
        self.assertEqual({member for member, _ in self.redis.zscan_iter("z")}, set(ordered[2:]))

    def test_a_list_is_a_queue(self):
        self.redis.rpush("l", *range(5000))
        self.assertEqual(self.redis.lrange("l", 2490, 2492), ["2490", "2491", "2492"])
        self.assertEqual(self.redis.lindex("l", -1), "4999")
        self.assertEqual(self.redis.lpop("l", 2), ["0", "1"])
        self.assertEqual(self.redis.lmove("l", "other", "RIGHT", "LEFT"), "4999")
        self.assertEqual(self.redis.linsert("l", "before", "2500", "here"), 4998)
        self.assertEqual(self.redis.lpos("l", "here"), 2498)
        self.assertEqual(self.redis.lrem("l", 0, "here"), 1)
        self.redis.ltrim("l", 0, 9)
        self.assertEqual(self.redis.lrange("l", 0, -1), [str(n) for n in range(2, 12)])

    def test_who_waits_gets_what_comes(self):
        got = []
        waiting = harness.client(protocol=self.protocol, decode_responses=True)
        thread = threading.Thread(target=lambda: got.append(waiting.blpop(["a", "b"], timeout=30)))
        thread.start()
        while self.redis.info("clients")["blocked_clients"] == 0:
            pass
        self.redis.rpush("b", "task")
        thread.join(timeout=60)
        self.assertEqual([tuple(one) for one in got], [("b", "task")])
        self.assertIsNone(waiting.blpop(["a"], timeout=0.05))
        waiting.close()

    def test_a_script_is_atomic_and_cached(self):
        script = self.redis.register_script(
            "local n = redis.call('INCRBY', KEYS[1], ARGV[1]) "
            "redis.call('HSET', KEYS[2], 'n', n) return {n, redis.call('HGETALL', KEYS[2])}"
        )
        number, fields = script(keys=["n", "h"], args=[5])
        self.assertEqual((number, list(fields)), (5, ["n", "5"]))
        self.assertEqual(script(keys=["n", "h"], args=[5])[0], 10)
        self.assertEqual(self.redis.script_exists(script.sha), [True])
        with self.assertRaises(redis.ResponseError):
            self.redis.eval("return redis.call('HGET', KEYS[1], 'a')", 1, "n")
        lock = self.redis.lock("lock", timeout=30)
        self.assertTrue(lock.acquire(blocking=False))
        self.assertFalse(self.redis.lock("lock", timeout=30).acquire(blocking=False))
        lock.release()

    def test_messages_reach_who_listens(self):
        listener = self.redis.pubsub()
        listener.subscribe("news")
        listener.psubscribe("n?ws")
        for _ in range(2):
            self.assertIn(listener.get_message(timeout=30)["type"], ("subscribe", "psubscribe"))
        self.assertEqual(self.redis.publish("news", "hello"), 2)
        kinds = {}
        for _ in range(2):
            message = listener.get_message(timeout=30)
            kinds[message["type"]] = message["data"]
        self.assertEqual(kinds, {"message": "hello", "pmessage": "hello"})
        listener.close()

    def test_a_value_moves_as_bytes(self):
        raw = harness.client(protocol=self.protocol)
        self.redis.hset("h", mapping={"a": 1, "b": "two"})
        self.redis.zadd("z", {"a": 1.5, "b": float("inf")})
        for key in ("h", "z"):
            self.assertTrue(raw.restore(f"{key}:copy", 0, raw.dump(key)))
        self.assertEqual(self.redis.hgetall("h:copy"), {"a": "1", "b": "two"})
        self.assertEqual(self.redis.zscore("z:copy", "b"), float("inf"))
        with self.assertRaisesRegex(redis.ResponseError, "BUSYKEY|already exists"):
            raw.restore("h", 0, raw.dump("h"))
        raw.close()

    def test_how_many_there_were(self):
        self.redis.pfadd("today", *(f"user:{n}" for n in range(1000)))
        self.redis.pfadd("yesterday", *(f"user:{n}" for n in range(500, 1500)))
        self.assertAlmostEqual(self.redis.pfcount("today", "yesterday"), 1500, delta=60)
        self.redis.pfmerge("both", "today", "yesterday")
        self.assertEqual(
            self.redis.pfcount("both"), self.redis.pfcount("today", "yesterday")
        )


class Resp2(Base, unittest.TestCase):
    protocol = 2


class Resp3(Base, unittest.TestCase):
    protocol = 3
