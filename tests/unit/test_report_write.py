# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that a report leaves, and that its pages show all of it and nothing that could run."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

from ansible_collections.monorepo.gitops.plugins.action import report_write
from ansible_collections.monorepo.gitops.plugins.plugin_utils import page

from .running import run_action
from .test_report import COMMANDS, FACTS, FAILURE, at, component, report, waited


def write(folder, **facts):
    return run_action("report_write", folder=str(folder), facts=FACTS | facts)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_run_leaves_its_report_a_copy_of_it_and_the_index(tmp_path):
    folder = tmp_path / "reports" / "dev"
    done = write(folder)
    assert (done["changed"], done["files"]) == (False, [f"{folder}/report.html", f"{folder}/report.json"])
    kept = "report-20261127T211135Z"
    assert names(folder) == ["index.html", f"{kept}.html", f"{kept}.json", "report.html", "report.json"]
    assert (folder / f"{kept}.json").read_text() == (folder / "report.json").read_text()
    assert f'<a href="{kept}.html">27 November 2026, 21:11 UTC</a>' in (folder / "index.html").read_text()


def test_a_status_and_a_check_have_pages_of_their_own(tmp_path):
    write(tmp_path)
    before = (tmp_path / "report.json").read_text()
    assert write(tmp_path, kind="status", started="")["files"][0] == f"{tmp_path}/status.html"
    assert run_action("report_write", None, True, folder=str(tmp_path), facts=FACTS | {"kind": "check"})["files"] == [
        f"{tmp_path}/check.html",
        f"{tmp_path}/check.json",
    ]
    assert (tmp_path / "report.json").read_text() == before
    index = (tmp_path / "index.html").read_text()
    for text in ('"report.html">The last run', '"status.html">The last status', '"check.html">The last check'):
        assert text in index


def test_the_last_ten_are_kept_and_each_is_compared_with_the_one_before(tmp_path):
    for second in range(1, 13):
        write(tmp_path, time=at(second), commit=f"{second:02d}" * 20)
    kept = [name for name in names(tmp_path) if name.startswith("report-")]
    assert kept == [f"report-20261127T2110{second:02d}Z.{end}" for second in range(3, 13) for end in ("html", "json")]
    newest = json.loads((tmp_path / "report.json").read_text())
    assert newest["changes"] == {"since": at(11), "texts": ["Commit 111111111111 → 121212121212."]}
    assert (tmp_path / "index.html").read_text().count('<a href="report-') == 10


def test_a_status_is_compared_with_the_newest_report(tmp_path):
    write(tmp_path, time=at(1))
    write(tmp_path, kind="status", started="", time=at(2))
    write(tmp_path, time=at(3))
    write(tmp_path, kind="status", started="", time=at(4))
    assert json.loads((tmp_path / "status.json").read_text())["changes"]["since"] == at(3)


def test_what_is_no_report_of_this_version_is_neither_compared_with_nor_listed(tmp_path):
    for name, text in {
        "report.json": "\xff{",
        "report-20261127T200000Z.json": '{"version": 0, "time": "x"}',
        "report-20261127T200001Z.json": "[]",
        "status.json": "{}",
    }.items():
        (tmp_path / name).write_text(text, encoding="latin-1")
    write(tmp_path)
    assert json.loads((tmp_path / "report.json").read_text())["changes"] == {"since": "", "texts": []}
    assert (tmp_path / "index.html").read_text().count('<a href="report-') == 1


def test_no_file_is_ever_half_written(tmp_path, monkeypatch, capsys):
    write(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    whole = Path.write_text

    def full(path, content, **options):
        whole(path, content[:10], **options)
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_text", full)
    assert write(tmp_path, time=at(99))["files"] == []
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert "cannot be written: [Errno 28] No space left on device" in " ".join(capsys.readouterr().err.split())


def test_a_report_that_cannot_be_put_together_says_so_and_does_not_fail_the_run(tmp_path, monkeypatch, capsys):
    def broken(*_args):
        raise KeyError("state")

    monkeypatch.setattr(report_write, "assemble", broken)
    assert write(tmp_path)["files"] == []
    assert "The report cannot be put together: KeyError: 'state'" in capsys.readouterr().err


def test_the_page_can_be_made_again_from_the_data(tmp_path):
    write(tmp_path, waited=[waited("kafka", "failed", "OOMKilled", paused="paused since x"), waited("strimzi")])
    made = json.loads((tmp_path / "report.json").read_text())
    assert page.page(made) == (tmp_path / "report.html").read_text()


class Texts(HTMLParser):
    """Collects what a page shows, and the names of its elements and attributes."""

    def __init__(self, text):
        super().__init__()
        self.texts, self.tags, self.attributes = [], set(), set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _value in attrs}

    def handle_data(self, data):
        self.texts.append(data)


HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"


def test_nothing_that_a_report_says_becomes_part_of_the_page():
    endpoint = {"name": HOSTILE, "url": "javascript:alert(1)", "protocol": HOSTILE, "purpose": HOSTILE}
    made = report(
        environment=HOSTILE,
        failure={"task": HOSTILE, "message": HOSTILE},
        components=[component("kafka", "strimzi", stage=1, endpoints=[endpoint]), component("strimzi")],
        waited=[waited("kafka", "failed", HOSTILE), waited("strimzi"), waited(HOSTILE)],
        warnings=[HOSTILE],
        versions={HOSTILE: HOSTILE},
        promotion={"revision": HOSTILE, "branch": HOSTILE, "behind": 1, "files": [HOSTILE], "difference": HOSTILE},
        commands=COMMANDS | {"promote": HOSTILE},
    )
    for text in (page.page(made), page.index(HOSTILE, [], ["report"])):
        shown = Texts(text)
        assert {"script", "img"} & shown.tags == set()
        assert [name for name in shown.attributes if name.startswith("on") or name == "src"] == []
        assert 'href="javascript' not in text
        assert any(HOSTILE in part for part in shown.texts)


def test_a_graph_of_very_many_applications_is_not_drawn():
    made = report(waited=[waited("kafka"), waited("strimzi")])
    more = [made["applications"][0] | {"name": f"app-{number}"} for number in range(299)]
    assert page.drawings(made | {"applications": made["applications"] + more[:298]})["graph"]
    assert page.drawings(made | {"applications": made["applications"] + more})["graph"] is None


def test_what_people_have_paused_is_listed_with_the_command_that_resumes_it():
    since = "paused since 2026-11-27T20:00:00Z by anna (drill)"
    shown = "\n".join(Texts(page.page(report(waited=[waited("kafka", paused=since), waited("strimzi")]))).texts)
    assert "Paused by people" in shown
    assert "Paused since 2026-11-27T20:00:00Z by anna (drill)." in shown
    assert f"{COMMANDS['resume']} -e app=kafka" in shown


def test_the_page_says_what_the_report_says():
    made = report(
        failure=FAILURE, waited=[waited("kafka", "failed", "Pod kafka/kafka-0: OOMKilled"), waited("strimzi")]
    )
    shown = "\n".join(Texts(page.page(made)).texts)
    for text in (
        made["verdict"],
        "Pod kafka/kafka-0: OOMKilled",
        f"{COMMANDS['status']} -e app=kafka",
        "kafka (Failed) needs strimzi.",
        "registry.example.com/strimzi",
        "https://git.example.com/platform/monorepo.git",
        made["timeline"]["summary"][0],
    ):
        assert text in shown
