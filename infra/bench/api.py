"""Requests per second of the hot reads, beside a bare route on the same worker in the same run."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from infra.bench.load import Rate, measure
from infra.bench.table import Figure, show

PRINTERS = 50


@contextmanager
def served(
    printers: int = PRINTERS, module: str = "infra.bench.served"
) -> Iterator[dict[str, Any]]:
    """The API as its own process; what `infra.bench.served` says about itself."""
    with tempfile.TemporaryDirectory() as directory:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", module),
                *("--data", directory, "--printers", str(printers)),
            ],
            stdout=subprocess.PIPE,
        )
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()
            process.wait(20.0)


def run(*, as_json: bool = False) -> None:
    """Measure and print."""
    with served() as facts:
        port = facts["port"]
        token = {"X-API-Key": facts["token"]}
        key = {"X-Api-Key": facts["octoprint_key"]}
        face = f"/octoprint/{facts['slug']}"
        figures = _beside(
            port,
            32,
            {f"GET /api/v1/printers, {PRINTERS} printers, token": ("/api/v1/printers", token)},
            ">= 800/s, ratio >= 0.60",
        )
        figures += _beside(
            port,
            16,
            {
                "GET …/api/printer": (f"{face}/api/printer", key),
                "GET …/api/job": (f"{face}/api/job", key),
            },
            ">= 1 400/s, ratio >= 0.60",
        )
    show("hot reads", figures, as_json=as_json)


def _beside(
    port: int, connections: int, reads: dict[str, tuple[str, dict[str, str]]], goal: str
) -> list[Figure]:
    """*reads* (path and headers by name) between two runs of the bare route, alike in all else."""
    bare = [measure(port, "/bench/hello", {}, connections=connections).per_second]
    rates = {
        name: measure(port, path, headers, connections=connections)
        for name, (path, headers) in reads.items()
    }
    bare.append(measure(port, "/bench/hello", {}, connections=connections).per_second)
    mean = sum(bare) / 2
    figures = [Figure(f"bare Quart hello, {connections} connections", mean, "req/s")]
    for name, rate in rates.items():
        figures += _figures(name, rate, mean, goal)
    return figures


def _figures(name: str, rate: Rate, bare: float, goal: str) -> list[Figure]:
    return [
        Figure(
            f"{name} ({rate.bytes_each:,} bytes)", rate.per_second, "req/s", bare, "req/s", goal
        ),
        Figure("  its p99", rate.p99_ms, "ms"),
    ]
