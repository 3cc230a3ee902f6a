"""The pass that leaves out jobs which need not run, each with its ground, and says of every job why it runs or not.

First forward: which past success each job has, and what it would make (planner/passes/outlook.py). Then backward: which
of those outputs are still needed, as final outputs or by jobs that run, and whether good copies of them are there;
where not, their producer runs after all, and so on up. What such a producer will make again is known: jobs below that
only needed its digest stay out. A job of which nothing is known makes everything below it run.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from planner.engine_plan import READS, WRITES
from planner.errors import PlannerError
from planner.passes.assertions import Assertions
from planner.passes.build_graph import topological_order
from planner.passes.copies import Checked, Copies, as_planned
from planner.passes.history import History, PastOutput, PastSuccess, load_history
from planner.passes.outlook import Outlook, Rules, must_run, outlook_of
from planner.passes.policy import allowed_jobs
from planner.passes.reasons import with_reasons
from planner.planned import Plan, PlannedFile, PlannedJob, ReusedOutput
from provenance.copies.replicas import Replica, by_file, local_path
from provenance.storable import storable


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a job: ``files`` are the outputs taken from the past (reuse); ``lost`` says which output made it
    run.
    """

    run: bool
    success: PastSuccess | None = None
    files: Mapping[str, PlannedFile] = field(default_factory=dict)
    lost: str = ""


def reuse(plan: Plan) -> Plan:
    """Fill in decision, ground, reason and what is taken from the past, for every job; and what was found damaged on
    the way.

    Raises PlannerError for a forced job that there is not, and QueryError for a policy that is no query of jobs.
    """
    order = topological_order(plan.jobs, plan.edges)
    copies = Copies()
    rules, said = _rules(plan, copies)
    names = {use.name for job in plan.jobs for use in job.uses if use.role in WRITES} if rules.enabled else set()
    history = load_history(plan.request.store, names)
    search = _Search(plan, order, copies, rules, history)
    outlooks, decisions = search.run()
    jobs = tuple(_decided(job, outlooks[job.number], decisions[job.number]) for job in plan.jobs)
    jobs = with_reasons(plan, jobs, order, outlooks, {number: each.lost for number, each in decisions.items()})
    return replace(
        plan,
        jobs=jobs,
        findings=(*plan.findings, *search.findings()),
        verified=(*plan.verified, *search.verified()),
        warnings=(*plan.warnings, *said, *search.assertions.warnings),
    )


def _rules(plan: Plan, copies: Copies) -> tuple[Rules, tuple[str, ...]]:
    """The rules that the user set, and what has to be said of the policy among them."""
    request, policy = plan.request, plan.workflow.reuse
    numbers: dict[str, set[int]] = {}
    for job in plan.jobs:
        numbers.setdefault(job.job.id, set()).add(job.number)
        numbers.setdefault(job.made_by, set()).add(job.number)
    for name in sorted(request.force):
        if name not in numbers:
            close = difflib.get_close_matches(name, numbers, n=1)
            hint = f"Did you mean {close[0]}?" if close else "Give the id of a job in the workflow."
            raise PlannerError(f"--force: there is no job {name!r} in workflow {plan.workflow.name!r}", hint=hint)
    query = request.reuse_policy if request.reuse_policy is not None else policy.query
    enabled = request.reuse and (policy.enabled or request.reuse_policy is not None)
    allowed, said = allowed_jobs(plan, query) if query is not None and enabled else (None, ())
    rules = Rules(
        enabled=enabled,
        trust=frozenset(policy.trust if request.trust is None else request.trust),
        force=frozenset(number for name in request.force for number in numbers[name]),
        allowed=allowed,
        check=copies.check,
    )
    return rules, said


class _Search:
    """One search for what can be left out; the copies that it looked at are found in it afterwards."""

    def __init__(self, plan: Plan, order: list[int], copies: Copies, rules: Rules, history: History) -> None:
        self._plan, self._order, self._copies, self._rules, self._history = plan, order, copies, rules, history
        self._final = _final_outputs(plan.jobs)
        self._replicas: dict[tuple[int, int], list[Replica]] = {}
        self._asked: set[tuple[int, int]] = set()
        self._looked_at: dict[str, Checked] = {}
        self.assertions = Assertions(plan, copies, self._final)

    def run(self) -> tuple[dict[int, Outlook], dict[int, Decision]]:
        """Forward and backward, until no job is left out for an assertion that does not cover what is needed."""
        excluded: set[int] = set()
        while True:
            outlooks, silent = self._forward(excluded)
            if self.assertions.gather(silent):
                continue
            self._ask_for_replicas(outlooks)
            decisions = self._backward(outlooks)
            failed = {
                number for number, each in decisions.items() if each.run and outlooks[number].ground == "asserted"
            }
            if not failed:
                return outlooks, decisions
            excluded |= failed

    def findings(self) -> list[tuple[PlannedFile, bytes | None, str]]:
        """Copies of recorded outputs that are gone or damaged: file, actual digest, finding class."""
        return [
            (each.file, each.actual_sha256, each.finding.value)
            for each in self._looked_at.values()
            if each.finding is not None
        ]

    def verified(self) -> list[PlannedFile]:
        """Copies whose stat had moved and whose bytes were read again and found good."""
        return [each.file for each in self._looked_at.values() if each.finding is None and each.hashed]

    def _forward(self, excluded: set[int]) -> tuple[dict[int, Outlook], list[PlannedJob]]:
        """Outlooks of all jobs, and the jobs that history is silent on but an assertion could speak for."""
        outlooks: dict[int, Outlook] = {}
        silent = []
        asserting = self._rules.enabled and "asserted" in self._rules.trust and self._rules.allowed is None
        for number in self._order:
            job = self._plan.jobs[number - 1]
            found = outlook_of(job, self._plan.files, outlooks, self._history, self._rules)
            unheard = found.ground is None and (found.key is None or not self._history.of(found.key))
            if asserting and unheard and number not in excluded and not must_run(job, self._rules):
                silent.append(job)
                found = self.assertions.outlook(job, found)
            outlooks[number] = found
        return outlooks, silent

    def _ask_for_replicas(self, outlooks: Mapping[int, Outlook]) -> None:
        """Load the replicas of all outputs that could be taken, in one query."""
        wanted = {
            (output.source, output.file)
            for outlook in outlooks.values()
            for success in outlook.candidates
            for output in success.outputs.values()
        } - self._asked
        self._asked |= wanted
        self._replicas.update(by_file(self._plan.request.store, sorted(wanted), states=("ok",)))

    def _backward(self, outlooks: Mapping[int, Outlook]) -> dict[int, Decision]:
        """Decide from the last job to the first, so that all readers of an output are decided before its producer."""
        decisions: dict[int, Decision] = {}
        needed: dict[int, set[str]] = {number: set(names) for number, names in self._final.items()}
        for number in reversed(self._order):
            job = self._plan.jobs[number - 1]
            decision = decisions[number] = self._decide(job, outlooks[number], needed[number])
            if decision.run:
                for use in job.uses:
                    if use.role in READS and use.producer is not None:
                        needed[use.producer].add(use.name)
        return decisions

    def _decide(self, job: PlannedJob, outlook: Outlook, needed: set[str]) -> Decision:
        if outlook.ground is None:
            return Decision(run=True)
        optional = {use.name for use in job.uses if use.role in WRITES and use.optional}
        if outlook.ground == "asserted":
            missing = sorted(needed - outlook.asserted.keys() - optional)
            files = {name: file for name, file in outlook.asserted.items() if name in needed}
            return Decision(
                run=bool(missing),
                files=files,
                lost=f"the replica catalog does not list {missing[0]}" if missing else "",
            )
        lost = ""
        for success in outlook.candidates:
            files, problem = self._take(success, needed, optional)
            if not problem:
                return Decision(run=False, success=success, files=files)
            lost = lost or problem
        return Decision(run=True, lost=lost)

    def _take(self, success: PastSuccess, needed: set[str], optional: set[str]) -> tuple[dict[str, PlannedFile], str]:
        """Good copies of the outputs that are needed of one past success, or why they cannot be had."""
        files: dict[str, PlannedFile] = {}
        for name in sorted(needed):
            output = success.outputs.get(storable(name))
            if output is None:
                if storable(name) in success.retired:
                    return {}, f"its output {name} was retired"
                if name in optional:
                    continue
                return {}, f"its output {name} was not recorded"
            file, problem = self._good_copy(name, output)
            if file is None:
                return {}, problem
            files[name] = file
        return files, ""

    def _good_copy(self, name: str, output: PastOutput) -> tuple[PlannedFile | None, str]:
        problem = f"its output {name} is gone: no copy of it is left"
        for replica in self._replicas.get((output.source, output.file), ()):
            path = local_path(replica.url)
            if path is None:
                continue
            checked = self._copies.check(replace(as_planned(replica, str(path), name), sha256=output.sha256))
            if replica.here or checked.finding is None:  # what is not at a path here may be at that path elsewhere
                self._looked_at[replica.url] = checked
            if checked.finding is None:
                return checked.file, ""
            if checked.actual_sha256 is None:
                problem = f"its output {name} is gone from {replica.url} ({checked.finding.value})"
            else:
                problem = (
                    f"its output {name} at {replica.url} was damaged ({checked.finding.value}): "
                    f"expected sha256 {output.sha256.hex()}, found {checked.actual_sha256.hex()}"
                )
        return None, problem


def _final_outputs(jobs: tuple[PlannedJob, ...]) -> dict[int, frozenset[str]]:
    """What has to be in the output folder in the end, by job; what an inout goes on to change is not final."""
    superseded = {(use.producer, use.name) for job in jobs for use in job.uses if use.role == "inout"}
    return {
        job.number: frozenset(
            use.name
            for use in job.uses
            if use.role in WRITES and use.stage_out and (job.number, use.name) not in superseded
        )
        for job in jobs
    }


def _decided(job: PlannedJob, outlook: Outlook, decision: Decision) -> PlannedJob:
    """The job with its decision; reasons come later, when all jobs are decided."""
    # Also for a job that is left out: should it run after all, its readers were left out because of these digests.
    expected = {
        use.name: outlook.outputs[storable(use.name)]
        for use in job.uses
        if use.role in WRITES and storable(use.name) in outlook.outputs
    }
    if decision.run:
        return replace(job, decision="run", reuse_key=outlook.key, expected=expected)
    stage_out = {use.name: use.stage_out for use in job.uses if use.role in WRITES}
    reused = {name: ReusedOutput(_with_declared(job, file), stage_out[name]) for name, file in decision.files.items()}
    success = decision.success
    return replace(
        job,
        decision="reuse",
        ground=outlook.ground,
        reuse_key=outlook.key,
        reused_from=success.owner if success else None,
        reused_from_names=(success.run_id, success.id) if success else None,
        reused=reused,
        expected=expected,
    )


def _with_declared(job: PlannedJob, file: PlannedFile) -> PlannedFile:
    """A file that is new to the store also gets the metadata that the job declares for this output."""
    if not file.new:
        return file
    declared = next((use.metadata for use in job.uses if use.role in WRITES and use.name == file.name), {})
    return replace(file, metadata={**file.metadata, **declared})
