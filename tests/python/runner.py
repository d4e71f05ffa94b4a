"""Runs one module of tests against a server that it starts: `python -m runner MODULE SERVER`.

SERVER is the path of `bitmapistd`, or of `redis-server`, which must pass the same tests. The last
line is `result: PASSED FAILED SKIPPED`.
"""

import sys
import unittest

import harness


def main() -> int:
    module, binary = sys.argv[1:3]
    with harness.Server(binary) as server:
        harness.address = server.address
        suite = unittest.defaultTestLoader.loadTestsFromName(module)
        result = unittest.TextTestRunner(stream=sys.stdout, verbosity=1).run(suite)
        alive = server.alive()
    if not alive:
        print("the server is gone")
    failed = len(result.failures) + len(result.errors) + (not alive)
    skipped = len(result.skipped)
    print(f"result: {result.testsRun - failed - skipped} {failed} {skipped}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
