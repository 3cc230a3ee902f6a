"""Workflow files: what is read, what is named as without effect, what is refused and in which words."""

from __future__ import annotations

import hashlib
import re
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from planner import job_file, workflow_file
from planner.catalogs import sites, transformations
from planner.errors import FileError, PlannerError
from planner.profiles import NAMESPACES
from planner.workflow import Dependency, Job, Place, ReusePolicy, Role, Selection, Use, UseKind, Workflow
from planner.workflow_file import parse_workflow, read_workflow
from provenance.metadata import Written
from query import literals

BROKEN = Path(__file__).parent / "broken"
ROOT = Path(__file__).parents[2]


def workflow(text: str, **environment: str) -> Workflow:
    return parse_workflow(text.encode(), environment=environment)


def with_jobs(jobs: str) -> Workflow:
    return workflow(f'pegasus: "5.0"\nname: w\njobs:\n{jobs}')


def one_job(lines: str = "", uses: str = "[]") -> Job:
    (job,) = with_jobs(f"- id: a\n  name: t\n  arguments: []\n  uses: {uses}\n{lines}").jobs
    return job


def one_use(use: str) -> Use:
    (found,) = one_job(uses=f"[{use}]").uses
    return found


@pytest.mark.parametrize("path", sorted(BROKEN.glob("*.yml")), ids=lambda path: path.stem)
def test_broken_files_are_refused_in_these_words(path: Path) -> None:
    with pytest.raises(FileError) as caught:
        read_workflow(path, environment={})
    found = str(caught.value).replace(f"{path.parent}/", "") + "\n"
    if caught.value.hint:
        found += f"hint: {caught.value.hint}\n"
    assert found == path.with_suffix(".expected").read_text(encoding="utf-8")
    assert caught.value.exit_code == 2
    assert caught.value.place.file == path


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(PlannerError, match=r"cannot read the workflow /no/such\.yml: No such file"):
        read_workflow(Path("/no/such.yml"))


def test_the_diamond() -> None:
    path = ROOT / "datasets" / "diamond" / "diamond.yml"
    found = read_workflow(path)
    assert len(found.jobs) == 4
    assert found.path == path
    assert found.sha256 == hashlib.sha256(path.read_bytes()).digest()
    assert found.warnings == ()


def test_a_whole_workflow() -> None:
    text = """\
x-made-by: me
pegasus: 5.0.4
name: coadd
metadata: {campaign: DR3, n: 3, tags: [a, "1"]}
profiles: {env: {LANG: C}, dagman: {RETRY: 2}}
jobs:
- type: job
  id: isr
  namespace: lsst
  name: isr
  version: 1.10
  x-note: anything
  arguments: [-i, in.fits, 1.10, 007, true, null, "", 0x1F, "a b"]
  stdout: log.txt
  uses:
  - {lfn: in.fits, type: input, size: "12", metadata: {band: r, when: 2026-05-01}}
  - {lfn: out.fits, type: output, stageOut: false, registerReplica: false, optional: true}
  - {lfn: log.txt, type: output}
  metadata: {timesteps: '500000', exposure: 500000}
  profiles: {env: {OMP_NUM_THREADS: 4}, dagman: {retry: "3"}, pirene: {salt: s1, deterministic: false}}
- id: stack
  name: stack
  arguments: []
  uses: []
jobDependencies:
- {id: isr, children: [stack]}
"""
    found = workflow(text)
    isr, stack = found.jobs
    assert (found.name, found.format_version) == ("coadd", "5.0.4")
    assert found.metadata == {
        "campaign": Written("DR3", "text"),
        "n": Written("3", "number"),
        "tags": (Written("a", "text"), Written("1", "text")),
    }
    assert found.profiles == {"env": {"LANG": "C"}, "dagman": {"retry": "2"}}
    assert (isr.namespace, isr.name, isr.version, isr.type) == ("lsst", "isr", "1.10", "job")
    assert isr.arguments == ("-i", "in.fits", "1.10", "007", "true", "null", "", "0x1F", "a b")
    assert isr.metadata == {"timesteps": Written("500000", "text"), "exposure": Written("500000", "number")}
    assert isr.profiles == {
        "env": {"OMP_NUM_THREADS": "4"},
        "dagman": {"retry": "3"},
        "pirene": {"salt": "s1", "deterministic": "false"},
    }
    raw, out, log = isr.uses
    assert (raw.name, raw.role, raw.size_bytes, raw.place) == ("in.fits", Role.INPUT, 12, Place(None, 16, 5))
    assert raw.metadata == {"band": Written("r", "text"), "when": Written("2026-05-01", "text")}
    assert (out.stage_out, out.register_replica, out.optional) == (False, False, True)
    assert (log.stage_out, log.register_replica, log.optional, log.kind) == (True, True, False, UseKind.LFN)
    assert isr.stdout == "log.txt"
    assert stack.place == Place(None, 21, 3)
    assert found.dependencies == (Dependency("isr", "stack", Place(None, 26, 24)),)


@pytest.mark.parametrize("value", ["false", "'false'", "False"])
def test_flags_among_the_metadata_are_settings(value: str) -> None:
    use = one_use(f"{{lfn: f, type: output, metadata: {{stageOut: {value}, registerReplica: {value}, k: v}}}}")
    assert (use.stage_out, use.register_replica) == (False, False)
    assert use.metadata == {"k": Written("v", "text")}


def test_a_flag_of_the_use_is_stronger_than_one_among_its_metadata() -> None:
    assert one_use("{lfn: f, type: output, stageOut: true, metadata: {stageOut: false}}").stage_out


def test_metadata_keeps_every_character() -> None:
    value = 'it\'s "q"\n= : 🌾'
    text = yaml.safe_dump(
        {"pegasus": "5.0", "name": "w", "jobs": [], "metadata": {"a=b: 'c'\n": value}}, allow_unicode=True
    )
    found = workflow(text)
    assert found.metadata == {"a=b: 'c'\n": Written(value, "text")}


def test_streams_need_not_be_listed() -> None:
    job = one_job("  stdin: a\n  stdout: b\n  stderr: c\n")
    assert (job.stdin, job.stdout, job.stderr, job.uses) == ("a", "b", "c", ())


@pytest.mark.parametrize("kind", ["pegasusWorkflow", "condorWorkflow"])
def test_sub_workflows_are_read(kind: str) -> None:
    (job,) = with_jobs(
        f"- {{id: s, type: {kind}, file: inner.yml, arguments: [], uses: [{{lfn: inner.yml, type: input}}]}}"
    ).jobs
    assert (job.type, job.file, job.name) == (kind, "inner.yml", None)


def test_what_has_no_effect_is_named_once_for_each_kind_of_key() -> None:
    job = """\
- id: {0}
  name: t
  nodeLabel: l
  arguments: []
  uses: [{{lfn: f{0}, type: input, bypass: true, forPlanning: true, executable: true, namespace: n, version: v}}]
  hooks: {{shell: [{{_on: end, cmd: date}}]}}
  profiles:
    condor: {{universe: local, requirements: x}}
    pegasus: {{runtime: 3, cores: 2, maxwalltime: 3, checkpoint.time: 2}}
    dagman: {{PRE: x}}
    selector: {{execution.site: local}}
"""
    found = workflow('pegasus: "5.0"\nname: w\nhooks: {}\njobs:\n' + job.format(1) + job.format(2))
    assert sorted(warning.split(": ", 1)[1] for warning in found.warnings) == sorted(
        [
            "'hooks' of the workflow has no effect yet",
            *(
                f"{kind} has no effect yet (2 times in this file)"
                for kind in [
                    "'nodeLabel' of a job",
                    "'hooks' of a job",
                    "'bypass' of a use",
                    "'forPlanning' of a use",
                    "'executable' of a use",
                    "'namespace' of a use",
                    "'version' of a use",
                    "profile pegasus.runtime",
                    "profile condor.universe",
                    "profile dagman.pre",
                    "namespace selector of profiles",
                ]
            ),
        ]
    )
    assert found.warnings[0].startswith("<workflow>:3:1: ")


def test_a_replica_that_is_not_to_be_registered_is_named() -> None:
    job = "- {id: a, name: t, arguments: [], uses: [{lfn: f, type: output, registerReplica: false}]}"
    (warning,) = with_jobs(job).warnings
    assert warning == "<workflow>:4:42: 'registerReplica: false' of a use has no effect yet"
    assert with_jobs(job.replace("false", "true")).warnings == ()


def test_selections_foreach_and_reuse() -> None:
    found = workflow("""\
pegasus: "5.0"
name: w
reuse: {query: 'jobs where workflow.name = "w"', trust: [proven, observed]}
jobs:
- id: isr
  foreach: raw
  name: isr
  arguments: [-i, "${raw.name}", "$HOME", "$$"]
  uses:
  - {select: raw, type: input}
  - {lfn: "${raw.stem}.isr", type: output}
- id: stack
  name: stack
  arguments: []
  uses:
  - select: raw
  - outputs-of: isr
selections:
  raw:
    query: >-
      files where kind = "raw"
    params: {campaign: DR3}
    expect: {min: 2, max: 5}
  one: {query: files, expect: {exactly: 1}}
  any: {query: files, expect: {min: 0}}
""")
    isr, stack = found.jobs
    assert (isr.foreach, stack.foreach) == ("raw", None)
    assert isr.arguments == ("-i", "${raw.name}", "$HOME", "$$")
    assert [(use.kind, use.name, use.role) for use in (*isr.uses, *stack.uses)] == [
        (UseKind.SELECT, "raw", Role.INPUT),
        (UseKind.LFN, "${raw.stem}.isr", Role.OUTPUT),
        (UseKind.SELECT, "raw", Role.INPUT),
        (UseKind.OUTPUTS_OF, "isr", Role.INPUT),
    ]
    text = 'files where kind = "raw"'
    assert found.selections["raw"] == Selection(
        "raw", text, Place(None, 19, 3), Place(None, 20, 12), {"campaign": "DR3"}, 2, 5
    )
    assert [(s.expect_min, s.expect_max) for s in found.selections.values()] == [(2, 5), (1, 1), (0, None)]
    assert found.reuse == ReusePolicy(
        True, 'jobs where workflow.name = "w"', ("proven", "observed"), Place(None, 3, 16)
    )


@pytest.mark.parametrize(
    ("written", "policy"),
    [
        ("jobs", ReusePolicy(query="jobs", place=Place(None, 4, 8))),
        ("'false'", ReusePolicy(query="false", place=Place(None, 4, 8))),
        ("false", ReusePolicy(enabled=False, place=Place(None, 4, 8))),
        ("true", ReusePolicy(place=Place(None, 4, 8))),
        ("{trust: [asserted]}", ReusePolicy(trust=("asserted",), place=Place(None, 4, 8))),
    ],
)
def test_forms_of_reuse(written: str, policy: ReusePolicy) -> None:
    assert workflow(f'pegasus: "5.0"\nname: w\njobs: []\nreuse: {written}').reuse == policy


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("DR3", literals.TextValue("DR3")),
        ("'DR3'", literals.TextValue("DR3")),
        ("'500'", literals.TextValue("500")),
        ("'true'", literals.TextValue("true")),
        ("'2026-05-01'", literals.TextValue("2026-05-01")),
        ("'\"x\"'", literals.TextValue('"x"')),
        ("'1.10'", literals.TextValue("1.10")),
        ("0x1F", literals.Number(31)),
        (".5", literals.Number(0.5)),
    ],
)
def test_parameters_mean_what_their_quotes_say(written: str, meant: literals.Constant) -> None:
    found = workflow(
        f'pegasus: "5.0"\nname: w\njobs: []\nselections: {{s: {{query: files, params: {{p: {written}}}}}}}'
    )
    assert literals.constant(found.selections["s"].params["p"]) == meant


@pytest.mark.parametrize(
    ("written", "reading"),
    [("500", literals.Number(500)), ("true", literals.Truth(True)), ("1.10", literals.Number(1.1))],
)
def test_plain_parameters_read_like_literals(written: str, reading: literals.Number | literals.Truth) -> None:
    found = workflow(
        f'pegasus: "5.0"\nname: w\njobs: []\nselections: {{s: {{query: files, params: {{p: {written}}}}}}}'
    )
    assert literals.constant(found.selections["s"].params["p"]) == literals.FromOutside(written, reading)


def test_a_list_as_a_parameter() -> None:
    found = workflow('pegasus: "5.0"\nname: w\njobs: []\nselections: {s: {query: files, params: {p: [a, "1"]}}}')
    assert found.selections["s"].params == {"p": ["a", '"1"']}


def test_variables_in_inline_catalogs_are_expanded_and_elsewhere_are_not() -> None:
    found = workflow(
        """\
pegasus: "5.0"
name: w$$
replicaCatalog: {replicas: [{lfn: f, pfns: [{site: local, pfn: "${DATA}/$$f"}]}]}
jobs: [{id: a, name: t, arguments: ["${DATA}", $$], uses: []}]
""",
        DATA="/data",
    )
    catalog: Any = found.catalogs["replicaCatalog"]
    assert catalog.replicas["f"].pfns == (("local", "/data/$f"),)
    assert found.jobs[0].arguments == ("${DATA}", "$$")
    assert found.name == "w$$"


# -- generated workflows, written by PyYAML and read back

NAMES = st.text(min_size=1, max_size=8).filter(
    lambda text: "\0" not in text and "/" not in text and text not in (".", "..")
)
SCALARS = st.text(max_size=8) | st.integers(-(10**9), 10**9) | st.booleans()
METADATA = st.dictionaries(st.text(min_size=1, max_size=6), SCALARS | st.lists(SCALARS, max_size=3), max_size=3)
ARGUMENTS = st.lists(st.text(max_size=8).filter(lambda text: "\0" not in text) | st.integers(), max_size=4)


@st.composite
def jobs(draw: st.DrawFn) -> dict[str, Any]:
    uses = [
        {
            "lfn": name,
            "type": draw(st.sampled_from([role.value for role in Role])),
            "stageOut": draw(st.booleans()),
            "optional": draw(st.booleans()),
            "size": draw(st.integers(0, 1 << 50)),
            "metadata": {k: v for k, v in draw(METADATA).items() if k not in ("stageOut", "registerReplica")},
        }
        for name in draw(st.lists(NAMES, max_size=3, unique=True))
    ]
    return {
        "name": draw(NAMES),
        "arguments": draw(ARGUMENTS),
        "uses": uses,
        "metadata": draw(METADATA),
        "profiles": {"env": draw(st.dictionaries(NAMES.filter(lambda t: "=" not in t), NAMES, max_size=2))},
    }


class Core(yaml.SafeDumper):
    """PyYAML knows YAML 1.1, where `0E0` and `0o7` are text and need no quotes; to readers of 1.2 they are numbers."""


Core.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"([-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|0o[0-7]+|0x[0-9a-fA-F]+)\Z"),
    list("-+.0123456789"),
)


@settings(max_examples=100, deadline=None)
@example(
    name="0o7",
    bodies=[{"name": "1E5", "arguments": ["0e0"], "uses": [], "metadata": {"0E0": "0E0"}, "profiles": {"env": {}}}],
    ids=["1e+5", "b", "c", "d"],
    flow=False,
)
@given(
    name=NAMES,
    bodies=st.lists(jobs(), max_size=4),
    ids=st.lists(NAMES, min_size=4, max_size=4, unique=True),
    flow=st.booleans(),
)
def test_generated_workflows_come_back(name: str, bodies: list[dict[str, Any]], ids: list[str], flow: bool) -> None:
    written = [{"id": job_id, **body} for job_id, body in zip(ids, bodies, strict=False)]
    document = {"pegasus": "5.0", "name": name, "jobs": written}
    text = yaml.dump(document, Dumper=Core, default_flow_style=flow, sort_keys=False)
    found = workflow(text)
    assert found.name == name
    assert [as_written(job) for job in found.jobs] == [in_words(job) for job in written]


def as_written(job: Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "name": job.name,
        "arguments": list(job.arguments),
        "uses": [
            (use.name, use.role.value, use.stage_out, use.optional, use.size_bytes, dict(use.metadata))
            for use in job.uses
        ],
        "metadata": dict(job.metadata),
        "env": job.profiles["env"],
    }


def in_words(job: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": job["id"],
        "name": job["name"],
        "arguments": [str(argument) for argument in job["arguments"]],
        "uses": [
            (use["lfn"], use["type"], use["stageOut"], use["optional"], use["size"], metadata(use["metadata"]))
            for use in job["uses"]
        ],
        "metadata": metadata(job["metadata"]),
        "env": job["profiles"]["env"],
    }


def metadata(values: dict[str, Any]) -> dict[str, Any]:
    return {k: tuple(map(scalar, v)) if isinstance(v, list) else scalar(v) for k, v in values.items()}


def scalar(value: str | int | bool) -> Written:
    if isinstance(value, bool):
        return Written("true" if value else "false", "boolean")
    return Written(value, "text") if isinstance(value, str) else Written(str(value), "number")


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_damaged_workflow_is_read_or_refused_but_never_crashes(data: st.DataObject) -> None:
    """The diamond with a few bytes changed, cut or doubled."""
    text = bytearray((ROOT / "datasets" / "diamond" / "diamond.yml").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text) - 1))
        match data.draw(st.sampled_from(["change", "cut", "double", "insert"])):
            case "change":
                text[at] = data.draw(st.integers(0, 255))
            case "cut":
                del text[at : at + data.draw(st.integers(1, 30))]
            case "double":
                text[at:at] = text[at : at + data.draw(st.integers(1, 60))]
            case _:
                text[at:at] = data.draw(
                    st.sampled_from([b"[", b"{", b"}", b"- ", b": ", b"*a", b"&a ", b"!", b"\n", b"'"])
                )
    try:
        parse_workflow(bytes(text), environment={})
    except PlannerError as error:
        assert "<workflow>:" in str(error)


def test_jobs_are_streamed() -> None:
    """What is kept of a job is the job: the YAML of all of them would need several times as much."""
    body = "- {{id: j{0}, name: t, arguments: [-i, f{0}], uses: [{{lfn: f{0}, type: input}}]}}\n"
    text = 'pegasus: "5.0"\nname: w\njobs:\n' + "".join(body.format(number) for number in range(3000))
    tracemalloc.start()
    try:
        found = workflow(text)
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [job.uses[0].name for job in found.jobs] == [f"f{number}" for number in range(3000)]
    assert peak < 1.3 * kept


@pytest.mark.parametrize(
    "keys",
    [
        job_file._JOB_KEYS,
        job_file._USE_KEYS,
        workflow_file._KEYS,
        transformations._KEYS,
        transformations._SITE_KEYS,
        transformations._CONTAINER_KEYS,
        sites._SITE_KEYS,
        sites._DIRECTORY_KEYS,
        sites._SERVER_KEYS,
        frozenset(NAMESPACES),
    ],
)
def test_every_key_is_documented(keys: frozenset[str]) -> None:
    text = (ROOT / "docs" / "workflow-format.md").read_text(encoding="utf-8")
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    documented = set(re.findall(r"[A-Za-z][A-Za-z.-]*[A-Za-z]", " ".join(re.findall(r"`[^`]+`", text))))
    assert keys <= documented
