#!/usr/bin/env python3
"""CPU time per request and memory per entry of `memvault serve`, beside redis-server.

    cargo build --release && benches/beside_redis.py [--rounds 5] [--memory | --admin]

With --admin, what an admin port costs: one server without beside one whose metrics are read once a second.

Needs Linux, two processors, and redis-server, redis-benchmark and taskset in the path. Each server is pinned to the
first processor, the load to the second; the two take turns, and each round begins with the other one. Printed is
the median, with the lowest and the highest, of user and system time of the server process per request.
"""

import argparse
import os
import pathlib
import socket
import statistics
import subprocess
import threading
import time
import urllib.request

MEMVAULT = pathlib.Path(__file__).parent.parent / "target/release/memvault"
REQUESTS = {1: 80_000, 16: 600_000, 64: 1_500_000}
ENTRIES = 2_000_000


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    def __init__(self, name, command):
        self.name, self.port = name, free_port()
        command = ["taskset", "-c", "0", *command, "--port", str(self.port)]
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen(command, stdout=quiet, stderr=quiet)
        for _ in range(100):
            try:
                return socket.create_connection(("127.0.0.1", self.port)).close()
            except ConnectionRefusedError:
                time.sleep(0.05)
        raise SystemExit(f"{name} does not listen on port {self.port}")

    def load(self, *options):
        command = ["taskset", "-c", "1", "redis-benchmark", "-p", str(self.port), "-d", "64", "-q", *options]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    def seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident(self):
        pages = pathlib.Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")


def scrape(port, until):
    """Reads the metrics once a second, more often than Prometheus does."""
    while not until.wait(1):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read()


def measure_time(servers, rounds):
    for server in servers:
        server.load("-t", "set", "-n", "400000", "-r", "100000", "-P", "16")
    micros = {}
    for turn in range(rounds):
        for command in ("get", "set"):
            for pipeline, count in REQUESTS.items():
                for server in servers if turn % 2 == 0 else reversed(servers):
                    before = server.seconds()
                    server.load("-t", command, "-n", str(count), "-r", "100000", "-c", "50", "-P", str(pipeline))
                    spent = (server.seconds() - before) / count * 1e6
                    micros.setdefault((command, pipeline, server.name), []).append(spent)
    print("microseconds of CPU per request: median [lowest highest]")
    for (command, pipeline, name), spent in sorted(micros.items()):
        print(f"{command}  pipeline {pipeline:2}  {name:8}  {statistics.median(spent):.3f} "
              f"[{min(spent):.3f} {max(spent):.3f}]")
    print("the second beside the first, round by round: median [quartiles]")
    first, second = (server.name for server in servers)
    for command, pipeline in sorted({(command, pipeline) for command, pipeline, _ in micros}):
        pairs = zip(micros[command, pipeline, first], micros[command, pipeline, second])
        low, middle, high = statistics.quantiles([b / a for a, b in pairs], n=4, method="inclusive")
        print(f"{command}  pipeline {pipeline:2}  {middle:.3f} [{low:.3f} {high:.3f}]")


def measure_memory(servers):
    for server in servers:
        before = server.resident()
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            for start in range(0, ENTRIES, 1000):
                keys = range(start, start + 1000)
                command = "*3\r\n$3\r\nSET\r\n$15\r\nkey:%011d\r\n$64\r\n" + "v" * 64 + "\r\n"
                client.sendall("".join(command % key for key in keys).encode())
                left = 1000 * len("+OK\r\n")
                while left:
                    left -= len(client.recv(left))
        beyond = (server.resident() - before) / ENTRIES - 15 - 64
        print(f"{server.name:8}  {beyond:.1f} resident bytes per entry beyond key and value")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="rounds, default 5")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--memory", action="store_true", help="measure memory instead of time")
    what.add_argument("--admin", action="store_true", help="measure the time that an admin port costs")
    options = parser.parse_args()
    if not MEMVAULT.exists():
        raise SystemExit(f"{MEMVAULT} is missing: cargo build --release")
    serve = [str(MEMVAULT), "serve", "--log-level", "warn"]
    done = threading.Event()
    if options.admin:
        port = free_port()
        servers = [Server("alone", serve), Server("admin", [*serve, "--admin", f"127.0.0.1:{port}"])]
        threading.Thread(target=scrape, args=(port, done)).start()
    else:
        redis = ["redis-server", "--save", "", "--appendonly", "no"]
        servers = [Server("redis", redis), Server("memvault", serve)]
    try:
        measure_memory(servers) if options.memory else measure_time(servers, options.rounds)
    finally:
        done.set()
        for server in servers:
            server.process.kill()


if __name__ == "__main__":
    main()
