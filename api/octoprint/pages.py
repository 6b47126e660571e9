"""The few HTML pages of the OctoPrint face: plain forms, no script, nothing that is not escaped.

A redirect leads to a path of this server only (safety S18); nothing may frame a page (S23).
"""

import base64
import hashlib
import re
from html import escape
from urllib.parse import unquote

from quart import Response

_STYLE = (
    "body{font:1rem/1.5 sans-serif;max-width:32rem;margin:3rem auto;padding:0 1rem}"
    "label{display:block;margin:.5rem 0}button{margin-right:.5rem;padding:.4rem 1rem}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow, noimageindex",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_PATH = re.compile(r"/[\w.~!$&'()*+,;=:@%/?-]*", re.ASCII)


def page(title: str, body: str, status: int = 200) -> Response:
    """A page; *body* is HTML that was escaped already, *title* is text."""
    html = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><h1>{escape(title)}</h1>{body}</body></html>"
    )
    return Response(html, status, _HEADERS, content_type="text/html; charset=utf-8")


def redirect(url: str, status: int = 302) -> Response:
    """See *url* instead."""
    return Response(b"", status, {**_HEADERS, "Location": url})


def own_path(wanted: str | None, otherwise: str) -> str:
    """*wanted* when it is a path of this server, else *otherwise*."""
    if wanted is None or _PATH.fullmatch(wanted) is None:
        return otherwise
    plain = unquote(wanted)
    odd = any(character < " " or character in "\\\x7f" for character in plain)
    return otherwise if odd or plain.startswith("//") else wanted


def login_page(csrf_token: str, redirect_to: str, error: str = "", status: int = 200) -> Response:
    """The form to log in; it comes back to the address that it was got from."""
    said = f"<p><strong>{escape(error)}</strong></p>" if error else ""
    return page(
        "Log in",
        f'{said}<form method="post">'
        f'<input type="hidden" name="csrf_token" value="{escape(csrf_token)}">'
        f'<input type="hidden" name="redirect" value="{escape(redirect_to)}">'
        '<label>User name <input name="user" autocomplete="username" required></label>'
        '<label>Password <input name="pass" type="password" autocomplete="current-password" '
        "required></label>"
        '<label><input type="checkbox" name="remember" value="true"> Remember this browser</label>'
        '<button type="submit">Log in</button></form>',
        status,
    )


def app_key_page(app: str, remote: str, reach: str, username: str, csrf_token: str) -> Response:
    """Whether *app* gets a key of *username*; *reach* is what the key would be for."""
    return page(
        "Access for an app",
        f"<p><strong>{escape(app)}</strong>, asking from {escape(remote or 'an unknown address')}, "
        f"wants to control {escape(reach)} with the rights of {escape(username)}.</p>"
        "<p>Allow this only if you have just started it yourself.</p>"
        '<form method="post">'
        f'<input type="hidden" name="csrf_token" value="{escape(csrf_token)}">'
        '<button type="submit" name="decision" value="allow">Allow</button>'
        '<button type="submit" name="decision" value="deny">Deny</button></form>',
    )
