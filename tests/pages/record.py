# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records the reports that the tests of pages show, by real runs on a rehearsal cluster: `python -m pages.record`.

What names this machine is replaced. `PYTHONPATH=tests` and an environment as for the integration tests are needed; it
takes about eight minutes.
"""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import Any

from conftest import ROOT  # first: this makes the clone importable as ansible_collections.monorepo.gitops
from integration.conftest import Environment, bring_up, temporary

FIXTURES = ROOT / "tests" / "pages" / "fixtures"
HOME = "/home/anna/platform"
# An image that the simulated kubelet cannot pull, and a value that the API server refuses.
BROKEN = {"maildev_image": "registry.example.com/rehearsal-fail/maildev:2.3.0", "kafka_ui_replicas": -1}
BROKEN |= {"gitops_converge_timeout": 45}


def main() -> None:
    """Bring up an environment, and keep what it says in each situation."""
    with (
        tempfile.TemporaryDirectory() as name,
        temporary(Environment(Path(name), gitops_environment="dev")) as environment,
    ):
        record(bring_up(environment))


def record(environment: Environment) -> None:
    """Run what the reports are about, one after the other."""
    first = environment.first
    assert first.returncode == 0, first.stdout[-3000:]
    keep(environment, "run")
    (FIXTURES / "terminal.txt").write_text(ending(scrubbed(environment, first.stdout)))
    environment.site("--check", "--diff", "-e", json.dumps({"maildev_replicas": 2, "kafka_replicas": 3}))
    keep(environment, "check", "check")
    environment.site("-e", json.dumps(BROKEN))
    keep(environment, "failed")
    environment.playbook("playbooks/status.yml")
    keep(environment, "status", "status")
    environment.site()
    keep(environment, "repaired")
    environment.playbook("playbooks/pause.yml", "-e", "app=maildev", "-e", "reason='demo until Friday' by=anna")
    environment.site("-e", json.dumps({"maildev_replicas": 2}))
    keep(environment, "paused")
    environment.playbook("playbooks/resume.yml", "-e", "app=maildev")
    environment.site()
    environment.set(gitops_repo_revision="live")
    environment.site()
    environment.set(maildev_replicas=2)
    environment.site()
    keep(environment, "waiting")
    environment.playbook("playbooks/promote.yml")
    keep(environment, "promotion")
    environment.site("-e", json.dumps({"cluster_kubeconfig": "/nowhere", "cluster_kind": "existing"}))
    keep(environment, "early")


def keep(environment: Environment, name: str, file: str = "report") -> None:
    """Keep a report as a fixture."""
    text = scrubbed(environment, (environment.reports / f"{file}.json").read_text())
    (FIXTURES / f"{name}.json").write_text(text)
    report: dict[str, Any] = json.loads(text)
    print(f"{name}: {report['verdict']}", flush=True)


def scrubbed(environment: Environment, text: str) -> str:
    """Return a text as on a machine of users: without the folders of this one, and with the usual inventory."""
    text = text.replace(str(environment.inventory.parent.parent), HOME).replace("inventories/test", "inventories/dev")
    text = re.sub(rf"{re.escape(str(Path.home()))}(?=/)", "/home/anna", text)
    return text.replace(environment.folder.name, "dev-4f1c2a")


def ending(text: str) -> str:
    """Return what the terminal shows at the end of a run: from the table of Applications on."""
    lines = text.split("TASK [monorepo.gitops.report : Applications of", 1)[1].splitlines()[1:]
    body = [line[8:] if line.startswith(" " * 8) else line.strip() for line in lines]
    start = next(number for number, line in enumerate(body) if line.startswith("Application "))
    end = next(number for number, line in enumerate(body) if line.startswith("PLAY RECAP"))
    return "\n".join(body[start:end]).strip() + "\n"


if __name__ == "__main__":
    main()
