"""A small reader and writer of the classic Bitcask layout, on its own: it shares nothing with the Rust code.

It behaves as pybitcask's published interface does (a mapping from bytes to bytes over a directory), and keeps to
Basho's rules where pybitcask strays from them: files in numeric order, a tombstone removes what any earlier
file says, every checksum is checked.

    python3 classic_reader.py dump DIR        one line per live key: key value timestamp (hex hex decimal)
    python3 classic_reader.py write DIR       does what the lines of the standard input say: put KEY VALUE,
                                              delete KEY (in hex), or rotate
"""

import os
import re
import stat
import struct
import sys
import time
import zlib
from collections.abc import MutableMapping

ENTRY = struct.Struct(">IIHI")  # crc, timestamp, key size, value size
HINT = struct.Struct(">IHIQ")  # timestamp, key size, total size, tombstone bit and offset
TOMBSTONE = b"bitcask_tombstone"
DELETED = 1 << 63
LAST_OFFSET = DELETED - 1
RETIRED = 0o4001
LOCK = "bitcask.write.lock"


class Damaged(Exception):
    pass


def pack(key: bytes, value: bytes, timestamp: int) -> bytes:
    rest = struct.pack(">IHI", timestamp, len(key), len(value)) + key + value
    return struct.pack(">I", zlib.crc32(rest)) + rest


def entries(data: bytes):
    """Yields (offset, size, timestamp, key, value) of each entry of a data file."""
    at = 0
    while at < len(data):
        if len(data) - at < ENTRY.size:
            raise Damaged(f"{len(data) - at} bytes at offset {at} are no entry")
        crc, timestamp, key_size, value_size = ENTRY.unpack_from(data, at)
        size = ENTRY.size + key_size + value_size
        entry = data[at : at + size]
        if len(entry) < size or zlib.crc32(entry[4:]) != crc:
            raise Damaged(f"the entry at offset {at} fails its checksum")
        key_end = ENTRY.size + key_size
        yield at, size, timestamp, entry[ENTRY.size : key_end], entry[key_end:]
        at += size


def hint_entries(hint: bytes):
    """Yields (timestamp, key, size, offset, deleted) of each entry of a hint file with a valid trailer."""
    at, end = 0, len(hint) - HINT.size
    if end < 0:
        raise Damaged("a hint file without trailer")
    if HINT.unpack_from(hint, end) not in [
        (0, 0, zlib.crc32(hint[:end]), last) for last in (LAST_OFFSET, LAST_OFFSET | DELETED)
    ]:
        raise Damaged("the hint file's trailer does not fit it")
    while at < end:
        timestamp, key_size, size, offset = HINT.unpack_from(hint, at)
        key = hint[at + HINT.size : at + HINT.size + key_size]
        at += HINT.size + key_size
        if at > end:
            raise Damaged("a hint reaches into the trailer")
        yield timestamp, key, size, offset & LAST_OFFSET, bool(offset & DELETED)


def make_hint(data: bytes, tombstones: bool) -> bytes:
    hint = b""
    for offset, size, timestamp, key, value in entries(data):
        deleted = value.startswith(TOMBSTONE)
        if deleted and not tombstones:
            continue
        hint += HINT.pack(timestamp, len(key), size, offset | (DELETED if deleted else 0)) + key
    return hint + HINT.pack(0, 0, zlib.crc32(hint), LAST_OFFSET)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


class Bitcask(MutableMapping):
    def __init__(self, path: str):
        self.path = path
        self.places = {}  # key: (number of file, offset, size, timestamp)
        self.active = None
        os.makedirs(path, exist_ok=True)
        lock = os.path.join(path, LOCK)
        if os.path.exists(lock):
            with open(lock) as file:
                pid = file.read().split(" ")[0]
            if pid.isdigit() and is_running(int(pid)):
                raise RuntimeError(f"Bitcask is locked by process {pid}")
            os.remove(lock)
        for number in self.numbers():
            self.load(number)

    def numbers(self):
        """Numbers of the data files that count, ascending."""
        found = []
        for name in os.listdir(self.path):
            match = re.fullmatch(r"(\d+)\.bitcask\.data", name)
            mode = stat.S_IMODE(os.stat(os.path.join(self.path, name)).st_mode)
            if match and not mode & RETIRED:
                found.append(int(match[1]))
        return sorted(found)

    def read(self, number: int, suffix: str) -> bytes:
        with open(os.path.join(self.path, f"{number}.bitcask.{suffix}"), "rb") as file:
            return file.read()

    def load(self, number: int):
        data = self.read(number, "data")
        for offset, size, timestamp, key, value in entries(data):
            if value.startswith(TOMBSTONE):
                self.places.pop(key, None)
            else:
                self.places[key] = (number, offset, size, timestamp)

    def check_hints(self):
        """That each data file has a hint file, which says just what is in it."""
        for number in self.numbers():
            data, hint = self.read(number, "data"), self.read(number, "hint")
            scanned = [
                (timestamp, key, size, offset, value.startswith(TOMBSTONE))
                for offset, size, timestamp, key, value in entries(data)
            ]
            if list(hint_entries(hint)) != scanned:
                raise Damaged(f"the hint file {number} does not fit its data file")

    def __getitem__(self, key: bytes) -> bytes:
        number, offset, size, _ = self.places[key]
        with open(os.path.join(self.path, f"{number}.bitcask.data"), "rb") as file:
            file.seek(offset)
            ((_, _, _, found, value),) = entries(file.read(size))
        if found != key:
            raise Damaged(f"another key's entry lies at {offset} of file {number}")
        return value

    def append(self, key: bytes, value: bytes):
        if self.active is None:
            self.rotate()
        timestamp, offset = int(time.time()), self.active.tell()
        entry = pack(key, value, timestamp)
        self.active.write(entry)
        self.active.flush()
        return self.number, offset, len(entry), timestamp

    def __setitem__(self, key: bytes, value: bytes):
        self.places[key] = self.append(key, value)

    def __delitem__(self, key: bytes):
        number = self.places[key][0]
        self.append(key, TOMBSTONE + b"2" + struct.pack(">I", number))
        del self.places[key]

    def __iter__(self):
        return iter(sorted(self.places))

    def __len__(self):
        return len(self.places)

    def timestamp(self, key: bytes) -> int:
        return self.places[key][3]

    def rotate(self):
        """Closes the active file, with its hint, and begins the next."""
        self.close()
        self.number = max(self.numbers(), default=0) + 1
        path = os.path.join(self.path, f"{self.number}.bitcask.data")
        self.active = open(path, "xb")

    def close(self):
        if self.active is not None:
            self.active.close()
            self.active = None
            hint = make_hint(self.read(self.number, "data"), tombstones=True)
            with open(os.path.join(self.path, f"{self.number}.bitcask.hint"), "wb") as file:
                file.write(hint)


def main():
    command, path = sys.argv[1:3]
    store = Bitcask(path)
    if command == "dump":
        store.check_hints()
        for key in store:
            print(f"{key.hex()} {store[key].hex()} {store.timestamp(key)}")
    elif command == "write":
        for line in sys.stdin:
            match line.rstrip("\n").split(" "):
                case ["put", key, value]:
                    store[bytes.fromhex(key)] = bytes.fromhex(value)
                case ["delete", key]:
                    store.pop(bytes.fromhex(key), None)
                case ["rotate"]:
                    store.rotate()
                case _:
                    raise SystemExit(f"what is {line!r}?")
        store.close()
    else:
        raise SystemExit(__doc__)


if __name__ == "__main__":
    main()
