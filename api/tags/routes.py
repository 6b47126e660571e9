"""v1 routes of tags (v1 contract, 2.10): parse, ask the service, answer."""

from typing import Annotated

from pydantic import Field, StringConstraints
from quart import Response, request

from api.archives.bodies import MAX_TAG
from api.describe import Answer, Doc
from api.errors import NotFound
from api.http import Body, json_answer, json_body, paging
from api.tags.service import Tag, Tags
from api.v1 import V1, caller

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_TAG)]


class RenameBody(Body):
    """``POST /tags/rename``."""

    old: Name
    new: Name = Field(description="A tag that is there already is taken, too: both become one")


class TagAnswer(Answer):
    """A tag, and how many have it."""

    name: str
    count: int = Field(description="All of these together")
    printers: int
    pools: int = Field(description="Pools that ask for it")
    archives: int = Field(description="Records of prints")
    jobs: int = Field(description="Jobs that ask for it and are not over")
    presets: int = Field(description="Presets that ask for it")


class TagList(Answer):
    """The tags of the organization."""

    tags: list[TagAnswer]


class TagsUpdated(Answer):
    """On so many it is different now."""

    updated: int


class TagRoutes:
    """``/tags``."""

    def __init__(self, tags: Tags) -> None:
        self._tags = tags

    def register(self, v1: V1) -> None:
        """Declare the routes."""
        v1.add("GET", "/tags", self.list, _LIST)
        v1.add("POST", "/tags/rename", self.rename, _RENAME)
        v1.add("DELETE", "/tags/<tag>", self.delete, _DELETE)

    async def list(self) -> Response:
        """By name; all of them when no `limit` is named."""
        found = await self._tags.list(caller())
        skip, limit = paging()
        until = skip + limit if "limit" in request.args else None
        shown = [_shown(tag) for tag in found[skip:until]]
        return json_answer({"tags": shown}, headers={"X-Total-Count": str(len(found))})

    async def rename(self) -> Response:
        """Called otherwise."""
        body = await json_body(RenameBody)
        return json_answer({"updated": await self._tags.rename(caller(), body.old, body.new)})

    async def delete(self, tag: str) -> Response:
        """Gone."""
        name = tag.strip()
        if not 1 <= len(name) <= MAX_TAG or "\0" in name or not _is_text(name):
            raise NotFound("Nothing has such a tag.")
        return json_answer({"updated": await self._tags.delete(caller(), name)})


def _is_text(name: str) -> bool:
    """Whether a row can hold *name*."""
    return name.encode("utf-8", "replace").decode() == name


def _shown(tag: Tag) -> dict[str, str | int]:
    names = ("name", "count", "printers", "pools", "archives", "jobs", "presets")
    return {name: getattr(tag, name) for name in names}


_LIST = Doc(
    summary="The tags of printers, pools, records, jobs and presets, by name",
    description="All of them when no `limit` is named.",
    answer=TagList,
    right="tags.read",
    paged=True,
)
_RENAME = Doc(
    summary="Call a tag otherwise, wherever it is",
    answer=TagsUpdated,
    body=RenameBody,
    right="tags.admin",
    problems=("not_found",),
    dry_run=True,
)
_DELETE = Doc(
    summary="Take a tag from everything that has it",
    description="Refused while a pool, a job that is not over, or a preset asks for it. One with a "
    "slash in it has no address: rename it first.",
    answer=TagsUpdated,
    right="tags.admin",
    problems=("conflict",),
    dry_run=True,
)
