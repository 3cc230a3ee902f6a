"""Jobs that succeed, each odd in another way: one run of many small independent cases, the same on every engine."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import urllib.parse

import pytest

pytestmark = pytest.mark.timeout(600)  # as long as a pool may be busy with other tests

CONCATENATE = """#!/bin/sh
# OUTPUT INPUT...: standard input is empty, so without inputs there is nothing but the line
set -e
output=$1; shift
{ echo "= $output"; cat "$@"; } > "$output"
"""
SPLIT = """#!/bin/sh
# INPUT FIRST SECOND
mkdir -p "$(dirname "$2")" "$(dirname "$3")"
head -n 1 "$1" > "$2"; tail -n +2 "$1" > "$3"
"""
FLAKY = """#!/bin/sh
# MARK OUTPUT: the third time it works
echo started >> "$1"
echo "attempt $(wc -l < "$1")" | tee "$2" >&2
[ "$(wc -l < "$1")" -ge 3 ]
"""
TOUCH = """#!/bin/sh
# FILE...
for name; do echo made > "$name"; done
"""
EMPTY = """#!/bin/sh
# OUTPUT INPUT...: no byte; fails if an input has any
output=$1; shift
for name; do [ -f "$name" ] && [ ! -s "$name" ] || exit 1; done
: > "$output"
"""
MAKE_FOLDER = """#!/usr/bin/env python3
import os, sys
os.makedirs(sys.argv[1] + "/deep/er")
os.makedirs(sys.argv[1] + "/empty/emptier")
for name in (b"plain", b"deep/er/with space", b"new\\nline", b"not utf-8 \\xff", b".hidden"):
    with open(os.path.join(os.fsencode(sys.argv[1]), name), "wb") as file:
        file.write(name)
os.chmod(sys.argv[1] + "/plain", 0o755)
"""
LIST_FOLDERS = """#!/usr/bin/env python3
# OUTPUT FOLDER...: everything below the folders
import json, os, sys
found = {}
for folder in sys.argv[2:]:
    for path, folders, files in os.walk(folder):
        for name in folders:
            found[os.path.join(path, name) + "/"] = None
        for name in files:
            with open(os.path.join(path, name), "rb") as file:
                found[os.path.join(path, name)] = file.read().hex()
with open(sys.argv[1], "w") as file:
    json.dump(found, file)
"""
TALKS = """#!/bin/sh
# EXTRA: both streams, between them what it reads
echo out; echo err >&2
tr a-z A-Z
echo "$1"
"""
APPEND = """#!/bin/sh
# LINE FILE: changes FILE in place
echo "$1" >> "$2"
"""
WRITES_PROGRAM = """#!/bin/sh
# OUTPUT: a program
printf '#!/bin/sh\\necho "ran with $1" > "$2"\\n' > "$1"
chmod 755 "$1"
"""
CALLS = """#!/bin/sh
# PROGRAM OUTPUT
exec "./$1" "an argument" "$2"
"""
REPORTS = """#!/usr/bin/env python3
import json, os, sys
with open(sys.argv[1], "w") as file:
    file.write("measured")
report = [
    {"_type": "job", "_attributes": {"residual": 0.25, "steps": [1, 2, 3], "odd \\u20ac": "line\\nbreak"}},
    {"_type": "file", "_id": sys.argv[1], "_attributes": {"rows": 7}},
]
with open(os.environ["PIRENE_METADATA"], "w") as file:
    json.dump(report, file)
"""
LEAVES_BEHIND = """#!/usr/bin/env python3
# OUTPUT MARK: the command ends at once; a grandchild in a session of its own writes the output later
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        with open(sys.argv[2], "w") as mark:
            mark.write(str(os.getpid()))
        time.sleep(1.5)
        with open(sys.argv[1], "w") as file:
            file.write("written by a grandchild")
    os._exit(0)
"""
FLOODS = """#!/usr/bin/env python3
# both streams at once, more than any pipe holds
import sys
for _ in range(300):
    sys.stdout.write("o" * 9999 + "\\n")
    sys.stderr.write("e" * 4999 + "\\n")
print("the end")
"""
SHOWS = """#!/usr/bin/env python3
# OUTPUT ARGUMENT...: how it was called
import json, os, sys
shown = {
    "arguments": sys.argv[2:],
    "environment": {name: value for name, value in os.environ.items() if name.startswith("CASE_")},
    "folder": sorted(name for name in os.listdir() if not name.startswith(".")),
}
with open(sys.argv[1], "w") as file:
    json.dump(shown, file)
"""
PROGRAMS = {
    "append": APPEND,
    "calls": CALLS,
    "concatenate": CONCATENATE,
    "empty": EMPTY,
    "flaky": FLAKY,
    "floods": FLOODS,
    "leaves-behind": LEAVES_BEHIND,
    "list-folders": LIST_FOLDERS,
    "make-folder": MAKE_FOLDER,
    "reports": REPORTS,
    "shows": SHOWS,
    "split": SPLIT,
    "talks": TALKS,
    "touch": TOUCH,
    "writes-program": WRITES_PROGRAM,
}
ENVIRONMENT = {
    "CASE_PLAIN": "value",
    "CASE_EMPTY": "",
    "CASE_ODD": "a b;c 'single' \"double\" $HOME $(Cluster) %s \\ = é\U0001f40e",
    "CASE_LINES": "one\ntwo\n",
}
# Names that an engine might give to files of its own.
TAKEN = (
    "kickstart.pyz",
    "job.json",
    "record.json",
    "in",
    "out",
    "stdout",
    "_condor_stdout",
    "condor_exec.exe",
    "shows",
)
MADE_FOLDER = {
    "deep/": None,
    "deep/er/": None,
    "empty/": None,
    "empty/emptier/": None,
    **{
        os.fsdecode(name): name.hex()
        for name in (b"plain", b"deep/er/with space", b"new\nline", b"not utf-8 \xff", b".hidden")
    },
}


@pytest.fixture
def good(ran, job):
    """The run of all cases."""
    return ran("good", lambda bench: make(bench, job))


def make(bench, job):
    workflow = bench.write(
        "good",
        PROGRAMS,
        [*diamond(job), *files_of_all_kinds(job), *processes(job, bench.marks), *surroundings(job)],
        replicas=replicas(bench),
        jobDependencies=[{"id": "no-outputs", "children": ["after-no-outputs"]}],
        profiles={"env": {"CASE_WORKFLOW": "of all jobs"}},
    )
    return bench.call(*bench.plan_and_run(workflow))


def replicas(bench):
    folder = bench.folder / "raw" / "tree"
    (folder / "empty").mkdir(parents=True)
    (folder / "in side").write_bytes(b"raw")
    target = bench.folder / "raw" / "target of a link"
    target.write_bytes(b"linked\n")
    (bench.folder / "raw" / "link").symlink_to(target)
    odd = bench.folder / "raw" / os.fsdecode(b"a, b; 'c' \"d\" \xff\n%41") / "f,1"
    odd.parent.mkdir()
    odd.write_bytes(b"from an odd place\n")
    return [
        bench.raw("letters", b"first\nsecond\nthird\n"),
        bench.raw("nothing", b""),
        bench.raw("one/data", b"the first\n"),
        bench.raw("two/data", b"the second\n"),
        bench.raw("another name", b"by another name\n", path="raw/name on disk"),
        bench.raw("state", b"raw\n"),
        bench.replica("tree", str(folder)),
        bench.replica("linked", str(bench.folder / "raw" / "link")),
        bench.replica("odd place", "file://" + urllib.parse.quote(os.fsencode(odd))),
    ]


def kept_inside(*names):
    """Uses: outputs that stay in the run."""
    return [{"lfn": name, "type": "output", "stageOut": False} for name in names]


def diamond(job):
    first, rest = "part/first", "part/rest"
    return [
        job("split", "split", "letters", "f", "r", reads=["letters"], uses=kept_inside("f", "r")),
        job("left", "concatenate", "l", "f", reads=["f"], writes=["l"]),
        job("right", "concatenate", "r2", "r", reads=["r"], writes=["r2"]),
        job("join", "concatenate", "joined", "l", "r2", "letters", reads=["l", "r2", "letters"], writes=["joined"]),
        # The same base name in several folders, read and written.
        job("folders", "split", "two/data", first, rest, reads=["one/data", "two/data"], writes=[first, rest]),
        job("names", "concatenate", "names", "one/data", "two/data", first, "another name", "odd place", "linked",
            reads=["one/data", "two/data", first, "another name", "odd place", "linked"], writes=["names"]),
    ]  # fmt: skip


def files_of_all_kinds(job):
    return [
        job("no-inputs", "concatenate", "alone", writes=["alone"]),
        job("empty", "empty", "none", "nothing", reads=["nothing"], uses=kept_inside("none")),
        job("empty-again", "empty", "none at all", "none", "nothing", reads=["none", "nothing"], writes=["none at all"]),
        job("make-hidden", "make-folder", "hidden", uses=kept_inside("hidden")),
        job("make-shown", "make-folder", "shown", writes=["shown"]),
        job("list-folders", "list-folders", "listing", "tree", "hidden", "shown",
            reads=["tree", "hidden", "shown"], writes=["listing"]),
        job("raw-state", "append", "changed", "state", uses=[{"lfn": "state", "type": "inout"}]),
        job("grow-1", "append", "one", "grown", writes=["grown"]),
        job("grow-2", "append", "two", "grown", uses=[{"lfn": "grown", "type": "inout"}]),
        job("grow-3", "concatenate", "grown and read", "grown", reads=["grown"], writes=["grown and read"]),
        job("optional", "touch", "made", uses=[
            {"lfn": "made", "type": "output", "optional": True}, {"lfn": "not made", "type": "output", "optional": True}]),
        job("reads-optional", "shows", "what was there",
            uses=[{"lfn": name, "type": "input", "optional": True} for name in ("made", "not made")],
            writes=["what was there"]),
        job("writes-program", "writes-program", "program", writes=["program"]),
        job("calls-program", "calls", "program", "called", reads=["program"], writes=["called"]),
    ]  # fmt: skip


def processes(job, marks):
    return [
        job("flaky", "flaky", str(marks / "flaky"), "at last", writes=["at last"],
            profiles={"dagman": {"retry": "3"}}),
        job("after-flaky", "concatenate", "after flaky", "at last", reads=["at last"], writes=["after flaky"]),
        job("no-outputs", "touch", str(marks / "no-outputs")),
        job("after-no-outputs", "concatenate", "after", str(marks / "no-outputs"), writes=["after"]),
        job("streams", "talks", "", reads=["letters"], stdin="letters", stdout="logs/out", stderr="logs/err"),
        job("one-stream", "talks", "last", stdout="logs/only"),
        job("reports", "reports", "measured", writes=["measured"], metadata={"steps": 0, "planned": "yes"}),
        job("leaves-behind", "leaves-behind", "late", str(marks / "behind"), writes=["late"]),
        job("floods", "floods"),
    ]  # fmt: skip


def surroundings(job):
    return [
        job("shows", "shows", "shown environment", writes=["shown environment"],
            profiles={"env": ENVIRONMENT}),
        job("sees", "shows", "seen", reads=["letters", "one/data"], writes=["seen"]),
        job("writes-taken", "touch", *TAKEN, writes=TAKEN),
        job("reads-taken", "shows", "seen beside taken", *TAKEN, reads=TAKEN, writes=["seen beside taken"]),
    ]  # fmt: skip


def content(ran, name: str) -> str:
    return ran.output(name).read_text()


def shown(ran, name: str):
    return json.loads(content(ran, name))


def test_the_run_and_every_job_succeeded(good) -> None:
    total = len(good.jobs)
    assert good.code == 0 and good.summary["status"] == good.status["status"] == "succeeded"
    counts = {"total": total, "run": total, "reused": 0, "succeeded": total}
    assert good.summary["jobs"] == {**counts, "failed": 0, "integrity_failed": 0, "not_run": 0}
    assert {row["status"] for row in good.jobs.values()} == {"succeeded"}
    assert set(good.codes.values()) == {0}
    assert good.analysis["failures"] == good.analysis["not_run"] == []


def test_every_job_was_measured(good) -> None:
    for id_, row in good.jobs.items():
        assert row["exit_code"] == 0 and row["signal"] is None, id_
        assert row["host"] and row["started"] and row["ended"] and row["duration"] >= 0, id_
        assert row["cpu_seconds"] >= 0 and row["max_rss"] > 0, id_
        assert row["attempts"] == (3 if id_ == "flaky" else 1), id_


def test_the_engine_is_on_record(good, engine) -> None:
    (workflow,) = good.bench.site.query("workflows show name, engine, status, job_count, failed_count")
    assert workflow == {
        "name": "good", "engine": engine, "status": "succeeded", "job_count": len(good.jobs), "failed_count": 0,
    }  # fmt: skip


def test_the_diamond(good) -> None:
    left, right = "= l\nfirst\n", "= r2\nsecond\nthird\n"
    assert content(good, "joined") == f"= joined\n{left}{right}first\nsecond\nthird\n"
    assert (content(good, "l"), content(good, "r2")) == (left, right)
    assert not good.output("f").exists() and not good.output("r").exists()
    assert {good.made(name)["status"] for name in ("l", "r2", "joined")} == {"ok"}
    assert {good.made(name)["status"] for name in ("f", "r")} == {"gone"}  # no copy of it was to be kept


def test_lineage_goes_back_to_the_raw_file_through_intermediates(good) -> None:
    lineage = good.bench.site.run("lineage", str(good.output("joined")), "--format", "json").json()
    jobs = {node["job"] for node in lineage["nodes"] if node.get("job")}
    assert {"split", "left", "right", "join"} <= jobs
    upstream = good.bench.site.query('files upstream of (files where name = "joined") show name, origin')
    assert {(row["name"], row["origin"]) for row in upstream} == {
        ("letters", "raw"), *((name, "produced") for name in ("f", "r", "l", "r2")),
    }  # fmt: skip


def test_digests_and_sizes_of_outputs_are_those_of_their_bytes(good) -> None:
    staged = [
        path for path in good.output("").rglob("*") if path.is_file() and good.output("shown") not in path.parents
    ]
    assert len(staged) > 30
    for path in staged:
        content = path.read_bytes()
        found = {
            (row["sha256"], row["size"], row["status"])
            for row in good.files
            if row["name"] == str(path.relative_to(good.output(""))) and row["origin"] == "produced"
        }
        assert (hashlib.sha256(content).hexdigest(), len(content), "ok") in found, path


def test_the_audit_reads_every_copy_and_finds_nothing(good) -> None:
    assert good.audit["verdict"] == "clean" and good.audit["findings"] == []


def test_one_base_name_in_several_folders_and_places_of_raw_files(good) -> None:
    assert content(good, "part/first") == "the second\n" and content(good, "part/rest") == ""
    assert content(good, "names") == (
        "= names\nthe first\nthe second\nthe second\nby another name\nfrom an odd place\nlinked\n"
    )


def test_no_inputs_and_no_outputs(good) -> None:
    assert content(good, "alone") == "= alone\n"
    assert (good.bench.marks / "no-outputs").read_text() == "made\n"
    assert content(good, "after") == "= after\nmade\n"
    assert good.records("no-outputs")[0]["outputs"] == []


def test_empty_files(good) -> None:
    assert content(good, "none at all") == ""
    for name in ("none", "none at all"):
        assert (good.made(name)["size"], good.made(name)["sha256"]) == (0, hashlib.sha256(b"").hexdigest())


def test_folders_go_from_job_to_job_with_all_that_is_in_them(good) -> None:
    expected = {f"{folder}/{name}": value for folder in ("hidden", "shown") for name, value in MADE_FOLDER.items()}
    assert shown(good, "listing") == {**expected, "tree/empty/": None, "tree/in side": b"raw".hex()}


def test_a_folder_is_staged_out_with_all_that_is_in_it(good) -> None:
    folder = good.output("shown")
    found = {f"{path.relative_to(folder)}{'/' if path.is_dir() else ''}" for path in folder.rglob("*")}
    assert found == set(MADE_FOLDER)
    assert (folder / "plain").stat().st_mode & stat.S_IXUSR and not (folder / "new\nline").stat().st_mode & stat.S_IXUSR
    row = good.made("shown")
    assert row["size"] == sum(len(bytes.fromhex(value)) for value in MADE_FOLDER.values() if value is not None)
    assert row["sha256"] == folder_digest(folder) == good.made("hidden")["sha256"]


def folder_digest(folder) -> str:
    """docs/formats/invocation.md, "What a digest is of", in other words than the wrapper's."""
    lines = []
    for path in folder.rglob("*"):
        name = os.fsencode(path.relative_to(folder))
        if path.is_file():
            lines.append((name, hashlib.sha256(path.read_bytes()).hexdigest().encode() + b"  " + name + b"\0"))
        elif not any(path.iterdir()):
            lines.append((name + b"/", b"-" * 64 + b"  " + name + b"/\0"))
    return hashlib.sha256(b"pirene-folder/1\0" + b"".join(line for _, line in sorted(lines))).hexdigest()


def test_files_changed_in_place(good) -> None:
    assert content(good, "state") == "raw\nchanged\n"
    assert (good.bench.folder / "raw" / "state").read_text() == "raw\n"
    assert content(good, "grown") == "one\ntwo\n"
    assert content(good, "grown and read") == "= grown and read\none\ntwo\n"
    versions = [row for row in good.files if row["name"] == "grown"]
    assert {row["sha256"] for row in versions} == {
        hashlib.sha256(text).hexdigest() for text in (b"one\n", b"one\ntwo\n")
    }


def test_optional_files(good) -> None:
    assert content(good, "made") == "made\n" and not good.output("not made").exists()
    assert shown(good, "what was there")["folder"] == ["made"]
    (record,) = good.records("optional")
    assert {entry["name"]: entry["verdict"] for entry in record["outputs"]} == {"made": "ok", "not made": "missing"}


def test_an_output_keeps_its_executable_bit(good) -> None:
    assert content(good, "called") == "ran with an argument\n"
    assert good.output("program").stat().st_mode & stat.S_IXUSR
    assert not good.output("called").stat().st_mode & stat.S_IXUSR


def test_retries_until_it_works(good) -> None:
    assert (good.bench.marks / "flaky").read_text() == "started\n" * 3
    records = good.records("flaky")
    assert [(record["attempt"], record["status"], record["exit_code"]) for record in records] == [
        (1, "failed", 1), (2, "failed", 1), (3, "succeeded", 0),
    ]  # fmt: skip
    assert [record["stderr"]["text"] for record in records] == [f"attempt {number}\n" for number in (1, 2, 3)]
    assert content(good, "after flaky") == "= after flaky\nattempt 3\n"


def test_standard_streams(good) -> None:
    assert content(good, "logs/out") == "out\nFIRST\nSECOND\nTHIRD\n\n"
    assert content(good, "logs/err") == "err\n"
    assert content(good, "logs/only") == "out\nlast\n"
    assert good.records("one-stream")[0]["stderr"] == {"size": 4, "text": "err\n"}


def test_metadata_that_a_job_reports(good) -> None:
    found = good.jobs["reports"]["metadata"]
    assert (found["residual"], found["steps"], found["planned"]) == (0.25, [1, 2, 3], "yes")
    assert found["odd €"] == "line\nbreak"
    assert good.made("measured")["metadata"]["rows"] == 7
    assert [row["id"] for row in good.bench.site.query("jobs where residual < 0.5 show id")] == ["reports"]


def test_grandchildren_are_waited_for_and_nothing_is_left_running(good) -> None:
    assert content(good, "late") == "written by a grandchild"
    (record,) = good.records("leaves-behind")
    assert record["duration"] < 1.5
    assert not os.path.exists(f"/proc/{(good.bench.marks / 'behind').read_text()}")  # noqa: PTH110


def test_floods_on_both_streams(good) -> None:
    (record,) = good.records("floods")
    out, err = record["stdout"], record["stderr"]
    assert (out["size"], err["size"]) == (300 * 10000 + 8, 300 * 5000)
    assert (len(out["text"]), len(err["text"])) == (65536, 65536)
    assert out["text"].endswith("o\nthe end\n")


def test_the_environment_of_profiles(good) -> None:
    assert shown(good, "shown environment")["environment"] == {**ENVIRONMENT, "CASE_WORKFLOW": "of all jobs"}
    assert shown(good, "seen")["environment"] == {"CASE_WORKFLOW": "of all jobs"}
    (record,) = good.records("shows")
    assert record["environment"] == {**ENVIRONMENT, "CASE_WORKFLOW": "of all jobs"}


def test_a_job_sees_its_inputs_and_nothing_else(good) -> None:
    assert shown(good, "seen")["folder"] == ["letters", "one"]
    seen = shown(good, "seen beside taken")
    assert seen["folder"] == sorted(TAKEN) and seen["arguments"] == list(TAKEN)
    assert {content(good, name) for name in TAKEN} == {"made\n"}


@pytest.mark.parametrize("next_engine", ["local", "htcondor"])
def test_the_same_workflow_again_on_either_engine_is_reused(good, next_engine) -> None:
    """What one engine recorded is enough for both; jobs without outputs run every time, for what they do besides."""
    planned = good.bench.folder / f"again-{next_engine}"
    again = ["plan", str(good.bench.folder / "workflow.yml"), "-d", str(planned), "--engine", next_engine]
    counts = good.bench.call(*again, "--format", "json").document["jobs"]
    assert counts == {"total": len(good.jobs), "run": 2, "reused": len(good.jobs) - 2}
