"""Families of language models: the words that name them, and the words that name the lines within each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_TUNED: Final = """
hermes: hermes noushermes openhermes deephermes
dolphin: dolphin tinydolphin megadolphin
wizard: wizard wizardlm wizardcoder=coder wcoder=coder wizardmath=math wizardvicuna
nemotron: nemotron
smaug: smaug
dracarys: dracarys
magicoder: magicoder magicoders
opencodeinterpreter: opencodeinterpreter ocds
phind: phind phindcodellama
eurux: eurux eurus
functionary: functionary
firefunction: firefunction
xlam: xlam
gorilla: gorilla openfunctions gorillaopenfunctions
raven: raven nexusraven
vicuna: vicuna
zephyr: zephyr stablelmzephyr
openchat: openchat
starling: starling
tulu: tulu
airoboros: airoboros
orca: orca openorca
gradient: gradient
neural-chat: neuralchat
nous: nouscapybara capybara
samantha: samantha
athene: athene
openthinker: openthinker openthinker2
sky: skyt1
deepcoder: deepcoder
deepscaler: deepscaler
marco: marco
bespoke: bespokestratos
hammer: hammer
toolace: toolace
watt: watttool
codegeex: codegeex
sqlcoder: sqlcoder
meditron: meditron
medllama: medllama
cogito: cogito
reflection: reflection
shieldgemma: shieldgemma
minicpm: minicpm
llava: llava bakllava
moondream: moondream
sonar: sonar pplx
r1-1776: r11776
lfm: lfm
"""

_MAKERS: Final = """
llama: llama metallama codellama=code cllama=code llamaguard=guard
tinyllama: tinyllama
openllama: openllama
qwen: qwen codeqwen=coder qwq=qwq qvq=qvq qwencoder=coder
mistral: mistral mixtral=mixtral codestral=codestral mathstral=mathstral ministral=ministral magistral=magistral
mistral: devstral=devstral pixtral=pixtral voxtral=voxtral
deepseek: deepseek dscoder=coder
gemma: gemma codegemma=code paligemma=pali medgemma=med embeddinggemma=embedding functiongemma=function
gemini: gemini
gpt: gpt chatgpt=chat o1 o3 o4
gpt-2: gpt2
gpt-neo: gptneo gptneox gptj
gpt4all: gpt4all
claude: claude
phi: phi
yi: yi yicoder=coder
command: command c4aicommand commandr=r commanda=a
aya: aya
dbrx: dbrx
granite: granite
glm: glm chatglm codegeexglm
starcoder: starcoder starchat=chat
stablelm: stablelm stablecode=code
falcon: falcon
internlm: internlm
olmo: olmo olmoe=moe
smollm: smollm
smolvlm: smolvlm
kimi: kimi
moonshot: moonshot
minimax: minimax abab
grok: grok
jamba: jamba
arctic: arctic
exaone: exaone
solar: solar
opencoder: opencoder
nova: nova
titan: titan
palm: palm
reka: reka
bloom: bloom bloomz
mpt: mpt
pythia: pythia
ernie: ernie
hunyuan: hunyuan
baichuan: baichuan
seed: seedoss seedcoder=coder
doubao: doubao
mimo: mimo
step: step
ling: ling
ring: ring
mercury: mercury
codegen: codegen
santacoder: santacoder
replit: replitcode replit
bge: bge
e5: e5 multilinguale5
nomic: nomic nomicembed
mxbai: mxbai mxbaiembed
minilm: minilm allminilm
jina: jina
gte: gte
apertus: apertus
teuken: teuken
eurollm: eurollm
"""

LINES: Final[Mapping[str, tuple[str, ...]]] = {
    family: tuple(words.split())
    for family, words in {
        "gpt": "chat codex oss turbo mini nano pro realtime audio search vision deep instruct preview",
        "claude": "instant haiku sonnet opus",
        "gemini": "nano flash pro ultra lite 8b image tts live",
        "gemma": "code pali med n embedding function",
        "mistral": (
            "mixtral codestral mathstral ministral magistral devstral pixtral voxtral mamba nemo saba tiny small "
            "medium large embed"
        ),
        "qwen": "qwq qvq coder math vl audio omni moe next max plus turbo flash embedding reranker guard preview",
        "deepseek": "coder math vl ocr prover lite zero distill moe exp reasoner",
        "llama": "code python guard vision scout maverick groq",
        "phi": "mini small medium moe vision multimodal flash reasoning plus silica",
        "command": "r a plus light nightly",
        "granite": "code functioncalling function moe vision guardian embedding speech tiny small micro h",
        "grok": "mini code fast vision heavy",
        "yi": "coder vl large medium spark lightning",
        "glm": "v z edge air airx flash long plus",
        "hermes": "pro theta",
        "nova": "micro lite pro premier",
        "nemotron": "nano mini super ultra",
        "jamba": "mini large",
        "kimi": "vl dev linear",
        "minimax": "text vl",
        "stablelm": "code zephyr",
        "functionary": "small medium",
        "reka": "core flash edge",
        "falcon": "mamba edge h1",
        "solar": "pro mini",
        "wizard": "coder math vicuna",
        "arctic": "embed",
        "aya": "expanse vision",
        "nomic": "code vision moe",
        "bge": "small base large m3",
        "mxbai": "xsmall large rerank",
        "olmo": "moe",
        "exaone": "deep",
        "ernie": "vl speed lite turbo",
        "hunyuan": "large turbo lite a13b",
        "starcoder": "chat",
    }.items()
}
"""Words that tell apart what one maker sells under one generation, in the order in which a line is spelled."""


@dataclass(frozen=True, slots=True)
class Lineage:
    """What a word names: a family, and where the word says it the line. `tuned` is for those who train others' on."""

    family: str
    line: str
    tuned: bool


@dataclass(frozen=True, slots=True)
class Found:
    """The family that a name tells, with where its word begins and ends among the tokens."""

    family: str
    begin: int
    end: int
    lines: tuple[str, ...]


def _words(table: str, *, tuned: bool) -> dict[str, Lineage]:
    words = {}
    for row in table.strip().splitlines():
        family, _, keys = row.partition(": ")
        for key in keys.split():
            word, _, line = key.partition("=")
            words[word] = Lineage(family, line, tuned)
    return words


_BY_WORD: Final[Mapping[str, Lineage]] = _words(_MAKERS, tuned=False) | _words(_TUNED, tuned=True)
_ONLY_FIRST: Final = frozenset("o1 o3 o4 step ring ling e5 arctic solar nova".split())
"""Words that are common or belong to others' names too; they name a family only at the front, after their maker."""

_BEFORE: Final = frozenset("openai azure amazon snowflake upstage us eu apac stepfun inclusionai".split())


def family_in(tokens: tuple[str, ...]) -> tuple[Found | None, frozenset[int]]:
    """Whose language model the tokens name, and the places of other families' words.

    Who trains another's on goes first ("Hermes-2-Pro-Llama-3"), then who stands first ("deepseek-r1-distill-qwen").
    """
    hits: list[tuple[Lineage, int, int]] = []
    at = 0
    while at < len(tokens):
        for width in (3, 2, 1):
            lineage = _BY_WORD.get("".join(tokens[at : at + width]))
            if lineage is None or at + width > len(tokens):
                continue
            if tokens[at] in _ONLY_FIRST and not _BEFORE.issuperset(tokens[:at]):
                continue
            hits.append((lineage, at, at + width))
            at += width - 1
            break
        at += 1
    if not hits:
        return None, frozenset()
    lineage, begin, end = next((hit for hit in hits if hit[0].tuned), hits[0])
    own = [hit for hit in hits if hit[0].family == lineage.family]
    others = frozenset(hit[1] for hit in hits if hit[0].family != lineage.family)
    return Found(lineage.family, begin, end, tuple(hit[0].line for hit in own if hit[0].line)), others
