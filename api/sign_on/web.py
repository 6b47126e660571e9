"""Asking a provider, in authlib's words, through the door to public addresses only (S50).

Every connection goes to an address that was looked at, no redirect is followed, no proxy of the
environment asked, and an answer has so many bytes.
"""

from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

import orjson

from api.sign_on.tokens import Provider, Unbelievable
from api.webhooks.outside import Forbidden, Outside, Unreachable

if TYPE_CHECKING:
    import httpx

TIMEOUT_S = 10.0
MAX_ANSWER_BYTES = 512 * 1024
_SCOPE_METHOD = "S256"


class Web:
    """Providers, as they are asked. *transport*: another way there, for tests."""

    def __init__(self, outside: Outside, transport: "httpx.AsyncBaseTransport | None" = None):
        self._outside = outside
        self._transport = transport

    async def document(self, url: str) -> Mapping[str, Any]:
        """The JSON object at *url*. Raises `Unbelievable`."""
        import httpx  # heavy; who has no provider starts without

        try:
            async with httpx.AsyncClient(**self._manners()) as client:
                answer = await client.get(url, headers={"Accept": "application/json"})
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unbelievable(f"{url} cannot be asked ({type(error).__name__}) {error}") from None
        found = _parsed(answer.content) if answer.status_code == 200 else None
        if not isinstance(found, Mapping):
            raise Unbelievable(f"{url} answered {answer.status_code} and no JSON object")
        return found

    async def tokens(
        self, provider: Provider, client_id: str, secret: str, asked: Mapping[str, str]
    ) -> Mapping[str, Any]:
        """What the provider gives for a code. *asked*: code, code_verifier, redirect_uri.

        Raises `Unbelievable`.
        """
        import httpx
        from authlib.oauth2.auth import ClientAuth  # type: ignore[import-untyped]
        from authlib.oauth2.rfc6749 import (  # type: ignore[import-untyped]
            parameters as wording,
        )

        method = "client_secret_basic" if provider.takes_basic else "client_secret_post"
        auth = ClientAuth(client_id, secret, method if secret else "none")
        body = wording.prepare_token_request("authorization_code", **asked)
        headers = {
            "Accept": "application/json",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        url, headers, body = auth.prepare("POST", provider.token_endpoint, headers, body)
        try:
            async with httpx.AsyncClient(**self._manners()) as client:
                answer = await client.post(url, content=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unbelievable(f"the code was not taken: {type(error).__name__}") from None
        given = _parsed(answer.content) if answer.status_code == 200 else None
        if not isinstance(given, Mapping) or not isinstance(given.get("id_token"), str):
            raise Unbelievable(f"the provider answered {answer.status_code} and no id_token")
        return given

    def _manners(self) -> dict[str, Any]:
        transport = self._transport or pinned(self._outside)
        return {
            "transport": transport,
            "trust_env": False,
            "follow_redirects": False,
            "timeout": TIMEOUT_S,
        }


def authorization_url(
    provider: Provider, client_id: str, asked: Mapping[str, str], verifier: str
) -> str:
    """Where a browser is sent. *asked*: redirect_uri, scope, state, nonce."""
    from authlib.oauth2.rfc6749 import parameters as wording
    from authlib.oauth2.rfc7636 import (  # type: ignore[import-untyped]
        create_s256_code_challenge,
    )

    return str(
        wording.prepare_grant_uri(
            provider.authorization_endpoint,
            client_id,
            "code",
            code_challenge=create_s256_code_challenge(verifier),
            code_challenge_method=_SCOPE_METHOD,
            **asked,
        )
    )


def pinned(outside: Outside) -> "httpx.AsyncBaseTransport":
    """A way to where *outside* lets one go, with answers of a bounded size."""
    import httpx

    class Pinned(httpx.AsyncHTTPTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            try:
                target = await outside.target(str(request.url))
            except (Forbidden, Unreachable) as error:
                raise httpx.ConnectError(str(error), request=request) from None
            request.headers["Host"] = target.host_header
            request.extensions = {
                **request.extensions,
                "sni_hostname": target.parts.hostname,
            }
            request.url = httpx.URL(target.url)
            answer = await super().handle_async_request(request)
            answer.stream = _Bounded(answer.stream)
            return answer

    class _Bounded(httpx.AsyncByteStream):
        def __init__(self, inner: Any) -> None:
            self._inner = inner

        async def __aiter__(self) -> AsyncIterator[bytes]:
            read = 0
            async for part in self._inner:
                read += len(part)
                if read > MAX_ANSWER_BYTES:
                    raise httpx.ReadError("the answer is too long")
                yield part

        async def aclose(self) -> None:
            await self._inner.aclose()

    return Pinned(trust_env=False)


def _parsed(raw: bytes) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
