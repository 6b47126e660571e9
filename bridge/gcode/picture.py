"""The freshest picture of a printer, as its agent and the API get it."""

from bridge.gcode.printer import Printer
from schemas.printer import Live


def picture(printer: Printer, now: float, *, port: str | None, baud: int | None) -> Live:
    """*printer* as it is; *port* and *baud* are those of the open port, None when it is closed."""
    status = printer.link.status
    facts = printer.run.facts if printer.run else None
    return Live(
        printer=printer.config.id,
        state=printer.state,
        grant=facts.grant if facts else None,
        job=facts.job if facts else None,
        file_name=facts.file_name if facts else None,
        temps=dict(status.temperatures),
        temps_age_s=None if status.heard_at is None else round(now - status.heard_at, 1),
        progress=printer.progress(now),
        z_mm=status.z_mm,
        error=printer.error,
        firmware=status.firmware,
        port=port,
        baud=baud,
        resends=printer.link.stream.resends,
        lines_sent=printer.link.stream.out.top,
    )
