"""The page that a mail's link opens: a form for a new password, whole in itself.

The token stands in the link's fragment, which a browser sends to nobody; the page's script, the
only one its policy lets run, sends it with the new password and takes it out of the address.
"""

import base64
import hashlib

_STYLE = (
    "body{font:1rem/1.5 sans-serif;max-width:32rem;margin:3rem auto;padding:0 1rem}"
    "label{display:block;margin:.5rem 0}button{padding:.4rem 1rem}"
)
_SCRIPT = """
const said = document.querySelector("output"), form = document.querySelector("form");
const token = new URLSearchParams(location.hash.slice(1)).get("token") || "";
history.replaceState(null, "", location.pathname);
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const body = JSON.stringify({ token, new_password: form.elements.password.value });
  const headers = { "Content-Type": "application/json" };
  try {
    const answer = await fetch("api/v1/auth/reset-password", { method: "POST", headers, body });
    const told = await answer.json();
    if (answer.ok) form.remove();
    said.textContent = answer.ok ? "The new password counts. You can log in with it."
      : (typeof told.detail === "string" ? told.detail : "This password cannot be taken.");
  } catch {
    said.textContent = "The server did not answer. Try again.";
  }
});
"""


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


#: Content-Security-Policy of the page.
POLICY = (
    f"default-src 'none'; style-src {_hash(_STYLE)}; script-src {_hash(_SCRIPT)}; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
PAGE = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="referrer" content="no-referrer"><title>New password</title><style>{_STYLE}</style>
</head><body><h1>New password</h1>
<form><label>New password, 8 characters or more
<input name="password" type="password" autocomplete="new-password" minlength="8" required></label>
<button type="submit">Set it</button></form><p><output></output></p>
<script>{_SCRIPT}</script></body></html>
"""
