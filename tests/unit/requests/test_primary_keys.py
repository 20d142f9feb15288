"""primary_key_expression: no key can change what its expression means."""

from __future__ import annotations

import re
import uuid

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pymilvus.exceptions import ParamError

from milvus_native._core import key_literal, primary_key_expression

INT64, VARCHAR = 5, 21
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]))
NASTY = st.text(
    st.sampled_from("'\"\\\n\r\t\0 ,[]aunxU07\u2028\x7f\x85é中😀\U00020000\U0003ffff\U00016fe1")
)

# The lexer of the server's grammar, for the tokens that may occur here. A string literal ends at
# its quote, takes no bare line end, and a backslash only before what the grammar lists.
TOKEN = re.compile(
    r"""(?P<double>"(?:[^"\\\r\n]|\\['"?abfnrtv\\]|\\x[0-9a-fA-F]+|\\[0-7]{1,3}
            |\\u[0-9a-fA-F]{4}|\\U[0-9a-fA-F]{8})*")
    |(?P<single>'(?:[^'\\\r\n]|\\['"?abfnrtv\\]|\\x[0-9a-fA-F]+|\\[0-7]{1,3}
            |\\u[0-9a-fA-F]{4}|\\U[0-9a-fA-F]{8})*')
    |(?P<int>-?(?:0|[1-9][0-9]*))
    |(?P<word>[A-Za-z_$][A-Za-z0-9_]*)
    |(?P<mark>[\[\],])
    |(?P<space>[ \t]+)""",
    re.VERBOSE | re.DOTALL,
)
HAN_OUTSIDE_THE_BASIC_PLANE = re.compile("[\U00016fe0-\U00016fff\U00020000-\U0003ffff]")


def cut_ideographs(expression: str) -> str:
    """What newer servers do first: ideographs become \\uXXXX, with the lower 16 bits of their code,
    unless the expression has a backslash before anything but the characters below."""
    if re.search(r"""\\(?![\\ntrf"'])""", re.sub(r"""\\[\\ntrf"']""", "", expression)):
        return expression
    return HAN_OUTSIDE_THE_BASIC_PLANE.sub(
        lambda match: f"\\u{ord(match[0]) & 0xFFFF:04x}", expression
    )


def unquote(literal: str) -> str:
    """The value of a literal: 's are made "s with the " inside escaped, then Go's rules apply."""
    body = literal[1:-1]
    if literal[0] == "'":
        body = re.sub(r"\\(.)|\"", lambda m: m[0] if m[1] else '\\"', body, flags=re.DOTALL)
        body = re.sub(r"\\(.)", lambda m: "'" if m[1] == "'" else m[0], body, flags=re.DOTALL)
    escapes = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}

    def replace(match: re.Match[str]) -> str:
        if match[1]:
            return chr(int(match[1], 16))
        if match[2]:
            return chr(int(match[2], 16))
        character = match[3]
        assert character in escapes or character in '\\"', f"Go has no \\{character} in quotes"
        return escapes.get(character, character)

    return re.sub(r"\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", replace, body, flags=re.DOTALL)


def parse(expression: str) -> tuple[str, list[object]]:
    """Field and keys of `field in [key, ...]`, and nothing else in any place."""
    expression = cut_ideographs(expression)
    tokens: list[tuple[str, str]] = []
    position = 0
    while position < len(expression):
        match = TOKEN.match(expression, position)
        assert match, f"no token at {expression[position:]!r}"
        if match.lastgroup != "space":
            tokens.append((str(match.lastgroup), match[0]))
        position = match.end()
    assert [text for _, text in tokens[1:3]] == ["in", "["]
    assert tokens[0][0] == "word"
    assert tokens[-1] == ("mark", "]")
    keys: list[object] = []
    for index, (kind, text) in enumerate(tokens[3:-1]):
        if index % 2:
            assert (kind, text) == ("mark", ",")
        else:
            assert kind in ("int", "single", "double")
            keys.append(int(text) if kind == "int" else unquote(text))
    return tokens[0][1], keys


@settings(deadline=None)
@given(st.lists(st.one_of(ANY_TEXT, NASTY)))
@example(["O'Brien"])
@example(["x'] or id != ['"])
@example(['say "it\'s"', "\\", "\\'", '\\"', "\\n", "a\nb\r", "\\\\'"])
@example(["\U00020000", "中\U00020000'\"", "\0"])
def test_any_strings_read_back_as_they_were(keys: list[str]):
    assert parse(primary_key_expression("id", keys, VARCHAR)) == ("id", keys)


@settings(deadline=None)
@given(st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_any_ints_read_back_as_they_were(keys: list[int]):
    assert parse(primary_key_expression("id", keys, INT64)) == ("id", keys)


def test_most_keys_look_as_pymilvus_writes_them():
    assert primary_key_expression("id", [1, -2], INT64) == "id in [1,-2]"
    assert primary_key_expression("pk", ["a", "é 中"], VARCHAR) == "pk in ['a','é 中']"


@settings(deadline=None)
@given(st.one_of(ANY_TEXT, NASTY, st.integers(-(2**63), 2**63 - 1)))
def test_a_literal_is_what_the_expression_has(key: int | str):
    assert primary_key_expression("id", [key]) == f"id in [{key_literal(key)}]"


@pytest.mark.parametrize("key", [None, True, 1.5, b"a", 2**63, ["a"]])
def test_what_has_no_literal(key: object):
    with pytest.raises(ParamError, match="is illegal, expected an int"):
        key_literal(key)


def test_keys_take_the_type_of_the_field():
    assert primary_key_expression("id", ["5", 6], INT64) == "id in [5,6]"
    assert primary_key_expression("id", ["5", 6, True, 1.5], VARCHAR) == (
        "id in ['5','6','True','1.5']"
    )
    assert primary_key_expression("id", ["5", 6]) == "id in ['5',6]"
    assert primary_key_expression(field_name="id", ids=(), primary_type=VARCHAR) == "id in []"


def test_numpy_and_other_iterables():
    keys = np.array([1, 2], dtype=np.uint16)
    assert primary_key_expression("id", keys, INT64) == "id in [1,2]"
    assert primary_key_expression("id", [np.int8(-3)], INT64) == "id in [-3]"
    assert primary_key_expression("id", [np.str_("a")], VARCHAR) == "id in ['a']"
    assert primary_key_expression("id", (str(n) for n in range(2)), VARCHAR) == "id in ['0','1']"
    key = uuid.UUID(int=7)
    assert primary_key_expression("id", {key}, VARCHAR) == f"id in ['{key}']"


@pytest.mark.parametrize(
    "key",
    [
        True,
        None,
        1.0,
        2**63,
        -(2**63) - 1,
        [1],
        b"1",
        "",
        "-",
        "010",
        "+1",
        "1_0",
        "1 or 1 == 1",
        "٣",
        "9" * 5000,
        np.array([1]),
        np.float64(1),
        np.bool_(True),
    ],
    ids=repr,
)
def test_keys_that_are_no_int64_are_refused(key: object):
    with pytest.raises(ParamError, match="is illegal, expected an int"):
        primary_key_expression("id", [1, key], INT64)


@pytest.mark.parametrize("key", [None, b"a", bytearray(b"a"), ["a"], ("a",), {"a": 1}, {1}])
def test_keys_that_are_no_str_are_refused(key: object):
    with pytest.raises(ParamError, match="is illegal, expected a str"):
        primary_key_expression("id", ["a", key], VARCHAR)


def test_lone_surrogates_are_refused():
    with pytest.raises(UnicodeEncodeError, match="surrogates not allowed"):
        primary_key_expression("id", ["a\ud800"], VARCHAR)


def test_a_list_may_change_while_it_is_read():
    keys: list[object] = []

    class Clears:
        def __index__(self) -> int:
            keys.clear()
            return 7

    keys.extend([Clears(), 8, 9])
    assert primary_key_expression("id", keys, INT64) == "id in [7,8,9]"


def test_errors_of_a_key_pass_through():
    class Fails:
        def __index__(self) -> int:
            raise KeyError("mine")

        def __str__(self) -> str:
            raise KeyError("mine")

    for kind in (INT64, VARCHAR):
        with pytest.raises(KeyError, match="mine"):
            primary_key_expression("id", [Fails()], kind)


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((), {}, "missing the argument 'field_name'"),
        (("id",), {}, "missing the argument 'ids'"),
        (("id", [1], 5, 6), {}, "takes 3 positional arguments, 4 given"),
        (("id", [1]), {"ids": [1]}, "got two values for 'ids'"),
        (("id", [1]), {"kind": 5}, "unexpected keyword argument 'kind'"),
        ((5, [1]), {}, "bad argument type"),
        (("id", 5), {}, "not iterable"),
        (("id", [1], "x"), {}, "int"),
    ],
)
def test_wrong_arguments(args: tuple, kwargs: dict, message: str):
    with pytest.raises(TypeError, match=re.escape(message)):
        primary_key_expression(*args, **kwargs)
