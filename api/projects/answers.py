"""What the project routes answer (v1 contract, 2.10)."""

from typing import Literal

from pydantic import Field

from api.archives.answers import ArchiveAnswer
from api.describe import Answer, Instant
from api.projects.forms import ProjectStatus


class ProjectAnswer(Answer):
    """Prints that belong together."""

    id: int
    name: str
    description: str | None
    color: str = Field(description="#RGB, #RRGGBB or #RRGGBBAA")
    status: ProjectStatus
    expected_parts: int | None = Field(description="How many prints it takes, as people say it")
    created_by: int | None
    created_at: Instant
    updated_at: Instant
    org_id: int
    archive_count: int = Field(description="How many prints it has")


class ProjectWhole(ProjectAnswer):
    """A project with its prints."""

    archives: list[ArchiveAnswer] = Field(description="The 500 that ended last")


class ProjectMade(Answer):
    """A new project."""

    id: int
    name: str
    status: Literal["active"]


class ProjectUpdated(Answer):
    """It is kept."""

    status: Literal["updated"]
    id: int


class ProjectPutAway(Answer):
    """It is archived; its prints stay with it."""

    status: Literal["archived"]
    id: int


class Assigned(Answer):
    """So many prints belong to it from now on."""

    assigned: int


class ImportedFile(Answer):
    """A print file of the library."""

    id: int
    filename: str
    model_id: int


class ProjectImported(Answer):
    """A project that came in, and its files."""

    id: int
    name: str
    status: Literal["imported"]
    files: list[ImportedFile]
    skipped: list[str] = Field(description="Names of files that cannot be printed here")
