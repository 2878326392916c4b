# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which errors of Argo CD may pass, and what of them is said."""

from __future__ import annotations

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.errors import (
    Missing,
    Nature,
    is_unreachable,
    missing_kind,
    nature,
    nature_of,
    plain,
)

SOURCE = "Failed to load target state: failed to generate manifest for source 1 of 1: "
UNKNOWN = f"{SOURCE}rpc error: code = Unknown desc = "
URL = "https://git.example.com/monorepo.git"
REFUSED_DIAL = "dial tcp 10.96.41.7:8081: connect: connection refused"
KUSTOMIZE = "`kustomize build <path to cached source>/web` failed exit status 1: Error: "


@pytest.mark.parametrize(
    "text",
    [
        f"{SOURCE}rpc error: code = Unavailable desc = connection error: desc = "
        f'"transport: Error while dialing: {REFUSED_DIAL}"',
        f"{SOURCE}rpc error: code = Unavailable desc = error reading from server: EOF",
        f"{SOURCE}rpc error: code = DeadlineExceeded desc = context deadline exceeded",
        f'{UNKNOWN}failed to list refs: unexpected client error: unexpected requesting "{URL}/a" status code: 503',
        f'{UNKNOWN}failed to list refs: unexpected requesting "{URL}/info/refs" status code: 429',
        f'{UNKNOWN}failed to list refs: Get "{URL}/info/refs?service=git-upload-pack": context deadline exceeded '
        "(Client.Timeout exceeded while awaiting headers)",
        f'{UNKNOWN}failed to list refs: Get "{URL}/info/refs?service=git-upload-pack": EOF',
        f'{UNKNOWN}failed to list refs: Get "{URL}/info/refs": dial tcp: lookup git.example.com on 10.96.0.10:53: '
        "server misbehaving",
        f'{UNKNOWN}failed to list refs: Get "{URL}/info/refs": net/http: TLS handshake timeout',
        f"{UNKNOWN}failed to list refs: read tcp 10.0.0.1:40122->10.0.0.2:443: read: connection reset by peer",
        f"{UNKNOWN}`git fetch origin --force` failed exit status 128: fatal: unable to access '{URL}/': The requested "
        "URL returned error: 502",
        f"{UNKNOWN}`git fetch origin --force` failed exit status 128: fatal: unable to access '{URL}/': Failed to "
        "connect to git.example.com port 443 after 0 ms: Couldn't connect to server",
        f"{UNKNOWN}`git fetch origin --force` failed timeout after 1m30s",
        f"{KUSTOMIZE}hit 5m0s timeout: fatal: unable to access '{URL}/': The requested URL returned error: 503",
        f"{UNKNOWN}`helm pull` failed exit status 1: Error: failed to fetch https://charts.example.com/a.tgz : "
        "503 Service Unavailable",
        "failed to perform FetchReference on source: GET "
        '"https://registry.example.com/v2/a/manifests/1": response status code 502: Bad Gateway',
        'Internal error occurred: failed calling webhook "mutate.example.com": failed to call webhook: Post '
        '"https://web.a.svc:443/mutate?timeout=10s": no endpoints available for service "web"',
        'Operation cannot be fulfilled on deployments.apps "web": the object has been modified; please apply your '
        "changes to the latest version and try again",
        'configmaps "a" is forbidden: unable to create new content in namespace web because it is being terminated',
        f'Failed to load live state: Get "https://10.96.0.1:443/apis": {REFUSED_DIAL}',
        "the server is currently unable to handle the request",
        "etcdserver: request timed out",
        f"{SOURCE}rpc error: code = NotFound desc = the chart is not there: {REFUSED_DIAL}",
        'Internal error occurred: failed calling webhook "a": it said: admission webhook "b" denied the request',
    ],
)
def test_what_a_server_says_that_is_away_or_busy_may_pass(text):
    assert nature(text) is Nature.PASSING


@pytest.mark.parametrize(
    "text",
    [
        f"{UNKNOWN}Manifest generation error (cached): {KUSTOMIZE}accumulating resources: accumulation "
        "err='accumulating resources from 'maxUnavailable.yaml': evalsymlink failure': must build at directory: no",
        f'{SOURCE}rpc error: code = FailedPrecondition desc = Failed to unmarshal "a.json": unexpected EOF',
        f"{UNKNOWN}{KUSTOMIZE}no such file: 'connection refused.yaml'",
        f"{UNKNOWN}`kustomize build <path to cached source> failed exit status 1: Error: lstat maxUnavailable.yaml: no",
        f"{UNKNOWN}`helm template . --name-template web` failed exit status 1: Error: values don't meet the schema",
        f"{UNKNOWN}failed to list refs: authentication required",
        f"{UNKNOWN}failed to list refs: authentication required: Unauthorized",
        f'{UNKNOWN}failed to list refs: unexpected requesting "{URL}/info/refs" status code: 404',
        "application destination server 'https://kubernetes.default.svc' and namespace 'kube-system' do not match any "
        "of the allowed destinations in project 'infra'",
        f"application repo {URL} is not permitted in project 'infra'",
        "resource apps:Deployment is not permitted in project infra",
        "resource :Secret is not permitted in project infra",
        "namespace web is not permitted in project 'infra'",
        'error when patching "/dev/shm/1": Deployment.apps "web" is invalid: spec.selector: Invalid value: '
        "v1.LabelSelector{}: field is immutable",
        'Service "web" is invalid: spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive',
        'admission webhook "validate.example.com" denied the request: not like this',
        "deployments.apps \"web\" is forbidden: ValidatingAdmissionPolicy 'a' with binding 'b' denied request: no",
        'error validating "/dev/shm/1": error validating data: ValidationError(Service.spec): unknown field "a"',
        'pods "web" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false',
        'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: unknown field "spec.a"',
        "failed to create typed patch object (a/web; apps/v1, Kind=Deployment): .spec.a: field not declared in schema",
        "Skipping sync attempt to [4e84fb37]: auto-sync will wipe out all resources",
        "GIT/GPG: Failed verifying revision 4e84fb37 by 'x <x@x>': unsigned (key_id=)",
        # What they quote is not what they are.
        'admission webhook "validate.example.com" denied the request: Internal error occurred: no such owner',
        'ConfigMap "web" is invalid: data[log]: Invalid value: "etcdserver: request timed out": not a valid name',
        'admission webhook "a" denied the request: dial tcp 10.0.0.1:80: the address is not permitted',
        f'{KUSTOMIZE}invalid resource: "etcdserver: request timed out"',
        f'{SOURCE}rpc error: code = InvalidArgument desc = "etcdserver: request timed out" is no name',
        f'{UNKNOWN}failed to list refs: unexpected requesting "{URL}" status code: 403: the server is currently '
        "unable to handle the request",
    ],
)
def test_what_follows_from_the_input_is_final(text):
    assert nature(text) is Nature.FINAL


@pytest.mark.parametrize(
    "text",
    [
        "Application referencing project nobody which does not exist",
        'namespaces "web" not found',
        'pods "web" is forbidden: exceeded quota: small, requested: pods=1, used: pods=1, limited: pods=1',
        f"{UNKNOWN}unable to resolve 'later' to a commit SHA: revision not found",
        "Job was active longer than specified deadline",
        "the file 503 Unavailable EOF i/o timeout.yaml is empty",
    ],
)
def test_what_nobody_can_know_is_open(text):
    assert nature(text) is Nature.OPEN


NO_CRD = (
    "The Kubernetes API could not find cert-manager.io/Certificate for requested resource a/web. Make sure the "
    '"Certificate" CRD is installed on the destination cluster.'
)
NO_VERSION = (
    'The Kubernetes API could not find version "v1alpha9" of cert-manager.io/Certificate for requested resource a/web. '
    'Version "v1" of cert-manager.io/Certificate is installed on the destination cluster.'
)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (NO_CRD, ("cert-manager.io", "Certificate", "")),
        (NO_VERSION, ("cert-manager.io", "Certificate", "v1alpha9")),
        ('no matches for kind "Kafka" in version "kafka.strimzi.io/v1"', ("kafka.strimzi.io", "Kafka", "v1")),
        ('no matches for kind "Podd" in version "v1"', ("", "Podd", "v1")),
        ("the server could not find the requested resource", None),
    ],
)
def test_a_kind_that_is_not_served_is_named(text, kind):
    assert (nature(text), missing_kind(text)) == (Nature.ABSENT, kind)


def test_an_error_that_names_no_kind_is_about_that_of_its_object():
    about = Missing("kafka.strimzi.io", "Kafka", "v1")
    assert missing_kind("the server could not find the requested resource", about) == about
    assert missing_kind('Service "a" is invalid: no', about) is None


def test_one_final_error_decides():
    webhook, invalid, unclear = 'failed calling webhook "a"', 'Service "a" is invalid: no', "odd"
    assert nature_of([webhook, invalid]) is Nature.FINAL
    assert nature_of([webhook, NO_CRD]) is Nature.ABSENT
    assert nature_of([webhook, unclear]) is Nature.PASSING
    assert nature_of([]) is Nature.OPEN


def test_only_grpc_says_that_the_repo_server_is_not_reached():
    assert is_unreachable(f"{SOURCE}rpc error: code = Unavailable desc = connection error")
    assert not is_unreachable(f'{UNKNOWN}failed to list refs: Get "{URL}": {REFUSED_DIAL}')


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (
            f"{UNKNOWN}Manifest generation error (cached): {KUSTOMIZE}accumulating resources: accumulation "
            "err='accumulating resources from 'a.yaml': lstat <path to cached source>/web/a.yaml: no such file or "
            "directory': must build at directory: not a valid directory: lstat <path to cached source>/web/a.yaml",
            "`kustomize build web` failed exit status 1: Error: accumulating resources from 'a.yaml': lstat "
            "web/a.yaml: no such file or directory",
        ),
        ("`kustomize build <path to cached source>` failed", "`kustomize build .` failed"),
        ('error when patching "/dev/shm/1171595278": Service "a" is invalid: no.', 'Service "a" is invalid: no'),
        ("failed to generate manifest for source 2 of 3: no", "failed to generate manifest for source 2 of 3: no"),
        ("one or more objects failed to apply, reason: a\n  b", "a b"),
        (
            'resource mapping not found for name: "a" namespace: "b" from "/dev/shm/2776080477": no matches for kind '
            '"Kafka" in version "kafka.strimzi.io/v1"\nensure CRDs are installed first',
            'no matches for kind "Kafka" in version "kafka.strimzi.io/v1" ensure CRDs are installed first',
        ),
        ('error validating "/dev/shm/1": error validating data: no', "error validating data: no"),
        (
            "error running kubectl auth reconcile: error running kubectl auth reconcile: runtime error: invalid memory "
            "address or nil pointer dereference",
            "the API server has refused it, and Argo CD does not say why: whoever syncs may not write it, or does not "
            "have the rights that it grants",
        ),
    ],
)
def test_an_error_is_said_without_what_argo_cd_adds(text, cause):
    assert plain(text) == cause
