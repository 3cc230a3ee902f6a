"""One suite over both engines: what a user sees of a run must not depend on what runs the jobs.

Every test takes `engine` and looks at a run that was made with the command line alone. A run serves many tests; it is
made once in a session, by the first worker that needs it, while the others wait for it at a file lock.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

ENGINES = ("local", "htcondor")
AS_POOL_USER = (str(Path(__file__).parents[2] / "htcondor-pool"), "su")
# Jobs that wait for a test to open their gate must not keep others from running, also where there is one processor.
AT_ONCE = "4"


@dataclass(frozen=True)
class Said:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Its answer in JSON; the test fails when there is none."""
        assert self.code in (0, 1, 3), self.err
        return json.loads(self.out)


@dataclass(frozen=True)
class Bench:
    """A folder with a workflow and what it needs, and the command, as the user of the engine.

    Programs are stageable scripts that need /bin/sh or python3 alone. ``marks`` is a folder that jobs see as well,
    wherever they run: what they leave there shows that they were started.
    """

    engine: str
    site: Any

    @property
    def folder(self) -> Path:
        return self.site.folder

    @property
    def marks(self) -> Path:
        return self.folder / "marks"

    @property
    def run_dir(self) -> Path:
        return self.folder / "run"

    def raw(self, lfn: str, content: bytes, path: str | None = None, **entry: Any) -> dict[str, Any]:
        """An entry of the replica catalog, and its file: at ``path`` below the folder, or else where its lfn says."""
        place = self.folder / (path or f"raw/{lfn}")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        return self.replica(lfn, str(place), **entry)

    def replica(self, lfn: str, pfn: str, **entry: Any) -> dict[str, Any]:
        """An entry of the replica catalog; in catalogs a dollar is written twice."""
        return {"lfn": lfn.replace("$", "$$"), "pfns": [{"site": "local", "pfn": pfn.replace("$", "$$")}], **entry}

    def write(
        self,
        name: str,
        programs: Mapping[str, str],
        jobs: Sequence[Mapping[str, Any]],
        *,
        replicas: Sequence[Mapping[str, Any]] = (),
        **rest: Any,
    ) -> Path:
        """The workflow file (JSON is YAML), with both catalogs inside; raw files are there already.

        All that is in the folder now is the property of the engine's user.
        """
        entries = []
        for program, text in programs.items():
            path = self.folder / "bin" / program
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
            path.chmod(0o755)
            site = {"name": "local", "pfn": str(path), "type": "stageable"}
            entries.append({"name": program, "sites": [site]})
        document = {
            "pegasus": "5.0",
            "name": name,
            "replicaCatalog": {"replicas": list(replicas)},
            "transformationCatalog": {"transformations": entries},
            "jobs": list(jobs),
            **rest,
        }
        workflow = self.folder / "workflow.yml"
        workflow.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
        if self.engine == "htcondor":
            subprocess.run(["chown", "-hR", "pool:pool", str(self.folder)], check=True)
        return workflow

    def call(self, *words: str) -> Said:
        """Run a command to its end, whatever its exit code."""
        with self.started(*words) as process:
            return self.wait(process)

    @contextlib.contextmanager
    def started(self, *words: str) -> Iterator[Any]:
        """A command that is at work; at the end of the block it is, whatever happens, no more."""
        with self.site.start(*words) as process:
            try:
                yield process
            finally:
                process.kill()

    def wait(self, process: Any) -> Said:
        """Let a command that was started come to its end; a pool may be busy with the jobs of other tests."""
        out, err = process.communicate(timeout=400)
        return Said(process.returncode, out, err)

    def plan_and_run(self, workflow: Path) -> list[str]:
        """The words of the command that plans and runs a workflow in the folder ``run``."""
        engine = ["--engine", self.engine, "-j", AT_ONCE]
        return ["run", str(workflow), "-d", str(self.run_dir), *engine, "--format", "json"]

    def go_on(self) -> list[str]:
        """The words of the command that goes on with that run."""
        return ["run", str(self.run_dir), "-j", AT_ONCE, "--format", "json"]


@dataclass(frozen=True)
class Ran:
    """A run that has come to its end: its exit code, its summary, and what the commands said of it then.

    ``codes`` are the exit codes of those commands; ``jobs`` by id, ``files`` and ``checks`` all rows that the store has.
    """

    bench: Bench
    code: int
    summary: Mapping[str, Any]
    err: str
    status: Mapping[str, Any]
    analysis: Mapping[str, Any]
    audit: Mapping[str, Any]
    codes: Mapping[str, int]
    jobs: Mapping[str, Mapping[str, Any]]
    files: Sequence[Mapping[str, Any]]
    checks: Sequence[Mapping[str, Any]]

    @property
    def failures(self) -> Mapping[str, Mapping[str, Any]]:
        """What `analyze` says of failed jobs, by id."""
        return {failure["job"]: failure for failure in self.analysis["failures"]}

    def output(self, name: str) -> Path:
        """Where an output was staged out to."""
        return Path(self.summary["output_dir"]) / name

    def records(self, job: str) -> list[Mapping[str, Any]]:
        """The invocation records of a job, in the order of its attempts."""
        found = [json.loads(path.read_bytes()) for path in (self.bench.run_dir / "records").rglob("*.json")]
        return sorted((record for record in found if record["id"] == job), key=lambda record: record["attempt"])

    def made(self, name: str) -> Mapping[str, Any]:
        """The one produced file of that name."""
        (row,) = [row for row in self.files if row["name"] == name and row["origin"] == "produced"]
        return row

    def checks_of(self, name: str, verdict: str) -> list[tuple[str, str | None, str | None]]:
        """(stage, expected, actual) of the checks of a name with that verdict."""
        rows = [row for row in self.checks if row["name"] == name and row["verdict"] == verdict]
        return [(row["stage"], row["expected"], row["actual"]) for row in rows]


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    if request.param == "htcondor":
        request.getfixturevalue("pool_answers")
    return request.param


@pytest.fixture(scope="session")
def outcomes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where all workers of this session note what they have run.

    The last to leave removes the runs, unless one of them was looked at by a test that failed.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if hasattr(request.config, "workerinput") else base) / "conformance"
    folder.mkdir(exist_ok=True)
    with (folder / "in-use").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield folder
        if request.session.testsfailed:
            (folder / "keep").touch()
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return  # another worker is not done yet
        if not (folder / "keep").exists():
            for outcome in folder.glob("*.json"):
                shutil.rmtree(json.loads(outcome.read_text())["folder"])
                outcome.unlink()


@pytest.fixture
def once(
    request: pytest.FixtureRequest, site: Any, engine: str, outcomes: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, Callable[[Bench], Any]], tuple[Bench, Any]]:
    """``once(name, make)``: the bench of that name on the engine, and what ``make(bench)`` returned when it was made.

    What it returns has to be JSON.
    """

    def bench_in(folder: Path) -> Bench:
        environment = {**site.environment, "PIRENE_STORE": str(folder / ".pirene")}
        prefix = AS_POOL_USER if engine == "htcondor" else ()
        return Bench(engine, replace(site, folder=folder, environment=environment, prefix=prefix))

    def make_it(name: str, make: Callable[[Bench], Any]) -> tuple[Path, Any]:
        if engine == "local":
            folder = tmp_path_factory.mktemp(name)
            (folder / "marks").mkdir()
            return folder, make(bench_in(folder))
        # The pool's own folder of this test goes with the test; this one is for other tests as well.
        pool = request.getfixturevalue("pool")
        folder = Path(tempfile.mkdtemp(prefix=f"conformance-{name}-", dir=pool.folder.parent))
        folder.chmod(0o755)
        (folder / "marks").mkdir()
        try:
            return folder, make(bench_in(folder))
        finally:
            replace(pool, folder=folder).empty()

    def made(name: str, make: Callable[[Bench], Any]) -> tuple[Bench, Any]:
        outcome = outcomes / f"{engine}-{name}.json"
        begun = outcome.with_suffix(".begun")
        with outcome.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not outcome.exists():
                if begun.exists():
                    pytest.fail("the run came to no end: the first test that needed it says why", pytrace=False)
                begun.touch()
                folder, answer = make_it(name, make)
                outcome.write_text(json.dumps({"folder": str(folder), "answer": answer}))
                begun.unlink()
        known = json.loads(outcome.read_text())
        return bench_in(Path(known["folder"])), known["answer"]

    return made


@pytest.fixture
def ran(once: Any) -> Callable[..., Ran]:
    """``ran(name, make)``: ``make(bench)`` runs a workflow to its end and returns that command's result."""

    def made(name: str, make: Callable[[Bench], Any]) -> Ran:
        bench, outcome = once(name, lambda bench: _report(bench, make(bench)))
        jobs = {row["id"]: row for row in outcome.pop("jobs")}
        return Ran(bench=bench, jobs=jobs, **outcome)

    return made


def _report(bench: Bench, said: Said) -> dict[str, Any]:
    run = said.document
    rows = {entity: bench.site.query(f"{entity} show *") for entity in ("jobs", "files", "checks")}
    asked = {
        "status": bench.call("status", str(bench.run_dir), "--format", "json"),
        "analysis": bench.call("analyze", str(bench.run_dir), "--format", "json"),
        "audit": bench.call("audit", run["run"], "--format", "json"),  # last: it adds checks of its own
    }
    answers = {name: answer.document for name, answer in asked.items()}
    codes = {name: answer.code for name, answer in asked.items()}
    return {"code": said.code, "summary": run, "err": said.err, "codes": codes, **answers, **rows}


@pytest.fixture
def job() -> Callable[..., dict[str, Any]]:
    """A job of a workflow file: id, program, arguments; names that it reads and writes; further uses and keys."""

    def made(
        id_: str,
        program: str,
        *arguments: str,
        reads: Sequence[str] = (),
        writes: Sequence[str] = (),
        uses: Sequence[Mapping[str, Any]] = (),
        **rest: Any,
    ) -> dict[str, Any]:
        listed = [{"lfn": name, "type": "input"} for name in reads]
        listed += [{"lfn": name, "type": "output"} for name in writes]
        return {"type": "job", "id": id_, "name": program, "arguments": arguments, "uses": [*listed, *uses], **rest}

    return made


@pytest.fixture
def until() -> Callable[..., None]:
    """Waits for a condition; fails after some time, or at once when a process has ended that should not have."""

    def wait(condition: Callable[[], object], process: Any = None, seconds: float = 200.0) -> None:
        limit = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < limit, "it did not come about"
            if process is not None and process.poll() is not None:
                pytest.fail(f"the command has ended already: {process.communicate()}")
            time.sleep(0.05)

    return wait
