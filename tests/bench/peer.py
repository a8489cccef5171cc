"""pyasn's side of the comparison: loads the table, then goes over the same addresses whenever it is told to.

    peer.py TABLE ADDRESSES...      TABLE has lines of `prefix<tab>AS number`, ADDRESSES one address a line

Says `<seconds> <bytes>` once it has loaded; then answers each number of an address file with `<seconds> <checksum>`.
"""

import sys
import time

import pyasn


def resident():
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))
    except (OSError, StopIteration):
        return 0


files = []
for name in sys.argv[2:]:
    with open(name) as file:
        files.append(file.read().split())

before = resident()
began = time.thread_time()
lookup = pyasn.pyasn(sys.argv[1]).lookup
print(time.thread_time() - began, resident() - before, flush=True)

for line in sys.stdin:
    addresses = files[int(line)]
    began = time.thread_time()
    answers = [lookup(address)[0] for address in addresses]
    seconds = time.thread_time() - began
    checksum = sum((place + 1) * (answer or 0) for place, answer in enumerate(answers))
    print(seconds, checksum % 2**64, flush=True)
