"""OctoPrint's own JavaScript client in a real browser drives a farm, over every transport."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.fakes.browser import CHROMIUM, Browser, Page
from tests.fakes.octoprint_js import load, package
from tests.flows.conftest import DATA, Faces, eventually

pytestmark = [
    pytest.mark.flow,
    pytest.mark.timeout(180),
    pytest.mark.skipif(
        CHROMIUM is None,
        reason="no Chromium here (Debian: apt-get install chromium): what OctoPrint's own client "
        "does in a browser is not shown",
    ),
]

CUBE = (DATA / "cube_small.gcode").read_text("utf-8")
ROOTS = ("printer", "server")
TRANSPORTS = ("websocket", "xhr-streaming", "eventsource", "xhr-polling")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    try:
        package()
    except (OSError, subprocess.SubprocessError):
        pytest.skip(
            "no package registry can be reached (pip download OctoPrint): what OctoPrint's own "
            "client does in a browser is not shown; it is kept once it was fetched"
        )
    with Browser(Path(tmp_path_factory.mktemp("browser"))) as opened:
        yield opened


@pytest.fixture
def page(browser: Browser) -> Page:
    return browser.page()


def address(faces: Faces, root: str) -> str:
    url: str = faces.printer["octoprint_url"] if root == "printer" else faces.farm.ready["url"]
    return url


def opened(page: Page, faces: Faces, root: str) -> str:
    """The client in *page*, on the farm's own origin; the path of its root."""
    url = address(faces, root)
    page.ignore_policy()
    page.open(f"{url}/login/")
    page.wait("document.readyState === 'complete' && location.pathname.includes('login')")
    load(page, f"{url}/")
    return urlsplit(url).path


def call(page: Page, script: str) -> Any:
    """The answer of a call of the client; a refusal is an assertion with its status."""
    wrapped = (
        "new Promise(done => { const say = (request, data) => "
        "done(JSON.stringify([request?.status ?? 0, data ?? null])); %s"
        ".done((...all) => { const [data, , request] = Array.isArray(all[0]) ? all[0] : all;"
        " say(request, data) })"
        ".fail((...all) => { const request = all.flat().find(each => each?.status);"
        " say(request, request?.responseText) }) })"
    )
    status, data = json.loads(page.run(wrapped % script))
    assert 200 <= status < 300, (script, status, data, page.complaints)
    return data


@pytest.mark.parametrize("root", ROOTS)
def test_a_person_signs_in_and_looks_around(page: Page, faces: Faces, root: str) -> None:
    """Login with its cookies and CSRF pair, version, connection, settings, profiles, files."""
    opened(page, faces, root)
    ready = faces.farm.ready
    user = call(
        page,
        f"OctoPrint.browser.login({json.dumps(ready['admin']['username'])}, "
        f"{json.dumps(ready['admin']['password'])}, true)",
    )
    assert user["active"] is True
    assert call(page, "OctoPrint.get('api/version')")["text"].startswith("OctoPrint")
    assert call(page, "OctoPrint.connection.getSettings()")["current"]["state"] == "Operational"
    assert "appearance" in call(page, "OctoPrint.settings.get()")
    assert "_default" in call(page, "OctoPrint.printerprofiles.list()")["profiles"]
    assert "files" in call(page, "OctoPrint.files.list(true)")
    assert call(page, "OctoPrint.printer.getFullState()")["state"]["flags"]["operational"] is True
    assert call(page, "OctoPrint.job.get()")["state"] == "Operational"
    assert call(page, "OctoPrint.access.users.list()")["users"]
    call(page, "OctoPrint.printer.setToolTargetTemperatures({tool0: 45})")
    call(page, "OctoPrint.printer.setToolTargetTemperatures({tool0: 0})")
    call(page, "OctoPrint.browser.logout()")


#: (Its own `userdata` is broken: it names a variable that is not there.)
UPLOAD = "OctoPrint.files.upload('local', new File([%s], %s), {})"


@pytest.mark.parametrize("root", ROOTS)
def test_files_are_kept_in_order(page: Page, faces: Faces, root: str) -> None:
    """Upload, entry, folder, copy, move, select, delete, by the client's own calls with a key."""
    opened(page, faces, root)
    page.run(f"OctoPrint.options.apikey = {json.dumps(faces.printer['octoprint_key'])}; 0")
    name = f"{root} cube.gcode"
    sent = call(page, UPLOAD % (json.dumps(CUBE), json.dumps(name)))
    assert sent["files"]["local"]["path"] == name
    entry = call(page, f"OctoPrint.files.get('local', {json.dumps(name)})")
    assert entry["size"] == len(CUBE.encode())
    call(page, f"OctoPrint.files.createFolder('local', '{root} folder')")
    call(page, f"OctoPrint.files.copy('local', '{name}', '{root} folder')")
    call(page, f"OctoPrint.files.move('local', '{root} folder/{name}', '{root} 2.gcode')")
    call(page, f"OctoPrint.files.select('local', '{root} 2.gcode')")
    assert call(page, "OctoPrint.job.get()")["job"]["file"]["path"] == f"{root} 2.gcode"
    for path in (f"{root} 2.gcode", f"{root} folder", name):
        call(page, f"OctoPrint.files.delete('local', '{path}')")


LISTEN = """
window.heard = [];
OctoPrint.socket.onMessage('*', found => heard.push([found.event, found.data]));
OctoPrint.socket.connect({transports: [%s], debug: false});
0
"""
HEARD = "window.heard.filter(each => each[0] === %s).map(each => each[1])"


def heard(page: Page, name: str) -> Any:
    """The first message *name*."""
    return page.wait(f"({HEARD % json.dumps(name)})[0]")


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_its_socket_signs_in_and_hears(page: Page, faces: Faces, transport: str) -> None:
    """connected, auth by a passive login, history, current, an event: over each transport."""
    root = "server" if transport == "eventsource" else "printer"
    opened(page, faces, root)
    page.run(f"OctoPrint.options.apikey = {json.dumps(faces.printer['octoprint_key'])}; 0")
    page.run(LISTEN % json.dumps(transport))
    assert heard(page, "connected")["version"] == "1.11.8"
    assert page.run("OctoPrint.socket.socket.transport") == transport
    login = call(page, "OctoPrint.browser.passiveLogin()")
    page.run(f"OctoPrint.socket.sendAuth({json.dumps(login['name'])}, '{login['session']}'); 0")
    assert heard(page, "history")["state"]["text"] == "Operational"
    assert heard(page, "current")["job"] is not None
    name = f"heard {transport}.gcode"
    content = f"{CUBE}; {transport}\n"  # bytes that are known are not analysed again
    call(page, UPLOAD % (json.dumps(content), json.dumps(name)))
    uploads = f"({HEARD % json.dumps('event')}).find(each => each.type === 'Upload')"
    assert page.wait(uploads)["payload"]["name"] == name
    analysed = "each => each.type === 'MetadataAnalysisFinished'"
    assert page.wait(f"({HEARD % json.dumps('event')}).find({analysed})", 30.0)["payload"] == {
        "storage": "local",
        "path": name,
    }
    page.run("OctoPrint.socket.disconnect(); 0")


def test_it_prints_and_cancels(page: Page, faces: Faces, vase: str) -> None:
    """Upload with print, pause, resume, cancel: as the buttons of OctoPrint's page do."""
    opened(page, faces, "printer")
    page.run(f"OctoPrint.options.apikey = {json.dumps(faces.printer['octoprint_key'])}; 0")
    page.run(f"window.vase = {json.dumps(vase)}; 0")
    upload = "OctoPrint.files.upload('local', new File([vase], 'vase.gcode'), {print: true})"
    assert call(page, upload)["effectivePrint"] is True

    def state(text: str) -> None:
        eventually(lambda: call(page, "OctoPrint.job.get()")["state"] == text, 60.0, text)

    state("Printing")
    call(page, "OctoPrint.job.pause()")
    state("Paused")
    call(page, "OctoPrint.job.resume()")
    state("Printing")
    call(page, "OctoPrint.job.cancel()")
    state("Operational")
