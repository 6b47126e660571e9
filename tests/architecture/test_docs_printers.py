"""What docs/printers.md says of settings and firmwares is so."""

import re
from pathlib import Path

from api.printers.bodies import SerialBody
from bridge.gcode.dialects import DIALECTS, Dialect, Emergency
from bridge.serial.port import BAUD_RATES
from schemas.gcode.scripts import SCRIPTS
from schemas.gcode.shape import MAX_COMMAND_BYTES

PAGE = (Path(__file__).parents[2] / "docs" / "printers.md").read_text("utf-8")
STOPS = {
    Emergency.BY_CAPABILITY: "as EMERGENCY_PARSER says",
    Emergency.AT_ONCE: "at once",
    Emergency.IN_TURN: "in turn",
}


def row(dialect: Dialect) -> str:
    """The line of the page's table."""
    window = str(dialect.window)
    if dialect.spare:
        window += f", {dialect.window + dialect.spare} with flow control"
    again = "yes" if dialect.asks_again else "no"
    return f"| `{dialect.name}` | {window} | {again} | {STOPS[dialect.emergency]} |"


def test_every_firmware_family_stands_there_as_it_is() -> None:
    """One row each, and none of a family that does not exist."""
    rows = re.findall(r"^\| `[\w.-]+` \| \d[^|:]*\|[^|]*\|[^|]*\|$", PAGE, re.MULTILINE)
    assert sorted(rows) == sorted(map(row, DIALECTS))


def test_every_setting_of_the_serial_line_stands_there() -> None:
    """By its name in v1."""
    assert set(re.findall(r"`serial\.(\w+)`", PAGE)) == set(SerialBody.model_fields)
    assert all(f"`{script}`" in PAGE for script in SCRIPTS)


def test_the_rates_and_limits_are_those_of_the_code() -> None:
    """In the order in which they are tried."""
    assert f"then {', '.join(map(str, BAUD_RATES))})" in PAGE
    assert f"a command of more than {MAX_COMMAND_BYTES} bytes" in PAGE
