# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between two reports: versions and images, states, warnings and commits. Pure functions.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._report import words

Report = Mapping[str, Any]
IS = {"ready": "is ready", "waiting": "is not ready", "failed": "has failed"}
WAS = {"ready": "it was ready", "waiting": "it was not ready", "failed": "it had failed"}


def change(before: str, now: str) -> str:
    """Return how a version differs from the one before it: newer, older, changed, or not at all."""
    if before == now:
        return ""
    first, second = (numbers(text) for text in (before, now))
    if not first or not second or first == second:
        return "changed"
    return "newer" if second > first else "older"


def numbers(version: str) -> tuple[int, ...]:
    """Return the numbers of a version; a digest has none."""
    return () if version.startswith("sha256:") else tuple(int(number) for number in re.findall(r"\d+", version))


def versions(now: Mapping[str, str], last: Report | None) -> list[dict[str, str]]:
    """Return the versions that are known, each with the one that the last report has."""
    before = {entry["name"]: entry["version"] for entry in (last or {}).get("versions", [])}
    return [
        {"name": name, "version": version, "before": old, "change": change(old, version) if old else ""}
        for name, version in now.items()
        if version
        for old in [before.get(name, "")]
    ]


def split(image: str) -> tuple[str, str]:
    """Return the name of an image and its version: the tag, or the digest where there is no tag."""
    name, _sep, digest = image.partition("@")
    path, sep, tag = name.rpartition(":")
    return (path, tag) if sep and "/" not in tag else (name, digest or "latest")


def images(applications: Iterable[Mapping[str, Any]], last: Report | None) -> list[dict[str, Any]]:
    """Return the images that run, each with its Applications and the version that the last report has."""
    users: dict[tuple[str, str], list[str]] = {}
    for entry in applications:
        for image in entry["images"]:
            users.setdefault(split(image), []).append(entry["name"])
    old: dict[str, set[str]] = {}
    for entry in (last or {}).get("images", []):
        old.setdefault(entry["name"], set()).add(entry["version"])
    found = []
    for (name, version), names in sorted(users.items()):
        gone = sorted(old.get(name, set()) - {other for known, other in users if known == name})
        kept = not last or version in old.get(name, set())
        before = "" if kept or not gone else gone[-1]
        how = "" if kept else change(before, version) if before else "new"
        found.append({"name": name, "version": version, "applications": names, "before": before, "change": how})
    return found


def since(last: Report | None, now: Report) -> dict[str, Any]:
    """Return what changed since the last report, in sentences."""
    if not last:
        return {"since": "", "texts": []}
    texts = [
        *_commit(last, now),
        *_outcome(last, now),
        *_applications(_by_name(last), _by_name(now)),
        *(
            f"{entry['name']} {entry['before']} → {entry['version']} ({entry['change']})."
            for entry in [*now["versions"], *now["images"]]
            if entry["before"] and entry["change"]
        ),
        *(f"New image: {entry['name']} {entry['version']}." for entry in now["images"] if entry["change"] == "new"),
        *(f"New warning: {text}" for text in now["warnings"] if text not in last["warnings"]),
        *(f"No longer warned of: {text}" for text in last["warnings"] if text not in now["warnings"]),
    ]
    return {"since": last["time"], "texts": texts}


def _by_name(report: Report) -> dict[str, Mapping[str, Any]]:
    return {entry["name"]: entry for entry in report["applications"]}


def _commit(last: Report, now: Report) -> list[str]:
    before, after = words.short(last["commit"]), words.short(now["commit"])
    return [f"Commit {before} → {after}."] if before and after and before != after else []


def _outcome(last: Report, now: Report) -> list[str]:
    if last["kind"] not in (words.RUN, words.PROMOTION) or now["kind"] not in (words.RUN, words.PROMOTION):
        return []
    if last["succeeded"] == now["succeeded"]:
        return []
    return [
        "The last one failed; this one did not." if now["succeeded"] else "The last one succeeded; this one failed."
    ]


def _applications(last: Mapping[str, Mapping[str, Any]], now: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return which Applications came, left, and changed their state. Without Applications a run stopped too early."""
    if not last or not now:
        return []
    texts = [f"New: {words.names([name for name in now if name not in last], 10)}."] if now.keys() - last.keys() else []
    if gone := [name for name in last if name not in now]:
        texts.append(f"No longer there: {words.names(gone, 10)}.")
    for name in [name for name in now if name in last]:
        before, after = last[name], now[name]
        if before["state"] != after["state"]:
            texts.append(f"{name} {IS[after['state']]}; {WAS[before['state']]}.")
        if bool(before["paused"]) != bool(after["paused"]):
            texts.append(f"{name} is paused." if after["paused"] else f"{name} is no longer paused.")
    return texts
