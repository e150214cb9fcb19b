"""A real engine for the tests: llama.cpp's own HTTP server with a language model of half a megabyte, made here.

The weights are random, so the answers mean nothing, but every byte on the wire is the engine's own: chunks, usage,
log-probabilities, grammars, error bodies, queues, lost connections. Three things make the model easy to test with:

- One token is one byte of UTF-8, so prompts and answers can be counted without the engine.
- Answers are printable ASCII, one character each token, and never end by themselves: `max_tokens` alone decides their
  length. A `logit_bias` on `END_TOKEN`, a stop text or a JSON schema ends them.
- Weights, and with them greedy answers, follow from the seed.

The server runs in a process of its own: it can be killed, and a crash in native code does not take pytest along.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Final

import numpy as np
import pytest

PACKAGES: Final = ("xllamacpp", "gguf")
NAME: Final = "tiny-llama"
UNKNOWN_TOKEN, START_TOKEN, END_TOKEN, FIRST_BYTE_TOKEN = range(4)
CHAT_TEMPLATE: Final = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)

# No logit that training could give reaches this: a token with it is drawn only when nothing else is allowed.
NEVER: Final = -40.0

_WIDTH, _FEED_FORWARD, _LAYERS, _HEADS = 64, 128, 2, 4

# The server ends with its standard input, so none survives a pytest that was killed. It leaves without destructors,
# which would wait for answers that nobody wants any more.
_SERVER: Final = """
import json, os, sys
import xllamacpp

options = json.loads(sys.argv[1])
params = xllamacpp.CommonParams()
params.model.path = options.pop("model")
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
if "pooling_type" in options:
    params.pooling_type = getattr(xllamacpp.llama_pooling_type, options.pop("pooling_type"))
address = options.pop("address")
for name, value in options.items():
    assert hasattr(params, name), name
    setattr(params, name, value)
server = xllamacpp.Server(params)
with open(address + ".part", "w", encoding="utf-8") as file:
    file.write(server.listening_address)
os.replace(address + ".part", address)
sys.stdin.buffer.read()
os._exit(0)
"""


def require_engine() -> None:
    """Skip the calling test where the engine's packages are missing; in CI that fails instead."""
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if not missing:
        return
    reason = f"the real engine needs {' and '.join(missing)}: pip install {' '.join(missing)}"
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def prompt_tokens(*messages: tuple[str, str]) -> int:
    """How many tokens the engine makes of these (role, content) messages: the start token, and one for each byte."""
    texts = [f"<|{role}|>{content}\n" for role, content in messages]
    return 1 + len("".join([*texts, "<|assistant|>"]).encode())


def write_model(
    path: Path,
    *,
    seed: int = 0,
    context_length: int = 512,
    end_bias: float = NEVER,
    chat_template: str = CHAT_TEMPLATE,
) -> Path:
    """Write a random llama of about half a megabyte to `path` and return it.

    `end_bias` is how readily an answer ends, next to 0 for a printable character: about 3 gives answers of a few
    tokens, `NEVER` gives answers that fill `max_tokens` or the context.
    """
    from gguf import GGUFWriter, TokenType

    tokens = ["<unk>", "<s>", "</s>", *_byte_names(), "ÿÿ"]
    kinds = [TokenType.UNKNOWN, TokenType.CONTROL, TokenType.CONTROL] + [TokenType.NORMAL] * 257

    writer = GGUFWriter(path, "llama")
    writer.add_name(NAME)
    writer.add_context_length(context_length)
    writer.add_embedding_length(_WIDTH)
    writer.add_feed_forward_length(_FEED_FORWARD)
    writer.add_block_count(_LAYERS)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(_HEADS)
    writer.add_rope_dimension_count(_WIDTH // _HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(["ÿ ÿ"])  # the format wants a merge; this one joins bytes that no UTF-8 text has
    writer.add_unk_token_id(UNKNOWN_TOKEN)
    writer.add_bos_token_id(START_TOKEN)
    writer.add_eos_token_id(END_TOKEN)
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)
    writer.add_chat_template(chat_template)
    for name, weights in _weights(len(tokens), seed, end_bias).items():
        writer.add_tensor(name, weights)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _byte_names() -> list[str]:
    """What the 256 byte tokens are called: byte-level vocabularies give unprintable bytes letters from 256 on."""
    printable = {*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)}
    stand_ins = iter(range(256, 512))
    return [chr(byte if byte in printable else next(stand_ins)) for byte in range(256)]


def _weights(vocabulary: int, seed: int, end_bias: float) -> dict[str, np.ndarray]:
    """Random weights by name. Channel 0 is the same for all tokens and no layer writes to it, so the output layer can
    use it as the bias per token that the architecture does not have."""
    chance = np.random.default_rng(seed)

    def draw(rows: int, columns: int, scale: float) -> np.ndarray:
        return (chance.standard_normal((rows, columns)) * scale).astype(np.float32)

    ones = np.ones(_WIDTH, np.float32)
    bias = np.full(vocabulary, NEVER, np.float32)
    bias[FIRST_BYTE_TOKEN + ord(" ") : FIRST_BYTE_TOKEN + ord("~") + 1] = 0.0
    bias[END_TOKEN] = end_bias

    embedding = draw(vocabulary, _WIDTH, 1.0)
    embedding[:, 0] = 4.0
    output = draw(vocabulary, _WIDTH, 0.3)
    output[:, 0] = bias / 2.0  # the last norm brings the 4.0 to about 2
    weights = {"token_embd.weight": embedding, "output.weight": output, "output_norm.weight": ones}
    for layer in range(_LAYERS):
        block = {
            "attn_norm": ones,
            "ffn_norm": ones,
            **{name: draw(_WIDTH, _WIDTH, _WIDTH**-0.5) for name in ("attn_q", "attn_k", "attn_v", "attn_output")},
            "ffn_gate": draw(_FEED_FORWARD, _WIDTH, _WIDTH**-0.5),
            "ffn_up": draw(_FEED_FORWARD, _WIDTH, _WIDTH**-0.5),
            "ffn_down": draw(_WIDTH, _FEED_FORWARD, _FEED_FORWARD**-0.5),
        }
        block["attn_output"][0] = block["ffn_down"][0] = 0.0
        weights |= {f"blk.{layer}.{name}.weight": value for name, value in block.items()}
    return weights


@dataclass(frozen=True, slots=True)
class Engine:
    """A running server: its address without a path, the key it wants, its process and the file with all it said."""

    url: str
    api_key: str | None
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def headers(self) -> dict[str, str]:
        """What a request must carry."""
        return {} if self.api_key is None else {"Authorization": f"Bearer {self.api_key}"}

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def kill(self) -> None:
        """End it as a crash would: at once, in the middle of whatever it sends."""
        self.process.kill()
        self.process.wait(timeout=10)

    def stop(self) -> None:
        """End it, gently if it lets us. Doing so again is harmless."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.kill()


@contextmanager
def serve(
    model: Path,
    folder: Path,
    *,
    slots: int = 2,
    context: int = 512,
    name: str = NAME,
    api_keys: Sequence[str] = (),
    embeddings: bool = False,
    port: int = 0,
    jinja: bool = True,
    patience_s: float = 30.0,
) -> Iterator[Engine]:
    """Serve `model` on 127.0.0.1 until the block ends; what the server says goes to a file under `folder`.

    Each of the `slots` answers one request at a time and has a window of `context` tokens, or of the model's
    `context_length` where that is less; more requests wait. Port 0 is any free one. With `api_keys` every path but
    /health wants one of them. Without `jinja` the model's own chat template is refused, and so are tools.
    """
    own = Path(tempfile.mkdtemp(prefix="engine-", dir=folder))
    log, address = own / "log", own / "address"
    options = {
        "model": str(model),
        "model_alias": [name],
        "port": port,
        "n_parallel": slots,
        "n_ctx": slots * context,
        "api_keys": list(api_keys),
        "embedding": embeddings,
        "use_jinja": jinja,
        "address": str(address),
        "endpoint_metrics": True,
        "fit_params": False,  # half a megabyte fits without a measurement
        "n_threads_http": 16,  # a waiting request holds a thread; /health must find a free one
        "ui": False,
    } | ({"pooling_type": "LLAMA_POOLING_TYPE_MEAN"} if embeddings else {})
    command = [sys.executable, "-c", _SERVER, json.dumps(options)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT)
    engine = Engine("", api_keys[0] if api_keys else None, log, process)
    try:
        engine = replace(engine, url=_address(process, address, log, time.monotonic() + patience_s))
        yield engine
    finally:
        engine.stop()


def _address(process: subprocess.Popen[bytes], file: Path, log: Path, deadline: float) -> str:
    """The server's address, once it says that it is healthy."""
    while process.poll() is None and time.monotonic() < deadline:
        if file.exists() and _healthy(url := file.read_text(encoding="utf-8").strip()):
            return url
        time.sleep(0.02)
    end = "is not ready" if process.poll() is None else f"ended with {process.returncode}"
    raise RuntimeError(
        f"the engine {end}; its last words:\n{log.read_text(encoding='utf-8', errors='replace')[-3000:]}"
    )


def _healthy(url: str) -> bool:
    host, _, port = url.removeprefix("http://").rpartition(":")
    connection = HTTPConnection(host, int(port), timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
