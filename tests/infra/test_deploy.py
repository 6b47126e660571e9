"""What deploys Gantry is right, as far as a machine without a cloud or an engine can tell."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.config import load
from api.storage.s3_place import place_of
from infra.farm.started import free_port
from tests.fakes.images import (
    DOCKER,
    IMAGES,
    ROOT,
    final_stage,
    steps,
    surroundings,
    unpacked,
    words_of,
)

TEMPLATE = ROOT / "infra" / "aws" / "template.yaml"
UNIT = ROOT / "infra" / "systemd" / "gantry-bridge.service"


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """Reads CloudFormation's short forms as plain lists."""


_Loader.add_multi_constructor(
    "!", lambda loader, suffix, node: [suffix, getattr(node, "value", None)]
)


@pytest.mark.flow
def test_the_cloud_template_is_valid() -> None:
    """cfn-lint knows every resource and property of the template."""
    linter = Path(sys.executable).with_name("cfn-lint")
    done = subprocess.run([linter, TEMPLATE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_function_of_the_template_is_a_handler() -> None:
    """And every handler is deployed."""
    template: Any = yaml.load(TEMPLATE.read_text(), Loader=_Loader)
    handlers = {
        resource["Properties"]["Handler"]
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::Serverless::Function"
    }
    code = (ROOT / "api" / "function.py").read_text()
    assert handlers == {f"api.function.{name}" for name in ("http", "websocket", "tick", "migrate")}
    assert all(f"\ndef {handler.rpartition('.')[2]}(" in code for handler in handlers)


def test_the_settings_of_the_template_are_those_that_functions_live_by() -> None:
    """Read as a process would read them at its cold start, production's rules included."""
    template: Any = yaml.load(TEMPLATE.read_text(), Loader=_Loader)
    given = template["Globals"]["Function"]["Environment"]["Variables"]
    environ = {name: _filled_in(value) for name, value in given.items()}
    environ["GANTRY_PUBLIC_URL"] = "https://farm.example"  # chosen by a condition
    from api.function import usable  # with it comes the whole API

    settings = usable(load(environ))
    assert settings.production
    assert settings.database_url.endswith("/gantry?sslmode=require")
    assert place_of(settings.storage_url).prefix == "files/"


def _filled_in(value: Any) -> str:
    """What the cloud puts in place of names and secrets: something plain and long."""
    text = value[1] if isinstance(value, list) else value
    if isinstance(value, list) and value[0] == "Ref":
        return "" if text.startswith("Mail") else "k83hf0s83hfks9f8h3kfh38fh38fh3kf8"
    if not isinstance(text, str):
        return ""
    text = re.sub(r"\{\{resolve:.*?\}\}", "k83hf0s83hfks9f8h3kfh38fh38fh3kf8", text)
    return re.sub(r"\$\{[\w:.]+\}", lambda found: "5432" if "Port" in found[0] else "x1y", text)


def test_the_tick_has_time_for_the_largest_upload() -> None:
    """Read twice, at 4 MB/s: what is cut off would be begun anew every minute, for ever."""
    template: Any = yaml.load(TEMPLATE.read_text(), Loader=_Loader)
    has_s = template["Resources"]["TickFunction"]["Properties"]["Timeout"]
    assert has_s >= 2 * load({}).max_upload_bytes / 4_000_000 + 30


def test_the_bucket_takes_files_from_pages_of_the_farm_and_from_no_others() -> None:
    """A browser asks the store first; what a page may send there is in the signed link."""
    template: Any = yaml.load(TEMPLATE.read_text(), Loader=_Loader)
    [rule] = template["Resources"]["Files"]["Properties"]["CorsConfiguration"]["CorsRules"]
    assert "PUT" in rule["AllowedMethods"]
    [[kind, choice]] = rule["AllowedOrigins"]
    assert (kind, choice[0].value) == ("If", "HasPublicUrl")


def test_the_roles_of_the_template_have_no_wild_rights() -> None:
    """Every action is named; everything as a resource only where AWS takes nothing else."""
    text = TEMPLATE.read_text()
    template: Any = yaml.load(text, Loader=_Loader)
    statements = [
        statement
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::IAM::ManagedPolicy"
        for statement in resource["Properties"]["PolicyDocument"]["Statement"]
    ]
    assert len(statements) >= 6
    for statement in statements:
        actions = statement["Action"]
        actions = actions if isinstance(actions, list) else [actions]
        assert not [action for action in actions if "*" in action]
        if statement["Resource"] == "*":
            assert all(action.startswith(("ec2:", "xray:")) for action in actions), actions
    assert "AdministratorAccess" not in text and "iam:PassRole" not in text


@pytest.mark.flow
@pytest.mark.parametrize("image", IMAGES)
def test_an_image_holds_what_its_process_needs_and_nothing_else(image: str, tmp_path: Path) -> None:
    """What the Dockerfile copies is enough to start; the other half is not in it."""
    unpacked(image, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([image, "schemas"])
    command = [*words_of(image, "ENTRYPOINT"), *words_of(image, "CMD"), "--help"]
    environ = surroundings(image, tmp_path)
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.flow
def test_the_image_of_the_api_starts_becomes_healthy_and_stops(tmp_path: Path) -> None:
    """Entry point, command, environment, health check and stop signal are the image's own."""
    unpacked("api", tmp_path)
    environ = {**surroundings("api", tmp_path), "GANTRY_PORT": str(free_port())}
    entry = words_of("api", "ENTRYPOINT")
    given: dict[str, Any] = {"cwd": tmp_path, "env": environ, "stderr": subprocess.PIPE}
    subprocess.run([*entry, "api.migrate"], stdout=subprocess.PIPE, check=True, **given)
    check = words_of("api", "HEALTHCHECK")
    assert subprocess.run(check, check=False, **given).returncode != 0
    with subprocess.Popen([*entry, *words_of("api", "CMD")], **given) as process:
        try:
            ends = time.monotonic() + 60
            while subprocess.run(check, check=False, **given).returncode:
                assert process.poll() is None and time.monotonic() < ends
            [stop] = [rest for name, rest in final_stage("api") if name == "STOPSIGNAL"]
            process.send_signal(signal.Signals[stop])
            assert process.wait(30) == 0
        finally:
            process.kill()
    assert {path.name for path in tmp_path.iterdir()} == {"api", "schemas", "data"}


@pytest.mark.flow
def test_the_health_check_of_the_bridge_is_red_without_an_agent(tmp_path: Path) -> None:
    """Its command runs in what the image holds, and says so without a trace."""
    unpacked("bridge", tmp_path)
    done = subprocess.run(
        words_of("bridge", "HEALTHCHECK"),
        cwd=tmp_path,
        env=surroundings("bridge", tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "Traceback" not in done.stderr and "No module" not in done.stderr


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_runs_as_nobody_special_is_watched_and_takes_no_secret(image: str) -> None:
    """Not root, a health check, more than one stage, no secret in a layer (safety S73)."""
    names = defaultdict(list)
    for name, rest in final_stage(image):
        names[name].append(rest)
    assert names["USER"] == ["gantry"]
    assert names["HEALTHCHECK"]
    assert len([name for name, _ in steps(image) if name == "FROM"]) == 2
    assert not [name for name, _ in steps(image) if name == "ARG"]
    assert not re.search(r"(PASSWORD|SECRET|TOKEN|KEY)=", str(names["ENV"]))


@pytest.mark.parametrize("image", IMAGES)
def test_the_shell_understands_every_step_of_an_image(image: str) -> None:
    """The steps of the last stage need a root of their own to run in; here they are only read."""
    for name, rest in steps(image):
        if name == "RUN":
            done = subprocess.run(["sh", "-n", "-c", rest], capture_output=True, check=False)
            assert done.returncode == 0, (rest, done.stderr.decode())


class _Health(BaseHTTPRequestHandler):
    """Says 200 at the address that says whether requests can be served, else what it was told."""

    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/health/ready" else 404)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False)])
def test_the_health_check_of_the_api_asks_whether_it_is_ready(status: int, healthy: bool) -> None:
    """The image's own command, run against something that answers in the API's place."""
    [rest] = [rest for name, rest in final_stage("api") if name == "HEALTHCHECK"]
    command = json.loads(rest.partition("CMD ")[2])
    answers = type("Answers", (_Health,), {"status": status})
    with ThreadingHTTPServer(("127.0.0.1", 0), answers) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        environ = {**os.environ, "GANTRY_PORT": str(server.server_port)}
        asked = [sys.executable, *command[1:]]
        done = subprocess.run(asked, env=environ, capture_output=True, check=False, timeout=60)
        server.shutdown()
        thread.join()
    assert (done.returncode == 0) == healthy, done.stderr.decode()


@pytest.mark.flow
@pytest.mark.timeout(300)
def test_the_build_stage_of_the_images_works_without_an_engine(tmp_path: Path) -> None:
    """Both images are built by the same steps; they are run here, and give the packages."""
    stages = []
    for image in IMAGES:
        found = steps(image)
        second = [number for number, (name, _) in enumerate(found) if name == "FROM"][1]
        stages.append(found[:second])
    assert stages[0] == stages[1]
    clean = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    for name, rest in stages[0]:
        if name == "COPY":
            *sources, _ = shlex.split(rest)
            for source in sources:
                shutil.copy(ROOT / source, tmp_path / source)
        elif name == "RUN":
            done = subprocess.run(
                ["sh", "-ec", rest], cwd=tmp_path, env=clean, capture_output=True, check=False
            )
            assert done.returncode == 0, done.stderr.decode()[-2000:]
    python = tmp_path / ".venv" / "bin" / "python"
    wanted = "import quart, tortoise, serial, websockets, boto3, mangum"
    subprocess.run([python, "-c", wanted], check=True)
    missing = subprocess.run([python, "-c", "import pytest"], capture_output=True, check=False)
    assert missing.returncode != 0, "an image needs no test packages"


def test_the_composed_farm_is_whole() -> None:
    """Two APIs behind one proxy share a database, a bus and a store; nothing waits for nobody."""
    composed = yaml.safe_load((DOCKER / "compose.yaml").read_text())
    services = composed["services"]
    apis = [name for name in services if name.startswith("api")]
    assert len(apis) == 2
    for name, service in services.items():
        assert set(service.get("depends_on", {})) <= set(services), name
        built = service.get("build")
        if built:
            assert (DOCKER / built["context"] / built["dockerfile"]).is_file()
        assert "privileged" not in service
    environment = services[apis[0]]["environment"]
    assert environment["GANTRY_DATABASE_URL"].startswith("postgresql://")
    assert environment["GANTRY_STORAGE_URL"].startswith("s3://")
    proxy = (DOCKER / "Caddyfile").read_text()
    assert all(f"{name}:8000" in proxy for name in apis)
    [uid] = re.findall(r"--uid (\d+)", (DOCKER / "api.Dockerfile").read_text())
    assert f"/data:mode=0700,uid={uid}" in services[apis[0]]["tmpfs"]
    variables = set(re.findall(r"\$\{(\w+)", (DOCKER / "compose.yaml").read_text()))
    named = re.findall(r"^(\w+)=", (DOCKER / "example.env").read_text(), re.MULTILINE)
    assert variables == set(named)


def test_the_settings_of_the_composed_farm_are_taken() -> None:
    """With what example.env says, and something chosen for each secret."""
    composed = yaml.safe_load((DOCKER / "compose.yaml").read_text())

    def filled_in(found: re.Match[str]) -> str:
        return found[3] or "" if found[2] == "-" else "k83hf0s83hfks9f8h3kfh38fh38fh3kf8"

    pattern = re.compile(r"\$\{(\w+):([-?])([^}]*)\}")
    said = composed["services"]["migrate"]["environment"]
    assert said == composed["services"]["api-1"]["environment"]
    settings = load({name: pattern.sub(filled_in, value) for name, value in said.items()})
    assert settings.uses_postgres and settings.secret_key and settings.setup_token
    assert not place_of(settings.storage_url).is_direct
    assert settings.drain_s > 2  # Caddy looks that often


def test_what_deploys_names_only_settings_that_exist() -> None:
    """GANTRY_ variables of the template, the images and the composed farm are documented."""
    documented = set(re.findall(r"GANTRY_[A-Z0-9_]+", (ROOT / "README.md").read_text()))
    used: set[str] = set()
    for path in (TEMPLATE, *DOCKER.iterdir()):
        used |= set(re.findall(r"GANTRY_[A-Z0-9_]+", path.read_text()))
    assert used <= documented | {"GANTRY_STATE_DIR"}


#: What systemd knows of what the unit uses (systemd.unit, .service, .exec, .kill,
#: .resource-control): a misspelt key is ignored with a warning that nobody reads.
KEYS = {
    "Unit": "Description Documentation After Wants",
    "Service": """
        Type User WorkingDirectory ExecStart Restart RestartSec KillMode TimeoutStopSec
        StateDirectory StateDirectoryMode RuntimeDirectory RuntimeDirectoryPreserve Environment
        CacheDirectory CacheDirectoryMode UMask LimitNICE LimitRTPRIO SupplementaryGroups
        DevicePolicy DeviceAllow NoNewPrivileges ProtectSystem ProtectHome PrivateTmp ProtectClock
        ProtectControlGroups ProtectHostname
        ProtectKernelLogs ProtectKernelModules ProtectKernelTunables ProtectProc
        RestrictAddressFamilies RestrictNamespaces RestrictRealtime RestrictSUIDSGID
        LockPersonality SystemCallArchitectures SystemCallFilter CapabilityBoundingSet
    """,
    "Install": "WantedBy",
}


def unit() -> dict[str, list[tuple[str, str]]]:
    """The bridge's unit: (key, value) of each section, in order."""
    found: dict[str, list[tuple[str, str]]] = {}
    section = ""
    for line in UNIT.read_text().splitlines():
        if line.startswith("["):
            section = line.strip("[]")
            found[section] = []
        elif line and not line.startswith(("#", ";")):
            key, equals, value = line.partition("=")
            assert equals, f"no key: {line}"
            found[section].append((key, value))
    return found


def test_the_bridge_unit_says_only_what_systemd_understands(tmp_path: Path) -> None:
    """Every key is one of systemd's; where systemd is, it finds nothing wrong itself."""
    said = unit()
    assert list(said) == list(KEYS)
    for section, pairs in said.items():
        assert {key for key, _ in pairs} <= set(KEYS[section].split()), section
    if analyze := shutil.which("systemd-analyze"):
        here = tmp_path / UNIT.name
        here.write_text(UNIT.read_text().replace("/opt/gantry/.venv/bin/python", sys.executable))
        done = subprocess.run(
            [analyze, "verify", here], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert UNIT.name not in done.stderr


def test_the_bridge_unit_leaves_senders_alone_and_is_hardened() -> None:
    """KillMode=process: prints go on when the agent is stopped or upgraded; not root."""
    service = dict(unit()["Service"])
    assert service["KillMode"] == "process"
    assert service["RuntimeDirectoryPreserve"] == "yes"
    assert service["User"] == "gantry-bridge"
    cache = Path("/var/cache") / service["CacheDirectory"]
    assert ("Environment", f"PYTHONPYCACHEPREFIX={cache}") in unit()["Service"]
    for wall in ("NoNewPrivileges", "ProtectHome", "PrivateTmp", "RestrictSUIDSGID"):
        assert service[wall] == "yes"
