"""How far a substitution's first-order effect (max-snv, contribution) is its true effect: a correlation, not a proof.

    python docs/figures/first_order_effects.py CHECKPOINT FASTA [START]

On 5 kb of the FASTA's first record from START (0-based), 200 random substitutions: the gradient's prediction of the
change of the log-likelihood against its exact re-evaluation, labels held constant as the objective defines them.
"""

import sys
from pathlib import Path

import numpy as np
import torch

from pgf_cli.checkpoints import read_checkpoint
from pgf_cli.core.bases import BaseCodes
from pgf_cli.core.models import StreamingModel
from pgf_cli.core.models.protocol import map_state
from pgf_cli.core.objectives import LogLikelihood
from pgf_cli.core.one_hot import one_hot
from pgf_cli.core.sweeps import adjoint_sweep
from pgf_cli.genome import Genome

BASES, SUBSTITUTIONS, SEED = 5_000, 200, 0


def log_likelihood(model: StreamingModel, read: BaseCodes, labels: BaseCodes) -> float:
    """Return the log-likelihood of the labels when the model reads ``read``."""
    x = one_hot(read, model.dtype, model.device)
    state = model.initial_state(x[: model.lookahead])
    still = map_state(lambda part: part.new_zeros(0, *part.shape), state)
    y = model.jvp(x, x.new_zeros(0, *x.shape), state, still).y
    return (y * LogLikelihood(None, model.dtype, model.device).weights(0, labels, None)).sum().item()


def main() -> None:
    """Print the correlations."""
    checkpoint, fasta, start = Path(sys.argv[1]), Path(sys.argv[2]), int((*sys.argv, 0)[3])
    model = read_checkpoint(checkpoint).build(None, torch.float64, torch.device("cpu"))
    with Genome.open(fasta) as genome:
        codes = genome.record(genome.names[0])[start : start + BASES]
    objective = LogLikelihood(None, model.dtype, model.device)
    tiles = list(adjoint_sweep(model, codes, objective, end=len(codes), tile=512))
    gradient = torch.cat([tile.x_bar for tile in reversed(tiles)])[:, :4].numpy()
    generator = np.random.default_rng(SEED)
    before = log_likelihood(model, codes, codes)
    predicted, exact = [], []
    for position in generator.choice(np.flatnonzero(codes < 4), SUBSTITUTIONS, replace=False):
        alt = (codes[position] + generator.integers(1, 4)) % 4
        changed = codes.copy()
        changed[position] = alt
        predicted.append(gradient[position, alt] - gradient[position, codes[position]])
        exact.append(log_likelihood(model, changed, codes) - before)
    ranks = [np.argsort(np.argsort(values)) for values in (predicted, exact)]
    print(f"{checkpoint.name}: {SUBSTITUTIONS} substitutions in {len(codes):,} bases of {fasta.name}")
    print(f"  Pearson {np.corrcoef(predicted, exact)[0, 1]:.3f}, Spearman {np.corrcoef(*ranks)[0, 1]:.3f}")
    print(f"  mean predicted {np.mean(predicted):+.3f} nats, mean exact {np.mean(exact):+.3f} nats")


if __name__ == "__main__":
    main()
