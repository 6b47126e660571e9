"""What the pool routes answer."""

from pydantic import Field

from api.describe import Answer, Instant


class PoolAnswer(Answer):
    """Printers behind one name, with one queue and one OctoPrint address."""

    id: int
    name: str
    slug: str = Field(description="Its address; it stays when the name changes")
    octoprint_url: str = Field(description="Where slicers reach it, below this server's address")
    tags: list[str] = Field(description="A printer that has all of these belongs to it")
    printer_ids: list[int] = Field(description="These printers belong to it, whatever their tags")
    members: list[int] = Field(description="The printers that belong to it now, in display order")
    org_id: int
    created_at: Instant
    updated_at: Instant
