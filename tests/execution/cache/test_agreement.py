"""The guards: what means the same may share an answer, and nothing else, however alike it looks."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.execution.cache.agreement import agree, is_slip
from turnout.execution.cache.gist import MAX_CHARACTERS, gist


def agreed(one: str, other: str) -> bool:
    mine, theirs = gist(one), gist(other)
    assert mine is not None and theirs is not None
    assert agree(mine, theirs) == agree(theirs, mine), "it is the same both ways"
    return agree(mine, theirs)


DIFFERENT = [
    # numbers
    ("What is 15% of 2,480?", "What is 18% of 2,480?"),
    ("a regex for 4 digits and then 2 letters", "a regex for 2 digits and then 4 letters"),
    ("list three uses of a heap", "list four uses of a heap"),
    ("What is -5 plus 3?", "What is 5 plus 3?"),
    ("compute 10!", "compute 10"),
    ("vue 2 reactivity", "vue 3 reactivity"),
    ("wait 1.5 seconds", "wait 15 seconds"),
    # code
    ("What does `a[0]` give?", "What does `a[1]` give?"),
    ("Explain:\n\nx = i++", "Explain:\n\nx = ++i"),
    ("Explain:\n\nif a > b:", "Explain:\n\nif a >= b:"),
    ("Explain:\n\n    go()", "Explain:\n\n        go()"),
    ("```py\nx = 1\n```\nwhy?", "```py\nx = 2\n```\nwhy?"),
    ('print("a") prints?', 'print("b") prints?'),
    ('Explain:\n\nprint("a")', 'Explain:\n\nprint("b")'),
    ("ls -lt", "ls -lS"),
    ("git add .", "git add"),
    ("cd ..", "cd ."),
    ("sed -i file", "sed file"),
    ("git checkout -- file", "git checkout file"),
    ("is 3 > 2", "is 3 < 2"),
    ("what is 7 + 2", "what is 7 * 2"),
    # file names, addresses
    ("read config.toml in Go", "read config.yaml in Go"),
    ("open /etc/hosts", "open /etc/host"),
    # quotations
    ('Translate "good night" to French', 'Translate "good day" to French'),
    ("Translate „Guten Tag“ to French", "Translate „Gute Nacht“ to French"),
    ("What does 'No such file' mean?", "What does 'no such File' mean?"),
    # negation
    ("When should I use goto?", "When should I not use goto?"),
    ("Which methods are idempotent?", "Which methods aren't idempotent?"),
    ("Could you mention the price?", "Could you not mention the price?"),
    ("with a build stage", "without a build stage"),
    ("browsers can call the route", "browsers cannot call the route"),
    ("Sort it, for me", "Sort it, not for me"),
    # languages and names
    ("binary search in Java", "binary search in JavaScript"),
    ("Translate this to Swedish", "Translate this to Norwegian"),
    ("Translate to US English", "Translate to English"),
    ("Who do I call in IT?", "Who do I call?"),
    ("read a CSV in pandas", "read a CSV in polars"),
    ("vitamin A", "vitamin B"),
    # direction and order
    ("move our tests from Jest to Vitest", "move our tests from Vitest to Jest"),
    ("convert from Celsius to Kelvin", "convert to Celsius from Kelvin"),
    ("Python to Go", "Go to Python"),
    ("an email from a tenant to the landlord", "an email from the landlord to a tenant"),
    ("Our team lives on GitLab and management wants us on GitHub", "Our team lives on GitHub and management wants us on GitLab"),
    ("A client calls B", "B calls A client"),
    ("more memory than disk", "more disk than memory"),
    ("pad on the left", "pad on the right"),
    # how much of it
    ("is any element negative", "are all elements negative"),
    ("a timeout for one request", "a timeout for all requests"),
    ("only the first paragraph", "the first paragraph"),
    # what is wanted
    ("sort the list by age", "filter the list by age"),
    ("Write a haiku", "How do I write a haiku?"),
    ("explain quicksort", "write quicksort"),
    ("Is the build reproducible?", "The build is reproducible."),
    ("Why is it slow?", "Is it slow?"),
    ("how many files are here", "which files are here"),
    ("who are you", "who am I"),
    # constraints
    ("Explain TCP.", "Explain TCP to a child."),
    ("a regex for emails", "a regex for emails, only at example.com"),
    # other languages
    ("Wie aktiviere ich das?", "Wie deaktiviere ich das?"),
    ("東京から大阪まで", "大阪から東京まで"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_what_asks_for_something_else_never_shares(one: str, other: str) -> None:
    assert not agreed(one, other)


SAME = [
    ("How do I list files in Linux?", "how do i list files in linux"),
    ("Hi! Could you please tell me how to list files in Linux?", "how to list files in linux"),
    ("List files in Linux.", "How can I list files in Linux?"),
    ("What's the difference between TCP and UDP?", "what is the difference between TCP and UDP"),
    ("In Kotlin, reverse a string.", "reverse a string in Kotlin"),
    ("Please explain why the sky is blue, thanks", "Why is the sky blue?"),
    ("list three uses of DNS", "List 3 uses of the Domain Name System!"),
    ("reverse a linked list in js", "Reverse a linked list in JavaScript, please."),
    ("I would like to know what a mutex is", "what is a mutex"),
    ("I'd be grateful if you could sort this: b a", "sort this: b a"),
    ("Thanks in advance for any help: why is 48,321 odd?", "why is 48321 odd"),
    ("If it isn't too much trouble, translate this: no", "Translate this: no"),
    ("What does “No such file” mean?", 'what does "No such file" mean'),
    ("Show every repo with more than 5 forks", "show each repository with more than five forks :)"),
    ("What does this aggregate query do?", "what does this aggergate query do?"),
    ("It doesn't compile", "it does not compile"),
    ("Wie aktiviere ich das?", "wie aktiviere ich das"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_what_says_the_same_may_share(one: str, other: str) -> None:
    assert agreed(one, other)


words = st.sampled_from(
    "please sort not the 3 4 `x` all in Python from to A B list lists -i . explain :) if you can".split()
)
prompts = st.lists(words, min_size=1, max_size=10).map(" ".join)


@given(prompts, prompts)
def test_agreement_is_the_same_both_ways(one: str, other: str) -> None:
    mine, theirs = gist(one), gist(other)
    assert mine is None or agree(mine, mine)
    if mine is not None and theirs is not None:
        assert agree(mine, theirs) == agree(theirs, mine)


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_is_read_and_agrees_with_itself(one: str, other: str) -> None:
    mine, theirs = gist(one), gist(other)
    assert mine is None or agree(mine, mine)
    if mine is not None and theirs is not None:
        agree(mine, theirs)


@given(prompts, st.integers(0, 10**6), st.integers(0, 10**6))
def test_another_number_in_any_prompt_never_shares(prompt: str, one: int, other: int) -> None:
    if one != other:
        mine, theirs = gist(f"{prompt} {one}"), gist(f"{prompt} {other}")
        assert mine is not None and theirs is not None and not agree(mine, theirs)


@given(prompts, st.text(st.characters(codec="ascii", exclude_characters='"\n'), min_size=1, max_size=8), st.data())
def test_another_quotation_in_any_prompt_never_shares(prompt: str, quoted: str, data: st.DataObject) -> None:
    other = data.draw(st.text(st.characters(codec="ascii", exclude_characters='"\n'), min_size=1, max_size=8))
    if other != quoted and "\0" not in quoted + other:
        mine, theirs = gist(f'{prompt} "{quoted}"'), gist(f'{prompt} "{other}"')
        assert mine is not None and theirs is not None and not agree(mine, theirs)


def test_too_long_a_prompt_and_one_that_says_nothing_have_no_gist() -> None:
    assert gist("a b " * MAX_CHARACTERS) is None
    assert gist("") is None and gist("  \n ") is None and gist("the of") is None and gist("a\x00b") is None


@pytest.mark.parametrize(
    "text",
    ["„" * 8000, "'" * 8000, '"a' * 4000, " " * 7999 + "x", "please " * 1100, "a" * 8000, "\n\t" * 4000, "`" * 8000, "(" * 8000,
     "thanks " * 1100 + "x", "why? " * 1600, "1," * 4000, "!" * 8000, "n't " * 2000, "- " * 4000, "if you can " * 700],
    ids=lambda text: repr(text[:6]),
)  # fmt: skip
def test_no_text_takes_long_to_read(text: str) -> None:
    begun_s = time.process_time()
    gist(text)
    assert time.process_time() - begun_s < 0.5


# Slips of the finger


@pytest.mark.parametrize(
    ("one", "other"),
    [("recursion", "recusrion"), ("difference", "diffrence"), ("spinner", "spiner"), ("directory", "directroy")],
)
def test_a_slip_of_the_finger_is_the_same_word(one: str, other: str) -> None:
    assert is_slip(one, other) and is_slip(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [("trial", "trail"), ("import", "export"), ("encode", "decode"), ("server", "servers"), ("https", "http"),
     ("vlookup", "hlookup"), ("median", "mean"), ("stdout", "stdin"), ("sha256", "sha265"), ("123456", "124356"),
     ("enable", "disable"), ("same", "same"), ("private", "primate")],
)  # fmt: skip
def test_another_word_is_no_slip(one: str, other: str) -> None:
    assert not is_slip(one, other) and not is_slip(other, one)
