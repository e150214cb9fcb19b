"""llama.cpp's own server under an address that stays: bytes pass both ways, and either end ends the other."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from tests.lab.pretended import Pretended

from turnout.lab.fronts_engine import connected
from turnout.lab.fronts_plain import PlainFront

pytestmark = pytest.mark.anyio

PATH = "/v1/chat/completions"


async def test_bytes_pass_as_they_are(http: aiohttp.ClientSession) -> None:
    async with Pretended(("x", "y")).serving() as address, PlainFront(address).serving() as url:
        told = []
        for base in (address, url):
            async with http.post(base + PATH, json={}) as response:
                told.append(await response.read())
    assert told[0] == told[1] and b"[DONE]" in told[0]


async def test_a_caller_who_leaves_ends_the_generation(http: aiohttp.ClientSession) -> None:
    engine = Pretended(manner="wait")
    async with engine.serving() as address, PlainFront(address).serving() as url:
        async with http.post(url + PATH, json={}) as response:
            await response.content.readline()
            response.close()
        await asyncio.wait_for(engine.left.wait(), 10)


async def test_it_turns_to_another_engine_and_hangs_up_on_the_old_one(http: aiohttp.ClientSession) -> None:
    old, new = Pretended(manner="wait"), Pretended(("z",))
    async with old.serving() as first, new.serving() as second:
        front = PlainFront(first)
        async with front.serving() as url:
            async with http.post(url + PATH, json={}) as response:
                await response.content.readline()
                front.turn_to(await connected(http, second))
                with pytest.raises(aiohttp.ClientError):
                    await response.read()
            await asyncio.wait_for(old.left.wait(), 10)
            async with http.post(url + PATH, json={}) as response:
                assert b'"z"' in await response.read()


async def test_an_engine_that_is_gone_is_a_closed_connection(http: aiohttp.ClientSession) -> None:
    async with PlainFront("http://127.0.0.1:9").serving() as url:
        with pytest.raises(aiohttp.ClientError):
            await http.post(url + PATH, json={})
