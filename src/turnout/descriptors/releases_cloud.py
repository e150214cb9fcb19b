"""Language models that are only served, their parameters unpublished: when each came out.

A row is family, line, generation and the month of a version, "-" for none. "~" says that versions with dates of their
own share the name: then the bare name does not tell which, and its month is that of the first. A number after the
month is a version's own ("002").
Sources: the makers' announcements and lists of models. What was not sure is left out.
"""

from __future__ import annotations

from typing import Final

CLOUD: Final = """
gpt turbo 3.5 2023-03~
gpt turbo-instruct 3.5 2023-09
gpt - 4 2023-03~
gpt turbo 4 2023-11~
gpt vision 4 2023-11
gpt - 4o 2024-05~
gpt mini 4o 2024-07
gpt - 4.1 2025-04
gpt mini 4.1 2025-04
gpt nano 4.1 2025-04
gpt - 4.5 2025-02
gpt preview o1 2024-09
gpt mini o1 2024-09
gpt - o1 2024-12
gpt pro o1 2025-03
gpt mini o3 2025-01
gpt - o3 2025-04
gpt pro o3 2025-06
gpt mini o4 2025-04
gpt - 5 2025-08
gpt mini 5 2025-08
gpt nano 5 2025-08
gpt codex 5 2025-09
gpt - 5.1 2025-11
claude - 1 2023-03~
claude instant 1 2023-03~
claude instant 1.2 2023-08
claude - 2 2023-07
claude - 2.1 2023-11
claude haiku 3 2024-03
claude sonnet 3 2024-02
claude opus 3 2024-02
claude sonnet 3.5 2024-06~
claude haiku 3.5 2024-10
claude sonnet 3.7 2025-02
claude sonnet 4 2025-05
claude opus 4 2025-05
claude opus 4.1 2025-08
claude sonnet 4.5 2025-09
claude haiku 4.5 2025-10
claude opus 4.5 2025-11
gemini pro 1.0 2023-12~
gemini pro 1.5 2024-02~
gemini pro 1.5 2024-05@001
gemini pro 1.5 2024-09@002
gemini flash 1.5 2024-05~
gemini flash 1.5 2024-05@001
gemini flash 1.5 2024-09@002
gemini flash-8b 1.5 2024-10 8
gemini flash 2.0 2024-12~
gemini flash 2.0 2025-02@001
gemini flash-lite 2.0 2025-02
gemini pro 2.5 2025-03~
gemini flash 2.5 2025-04~
gemini flash-lite 2.5 2025-06~
gemini pro 3 2025-11
mistral tiny - 2023-12
mistral small - 2023-12~
mistral small - 2024-02
mistral medium - 2023-12~
mistral medium 3 2025-05
mistral medium 3.1 2025-08
mistral large - 2024-02~
mistral codestral - 2025-01
mistral codestral - 2025-07
mistral magistral-medium - 2025-06~
mistral devstral-medium - 2025-07
grok - 2 2024-08~
grok - 3 2025-02
grok mini 3 2025-02
grok - 4 2025-07
grok code-fast 1 2025-08
yi large - 2024-05
qwen max 2.5 2025-01
qwen max 3 2025-09
nova micro - 2024-12
nova lite - 2024-12
nova pro - 2024-12
nova premier - 2025-04
reka core - 2024-04
reka flash - 2024-02
reka edge - 2024-02
"""
