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
def served(printers: int = PRINTERS) -> Iterator[dict[str, Any]]:
    """The API as its own process; what `infra.bench.served` says about itself."""
    with tempfile.TemporaryDirectory() as directory:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "infra.bench.served"),
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
        hello = measure(port, "/bench/hello", {})
        rates = {
            "GET /api/v1/printers, 50 printers, token": measure(port, "/api/v1/printers", token),
            "GET …/api/printer": measure(port, f"{face}/api/printer", key),
            "GET …/api/job": measure(port, f"{face}/api/job", key),
        }
        again = measure(port, "/bench/hello", {})
    bare = (hello.per_second + again.per_second) / 2
    goals = (">= 800/s, ratio >= 0.60", ">= 1 400/s, ratio >= 0.60", ">= 1 400/s, ratio >= 0.60")
    figures = [Figure("bare Quart hello", bare, "req/s")]
    for (name, rate), goal in zip(rates.items(), goals, strict=True):
        figures += _figures(name, rate, bare, goal)
    show("hot reads, 16 connections", figures, as_json=as_json)


def _figures(name: str, rate: Rate, bare: float, goal: str) -> list[Figure]:
    return [
        Figure(
            f"{name} ({rate.bytes_each:,} bytes)", rate.per_second, "req/s", bare, "req/s", goal
        ),
        Figure("  its p99", rate.p99_ms, "ms"),
    ]
