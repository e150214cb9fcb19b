"""Which room may import which: imports run one way, heavy libraries stay behind the room that needs them."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"

# A room may import rooms below it. Rooms of one level are siblings and do not know each other.
LEVELS = (
    ("turnout.errors", "turnout.kernel"),
    ("turnout.types", "turnout.files"),
    ("turnout.bandwidth",),
    ("turnout.resources", "turnout.descriptors"),
    ("turnout.config",),
    ("turnout.features",),
    ("turnout.predictor",),
    ("turnout.policy", "turnout.providers", "turnout.emulators", "turnout.history"),
    ("turnout.execution", "turnout.advice"),
    ("turnout",),
    ("turnout.learning", "turnout.gateway"),
    ("turnout.lab",),
    ("turnout.cli",),
)
LEVEL = {room: level for level, rooms in enumerate(LEVELS) for room in rooms}

TRAINING = {"pandas", "pyarrow", "sklearn", "scipy", "joblib", "matplotlib", "tqdm"}
NETWORK = {"socket", "ssl", "http", "httpx", "requests", "urllib", "urllib3", "aiohttp", "socketserver"}
UNSAFE = {"pickle", "marshal", "shelve", "dill", "cloudpickle"}


def module_name(path: Path, root: Path, package: str = "") -> str:
    parts = [*filter(None, [package]), *path.relative_to(root).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path, SOURCE): path for path in sorted(SOURCE.rglob("*.py"))}
JOBS = {
    module_name(path, ROOT / "pipelines", "turnout_pipelines"): path
    for path in sorted((ROOT / "pipelines").rglob("*.py"))
}
EVERY = MODULES | JOBS


@cache
def imports_of(module: str) -> frozenset[str]:
    """Every module that one module names in an import, those inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(EVERY[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} uses a relative import; name the package"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.add(whole if whole in EVERY else str(node.module))
    return frozenset(found)


def room(module: str) -> str:
    """The first folder or file under the package, or the package itself."""
    return ".".join(module.split(".")[:2])


def top(module: str) -> str:
    return module.split(".")[0]


def test_there_are_modules_to_look_at() -> None:
    assert len(MODULES) > 25 and "turnout.policy.router" in MODULES
    assert "turnout_pipelines.train" in JOBS
    assert imports_of("turnout.policy.router") >= {"turnout.features", "turnout.predictor", "turnout.policy.case"}


def offenders(forbidden: set[str], *, but: Callable[[str], bool] = lambda _: False) -> dict[str, set[str]]:
    """Modules of the package that import one of the named top-level packages, and which."""
    found = {module: {top(name) for name in imports_of(module)} & forbidden for module in MODULES if not but(module)}
    return {module: names for module, names in found.items() if names}


def makes_predictors(module: str) -> bool:
    return module.startswith("turnout.predictor.fit") or room(module) == "turnout.learning"


def test_every_room_has_its_level() -> None:
    new = {room(module) for module in MODULES} - LEVEL.keys()
    assert not new, "a new room: give it a level here and a line in the design"


@pytest.mark.parametrize("own", LEVEL)
def test_a_room_imports_only_itself_and_rooms_below(own: str) -> None:
    upward = {
        f"{module} imports {name}"
        for module in MODULES
        for name in imports_of(module)
        if room(module) == own and top(name) == "turnout" and room(name) != own and LEVEL[room(name)] >= LEVEL[own]
    }
    assert not upward


def test_the_policy_knows_neither_learning_nor_the_command() -> None:
    reachable, ahead = set(), [name for name in MODULES if room(name) == "turnout.policy"]
    while ahead:
        name = ahead.pop()
        if name in MODULES and name not in reachable:
            reachable.add(name)
            ahead.extend(imports_of(name))
    assert not {name for name in reachable if room(name) in ("turnout.learning", "turnout.cli")}


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {name: {other for other in imports_of(name) if other in EVERY and other != name} for name in EVERY}
    assert len(list(TopologicalSorter(graph).static_order())) == len(EVERY)


def test_nothing_in_the_package_imports_the_pipelines_or_mlflow() -> None:
    assert not offenders({"turnout_pipelines", "pipelines", "mlflow"})


def test_training_libraries_are_imported_only_where_predictors_are_made() -> None:
    assert not offenders(TRAINING, but=makes_predictors)


def test_only_learning_imports_the_fit() -> None:
    importers = {module for module in MODULES if "turnout.predictor.fit" in imports_of(module)}
    assert {room(module) for module in importers} == {"turnout.learning"}


def talks(module: str) -> bool:
    return room(module) in ("turnout.providers", "turnout.emulators", "turnout.gateway", "turnout.lab") or module in (
        "turnout.cli.emulate",
        "turnout.cli.look",
    )


def test_only_providers_their_emulators_the_gateway_and_the_laboratory_talk_to_a_network() -> None:
    assert not offenders(NETWORK, but=talks)


def waits(module: str) -> bool:
    return talks(module) or room(module) in ("turnout.execution", "turnout.cli")


def test_only_who_asks_providers_waits_in_an_event_loop() -> None:
    assert not offenders({"asyncio", "anyio"}, but=waits)


def test_nothing_in_the_package_runs_stored_code() -> None:
    assert not offenders(UNSAFE)


@pytest.mark.parametrize("module", EVERY)
def test_a_module_says_in_its_docstring_what_it_is_for(module: str) -> None:
    said = ast.get_docstring(ast.parse(EVERY[module].read_text(encoding="utf-8")))
    assert said and len(said.split()) > 3


def test_every_module_fits_on_a_few_screens() -> None:
    lines = {module: len(path.read_text(encoding="utf-8").splitlines()) for module, path in EVERY.items()}
    assert not {module: count for module, count in lines.items() if count > 300}


def test_a_fresh_process_routes_without_any_heavy_or_network_library(champion: Path) -> None:
    script = (
        "import json, sys\n"
        "from turnout import Router\n"
        "decision = Router.load(sys.argv[1]).route('quick question: why does our lock deadlock under failover?')\n"
        "assert decision.candidate\n"
        "print(json.dumps(sorted(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(champion)], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = set(json.loads(done.stdout))
    assert "numpy" in loaded
    assert not {top(name) for name in loaded} & (TRAINING | {"mlflow", "turnout_pipelines"})
    # numpy and pathlib touch urllib.parse, which only takes strings apart.
    assert not loaded & {"socket", "_socket", "ssl", "http.client", "urllib.request", "httpx", "requests", "asyncio"}
    assert not {name for name in loaded if room(name) in ("turnout.learning", "turnout.cli")}
    assert "turnout.predictor.fit" not in loaded


def test_the_command_parses_its_arguments_without_training_libraries() -> None:
    script = (
        "import sys\nfrom turnout.cli.main import build_parser\n"
        "build_parser().parse_args(['train', '--outcomes', 'a.parquet'])\nprint(*sorted(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert not {top(name) for name in done.stdout.split()} & (TRAINING | {"mlflow", "turnout_pipelines"})
