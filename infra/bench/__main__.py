"""`python -m infra.bench [NAME …]`: all benchmarks, or those of the named areas."""

import argparse
import importlib
import sys

#: area -> its benchmarks, each a module here with `run(as_json=…)`
AREAS = {
    "serial": ("serial",),
    "api": ("api", "upload", "login", "feed"),
    "octoprint": ("octoprint",),
    "link": ("command", "fleet", "outage", "soak"),
    "cloud": ("function", "cloud"),
    "farm": ("farm",),
}


def main() -> int:
    """Run them; the exit status is 0 when all could be measured."""
    parser = argparse.ArgumentParser(
        prog="python -m infra.bench",
        description="Measure Gantry. Every figure stands beside a reference of the same run.",
        epilog="examples:\n  make bench\n  make bench-api\n  make bench ARGS='upload --json'",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    single = sorted({name for names in AREAS.values() for name in names})
    known = [*AREAS, *(name for name in single if name not in AREAS)]
    parser.add_argument("names", nargs="*", choices=[*known, []], help="default: all areas")
    parser.add_argument("--json", action="store_true", help="one JSON object per benchmark")
    given = parser.parse_args()
    for name in given.names or AREAS:
        for each in AREAS.get(name, (name,)):
            importlib.import_module(f"infra.bench.{each}").run(as_json=given.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
