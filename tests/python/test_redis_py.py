"""redis-py itself, in both protocols."""

import threading
import unittest

import harness
import redis


class Base:
    protocol = 2

    def setUp(self):
        self.redis = harness.empty_client(protocol=self.protocol)

    def tearDown(self):
        self.redis.close()

    def test_the_connection_knows_its_name_and_database(self):
        named = harness.client(protocol=self.protocol, client_name="worker", db=3)
        self.assertTrue(named.ping())
        self.assertIn(named.client_getname(), ("worker", b"worker"))
        named.set("here", "1")
        self.assertIsNone(self.redis.get("here"))
        self.assertEqual(named.dbsize(), 1)
        self.assertEqual(int(named.client_info()["db"]), 3)
        self.assertEqual(int(named.client_info()["resp"]), self.protocol)
        named.close()

    def test_a_pipeline_is_a_transaction(self):
        pipe = self.redis.pipeline()
        for each in range(1000):
            pipe.setbit("bits", each * 3, 1)
        pipe.bitcount("bits").get("missing").incr("n")
        self.assertEqual(pipe.execute(), [0] * 1000 + [1000, None, 1])

    def test_a_plain_pipeline_of_ten_thousand(self):
        pipe = self.redis.pipeline(transaction=False)
        for each in range(10_000):
            pipe.set(f"k{each % 100}", each)
        self.assertEqual(pipe.execute(), [True] * 10_000)
        self.assertEqual(self.redis.get("k99"), b"9999")

    def test_an_error_in_a_transaction_is_raised_and_the_rest_is_done(self):
        self.redis.set("text", "abc")
        pipe = self.redis.pipeline()
        pipe.set("before", 1).incr("text").set("after", 1)
        with self.assertRaisesRegex(redis.ResponseError, "not an integer or out of range"):
            pipe.execute()
        self.assertEqual(self.redis.exists("before", "after"), 2)
        results = self.redis.pipeline().incr("text").get("text").execute(raise_on_error=False)
        self.assertIsInstance(results[0], redis.ResponseError)
        self.assertEqual(results[1], b"abc")

    def test_watch_sees_another_client(self):
        other = harness.client(protocol=self.protocol)
        self.redis.set("n", 1)
        with self.redis.pipeline() as pipe:
            pipe.watch("n")
            seen = int(pipe.get("n"))
            other.incr("n")
            pipe.multi()
            pipe.set("n", seen + 1)
            with self.assertRaises(redis.WatchError):
                pipe.execute()
        self.assertEqual(self.redis.get("n"), b"2")
        other.close()

    def test_counting_with_watch_loses_nothing(self):
        def count():
            mine = harness.client(protocol=self.protocol)
            for _ in range(50):
                mine.transaction(lambda pipe: self.step(pipe), "n")
            mine.close()

        threads = [threading.Thread(target=count) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(self.redis.get("n"), b"200")

    @staticmethod
    def step(pipe):
        before = int(pipe.get("n") or 0)
        pipe.multi()
        pipe.set("n", before + 1)

    def test_scan_iter_finds_every_key_once(self):
        names = {f"key:{each}".encode() for each in range(2000)}
        self.redis.mset({name: 1 for name in names})
        self.assertEqual(set(self.redis.scan_iter(count=37)), names)
        found = list(self.redis.scan_iter(match="key:1??", count=100))
        self.assertEqual(set(found), {n for n in names if len(n) == 7 and n[4:5] == b"1"})
        self.assertEqual(set(self.redis.scan_iter(_type="string")), names)
        self.assertEqual(list(self.redis.scan_iter(_type="hash")), [])
        self.assertEqual(len(self.redis.keys("key:*")), 2000)

    def test_set_with_every_option(self):
        r = self.redis
        self.assertTrue(r.set("k", "1", nx=True))
        self.assertIsNone(r.set("k", "2", nx=True))
        self.assertTrue(r.set("k", "3", xx=True, ex=100))
        self.assertTrue(0 < r.ttl("k") <= 100)
        self.assertEqual(r.set("k", "4", get=True, keepttl=True), b"3")
        self.assertTrue(0 < r.ttl("k") <= 100)
        self.assertTrue(r.set("k", "5", px=50_000))
        self.assertTrue(0 < r.pttl("k") <= 50_000)
        self.assertTrue(r.set("k", "6", exat=4_000_000_000))
        self.assertEqual(r.expiretime("k"), 4_000_000_000)
        self.assertTrue(r.set("k", "7", pxat=4_000_000_000_123))
        self.assertEqual(r.pexpiretime("k"), 4_000_000_000_123)
        self.assertTrue(r.set("k", "8"))
        self.assertEqual(r.ttl("k"), -1)
        self.assertEqual(r.getex("k", persist=True), b"8")
        self.assertEqual(r.getdel("k"), b"8")
        self.assertIsNone(r.get("k"))

    def test_strings(self):
        r = self.redis
        self.assertEqual(r.append("s", "Hello"), 5)
        self.assertEqual(r.append("s", " World"), 11)
        self.assertEqual(r.getrange("s", -5, -1), b"World")
        self.assertEqual(r.setrange("s", 6, "Redis"), 11)
        self.assertEqual(r.strlen("s"), 11)
        self.assertEqual(r.incrby("n", 10), 10)
        self.assertEqual(r.decr("n"), 9)
        self.assertEqual(r.incrbyfloat("f", "0.1"), 0.1)
        self.assertEqual(r.mget("s", "n", "no"), [b"Hello Redis", b"9", None])
        self.assertFalse(r.msetnx({"n": 1, "fresh": 1}))
        self.assertTrue(r.msetnx({"new": 1, "fresh": 1}))
        binary = bytes(range(256)) * 100
        r.set(binary[:256], binary)
        self.assertEqual(r.get(binary[:256]), binary)

    def test_bitmaps(self):
        r, random = self.redis, harness.numbers()
        ids = {name: {random.randrange(200_000) for _ in range(500)} for name in "abc"}
        for name, members in ids.items():
            pipe = r.pipeline(transaction=False)
            for member in members:
                pipe.setbit(name, member, 1)
            pipe.execute()
            self.assertEqual(r.bitcount(name), len(members))
            self.assertEqual(r.bitpos(name, 1), min(members))
        operations = {"AND": set.intersection, "OR": set.union}
        for operation, expected in operations.items():
            r.bitop(operation, "d", "a", "b", "c")
            self.assertEqual(r.bitcount("d"), len(expected(*ids.values())))
        r.bitop("XOR", "d", "a", "b")
        self.assertEqual(r.bitcount("d"), len(ids["a"] ^ ids["b"]))
        length = r.bitop("NOT", "d", "a")
        self.assertEqual(r.bitcount("d"), length * 8 - len(ids["a"]))
        self.assertEqual(r.bitcount("a", 0, 99), sum(member < 800 for member in ids["a"]))
        self.assertEqual(
            r.bitcount("a", 0, 999, "BIT"), sum(member < 1000 for member in ids["a"])
        )
        field = r.bitfield("f").set("u8", 0, 255).incrby("u8", 0, 10).get("u8", 0)
        self.assertEqual(field.execute(), [0, 9, 9])
        field = r.bitfield("f", default_overflow="SAT").incrby("u8", 0, 300)
        self.assertEqual(field.execute(), [255])

    def test_expiry(self):
        r = self.redis
        r.set("k", "v")
        self.assertTrue(r.expire("k", 100))
        self.assertFalse(r.expire("k", 200, nx=True))
        self.assertTrue(r.expire("k", 200, gt=True))
        self.assertFalse(r.expire("k", 300, lt=True))
        self.assertTrue(100 < r.ttl("k") <= 200)
        self.assertTrue(r.persist("k"))
        self.assertEqual(r.ttl("k"), -1)
        self.assertEqual(r.ttl("missing"), -2)
        self.assertTrue(r.pexpireat("k", 1))
        self.assertIsNone(r.get("k"))
        self.assertFalse(r.expire("k", 100))

    def test_keys_are_renamed_copied_and_moved(self):
        r = self.redis
        r.set("a", "1", ex=1000)
        self.assertTrue(r.rename("a", "b"))
        self.assertTrue(0 < r.ttl("b") <= 1000)
        with self.assertRaisesRegex(redis.ResponseError, "no such key"):
            r.rename("a", "c")
        self.assertTrue(r.copy("b", "c"))
        self.assertFalse(r.renamenx("b", "c"))
        self.assertTrue(r.move("c", 2))
        self.assertEqual(r.keys(), [b"b"])
        self.assertEqual(r.type("b"), b"string")
        self.assertIn(r.randomkey(), [b"b"])
        self.assertEqual(r.touch("b", "c"), 1)
        self.assertEqual(r.unlink("b", "c"), 1)

    def test_the_server_describes_itself(self):
        r = self.redis
        info = r.info()
        self.assertGreaterEqual(int(str(info["redis_version"]).split(".")[0]), 7)
        for field in ("connected_clients", "used_memory", "total_commands_processed"):
            self.assertIn(field, info)
        r.set("k", 1)
        self.assertEqual(r.info("keyspace")["db0"]["keys"], 1)
        self.assertIn("maxclients", r.config_get("max*"))
        self.assertGreater(r.command_count(), 50)
        commands = r.command()
        self.assertEqual(commands["setbit"]["arity"], 4)
        self.assertEqual(commands["setbit"]["first_key_pos"], 1)
        seconds, microseconds = r.time()
        self.assertGreater(seconds, 1_600_000_000)
        self.assertLess(microseconds, 1_000_000)

    def test_errors_are_those_of_redis(self):
        r = self.redis
        wrong = [
            (("SETBIT", "k", "-1", "1"), "bit offset is not an integer or out of range"),
            (("SETBIT", "k", "1", "2"), "bit is not an integer or out of range"),
            (("GET",), "wrong number of arguments for 'get' command"),
            (("NOSUCH", "x"), "unknown command"),
            (("BITOP", "NOT", "d", "a", "b"), "BITOP NOT must be called with a single source key"),
            (("SELECT", "99"), "DB index is out of range"),
            (("SET", "k", "v", "EX", "0"), "invalid expire time"),
        ]
        for command, text in wrong:
            with self.assertRaisesRegex(redis.ResponseError, text):
                r.execute_command(*command)
        self.assertTrue(r.ping())


class Resp2(Base, unittest.TestCase):
    protocol = 2


class Resp3(Base, unittest.TestCase):
    protocol = 3


if __name__ == "__main__":
    unittest.main()
