"""The freshest picture of a printer, as its agent and the API get it."""

from bridge.gcode.printer import Printer
from schemas.printer import CONNECTED, Live

#: More missed reports than this, and what is shown is old (safety M21).
STALE_REPORTS = 3


def picture(printer: Printer, now: float, *, port: str | None, baud: int | None) -> Live:
    """*printer* as it is; *port* and *baud* are those of the open port, None when it is closed."""
    status, run = printer.link.status, printer.run
    facts = run.facts if run else None
    opened = status.card.opened if printer.card_print.active else None
    written = printer.card_write.job
    connected = printer.state in CONNECTED
    modal = printer.modal_now() if connected else None
    age_s = None if status.heard_at is None else round(now - status.heard_at, 1)
    progress = printer.progress(now)
    return Live(
        printer=printer.config.id,
        state=printer.state,
        grant=facts.grant if facts else None,
        job=facts.job if facts else None,
        file_name=next((one.name for one in (opened, written) if one), None)
        if facts is None
        else facts.file_name,
        temps=dict(status.temperatures),
        temps_age_s=age_s,
        temps_stale=age_s is not None and age_s > STALE_REPORTS * printer.link.report_every_s,
        heat_lease_s=printer.lease.left_s(now) if connected else None,
        progress=progress,
        z_mm=run.z_mm if run and run.z_mm is not None else status.z_mm,
        feed_percent=round(modal.feed_percent) if modal else None,
        flow_percent=round(modal.flow_percent) if modal else None,
        fan_percent=_rounded(modal.fan_percent) if modal else None,
        feedrate_mm_s=_mm_s(modal.feedrate_mm_min) if modal else None,
        stop_reach=printer.stop_reach.value if connected else None,
        position_known=printer.position_known,
        prompt=status.prompt if status.prompt_shown else None,
        error=printer.error,
        firmware=status.firmware,
        port=port,
        baud=baud,
        resends=printer.link.stream.resends,
        lines_sent=printer.link.stream.out.top,
        doings=printer.doings.tail,
    )


def _rounded(value: float | None) -> int | None:
    return None if value is None else round(value)


def _mm_s(mm_min: float | None) -> float | None:
    return None if mm_min is None else round(mm_min / 60.0, 1)
