"""The reader of the classic layout against bytes that Erlang wrote, and against what pybitcask promises."""

import os
import subprocess
import sys
import tempfile
import unittest

from classic_reader import Bitcask, Damaged, entries, hint_entries, make_hint

DATA = bytes.fromhex(
    "2bb337a8576ab6330006000000166d796b6579326269746361736b5f746f6d6273746f6e653200000001"
    "a92445c5576ab6330006000000086d796b6579326d7976616c756558"
    "ae37f0b6576ab63c0005000000166d796b65796269746361736b5f746f6d6273746f6e653200000001"
    "105fbb8c576ab63c0005000000076d796b65796d7956414c5545"
)
HINT = bytes.fromhex(
    "576ab63300060000002a80000000000000006d796b657932"
    "576ab63300060000001c000000000000002a6d796b657932"
    "576ab63c00050000002980000000000000466d796b6579"
    "576ab63c00050000001a000000000000006f6d796b6579"
    "00000000000047ab475b7fffffffffffffff"
)
MERGED = DATA[42:70] + DATA[111:]


class Layout(unittest.TestCase):
    def test_the_data_file_that_erlang_wrote(self):
        found = [(at, size, when, key) for at, size, when, key, _ in entries(DATA)]
        self.assertEqual(found[1], (42, 28, 1466611251, b"mykey2"))
        self.assertEqual(found[3], (111, 26, 1466611260, b"mykey"))

    def test_the_hint_files_that_erlang_wrote(self):
        self.assertEqual(make_hint(DATA, tombstones=True), HINT)
        self.assertEqual(list(hint_entries(HINT))[3], (1466611260, b"mykey", 26, 111, False))
        trailer = make_hint(MERGED, tombstones=False)[-18:]
        self.assertEqual(trailer.hex(), "000000000000b376fcef7fffffffffffffff")

    def test_a_trailer_of_before_version_2(self):
        old = HINT[:-8] + b"\xff" * 8
        self.assertEqual(list(hint_entries(old)), list(hint_entries(HINT)))

    def test_any_flipped_bit_and_any_cut_is_noticed(self):
        for bit in range(len(DATA) * 8):
            damaged = bytearray(DATA)
            damaged[bit // 8] ^= 1 << bit % 8
            with self.assertRaises(Damaged):
                list(entries(bytes(damaged)))
        for bit in range(len(HINT) * 8):
            damaged = bytearray(HINT)
            damaged[bit // 8] ^= 1 << bit % 8
            # The highest bit of the last offset is what differs between the versions.
            if bit != (len(HINT) - 8) * 8 + 7:
                with self.assertRaises(Damaged):
                    list(hint_entries(bytes(damaged)))
        for cut in range(1, len(HINT)):
            with self.assertRaises(Damaged):
                list(hint_entries(HINT[:cut]))


class Published(unittest.TestCase):
    """What pybitcask's tests ask of it, and what its README says that it will do."""

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.path = temporary.name

    def write(self, name: str, data: bytes):
        with open(os.path.join(self.path, name), "wb") as file:
            file.write(data)

    def test_it_is_a_mapping(self):
        store = Bitcask(self.path)
        store[b"eggs"] = b"spam"
        store[b"ham"] = b""
        store[b"eggs"] = b"python"
        self.assertEqual((store[b"eggs"], len(store)), (b"python", 2))
        self.assertTrue(b"ham" in store and b"spam" not in store)
        self.assertEqual(list(store), [b"eggs", b"ham"])
        with self.assertRaises(KeyError):
            store[b"spam"]
        store.close()
        again = Bitcask(self.path)
        again.check_hints()
        self.assertEqual(dict(again), {b"eggs": b"python", b"ham": b""})

    def test_a_deleted_key_stays_deleted_across_files(self):
        store = Bitcask(self.path)
        store[b"eggs"] = b"spam"
        store.rotate()
        del store[b"eggs"]
        store.close()
        self.assertEqual(dict(Bitcask(self.path)), {})

    def test_files_count_in_numeric_order_unless_they_are_retired(self):
        store = Bitcask(self.path)
        for value in range(11):
            store.rotate()
            store[b"k"] = b"%d" % value
        store.close()
        self.assertEqual(Bitcask(self.path)[b"k"], b"10")
        os.chmod(os.path.join(self.path, "11.bitcask.data"), 0o645)
        self.assertEqual(Bitcask(self.path)[b"k"], b"9")

    def test_what_erlang_wrote(self):
        self.write("1.bitcask.data", DATA)
        self.write("1.bitcask.hint", HINT)
        store = Bitcask(self.path)
        store.check_hints()
        self.assertEqual(dict(store), {b"mykey": b"myVALUE", b"mykey2": b"myvalueX"})

    def test_a_lock_holds_as_long_as_its_process_lives(self):
        self.write("bitcask.write.lock", b"%d \n" % os.getpid())
        with self.assertRaises(RuntimeError):
            Bitcask(self.path)
        ended = subprocess.Popen([sys.executable, "-c", ""])
        ended.wait()
        self.write("bitcask.write.lock", b"%d %s/1.bitcask.data\n" % (ended.pid, self.path.encode()))
        Bitcask(self.path)
        self.assertFalse(os.path.exists(os.path.join(self.path, "bitcask.write.lock")))


if __name__ == "__main__":
    unittest.main()
