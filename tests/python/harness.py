"""A server in a directory of its own, and what the tests share."""

import os
import random
import socket
import subprocess
import tempfile
import time

import redis

# Where the server listens; the runner says.
address = ("127.0.0.1", 6379)

# A test that draws numbers draws them from this.
SEED = 20001881


class Server:
    """A child process that serves on a free port until the block ends."""

    def __init__(self, binary):
        self.directory = tempfile.TemporaryDirectory(prefix="bitmapistd-python-")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.address = probe.getsockname()
        port, data = self.address[1], self.directory.name
        if os.path.basename(binary).startswith("redis-server"):
            command = [binary, "--port", str(port), "--dir", data, "--save", ""]
        else:
            command = [binary, "--addr", f"127.0.0.1:{port}", "--dir", data + "/data"]
        self.log = open(data + "/log", "wb")
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log)

    def __enter__(self):
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(self.address, timeout=5).close()
                return self
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    with open(self.log.name, encoding="utf-8", errors="replace") as log:
                        print(log.read())
                    self.__exit__()
                    raise
                time.sleep(0.01)

    def alive(self):
        return self.process.poll() is None

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(timeout=60)
        finally:
            self.process.kill()
            self.log.close()
            self.directory.cleanup()


def client(**options):
    """A redis-py client; the version that is installed decides its default protocol."""
    return redis.Redis(host=address[0], port=address[1], **options)


def empty_client(**options):
    """The same, with nothing on the server."""
    connection = client(**options)
    connection.flushall()
    return connection


def numbers():
    return random.Random(SEED)
