"""Judges a report of `memvault sim --json`: no promise broken, and enough simulated for that to mean something."""

import json
import sys

RUNS = 2000
LEAST = {"cluster-hours": 11, "crashes": 10_000, "clock jumps": 100}


def main(path):
    with open(path) as file:
        report = json.load(file)
    totals = {
        "cluster-hours": report["simulated_seconds"] / 3600,
        "crashes": report["crashes"],
        "clock jumps": report["clock_jumps"],
    }
    print(
        f"{report['runs']} runs, {totals['cluster-hours']:.1f} cluster-hours, {report['crashes']} crashes, "
        f"{report['requests']} requests, {report['wall_seconds']:.0f} s: {report['broken_runs']} broke a promise"
    )
    for violation in report["violations"]:
        print(f"seed {violation['seed']}, scenario {violation['scenario']}")
        print("\n".join([str(broken) for broken in violation["broken"][:5]] + violation["trace"]))
    if report["broken_runs"]:
        sys.exit(1)
    lacking = [name for name, least in LEAST.items() if totals[name] < least]
    if report["runs"] >= RUNS and lacking:
        sys.exit(f"{RUNS} runs have too few {', '.join(lacking)}: expected at least {LEAST}")


main(sys.argv[1])
