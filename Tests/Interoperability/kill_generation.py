"""Kills generate and merge at random moments, starts them again, and compares with files made undisturbed.

Usage: kill_generation.py PHALAROPE CONFIG [SEED]; needs h5py. Kills each 20 times.
"""
import collections
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

import h5py
import numpy

KILLS = 20
phalarope, config = (str(pathlib.Path(path).resolve()) for path in sys.argv[1:3])
random.seed(int(sys.argv[3]) if len(sys.argv) > 3 else 0)
GENERATE = [phalarope, "generate", config, "--quiet", "grid=1024", "stored_grid=1024", "samples=240", "deflate=9"]


def content(path):
    """Everything in a file that must not depend on how it was made."""
    found = {}

    def add(name, item):
        for key, value in item.attrs.items():
            # Lists of references are addresses in the file.
            if key not in ("created_at", "config", "REFERENCE_LIST", "DIMENSION_LIST"):
                found[f"{name}@{key}"] = numpy.asarray(value).tolist()
        if isinstance(item, h5py.Dataset) and name != "provenance/solve_seconds":
            found[name] = (item.shape, str(item.dtype), item.compression, item.compression_opts, item.fletcher32,
                           item[()].tobytes())

    with h5py.File(path) as file:
        add("", file)
        file.visititems(add)
    return found


def state(folder, output):
    """What a killed process was at, by the files that it left."""
    path = pathlib.Path(folder, output)
    partial, journal = path.with_name(output + ".partial"), path.with_name(output + ".partial.journal")
    if not journal.exists():
        return "after the end" if path.exists() else "before the file was made"
    if not partial.exists():
        return "after the rename" if path.exists() else "before the file was made"
    if path.with_name(output + ".partial.compressed").exists():
        return "while compressing"
    lines = journal.read_bytes().count(b"\n")
    return "before the first sample" if lines <= 1 else "while solving, checking or renaming"


def disturb(command, output, folder, whole):
    """Kills a command until it has been killed often enough; each time that it ends, it is begun anew."""
    def run():
        return subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)

    began = time.monotonic()
    assert run().wait() == 0
    duration = time.monotonic() - began
    states = collections.Counter()
    finished = 0
    while True:
        path = pathlib.Path(folder, output)
        if path.exists() and not path.with_name(output + ".partial.journal").exists():
            assert content(path) == whole, f"{path} differs after {states}"
            left = [p.name for p in path.parent.iterdir() if p.name.startswith(path.stem + ".")]
            assert sorted(left) == [path.name, path.stem + ".xmf"], left
            finished += 1
            if sum(states.values()) >= KILLS:
                break
            path.unlink()
        process = run()
        if sum(states.values()) < KILLS:
            time.sleep(random.uniform(0, duration))
            process.send_signal(signal.SIGKILL)
        status = process.wait()
        assert status in (0, -signal.SIGKILL), status
        if status != 0:
            states[state(folder, output)] += 1
    print(f"{' '.join(command[1:2])}: {KILLS} kills, {finished} files finished, each equal to the undisturbed one")
    for name, count in states.most_common():
        print(f"  {count:3d} {name}")


with tempfile.TemporaryDirectory() as folder:
    subprocess.run(GENERATE + ["output=whole.h5"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    whole = content(pathlib.Path(folder, "whole.h5"))
    disturb(GENERATE + ["output=data.h5"], "data.h5", folder, whole)
    for shard in range(3):
        subprocess.run(
            GENERATE + ["output=part.h5", "--shard", f"{shard}/3"], cwd=folder, check=True,
            stdout=subprocess.DEVNULL)
    shards = [f"part-0000{shard}-of-00003.h5" for shard in (2, 0, 1)]
    disturb([phalarope, "merge", *shards, "--output", "merged.h5", "--quiet"], "merged.h5", folder, whole)
