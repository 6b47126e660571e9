"""Rules whose builders are made when they are asked for work as those of the library do."""

import pytest
from quart import Quart, url_for
from werkzeug.exceptions import NotFound

from api.addresses import MatchedRule


class Pages(Quart):
    url_rule_class = MatchedRule


async def test_an_address_is_matched_and_can_still_be_built() -> None:
    """With its values, with others in the query, and quoted."""
    pages = Pages("pages")

    @pages.get("/rooms/<int:number>/<path:name>")
    async def room(number: int, name: str) -> str:
        return f"{number} {name}"

    client = pages.test_client()
    assert await (await client.get("/rooms/7/a/b%20c")).get_data() == b"7 a/b c"
    assert (await client.get("/rooms/x/a")).status_code == 404
    async with pages.test_request_context("/"):
        for _ in range(2):
            assert url_for("room", number=7, name="a b", more="1") == "/rooms/7/a%20b?more=1"
    with pytest.raises(NotFound):
        pages.url_map.bind("farm.example").match("/rooms/7")
