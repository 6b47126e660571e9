"""`python -m infra.bench [NAME …]`: all benchmarks, or the named ones."""

import argparse
import importlib
import sys

NAMES = ("serial", "api", "upload", "login", "command", "feed")


def main() -> int:
    """Run them; the exit status is 0 when all could be measured."""
    parser = argparse.ArgumentParser(
        prog="python -m infra.bench",
        description="Measure Gantry. Every figure stands beside a reference of the same run.",
        epilog="examples:\n  make bench\n  make bench ARGS=serial\n  make bench ARGS='api --json'",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", choices=[*NAMES, []], help="default: all")
    parser.add_argument("--json", action="store_true", help="one JSON object per benchmark")
    given = parser.parse_args()
    for name in given.names or NAMES:
        importlib.import_module(f"infra.bench.{name}").run(as_json=given.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
