# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which environment a cluster serves, compared with what an inventory wants. Pure functions over plain objects.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import listed
from ansible_collections.monorepo.gitops.plugins.module_utils._git import public
from ansible_collections.monorepo.gitops.plugins.module_utils._paths import OVERLAY

CONFIG_MAP = "monorepo-gitops"
PART = "app.kubernetes.io/part-of"
NAMED = 3
FIELD_MANAGER = "monorepo.gitops"
SCP = re.compile(r"(?:[^/@]+@)?(?P<host>[^/:]+):(?P<path>[^/].*)")
DEFAULT_PORTS = {"http": 80, "https": 443, "ssh": 22, "git": 9418}

Object = dict[str, Any]


@dataclass(frozen=True)
class Side:
    """What one side of the comparison serves: the inventory, or something in the cluster."""

    environment: str
    repository: str
    revision: str
    paths: tuple[str, ...] = ()

    def text(self) -> str:
        """Return a phrase for messages."""
        layout = f" below {', '.join(self.paths)}" if self.paths and not self.environment else ""
        what = f"environment {self.environment}" if self.environment else "ApplicationSets"
        return f"{what} of {public(self.repository)} at {self.revision}{layout}"


@dataclass
class Facts:
    """What is known about the cluster and Git when the two sides are compared."""

    uid: str = ""
    recorded_version: str = ""
    own_version: str = ""
    is_new: bool = False  # it has nothing that is ours
    commits: list[str] = field(default_factory=list)  # commits that the Applications run
    unknown_commits: list[str] = field(default_factory=list)  # those missing in the history of the wanted revision
    lost_commits: list[str] = field(default_factory=list)  # those missing in the repository
    changed_overlays: list[str] = field(
        default_factory=list
    )  # overlays of this environment in Git that the run changes
    head: str = ""


def recorded_side(config_map: Object | None) -> Side | None:
    """Return the content of our ConfigMap, if it exists."""
    data = (config_map or {}).get("data") or {}
    if not data:
        return None
    return Side(data.get("environment", ""), data.get("repository", ""), data.get("revision", ""))


def applicationset_side(applicationset: Object) -> Side:
    """Return what an ApplicationSet follows; the environment is empty when its layout is not ours."""
    spec = applicationset.get("spec") or {}
    generators = [entry.get("git") or {} for entry in spec.get("generators") or []]
    source = ((spec.get("template") or {}).get("spec") or {}).get("source") or {}
    git = next((entry for entry in generators if entry.get("repoURL")), {})
    paths = tuple(entry.get("path", "") for entry in git.get("directories") or [] if not entry.get("exclude"))
    matches = [match for path in paths if (match := OVERLAY.fullmatch(path))]
    found = [match["environment"] for match in matches if match["name"] == "*"]
    environment = found[0] if len(found) == len(paths) and len(set(found)) == 1 else ""
    repository = str(git.get("repoURL") or source.get("repoURL") or "")
    return Side(environment, repository, str(git.get("revision") or "HEAD"), paths)


def overlay_of(application: Object) -> re.Match[str] | None:
    """Return the overlay that an Application reads, if it is one of our layout."""
    source = (application.get("spec") or {}).get("source") or {}
    return OVERLAY.fullmatch(str(source.get("path") or "").rstrip("/"))


def application_side(application: Object) -> Side:
    """Return what an Application that lost its ApplicationSet follows."""
    source = (application.get("spec") or {}).get("source") or {}
    found = overlay_of(application)
    return Side(
        found["environment"] if found else "", source.get("repoURL", ""), source.get("targetRevision") or "HEAD"
    )


def template_side(applicationset: Object) -> Side | None:
    """Return what the Applications of a set follow, where its template says so and not its generator."""
    side = applicationset_side(applicationset)
    source = (((applicationset.get("spec") or {}).get("template") or {}).get("spec") or {}).get("source") or {}
    url, revision = str(source.get("repoURL") or ""), str(source.get("targetRevision") or "HEAD")
    if not url or "{{" in url + revision:
        return None
    return Side(side.environment, url, revision, side.paths)


def living_sides(applicationsets: list[Object], recorded: Object | None, applications: list[Object]) -> list[Side]:
    """Return what a cluster serves; as a last resort, what Applications without an owner follow."""
    sides: list[Side | None] = []
    sides += [applicationset_side(item) for item in applicationsets]
    sides += [template_side(item) for item in applicationsets]
    sides.append(recorded_side(recorded))
    found = [side for side in sides if side]
    return found or sorted({application_side(item) for item in applications}, key=str)


def repository_name(url: str) -> str:
    """Return one spelling for all spellings of a repository's URL: those that name the same scheme, host and path."""
    url = url.strip()
    if url.startswith("/"):
        url = f"file://{url}"
    if "://" not in url and (match := SCP.fullmatch(url)):
        url = f"ssh://{match['host']}/{match['path']}"
    parts = urlsplit(url)
    scheme, host = parts.scheme.lower(), parts.netloc.rpartition("@")[2].lower()
    default = f":{DEFAULT_PORTS.get(scheme)}"
    path = re.sub(r"/+", "/", parts.path).rstrip("/").removesuffix(".git")
    return f"{scheme}://{host.removesuffix(default)}{path}"


def takeover_word(environment: str, *sides: Any) -> str:
    """Return the word that allows exactly this change; it is made from both sides."""
    text = json.dumps(sides, sort_keys=True, default=str)
    return f"{environment}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"


def compare(wanted: Side, living: list[Side], facts: Facts) -> tuple[list[str], list[str], str]:
    """Return the reasons to stop, the notes, and the word that lets the run continue."""
    stops: list[str] = []
    notes: list[str] = []
    foreign = [side for side in living if side.environment != wanted.environment]
    if foreign:
        stops.append(
            f"This cluster serves {_listed(foreign)}, but the inventory describes {wanted.text()}: was the inventory "
            "copied, or does it name the wrong cluster?"
        )
    else:
        _compare_repositories(wanted, living, facts, stops, notes)
    if facts.is_new and facts.changed_overlays:
        stops.append(
            f"Git already has environment {wanted.environment}, but this cluster (UID {facts.uid}) does not serve it "
            f"yet, and the run would change {listed(facts.changed_overlays, NAMED)}: was the inventory copied for a "
            "new cluster, and gitops_environment left as it was?"
        )
    if _older(facts.own_version, facts.recorded_version):
        stops.append(
            f"The last run on this cluster was by monorepo.gitops {facts.recorded_version}, but this is the older "
            f"{facts.own_version}: update the collection."
        )
    # Only differences: once a run has begun to write, some sides match the inventory already.
    evidence = sorted({_key(side) for side in living} - {_key(wanted)})
    word = takeover_word(
        wanted.environment,
        _key(wanted),
        evidence or [facts.uid, facts.head],
        [facts.recorded_version, facts.own_version] if _older(facts.own_version, facts.recorded_version) else [],
    )
    return stops, notes, word


def _compare_repositories(wanted: Side, living: list[Side], facts: Facts, stops: list[str], notes: list[str]) -> None:
    """Another repository or revision is a move when its history has what runs; otherwise it is a mistake."""
    others = [side for side in living if _follows(side) != _follows(wanted)]
    if not others:
        if facts.lost_commits:
            stops.append(
                f"{public(wanted.repository)} does not have commit {facts.lost_commits[0][:12]} that the Applications "
                "run: was the repository emptied, or its history rewritten?"
            )
        return
    if facts.unknown_commits:
        stops.append(
            f"This cluster serves {_listed(others)}, but the inventory names {public(wanted.repository)} at "
            f"{wanted.revision}, whose history does not have commit {facts.unknown_commits[0][:12]} that the "
            "Applications run: is gitops_repo_url or gitops_repo_revision mistyped, or the repository empty?"
        )
        return
    reason = (
        f"its history has commit {facts.commits[0][:12]} that the Applications run"
        if facts.commits
        else "no Application runs a commit yet"
    )
    notes.append(
        f"The cluster followed {public(others[0].repository)} at {others[0].revision} and will follow "
        f"{public(wanted.repository)} at {wanted.revision}; {reason}."
    )


def _key(side: Side) -> tuple[str, ...]:
    return side.environment, *_follows(side), *(() if side.environment else side.paths)


def _follows(side: Side) -> tuple[str, str]:
    return repository_name(side.repository), side.revision or "HEAD"


def _listed(sides: list[Side]) -> str:
    return "; ".join(dict.fromkeys(side.text() for side in sides))


def _older(own: str, recorded: str) -> bool:
    """Return whether a version comes before another one; a pre-release comes before its release (semver.org)."""
    return bool(own and recorded) and _precedence(own) < _precedence(recorded)


def _precedence(version: str) -> tuple[Any, ...]:
    core, _sep, before = version.partition("+")[0].partition("-")
    numbers = tuple(int(part) for part in re.findall(r"\d+", core))
    parts = tuple((part.isdigit() is False, int(part) if part.isdigit() else 0, part) for part in before.split("."))
    return numbers, not before, parts


def refusal(stops: list[str], word: str) -> str:
    """Return why a run stops, and how to continue."""
    return f"Nothing was written. {' '.join(stops)} If this is intended, continue with -e gitops_takeover={word}"


def config_map(namespace: str, wanted: Side, version: str, managed: bool) -> Object:
    """Return the ConfigMap that records which environment the cluster serves."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": CONFIG_MAP,
            "namespace": namespace,
            "labels": {"app.kubernetes.io/managed-by": FIELD_MANAGER},
        },
        "data": {
            "environment": wanted.environment,
            "repository": public(wanted.repository),
            "revision": wanted.revision,
            "collectionVersion": version,
            "argocdManaged": str(managed).lower(),
        },
    }


def is_recorded(live: Object | None, wanted: Object) -> bool:
    """Return whether the cluster has the ConfigMap as a run would write it."""
    if live is None:
        return False
    labels = live["metadata"].get("labels") or {}
    return bool(live.get("data") == wanted["data"] and wanted["metadata"]["labels"].items() <= labels.items())
