# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The specification of an Application with other settings, as `argocd app set` makes it. Functions without effects.

The rules are those of SetAppSpecOptions in cmd/util/app.go at v3.6.1. What is the same already stays as it is.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import (
    Application,
    deletion_text,
    is_deleted,
    status_of,
)

Settings = dict[str, Any]
AUTOMATED = {"auto_prune": "prune", "self_heal": "selfHeal", "allow_empty": "allowEmpty"}
KUSTOMIZE = ("kustomize_images", "kustomize_replicas", "name_prefix", "name_suffix")
OF_SOURCE = ("revision", "helm_parameters", *KUSTOMIZE)
OF_POLICY = ("sync_policy", "sync_options", *AUTOMATED)


def given(settings: Settings, names: tuple[str, ...]) -> list[str]:
    """Return which of the settings were given."""
    return [name for name in names if settings.get(name) is not None]


def wanted_spec(application: Application, settings: Settings) -> dict[str, Any]:
    """Return the specification with the settings; one that was not given stays."""
    spec: dict[str, Any] = deepcopy(application.get("spec") or {})
    if given(settings, OF_POLICY):
        put(spec, "syncPolicy", set_policy(spec.get("syncPolicy") or {}, settings))
    if given(settings, OF_SOURCE):
        spec["source"] = set_source(spec.get("source") or {}, settings)
    return spec


def put(target: dict[str, Any], key: str, value: Any) -> None:
    """Set a field; nothing instead of something empty."""
    target.pop(key, None)
    if value:
        target[key] = value


def set_policy(policy: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """Return a sync policy with the settings."""
    options = settings.get("sync_options")
    if options is not None:
        put(policy, "syncOptions", set_options(policy.get("syncOptions") or [], options))
    automated = set_automated(policy.get("automated"), settings)
    policy.pop("automated", None)
    return policy | ({} if automated is None else {"automated": automated})  # an empty one means that it is on


def set_automated(automated: dict[str, Any] | None, settings: Settings) -> dict[str, Any] | None:
    """Return the policy for automated sync: switched on it keeps its details, which alone do not switch it on."""
    sync_policy = settings.get("sync_policy")
    if sync_policy == "none":
        automated = None
    if sync_policy == "automated":
        automated = {key: value for key, value in (automated or {}).items() if key != "enabled"}
    details = {field: settings[name] for name, field in AUTOMATED.items() if settings.get(name) is not None}
    if not details or (automated is None and not any(details.values())):  # without a policy all of them are off
        return automated
    before = {"enabled": False} if automated is None else automated
    # What is not there is false.
    return before | {key: value for key, value in details.items() if bool(before.get(key)) != value}


def set_options(options: list[str], wanted: list[str]) -> list[str]:
    """Return sync options with others; `!` removes one, and `Prune=false` takes the place of `Prune=true`."""
    found = list(options)
    for option in wanted:
        if option.startswith("!"):
            found = [entry for entry in found if option[1:] not in (entry, option_name(entry))]
        else:
            found = merged(found, option, option_name, option_name(option))
    return found


def option_name(option: str) -> str:
    """Return the name of a sync option, without its value."""
    return option.partition("=")[0]


def set_source(source: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """Return a source with the settings."""
    revision = settings.get("revision")
    if revision is not None and revision != (source.get("targetRevision") or "HEAD"):
        put(source, "targetRevision", revision)
    if given(settings, KUSTOMIZE):
        put(source, "kustomize", set_kustomize(source.get("kustomize") or {}, settings))
    if settings.get("helm_parameters") is not None:
        put(source, "helm", set_helm(source.get("helm") or {}, settings["helm_parameters"]))
    return source


def set_kustomize(kustomize: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """Return the Kustomize options of a source with the settings."""
    for name, field in (("name_prefix", "namePrefix"), ("name_suffix", "nameSuffix")):
        if settings.get(name) is not None:
            put(kustomize, field, settings[name])
    images = kustomize.get("images") or []
    for image in settings.get("kustomize_images") or []:
        images = merged(images, image, image_name, image_name(image))
    replicas = kustomize.get("replicas") or []
    for name, count in (settings.get("kustomize_replicas") or {}).items():
        replicas = merged(replicas, {"name": name, "count": int(count)}, lambda entry: entry["name"], name)
    put(kustomize, "images", images)
    put(kustomize, "replicas", replicas)
    return kustomize


def set_helm(helm: dict[str, Any], parameters: dict[str, Any]) -> dict[str, Any]:
    """Return the Helm options of a source with parameters."""
    found = helm.get("parameters") or []
    for name, value in parameters.items():
        found = merged(found, {"name": name, "value": str(value)}, lambda entry: entry["name"], name)
    put(helm, "parameters", found)
    return helm


def merged(entries: list[Any], wanted: Any, key: Callable[[Any], str], name: str) -> list[Any]:
    """Return a list with an entry in the place of the one with the same name, or at its end."""
    if name not in [key(entry) for entry in entries]:
        return [*entries, wanted]
    return [wanted if key(entry) == name else entry for entry in entries]


def image_name(image: str) -> str:
    """Return the name that an image override is about: that before `=`, the tag or the digest."""
    return re.split(r"=|@", image)[0] if "=" in image else re.sub(r"(:[^/:@]+)?(@.*)?$", "", image)


def contradiction(settings: Settings) -> str:
    """Return what is wrong with settings, whatever Application they are for; nothing when they make sense."""
    on = [name for name in AUTOMATED if settings.get(name)]
    if settings.get("sync_policy") == "none" and on:
        return f"sync_policy none removes what {' and '.join(on)} would switch on: leave one of them out"
    for option in settings.get("sync_options") or []:
        name, _sep, value = option.removeprefix("!").partition("=")
        if not name or (not value and not option.startswith("!")):
            shown = option or "an empty option"
            return f"sync_options has {shown}: write Name=value to add one, and !Name or !Name=value to remove one"
    return ""


def setting_refusal(application: Application, settings: Settings, paused: str) -> str:
    """Return why settings do not fit an Application, or nothing."""
    spec = application.get("spec") or {}
    if is_deleted(application):
        return deletion_text(application, [])
    if paused and given(settings, ("sync_policy", *AUTOMATED)):
        return f"{paused}: resume it first, which restores its policy"
    of_source = given(settings, OF_SOURCE)
    if of_source and spec.get("sources"):
        return f"has {len(spec['sources'])} sources, so {', '.join(of_source)} would be ambiguous: change it in Git"
    kind = status_of(application).get("sourceType") or ""
    foreign = {"Kustomize": ["helm_parameters"], "Helm": [*KUSTOMIZE]}.get(kind, [*KUSTOMIZE, "helm_parameters"])
    unfit = [name for name in foreign if kind and settings.get(name) is not None]
    return f"has a source of type {kind}, for which {', '.join(unfit)} means nothing" if unfit else ""


def merge_patch(before: Any, after: Any) -> Any:
    """Return the JSON merge patch (RFC 7386) that turns one object into another one."""
    if not isinstance(before, dict) or not isinstance(after, dict):
        return after
    gone: dict[str, Any] = dict.fromkeys(before.keys() - after.keys())
    changed = {key: merge_patch(before.get(key), value) for key, value in after.items() if value != before.get(key)}
    return gone | changed
