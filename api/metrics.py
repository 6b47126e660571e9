"""``GET /metrics``: the caller's farm and this process in Prometheus' text (v1 contract, 2.11).

The farm's numbers are counted from its rows when they are asked for, and only those of the
caller's organization. Labels are names and states, never secrets, addresses or paths.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any, Protocol

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from quart import Response

from api.clock import Clock
from api.describe import Doc
from api.principal import Principal
from api.printers.service import Printer
from api.printers.view import Picture, state_now
from api.v1 import V1, caller
from schemas.jobs import JOB_WAITING, JobState
from schemas.printer import ACTIVE, PrinterState

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SECONDS = (0.005, 0.02, 0.1, 0.5, 2.0, 10.0)

_METRICS = Doc(
    summary="The farm and this process for Prometheus",
    answer=str,
    right="reports.read",
    media="text/plain",
)


class SpoolCounts(Protocol):
    """How many spools there are."""

    @property
    def total(self) -> int:
        """Not archived."""

    @property
    def low(self) -> int:
        """Nearly used up."""


class FarmCounts(Protocol):
    """The farm in a few numbers."""

    @property
    def printers(self) -> Sequence[Printer]:
        """In display order."""

    @property
    def jobs(self) -> dict[JobState, int]:
        """By state."""

    @property
    def orders(self) -> Mapping[str, int]:
        """By status."""

    @property
    def spools(self) -> SpoolCounts:
        """In the store room."""


class ReportsRoom(Protocol):
    """What the metrics need of the reports."""

    async def counts(self, by: Principal) -> Any:
        """The farm in a few numbers (`FarmCounts`)."""


class TelemetryRoom(Protocol):
    """What the metrics need of telemetry."""

    def peek(self, printer: Any) -> Picture:
        """What can be shown of a printer now; nobody watches it by that."""


class AlertsRoom(Protocol):
    """What the metrics need of the alerts."""

    async def unread_in(self, organization_id: int) -> int:
        """How many alerts nobody has read yet, of everybody."""


class RequestMetrics:
    """What this process has answered."""

    def __init__(self, clock: Clock) -> None:
        self.registry = CollectorRegistry()
        self._clock = clock
        self._requests = Counter(
            "gantry_http_requests",
            "HTTP requests answered by this process",
            ("method", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "gantry_http_request_seconds",
            "Seconds until the answer began",
            buckets=_SECONDS,
            registry=self.registry,
        )

    def watching(self, method: str, send: Send) -> Send:
        """*send*, with the answer's status and time noted."""
        began = self._clock.monotonic()
        method = method if method in _METHODS else "other"

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._requests.labels(method, str(message["status"])).inc()
                self._seconds.observe(self._clock.monotonic() - began)
            await send(message)

        return noted


class MetricsRoutes:
    """The route over everything."""

    def __init__(
        self,
        reports: ReportsRoom,
        telemetry: TelemetryRoom,
        alerts: AlertsRoom,
        requests: RequestMetrics,
    ) -> None:
        self._reports = reports
        self._telemetry = telemetry
        self._alerts = alerts
        self._requests = requests

    def register(self, v1: V1) -> None:
        """Declare the route."""
        v1.add("GET", "/metrics", self.metrics, _METRICS)

    async def metrics(self) -> Response:
        """Everything the caller may see, in Prometheus' text."""
        counts = await self._reports.counts(caller())
        pictures = [self._telemetry.peek(row) for row in counts.printers]
        farm = CollectorRegistry()
        unread = await self._alerts.unread_in(caller().organization_id)
        farm.register(_Farm(counts, pictures, unread))
        text = generate_latest(farm) + generate_latest(self._requests.registry)
        return Response(text, 200, content_type=CONTENT_TYPE)


class _Farm:
    """The farm's numbers as a collector."""

    def __init__(self, counts: FarmCounts, pictures: Sequence[Picture], unread: int) -> None:
        self._counts = counts
        self._unread = unread
        self._printers = counts.printers
        self._pictures = pictures
        self._jobs = counts.jobs

    def collect(self) -> Iterator[Metric]:
        """Every metric of the contract that has a source here."""
        states = [
            state_now(row, online=picture.online, busy=row.active_grant is not None)
            for row, picture in zip(self._printers, self._pictures, strict=True)
        ]
        for name, help_text, many in (
            ("total", "Printers", len(states)),
            ("online", "Printers that can be reached", sum(map(_is_online, states))),
            ("printing", "Printers with a print", sum(state in ACTIVE for state in states)),
            ("idle", "Printers that wait", states.count(PrinterState.OPERATIONAL)),
            ("error", "Printers in trouble", sum(map(_is_in_trouble, states))),
        ):
            yield GaugeMetricFamily(f"odin_printers_{name}", help_text, value=many)
        yield from self._of_printers()
        waiting = sum(many for state, many in self._jobs.items() if state in JOB_WAITING)
        yield GaugeMetricFamily("odin_queue_depth", "Jobs that wait for a printer", value=waiting)
        jobs = GaugeMetricFamily("odin_jobs_by_status", "Jobs", labels=("status",))
        for state, many in sorted(self._jobs.items()):
            jobs.add_metric((state.value,), many)
        yield jobs
        orders = GaugeMetricFamily("odin_orders_by_status", "Orders", labels=("status",))
        for status, many in sorted(self._counts.orders.items()):
            orders.add_metric((str(status),), many)
        yield orders
        spools = self._counts.spools
        yield GaugeMetricFamily("odin_spools_total", "Spools not archived", value=spools.total)
        low = "Spools with less left than their threshold"
        yield GaugeMetricFamily("odin_spools_low", low, value=spools.low)
        yield GaugeMetricFamily("odin_alerts_unread", "Of everybody", value=self._unread)

    def _of_printers(self) -> Iterator[Metric]:
        labels = ("printer_id", "printer")
        nozzle = GaugeMetricFamily(
            "odin_printer_nozzle_temp_celsius", "Of the first nozzle", labels=labels
        )
        bed = GaugeMetricFamily("odin_printer_bed_temp_celsius", "Of the bed", labels=labels)
        progress = GaugeMetricFamily("odin_printer_progress", "Percent", labels=labels)
        hours = CounterMetricFamily("odin_printer_print_hours", "Hours", labels=labels)
        prints = CounterMetricFamily("odin_printer_print_count", "Prints", labels=labels)
        for row, picture in zip(self._printers, self._pictures, strict=True):
            who = (str(row.id), row.name)
            hours.add_metric(who, row.print_seconds / 3600)
            prints.add_metric(who, row.print_count)
            live = picture.live
            if live is None or not picture.online:
                continue
            for metric, heater in ((nozzle, "tool0"), (bed, "bed")):
                if (temperature := live.temps.get(heater)) and temperature.actual_c is not None:
                    metric.add_metric(who, temperature.actual_c)
            if live.progress is not None and live.state in ACTIVE:
                progress.add_metric(who, live.progress.completion)
        yield from (nozzle, bed, progress, hours, prints)


def _is_online(state: PrinterState) -> bool:
    return state is not PrinterState.OFFLINE


def _is_in_trouble(state: PrinterState) -> bool:
    return state in (PrinterState.ERROR, PrinterState.HALTED)
