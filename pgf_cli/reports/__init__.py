"""What people read: the terminal report."""

from pgf_cli.reports.certificate import print_certificate
from pgf_cli.reports.demonstration import print_demonstration
from pgf_cli.reports.inspection import print_inspection, print_refusal
from pgf_cli.reports.output_states import print_output_states
from pgf_cli.reports.sparkline import sparkline
from pgf_cli.reports.terminal import print_report

__all__ = [
    "print_certificate",
    "print_demonstration",
    "print_inspection",
    "print_output_states",
    "print_refusal",
    "print_report",
    "sparkline",
]
