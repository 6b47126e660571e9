"""`virtual://` addresses."""

import pytest

from bridge.simulator.__main__ import _parser
from bridge.simulator.profile import HeaterFault
from bridge.simulator.virtual import VirtualAddressError, VirtualPrinter, parse


def test_plain_name() -> None:
    """A name alone has the defaults."""
    assert parse("virtual://left") == VirtualPrinter("left")


def test_all_parameters() -> None:
    """Numbers, switches and fault lists are read."""
    printer = parse(
        "virtual://left-1?speed=20&hotends=2&max_nozzle=300&max_bed=100&rx_size=256&boot_delay=1.5"
        "&advanced_ok=1&reset_on_open&faults=flip=0.0002,heater_fail=e1&seed=7&log=/tmp/a.log"
    )
    assert printer == VirtualPrinter(
        "left-1",
        speed=20,
        hotends=2,
        max_nozzle=300,
        max_bed=100,
        rx_size=256,
        boot_delay=1.5,
        advanced_ok=True,
        reset_on_open=True,
        faults="flip=0.0002,heater_fail=e1",
        seed=7,
        log="/tmp/a.log",
    )
    assert printer.planned_faults().seed == 7
    assert printer.profile().heater_faults == {"e1": HeaterFault.NO_HEAT}


@pytest.mark.parametrize(
    ("address", "parameter"),
    [
        ("serial:///dev/ttyUSB0", "address"),
        ("virtual://a/b", "address"),
        ("virtual://[", "address"),
        ("virtual://", "name"),
        ("virtual://a b", "name"),
        ("virtual://..", "name"),
        ("virtual://a?speed=fast", "speed"),
        ("virtual://a?speed=-1", "speed"),
        ("virtual://a?speed=nan", "speed"),
        ("virtual://a?speed=inf", "speed"),
        ("virtual://a?hotends=0", "hotends"),
        ("virtual://a?hotends=1.5", "hotends"),
        ("virtual://a?advanced_ok=perhaps", "advanced_ok"),
        ("virtual://a?faults=flip=3", "faults"),
        ("virtual://a?colour=red", "colour"),
        ("virtual://a?speed=1&speed=2", "speed"),
    ],
)
def test_bad_address_names_the_parameter(address: str, parameter: str) -> None:
    """The error says what to correct."""
    with pytest.raises(VirtualAddressError) as caught:
        parse(address)
    assert caught.value.parameter == parameter


def test_arguments_are_what_the_command_line_reads() -> None:
    """An address turned into arguments and read again is the same printer."""
    printer = parse("virtual://a?speed=0&advanced_ok=1&faults=seed=3,flip=0.1&log=-odd&seed=9")
    arguments = printer.arguments("/tmp/link")
    assert arguments[:2] == ["-m", "bridge.simulator"]
    options = vars(_parser().parse_args(arguments[2:]))
    assert options.pop("link") == "/tmp/link"
    assert options.pop("ready_fd") is None
    assert VirtualPrinter(**options) == printer


def test_a_firmware_family_is_chosen_by_its_name() -> None:
    """In the address, on the command line, in the profile; an unknown one names those there are."""
    printer = parse("virtual://p?firmware=mk3")
    assert "--firmware=mk3" in printer.arguments("/tmp/p")
    assert printer.profile().family.identity is not None
    with pytest.raises(VirtualAddressError, match="known are marlin, "):
        parse("virtual://p?firmware=grbl")
