"""What people say about a project, checked (v1 contract, 2.10). Pure but for pydantic."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from api.http import Body, RowId

DEFAULT_COLOR = "#6366f1"
MAX_ASSIGNED = 500

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Description = Annotated[str, StringConstraints(max_length=10_000)]
Color = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, max_length=9, pattern="^#(?:[0-9A-Fa-f]{3}){1,2}$|^#[0-9A-Fa-f]{8}$"
    ),
]
Parts = Annotated[int, Field(ge=1, le=1_000_000)]


class ProjectStatus(StrEnum):
    """Where a project stands; a deleted one is archived."""

    ACTIVE = "active"
    COMPLETED = "completed"
    ARCHIVED = "archived"


class ProjectAbout(Body):
    """What a project is; also of ``project.json`` in a file that is taken in."""

    name: Name
    description: Description | None = None
    color: Color = DEFAULT_COLOR
    expected_parts: Parts | None = Field(None, description="How many prints it takes")

    def values(self) -> dict[str, Any]:
        """The columns."""
        return self.model_dump(include={*ProjectAbout.model_fields})


class ProjectBody(ProjectAbout):
    """``POST /projects``."""

    org_id: RowId | None = Field(None, description="The own organization: projects stay in it")


class ProjectUpdateBody(Body):
    """``PUT /projects/{id}``: what is left out stays as it is."""

    name: Name | None = Field(None, description="null: it stays")
    description: Description | None = Field(None, description="null: none any more")
    color: Color | None = Field(None, description="null: it stays")
    status: ProjectStatus | None = Field(None, description="null: it stays")
    expected_parts: Parts | None = Field(None, description="null: nobody says any more")

    def values(self) -> dict[str, Any]:
        """The columns that change."""
        said = self.model_dump(exclude_unset=True)
        kept = ("name", "color", "status")
        return {
            name: value for name, value in said.items() if value is not None or name not in kept
        }


class AssignBody(Body):
    """``POST /projects/{id}/archives``."""

    archive_ids: Annotated[list[RowId], Field(min_length=1, max_length=MAX_ASSIGNED)]
