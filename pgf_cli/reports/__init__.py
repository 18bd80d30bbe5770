"""What people read: the terminal report."""

from pgf_cli.reports.sparkline import sparkline
from pgf_cli.reports.terminal import print_report

__all__ = ["print_report", "sparkline"]
