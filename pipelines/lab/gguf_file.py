"""Language models of the laboratory as GGUF files: what llama.cpp and everything built on it reads.

Matrices are kept in half precision, the few norms in single. The tokenizer is one token a byte, with a chat template.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from gguf import GGUFReader, GGUFWriter, TokenType
from turnout_pipelines.lab import vocabulary
from turnout_pipelines.lab.sizes import NORM_EPSILON, ROPE_BASE, SIZES, Size

from turnout.errors import ArtifactCorruptError, ArtifactMissingError
from turnout.files import write_aside

PREFIX: Final = "turnout-lab-"
"""What a language model's name begins with; its size follows."""

_TRAINED: Final = "turnout.lab.trained."


class Trained(NamedTuple):
    """How a file's weights came about; they go on from there."""

    seed: int
    steps: int
    minutes: float
    """Of work."""
    tokens: int
    """Read, padding included."""


def write(path: Path, size: Size, weights: Mapping[str, np.ndarray], trained: Trained | None = None) -> None:
    """Write the weights, which bear their GGUF names, in the place of a file before."""
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / "draft.gguf"
        _write(draft, size, weights, trained)
        write_aside(path, draft.read_bytes())


def read(path: Path) -> tuple[Size, dict[str, np.ndarray]]:
    """A file's size and its weights as they were rounded, float32.

    Raises:
        ArtifactMissingError: there is no such file.
        ArtifactCorruptError: it is not one of the laboratory's.
    """
    size, reader = _opened(path)
    # A copy: the reader's arrays are views of the file, which may be exchanged.
    return size, {tensor.name: np.array(tensor.data, np.float32) for tensor in reader.tensors}


def trained(path: Path) -> Trained | None:
    """How a file's weights came about, if it says so.

    Raises:
        ArtifactMissingError: there is no such file.
        ArtifactCorruptError: it is not one of the laboratory's.
    """
    _, reader = _opened(path)
    told = {name: reader.fields.get(_TRAINED + name) for name in Trained._fields}
    return Trained(**{name: field.contents() for name, field in told.items() if field}) if all(told.values()) else None


def _opened(path: Path) -> tuple[Size, Any]:
    if not path.exists():
        raise ArtifactMissingError(f"{path}: no such file; python -m turnout_pipelines.lab.export makes it")
    try:
        reader = GGUFReader(path)
        return SIZES[reader.fields["general.name"].contents().removeprefix(PREFIX)], reader
    except (ValueError, KeyError, IndexError) as error:
        raise ArtifactCorruptError(f"{path}: not a language model of the laboratory") from error


def _write(path: Path, size: Size, weights: Mapping[str, np.ndarray], trained: Trained | None) -> None:
    writer = GGUFWriter(path, "llama")
    writer.add_name(PREFIX + size.name)
    writer.add_license("apache-2.0")
    writer.add_context_length(vocabulary.CONTEXT)
    writer.add_embedding_length(size.width)
    writer.add_feed_forward_length(size.feed_forward)
    writer.add_block_count(size.layers)
    writer.add_head_count(size.heads)
    writer.add_head_count_kv(size.heads)
    writer.add_rope_dimension_count(size.head_width)
    writer.add_rope_freq_base(ROPE_BASE)
    writer.add_layer_norm_rms_eps(NORM_EPSILON)
    writer.add_vocab_size(vocabulary.VOCABULARY)
    _write_tokenizer(writer)
    if trained:
        writer.add_uint32(_TRAINED + "seed", trained.seed)
        writer.add_uint32(_TRAINED + "steps", trained.steps)
        writer.add_float32(_TRAINED + "minutes", trained.minutes)
        writer.add_uint64(_TRAINED + "tokens", trained.tokens)
    for name, values in weights.items():
        writer.add_tensor(name, values.astype(np.float16 if values.ndim == 2 else np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _write_tokenizer(writer: GGUFWriter) -> None:
    names = vocabulary.names()
    kinds = [TokenType.NORMAL] * len(names)
    kinds[vocabulary.UNKNOWN] = TokenType.UNKNOWN
    for control in (vocabulary.START, vocabulary.END, vocabulary.ANSWER):
        kinds[control] = TokenType.CONTROL
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(names)
    writer.add_token_types(kinds)
    writer.add_token_merges([f"{names[-2]} {names[-2]}"])
    writer.add_unk_token_id(vocabulary.UNKNOWN)
    writer.add_bos_token_id(vocabulary.START)
    writer.add_eos_token_id(vocabulary.END)
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)
    writer.add_chat_template(vocabulary.CHAT_TEMPLATE)
