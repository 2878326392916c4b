# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kubectl logs, exec and port-forward in a rehearsal, and argocd --core, which needs the last one."""

from __future__ import annotations

import os
import re
import subprocess
import urllib.request

import pytest

SERVER = "deployment/argocd-server"


@pytest.fixture
def run(environment):
    """Return a function that runs a program of the rehearsal in the namespace of Argo CD."""
    settings = os.environ | {"KUBECONFIG": environment.status["kubeconfig"]}

    def call(program, *args, given=None, **variables):
        command = [environment.binary(program), *args]
        more = {"env": settings | variables, "input": given, "timeout": 60}
        return subprocess.run(command, capture_output=True, text=True, check=False, **more)

    return call


def kubectl(run, *args, **more):
    return run("kubectl", "-n", "argocd", *args, **more)


def test_the_logs_of_argo_cd_are_those_of_its_processes(environment, run):
    done = kubectl(run, "logs", SERVER, "--tail=2", "--timestamps")
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"(20\d\d-\d\d-\d\dT\S+Z .+\n){2}", done.stdout)
    whole = (environment.folder / "logs" / "argocd-application-controller.log").read_text()
    assert kubectl(run, "logs", "argocd-application-controller-0").stdout[:2000] == whole[:2000]


def test_a_simulated_pod_says_so(run):
    done = run("kubectl", "-n", "maildev", "logs", "deployment/maildev")
    assert done.stdout == "This pod is simulated by KWOK: no container runs, so there is no log.\n", done.stderr
    done = run("kubectl", "-n", "maildev", "exec", "deployment/maildev", "--", "true")
    assert (done.returncode, "is simulated: no container runs" in done.stderr) == (1, True), done.stderr


def test_a_command_runs_with_the_environment_of_the_process(run):
    done = kubectl(run, "exec", "deployment/argocd-repo-server", "--", "argocd", "version", "--client", "--short")
    assert (done.returncode, done.stdout) == (0, "argocd: v3.6.1+unknown\n"), done.stderr
    done = kubectl(run, "exec", SERVER, "--", "printenv", "ARGOCD_FAKE_IN_CLUSTER")
    assert (done.returncode, done.stdout) == (0, "true\n"), done.stderr
    done = kubectl(run, "exec", "-i", SERVER, "--", "sh", "-c", "cat; echo error >&2; exit 3", given="given")
    assert (done.returncode, done.stdout, done.stderr.splitlines()[0]) == (3, "given", "error")


def test_a_port_is_forwarded(environment):
    command = [environment.binary("kubectl"), "--kubeconfig", environment.status["kubeconfig"], "-n", "argocd"]
    command += ["port-forward", "--address", "127.0.0.1", "service/argocd-server-metrics", ":8083"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        port = re.search(r":(\d+) -> 8083", process.stdout.readline())[1]
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            assert b"argocd_info" in answer.read()
        process.terminate()


def test_argocd_works_without_its_server(environment, run, tmp_path):
    config = tmp_path / "config"
    # The CLI takes the namespace of Argo CD from the context.
    config.write_text((environment.folder / "admin.kubeconfig").read_text())
    kubectl(run, "config", "set-context", "--current", "--namespace=argocd", f"--kubeconfig={config}")
    done = run("argocd", "--core", "app", "list", "-o", "name", KUBECONFIG=str(config))
    names = {f"argocd/{name}" for name in environment.components()}
    assert done.returncode == 0, done.stderr
    assert names <= set(done.stdout.split())


def test_a_log_that_is_followed_ends_with_its_process(environment):
    command = [environment.binary("kubectl"), "--kubeconfig", environment.status["kubeconfig"], "-n", "argocd"]
    with subprocess.Popen([*command, "logs", "-f", "--tail=1", SERVER], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline().startswith(("time=", "{"))
        environment.rehearsal("restarted", "argocd-server")
        process.communicate(timeout=30)
    assert process.returncode == 0
