#!/usr/bin/env python3
"""Kills long jobs at random moments, fills their disk, and demands the result of an undisturbed run.

    ./mvnw -q -DskipTests package
    bench/faults.py [--seed N] [--kills N] [--encode-kills N] [--folder DIR] [PART ...]

Parts: train, cross-fit (train with LLM4MSR beside a trained backbone), tune, tune-cross-fit, compare, compare-cross-fit
(kills are shared among these, as far as they are asked for), encode, full-disk (needs root, for a small tmpfs). One line says how each ended; the exit code is 1 if any failed.
"""
import argparse
import csv
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
JAR = ROOT / "app/target/llm4msr.jar"
ROWS = 4000
USERS = 60
ITEMS = 80
PROMPTS = 4000
TOKENS_PER_BATCH = 512
# A run that was killed so often is left alone, so that whole runs are seen too.
KILLS_OF_ONE_RUN = 8
# What measures time; everything else must be equal.
TIMES = {"seconds", "samples_per_second"}
TRAINING = (
    "--batch-size 128 --threads 2 --patience 0 --checkpoint-every 5 --embedding-dim 8"
    " --hidden 32,16 --lr 3e-3"
).split()


class Failure(Exception):
    pass


def check(condition, message):
    if not condition:
        raise Failure(message)


def java():
    home = subprocess.run([ROOT / ".mvn/find-jdk.sh"], capture_output=True, text=True, check=True)
    return Path(home.stdout.strip()) / "bin/java"


class Program:
    """The program itself, without the launcher: a kill must hit the process that works."""

    def __init__(self):
        # Starts fast: most kills shall hit the work, not the start.
        quick = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx1g"]
        self.prefix = [java(), *quick, "-jar", JAR]
        self.errors = ""

    def run(self, arguments, limit=None):
        """The exit code, or None if the limit in seconds passed first and kill -9 ended it."""
        with tempfile.TemporaryFile("w+") as err:
            process = subprocess.Popen(
                [str(a) for a in self.prefix + list(arguments)], stdout=err, stderr=err,
                stdin=subprocess.DEVNULL)
            try:
                code = process.wait(limit)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                code = None
            finally:
                if process.poll() is None:
                    process.kill()
            err.seek(0)
            self.errors = err.read()
        return code

    def must(self, arguments):
        """Runs to the end; the seconds it took."""
        start = time.monotonic()
        code = self.run(arguments)
        check(code == 0, f"{arguments[0]} ended with {code}:\n{self.errors}")
        return time.monotonic() - start


def write_inputs(folder, rng):
    """A log of three scenarios, and prompts of which many begin alike."""
    taste = [[rng.gauss(0, 1) for _ in range(4)] for _ in range(USERS)]
    trait = [[rng.gauss(0, 1) for _ in range(4)] for _ in range(ITEMS)]
    with open(folder / "log.csv", "w", newline="") as file:
        log = csv.writer(file)
        log.writerow(["user", "item", "scenario", "label"])
        for _ in range(ROWS):
            user, item = rng.randrange(USERS), rng.randrange(ITEMS)
            liked = sum(a * b for a, b in zip(taste[user], trait[item])) + rng.gauss(0, 1) > 0
            log.writerow([f"u{user}", f"i{item}", rng.choice(["web", "app", "store"]), int(liked)])
    (folder / "log.yaml").write_text(
        "interactions: {path: log.csv, user: user, item: item, scenario: scenario, label: label}\n")
    words = "tents maps boots lamps ropes stoves knives packs socks gloves hats poles".split()
    with open(folder / "many.jsonl", "w") as file:
        for i in range(PROMPTS):
            likes = ", ".join(rng.choices(words, k=rng.randint(4, 40)))
            text = f"Somebody of group {i % 7}, number {i}, likes {likes}."
            file.write(json.dumps({"id": f"p{i}", "text": text}) + "\n")


def without_times(value):
    if isinstance(value, dict):
        return {k: without_times(v) for k, v in value.items() if k not in TIMES}
    return [without_times(v) for v in value] if isinstance(value, list) else value


def content(path):
    """What must be equal: the bytes, but for fields that measure time and pages that show them."""
    if path.suffix == ".html":
        return "a page"
    if path.suffix == ".json":
        return without_times(json.loads(path.read_text()))
    if path.suffix == ".jsonl":
        return [without_times(json.loads(line)) for line in path.read_text().splitlines()]
    if path.suffix == ".csv":
        with open(path, newline="") as file:
            return [without_times(row) for row in csv.DictReader(file)]
    return path.read_bytes()


def files(folder):
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def same_results(expected, found):
    check(
        files(expected) == files(found),
        f"{found}: files differ: {sorted(files(expected) ^ files(found))}")
    for name in sorted(files(expected)):
        check(content(expected / name) == content(found / name), f"{found / name} differs")


class Jobs:
    def __init__(self, program, folder, seed):
        self.program = program
        self.folder = folder
        # Each part draws for itself: asked for alone, it meets the same moments.
        self.seed = seed
        self.data = ["--data", folder / "log.yaml"]
        self.vectors = folder / "vectors.safetensors"

    def prepare(self):
        write_inputs(self.folder, random.Random(f"{self.seed} inputs"))
        prompts = self.folder / "prompts.jsonl"
        self.program.must(["prompts", *self.data, "--out", prompts, "--folds", "2"])
        self.program.must(["encode", "--model", "builtin", "--input", prompts, "--out", self.vectors])

    def command(self, job):
        beside = job.endswith("cross-fit")
        command = job.removesuffix("cross-fit").rstrip("-") or "train"
        if command == "train":
            more = ["--epochs", "20" if beside else "60"]
        elif command == "tune":
            more = ["--epochs", "9", "--rates", "3", "--trials", "3"]
        else:
            more = ["--epochs", "6" if beside else "12", "--seeds", "2", "--controls", "random"]
        return [
            command, *self.data, "--knowledge", self.vectors, *TRAINING, *more,
            "--cross-fit", "2" if beside else "0"]

    def batter(self, job, kills):
        """Kills a job, has it go on, and again, until it ends; then the next, until all are dealt."""
        rng = random.Random(f"{self.seed} {job}")
        command = self.command(job)
        expected = self.folder / job / "undisturbed"
        seconds = self.program.must([*command, "--out", expected])
        dealt, runs, resumed = 0, 0, 0
        while dealt < kills:
            runs += 1
            out = self.folder / job / str(runs)
            for hit in range(KILLS_OF_ONE_RUN + 1):
                last = hit == KILLS_OF_ONE_RUN or dealt == kills
                limit = None if last else rng.uniform(0, seconds)
                code = self.program.run([*command, "--out", out], limit)
                resumed += hit > 0 and "going on at step" in self.program.errors
                if code is not None:
                    # Killed between the last file and the end of the process, it is whole.
                    whole = hit > 0 and "holds a finished run" in self.program.errors
                    check(code == 0 or whole, f"{job} ended with {code}:\n{self.program.errors}")
                    break
                dealt += 1
            same_results(expected, out)
            shutil.rmtree(out)
        return (
            f"{dealt} kills over {runs} runs of {seconds:.1f} s, {resumed} resumed from a checkpoint;"
            " results equal an undisturbed run's")

    def encode_command(self, out):
        return [
            "encode", "--model", "builtin", "--input", self.folder / "many.jsonl", "--threads", "2",
            "--tokens-per-batch", TOKENS_PER_BATCH, "--json", "--out", out]

    def encode(self, kills):
        rng = random.Random(f"{self.seed} encode")
        folder = self.folder / "encode"
        expected = folder / "undisturbed.safetensors"
        seconds = self.program.must(self.encode_command(expected))
        summary = self.summary()
        check(summary["encoded"] == PROMPTS, f"encoded {summary['encoded']} of {PROMPTS}")
        record = 16 + 4 * summary["width"] + 4
        dealt, runs, cut, kept_in_all = 0, 0, 0, 0
        while dealt < kills:
            runs += 1
            out = folder / f"{runs}.safetensors"
            partial = folder / f"{out.name}.partial"
            kept = 0
            for hit in range(KILLS_OF_ONE_RUN + 1):
                on_disk = max(0, partial.stat().st_size - 50) // record if partial.exists() else 0
                last = hit == KILLS_OF_ONE_RUN or dealt == kills
                code = self.program.run(
                    self.encode_command(out), None if last else rng.uniform(0, seconds))
                resumed, rest = self.counts()
                if resumed is not None:
                    check(resumed + rest == PROMPTS, f"{resumed} and {rest} of {PROMPTS}")
                    check(resumed >= kept, f"{kept} vectors were kept, later only {resumed}")
                    # The batch that the kill cut is computed again, nothing else.
                    cut = max(cut, on_disk - resumed)
                    check(on_disk - resumed < TOKENS_PER_BATCH, f"{on_disk} there, {resumed} taken")
                    kept = resumed
                if code is not None:
                    check(code == 0, f"encode ended with {code}:\n{self.program.errors}")
                    break
                dealt += 1
            summary = self.summary()
            before = summary["resumed"] + summary["reused"]
            check(summary["encoded"] + before == PROMPTS, f"printed counts: {summary}")
            kept_in_all += before
            check(out.read_bytes() == expected.read_bytes(), f"{out} differs")
            left = {p.name for p in folder.iterdir()} - {out.name, expected.name}
            check(not left, f"left behind: {left}")
            out.unlink()
        return (
            f"{dealt} kills over {runs} runs of {seconds:.1f} s; bytes equal; {kept_in_all} of"
            f" {runs * PROMPTS} vectors came from killed runs, a kill cost at most {cut} vectors"
            " of the batch it hit")

    def counts(self):
        """What a run that goes on says at its beginning."""
        for line in self.program.errors.splitlines():
            if "vectors are there from before" in line:
                words = line.split()
                return int(words[1]), int(words[-2])
        return None, None

    def summary(self):
        text = self.program.errors
        return json.loads(text[text.index("\n{") :] if "\n{" in text else text)

    def full_disk(self):
        if os.geteuid() != 0:
            return "SKIPPED: needs root for a tmpfs"
        train = self.folder / "full-train"
        self.program.must([*self.command("train"), "--out", train])
        vectors = self.folder / "full.safetensors"
        self.program.must(self.encode_command(vectors))
        disk = self.folder / "disk"
        disk.mkdir()
        failures = self.starve(disk, lambda out: [*self.command("train"), "--out", out], train, "run")
        return f"train failed in {failures} sizes and encode in " + str(
            self.starve(disk, self.encode_command, vectors, vectors.name)
        ) + ", each with one line and exit code 1; with room both end in the same bytes"

    def starve(self, disk, command, expected, name):
        """Ever more room for the same job: it fails, is given more, and goes on, until it succeeds."""
        kib = 8
        failures = 0
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", disk], check=True)
        try:
            out = disk / name
            while True:
                code = self.program.run(command(out))
                if code == 0:
                    break
                lines = self.program.errors.strip().splitlines()
                full = [line for line in lines if "No space left on device" in line]
                check(
                    code == 1 and len(full) == 1 and lines[-1] == full[0],
                    f"{kib} KiB: ended with {code}:\n{self.program.errors}")
                failures += 1
                kib *= 2
                check(kib < 1 << 20, "never satisfied")
                subprocess.run(["mount", "-o", f"remount,size={kib}k", disk], check=True)
            check(failures > 1, "the disk was never full")
            if expected.is_dir():
                same_results(expected, out)
            else:
                check(out.read_bytes() == expected.read_bytes(), f"{out} differs")
        finally:
            subprocess.run(["umount", disk], check=True)
        return failures


def main():
    battered = ["train", "cross-fit", "tune", "tune-cross-fit", "compare", "compare-cross-fit"]
    parts = [*battered, "encode", "full-disk"]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--kills", type=int, default=56, help="of train, tune and compare together")
    parser.add_argument("--encode-kills", type=int, default=24)
    parser.add_argument("--folder", type=Path, help="where to work; stays (default: a temporary one)")
    parser.add_argument("part", nargs="*", default=[], help=", ".join(parts))
    options = parser.parse_args()
    chosen = options.part or parts
    shares = sum(part in battered for part in chosen)
    if not set(chosen) <= set(parts):
        parser.error(f"parts are {', '.join(parts)}")
    if not JAR.exists():
        parser.error(f"{JAR} is missing: ./mvnw -q -DskipTests package")
    folder = options.folder or Path(tempfile.mkdtemp(prefix="llm4msr-faults-"))
    folder.mkdir(parents=True, exist_ok=True)
    jobs = Jobs(Program(), folder.resolve(), options.seed)
    print(f"seed {options.seed}, folder {folder}", flush=True)
    jobs.prepare()
    failed = False
    for part in chosen:
        start = time.monotonic()
        try:
            if part == "encode":
                outcome = jobs.encode(options.encode_kills)
            elif part == "full-disk":
                outcome = jobs.full_disk()
            else:
                outcome = jobs.batter(part, -(-options.kills // shares))
        except Failure as e:
            failed = True
            outcome = f"FAILED: {e}"
        print(f"{part}: {outcome} ({time.monotonic() - start:.0f} s)", flush=True)
    if not failed and not options.folder:
        shutil.rmtree(folder)
    sys.exit(failed)


if __name__ == "__main__":
    main()
