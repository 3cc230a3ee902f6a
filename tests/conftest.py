"""What holds for every test: where it matters (CI is set), a test that was skipped is a test that failed.

And what tests of several packages need: the command, environments for software that cannot be installed beside Pirene,
an HTCondor pool.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# How long a machine takes, with others at work on it, says nothing about what is tested.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

pytest_plugins = ["tests.servers.s3"]

ROOT = Path(__file__).resolve().parents[1]
POOL = ROOT / "tests" / "htcondor-pool"
SHARED = Path("/srv/pool")
PASSED = pytest.StashKey[bool]()
ON_THE_POOL = re.compile(r"htcondor|test_\w*pool|tests/pool/")
"""Names of tests that wait for HTCondor."""


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail a run with skipped tests; under xdist only the controller has the whole count."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not os.environ.get("CI"):
        return
    skipped = len(reporter.stats.get("skipped", []))
    if skipped and exitstatus == pytest.ExitCode.OK:
        reporter.write_line(f"{skipped} skipped: CI lets no test be skipped", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests measured: what they gave as ``record_property("measured", text)``."""
    passed = terminalreporter.getreports("passed")
    measured = [text for report in passed for name, text in report.user_properties if name == "measured"]
    if measured:
        terminalreporter.section("measured")
    for text in measured:
        terminalreporter.write_line(text)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let fixtures know at their end whether their test passed."""
    report = yield
    if call.when == "call":
        item.stash[PASSED] = report.passed
    return report


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Tests that look at one run of the conformance suite go to one worker: no other one waits while it is made. Half
    of the workers begin with tests on the pool, which wait most of the time, the others with those that compute.

    `--dist loadgroup` is made for the former, but pytest-xdist 3.8 does not find its groups with pytest 9.2.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByRun(LoadScopeScheduling):
        def _assign_work_unit(self, node: Any) -> None:
            waits = self.nodes.index(node) < max(len(self.nodes) // 2, 1)
            fitting = (scope for scope in self.workqueue if bool(ON_THE_POOL.search(scope)) == waits)
            self.workqueue.move_to_end(next(fitting, next(iter(self.workqueue))), last=False)
            super()._assign_work_unit(node)

        def _split_scope(self, nodeid: str) -> str:
            run = re.search(r"/(test_conformance_\w+)\.py::\w+\[(local|htcondor)\b", nodeid)
            return f"{run[1]}-{run[2]}" if run else nodeid

    return ByRun(config, log) if config.getvalue("dist") == "load" else None


@pytest.fixture(scope="session", autouse=True)
def _folders_of_their_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Whatever signs in a test signs with keys that are made for it, not with those of whoever runs the tests; and their
    cache stays as it is.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def pirene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command `pirene` of this checkout, alone in a folder that can be put on PATH."""
    command = tmp_path_factory.mktemp("bin") / "pirene"
    program = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); sys.argv[0] = 'pirene'; from planner.cli import main; main()"
    )
    command.write_text(f"#!{sys.executable}\n{program}\n", encoding="utf-8")
    command.chmod(0o755)
    return command


@pytest.fixture(scope="session")
def python_environment() -> Callable[[str, Sequence[str]], Path]:
    """Makes virtual environments for what cannot be installed beside Pirene: (name, requirements) -> its python.

    They lie in ``.test-envs`` of the checkout, are made once and used again until their requirements change. A file
    lock lets one worker make an environment while the others wait.
    """
    return _environment


def _environment(name: str, requirements: Sequence[str]) -> Path:
    folder = ROOT / ".test-envs" / name
    folder.parent.mkdir(exist_ok=True)
    python = folder / "bin" / "python"
    wanted = "\n".join([sys.version, *requirements])
    made = folder / "made-for"
    with folder.with_name(f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists() or made.read_text() != wanted:
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
            pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, *requirements], check=True)
            made.write_text(wanted)
    return python


@dataclass(frozen=True, slots=True)
class Pool:
    """A folder that the submit and the worker side of the HTCondor pool share, and the pool's user to work in it.

    Jobs are named as HTCondor does, ``cluster.process``. An executable file ``saboteur`` in the folder is run in the
    scratch folder of each of this test's jobs, right before it starts (tests/htcondor-pool says how).
    """

    folder: Path
    alone: bool
    """No other test uses the pool meanwhile."""

    def start(
        self, *command: str | Path, cwd: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[str]:
        """The command, started as the pool's user. What the test wrote into the folder is the user's from now on.

        The process is the command itself, to be waited for or killed. Variables given are added to the test's own.
        """
        # What is the user's already is left alone: its ctime says that it is as it was.
        theirs = ["!", "-user", "pool", "-exec", "chown", "-h", "pool:pool", "{}", "+"]
        handing_over = ["find", self.folder, "-ignore_readdir_race", *theirs]
        # What another command of the test removes meanwhile fails chown: then the rest is handed over.
        assert any(subprocess.run(handing_over, check=False).returncode == 0 for _ in range(9))
        own = {name: value for name, value in os.environ.items() if not name.startswith("PIRENE")}
        return subprocess.Popen(
            [POOL, "su", *command],
            cwd=cwd or self.folder,
            env={**own, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(
        self,
        *command: str | Path,
        code: int | None = 0,
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
        timeout_seconds: float = 240,
    ) -> subprocess.CompletedProcess[str]:
        """The command, run to its end as the pool's user; it must exit with `code`, any will do for None."""
        with self.start(*command, cwd=cwd, environment=environment) as process:
            try:
                out, err = process.communicate(timeout=timeout_seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        ended = subprocess.CompletedProcess(list(command), process.returncode, out, err)
        assert code in (None, ended.returncode), ended
        return ended

    def tool(self, *command: str) -> str:
        """What one of HTCondor's own commands prints, run as the pool's user: ``condor_q``, ``condor_submit``, ..."""
        return self._script("tool", *command)

    def hold(self, job: str, reason: str) -> None:
        self.tool("condor_hold", "-reason", reason, job)

    def release(self, job: str) -> None:
        self.tool("condor_release", job)

    def kill_starter(self, job: str) -> None:
        """Kill (-9) what runs a job on the worker: to HTCondor the worker has lost it."""
        self._script("kill-starter", job)

    def kill_dagman(self, cluster: int) -> None:
        """Kill (-9) the DAGMan that runs as job `cluster`; HTCondor starts it again."""
        self._script("kill-dagman", str(cluster))

    def restart_schedd(self) -> None:
        """Restart the daemon that holds the queue, and wait until it answers. Every test on the pool would notice."""
        assert self.alone, "a test that restarts the schedd uses the fixture pool_alone"
        self._script("restart-schedd")

    def empty(self) -> None:
        """Remove all jobs that were submitted from the folder and wait until they are gone."""
        own = f'substr(Iwd, 0, {len(str(self.folder))}) == "{self.folder}"'
        while self.tool("condor_q", "-constraint", own, "-af", "ClusterId"):
            self._script("tool", "condor_rm", "-constraint", own, check=False)  # it fails when the last one just ended
            time.sleep(0.2)

    def _script(self, *arguments: str, check: bool = True) -> str:
        ended = subprocess.run(
            [POOL, *arguments], cwd=self.folder, check=False, capture_output=True, text=True, timeout=120
        )
        assert not (check and ended.returncode), f"{arguments}: {ended.stdout}{ended.stderr}"
        return ended.stdout


@pytest.fixture(scope="session")
def pool_answers() -> None:
    """Skips, with what is missing, where the pool does not run; `make test` starts it where it can."""
    environment = {**os.environ, "CLIENT_PYTHON": sys.executable}
    with _in_use(alone=False):
        state = subprocess.run([POOL, "status"], env=environment, check=False, capture_output=True, text=True)
    if state.returncode:
        pytest.skip(f"this needs an HTCondor pool. {state.stderr.strip()}")


@pytest.fixture
def pool(request: pytest.FixtureRequest, pool_answers: None) -> Iterator[Pool]:
    """The HTCondor pool, used by several tests at a time, with a folder for this one."""
    yield from _pool(request.node, alone=False)


@pytest.fixture
def pool_alone(request: pytest.FixtureRequest, pool_answers: None) -> Iterator[Pool]:
    """The HTCondor pool, for a test that disturbs all who use it: it waits for the others, and they for it."""
    yield from _pool(request.node, alone=True)


@contextlib.contextmanager
def _in_use(alone: bool) -> Iterator[None]:
    """Nobody disturbs the pool meanwhile; for `alone`, nobody uses it either. Nothing where there is none."""
    if not SHARED.is_dir():
        yield
        return
    with (SHARED / ".tests.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield


def _pool(test: pytest.Item, alone: bool) -> Iterator[Pool]:
    """The folder of a test that passed is removed; a failed one's stays, and the report names it."""
    with _in_use(alone):
        folder = Path(tempfile.mkdtemp(prefix=re.sub(r"\W+", "-", test.name)[:40] + "-", dir=SHARED))
        folder.chmod(0o755)
        print(f"folder on the pool: {folder}")
        pool = Pool(folder, alone)
        yield pool
        pool.empty()
        if test.stash.get(PASSED, False):
            shutil.rmtree(folder)
