"""The serial engine in one table: one sender in four scenarios, a crowd of them, a stop.

make bench-serial            bare Python loops as limits in the same run
PEERS=1 make bench-serial    and printcore and OctoPrint, in their own environment
"""

import os
import tempfile
from pathlib import Path

from infra.bench import peers
from infra.bench.crowd import MAD, crowd, stop_ms
from infra.bench.sender import HOSTS, SCENARIOS, figures_of
from infra.bench.table import Figure, show

STOPS = 20
CROWD, CROWD_LINES = 10, 5_000
MANY = 15


def run(*, as_json: bool = False) -> None:
    """Measure and print."""
    hosts = (*HOSTS, *peers.ready()) if os.environ.get("PEERS") == "1" else HOSTS
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as directory:
        for scenario, count in SCENARIOS.items():
            figures += figures_of(scenario, count, Path(directory), hosts)
    figures += _together()
    stops = sorted(stop_ms() for _ in range(STOPS))
    figures.append(Figure("stop on the wire, worst of 20", stops[-1], "ms", goal="<= 20 ms"))
    show("serial engine", figures, as_json=as_json)


def _together() -> list[Figure]:
    p99_ms, rate = crowd(CROWD, CROWD_LINES)
    quiet_ms, _ = crowd(MANY, CROWD_LINES // 2)
    beside = {kind: crowd(MANY, CROWD_LINES // 2, [kind])[0] for kind in MAD}
    return [
        Figure(f"{CROWD} printers: gap p99", p99_ms, "ms", goal="<= 10 ms"),
        Figure(f"{CROWD} printers: each", rate, "lines/s", goal="500"),
        *(
            Figure(
                f"{MANY} printers beside a {kind}: gap p99",
                beside_ms,
                "ms",
                reference=quiet_ms,
                reference_name="without it",
                goal="unchanged",
            )
            for kind, beside_ms in beside.items()
        ),
    ]
