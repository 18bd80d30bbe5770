"""Token ids of the bases; expectations are written by hand from the tokenizers of published DNA models."""

import json

import pytest

from pgf_cli.checkpoints import AlphabetError, CheckpointError, parse_alphabet
from pgf_cli.checkpoints.alphabets import alphabet_of_config
from pgf_cli.checkpoints.tokenizers import read_tokenizer
from pgf_cli.core.models import BaseIds
from pgf_cli.errors import UsageError
from pgf_cli.inputs import Inputs

ROWS = 16
CADUCEUS = ["[CLS]", "[SEP]", "[BOS]", "[MASK]", "[PAD]", "[RESERVED]", "[UNK]", "A", "C", "G", "T", "N"]
SINGLE_BASE = ["<unk>", "<pad>", "<mask>", "<cls>", "A", "T", "C", "G", "N", "<eos>", "<bos>"]
PLANT_CADUCEUS = ["[PAD]", "[MASK]", "[UNK]", "a", "c", "g", "t"]


def ids_of(tokens):
    return {token: row for row, token in enumerate(tokens)}


def base_ids(folder):
    return read_tokenizer(folder, Inputs()).base_ids(ROWS)


def write(folder, name, value):
    (folder / name).write_text(json.dumps(value))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A=7,C=8,G=9,T=10,N=11", BaseIds(7, 8, 9, 10, 11)),
        ("T=0, G=1 ,C = 2,A=3", BaseIds(3, 2, 1, 0, None)),
        ("a=0,c=1,g=2,t=15", BaseIds(0, 1, 2, 15, None)),
    ],
)
def test_the_option_is_read_in_any_order_with_or_without_n(text, expected):
    assert parse_alphabet(text, ROWS) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "cannot read ''"),
        ("A=7,C=8,G=9,T=", "cannot read 'T='"),
        ("A=7;C=8", "cannot read 'A=7;C=8'"),
        ("A=-1,C=1,G=2,T=3", "cannot read 'A=-1'"),
        ("A=1.5,C=1,G=2,T=3", "cannot read 'A=1.5'"),
        ("AC=1,G=2,T=3", "cannot read 'AC=1'"),
        ("A=0,C=1,G=2,T=3,X=4", "names 'X'"),
        ("A=0,C=1,G=2,U=3", "names 'U'"),
        ("A=0,C=1,G=2,T=3,a=4", "gives A twice"),
        ("A=0,C=1,G=2,T=2", "gives G and T the same token 2"),
        ("A=0,C=1", "has no token for G, T"),
        ("A=0,C=1,G=2,T=16", "gives T the token 16; this model's tokens are 0 to 15"),
    ],
)
def test_an_option_that_cannot_be_used_says_why(text, expected):
    with pytest.raises(UsageError) as caught:
        parse_alphabet(text, ROWS)
    assert expected in str(caught.value)
    assert str(caught.value).startswith("--alphabet")


def test_the_config_s_alphabet_is_checked_as_the_option_is():
    assert alphabet_of_config({"A": 0, "C": 1, "G": 2, "T": 3, "N": 4}, ROWS, "f") == BaseIds(0, 1, 2, 3, 4)
    wrong = ["ACGT", {"A": 0}, {"A": 0, "C": 1, "G": 2, "T": True}, {"A": "0", "C": 1, "G": 2, "T": 3}]
    for value in (*wrong, {"A": 0, "C": 1, "G": 2, "T": 3, "": 4}, {"A": 0, "C": 1, "G": 2, "T": 3, 5: 4}):
        with pytest.raises(AlphabetError, match=r"^f: alphabet"):
            alphabet_of_config(value, ROWS, "f")


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        (CADUCEUS, BaseIds(7, 8, 9, 10, 11)),
        (SINGLE_BASE, BaseIds(4, 6, 7, 5, 8)),
        (PLANT_CADUCEUS, BaseIds(3, 4, 5, 6, 2)),
        (["A", "C", "G", "U"], BaseIds(0, 1, 2, 3, None)),
        (["A", "C", "G", "T", "U", "N"], BaseIds(0, 1, 2, 3, 5)),
        (["a", "c", "g", "t", "A", "C", "G", "T", "n"], BaseIds(4, 5, 6, 7, None)),
    ],
)
@pytest.mark.parametrize("name", ["tokenizer.json", "vocab.json", "vocab.txt", "tokenizer_config.json", "unigram"])
def test_published_vocabularies_are_read_from_every_kind_of_file(tmp_path, name, tokens, expected):
    ids = ids_of(tokens)
    if name == "tokenizer.json":
        write(tmp_path, name, {"model": {"vocab": ids}})
    elif name == "unigram":
        write(tmp_path, "tokenizer.json", {"model": {"vocab": [[token, -1.0] for token in tokens]}})
    elif name == "vocab.json":
        write(tmp_path, name, ids)
    elif name == "vocab.txt":
        (tmp_path / name).write_text("".join(f"{token}\n" for token in tokens))
    else:
        write(tmp_path, name, {"added_tokens_decoder": {str(row): {"content": token} for token, row in ids.items()}})
    assert base_ids(tmp_path) == expected


def test_bases_among_the_added_tokens_are_found(tmp_path):
    added = [{"id": row, "content": token} for token, row in ids_of(SINGLE_BASE).items()]
    write(tmp_path, "tokenizer.json", {"model": {"vocab": {}}, "added_tokens": added})
    assert base_ids(tmp_path) == BaseIds(4, 6, 7, 5, 8)


@pytest.mark.parametrize("unknown", ["?", {"content": "?", "lstrip": False}])
def test_n_is_the_unknown_token_that_the_tokenizer_names(tmp_path, unknown):
    tokens = {"A": 0, "C": 1, "G": 2, "T": 3, "?": 4, "<unk>": 5}
    write(tmp_path, "vocab.json", tokens)
    assert base_ids(tmp_path).n == 5
    write(tmp_path, "tokenizer_config.json", {"unk_token": unknown})
    assert base_ids(tmp_path).n == 4
    write(tmp_path, "tokenizer.json", {"model": {"vocab": tokens, "unk_token": "<unk>"}})
    assert base_ids(tmp_path).n == 5


@pytest.mark.parametrize("token", ["AC", "TTTTTT", "ac", "Ġga", "▁UU", "##ACG"])
def test_tokens_of_several_bases_are_refused_by_example(tmp_path, token):
    write(tmp_path, "vocab.json", ids_of([*SINGLE_BASE, token]))
    with pytest.raises(AlphabetError) as caught:
        base_ids(tmp_path)
    assert f"several bases, such as {token!r}" in str(caught.value)
    assert "--alphabet A=7" in str(caught.value)


def test_a_vocabulary_with_some_bases_or_ids_out_of_range_is_an_error_and_one_without_any_is_not(tmp_path):
    for tokens, expected in (
        ({"A": 0, "C": 1, "G": 2}, "has no token for T"),
        ({"A": 0, "C": 1, "G": 2, "T": 16}, "gives T the token 16"),
        ({"A": 0, "C": 1, "G": 2, "T": "3"}, "gives T the token '3'"),
    ):
        write(tmp_path, "vocab.json", tokens)
        with pytest.raises(AlphabetError, match=r"vocab\.json") as caught:
            base_ids(tmp_path)
        assert expected in str(caught.value)
    write(tmp_path, "vocab.json", {"N": 0, "[UNK]": 1, "hello": 2})
    assert base_ids(tmp_path) is None


def test_a_folder_without_a_tokenizer_has_none(tmp_path):
    assert read_tokenizer(tmp_path, Inputs()) is None


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("tokenizer.json", "{"),
        ("tokenizer.json", "[]"),
        ("tokenizer.json", '{"model": {"vocab": 5}}'),
        ("tokenizer.json", '{"model": {"vocab": [1]}}'),
        ("tokenizer.json", '{"added_tokens": [{"id": 1}]}'),
        ("tokenizer_config.json", '{"added_tokens_decoder": {"x": {"content": "A"}}}'),
        ("tokenizer_config.json", '{"added_tokens_decoder": [1]}'),
        ("vocab.json", "[" * 100_000),
    ],
)
def test_a_broken_tokenizer_file_is_named(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    with pytest.raises(CheckpointError) as caught:
        read_tokenizer(tmp_path, Inputs())
    assert str(caught.value).startswith(str(tmp_path / name))


def test_a_vocabulary_that_is_not_text_is_named(tmp_path):
    (tmp_path / "vocab.txt").write_bytes(b"A\nC\n\xff\n")
    with pytest.raises(AlphabetError, match=r"vocab\.txt: byte 4 is not UTF-8"):
        read_tokenizer(tmp_path, Inputs())
