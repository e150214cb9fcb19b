"""What the names mean that clients put in a language model's place."""

from __future__ import annotations

import pytest

from turnout.config.schema import Configuration
from turnout.config.voices import Ensemble
from turnout.gateway.embedding import first_able
from turnout.gateway.refusals import RefusedError
from turnout.gateway.targets import Target, all_targets, find_target, language_model
from turnout.types import CandidateState, LanguageModel, ProviderState, Snapshot

CONFIGURATION = Configuration(ensembles={"pair": Ensemble(kind="best_of", description="The better of two.")})
EMBEDS = frozenset({"embedding"})


def provider(name: str, *models: LanguageModel, available: bool = True) -> ProviderState:
    return ProviderState(provider=name, available=available, observed_s=0.0, models=models)


def snapshot(*providers: ProviderState) -> Snapshot:
    candidates = {
        f"{one.provider}/{model.name}": CandidateState(candidate=f"{one.provider}/{model.name}", model=model)
        for one in providers
        for model in one.models
        if "embedding" not in model.capabilities
    }
    return Snapshot(taken_s=0.0, providers={one.provider: one for one in providers}, candidates=candidates)


SEEN = snapshot(
    provider("a", LanguageModel(name="coder:7b"), LanguageModel(name="llama:latest"), LanguageModel(name="twin")),
    provider("b", LanguageModel(name="twin"), LanguageModel(name="embed:latest", capabilities=EMBEDS)),
)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("auto", Target("auto")),
        (" auto ", Target("auto")),
        ("auto:latest", Target("auto")),
        ("auto-fast", Target("auto-fast", preference="fast")),
        ("auto-quality:latest", Target("auto-quality", preference="quality")),
        ("pair", Target("pair", ensemble="pair")),
        ("developer", Target("developer", voice="developer")),
        ("a/coder:7b", Target("a/coder:7b", candidate="a/coder:7b")),
        ("coder:7b", Target("coder:7b", candidate="a/coder:7b")),
        ("llama", Target("llama:latest", candidate="a/llama:latest")),
        ("a/llama", Target("a/llama:latest", candidate="a/llama:latest")),
        ("b/twin", Target("b/twin", candidate="b/twin")),
        ("embed", Target("embed:latest", candidate="b/embed:latest", embeds=True)),
        ("b/embed:latest", Target("b/embed:latest", candidate="b/embed:latest", embeds=True)),
    ],
)
def test_a_name_means_one_thing(name: str, meant: Target) -> None:
    assert find_target(name, CONFIGURATION, SEEN) == meant


@pytest.mark.parametrize(
    ("name", "status", "told"),
    [
        ("", 400, "a name is needed"),
        ("autp", 404, "there is auto"),
        ("a/coder", 404, "a/coder:7b"),
        ("twin", 404, "several candidates are named 'twin': a/twin, b/twin"),
        ("x" * 5000, 404, "there is auto, auto-fast, auto-quality"),
    ],
)
def test_what_means_nothing_or_several_things_is_refused(name: str, status: int, told: str) -> None:
    with pytest.raises(RefusedError) as refused:
        find_target(name, CONFIGURATION, SEEN)
    assert refused.value.refusal.status == status and refused.value.refusal.param == "model"
    assert told in str(refused.value) and len(str(refused.value)) < 300


def test_everything_that_is_listed_can_be_asked_for() -> None:
    listed = all_targets(CONFIGURATION, SEEN)
    assert len({target.name for target in listed}) == len(listed)
    for target in listed:
        found = find_target(target.name, CONFIGURATION, SEEN)
        assert (found.candidate, found.voice, found.ensemble, found.preference, found.embeds) == (
            target.candidate,
            target.voice,
            target.ensemble,
            target.preference,
            target.embeds,
        )


def test_a_language_model_is_known_whether_it_answers_or_embeds() -> None:
    for name in ("a/coder:7b", "b/embed:latest"):
        known = language_model(name, SEEN)
        assert known is not None and known.name == name.partition("/")[2]
    assert language_model("a/nobody", SEEN) is None


def test_texts_stay_on_this_machine_where_somebody_here_embeds_them() -> None:
    far = provider("far", LanguageModel(name="embed", capabilities=EMBEDS, remote=True))
    near = provider("near", LanguageModel(name="embed", capabilities=EMBEDS))
    gone = provider("gone", LanguageModel(name="embed", capabilities=EMBEDS), available=False)
    assert first_able(snapshot(far, near, gone)) == "near/embed"
    assert first_able(snapshot(gone, far)) == "far/embed"
    assert first_able(snapshot(gone)) == ""
