"""The options that `plan` and `run` share, and what becomes of them: a plan in a run folder, recorded in the store."""

from __future__ import annotations

import contextlib
import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from planner.job_choices import ON_MISMATCH, PROTECTION
from provenance.commands.context import Invocation, param_option, parameter_values
from provenance.commands.option_group import Decorator, option_group

if TYPE_CHECKING:
    from planner.plan_folder import StagedPlan
    from planner.planned import Plan
    from provenance.store import Store

GROUNDS = ("proven", "observed", "asserted")
_SHOWN_WARNINGS = 20
_ATTEMPTS = 10
"""Others who register, each time, a file that this plan meets first: more often than that it is not by chance."""


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """What the user asked for on the command line. ``reuse`` is a policy query, or None."""

    run_dir: Path | None = None
    output_dir: Path | None = None
    engine: str = "local"
    reuse: str | None = None
    no_reuse: bool = False
    trust: tuple[str, ...] = ()
    force: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    copy_reused: bool = False
    on_mismatch: str | None = None
    protection: str | None = None

    def __post_init__(self) -> None:
        if self.no_reuse and self.reuse is not None:
            raise click.UsageError("--reuse and --no-reuse exclude each other")

    def make(self, invocation: Invocation, workflow: Path, store: Store) -> Path:
        """Plan, write the plan folder and record the plan; the run folder. Raises what planning raises.

        The plan is recorded before its folder gets its name: whoever can see a plan can also ask the store about it.
        """
        plan, staged = self._recorded(workflow, store)
        for warning in plan.warnings[:_SHOWN_WARNINGS]:
            invocation.note(f"warning: {warning}")
        if len(plan.warnings) > _SHOWN_WARNINGS:
            invocation.note(f"({len(plan.warnings) - _SHOWN_WARNINGS} more warnings: plan/lock.json in {plan.run_dir})")
        _publish(plan, staged)
        if self.engine == "htcondor":
            from planner.engines.pool.dag import write_pool_folder
            from planner.engines.pool.pool_folder import PoolFolder
            from planner.plan_folder import read_plan

            write_pool_folder(read_plan(plan.run_dir), PoolFolder.of(plan.run_dir))
        return plan.run_dir

    def _recorded(self, workflow: Path, store: Store) -> tuple[Plan, StagedPlan]:
        """A plan that the store has, in a folder without its name yet; made again when others get in its way."""
        from planner.plan import make_plan
        from planner.plan_folder import stage_plan
        from planner.record_plan import OvertakenError, record_plan

        for attempt in itertools.count(1):
            base = store.snapshot()
            plan = make_plan(self.request(workflow, store))
            staged = stage_plan(plan)
            try:
                record_plan(plan, staged.plan_sha256, base)
                return plan, staged
            except OvertakenError:
                staged.discard()
                if attempt == _ATTEMPTS:
                    raise
            except BaseException:
                staged.discard()
                raise
        raise AssertionError("unreachable")

    def request(self, workflow: Path, store: Store) -> Any:
        """The options as the planner takes them."""
        from planner.planned import PlanRequest

        return PlanRequest(
            workflow=workflow,
            store=store,
            run_dir=self.run_dir,
            output_dir=self.output_dir,
            engine=self.engine,
            reuse=not self.no_reuse,
            reuse_policy=self.reuse,
            trust=tuple(dict.fromkeys(self.trust)) or None,
            force=frozenset(self.force),
            parameters=parameter_values(self.parameters),
            copy_reused=self.copy_reused,
            on_mismatch=self.on_mismatch,
            protection=self.protection,
        )

    def refuse_for_planned(self, run_dir: Path) -> None:
        """Raise click's usage error if an option was given that a plan which is made already cannot take any more."""
        given = [name for name, value in self._by_option().items() if value != self._defaults()[name]]
        if given:
            raise click.UsageError(
                f"{run_dir} is planned already: {', '.join(given)} can only be given with a workflow file"
            )

    def _by_option(self) -> dict[str, object]:
        return {
            "--dir": self.run_dir,
            "--output-dir": self.output_dir,
            "--engine": self.engine,
            "--reuse": self.reuse,
            "--no-reuse": self.no_reuse,
            "--trust": self.trust,
            "--force": self.force,
            "--param": self.parameters,
            "--copy-reused": self.copy_reused,
            "--on-mismatch": self.on_mismatch,
            "--protect": self.protection,
        }

    @staticmethod
    def _defaults() -> dict[str, object]:
        return PlanOptions()._by_option()


def _publish(plan: Plan, staged: StagedPlan) -> None:
    """Give the plan's folder its name. If that cannot be, the store hears that the run will never be."""
    from planner.errors import PlannerError
    from planner.record_plan import record_failure
    from provenance.errors import StoreError

    try:
        staged.publish()
    except (PlannerError, OSError) as error:
        with contextlib.suppress(StoreError):  # what went wrong first is what the user has to hear
            record_failure(plan, f"its folder could not be made: {error}")
        raise


def _options() -> list[Decorator]:
    folder = click.Path(path_type=Path, file_okay=False)
    return [
        click.option("-d", "--dir", "run_dir", type=folder, help="Run folder (default: ./runs/NAME-ID)."),
        click.option("--output-dir", type=folder, help="Where outputs go (default: output/ in the run folder)."),
        click.option(
            "--engine",
            type=click.Choice(["local", "htcondor"]),
            default="local",
            show_default=True,
            help="What runs the jobs.",
        ),
        click.option(
            "--reuse", metavar="QUERY", help="Which past jobs may be reused: 'jobs where ...' (default: all)."
        ),
        click.option("--no-reuse", is_flag=True, help="Run every job."),
        click.option(
            "--trust", multiple=True, type=click.Choice(GROUNDS), help="A ground that is enough (may be repeated)."
        ),
        click.option("--force", multiple=True, metavar="JOB", help="Run this job whatever there is (may be repeated)."),
        param_option,
        click.option("--copy-reused", is_flag=True, help="Copy reused outputs instead of linking to them."),
        click.option(
            "--on-mismatch",
            type=click.Choice(ON_MISMATCH),
            help="When an input is not what it must be: read another copy or run its producer again, else fail "
            "(recover); or fail at once. Default: as the profiles of each job say, else recover.",
        ),
        click.option(
            "--protect",
            "protection",
            type=click.Choice(PROTECTION),
            help="Use verified inputs in place and look at them again (guard), from private copies (copy), or, small "
            "ones, from sealed memory (seal). Default: as the profiles of each job say, else guard.",
        ),
    ]


plan_options = option_group(PlanOptions, _options())
"""Gives a command the shared options, as ``options``."""
