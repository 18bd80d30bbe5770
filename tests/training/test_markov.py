import math
from collections import Counter

import numpy as np
import pytest

from pgf_cli.genome import Region, encode
from pgf_cli.training import compare_orders, markov
from pgf_cli.training.markov import PSEUDOCOUNTS, pieces, split_tail

HIGHEST = 5
COMPLEMENT = str.maketrans("ACGTN", "TGCAN")


@pytest.fixture(autouse=True)
def short_contexts(monkeypatch):
    """Tables of 4^13 counts are for real genomes."""
    monkeypatch.setattr(markov, "HIGHEST_ORDER", HIGHEST)


def random_dna(length, seed):
    """DNA over few contexts, so that long ones come again, with N here and there."""
    generator = np.random.default_rng(seed)
    words = ["ACGTTGCA", "GATTACAGATTACA", "CCCCCCCCCCCCCCC", "TATA", "N", "NNNGN"]
    return "".join(words[generator.integers(len(words))] for _ in range(length))


def brute_counts(sequences, order):
    """How often each base followed each string of `order` letters without N."""
    found = Counter()
    for sequence in sequences:
        for at in range(order, len(sequence)):
            word = sequence[at - order : at + 1]
            if "N" not in word:
                found[word] += 1
    return found


def number(word):
    value = 0
    for letter in word:
        value = value * 4 + "ACGT".index(letter)
    return value


def brute_bits(training, scored, order, pseudocount):
    """Bits per base by looking words up in the training text, one base at a time."""
    counts = [brute_counts(training, k) for k in range(order + 1)]
    bits, predicted = 0.0, 0
    for sequence in scored:
        for at in range(1, len(sequence)):
            if sequence[at] == "N":
                continue
            context = sequence[:at].rsplit("N", 1)[-1]
            context = context[max(0, len(context) - order) :]
            table = counts[len(context)]
            total = sum(table[context + base] for base in "ACGT")
            bits -= math.log2((table[context + sequence[at]] + pseudocount) / (total + 4 * pseudocount))
            predicted += 1
    return bits / predicted


@pytest.mark.parametrize("chunk", [5, 64, 1 << 20])
@pytest.mark.parametrize("both_strands", [False, True])
def test_counts_are_those_of_a_search_through_the_text(make_genome, monkeypatch, chunk, both_strands):
    monkeypatch.setattr(markov, "CHUNK", chunk)
    dna = random_dna(40, 1)
    stretches = [Region("one", 3, 90), Region("one", 100, len(dna) - 2)]
    counts = markov.fit(pieces(make_genome({"one": dna}), stretches, both_strands=both_strands))
    sequences = [dna[start:end] for _, start, end in stretches]
    if both_strands:
        sequences += [sequence[::-1].translate(COMPLEMENT) for sequence in sequences]
    for order in range(HIGHEST + 1):
        expected = brute_counts(sequences, order)
        assert counts[order].sum() == sum(expected.values())
        for word, count in expected.items():
            assert counts[order][number(word[:-1]), number(word[-1])] == count, word


def test_every_order_scores_as_a_search_through_the_text_does(make_genome):
    dna, scored = random_dna(60, 2), [random_dna(20, 3), "A", "NNACGTTGCAGATTACAGATTACANA"]
    rows = compare_orders(
        make_genome({"one": dna}), [Region("one", 0, len(dna))], [encode(text.encode()) for text in scored],
        both_strands=False,
    )  # fmt: skip
    assert [row.order for row in rows] == list(range(1, HIGHEST + 1))
    for row in rows:
        assert row.bits_per_base == pytest.approx(brute_bits([dna], scored, row.order, row.pseudocount), rel=1e-12)


def test_each_order_has_the_pseudocount_that_predicts_the_tail_best(make_genome):
    dna = random_dna(100, 4)
    (_, start, end) = split_tail([Region("one", 0, len(dna))], markov.TAIL)[1][0]
    assert (start, end) == (int(0.95 * len(dna)), len(dna))
    rows = compare_orders(
        make_genome({"one": dna}), [Region("one", 0, len(dna))], [encode(b"ACGT")], both_strands=False
    )

    def tail_bits(order, pseudocount):
        # The tail's own first base has no context but is predicted: put a letter before it that is none.
        return brute_bits([dna[:start]], ["N" + dna[start:]], order, pseudocount)

    for row in rows:
        assert row.pseudocount == min(PSEUDOCOUNTS, key=lambda tried, k=row.order: tail_bits(k, tried))


def test_a_tail_is_cut_off_across_stretches():
    stretches = [Region("a", 10, 50), Region("b", 0, 60)]
    assert split_tail(stretches, 0.7) == ([Region("a", 10, 40)], [Region("a", 40, 50), Region("b", 0, 60)])
    assert split_tail(stretches, 0.6) == ([Region("a", 10, 50)], [Region("b", 0, 60)])
