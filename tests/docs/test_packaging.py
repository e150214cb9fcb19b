"""What packs Turnout up: files name what exists, the configuration is valid, the unit is understood by systemd."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from turnout.cli.main import build_parser, main
from turnout.config.loader import load

ROOT = Path(__file__).parents[2]
PACKAGING = ROOT / "packaging"
DOCKERFILE = (PACKAGING / "Dockerfile").read_text(encoding="utf-8")
UNIT = (PACKAGING / "turnout.service").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((PACKAGING / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def instructions(name: str) -> list[str]:
    """What follows an instruction, with its lines joined."""
    joined = re.sub(r"\\\n\s*", " ", DOCKERFILE)
    return re.findall(rf"^{name} (.*)$", joined, re.M)


def test_the_services_are_those_of_a_team() -> None:
    assert set(SERVICES) == {"turnout", "postgres", "redis", "mlflow"}
    assert all("healthcheck" in SERVICES[name] for name in SERVICES if name != "turnout"), "the image has one"


def test_compose_names_only_files_and_volumes_that_exist() -> None:
    for service in SERVICES.values():
        if build := service.get("build"):
            assert (PACKAGING / build["context"] / build["dockerfile"]).resolve() == PACKAGING / "Dockerfile"
        for volume in service.get("volumes", ()):
            source = re.sub(r"\$\{.*?\}", "", volume).partition(":")[0]
            if source.startswith("."):
                assert (PACKAGING / source).is_file(), volume
            else:
                assert not source or source in COMPOSE["volumes"], volume
        for needed in service.get("depends_on", ()):
            assert needed in SERVICES


def test_no_secret_stands_in_a_file() -> None:
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if "PASSWORD" in name or "AUTH" in name:
                assert re.fullmatch(r"\$\{[A-Z_]+:\?.*\}", value), name
            assert not re.search(r"//[^@$]*:[^@$]+@", str(value)), name


def test_the_team_s_configuration_is_valid(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "check", str(PACKAGING / "team.yaml")]) == 0
    assert "valid" in capsys.readouterr().out


def test_the_team_s_configuration_fits_the_containers() -> None:
    configuration = load(PACKAGING / "team.yaml").configuration
    given = SERVICES["turnout"]["environment"]
    assert configuration.history.url_variable in given
    assert configuration.performance.cache.url_variable in given
    gateway, mounts = configuration.gateway, " ".join(SERVICES["turnout"]["volumes"])
    assert gateway.keys_file is not None and f":{gateway.keys_file}:ro" in mounts
    assert f":{_setting('TURNOUT_CONFIG')}:ro" in mounts
    assert SERVICES["turnout"]["ports"] == [f"${{TURNOUT_PORT:-{gateway.port}}}:{gateway.port}"]
    assert instructions("EXPOSE") == [str(gateway.port)]
    assert float(SERVICES["turnout"]["stop_grace_period"].removesuffix("s")) > (gateway.drain_s or 0)
    assert "127.0.0.1" in gateway.allowed_hosts, "the health check asks under this name"


def _setting(name: str) -> str:
    """A variable that the image sets."""
    found = re.search(rf"\b{name}=(\S+)", " ".join(instructions("ENV")))
    assert found is not None
    return found.group(1)


def test_the_image_copies_only_what_exists_and_is_not_left_out() -> None:
    wanted = (PACKAGING / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    copied = [word for line in instructions("COPY") if "--from" not in line for word in line.split()[:-1]]
    assert copied
    for word in copied:
        assert (ROOT / word).exists(), word
        assert f"!{word.removeprefix('./')}" in wanted, word


def test_the_image_installs_extras_that_exist_and_runs_without_rights() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    (named,) = re.findall(r"\[([a-z,]+)\]\"", " ".join(instructions("RUN")))
    assert set(named.split(",")) == {"train", "team", "gateway"} <= set(extras)
    assert instructions("USER") == ["turnout"]
    assert all(image.partition(" ")[0].endswith("-slim") for image in instructions("FROM"))
    assert "/readyz" in DOCKERFILE


def test_what_the_image_and_the_unit_start_is_understood() -> None:
    (arguments,) = instructions("CMD")
    assert build_parser().parse_args(yaml.safe_load(arguments)).command == "serve"
    (start,) = re.findall(r"^ExecStart=(.*)$", UNIT, re.M)
    assert build_parser().parse_args(shlex.split(start)[1:]).command == "serve"


def test_the_health_check_is_python(tmp_path: Path) -> None:
    (check,) = re.findall(r"CMD (\[\"python\".*\])", DOCKERFILE)
    compile(yaml.safe_load(check)[-1], "healthcheck", "exec")


def test_the_unit_waits_for_requests_under_way() -> None:
    (patience,) = re.findall(r"^TimeoutStopSec=(\d+)$", UNIT, re.M)
    assert float(patience) > (load(PACKAGING / "team.yaml").configuration.gateway.drain_s or 0)


@pytest.mark.parametrize(
    "line", ["DynamicUser=yes", "NoNewPrivileges=yes", "ProtectSystem=strict", "Restart=on-failure", "ProtectHome=yes"]
)
def test_the_unit_is_hardened(line: str) -> None:
    assert line in UNIT.splitlines()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "turnout.service"
    unit.write_text(UNIT.replace("/opt/turnout/bin/turnout", sys.executable), encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
