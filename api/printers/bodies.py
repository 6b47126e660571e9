"""Request bodies of the printer routes (v1 contract, 2.3, and ours)."""

from typing import Annotated, Any, ClassVar

from pydantic import Field, StringConstraints

from api.http import MAX_ID, Body, RowId
from api.printers.forms import PrinterCreate

Short = Annotated[str, StringConstraints(max_length=100)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Tags = Annotated[
    list[Annotated[str, StringConstraints(min_length=1, max_length=50)]], Field(max_length=50)
]
Baud = Annotated[int, Field(ge=0, le=4_000_000)]
Millimetres = Annotated[float, Field(gt=0, le=5000)]


class PrinterBody(Body):
    """What both making and changing a printer take."""

    model: Short | None = None
    nickname: Short | None = None
    camera_url: Annotated[str, StringConstraints(max_length=500)] | None = None
    api_type: Annotated[str, StringConstraints(max_length=32)] | None = None
    profile: dict[str, Any] | None = None
    scripts: dict[str, str] | None = None
    plate_policy: str | None = None
    port_id: Annotated[str, StringConstraints(max_length=300)] | None = None
    bed_x_mm: Millimetres | None = None
    bed_y_mm: Millimetres | None = None

    def whole_profile(self) -> dict[str, Any] | None:
        """The profile with the bed sizes that v1 puts beside it; None when nothing was said."""
        bed = {"width_mm": self.bed_x_mm, "depth_mm": self.bed_y_mm}
        said = {name: value for name, value in bed.items() if value is not None}
        return {**said, **(self.profile or {})} or None


class PrinterCreateBody(PrinterBody):
    """``POST /printers``."""

    name: Name
    bridge_id: RowId | None = None
    baud: Baud = 0
    dialect: Annotated[str, StringConstraints(max_length=32)] = "auto"
    tags: Tags = Field(default_factory=list)
    slot_count: Annotated[int, Field(ge=1, le=16)] = 4
    is_active: bool = True
    shared: bool = False

    def form(self) -> PrinterCreate:
        """The same for the service."""
        return PrinterCreate(
            name=self.name,
            bridge_id=self.bridge_id,
            port_id=self.port_id,
            baud=self.baud,
            dialect=self.dialect,
            profile=self.whole_profile() or {},
            scripts=self.scripts or {},
            plate_policy=self.plate_policy,
            api_type=self.api_type,
            model=self.model,
            nickname=self.nickname,
            camera_url=self.camera_url,
            tags=self.tags,
            slot_count=self.slot_count,
            is_active=self.is_active,
            shared=self.shared,
        )


class PrinterUpdateBody(PrinterBody):
    """``PATCH /printers/{id}``: only what is there is changed."""

    name: Name | None = None
    baud: Baud | None = None
    dialect: Annotated[str, StringConstraints(max_length=32)] | None = None
    tags: Tags | None = None
    slot_count: Annotated[int, Field(ge=1, le=256)] | None = None
    is_active: bool | None = None
    shared: bool | None = None
    sort_order: Annotated[int, Field(ge=-MAX_ID, le=MAX_ID)] | None = None

    #: Columns that may be emptied; for every other field null means "leave it".
    NULLABLE: ClassVar[frozenset[str]] = frozenset({"model", "nickname", "camera_url", "api_type"})

    def values(self) -> dict[str, Any]:
        """The fields that were sent, as the service takes them."""
        sent = self.model_dump(exclude_unset=True, exclude={"bed_x_mm", "bed_y_mm", "profile"})
        kept = {k: v for k, v in sent.items() if v is not None or k in self.NULLABLE}
        profile = self.whole_profile()
        return kept if profile is None else {**kept, "profile": profile}
