"""Why nothing may be answering, for a person (serial 1)."""

from bridge.gcode.greeting import GARBAGE_BYTES
from bridge.gcode.printer import Printer
from bridge.serial.port import SerialPort


def why_silent(printer: Printer, port: SerialPort | None, *, was_halted: bool) -> str:
    """What to look at when *printer* has not answered on *port*; *was_halted*: by a stop before."""
    rate = printer.config.baud
    name = port.device if port is not None else "the port"
    if was_halted:
        return (
            f"nothing on {name} answers: a firmware that was stopped stays silent until its "
            "board is reset; press its reset button or switch it off and on"
        )
    if port is not None and not port.link.real_baud and not rate:
        return f"nothing on {name} answers; check the power and the cable"
    where = f"at {rate} baud" if rate else "at any baud rate"
    if rate and printer.link.reader.garbage > GARBAGE_BYTES:
        return f"what {name} sends {where} is no text; is the baud rate right?"
    return f"nothing on {name} answers {where}; check the power, the cable and the baud rate"
