# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may do what in Argo CD, from the declaration of an inventory. Pure functions.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._paths import INFRA, SERVICES

Entry = dict[str, Any]

VARIABLE, ADMIN = "argocd_roles", "argocd_admin_enabled"
ALL = "*"  # every AppProject, and what belongs to none, such as repositories and accounts
PROJECTS = [INFRA, SERVICES]
VIEWER = (("applications", "get"), ("applicationsets", "get"), ("logs", "get"))
OPERATOR = (("applications", "sync"), ("applications", "rollback"), ("applications", "action/*"))
# Not `override`, which deploys what is not in Git, and nothing that changes an ApplicationSet.
ADMINISTRATOR = tuple(("applications", action) for action in ("create", "update", "update/*", "delete", "delete/*"))
ROLES = {"viewer": VIEWER, "operator": VIEWER + OPERATOR, "admin": VIEWER + OPERATOR + ADMINISTRATOR}
# Roles and users that Argo CD knows by itself.
BUILT_IN = {"viewer": "role:readonly", "admin": "role:admin"}
PROJECT = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
LOGIN = re.compile(r"accounts\.[^.]+")


def problems(entries: list[Entry]) -> Iterator[str]:
    """Return a sentence for each mistake in the declaration that the types of its entries do not show."""
    for number, entry in enumerate(entries, 1):
        yield from (f"{VARIABLE}, entry {number}: {problem}." for problem in _problems(entry))


def _problems(entry: Entry) -> Iterator[str]:
    groups = entry.get("groups")
    for group in groups if isinstance(groups, list) else []:
        if not isinstance(group, str) or not group.strip() or not group.isprintable():
            yield "groups must be names"
        elif group.startswith(("role:", "proj:")):
            yield f"{group} is a role of Argo CD, not a group"
        elif group == "admin":
            yield "admin is Argo CD's own administrator, and so is a group of that name; give the group another name"
    projects = entry.get("projects")
    for project in projects if isinstance(projects, list) else []:
        if not isinstance(project, str) or not (project == ALL or PROJECT.fullmatch(project)):
            yield 'projects must be names of AppProjects, or "*" for all'


def policy(entries: list[Entry], environment: str) -> str:
    """Return the policy of Argo CD for an environment; empty where nobody is named."""
    for problem in problems(entries):
        raise GitopsError(problem)
    lines: list[str] = []
    for entry in entries:
        if environment in (entry.get("environments") or [environment]):
            for project in entry.get("projects") or PROJECTS:
                role, rights = _role(entry["role"], project)
                lines += [*rights, *(f"g, {_quoted(group)}, {role}" for group in entry["groups"])]
    return "".join(f"{line}\n" for line in dict.fromkeys(lines))


def _role(name: str, project: str) -> tuple[str, list[str]]:
    """Return the name of a role for a project, and the lines that say what it may do."""
    if project == ALL and name in BUILT_IN:
        return BUILT_IN[name], []
    role = "role:operator" if project == ALL else f"role:{project}-{name}"
    lines = [f"p, {role}, {resource}, {action}, {project}/*, allow" for resource, action in ROLES[name]]
    # What an interface needs to show Applications of all projects has the built-in role.
    rest = f"g, {role}, role:readonly" if project == ALL else f"p, {role}, projects, get, {project}, allow"
    return role, [*lines, rest]


def _quoted(group: str) -> str:
    """Return a name as a field of CSV: that of LDAP has commas."""
    return '"{}"'.format(group.replace('"', '""')) if set(group) & set(',"#') or group != group.strip() else group


def login_problem(admin_enabled: Any, settings: Any) -> str:
    """Return why `admin` cannot be switched off: nobody else could log in. `settings` are those of argocd-cm."""
    if admin_enabled or not isinstance(settings, dict):  # a template is looked at when it is used
        return ""
    sso = any(settings.get(key) for key in ("oidc.config", "dex.config"))
    accounts = [value for key, value in settings.items() if LOGIN.fullmatch(str(key)) and key != "accounts.admin"]
    if sso or any("login" in re.split(r"[,\s]+", str(value)) for value in accounts):
        return ""
    return (
        f"{ADMIN} is false, but nobody else could log in to Argo CD: set dex.config, oidc.config or "
        "accounts.<name>: login in argocd_cm, or leave admin enabled."
    )
