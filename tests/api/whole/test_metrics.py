"""Prometheus' text and request ids, on the whole API."""

import io
import logging

import orjson
import pytest
import structlog
from prometheus_client.parser import text_string_to_metric_families

from api.logs import JsonLines, blanked
from tests.api.whole.conftest import Whole

pytestmark = pytest.mark.asyncio(loop_scope="session")

CANARY = "s3cr3t-c4n4ry-value"


async def test_metrics_are_prometheus_text_of_the_callers_farm(whole: Whole) -> None:
    """The names of the contract; only the caller's printers; what this process answered."""
    made = await whole.ask("operator", "POST", "/api/v1/orders", json={"customer_name": "Ann"})
    assert made.status_code == 200, made.text
    answer = await whole.ask("viewer", "GET", "/api/v1/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    totals = {name: families[name].samples[0].value for name in families if "printers_" in name}
    assert totals["odin_printers_total"] >= totals["odin_printers_online"] >= 0
    assert totals["odin_printers_total"] == len(families["odin_printer_print_count"].samples)
    assert {"odin_queue_depth", "odin_jobs_by_status", "odin_printer_progress"} <= set(families)
    assert families["gantry_http_requests"].samples
    assert (families["odin_spools_total"].samples[0].value) >= 1
    assert families["odin_spools_low"].samples[0].value >= 0
    assert families["odin_alerts_unread"].samples[0].value >= 0
    [sample, *_] = families["odin_printer_print_hours"].samples
    assert (families["odin_printer_print_hours"].type, sample.name) == (
        *("counter", "odin_printer_print_hours_total"),
    )
    assert set(sample.labels) == {"printer", "printer_id"}  # what published dashboards group by
    orders = {
        each.labels["status"]: each.value for each in families["odin_orders_by_status"].samples
    }
    assert orders["pending"] >= 1
    foreign = await whole.ask("foreigner", "GET", "/api/v1/metrics")
    assert "odin_printers_total 0.0" in foreign.text
    assert "odin_spools_total 0.0" in foreign.text


async def test_every_answer_names_its_request(whole: Whole) -> None:
    """A proxy's id is kept when it is a plain one; anything else is replaced."""
    answer = await whole.ask("viewer", "GET", "/api/v1/printers")
    assert len(answer.headers["x-request-id"]) == 26
    mine = {"X-Request-ID": "from-the-proxy-1"}
    kept = await whole.ask("viewer", "GET", "/api/v1/printers", headers=mine)
    assert kept.headers["x-request-id"] == "from-the-proxy-1"
    for odd in ("x", "a b c d e f g", "x" * 65, "<script>alert</script>"):
        other = await whole.ask("viewer", "GET", "/health", headers={"X-Request-ID": odd})
        assert other.headers["x-request-id"] != odd


async def test_a_line_carries_the_request_and_the_command() -> None:
    """So that one can be followed through the logs of all processes."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    log = logging.getLogger("gantry.test-of-lines")
    log.propagate = False
    log.addHandler(handler)
    try:
        with structlog.contextvars.bound_contextvars(request="01REQUEST"):
            log.warning("it is done", extra={"command": "01COMMAND", "colour": "red"})
    finally:
        log.removeHandler(handler)
    line = orjson.loads(stream.getvalue())
    assert (line["request"], line["command"]) == ("01REQUEST", "01COMMAND")
    assert "colour" not in line


@pytest.mark.parametrize(
    "text",
    [
        f"GET /api/version?apikey={CANARY} failed",
        f"GET /ws?token={CANARY}&since=3",
        f"Authorization: Bearer {CANARY}",
        f"X-Api-Key: {CANARY}",
        f"cannot open postgresql://gantry:{CANARY}@db/x",
        f"redis://:{CANARY}@bus/0 is away",
        "https://b.s3.amazonaws.com/k?X-Amz-Signature=c0ffee00c0ffee00&X-Amz-Expires=900",
        f"token odin_{CANARY}",
        "session eyJ0eXAiOiJKV1Qi.eyJzdWIiOiJh.c2lnbmF0dXJl ended",
    ],
)
async def test_secrets_are_blanked_wherever_they_stand(text: str) -> None:
    """In URLs, headers and texts of exceptions (safety S44)."""
    clean = blanked(text)
    assert "[secret]" in clean
    assert CANARY not in clean and "c0ffee" not in clean and "eyJzdWIi" not in clean
