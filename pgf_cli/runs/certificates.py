"""The certificate of a run: on its own model, its own first bases, some deep inside, and its two totals."""

from dataclasses import replace

from pgf_cli.core.certificate import Certificate, certify, run_gap_check, take_deep_probe
from pgf_cli.genome import Reading, ReadPass
from pgf_cli.runs.plan import RunPlan
from pgf_cli.runs.totals import RunTotals
from pgf_cli.tracks.manifest import CertificateEntry, CheckEntry


def run_certificate(plan: RunPlan) -> Certificate:
    """Certify a run's model before anything is computed."""
    one = _longest(plan)
    deep = take_deep_probe(plan.oriented(one.reading), one.start, one.end, plan.settings.probe_depth)
    return certify(plan.model, plan.probe, deep=deep)


def with_totals(plan: RunPlan, certificate: Certificate, totals: RunTotals) -> Certificate:
    """Add the check of the whole run: its two signed totals; nothing where it made not both sweeps."""
    if totals.tangent is None or totals.adjoint is None:
        return certificate
    check = run_gap_check(totals.tangent, totals.adjoint, totals.magnitude, plan.model.product_dtype, certificate)
    return replace(certificate, checks=(*certificate.checks, check))


def certificate_entry(plan: RunPlan, certificate: Certificate) -> CertificateEntry:
    """Return what the manifest holds of a certificate."""
    first, longest = plan.selection.spans[0], _longest(plan).reading
    return CertificateEntry(
        probe=f"the first {certificate.probe_bases} non-N bases from {first.contig}:{first.start + 1:,} on",
        probe_bases=certificate.probe_bases,
        deep_probe=_described(plan, certificate, longest),
        precision=certificate.precision,
        checks=[
            CheckEntry(check.name, check.detail, check.error, check.threshold, check.passed)
            for check in certificate.checks
        ],
        passed=certificate.passed,
    )


def _described(plan: RunPlan, certificate: Certificate, reading: Reading) -> str | None:
    deep = certificate.deep
    if deep is None:
        return None
    first, _ = plan.oriented(reading).forward_span(deep.start, deep.start + deep.bases)
    strand = " of the other strand" if reading.strand == "reverse" else ""
    return f"{deep.bases} bases from {reading.contig}:{first + 1:,} on, after {deep.lead:,} bases{strand} read"


def _longest(plan: RunPlan) -> ReadPass:
    return max(plan.selection.passes, key=lambda one: one.end - one.start)
