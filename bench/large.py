#!/usr/bin/env python3
"""Trains on a synthetic log that does not fit on the heap, and says how fast and in how much memory.

    ./mvnw -q -DskipTests package
    bench/large.py [--rows N] [--folder DIR] [--heap 3g] [--threads 2]

Makes the log (Parquet, 1.5 GB for 100 million rows), trains STAR on it for one epoch and prints rows
per second, seconds and the peak of resident memory. The exit code is 1 if that is over 8 GiB. The
log is kept and used again; the data set's columns take another 24 bytes a row in unnamed files.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "bench/src/main/java/org/llm4msr/bench/training/LargeLog.java"
LIMIT_GIB = 8


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=100_000_000)
    parser.add_argument("--folder", type=Path, default=ROOT / "bench/target/large")
    parser.add_argument("--heap", default="3g", help="-Xmx of the training (default: 3g)")
    parser.add_argument("--threads", default="2")
    options = parser.parse_args()
    home = subprocess.run([ROOT / ".mvn/find-jdk.sh"], capture_output=True, text=True, check=True)
    java = Path(home.stdout.strip()) / "bin/java"
    folder = options.folder / str(options.rows)
    # The description is written last.
    if not (folder / "large.yaml").exists():
        start = time.monotonic()
        command = [java, "--enable-native-access=ALL-UNNAMED", "-cp", f"{ROOT}/app/target/lib/*"]
        subprocess.run([*command, SOURCE, folder, str(options.rows)], check=True)
        print(f"log: {options.rows:,} rows written in {time.monotonic() - start:.0f} s", flush=True)
    run = folder / "run"
    shutil.rmtree(run, ignore_errors=True)
    command = [java, f"-Xmx{options.heap}", "--enable-native-access=ALL-UNNAMED", "-jar"]
    command += [ROOT / "app/target/llm4msr.jar", "train", "--data", folder / "large.yaml"]
    command += ["--backbone", "star", "--epochs", "1", "--threads", options.threads, "--out", run]
    start = time.monotonic()
    training = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    # Of this process alone; for the kernel it is the peak that VmHWM showed last.
    _, status, usage = os.wait4(training.pid, 0)
    seconds = time.monotonic() - start
    if status != 0:
        sys.exit(f"large.py: train failed; to see why: {' '.join(map(str, command))}")
    epoch = json.loads((run / "history.jsonl").read_text().splitlines()[-1])
    peak = usage.ru_maxrss * 1024 / 2**30
    print(f"rows/s while training: {epoch['samples_per_second']:,.0f}")
    print(f"seconds of the epoch: {epoch['seconds']:.0f}")
    print(f"seconds from the command to its end: {seconds:.0f}")
    print(f"peak of resident memory: {peak:.1f} GiB (-Xmx{options.heap})")
    if peak > LIMIT_GIB:
        sys.exit(f"large.py: more than {LIMIT_GIB} GiB")


if __name__ == "__main__":
    main()
