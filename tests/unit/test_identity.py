# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose a cluster is."""

from __future__ import annotations

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils._environment import identity
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.identity import Facts, Side

URL = "https://git.example.com/platform/monorepo.git"
OURS = Side("dev", URL, "HEAD")
COMMIT = "3f2a91" + "0" * 34


def applicationset(path="argocd/infra/*/envs/dev", url=URL, revision="HEAD"):
    git = {"repoURL": url, "revision": revision, "directories": [{"path": path}, {"path": "x", "exclude": True}]}
    return {"metadata": {"name": "infra"}, "spec": {"generators": [{"git": git}]}}


@pytest.mark.parametrize(
    "other",
    [
        "https://git.example.com/platform/monorepo",
        "https://git.example.com/platform/monorepo.git/",
        "HTTPS://Git.Example.com:443/platform//monorepo.git",
        "https://bob:hunter2@git.example.com/platform/monorepo.git",
    ],
)
def test_spellings_of_one_repository_are_equal(other):
    assert identity.repository_name(other) == identity.repository_name(URL)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("git@git.example.com:platform/monorepo.git", "ssh://git@git.example.com/platform/monorepo"),
        ("/srv/monorepo.git", "file:///srv/monorepo"),
        ("ssh://git@git.example.com:platform/monorepo.git", "ssh://git.example.com:platform/monorepo"),
    ],
)
def test_short_forms_are_spellings_too(one, other):
    assert identity.repository_name(one) == identity.repository_name(other)


@pytest.mark.parametrize(
    "other", ["https://git.example.com/platform/other.git", "http://git.example.com/platform/monorepo"]
)
def test_other_repositories_are_not(other):
    assert identity.repository_name(other) != identity.repository_name(URL)


def test_an_applicationset_says_what_it_serves():
    assert identity.applicationset_side(applicationset()) == Side("dev", URL, "HEAD", ("argocd/infra/*/envs/dev",))
    assert identity.applicationset_side(applicationset("apps/*")).environment == ""
    assert identity.applicationset_side({"metadata": {}, "spec": {}}) == Side("", "", "HEAD", ())


def test_the_same_on_both_sides_asks_nothing():
    living = [identity.applicationset_side(applicationset()), OURS]
    assert identity.compare(OURS, living, Facts(commits=[COMMIT]))[:2] == ([], [])


def test_a_new_cluster_asks_nothing():
    assert identity.compare(OURS, [], Facts(is_new=True))[:2] == ([], [])


def test_another_environment_stops_and_shows_both():
    stops, _notes, word = identity.compare(Side("staging", URL, "HEAD"), [OURS], Facts())
    assert stops == [
        f"This cluster serves environment dev of {URL} at HEAD, but the inventory describes environment staging of "
        f"{URL} at HEAD: was the inventory copied, or does it name the wrong cluster?"
    ]
    assert word.startswith("staging-")
    assert identity.refusal(stops, "staging-3f2a91") == (
        f"Nothing was written. {stops[0]} If this is intended, continue with -e gitops_takeover=staging-3f2a91"
    )


def test_another_layout_stops():
    living = [identity.applicationset_side(applicationset("apps/*"))]
    stops, _notes, _word = identity.compare(OURS, living, Facts())
    assert stops[0].startswith(f"This cluster serves ApplicationSets of {URL} at HEAD below apps/*, but the inventory")


def test_another_repository_without_the_commit_that_runs_stops():
    other = Side("dev", "https://git.example.com/platform/monorpeo.git", "HEAD")
    stops, notes, _word = identity.compare(other, [OURS], Facts(commits=[COMMIT], unknown_commits=[COMMIT]))
    assert notes == []
    assert stops == [
        f"This cluster serves environment dev of {URL} at HEAD, but the inventory names "
        "https://git.example.com/platform/monorpeo.git at HEAD, whose history does not have commit 3f2a91000000 that "
        "the Applications run: is gitops_repo_url or gitops_repo_revision mistyped, or the repository empty?"
    ]


def test_a_repository_that_was_emptied_stops():
    assert identity.compare(OURS, [OURS], Facts(commits=[COMMIT], lost_commits=[COMMIT]))[0] == [
        f"{URL} does not have commit 3f2a91000000 that the Applications run: was the repository emptied, or its "
        "history rewritten?"
    ]


def test_applications_without_an_owner_say_what_they_follow():
    source = {"repoURL": URL, "targetRevision": "prod", "path": "argocd/infra/maildev/envs/dev"}
    assert identity.application_side({"spec": {"source": source}}) == Side("dev", URL, "prod")


def test_a_template_that_follows_another_repository_is_seen():
    item = applicationset()
    item["spec"]["template"] = {"spec": {"source": {"repoURL": "https://other", "targetRevision": "x"}}}
    assert identity.template_side(item) == Side("dev", "https://other", "x", ("argocd/infra/*/envs/dev",))
    assert identity.template_side(applicationset()) is None


def test_the_word_stays_when_the_run_has_begun_to_write():
    wanted, old = Side("staging", URL, "HEAD"), Side("dev", URL, "HEAD")
    before = identity.compare(wanted, [old, old], Facts())[2]
    assert identity.compare(wanted, [old, wanted], Facts())[2] == before


def test_a_move_is_a_note():
    other = Side("dev", "ssh://git@new.example.com/monorepo", "prod")
    stops, notes, _word = identity.compare(other, [OURS], Facts(commits=[COMMIT]))
    assert stops == []
    assert notes == [
        f"The cluster followed {URL} at HEAD and will follow ssh://new.example.com/monorepo at prod; its history has "
        "commit 3f2a91000000 that the Applications run."
    ]


def test_a_password_in_a_url_is_not_shown():
    secret = Side("dev", "https://bob:hunter2@git.example.com/x", "HEAD")
    texts = [*identity.compare(secret, [OURS], Facts(commits=["a"], unknown_commits=["a"]))[0]]
    texts += identity.compare(Side("x", secret.repository, "HEAD"), [secret], Facts())[0]
    assert "hunter2" not in " ".join(texts) + str(identity.config_map("argocd", secret, "1.0.0", True))


def test_an_environment_that_git_has_is_not_changed_for_a_new_cluster():
    facts = Facts(uid="1234", is_new=True, changed_overlays=["infra/a", "infra/b", "infra/c", "infra/d"])
    assert identity.compare(OURS, [], facts)[0] == [
        "Git already has environment dev, but this cluster (UID 1234) does not serve it yet, and the run would change "
        "infra/a, infra/b, infra/c and 1 more: was the inventory copied for a new cluster, and gitops_environment left "
        "as it was?"
    ]


def test_an_older_collection_stops():
    facts = Facts(recorded_version="1.10.0", own_version="1.9.0")
    assert identity.compare(OURS, [OURS], facts)[0] == [
        "The last run on this cluster was by monorepo.gitops 1.10.0, but this is the older 1.9.0: update the "
        "collection."
    ]
    for own in ("1.9.0", "1.10.0", "1.9.1-rc.1", "2.0.0-dev"):
        assert identity.compare(OURS, [OURS], Facts(recorded_version="1.9.0-rc.2", own_version=own))[0] == []
    for own in ("1.9.0-rc.2", "1.9.0-beta", "1.8.9", "1.9.0-1"):
        assert identity.compare(OURS, [OURS], Facts(recorded_version="1.9.0", own_version=own))[0] != []


def test_the_word_fits_one_change_only():
    words = {
        identity.compare(wanted, living, facts)[2]
        for wanted, living, facts in [
            (Side("staging", URL, "HEAD"), [OURS], Facts()),
            (Side("staging", URL, "prod"), [OURS], Facts()),
            (Side("staging", URL, "HEAD"), [Side("prod", URL, "HEAD")], Facts()),
            (OURS, [], Facts(uid="1", head="a")),
            (OURS, [], Facts(uid="2", head="a")),
            (OURS, [], Facts(uid="1", head="b")),
        ]
    }
    assert len(words) == 6


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, True),
        ({"data": {"environment": "prod"}}, False),
        ({"metadata": {"labels": {"app.kubernetes.io/managed-by": "monorepo.gitops", "team": "platform"}}}, True),
        ({"metadata": {}}, False),
    ],
)
def test_what_is_recorded_is_not_written_again(change, expected):
    wanted = identity.config_map("argocd", OURS, "1.0.0", True)
    assert identity.is_recorded(wanted | change, wanted) is expected
    assert identity.is_recorded(None, wanted) is False
