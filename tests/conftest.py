# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make this clone importable as ansible_collections.monorepo.gitops, next to the collections of the package ansible."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder
from rendering import Renderings
from xdist.scheduler import LoadFileScheduling

ROOT = Path(__file__).resolve().parent.parent

_AnsibleCollectionFinder(paths=[str(ROOT / "collections"), sysconfig.get_path("purelib")])._install()


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Renderings:
    """Return what builds an inventory: `rendered("prod", gitops_tls=False)["kafka"]` is a list of objects."""
    folder = tmp_path_factory.getbasetemp()
    # A folder that all processes share.
    return Renderings((folder.parent if os.environ.get("PYTEST_XDIST_WORKER") else folder) / "rendered")


# --- which tests run, and in which order -----------------------------------------------------------------------------

# Files that share a cluster run in the same process, so that it is brought up once, and does not idle in the others.
SHARED = {
    "test_environment": (
        "test_wait",
        "test_streams",
        "test_site",
        "test_operate",
        "test_pause",
        "test_notifications",
        "test_argocd_cli",
        "test_logs_and_diff",
        "test_status",
        "test_bad_input",
        "test_reached_cluster",
        "test_components",
        "test_gateway",
        "test_kubectl",
        "test_access",
    ),
    "complete_environment": ("test_secrets", "test_complete", "test_convergence"),
}
# The slowest come first, so that the processes end at about the same time.
SLOWEST = (
    "test_environment",
    "test_guards",
    "complete_environment",
    "test_faults",
    "test_molecule",
    "test_environments",
    "test_operate_state",
    "test_adoption",
    "test_shared_namespaces",
    "test_official_files",
    "test_other_user",
    "test_tutorial",
    "test_impersonation",
    "test_overlays",
    "test_simulation",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", metavar="PART", default="", help="run the long tests of this part, and no others")


def cluster(name: str) -> str:
    """Return the fixture of the cluster that a file shares with others, else the name of the file."""
    return next((fixture for fixture, files in SHARED.items() if name in files), name)


def place(item: pytest.Item) -> tuple[int, int]:
    """Return the place of a test's file among the others."""
    name = item.path.stem
    shared = SHARED.get(cluster(name), (name,))
    return SLOWEST.index(cluster(name)) if cluster(name) in SLOWEST else len(SLOWEST), shared.index(name)


def check_shared(items: list[pytest.Item]) -> None:
    """Stop when a file uses a shared cluster and is not in the list of those that do."""
    for item in items:
        for fixture in SHARED.keys() & {*getattr(item, "fixturenames", ())}:
            if item.path.stem not in SHARED[fixture]:
                raise pytest.UsageError(f"{item.path.name} uses {fixture}: add it to SHARED in tests/conftest.py.")


def part(item: pytest.Item) -> str:
    """Return the part of `make test-long` that a test belongs to, or nothing."""
    marker = item.get_closest_marker("long")
    return marker.args[0] if marker else ""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    check_shared(items)
    wanted = config.getoption("long")
    left_out = [item for item in items if part(item) != wanted]
    items[:] = sorted((item for item in items if part(item) == wanted), key=place)
    config.hook.pytest_deselected(items=left_out)
    known = sorted({part(item) for item in left_out if part(item)})
    if wanted and not items:
        raise pytest.UsageError(f"No long test belongs to part {wanted}: use one of {', '.join(known)}.")
    config.stash[LEFT_OUT] = Counter(part(item) for item in left_out if part(item))


LEFT_OUT = pytest.StashKey[Counter[str]]()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tell the process that started this worker what was left out; only workers collect."""
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["left_out"] = dict(session.config.stash.get(LEFT_OUT, Counter()))


class Scheduling(LoadFileScheduling):
    """Files in parallel, except those that share a cluster."""

    def _split_scope(self, nodeid: str) -> str:
        return cluster(Path(super()._split_scope(nodeid)).stem)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling | None:
    return Scheduling(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    node.config.stash[LEFT_OUT] = Counter(getattr(node, "workeroutput", {}).get("left_out", {}))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Name a failure when it happens; with several processes the summary comes many minutes later."""
    if report.failed and not os.environ.get("PYTEST_XDIST_WORKER"):
        print(f"\nFAILED {report.nodeid} ({report.when})", file=sys.__stdout__, flush=True)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the seconds of each slow file, and what was not run."""
    seconds: Counter[str] = Counter()
    for report in (entry for reports in terminalreporter.stats.values() for entry in reports):
        if hasattr(report, "duration"):
            seconds[report.nodeid.partition("::")[0]] += report.duration
    slow = [(name, spent) for name, spent in seconds.most_common() if spent >= 10]
    if slow:
        terminalreporter.section("seconds by file, one after the other")
        for name, spent in slow:
            terminalreporter.write_line(f"{spent:7.0f}  {name}")
    for name, count in sorted(config.stash.get(LEFT_OUT, Counter()).items()):
        if not config.getoption("long"):
            terminalreporter.write_line(f"Not run: {count} long tests, make test-long PART={name}")
