#!/usr/bin/env python3
"""How fast a row comes after the line that completes it, and what following costs while nothing happens.

    tests/bench/follow.py STREAMW [FILES]
"""

import os
import select
import signal
import subprocess
import sys
import tempfile
import time


def seconds_of_cpu(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def start(program, here, *flags):
    command = [program, "-F", *flags, "-t", "ts", "-w", "1s", "-q"]
    return subprocess.Popen(command, cwd=here, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def latency(program, poll, rounds):
    with tempfile.TemporaryDirectory() as here:
        log = open(os.path.join(here, "log"), "a", buffering=1)
        run = start(program, here, "log", "--poll-interval", poll)
        log.write('{"ts":0}\n{"ts":1}\n')
        run.stdout.readline()
        took = []
        for second in range(2, rounds + 2):
            # Neither in step with the clock nor with the program.
            time.sleep(0.003 + second % 7 * 0.0041)
            began = time.perf_counter()
            log.write('{"ts":%d}\n' % second)
            run.stdout.readline()
            took.append(time.perf_counter() - began)
        run.send_signal(signal.SIGTERM)
        run.wait()
        took.sort()
        share = lambda q: took[min(int(len(took) * q), len(took) - 1)] * 1000
        print(f"write to row, --poll-interval {poll}: p50 {share(0.5):.2f} ms, p99 {share(0.99):.2f} ms, most {took[-1] * 1000:.2f} ms ({rounds} rows)")


def idle(program, files, wait=20):
    with tempfile.TemporaryDirectory() as here:
        names = [f"log{number}" for number in range(files)]
        for name in names:
            with open(os.path.join(here, name), "w") as log:
                log.write('{"ts":0}\n{"ts":1}\n')
        run = start(program, here, *names)
        select.select([run.stdout], [], [], 10)
        before = seconds_of_cpu(run.pid)
        time.sleep(wait)
        share = (seconds_of_cpu(run.pid) - before) / wait * 100
        memory = next(line for line in open(f"/proc/{run.pid}/status") if line.startswith("VmRSS")).split()[1]
        run.send_signal(signal.SIGTERM)
        run.wait()
        print(f"idle with {files} files: {share:.2f} % of a processor, {int(memory) // 1024} MB")


if __name__ == "__main__":
    program = os.path.abspath(sys.argv[1])
    files = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    latency(program, "1h", 1000)
    latency(program, "50ms", 200)
    idle(program, files)
