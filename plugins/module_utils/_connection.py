# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the cluster that a kubeconfig names. Messages contain names from a kubeconfig, never its values.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils import _yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError

PREFIX = "K8S_AUTH_"
NO_PROXY = "K8S_AUTH_NO_PROXY"
# The Kubernetes releases that the operators support, and the newest one that was tested.
OLDEST, NEWEST = "1.34", "1.37"
KINDS = ("clusters", "contexts", "users")
# Entries of a kubeconfig by kind and name; the value is the content of `cluster`, `context` or `user`.
Entries = dict[str, dict[str, dict[str, Any]]]


def check_environment(environment: Mapping[str, str]) -> None:
    """Refuse environment variables with which kubernetes.core would complete or override a kubeconfig.

    The playbooks unset the known ones; this also finds those of a later kubernetes.core.
    """
    found = sorted(name for name in environment if name.startswith(PREFIX))
    if environment.get(NO_PROXY) == "":
        found.remove(NO_PROXY)  # set by ourselves
    if found:
        raise GitopsError(
            f"The environment has {', '.join(found)}, which would override what the inventory says about the cluster: "
            f"unset {' '.join(found)} and run again."
        )


def kubeconfig_files(named: str, environment: Mapping[str, str]) -> list[str]:
    """Return the absolute paths of the kubeconfig, or of kubectl's default when none is named."""
    text = named or environment.get("KUBECONFIG") or "~/.kube/config"
    # Not resolved: a kubeconfig that is a link has its relative paths next to the link.
    paths = [os.path.abspath(Path(part).expanduser()) for part in text.split(os.pathsep) if part]  # noqa: PTH100
    missing = [path for path in paths if not Path(path).is_file()]
    if named and missing:
        raise GitopsError(f"cluster_kubeconfig names {', '.join(missing)}, which does not exist.")
    if len(missing) == len(paths):
        raise GitopsError(
            f"cluster_kubeconfig is empty, and the default kubeconfig {', '.join(missing)} does not exist: "
            "set cluster_kubeconfig to a path."
        )
    # As with kubectl, KUBECONFIG may name files that do not exist.
    return [path for path in paths if path not in missing]


def read_kubeconfig(files: list[str]) -> Entries:
    """Return the merged entries; as with kubectl, the first of two entries with the same name wins."""
    entries: Entries = {kind: {} for kind in KINDS}
    for path in files:
        document = _load(path)
        for kind in KINDS:
            for item in document.get(kind) or []:
                name, value = item.get("name"), item.get(kind[:-1])
                if not name or not isinstance(value, dict):
                    raise GitopsError(f"{path} is not a kubeconfig: an entry of {kind} has no name or no {kind[:-1]}.")
                entries[kind].setdefault(name, value)
    return entries


def _load(path: str) -> dict[str, Any]:
    try:
        document: dict[str, Any] = _yaml.load(Path(path).read_text(encoding="utf-8"))
    except _yaml.YamlError as error:
        line = f" in line {error.line}" if error.line else ""
        raise GitopsError(f"{path} is not a kubeconfig: it is not valid YAML{line}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise GitopsError(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is not text'}.") from None
    lists = [document.get(kind) or [] for kind in KINDS] if isinstance(document, dict) else [None]
    if not all(isinstance(items, list) and all(isinstance(item, dict) for item in items) for items in lists):
        raise GitopsError(f"{path} is not a kubeconfig: clusters, contexts and users must be lists.")
    return document


def choose_context(entries: Entries, wanted: str, kubeconfig: str) -> str:
    """Return the name of the context that is used: the wanted one, else the only one, whether or not it is current."""
    names = sorted(entries["contexts"])
    if not names:
        raise GitopsError(f"{kubeconfig} has no contexts, so it does not name a cluster.")
    if wanted and wanted not in names:
        raise GitopsError(f"cluster_context is {wanted}, but {kubeconfig} has only these contexts: {', '.join(names)}.")
    if not wanted and len(names) > 1:
        raise GitopsError(
            f"{kubeconfig} has several contexts ({', '.join(names)}): set cluster_context to the one to use."
        )
    return wanted or names[0]


def check_complete(entries: Entries, context: str, kubeconfig: str) -> None:
    """Refuse a context without server or credentials; the client would use others, or none."""
    parts = entries["contexts"][context]
    cluster, user = parts.get("cluster"), parts.get("user")
    if cluster not in entries["clusters"]:
        raise GitopsError(f"Context {context} of {kubeconfig} names the cluster {cluster}, which does not exist.")
    if not entries["clusters"][cluster].get("server"):
        raise GitopsError(f"Cluster {cluster} of {kubeconfig} has no server.")
    if user and user not in entries["users"]:
        raise GitopsError(f"Context {context} of {kubeconfig} names the user {user}, which does not exist.")


def plugin_of(entries: Entries, context: str) -> str:
    """Return the command that gets the credentials of a context, if it has one."""
    user = entries["users"].get(entries["contexts"][context].get("user") or "", {})
    return str((user.get("exec") or {}).get("command", ""))


def proxies_of(entries: Entries, context: str) -> list[str]:
    """Return the proxies of a context, or those of all contexts when there is no such context."""
    contexts = entries["contexts"]
    chosen = [contexts[context]] if context in contexts else list(contexts.values())
    clusters = [entries["clusters"].get(parts.get("cluster") or "", {}) for parts in chosen]
    return [cluster["proxy-url"] for cluster in clusters if cluster.get("proxy-url")]


def check_uid(found: str, wanted: str, server: str) -> None:
    """Refuse any cluster but the pinned one."""
    if wanted and wanted != found:
        raise GitopsError(
            f"This is not the intended cluster: its namespace kube-system has the UID {found}, "
            f"cluster_uid says {wanted}. It was reached at {server}."
        )


def check_version(found: str, oldest: str, server: str) -> str:
    """Refuse a Kubernetes release that is too old for the operators; return a warning for an untested one."""
    release, supported = release_of(found), f"supported versions are {OLDEST} to {NEWEST}."
    if release is None:
        return f"{server} does not report its Kubernetes version ({found or 'nothing'}); {supported}"
    if release < (release_of(oldest) or (0, 0)):
        raise GitopsError(
            f"{server} is Kubernetes {found}; {supported} Upgrade the cluster, or set cluster_oldest_version when all "
            "components of the inventory run on it."
        )
    if release > (release_of(NEWEST) or (0, 0)):
        return f"{server} is Kubernetes {found}, which is newer than the tested versions; {supported}"
    return ""


def release_of(version: str) -> tuple[int, int] | None:
    """Return major and minor number of a version such as v1.36.2 or v1.34.1-eks-113cf36."""
    found = re.match(r"v?(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else None
