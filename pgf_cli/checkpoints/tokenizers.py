"""The tokenizer files of a Hugging Face folder, read as data: none of their code is run, and the library is not needed.

Source: the JSON of Hugging Face ``tokenizers`` (model.vocab, added_tokens) and the slow tokenizers' vocab.json,
vocab.txt and tokenizer_config.json (added_tokens_decoder, unk_token).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pgf_cli.checkpoints.alphabets import OPTION_EXAMPLE, base_ids_of
from pgf_cli.checkpoints.errors import AlphabetError, shown
from pgf_cli.checkpoints.fields import LARGEST_JSON, Fields, read_fields
from pgf_cli.checkpoints.refusals import several_bases
from pgf_cli.core.models.protocol import BaseIds
from pgf_cli.inputs import Inputs

_UNKNOWN_TOKENS = ("<unk>", "[UNK]")
# The marks that byte-level BPE, SentencePiece and WordPiece put before a token.
_SEVERAL_BASES = re.compile(r"(?:Ġ|▁|##| )?[ACGTU]{2,}", re.IGNORECASE)


@dataclass(frozen=True)
class Tokenizer:
    """A folder's vocabulary."""

    files: tuple[Path, ...]
    """What was read, the file that names the tokens first."""
    ids: Mapping[str, Any]
    """Token id by token."""
    unknown: str | None
    """The token that stands for everything else."""

    def base_ids(self, vocab: int) -> BaseIds | None:
        """Return the tokens of A, C, G, T and N (else the unknown token); None if it has no token for any base.

        Args:
            vocab: rows of the model's embedding.

        Raises:
            AlphabetError: tokens of several bases (a k-mer or BPE vocabulary), a base without a token, or a token
                that the embedding does not have.
        """
        where = str(self.files[0])
        if several := sorted(filter(_SEVERAL_BASES.fullmatch, self.ids)):
            error = AlphabetError(
                f"{where} has tokens of several bases, such as {shown(several[0])}, but a value per base needs one "
                f"token per base; if the single bases have tokens of their own, name them: {OPTION_EXAMPLE}."
            )
            error.refused = several_bases(f"token {shown(several[0])} in {self.files[0].name}")
            raise error
        bases = self._bases(str.upper) or self._bases(str.lower)
        if not bases:
            return None
        unknown = self.ids.get(self.unknown) if self.unknown is not None else None
        return base_ids_of(bases if "N" in bases or unknown is None else bases | {"N": unknown}, vocab, where)

    def _bases(self, case: Callable[[str], str]) -> dict[str, Any]:
        """Ids by upper-case letter, among tokens of one case; empty if none of them is a base."""
        found = {letter: self.ids[case(letter)] for letter in "ACGTUN" if case(letter) in self.ids}
        uracil = found.pop("U", None)
        if uracil is not None:
            found.setdefault("T", uracil)
        return found if set(found) - {"N"} else {}


def read_tokenizer(folder: Path, inputs: Inputs) -> Tokenizer | None:
    """Read the vocabulary of a Hugging Face folder; None if it has no tokenizer file.

    Raises:
        CheckpointError: a file cannot be read, is not JSON, or does not have a vocabulary's form.
    """
    files: list[Path] = []
    ids: dict[str, Any] = {}
    unknown: object = None
    for name, read in (("tokenizer.json", _fast), ("vocab.json", _plain), ("vocab.txt", _lines)):
        if (path := folder / name).exists():
            ids, unknown = read(path, inputs)
            files.append(path)
            break
    if (path := folder / "tokenizer_config.json").exists():
        settings = read_fields(path, inputs)
        ids = {**_decoder(settings), **ids}
        unknown = unknown or settings.values.get("unk_token")
        files.append(path)
    if not files:
        return None
    return Tokenizer(tuple(files), ids, _unknown(unknown, ids))


def _unknown(named: object, ids: Mapping[str, Any]) -> str | None:
    # Slow tokenizers write a special token as an object with its settings.
    content = named.get("content") if isinstance(named, dict) else named
    candidates = (content, *_UNKNOWN_TOKENS) if isinstance(content, str) else _UNKNOWN_TOKENS
    return next((token for token in candidates if token in ids), None)


def _fast(path: Path, inputs: Inputs) -> tuple[dict[str, Any], object]:
    fields = read_fields(path, inputs)
    model = fields.values.get("model")
    vocabulary = model.get("vocab") if isinstance(model, dict) else None
    added = fields.values.get("added_tokens") or []
    try:
        # A Unigram model lists [token, score] in the order of ids.
        ids = (
            {row[0]: i for i, row in enumerate(vocabulary)} if isinstance(vocabulary, list) else dict(vocabulary or {})
        )
        ids |= {token["content"]: token["id"] for token in added}
    except (TypeError, KeyError, IndexError, ValueError) as error:
        raise AlphabetError(
            f"{path}: model.vocab or added_tokens is not a list of tokens and ids; save it again."
        ) from error
    return ids, model.get("unk_token") if isinstance(model, dict) else None


def _plain(path: Path, inputs: Inputs) -> tuple[dict[str, Any], object]:
    return dict(read_fields(path, inputs).values), None


def _lines(path: Path, inputs: Inputs) -> tuple[dict[str, Any], object]:
    try:
        lines = inputs.read(path, LARGEST_JSON).decode().splitlines()
    except UnicodeDecodeError as error:
        raise AlphabetError(f"{path}: byte {error.start} is not UTF-8; save the vocabulary again.") from error
    return {token: row for row, token in enumerate(lines)}, None


def _decoder(settings: Fields) -> dict[str, Any]:
    added = settings.values.get("added_tokens_decoder") or {}
    try:
        return {token["content"]: int(row) for row, token in added.items()}
    except (AttributeError, TypeError, KeyError, ValueError) as error:
        raise AlphabetError(
            f"{settings.where}: added_tokens_decoder does not map ids to tokens; save it again."
        ) from error
