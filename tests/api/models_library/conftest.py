"""Fixtures of the library: an app with login and library routes, and a stand-in for the jobs."""

from collections.abc import Mapping, Sequence

import pytest
from quart import Quart, Response
from quart.typing import TestClientProtocol as Client
from werkzeug.exceptions import HTTPException

from api.accounts.service import Accounts
from api.clock import Clock
from api.config import Settings
from api.events.service import Ledger
from api.files.service import Files
from api.http import MAX_BODY_BYTES
from api.models_library.routes import LibraryRoutes
from api.models_library.service import FileJob, Library
from api.storage import open_storage
from api.v1 import V1, http_answer
from tests.api.accounts.conftest import PASSWORD, cheap_passwords


class KnownJobs:
    """The jobs that the tests say there are."""

    def __init__(self) -> None:
        self.of_file: dict[int, FileJob] = {}

    async def jobs_of_files(
        self, organization_id: int, file_ids: Sequence[int]
    ) -> Mapping[int, FileJob]:
        return {file_id: self.of_file[file_id] for file_id in file_ids if file_id in self.of_file}


@pytest.fixture
def files(ledger: Ledger, clock: Clock, settings: Settings) -> Files:
    return Files(open_storage(settings), ledger, clock, settings)


@pytest.fixture
def jobs() -> KnownJobs:
    return KnownJobs()


@pytest.fixture
def library(files: Files, ledger: Ledger, clock: Clock, jobs: KnownJobs) -> Library:
    library = Library(files, ledger, clock)
    library.ask_jobs(jobs)
    return library


@pytest.fixture
def accounts(ledger: Ledger, clock: Clock, settings: Settings) -> Accounts:
    return Accounts(ledger, clock, settings, cheap_passwords())


@pytest.fixture
def client(accounts: Accounts, library: Library, files: Files, settings: Settings) -> Client:
    quart = Quart("test", static_folder=None)
    quart.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    LibraryRoutes(library, files, settings).register(V1(quart, accounts))

    @quart.errorhandler(HTTPException)
    async def refused(error: HTTPException) -> Response:
        return http_answer(error)

    return quart.test_client(use_cookies=False)


@pytest.fixture
async def headers(accounts: Accounts) -> dict[str, str]:
    login = await accounts.setup("admin", "a@b", PASSWORD, "")
    return {"Authorization": f"Bearer {login.token}"}
