"""Names of the choices that users make; free of heavy imports, so that ``--help`` answers at once."""

from typing import Literal

OutputLayer = Literal["logprobs", "logits", "hidden"]
Dtype = Literal["float32", "float64", "bfloat16"]
"""``bfloat16``: matrix products alone; states and everything else are float32."""

ReadStrand = Literal["forward", "reverse"]
"""A strand that a reading goes along: the record's own, or its reverse complement."""
