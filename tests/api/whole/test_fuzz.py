"""Schemathesis over the served specification: no 500, and nothing that it does not promise.

Asked by the admin of an organization of its own, so that what is made here is nobody else's.
"""

import asyncio
from contextlib import suppress
from typing import Any

import httpx
import pytest
import pytest_asyncio
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core.result import Ok

from api.accounts.models import Organization
from api.clock import SystemClock
from api.principal import Role
from tests.api.whole.conftest import Whole, person
from tests.api.whole.test_spec import held

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(500),  # other work on the same cores makes it several times as long
    pytest.mark.flow,  # half a minute: too long for the rooms
]

EXAMPLES = 4  # of each kind for each route; a seed, so that a failure stays one
SEED = 20261121
#: These would end the session of the one who asks, or wait for what no printer here does.
LEFT_OUT = {("POST", "/auth/logout")}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def fuzzer(farm_with_all: Whole) -> Whole:
    farm_with_all.application.database.__enter__()
    own = await Organization.create(name="Fuzzed", created_at=SystemClock().now())
    admin = await person(own.id, Role.ADMIN)
    accounts = farm_with_all.application.rooms.accounts
    _, farm_with_all.secrets["fuzzer"] = await accounts.create_token(admin, "fuzzer", [], None)
    return farm_with_all


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
async def test_no_500_and_nothing_undocumented(fuzzer: Whole, mode: GenerationMode) -> None:
    """What fits the document and what does not: every answer is one that it promises."""
    spec = (await fuzzer.ask("nobody", "GET", "/openapi.json")).json()
    schema = schemathesis.openapi.from_dict(spec)
    loop = asyncio.get_running_loop()

    def ask(case: Any) -> httpx.Response:
        answering = asyncio.run_coroutine_threadsafe(asked(fuzzer, case), loop)
        return answering.result(30.0)

    def all_routes() -> None:
        for found in schema.get_all_operations():
            assert isinstance(found, Ok), found
            operation = found.ok()
            method, path = operation.method.upper(), operation.path
            if (method, path) not in LEFT_OUT:
                fuzz(operation.as_strategy(generation_mode=mode), method, path)

    def fuzz(strategy: Any, method: str, path: str) -> None:
        @seed(SEED)
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(strategy)
        def one_route(case: Any) -> None:
            answer = ask(case)
            assert answer.status_code != 500, (method, path, case.body, case.query, answer.text)
            if answer.status_code != 405:  # an id that is no id may be another route's word
                held(spec, method, path, answer)

        with suppress(Unsatisfiable):  # a route that takes nothing cannot be asked wrongly
            one_route()

    await asyncio.to_thread(all_routes)


async def asked(whole: Whole, case: Any) -> httpx.Response:
    """The answer to a generated request, with a credential that is right."""
    given = case.as_transport_kwargs(base_url="http://farm.local:5000/api/v1")
    given.pop("verify", None)
    sent = requests.Request(**given).prepare()
    headers = {
        name: value
        for name, value in sent.headers.items()
        if name.lower() not in ("authorization", "x-api-key", "cookie", "user-agent")
    }
    body = sent.body or b""
    assert sent.method is not None and sent.url is not None
    return await whole.ask("fuzzer", sent.method, sent.url, headers=headers, content=body)
