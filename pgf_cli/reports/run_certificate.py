"""What a run's certificate of exactness found: one line where it passed, every check where it did not."""

from rich.console import Console

from pgf_cli.reports.certificate import print_checks
from pgf_cli.reports.page import joined, print_heading, print_prose
from pgf_cli.tracks.manifest import CertificateEntry, Manifest


def print_run_certificate(manifest: Manifest, console: Console, *, verbose: bool) -> None:
    """Print the certificate of a run.

    Args:
        manifest: of the run.
        console: where to print.
        verbose: whether the checks are shown even if all passed.
    """
    certificate = manifest.certificate
    verdict = ("passed", "green") if certificate.passed else ("FAILED", "bold red")
    print_heading(console, "certificate of exactness: ", verdict, f" ({_counted(certificate)})")
    for line in _said(manifest):
        print_prose(console, joined(line))
    if verbose or not certificate.passed:
        print_prose(console, joined("relative errors of the derivative in the 2-norm:"))
        print_checks(certificate.checks, console)
    if not certificate.passed:
        dtype = manifest.settings["dtype"].value
        failed = (
            f"the run ended with exit code 3: its files are complete, but do not rely on tracks of this model in "
            f"{dtype}; try --dtype float64, and if that fails too, report it with this table"
        )
        print_prose(console, joined((failed, "bold red")))


def _counted(certificate: CertificateEntry) -> str:
    checks, failed = len(certificate.checks), sum(not check.passed for check in certificate.checks)
    return f"{failed} of {checks} checks failed" if failed else f"{checks} checks"


def _said(manifest: Manifest) -> list[str]:
    certificate = manifest.certificate
    deep = f", and deep inside on {certificate.deep_probe}" if certificate.deep_probe else ""
    lines = [f"on {certificate.probe}{deep}"]
    if certificate.precision:
        lines.append(certificate.precision)
    if manifest.gap is not None:
        lines.append(f"the run's two signed totals, by the tangent and by the adjoint, differ by {manifest.gap:.1e}")
    return lines
