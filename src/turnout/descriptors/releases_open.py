"""Language models whose parameters were published: when each came out, and how large it is.

A row is family, line, generation, month of its first release, and sizes in billions; "-" stands for none or unknown.
A mixture of experts has "total/active", "total/-" where it is not known what is active; `releases_cloud` explains "~"
after a month. Where the sizes of one generation came out in different months, each month has its row.
Sources: the makers' announcements, papers and model cards. What was not sure is left out.
"""

from __future__ import annotations

from typing import Final

OPEN: Final = """
llama - - 2023-02 7 13 33 65
llama - 2 2023-07 7 13 70
llama code - 2023-08 7 13 34
llama code - 2024-01 70
llama guard - 2023-12 7
llama - 3 2024-04 8 70
llama - 3.1 2024-07 8 70 405
llama guard 3 2024-07 8
llama - 3.2 2024-09 1 3
llama vision 3.2 2024-09 11 90
llama - 3.3 2024-12 70
llama scout 4 2025-04 109/17
llama maverick 4 2025-04 400/17
tinyllama - 1.1 2024-01 1.1
qwen - - 2023-08 7
qwen - - 2023-09 14
qwen - - 2023-11 1.8 72
qwen - 1.5 2024-02 0.5 1.8 4 7 14 72
qwen - 1.5 2024-04 32 110
qwen moe 1.5 2024-03 14.3/2.7
qwen coder 1.5 2024-04 7
qwen - 2 2024-06 0.5 1.5 7 57/14 72
qwen math 2 2024-08 1.5 7 72
qwen vl 2 2024-08 2 7
qwen vl 2 2024-09 72
qwen - 2.5 2024-09 0.5 1.5 3 7 14 32 72
qwen coder 2.5 2024-09 1.5 7
qwen coder 2.5 2024-11 0.5 3 14 32
qwen math 2.5 2024-09 1.5 7 72
qwen vl 2.5 2025-01 3 7 72
qwen vl 2.5 2025-03 32
qwen omni 2.5 2025-03 7
qwen qwq-preview - 2024-11 32
qwen qwq - 2025-03 32
qwen qvq-preview - 2024-12 72
qwen - 3 2025-04 0.6 1.7 4 8 14 32 30/3 235/22
qwen coder 3 2025-07 30/3 480/35
qwen next 3 2025-09 80/3
qwen embedding 3 2025-06 0.6 4 8
qwen vl 3 2025-09 235/22
qwen vl 3 2025-10 2 4 8 32 30/3
mistral - - 2023-09~ 7
mistral - 0.1 2023-09 7
mistral - 0.2 2023-12 7
mistral - 0.3 2024-05 7
mistral mixtral 0.1 2023-12 46.7/12.9
mistral mixtral 0.1 2024-04 140.6/39.1
mistral codestral - 2024-05 22
mistral mathstral 0.1 2024-07 7
mistral codestral-mamba 0.1 2024-07 7
mistral nemo - 2024-07 12
mistral ministral - 2024-10 8
mistral pixtral - 2024-09 12
mistral pixtral-large - 2024-11 124
mistral small - 2024-09 22
mistral small 3 2025-01 24
mistral small 3.1 2025-03 24
mistral small 3.2 2025-06 24
mistral large 2 2024-07 123
mistral large 2.1 2024-11 123
mistral devstral - 2025-05 24
mistral devstral-small - 2025-05 24
mistral devstral-small 1.1 2025-07 24
mistral magistral-small - 2025-06 24
mistral magistral-small 1.1 2025-07 24
mistral magistral-small 1.2 2025-09 24
deepseek coder - 2023-11 1.3 6.7 33
deepseek coder v1.5 2024-01 7
deepseek - - 2023-11 7 67
deepseek moe - 2024-01 16/2.8
deepseek math - 2024-02 7
deepseek vl - 2024-03 1.3 7
deepseek - v2 2024-05 236/21
deepseek lite v2 2024-05 16/2.4
deepseek coder v2 2024-06 236/21
deepseek coder-lite v2 2024-06 16/2.4
deepseek - v2.5 2024-09 236/21
deepseek - v3 2024-12 671/37
deepseek - v3.1 2025-08 671/37
deepseek exp v3.2 2025-09 671/37
deepseek - r1 2025-01 671/37
deepseek zero r1 2025-01 671/37
deepseek distill r1 2025-01 1.5 7 8 14 32 70
gemma - - 2024-02 2 7
gemma - 1.1 2024-04 2 7
gemma code - 2024-04 2 7
gemma - 2 2024-06 9 27
gemma - 2 2024-07 2
gemma - 3 2025-03 1 4 12 27
gemma - 3 2025-08 0.27
gemma n 3 2025-06 5 8
gpt oss - 2025-08 20/3.6 120/5.1
phi - 1 2023-06 1.3
phi - 1.5 2023-09 1.3
phi - 2 2023-12 2.7
phi mini 3 2024-04 3.8
phi small 3 2024-05 7
phi medium 3 2024-05 14
phi vision 3 2024-05 4.2
phi mini 3.5 2024-08 3.8
phi moe 3.5 2024-08 42/6.6
phi vision 3.5 2024-08 4.2
phi - 4 2024-12 14
phi mini 4 2025-02 3.8
phi multimodal 4 2025-02 5.6
phi reasoning 4 2025-04 14
phi reasoning-plus 4 2025-04 14
phi mini-reasoning 4 2025-04 3.8
phi mini-flash-reasoning 4 2025-07 3.8
yi - - 2023-11 6 34
yi - - 2024-03 9
yi - 1.5 2024-05 6 9 34
yi coder - 2024-09 1.5 9
command r - 2024-03 35
command r-plus - 2024-04 104
command r - 2024-08 32
command r-plus - 2024-08 104
command r - 2024-12 7
command a - 2025-03 111
aya - 23 2024-05 8 35
aya expanse - 2024-10 8 32
dbrx - - 2024-03 132/36
granite code - 2024-05 3 8 20 34
granite functioncalling - 2024-06 20
granite - 3.0 2024-10 2 8
granite moe 3.0 2024-10 1/0.4 3/0.8
granite - 3.1 2024-12 2 8
granite moe 3.1 2024-12 1/0.4 3/0.8
granite - 3.2 2025-02 2 8
granite - 3.3 2025-04 2 8
glm - 3 2023-10 6
glm - 4 2024-01~
glm - 4 2024-06 9
glm - 4 2025-04 32
glm - 4.5 2025-07 355/32
glm air 4.5 2025-07 106/12
glm v 4.1 2025-07 9
glm v 4.5 2025-08 106/12
glm - 4.6 2025-09 355/32
starcoder - - 2023-05 15.5
starcoder - 2 2024-02 3 7 15
stablelm code - 2024-01 3
stablelm - 2 2024-01 1.6
stablelm - 2 2024-04 12
falcon - - 2023-05 7 40
falcon - - 2023-09 180
falcon - 2 2024-05 11
falcon h1 - 2025-05 0.5 1.5 3 7 34
falcon - 3 2024-12 1 3 7 10
internlm - 2 2024-01 7 20
internlm - 2.5 2024-07 7
internlm - 2.5 2024-08 1.8 20
internlm - 3 2025-01 8
olmo - - 2024-02 1 7
olmo - 2 2024-11 7 13
olmo - 2 2025-03 32
olmo moe - 2024-09 7/1
smollm - - 2024-07 0.135 0.36 1.7
smollm - 2 2024-11 0.135 0.36 1.7
smollm - 3 2025-07 3
kimi - k2 2025-07 1000/32
minimax text - 2025-01 456/45.9
minimax - m1 2025-06 456/45.9
minimax - m2 2025-10 230/10
grok - 1 2024-03 314/-
jamba - 0.1 2024-03 52/12
jamba mini 1.5 2024-08 52/12
jamba large 1.5 2024-08 398/94
arctic - - 2024-04 480/17
exaone - 3.0 2024-08 7.8
exaone - 3.5 2024-12 2.4 7.8 32
exaone deep - 2025-03 2.4 7.8 32
exaone - 4.0 2025-07 1.2 32
solar - - 2023-12 10.7
solar - 1.0 2023-12 10.7
nemotron - 4 2024-06 340
nemotron - - 2024-10 70
hermes - 2 2024-01 34 46.7/12.9
hermes pro 2 2024-03 7
hermes pro 2 2024-05 8
hermes pro 2 2024-06 70
hermes theta 2 2024-05 8
hermes theta 2 2024-06 70
hermes - 3 2024-08 8 70 405
hermes - 4 2025-08 70 405
wizard - 2 2024-04 7 140.6/39.1
wizard coder 1.0 2023-08 34
wizard coder 1.1 2024-01 33
vicuna - 1.5 2023-08 7 13
phind - 2 2023-08 34
magicoder - - 2023-12 6.7 7
opencodeinterpreter - - 2024-02 1.3 6.7 33
eurux - - 2024-04 140.6/39.1
smaug - - 2024-02 34 72
smaug - 2 - 72
dracarys - - 2024-08 70 72
dracarys - 2 2024-09 70 72
xlam - - 2024-07 1 7
functionary small 3.1 2024-08 8
functionary medium 3.1 2024-08 70
functionary small 3.2 2024-08 8
firefunction - 1 2024-02 46.7/12.9
firefunction - 2 2024-06 70
gorilla - 2 2024-02 7
raven - 2 2023-12 13
tulu - 3 2024-11 8 70
athene - 2 2024-11 72
reflection - - 2024-09 70
zephyr - - 2023-10 7
openchat - 3.5 2023-11 7
starling - - 2023-11 7
dolphin - 2.9 2024-04 8 70
opencoder - - 2024-11 1.5 8
hunyuan a13b - 2025-06 80/13
nomic - - - 0.137
nomic - 1 2024-02 0.137
nomic - 1.5 2024-02 0.137
nomic moe 2 2025-02 0.475/0.305
nomic code - 2025-03 7
bge large - 2023-08 0.335
bge large 1.5 2023-09 0.335
bge m3 - 2024-01 0.567
mxbai large 1 2024-03 0.335
"""
