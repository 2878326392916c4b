# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the search for values of Secrets finds, and what it leaves out."""

from __future__ import annotations

import base64
import json

import pytest
from leaks import LENGTH, PUBLIC, Onlooker, leaks, read_by_others, values_of

VALUE = "aq3w9kfm2xpt7"
KEY = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49\nshort\n-----END PRIVATE KEY-----\n"


def secret(**data):
    encoded = {key.replace("_", "."): base64.b64encode(value.encode()).decode() for key, value in data.items()}
    return {"metadata": {"namespace": "shop", "name": "login"}, "data": encoded}


def found(tmp_path, text, *secrets):
    place = tmp_path / "place"
    place.mkdir(exist_ok=True)
    (place / "file").write_text(text)
    return leaks(values_of(secrets), tmp_path, [place])


@pytest.mark.parametrize("before", ["", "u", "us", "user"])
@pytest.mark.parametrize("after", ["", ":", ":x", ":x!"])
def test_a_value_is_found_as_it_is_and_anywhere_in_base64(tmp_path, before, after):
    whole = f"{before}{VALUE}{after}"
    for text in (f"failed: '{whole}'", f"data: {base64.b64encode(whole.encode()).decode()}"):
        assert found(tmp_path, text, secret(password=VALUE)) == [f"{tmp_path / 'place' / 'file'}: shop/login password"]


def test_the_lines_of_a_key_are_found_where_they_are_escaped(tmp_path):
    name = f"{tmp_path / 'place' / 'file'}: shop/login tls.key"
    assert found(tmp_path, json.dumps({"key": KEY}), secret(tls_key=KEY)) == [name]
    assert found(tmp_path, "-----BEGIN PRIVATE KEY-----\nshort", secret(tls_key=KEY)) == []


@pytest.mark.parametrize(
    "value",
    [
        f"postgresql://app:{VALUE}@database:5432/app",
        f"jdbc:postgresql://database:5432/app?password={VALUE}&user=app",
        f'module required username="app" password="{VALUE}";',
    ],
)
def test_of_a_uri_only_the_password_counts(tmp_path, value):
    assert found(tmp_path, value.replace(VALUE, "..."), secret(uri=value)) == []
    assert found(tmp_path, f"it is {VALUE}", secret(uri=value)) == [f"{tmp_path / 'place' / 'file'}: shop/login uri"]


def test_what_is_short_or_public_is_left_out(tmp_path):
    public = [secret(**{key.replace(".", "_"): VALUE}) for key in PUBLIC]
    short = VALUE[: LENGTH - 1]
    assert found(tmp_path, f"{VALUE} {short}", *public, secret(password=short)) == []


def test_what_others_can_read_needs_every_folder_on_the_way(tmp_path):
    tmp_path.chmod(0o755)
    for folder, mode in (("open", 0o755), ("private", 0o700)):
        (tmp_path / folder).mkdir()
        for name, own in (("all", 0o644), ("own", 0o600)):
            (tmp_path / folder / name).touch()
            (tmp_path / folder / name).chmod(own)
        (tmp_path / folder).chmod(mode)
    assert list(read_by_others(tmp_path)) == [tmp_path / "open" / "all"]


def test_a_temporary_file_that_others_could_read_is_kept(tmp_path):
    onlooker = Onlooker(tmp_path / "tmp", tmp_path / "seen")
    for name, mode, text in (("all", 0o644, "one"), ("own", 0o600, "two"), ("all", 0o644, "three")):
        path = onlooker.watched / name
        path.write_text(text)
        path.chmod(mode)
        onlooker.look()
    (onlooker.watched / "all").unlink()
    onlooker.look()
    assert sorted(path.read_text() for path in onlooker.copies.iterdir()) == ["one", "three"]
