"""Cloud functions: what their tick does by itself, how they start, and what they cannot do."""

import asyncio
import inspect
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from api.alerts.kinds import AlertType
from api.alerts.preference_models import HeldAlert
from api.alerts.preferences import Wish
from api.app import Application
from api.config import SettingError, Settings
from api.events.models import Event
from api.events.service import Happened
from api.function import (
    MAX_ANSWER_BYTES,
    PRUNE_MINUTES,
    SWEEP_MINUTE,
    Process,
    fitting,
    usable,
)
from api.mail.models import Letter
from api.migrate import migrate
from api.outreach import Outreach
from api.webhooks.models import Delivery
from api.webhooks.service import ALL, NewWebhook
from tests.api.conftest import FakeClock


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    """A process after its cold start, on a database of its own."""
    yield from _started(tmp_path, events_keep=100)


def _started(tmp_path: Path, **given: Any) -> Iterator[Process]:
    url = f"sqlite://{tmp_path / 'farm.sqlite3'}?busy_timeout=5000&synchronous=OFF"
    settings = Settings(data_dir=tmp_path, database_url=url, **given)
    asyncio.run(migrate(settings))
    process = Process(settings)
    yield process
    process.loop.run_until_complete(process.application.shutdown())
    process.loop.close()
    asyncio.set_event_loop(None)


def at_minute(process: Process, clock: FakeClock, minute: int) -> None:
    """Let it be *minute* past the hour."""
    moved = timedelta(minutes=(minute - clock.now().minute) % 60)
    clock.advance(moved.total_seconds())
    process.application.clock = clock


async def _many_events(application: Application) -> None:
    async with application.rooms.ledger.change(1) as change:
        for number in range(150):
            change.record(Happened(organization_id=1, kind=f"e{number}"))


def test_old_events_go_every_ten_minutes(process: Process, clock: FakeClock) -> None:
    """Not more often: between the tens everything stays."""
    process.run(_many_events(process.application))
    at_minute(process, clock, PRUNE_MINUTES + 1)
    assert process.run(process.tick()) == {"failed": []}
    assert process.run(_count()) == 150
    at_minute(process, clock, 2 * PRUNE_MINUTES)
    assert process.run(process.tick()) == {"failed": []}
    assert process.run(_count()) == 100


async def _count() -> int:
    return await Event.filter(kind__startswith="e").count()


@pytest.fixture
def talkative(tmp_path: Path) -> Iterator[Process]:
    """A process that sends mail and calls webhooks, to where nobody listens."""
    yield from _started(
        tmp_path,
        public_url="https://farm.example.org",
        smtp_host="127.0.0.1",
        smtp_port=1,
        smtp_from="farm@example.org",
        smtp_security="none",
        webhook_networks="127.0.0.0/8",
    )


async def _unheard(application: Application) -> None:
    """An admin who wants to be mailed, a webhook, and a room that goes away."""
    accounts, outreach = application.rooms.accounts, application.outreach
    by = (await accounts.setup("admin", "admin@example.org", "Correct-horse-7", "test")).principal
    wish = Wish(alert_type=AlertType.BRIDGE_OFFLINE, email=True)
    await outreach.preferences.set(by, [wish])
    url = "http://127.0.0.1:1/hook"
    new = NewWebhook(name="Hook", url=url, webhook_type="generic", alert_types=[ALL])
    await outreach.webhooks.create(by, new)
    async with application.rooms.ledger.change(1) as change:
        change.record(Happened(1, "bridge.offline", data={"name": "Cellar"}))


async def _outgoing() -> list[tuple[str, int]]:
    """(kind or state, tries) of every mail and of what webhooks are told."""
    assert not await HeldAlert.exists()
    mails = [(row.kind, row.tries) for row in await Letter.all()]
    return mails + [(row.state, row.tries) for row in await Delivery.all()]


def test_the_tick_tells_people_outside(talkative: Process) -> None:
    """Mails about alerts are written and tried, webhooks called, at the first tick, once each."""
    talkative.run(_unheard(talkative.application))
    assert talkative.run(talkative.tick()) == {"failed": []}
    assert talkative.run(_outgoing()) == [("alerts", 1), ("waiting", 1)]
    assert talkative.run(talkative.tick()) == {"failed": []}
    assert [name for name, _ in talkative.run(_outgoing())] == ["alerts", "waiting"]


def test_the_storage_is_swept_once_an_hour(
    process: Process, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By whichever process has that minute's tick; each may live for one event only."""
    swept: list[datetime] = []

    async def sweep(now: datetime) -> int:
        swept.append(now)
        return 1

    monkeypatch.setattr(process.application.rooms.storage, "sweep", sweep)
    at_minute(process, clock, SWEEP_MINUTE - 1)
    assert process.run(process.tick()) == {"failed": []}
    assert swept == []
    at_minute(process, clock, SWEEP_MINUTE)
    assert process.run(process.tick()) == {"failed": []}
    assert swept == [clock.now()]


def test_one_step_that_fails_keeps_nobody_else_from_being_done(
    process: Process, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer names it, so that a schedule's alarm can."""
    done: list[str] = []

    async def broken() -> None:
        raise OSError("away")

    async def samples() -> None:
        done.append("samples")

    monkeypatch.setattr(process.application.rooms.scheduler, "step", broken)
    monkeypatch.setattr(process.application.rooms.telemetry, "step", samples)
    at_minute(process, clock, 1)
    assert process.run(process.tick()) == {"failed": ["expire commands and run the queue"]}
    assert done == ["samples"]


ABROAD = Settings(
    database_url="postgresql://gantry:kd83hf0s83hfks@db/gantry",
    storage_url="s3://bucket/files",
    secret_key="k83hf0s83hfks9f8h3kfh38fh38fh3kf8",
    setup_token="0123456789abcdef-random",
    gateway_url="https://rooms.example/farm",
    link_url="wss://rooms.example/farm",
)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("database_url", ""),
        ("database_url", "sqlite:///tmp/farm.sqlite3"),
        ("storage_url", ""),
        ("storage_url", "file:///tmp/files"),
        ("storage_url", "s3://bucket/files?direct=no"),
        ("storage_url", "s3://bucket/files?endpoint=http://store.example"),
        ("secret_key", ""),
        ("setup_token", ""),
        ("gateway_url", ""),
        ("link_url", ""),
        ("beat_s", 600.0),  # the gateway would end every quiet link (R53)
    ],
)
def test_settings_that_functions_cannot_live_by_are_named(name: str, value: Any) -> None:
    """Before the first event: otherwise rows, files or sessions would be lost with a process."""
    assert usable(ABROAD) == ABROAD
    with pytest.raises(SettingError, match=rf"\nGANTRY_{name.upper()}: [^\n]*$"):
        usable(replace(ABROAD, **{name: value}))


def test_production_is_the_same_for_functions() -> None:
    """What a container refuses there, they refuse too, all of it at once."""
    with pytest.raises(SettingError) as refused:
        usable(replace(ABROAD, production=True, setup_token="changeme"))
    said = str(refused.value)
    assert "GANTRY_PUBLIC_URL" in said and "GANTRY_SETUP_TOKEN" in said and "changeme" not in said


def test_a_cold_start_with_wrong_settings_ends_with_their_names(tmp_path: Path) -> None:
    """In the log of the cloud, where people look, and not at the first request."""
    cloud = {"AWS_LAMBDA_FUNCTION_NAME": "gantry", "GANTRY_DATA_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", "import api.function"],
        env={**os.environ, **cloud},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "GANTRY_DATABASE_URL: functions need PostgreSQL" in done.stderr
    assert "GANTRY_STORAGE_URL" in done.stderr


def test_an_answer_that_no_function_may_give_says_what_to_ask_for() -> None:
    """413 and a way out, where the runtime would make a failure of it; what fits passes."""
    answer = {"statusCode": 200, "headers": {}, "isBase64Encoded": False}
    for body in ("", "x" * (MAX_ANSWER_BYTES - 2)):
        fits = {**answer, "body": body}
        assert fitting(fits) is fits
    for body in ("x" * MAX_ANSWER_BYTES, '"' * (MAX_ANSWER_BYTES // 2)):
        told = fitting({**answer, "body": body})
        assert told["statusCode"] == 413
        error = json.loads(told["body"])["error"]
        assert error["code"] == "too_large" and "Range" in error["detail"]


#: What a container does by itself, and the step of the tick that does it in its place. Without
#: one: sockets and replicas are rows here, whoever wakes somebody also runs the errand, and how a
#: call with a key ended, which a process could not write down, it writes at its next such call.
STEPS = {
    "rooms.scheduler": "expire commands and run the queue",
    "rooms.telemetry": "write samples",
    "rooms.feed": "forget old events",
    "rooms.analyst": "analyse a file",
    "rooms.accounts.post": "send mail",
    "rooms.maintenance.overdue": "look for overdue maintenance",
    "self.digests": "write mails about alerts",
    "self.reports": "write reports",
    "self.webhooks.courier": "tell webhooks",
    "self.push.courier": "push",
    "self.outreach": None,
    "rooms.sockets": None,
    "rooms.bridges.replicas": None,
    "self.idempotent.endings": None,
}


def _running(*methods: Any) -> set[str]:
    """Whose `run` is called in *methods*."""
    sources = "".join(inspect.getsource(method) for method in methods)
    return set(re.findall(r"\b((?:rooms|self)[\w.]*)\.run\(", sources))


def test_whatever_runs_by_itself_in_a_container_is_a_step_of_the_tick(
    process: Process, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new thing that runs needs its step, or a word here why it needs none."""
    asked: set[str] = set()

    async def collect(steps: dict[str, Any]) -> list[str]:
        asked.update(steps)
        return []

    monkeypatch.setattr("api.function.all_of", collect)
    for minute in (PRUNE_MINUTES, SWEEP_MINUTE):
        at_minute(process, clock, minute)
        assert process.run(process.tick()) == {"failed": []}
    assert _running(Application._begin, Outreach.run) == STEPS.keys()
    assert asked >= {step for step in STEPS.values() if step is not None}
    assert asked >= {"forget what is old", "sweep the storage"}


_READS_NO_SOURCE = """
import gc, inspect, re, sys
compiled = re.compile
def no_more(source, *given, **more):
    raise SystemExit("a source is read")
inspect.getsourcelines = no_more
import api.function
assert gc.isenabled() and gc.get_freeze_count() > 100_000
assert re.compile is compiled
from tortoise.validators import DomainNameValidator, EmailValidator
DomainNameValidator()("farm.example.org")
EmailValidator()("a@farm.example.org")
"""


def test_a_cold_start_reads_no_source_and_leaves_no_garbage_to_look_for() -> None:
    """Both would be a tenth of it each; afterwards everything is as ever, validators too."""
    command = [sys.executable, "-c", _READS_NO_SOURCE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
