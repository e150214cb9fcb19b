"""An answer in another script is noticed, unless somebody asked for another language or it cannot be told."""

from __future__ import annotations

import pytest

from turnout.execution.judging.expectations import instruction
from turnout.execution.judging.scripts import off_script
from turnout.types import Message, Request

TEXTS = {
    "en": "The variable is not defined where it is read. Give it a value before the loop begins.",
    "de": "Die Variable ist hier nicht definiert. Weise ihr vor der Schleife einen Wert zu, müsste genügen.",
    "pl": "Zmienna nie jest zdefiniowana w chwili odczytu. Przypisz jej wartość przed pętlą, to wystarczy.",
    "ja": "このエラーは変数が未定義のときに起こります。先に値を代入してください。",
    "zh": "这个错误是因为变量没有定义，请在循环之前先赋值，然后重新运行程序。",
    "ru": "Переменная не определена в момент чтения. Присвойте ей значение перед циклом.",
    "ko": "이 오류는 변수가 정의되지 않았을 때 발생합니다. 먼저 값을 할당하세요.",
    "ar": "يحدث هذا الخطأ عندما لا يكون المتغير معرفا. قم بتعيين قيمة أولا قبل الحلقة.",
    "el": "Η μεταβλητή δεν έχει οριστεί όταν διαβάζεται. Δώσε της μια τιμή πριν από τον βρόχο.",
}
SAME = [{"en", "de", "pl"}, {"ja", "zh"}]


def off(prompt: str, text: str, system: str = "") -> bool | None:
    messages = (Message("system", system), Message("user", prompt)) if system else (Message("user", prompt),)
    return off_script(Request(messages), instruction(prompt), text)


@pytest.mark.parametrize("asked", TEXTS)
@pytest.mark.parametrize("given", TEXTS)
def test_the_script_of_the_answer_is_compared(asked: str, given: str) -> None:
    same = asked == given or any({asked, given} <= group for group in SAME)
    assert off(TEXTS[asked], TEXTS[given]) is (not same)


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        (f"Translate to Japanese: {TEXTS['en']}", TEXTS["ja"]),
        (f"How would a Russian say this: {TEXTS['en']}", TEXTS["ru"]),
        (f"翻译：{TEXTS['zh']}", TEXTS["en"]),
        (f"{TEXTS['ja']} 英語で答えてください。", TEXTS["en"]),
    ],
)
def test_a_translation_is_another_script_on_purpose(prompt: str, text: str) -> None:
    assert off(prompt, text) is None


def test_a_system_message_may_name_the_language() -> None:
    assert off(TEXTS["zh"], TEXTS["en"], "Always answer in English.") is None
    assert off(TEXTS["zh"], TEXTS["en"], "You are a careful reviewer.") is True


def test_short_or_mixed_texts_tell_nothing() -> None:
    assert off(TEXTS["zh"], "git switch") is None and off("hi", TEXTS["zh"]) is None
    assert off(f"这个函数为什么报错？ {TEXTS['en']}", TEXTS["en"]) is None
    assert off("", "") is None and off("1234", "5678 " * 20) is None
