"""The certificate of exactness: independent ways to the same derivative, on a run's own model, machine and input."""

from pgf_cli.core.certificate.certification import certify, run_gap_check
from pgf_cli.core.certificate.checks import Certificate, Check, relative_error
from pgf_cli.core.certificate.probes import PROBE_BASES, PROBE_DEPTH, DeepProbe, take_deep_probe, take_probe

__all__ = [
    "PROBE_BASES",
    "PROBE_DEPTH",
    "Certificate",
    "Check",
    "DeepProbe",
    "certify",
    "relative_error",
    "run_gap_check",
    "take_deep_probe",
    "take_probe",
]
