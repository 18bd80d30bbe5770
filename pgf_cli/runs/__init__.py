"""A run: regions -> sweep -> tracks -> hits -> manifest."""

from pgf_cli.progress import Progress, SilentProgress
from pgf_cli.runs.plan import RunPlan, plan_run
from pgf_cli.runs.provenance import Provenance
from pgf_cli.runs.run import check_run, run
from pgf_cli.settings import RunSettings

__all__ = ["Progress", "Provenance", "RunPlan", "RunSettings", "SilentProgress", "check_run", "plan_run", "run"]
