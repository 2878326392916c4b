# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a container of a pod does not start, or does not go on running: a function for each cause.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ansible_collections.monorepo.gitops.plugins.module_utils._diagnosis.evidence import Found, Manifest, unwrapped
from ansible_collections.monorepo.gitops.plugins.module_utils._diagnosis.pods import (
    Container,
    command,
    containers,
    is_ready,
    message_about,
    since,
    specification,
)

PULLING = ("ErrImagePull", "ImagePullBackOff", "ImageInspectError", "RegistryUnavailable", "SignatureValidationFailed")
CREATING = ("CreateContainerError", "RunContainerError", "CreatePodSandboxError", "PostStartHookError")
# The container runtime could not start the program.
UNSTARTED = ("StartError", "ContainerCannotRun")
# What the registry says when it has no such image.
ABSENT = re.compile(r"not found|manifest unknown|name unknown|does not exist", re.I)
REFUSING = re.compile(r"unauthorized|authentication required|denied|forbidden|no basic auth", re.I)
NO_PROGRAM = re.compile(r"executable file not found|no such file or directory|exec format error|permission denied")
# After so many attempts, which take about a minute, the registry is believed.
PULLS = 3
MESSAGE_LETTERS = 300


# --- what it cannot start without -------------------------------------------------------------------------------------


def image(pod: Manifest, events: list[Manifest]) -> Found | None:
    """Recognize that an image cannot be pulled."""
    for container in containers(pod):
        reason = container.waiting.get("reason")
        name = str(container.status.get("image") or specification(pod, container.name).get("image") or "")
        if reason == "InvalidImageName":
            text = unwrapped(container.waiting.get("message") or reason)
            what = "correct the name of the image in Git"
            why = f"{container.label}: {reason}: {name} is not a valid image name: {text}"
            return Found(why, what, since(pod), final=True)
        if reason == "ErrImageNeverPull":
            text = unwrapped(container.waiting.get("message") or reason)
            what = "load the image on the node, or let it be pulled"
            return Found(f"{container.label}: {reason}: {text}", what, since(pod))
        if reason in PULLING:
            return _unpulled(pod, container, name, events)
    return None


def _unpulled(pod: Manifest, container: Container, name: str, events: list[Manifest]) -> Found:
    told = unwrapped(container.waiting.get("message") or "")
    event = message_about(events, container.name, "Failed", begins=("Failed to pull",))
    text = told or unwrapped(event) or str(container.waiting["reason"])
    # The registry's answer begins with the whole name.
    whole, _sep, rest = text.partition(": ")
    text = rest if rest and whole.endswith(name) else text
    absent = bool(ABSENT.search(text)) and not REFUSING.search(text)
    what = "correct its name in Git, or push it" if absent else "check whether its node reaches the registry"
    if REFUSING.search(text):  # many registries say so of what they do not have, too
        what = "correct its name in Git, or give the pod a pull secret of its registry (imagePullSecrets)"
    # The first times, whatever builds it may not have pushed it yet.
    final = absent and pulls(events, container.name) >= PULLS
    which = f"image {name}" if name else "its image"
    # A kubelet says both in turn.
    reason = str(container.waiting["reason"]).replace("ErrImagePull", "ImagePullBackOff")
    why = f"{container.label}: {reason}: {which} cannot be pulled" + ("" if text in PULLING else f": {text}")
    return Found(why, what, since(pod), final=final)


def pulls(events: list[Manifest], container: str) -> int:
    """Return how often an image could not be pulled."""
    failed_pulls = [
        event for event in events if message_about([event], container, "Failed", begins=("Failed to pull",))
    ]
    return sum(int((event.get("series") or {}).get("count") or event.get("count") or 1) for event in failed_pulls)


def configuration(pod: Manifest, _events: list[Manifest]) -> Found | None:
    """Recognize that a Secret, a ConfigMap or a key of one is missing, or its user is not permitted."""
    for container in containers(pod):
        if container.waiting.get("reason") == "CreateContainerConfigError":
            text = str(container.waiting.get("message") or "its configuration is not valid")
            missing = "not found" in text or "couldn't find key" in text
            what = "find out what should create it, or correct its name in Git" if missing else command("describe", pod)
            return Found(f"{container.label}: {text}", what, since(pod))
    return None


def program(pod: Manifest, _events: list[Manifest]) -> Found | None:
    """Recognize that the container runtime cannot start its program."""
    for container in containers(pod):
        waiting, last = container.waiting, termination(container.status, ready=False)
        text = str(waiting.get("message") or "") if waiting.get("reason") in CREATING else ""
        if last.get("reason") in UNSTARTED:
            text = str(last.get("message") or "") or text
        if text or waiting.get("reason") in CREATING:
            reason = last["reason"] if last.get("reason") in UNSTARTED else waiting["reason"]
            why = unwrapped(text)
            final = why.startswith("exec") and bool(NO_PROGRAM.search(why))
            what = "correct command or image in Git" if final else command("describe", pod)
            text = ": ".join(filter(None, [f"{container.label} cannot be started", reason, why]))
            return Found(text, what, since(pod), final=final)
    return None


# --- what does not go on running --------------------------------------------------------------------------------------


def termination(status: Manifest, ready: bool) -> Manifest:
    """Return how a container ended that has not started again, or that starts again and again."""
    state, last = status.get("state") or {}, (status.get("lastState") or {}).get("terminated") or {}
    if state.get("terminated"):
        return dict(state["terminated"])
    # While it runs, it has ended before only if it is not ready.
    return dict(last) if state.get("waiting") or not (ready or status.get("ready")) else {}


def failed(pod: Manifest) -> Iterator[tuple[Container, Manifest]]:
    """Yield the containers that have ended with an error, and how."""
    for container in containers(pod):
        last = termination(container.status, is_ready(pod))
        if last.get("exitCode") or last.get("reason") == "OOMKilled":
            yield container, last


def restarts(container: Container) -> str:
    """Return how often a container was restarted, as the end of a clause."""
    number = int(container.status.get("restartCount") or 0)
    return f", restarted {'once' if number == 1 else f'{number} times'}" if number else ""


def log_of(pod: Manifest, container: Container) -> tuple[str, tuple[str, bool]]:
    """Return the command that shows the log of the run that ended, and which one that is."""
    previous = not (container.status.get("state") or {}).get("terminated")
    more = f" -c {container.name}" + (" --previous" if previous else "")
    return command("logs", pod, more), (container.name, previous)


def memory(pod: Manifest, _events: list[Manifest]) -> Found | None:
    """Recognize that a container needs more memory than its limit."""
    for container, last in failed(pod):
        if last.get("reason") == "OOMKilled":
            limit = limit_of(pod, container.name)
            why = f"{container.label} was killed because it needs more memory than {limit or 'its node has'}"
            change = "raise its limit" if limit else "set its request and its limit"
            what = f"{change} of memory in Git; {log_of(pod, container)[0]}"
            return Found(f"{why} (OOMKilled){restarts(container)}", what, since(pod), log=log_of(pod, container)[1])
    return None


def limit_of(pod: Manifest, name: str) -> str:
    """Return the limit of memory of a container, in words."""
    limits = (specification(pod, name).get("resources") or {}).get("limits") or {}
    return f"its limit of {limits['memory']}" if limits.get("memory") else ""


def probe(pod: Manifest, events: list[Manifest]) -> Found | None:
    """Recognize that a liveness or startup probe fails, so that its container is restarted."""
    for container in containers(pod):
        text = message_about(events, container.name, "Unhealthy", begins=("Liveness", "Startup"))
        if text and not is_ready(pod):
            what, log = log_of(pod, container)
            return Found(f"{container.label}: {text}{restarts(container)}", what, since(pod), log=log)
    return None


def crash(pod: Manifest, _events: list[Manifest]) -> Found | None:
    """Recognize that a program ends with an error."""
    for container, last in failed(pod):
        what, log = log_of(pod, container)
        loop = ": CrashLoopBackOff: it" if container.waiting.get("reason") == "CrashLoopBackOff" else ""
        how = f"{exited(pod, container, last)}{restarts(container)}{own_words(pod, container, last)}"
        return Found(f"{container.label}{loop} {how}", what, since(pod), log=log)
    for container in containers(pod):
        # It says that it is done, again and again.
        if container.waiting.get("reason") == "CrashLoopBackOff":
            what, log = log_of(pod, container)
            why = f"{container.label}: CrashLoopBackOff: it ends without an error{restarts(container)}"
            return Found(why, what, since(pod), log=log)
    return None


def exited(pod: Manifest, container: Container, last: Manifest) -> str:
    """Return how a container ended; `Error` says no more than the number."""
    reason, limit = last.get("reason"), limit_of(pod, container.name)
    if reason in (None, "Error"):
        # The kernel kills with this signal, too, and not every container runtime sees why.
        cause = f", perhaps because of {limit} of memory" if limit else ""
        reason = f"SIGKILL{cause}" if last["exitCode"] == 137 else None
    return f"exited with {last['exitCode']}" + (f" ({reason})" if reason else "")


def own_words(pod: Manifest, container: Container, last: Manifest) -> str:
    """Return what a program left as its message, unless that is the end of its log, which may hold a secret."""
    policy = specification(pod, container.name).get("terminationMessagePolicy", "File")
    text = str(last.get("message") or "").strip() if policy == "File" else ""
    return f": {text[-MESSAGE_LETTERS:]}" if text else ""


def readiness(pod: Manifest, events: list[Manifest]) -> Found | None:
    """Recognize that a readiness probe fails."""
    for container in containers(pod):
        text = message_about(events, container.name, "Unhealthy", begins=("Readiness",))
        if text and not is_ready(pod):
            what = command("logs", pod, f" -c {container.name}")
            return Found(f"{container.label}: {text}", what, since(pod), log=(container.name, False))
    return None
