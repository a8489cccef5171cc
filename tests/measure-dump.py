#!/usr/bin/env python3
"""Measures how fast a registry's database is loaded, and in how much memory.

    cargo build --release && tests/measure-dump.py 1000000 [sqlite:FILE | postgres://USER@HOST/NAME]

writes an imitation of RIPE's split files with so many inetnum objects, in the order of their making
(none), packed, into a folder that goes away, and loads it into a fresh SQLite file or the database
named. The objects lie in 10.0.0.0/8, nested as in life; nothing of it is anybody's.
"""

import gzip
import multiprocessing
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROGRAM = Path(__file__).resolve().parent.parent / "target/release/lapwing"


def dotted(number):
    return ".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0))


def inetnum(first, size, number, desks):
    lines = [
        f"inetnum:        {dotted(first)} - {dotted(first + size - 1)}",
        f"netname:        NET-{number}",
        f"descr:          Customer {number} of somebody",
        "descr:          Some Street 1",
        "country:        NL",
        f"admin-c:        P{number % 99991}-TEST",
        f"tech-c:         P{number % 99991}-TEST",
        "status:         " + ("ASSIGNED PA" if number % 50 else "ALLOCATED PA"),
        f"mnt-by:         M{number % 9973}-MNT",
        "created:        2020-01-01T00:00:00Z",
        "last-modified:  2020-01-01T00:00:00Z",
        "source:         RIPE # Filtered",
    ]
    if number % 10 == 0:
        lines.insert(5, f"org:            ORG-{number % desks}-TEST")
    return "\n".join(lines) + "\n\n"


def write(folder, objects, desks=100_000):
    rng = random.Random(7)
    # Four addresses for each object, shuffled; every 64th is the /24 around it and its neighbours.
    order = list(range(objects))
    rng.shuffle(order)
    with gzip.open(folder / "ripe.db.inetnum.gz", "wt", compresslevel=1) as file:
        for number in order:
            first, size = 0x0A000000 + number * 4, 4
            if number % 64 == 0:
                size = 256
            file.write(inetnum(first, size, number, desks))
    with gzip.open(folder / "ripe.db.organisation.gz", "wt", compresslevel=1) as file:
        for number in range(desks):
            file.write(
                f"organisation:   ORG-{number}-TEST\norg-name:       Organisation {number}\n"
                f"country:        NL\nabuse-c:        AR{number}-TEST\nsource:         RIPE # Filtered\n\n"
            )
    with gzip.open(folder / "ripe.db.role.gz", "wt", compresslevel=1) as file:
        for number in range(desks):
            file.write(
                f"role:           Abuse {number}\nnic-hdl:        AR{number}-TEST\n"
                f"abuse-mailbox:  abuse@isp{number}.example\nsource:         RIPE # Filtered\n\n"
            )


def main():
    objects = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        url = sys.argv[2] if len(sys.argv) > 2 else f"sqlite:{folder / 'table.db'}"
        # In a process of its own, for a child's peak begins with what its parent held.
        writer = multiprocessing.Process(target=write, args=(folder, objects))
        writer.start()
        writer.join()
        files = sorted(str(path) for path in folder.glob("*.gz"))
        size = sum(Path(path).stat().st_size for path in files)
        print(f"{objects:,} inetnum, {size / 1e6:.0f} MB packed", flush=True)
        subprocess.run([PROGRAM, "--database", url, "init"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        for what, flags in (("read", ["--dry-run"]), ("read and stored", []), ("loaded again", [])):
            before = time.monotonic()
            run = [PROGRAM, "--quiet", "--database", url, *flags, "table", "load", *files]
            child = subprocess.Popen(run, cwd=folder, stdout=subprocess.PIPE, text=True)
            said = child.stdout.read()
            _, status, used = os.wait4(child.pid, 0)
            took = time.monotonic() - before
            if status:
                sys.exit(f"it ended with {status}: {said}")
            peak = used.ru_maxrss / 1024
            print(f"{what}: {took:.1f} s, {objects / took:,.0f} objects/s, peak {peak:.0f} MiB", flush=True)
        print(said.splitlines()[0])


if __name__ == "__main__":
    main()
