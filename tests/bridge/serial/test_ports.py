"""Names of ports, and what kind of link is behind them."""

import os
import pty
from pathlib import Path

import pytest
from serial.tools.list_ports_common import ListPortInfo

from bridge.serial.links import NATIVE_USB, PTY, UART, existing_devices, link_of
from bridge.serial.ports import device_of, identify, path_port


def usb(device: str, serial_number: str | None, location: str) -> ListPortInfo:
    """A USB port as pyserial reports it."""
    info = ListPortInfo(device, skip_link_detection=True)
    info.vid, info.pid = 0x1A86, 0x7523
    info.serial_number, info.location = serial_number, location
    info.manufacturer, info.product = "QinHeng", "CH340"
    return info


def test_a_port_is_named_by_its_serial_number() -> None:
    """serial 12/#42: the name survives another device node."""
    before = identify([usb("/dev/ttyUSB0", "A1", "1-1")])
    after = identify([usb("/dev/ttyUSB3", "A1", "1-2")])
    assert before[0].port_id == after[0].port_id == "usb:1a86:7523:A1"
    assert device_of("usb:1a86:7523:A1", after) == "/dev/ttyUSB3"
    assert after[0].description == "QinHeng CH340"


@pytest.mark.parametrize("number", [None, "SAME"])
def test_boards_that_cannot_be_told_apart_go_by_their_socket(number: str | None) -> None:
    """safety M18: clones with one serial number, or none, are named by where they are plugged."""
    found = [usb("/dev/ttyUSB0", number, "1-1"), usb("/dev/ttyUSB1", number, "1-2")]
    swapped = [usb("/dev/ttyUSB1", number, "1-1"), usb("/dev/ttyUSB0", number, "1-2")]
    assert [port.port_id for port in identify(found)] == ["usb-path:1-1", "usb-path:1-2"]
    assert device_of("usb-path:1-1", identify(swapped)) == "/dev/ttyUSB1"
    assert identify(found)[0].serial_id == (number and "usb:1a86:7523:SAME")


def test_ports_without_usb_are_not_printers() -> None:
    """A PC's own serial ports are only used when somebody names their path."""
    assert identify([ListPortInfo("/dev/ttyS0", skip_link_detection=True)]) == []


def test_a_path_names_a_port_while_it_exists(tmp_path: Path) -> None:
    """`path:` ports need no listing."""
    (tmp_path / "printer").touch()
    port = path_port(str(tmp_path / "printer"))
    assert device_of(port.port_id, []) == port.device
    assert device_of("path:/nowhere", []) is None
    assert device_of("usb:1:2:3", [port]) is None


def test_devices_that_exist_are_listed_for_people(tmp_path: Path) -> None:
    """A link by id is the device that it leads to."""
    (tmp_path / "ttyUSB0").touch()
    (tmp_path / "serial" / "by-id").mkdir(parents=True)
    (tmp_path / "serial" / "by-id" / "usb-x").symlink_to(tmp_path / "ttyUSB0")
    assert existing_devices(tmp_path) == [str(tmp_path / "ttyUSB0")]


def test_a_pty_is_flow_controlled() -> None:
    """No byte is lost on it, opening it resets nothing, its baud rate means nothing."""
    master, slave = pty.openpty()
    assert link_of(os.ttyname(slave)) == PTY
    os.close(master)
    os.close(slave)


@pytest.mark.parametrize(
    ("name", "vendor", "product", "lossless"),
    [
        ("ttyACM0", "0483", "5740", True),
        ("ttyACM0", "2c99", "000d", True),
        ("ttyACM0", "2c99", "0002", False),
        ("ttyACM0", "2341", "0042", False),
        ("ttyUSB0", "1a86", "7523", False),
    ],
)
def test_native_usb_is_told_from_a_bridge(
    tmp_path: Path, name: str, vendor: str, product: str, lossless: bool
) -> None:
    """serial 1: a Mega's ttyACM is an ATmega16U2 in front of a UART, an STM32's is not."""
    device = tmp_path / name
    device.touch()
    usb_dir = tmp_path / "usb"
    (usb_dir / "interface").mkdir(parents=True)
    (usb_dir / "idVendor").write_text(vendor)
    (usb_dir / "idProduct").write_text(product)
    tty = tmp_path / "class" / "tty" / name
    tty.mkdir(parents=True)
    (tty / "device").symlink_to(usb_dir / "interface")
    assert link_of(str(device), tmp_path) == (NATIVE_USB if lossless else UART)


def test_what_is_not_known_counts_as_a_uart(tmp_path: Path) -> None:
    """The careful answer."""
    assert link_of(str(tmp_path / "gone"), tmp_path) == UART
