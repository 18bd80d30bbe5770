"""Annotated sites against look-alikes: percentiles against counting, p against planted effects and against none."""

import numpy as np
import pytest

from pgf_cli.genome import Gene, Region, decode
from pgf_cli.hits import DONORS, STARTS, NoSitesError, StrandTracks, compare_sites
from pgf_cli.hits.enrichment import find_occurrences, percentiles, shifted_means

LENGTH = 60_000


def by_counting(values, annotated, beside):
    """The mean percentile as it is defined: each site among those with its neighbours one by one, a half for a tie."""
    shares = []
    for at in np.flatnonzero(annotated):
        alike = values[beside == beside[at]]
        shares.append(np.mean([1.0 if values[at] > other else 0.5 if values[at] == other else 0.0 for other in alike]))
    return np.mean(shares)


def test_mean_percentiles_are_counted_among_the_same_neighbours_at_every_shift():
    generator = np.random.default_rng(0)
    values, beside = generator.integers(0, 6, 81).astype(float), generator.integers(0, 4, 81)
    annotated = generator.random(81) < 0.2
    expected = [by_counting(values, np.roll(annotated, shift), beside) for shift in range(81)]
    np.testing.assert_allclose(shifted_means(percentiles(values, beside), annotated), expected, rtol=0, atol=1e-14)


@pytest.fixture(scope="module")
def annotated_sequence():
    """Random bases with genes on both strands that call a quarter of their GT donors, and one ATG each a start."""
    generator = np.random.default_rng(3)
    codes = generator.integers(0, 4, LENGTH, dtype=np.uint8)
    forward, reverse = decode(codes), decode(codes[::-1]).translate(str.maketrans("ACGT", "TGCA"))
    genes = []
    for number, start in enumerate(range(500, LENGTH - 2000, 2000)):
        strand, text = ("+", forward) if number % 2 else ("-", reverse)
        at, end = (start, start + 1900) if strand == "+" else (LENGTH - start - 1900, LENGTH - start)
        gt = [place for place in range(at, end - 1) if text[place : place + 2] == "GT"]
        donors = [place for place in gt if generator.random() < 0.25]
        atg = text.index("ATG", at)
        if strand == "-":
            donors, atg = [LENGTH - 1 - place for place in donors], LENGTH - 1 - atg
        genes.append(Gene(f"g{number}", Region("chr", start, start + 1900), strand, tuple(sorted(donors)), (atg,)))
    return codes, genes


def noise(seed):
    return np.random.default_rng(seed).normal(size=LENGTH)


def planted(genes, strand, seed):
    """Noise, and at the first base of every donor of a strand 2 more; on the other strand 2 less."""
    values = noise(seed)
    for gene in genes:
        values[list(gene.donors)] += 2.0 if gene.strand == strand else -2.0
    return values


def test_an_effect_planted_at_donors_is_found_on_the_strand_of_each_gene(annotated_sequence):
    codes, genes = annotated_sequence
    trained = StrandTracks(planted(genes, "+", 1), planted(genes, "-", 2))
    untrained = [StrandTracks(noise(seed), noise(seed + 1)) for seed in (30, 40)]
    found = compare_sites(DONORS, codes, genes, trained, untrained)
    assert found.genes == len(genes)
    assert found.sites + found.unmatched == sum(len(gene.donors) for gene in genes)
    assert found.other_letters == 0
    # Sums of two standard normals, a site's raised by 2: P(site > look-alike) = Phi(2 / 2) = 0.841. The rest of what a
    # site is ranked among are sites, itself included, which are above it as often as not.
    assert found.trained.value == pytest.approx(0.5 + (0.841 - 0.5) * (found.highest - 0.5) / 0.5, abs=0.02)
    assert 0.7 < found.highest < 0.9
    # Nothing but the annotation's own place is that far.
    alone = pytest.approx(1 / (found.sites + found.lookalikes))
    assert found.trained.p == alone
    for untouched, difference in zip(found.untrained, found.differences, strict=True):
        assert untouched.low < untouched.value < untouched.high
        assert untouched.p > 0.05
        assert difference.p == alone
        assert difference.value == pytest.approx(found.trained.value - untouched.value)
    swapped = compare_sites(DONORS, codes, genes, StrandTracks(trained.reverse, trained.forward), untrained)
    assert swapped.trained.value < 0.35
    assert compare_sites(STARTS, codes, genes, trained, untrained).trained.p > 0.01


def test_the_same_effect_without_training_leaves_no_difference(annotated_sequence):
    codes, genes = annotated_sequence
    trained, untrained = (StrandTracks(planted(genes, "+", seed), planted(genes, "-", seed + 1)) for seed in (10, 20))
    found = compare_sites(DONORS, codes, genes, trained, [untrained])
    assert found.untrained[0].p < 0.001
    assert found.differences[0].p > 0.05


def test_what_follows_from_the_letters_beside_a_site_is_no_difference(annotated_sequence):
    """As with random weights: the value is a function of the letters, and sites have letters of their own."""
    codes, genes = annotated_sequence
    text = decode(codes)
    picky = []
    for gene in genes:
        if gene.strand == "+":
            donors = tuple(at for at in gene.donors if text[at + 2] == "A")
            picky.append(Gene(gene.name, gene.span, "+", donors, ()))
    values = 5.0 * (np.roll(codes, -2) == 0) + noise(5)
    tracks = StrandTracks(values, values)
    found = compare_sites(DONORS, codes, picky, tracks, [tracks])
    assert found.trained.p > 0.05
    at = np.array([donor for gene in picky for donor in gene.donors])
    assert values[at].mean() > 4.5


def test_p_is_uniform_where_neighbours_are_alike_and_annotation_means_nothing():
    """Sites in clusters on a smooth track: counting them as independent rejects far too often, shifting does not."""
    shifted, independent = [], []
    for seed in range(150):
        generator = np.random.default_rng(seed)
        smooth = np.convolve(generator.normal(size=2000), np.ones(40), mode="same")
        beside = generator.integers(0, 5, 2000)
        annotated = np.zeros(2000, dtype=bool)
        for start in generator.integers(0, 1990, 8):
            annotated[start : start + 10] = True
        far = np.abs(shifted_means(percentiles(smooth, beside), annotated) - 0.5)
        shifted.append((far >= far[0] - 1e-9).mean())
        # The variance of a uniform share is 1/12.
        independent.append(far[0] > 1.96 / np.sqrt(12 * annotated.sum()))
    assert np.mean(independent) > 0.3
    # Binomial: 150 tests at 5% give 17 or more with a probability of 0.1%.
    assert np.sum(np.array(shifted) <= 0.05) < 17
    assert 0.42 < np.mean(shifted) < 0.58


def test_occurrences_lie_in_genes_with_sites_on_their_own_strand_only():
    letters = "GTAAGTACACGTTGTGGACTTACGT"
    codes = np.array(["ACGT".index(letter) for letter in letters], dtype=np.uint8)
    forward = Gene("f", Region("chr", 0, 12), "+", donors=(4, 8), starts=())
    backward = Gene("b", Region("chr", 17, 25), "-", donors=(18,), starts=())
    found = find_occurrences(DONORS, codes, [forward, backward])
    # GT at 0, 4, 10, and read from the right at 22 and 18; that at 13 is in no gene. Site 8 begins AC, 18 GT.
    assert found.strands[0].tolist() == [0, 4, 10]
    assert [len(codes) - 1 - at for at in found.strands[1]] == [22, 18]
    assert found.annotated.tolist() == [False, True, False, False, True]
    # NN GT AAG, AA GT ACA, AC GT TGT, and ACGTAAGT CC of the other strand: AC GT AAG, AA GT CCA.
    beside = ["NNAAG", "AAACA", "ACTGT", "ACAAG", "AACCA"]
    numbers = {text: sum("ACGTN".index(base) * 5 ** (4 - i) for i, base in enumerate(text)) for text in beside}
    assert found.beside.tolist() == [numbers[text] for text in beside]


def test_nothing_to_compare_is_said(annotated_sequence):
    codes, genes = annotated_sequence
    tracks = StrandTracks(noise(1), noise(2))
    with pytest.raises(NoSitesError, match="start codons: none of 0 annotated ATG has a look-alike"):
        compare_sites(STARTS, codes, [], tracks, [tracks])
    lonely = Gene("g", Region("chr", genes[1].starts[0], genes[1].starts[0] + 3), "+", (), genes[1].starts)
    with pytest.raises(NoSitesError, match="none of 1 annotated ATG"):
        compare_sites(STARTS, codes, [lonely], tracks, [tracks])


def test_sites_with_other_letters_are_counted_and_left_out(annotated_sequence):
    codes, genes = annotated_sequence
    tracks = StrandTracks(noise(1), noise(2))
    plain = compare_sites(DONORS, codes, genes, tracks, [tracks])
    first = genes[1]
    odd = next(at for at in range(first.span.start, first.span.end) if decode(codes[at : at + 2]) == "CC")
    changed = Gene(first.name, first.span, first.strand, (*first.donors, odd), first.starts)
    found = compare_sites(DONORS, codes, [genes[0], changed, *genes[2:]], tracks, [tracks])
    assert (found.other_letters, found.sites) == (1, plain.sites)
