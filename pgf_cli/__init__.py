"""Exact per-base sensitivity tracks of DNA language models on whole chromosomes, in fixed memory."""

__version__ = "0.1.0"
