"""The farm's own client of the API: v1, as any other program would use it."""

import asyncio
from pathlib import Path
from typing import Any

import httpx

TIMEOUT_S = 30.0  # a busy machine takes its time with a password
UPLOAD_TIMEOUT_S = 300.0


class Refused(RuntimeError):
    """The API said no: *status* and its reason."""

    def __init__(self, what: str, status: int, reason: str) -> None:
        super().__init__(f"{what}: {status} {reason}")
        self.status = status
        self.reason = reason


class Client:
    """v1 with one token; *transport* in place of the network."""

    def __init__(self, url: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.url = url
        self._http = httpx.AsyncClient(
            base_url=url, timeout=TIMEOUT_S, trust_env=False, transport=transport
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def use_token(self, token: str) -> None:
        """Authenticate every further call with *token*."""
        self._http.headers["X-API-Key"] = token

    async def call(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """The answer's JSON; None without a body. Raises `Refused`, or httpx's own errors."""
        answer = await self._http.request(method, f"/api/v1{path}", json=body, **more)
        if answer.is_success:
            return answer.json() if answer.content else None
        raise Refused(f"{method} {path}", answer.status_code, _reason(answer))

    async def upload(self, path: Path) -> Any:
        """Upload a sliced file; the print file's v1 answer."""
        with path.open("rb") as file:
            return await self.call(
                "POST",
                "/print-files/upload",
                files={"file": (path.name, file, "text/plain")},
                timeout=UPLOAD_TIMEOUT_S,
            )

    async def until_up(self, timeout_s: float) -> bool:
        """True once the API is ready; False after *timeout_s* seconds."""
        deadline = asyncio.get_running_loop().time() + timeout_s
        while asyncio.get_running_loop().time() < deadline:
            try:
                answer = await self._http.get("/api/v1/health/ready", timeout=2.0)
                if answer.status_code == 200:
                    return True
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.1)
        return False


def _reason(answer: httpx.Response) -> str:
    try:
        detail = answer.json()["detail"]
    except (ValueError, KeyError, TypeError):
        return answer.text[:200]
    return detail if isinstance(detail, str) else str(detail)[:300]
