"""One open port: exclusive, raw, non-blocking (serial 1). Bytes move on its descriptor.

The descriptor is for the owner's poll loop. HUPCL is off, so that the death of this process does
not drop DTR and reset a printing board; opening it again then raises no edge either. What can be
done about latency is done: the kernel hands bytes over at once and an FTDI chip is asked to.
"""

import errno
import fcntl
import grp
import os
import termios
import time
from pathlib import Path

import serial

from bridge.errors import PortError, PortProblem
from bridge.serial.links import Link, existing_devices, latency_timer, link_of

#: Tried in this order when the baud rate is not known, after the one that worked last.
BAUD_RATES = (115200, 250000, 230400, 57600, 500000, 1000000, 38400, 19200, 9600)
_READ_BYTES = 64 * 1024
#: How long DTR is low to reset a board.
RESET_PULSE_S = 0.1


class SerialPort:
    """An open port."""

    def __init__(self, device: str, baud: int, *, reset: bool = False) -> None:
        """Open *device*; *reset*: let DTR fall for a moment, which resets most boards.

        Raises `PortError` and leaves nothing open.
        """
        self.device = device
        self.baud = baud
        _check(device)
        self.link: Link = link_of(device)
        try:
            self._serial = serial.Serial(device, baud, timeout=0, exclusive=True)
        except (serial.SerialException, ValueError, OSError) as error:
            raise _explain(device, baud, error) from None
        self.fd: int = self._serial.fileno()
        self._make_raw()
        if not self.link.pty:  # which would keep the mark while its other end lives
            fcntl.ioctl(self.fd, termios.TIOCEXCL)
        self._hurry()
        if reset:
            self._pulse_dtr()

    def read(self) -> bytes:
        """What has arrived, blank for nothing. Raises `PortError` when the port is gone."""
        try:
            data = os.read(self.fd, _READ_BYTES)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise self._lost(error) from None
        if not data:
            raise self._lost(None)
        return data

    def write(self, data: bytes) -> int:
        """Write what the port takes now; how many bytes. Raises `PortError` when it is gone."""
        try:
            return os.write(self.fd, data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise self._lost(error) from None

    def discard_output(self) -> None:
        """Drop what the kernel has not sent yet, for a stop that must not wait."""
        try:
            termios.tcflush(self.fd, termios.TCOFLUSH)
        except termios.error as error:
            raise self._lost(OSError(*error.args)) from None

    def set_baud(self, baud: int) -> None:
        """Change the baud rate without closing. Raises `PortError` when the port cannot."""
        try:
            self._serial.baudrate = baud
        except (serial.SerialException, ValueError, OSError) as error:
            raise _explain(self.device, baud, error) from None
        self.baud = baud
        self._make_raw()

    def close(self) -> None:
        """Close; a port that is gone already is closed too."""
        try:
            self._serial.close()
        except (serial.SerialException, OSError, termios.error):
            pass

    def _hurry(self) -> None:
        try:
            self._serial.set_low_latency_mode(True)
        except (ValueError, OSError):
            pass  # a pty and some drivers have no such flag
        timer = latency_timer(self.device)
        if timer is not None:
            try:
                timer.write_text("1", "ascii")
            except OSError:
                pass  # needs a udev rule; `bridge doctor` says so

    def _pulse_dtr(self) -> None:
        try:
            self._serial.dtr = False
            time.sleep(RESET_PULSE_S)
            self._serial.dtr = True
        except OSError:
            pass  # a pty has no such line

    def _make_raw(self) -> None:
        try:
            attributes = termios.tcgetattr(self.fd)
            attributes[0] &= ~(termios.IXON | termios.IXOFF | termios.ICRNL | termios.ISTRIP)
            attributes[2] &= ~termios.HUPCL
            attributes[6][termios.VMIN] = 1  # so that no data and no port are different answers
            attributes[6][termios.VTIME] = 0
            termios.tcsetattr(self.fd, termios.TCSANOW, attributes)
        except termios.error as error:
            self.close()
            raise _explain(self.device, self.baud, OSError(*error.args)) from None

    def _lost(self, error: OSError | None) -> PortError:
        why = f" ({error.strerror})" if error is not None and error.strerror else ""
        return PortError(
            self.device, PortProblem.LOST, f"{self.device} was unplugged or its device died{why}"
        )


def _check(device: str) -> None:
    try:
        is_port = Path(device).is_char_device()
    except OSError:
        is_port = True  # opening it will say why
    if not Path(device).exists():
        raise _explain(device, 0, OSError(errno.ENOENT, "missing"))
    if not is_port:
        raise PortError(device, PortProblem.NOT_A_PORT, f"{device} is no serial port")


def _explain(device: str, baud: int, error: Exception) -> PortError:
    number = getattr(error, "errno", None)
    if number in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        there = ", ".join(existing_devices()) or "none"
        return PortError(
            device,
            PortProblem.MISSING,
            f"there is no port {device}; ports that exist: {there}",
        )
    if number in (errno.EACCES, errno.EPERM):
        return PortError(
            device,
            PortProblem.FORBIDDEN,
            f"no permission to open {device}; it belongs to group {_group(device)}: add this user "
            f"to it (usermod -aG {_group(device)} USER) and log in again",
        )
    if number in (errno.EBUSY, errno.EAGAIN):
        return PortError(
            device,
            PortProblem.BUSY,
            f"{device} is in use by another program or another printer; close that first",
        )
    if isinstance(error, ValueError):
        return PortError(device, PortProblem.BAUD, f"{device} cannot do {baud} baud")
    if "Could not configure port" in str(error):  # pyserial's word for what is no terminal
        return PortError(device, PortProblem.NOT_A_PORT, f"{device} is no serial port")
    return PortError(device, PortProblem.NOT_A_PORT, f"{device} cannot be used: {error}")


def _group(device: str) -> str:
    try:
        return grp.getgrgid(Path(device).stat().st_gid).gr_name
    except (OSError, KeyError):
        return "dialout"
