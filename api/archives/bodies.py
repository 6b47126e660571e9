"""Request bodies of the archive's routes (v1 contract, 2.10)."""

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from api.http import Body, RowId

MAX_TAG = 50
MAX_TAGS = 50
MAX_TOOLS = 16

#: A tag, without the space around it.
Tag = Annotated[str, StringConstraints(strip_whitespace=True, max_length=MAX_TAG)]


def _said(tags: list[str]) -> list[str]:
    return [tag for tag in tags if tag]


class NotesBody(Body):
    """``PATCH /archives/{id}``."""

    notes: Annotated[str, StringConstraints(max_length=10_000)] | None = Field(
        None, description="null: none any more"
    )


class TagsBody(Body):
    """``PATCH /archives/{id}/tags``."""

    tags: Annotated[list[Tag], Field(max_length=MAX_TAGS), AfterValidator(_said)] = Field(
        description="All of them, each counts once; empty ones do not count"
    )


class FeedBody(Body):
    """Which slot feeds a tool."""

    source_slot: int = Field(ge=0, le=255, description="The tool, from 0")
    target_slot: int = Field(ge=1, le=256, description="The slot, from 1")


class ReprintBody(Body):
    """``POST /archives/{id}/reprint``."""

    printer_id: RowId
    ams_mapping: Annotated[list[FeedBody], Field(max_length=MAX_TOOLS)] | None = Field(
        None,
        description="As `ams-preview` suggests it. The lines of a file name their tools, so a tool "
        "that is to be fed from another slot than its own is refused",
    )
    plate_index: int = Field(0, ge=0, le=0, description="A sliced file has one plate")
