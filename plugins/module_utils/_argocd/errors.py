# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an error in the status of an Application is: whether it may pass, and what of its text is the cause.

Argo CD writes errors as text, each wrapped in those of its callers. Whether one may pass follows from the gRPC code,
the HTTP status, the reason of the API server, or the step of a connection that failed, each at its place in the text:
a file may have any name, and a manifest any content.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import NamedTuple


class Nature(Enum):
    """What may become of an error."""

    PASSING = "a server is not reached, is busy or is starting: the manifests are not the cause"
    FINAL = "the same input leads to the same error"
    ABSENT = "the API server does not serve a kind that another component may provide"
    OPEN = "either is possible"


GRPC = re.compile(r"\brpc error: code = (\w+) desc = ")
PASSING_CODES = {"Aborted", "Canceled", "DeadlineExceeded", "ResourceExhausted", "Unavailable"}
FINAL_CODES = {
    "FailedPrecondition",
    "InvalidArgument",
    "NotFound",
    "OutOfRange",
    "PermissionDenied",
    "Unauthenticated",
    "Unimplemented",
}
# How go-git, git, Helm and ORAS say with which status a server has answered.
STATUS = re.compile(
    r'\brequesting "[^"]*" status code: (\d{3})\b'
    r"|\bThe requested URL returned error: (\d{3})\b"
    r"|\bfailed to fetch \S+ : (\d{3}) "
    r'|\b[A-Z]+ "[^"]*": (?:response|unexpected) status code:? (\d{3})\b'
)
PASSING_STATUS = {408, 425, 429}
# Steps of a connection that failed, as Go's net and net/http, libcurl and ssh report them, and the time that Argo CD
# gives a command.
CONNECTION = re.compile(
    r"\b(?:dial|read|write) (?:tcp|udp|unix)[46]?(?: \S+)?: "
    r'|\b(?:Get|Head|Patch|Post|Put|Delete) "[^"]*": '
    r"(?:EOF|unexpected EOF|context deadline exceeded|http2: |net/http: )"
    r"|\bunable to access '[^']*': (?:Failed to connect|Could not resolve host|Connection timed out|Operation timed out"
    r"|Empty reply from server|Recv failure)"
    r"|\bssh: connect to host \S+ port \d+: "
    r"|` failed timeout after \S+$"
    r"|(?:^|: )context deadline exceeded(?: \(Client\.Timeout exceeded while awaiting headers\))?$"
)
# Answers of the API server that say to come again: reasons InternalError, ServiceUnavailable, Timeout and Conflict.
BUSY = re.compile(
    r"\bInternal error occurred: "
    r"|\bthe server is currently unable to handle the request\b"
    r"|\bthe server was unable to return a response in the time allotted\b"
    r"|\betcdserver: "
    r'|\bfailed calling webhook "'
    r"|\bOperation cannot be fulfilled on "
    r"|\bbecause it is being terminated\b"
)
# Answers with the reasons Invalid and BadRequest, and the verdicts of admission.
REFUSED = re.compile(
    r'(?:^|[:=] )[\w.-]+ "[^"]*" is invalid: '
    r'|\badmission webhook "[^"]*" denied the request\b'
    r"|\bValidatingAdmissionPolicy '[^']*' with binding '[^']*' denied request\b"
    r'|\bis forbidden: violates PodSecurity "'
    r'|\bin version "[^"]*" cannot be handled as a '
    r"|\bfailed to create typed patch object \("
    r'|\berror validating (?:data|"[^"]*"): '
)
# What Argo CD itself refuses (util/argo/argo.go and controller/sync.go at v3.6.1), and commands that failed.
NOT_PERMITTED = re.compile(
    r"(?:^|[:=] )(?:resource [\w.-]*:\w+|namespace \S+|application repo \S+|sync source repo \S+) is not permitted in "
    r"|(?:^|[:=] )application destination server '[^']*' and namespace '[^']*' do not match any of the allowed "
)
WIPES_OUT = re.compile(r"^Skipping sync attempt to .*: auto-sync will wipe out all resources$")
# How Argo CD refuses a commit where its AppProject asks for a signature (util/sourceintegrity at v3.6.1).
UNSIGNED = re.compile(r"(?:^|[:=] )GIT/GPG: Failed verifying revision (?!.*: signed with key not in keyring )")
# Argo CD takes the second quotation mark for a part of the path that it leaves out.
COMMAND = re.compile(r"(?:^|[:=] )`(?:kustomize|helm) [^`]*`? failed exit status \d+: ")
REPOSITORY = re.compile(r"(?:^|[:=] )(?:authentication required|authorization failed|repository not found)(?:$|: )")
NO_KIND = re.compile(
    r'The Kubernetes API could not find (?:version "(?P<version>[^"]*)" of )?'
    r"(?P<group>[\w.-]*)/(?P<kind>\w+) for requested "
    r'|\bno matches for kind "(?P<kind2>\w+)" in version "(?:(?P<group2>[\w.-]+)/)?(?P<version2>[\w.-]+)"'
)
NOT_FOUND = "the server could not find the requested resource"


class Missing(NamedTuple):
    """A kind that the API server does not serve; the version is empty where the error is about all of them."""

    group: str
    kind: str
    version: str = ""


# What Argo CD adds to a cause, and kubectl, which names the temporary file that it reads from.
WRAPPING = re.compile(
    r"\bFailed to load (?:target|live) state: |\bfailed to generate manifest for source 1 of 1: "
    r"|\brpc error: code = \w+ desc = |\bManifest generation error \(cached\): "
    r'|\berror when (?:applying patch|creating|deleting|patching|replacing|updating) "[^"]*": '
    r'|\b(?:error validating|unable to decode|unable to recognize) "[^"]*": '
    r'|\bresource mapping not found for name: "[^"]*" namespace: "[^"]*" from "[^"]*": '
    r"|\bone or more (?:objects failed to apply|synchronization tasks completed unsuccessfully), reason: "
    r"|\bone or more synchronization tasks are not valid: "
)
CACHED = re.compile(r"<path to cached source>(/?)")
# kustomize tries each resource as a file, and then as a folder, and reports both.
TWICE = re.compile(r"\baccumulating resources: accumulation err='(.*)': must build at directory: .*", re.DOTALL)

# kubectl's code in Argo CD up to v3.6.1 goes on with the answer that it did not get (argo-cd#28607).
CRASHED = re.compile(
    r"\b(?:error running kubectl auth reconcile: )+runtime error: invalid memory address or nil pointer dereference"
)
REFUSED_ROLE = (
    "the API server has refused it, and Argo CD does not say why: whoever syncs may not write it, or does not have the "
    "rights that it grants"
)


# Words of the API server, and of Argo CD where it says what it refuses.
ANSWERS = (
    (BUSY, Nature.PASSING),
    (REFUSED, Nature.FINAL),
    (NOT_PERMITTED, Nature.FINAL),
    (UNSIGNED, Nature.FINAL),
    (WIPES_OUT, Nature.FINAL),
    (REPOSITORY, Nature.FINAL),
    (NO_KIND, Nature.ABSENT),
)


def nature(text: str) -> Nature:
    """Return what may become of an error: what stands first in it says so, and may quote all that follows."""
    wrapping = [match.start() for match in GRPC.finditer(text) if match[1] in FINAL_CODES]
    wrapping += [match.start() for match in COMMAND.finditer(text)]
    signs = sorted(_signs(text, min(wrapping, default=len(text))), key=lambda sign: sign[0])
    return signs[0][1] if signs else Nature.FINAL if wrapping else Nature.OPEN


def nature_of(texts: Iterable[str]) -> Nature:
    """Return what may become of several errors together: where one is final, they are."""
    found = {nature(text) for text in texts}
    order = (Nature.FINAL, Nature.ABSENT, Nature.PASSING, Nature.OPEN)
    return next((each for each in order if each in found), Nature.OPEN)


def missing_kind(text: str, about: Missing | None = None) -> Missing | None:
    """Return the kind that the API server does not serve; None where an error is about something else.

    `about` is the kind of the object that was to be written: not every error names it.
    """
    found = NO_KIND.search(text)
    if found:
        group, version = (found[name] or found[f"{name}2"] or "" for name in ("group", "version"))
        return Missing(group, found["kind"] or found["kind2"], version)
    return about if text.endswith(NOT_FOUND) else None


def is_unreachable(text: str) -> bool:
    """Return whether Argo CD's controller does not reach the repo-server, with which it speaks gRPC."""
    return "Unavailable" in GRPC.findall(text)


def is_refused(text: str) -> bool:
    """Return whether nothing listens where Argo CD's controller looks for the repo-server."""
    return is_unreachable(text) and "connect: connection refused" in text


def _signs(text: str, end: int) -> Iterator[tuple[int, Nature]]:
    """Yield where in an error something tells what it is; `end` is where the words of a command or a server begin.

    These may say that something else was not reached, but nothing in the name of the API server.
    """
    for pattern, found in ANSWERS:
        if match := pattern.search(text, 0, end):
            yield match.start(), found
    if text.endswith(NOT_FOUND):
        yield len(text) - len(NOT_FOUND), Nature.ABSENT
    if match := CONNECTION.search(text):
        yield match.start(), Nature.PASSING
    for match in GRPC.finditer(text):
        if match[1] in PASSING_CODES:
            yield match.start(), Nature.PASSING
    for match in STATUS.finditer(text):
        status = int(next(filter(None, match.groups()), 0))
        yield match.start(), Nature.PASSING if status in PASSING_STATUS or status >= 500 else Nature.FINAL


def plain(text: str) -> str:
    """Return an error in the words of the component that knows the cause, in one line."""
    text = CACHED.sub(lambda found: "" if found[1] else ".", WRAPPING.sub("", text))
    text = CRASHED.sub(REFUSED_ROLE, TWICE.sub(r"\1", text))
    return " ".join(text.split()).rstrip(".")
