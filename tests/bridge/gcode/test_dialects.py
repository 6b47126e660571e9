"""Which row of the table a firmware gets, by what the families really say (serial 5 and 10)."""

import pytest

from bridge.gcode.dialects import DIALECTS, MARLIN, by_banner, by_firmware, by_name
from bridge.gcode.replies import FirmwareInfo, parse
from schemas.printer import PrinterConfig
from tests.fakes.host import Host

_SAYS = "M117 all done: 2"


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (
            "FIRMWARE_NAME:Marlin bugfix-2.1.x (Oct 13 2024) SOURCE_CODE_URL:x UUID:1-2",
            "marlin",
        ),
        ("FIRMWARE_NAME:Marlin 1.1.9 (Github) SOURCE_CODE_URL:x", "marlin-1.1"),
        ("FIRMWARE_NAME:Marlin V1; Sprinter/grbl mashup for gen6 FIRMWARE_URL:x", "marlin-1.0"),
        ("FIRMWARE_NAME:Sprinter FIRMWARE_URL:http%3A//x PROTOCOL_VERSION:1.0", "sprinter"),
        ("FIRMWARE_NAME:Teacup FIRMWARE_URL:x", "teacup"),
        ("FIRMWARE_NAME:Prusa-Firmware 3.13.3 based on Marlin FIRMWARE_URL:x", "prusa"),
        ("FIRMWARE_NAME:Prusa-Firmware-Buddy 5.1.2 (Github) SOURCE_CODE_URL:x", "prusa-buddy"),
        (
            "FIRMWARE_NAME: RepRapFirmware for Duet 2 WiFi FIRMWARE_VERSION: 3.4 ELECTRONICS: D",
            "reprapfirmware",
        ),
        ("FIRMWARE_NAME:Repetier_1.0.4 COMPILED:x MACHINE_TYPE:Mendel", "repetier"),
        ("FIRMWARE_NAME:Smoothieware, FIRMWARE_URL:http%3A//smoothie, X-SOURCE:y", "smoothie"),
        ("ok FIRMWARE_NAME:Klipper FIRMWARE_VERSION:v0.12", "klipper"),
        ("NAME: Malyan VER: 2.9 MODEL: M200", "malyan"),
        ("NAME. Malyan\tVER: 4.0\tMODEL: M200\tHW: HH02", "malyan"),
        ("ok CBD make it.Date:Jul 22 2019 Time:17:18:49", "chitu"),
        ("FIRMWARE_NAME:Marlin Ultimaker2; Sprinter/grbl mashup for gen6 x", "marlin-1.0"),
        ("FIRMWARE_NAME:something nobody has heard of", "marlin"),
    ],
)
def test_m115_chooses_the_row(line: str, name: str) -> None:
    """In every family's way to write it."""
    (info,) = (reply for reply in parse(line) if isinstance(reply, FirmwareInfo))
    firmware = info.fields.get("FIRMWARE_NAME") or info.fields["NAME"]
    assert by_firmware(firmware).name == name


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("Marlin 2.1.2", "marlin"),
        ("echo:Marlin 1.1.0-RC8", "marlin-1.1"),
        ("Marlin 1.0.2", "marlin-1.0"),
        ("echo:Marlin1.0.0", "marlin-1.0"),
        ("Smoothie", "smoothie"),
        ("// Klipper state: Ready", "klipper"),
        ("Sprinter", "sprinter"),
        ("ok", None),
    ],
)
def test_the_boot_text_chooses_until_m115_does(line: str, name: str | None) -> None:
    """Old firmwares have nothing better to say."""
    dialect = by_banner(line)
    assert (dialect.name if dialect else None) == name


def test_names_are_unique_and_found() -> None:
    """A configuration can name every row."""
    assert len({dialect.name for dialect in DIALECTS}) == len(DIALECTS)
    assert all(by_name(dialect.name) is dialect for dialect in DIALECTS)
    assert by_name("auto") is None


def test_the_configuration_overrides_what_the_firmware_says() -> None:
    """The row, the window and the ring are a person's to choose."""
    config = PrinterConfig(
        id=1, slug="", name="", port_id="", dialect="teacup", window_lines=3, rx_bytes=63
    )
    host = Host(config)
    host.connect()
    dialect = host.printer.link.stream.dialect
    assert (dialect.name, dialect.window, dialect.rx_bytes) == ("teacup", 3, 63)


def test_without_configuration_the_firmware_decides() -> None:
    """M115 of the fake is a Marlin's."""
    host = Host()
    host.connect()
    assert host.printer.link.stream.dialect is MARLIN


def test_what_a_person_or_a_script_says_has_no_colon_where_that_ends_a_line() -> None:
    """Typed, and in the scripts around a print."""
    config = PrinterConfig(
        id=7, slug="f", name="F", port_id="x", dialect="marlin-1.0", scripts={"after_print": _SAYS}
    )
    host = Host(config)
    host.connect()
    host.printer.order(["M117 typed: 1"], "T")
    host.start(b"G1 X1\n")
    host.go()
    executed = host.firmware.executed
    assert b"M117 typed. 1" in executed
    assert b"M117 all done. 2" in executed
