"""The query iterator's state machine: every row once, whatever the keys, limits and failures."""

from __future__ import annotations

import contextlib
import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymilvus.exceptions import DataTypeNotMatchException, MilvusException, ParamError

from milvus_native.query_paging import Cursor, literal
from tests.servers.paging import PagingCollection
from tests.unit.iterators.model import open_query, params_of

INT64_MAX = 2**63 - 1


def numbered(count: int) -> PagingCollection:
    rows = [{"id": number, "tag": number % 3, "vec": [0.0, 0.0]} for number in range(count)]
    random.Random(count).shuffle(rows)
    return PagingCollection(rows)


def keyed(keys) -> PagingCollection:
    return PagingCollection([{"id": key, "tag": 1, "vec": [0.0, 0.0]} for key in keys])


def drain(iterator) -> list[list]:
    pages = []
    while page := iterator.next():
        pages.append([row["id"] for row in page])
    return pages


# Every character but surrogates, and the ones with a meaning in filters more often.
texts = st.text(
    st.one_of(
        st.sampled_from("\"'\\\n\r\t \x00{}[]%"),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=12,
)


@given(st.sets(texts, min_size=1, max_size=30), st.integers(1, 7))
@settings(max_examples=150, deadline=None)
def test_every_string_key_comes_once(keys, batch_size):
    # A NUL is no source text for the model's evaluator; the servers' tests have it.
    keys = {key.replace("\x00", "0") for key in keys}
    iterator, _calls = open_query(keyed(keys), batch_size=batch_size)
    pages = drain(iterator)
    assert [key for page in pages for key in page] == sorted(keys)
    assert all(len(page) == batch_size for page in pages[:-1])


@given(st.sets(st.integers(-(2**63), INT64_MAX), min_size=1, max_size=40), st.integers(1, 9))
@settings(max_examples=50, deadline=None)
def test_every_integer_key_comes_once(keys, batch_size):
    for expr in ("", None):
        iterator, _calls = open_query(keyed(keys), batch_size=batch_size, filter=expr)
        assert [key for page in drain(iterator) for key in page] == sorted(keys)


def test_without_any_filter_the_greatest_and_the_empty_key_come_too():
    iterator, calls = open_query(keyed([1, INT64_MAX]), filter=None)
    assert drain(iterator) == [[1, INT64_MAX]]
    assert calls.messages("Query")[-2].expr == f"id <= {INT64_MAX}"
    iterator, calls = open_query(keyed(["", "a"]), filter=None)
    assert drain(iterator) == [["", "a"]]
    assert calls.messages("Query")[-2].expr == 'id >= ""'


@pytest.mark.parametrize(
    ("limit", "sizes"),
    [
        (-1, [4, 4, 2]),
        (None, [4, 4, 2]),
        (0, []),
        (3, [3]),
        (4, [4]),
        (9, [4, 4, 1]),
        (99, [4, 4, 2]),
    ],
)
def test_limit_cuts_the_last_page(limit, sizes):
    iterator, _calls = open_query(numbered(10), batch_size=4, limit=limit)
    assert [len(page) for page in drain(iterator)] == sizes
    assert iterator.next() == []


@pytest.mark.parametrize("offset", [0, 1, 7, 10, 11])
def test_offset_skips_the_first_rows(offset):
    iterator, calls = open_query(numbered(10), batch_size=3, options={"offset": offset})
    assert [key for page in drain(iterator) for key in page] == list(range(offset, 10))
    assert params_of(calls.messages("Query")[-1])["offset"] == "0"


def test_offset_beyond_one_request_is_walked_in_several():
    iterator, calls = open_query(numbered(16390), batch_size=5, options={"offset": 16385})
    assert drain(iterator) == [list(range(16385, 16390))]
    seeks = [params_of(message) for message in calls.messages("Query")[1:3]]
    assert [(seek["limit"], seek["iterator"]) for seek in seeks] == [
        ("16384", "False"),
        ("1", "False"),
    ]


def test_requests_carry_the_first_timestamp_and_the_collection_id():
    collection = numbered(5)
    iterator, calls = open_query(collection, batch_size=2, options={"consistency_level": 0})
    collection.session_ts = 1  # the server's clock goes on
    drain(iterator)
    first, *pages = calls.messages("Query")
    assert (first.guarantee_timestamp, params_of(first)["limit"]) == (0, "1")
    for page in pages:
        assert page.guarantee_timestamp == 449_000_000_000_000_000
        assert params_of(page)["collection_id"] == "4711"
        assert params_of(page)["iterator"] == "True"
        assert params_of(page)["reduce_stop_for_best"] == "True"


def test_without_a_server_timestamp_the_clock_is_used():
    collection = numbered(1)
    collection.session_ts = 0
    iterator, calls = open_query(collection)
    iterator.next()
    # 2020-01-01 in hybrid form: milliseconds, shifted by 18 bits.
    assert calls.messages("Query")[1].guarantee_timestamp > 1_577_836_800_000 << 18


def test_surplus_rows_are_returned_before_more_are_asked_for():
    collection = numbered(20)
    collection.longer = 3
    iterator, calls = open_query(collection, batch_size=3, options={"reduce_stop_for_best": False})
    assert [key for page in drain(iterator) for key in page] == list(range(20))
    # 20 rows, 9 a request; then one that finds nothing.
    assert calls.methods().count("Query") == 1 + 3 + 1
    assert params_of(calls.messages("Query")[1])["reduce_stop_for_best"] == "False"


@pytest.mark.parametrize(
    ("expr", "next_expr"),
    [
        ("", "id > 1"),
        ("tag < 9", "id > 1 and (tag < 9)"),
        ("tag < 9 or tag == 10", "id > 1 and (tag < 9 or tag == 10)"),
    ],
)
def test_the_cursor_stands_left_of_the_filter(expr, next_expr):
    iterator, calls = open_query(numbered(4), batch_size=2, filter=expr)
    drain(iterator)
    assert calls.messages("Query")[2].expr == next_expr


def test_element_filter_pages_carry_the_last_element():
    collection = numbered(6)
    iterator, calls = open_query(collection, batch_size=2, filter="1 or element_filter")
    pager = iterator._pager
    iterator.next()
    pager._cursor = Cursor(pk=1, element_offset=4)
    iterator.next()
    message = calls.messages("Query")[-1]
    assert message.expr == "id >= 1 and (1 or element_filter)"
    assert params_of(message)["query_iter_last_pk"] == "1"
    assert params_of(message)["query_iter_last_element_offset"] == "4"


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (-5, "-5"),
        (-(2**63), "(-9223372036854775807 - 1)"),
        ("plain", '"plain"'),
        ("O'Brien", '"O\'Brien"'),
        ('a" or id != "', "'a\" or id != \"'"),
        ('it\'s "both"', '"it\'s \\"both\\""'),
        ("back\\", '"back\\\\"'),
        ("two\nlines\r", '"two\\nlines\\r"'),
    ],
)
def test_literal(key, text):
    assert literal(key) == text


def test_a_failed_page_can_be_asked_for_again():
    iterator, calls = open_query(numbered(10), batch_size=3)
    seen = []
    broken = [True, True, False]

    def before(method, message):
        broken.append(not broken[-1])
        if broken[-1]:
            raise ConnectionError

    calls.before = before
    while len(seen) < 10:
        try:
            seen += [row["id"] for row in iterator.next()]
        except ConnectionError:
            continue
    assert seen == list(range(10))


def test_get_cursor_tells_the_last_key():
    iterator, _calls = open_query(numbered(4), batch_size=3)
    cursor = iterator.get_cursor()
    assert (cursor.int_pk, cursor.str_pk) == (None, None)
    iterator.next()
    message = iterator.get_cursor().to_proto()
    assert (message.session_ts, message.int_pk) == (449_000_000_000_000_000, 2)
    iterator, _calls = open_query(keyed(["a", "b"]), batch_size=1)
    assert iterator.get_cursor().str_pk is None
    iterator.next()
    message = iterator.get_cursor().to_proto()
    assert (message.WhichOneof("cursor_pk"), message.str_pk) == ("str_pk", "a")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"batch_size": -1}, ParamError, "batch size cannot be less than zero"),
        ({"batch_size": 16385}, ParamError, "batch size cannot be larger than 16384"),
        ({"filter": 7}, DataTypeNotMatchException, "int"),
    ],
)
def test_wrong_arguments_send_nothing(arguments, error, message):
    calls = None
    with pytest.raises(error, match=message):
        _iterator, calls = open_query(numbered(3), **arguments)
    assert calls is None


def test_closed_iterators_return_nothing_and_send_nothing():
    iterator, calls = open_query(numbered(3), batch_size=1)
    iterator.next()
    iterator.close()
    sent = len(calls.log)
    assert iterator.next() == []
    iterator.close()
    assert len(calls.log) == sent


class TestCheckpoint:
    """The file named by iterator_cp_file."""

    @pytest.fixture
    def path(self, tmp_path):
        return tmp_path / "place"

    def open(self, collection, path, **arguments):
        options = {"iterator_cp_file": str(path), **arguments.pop("options", {})}
        return open_query(collection, options=options, **arguments)

    def test_file_holds_timestamp_and_cursors_and_goes_at_close(self, path):
        iterator, _calls = self.open(numbered(5), path, batch_size=2)
        assert path.read_text() == "449000000000000000\n"
        iterator.next()
        iterator.next()
        assert path.read_text() == "449000000000000000\n1\n3\n"
        iterator.close()
        assert not path.exists()
        iterator.close()

    def test_iteration_resumes_at_the_same_timestamp(self, path):
        collection = numbered(10)
        first, _calls = self.open(collection, path, batch_size=3)
        assert [row["id"] for row in first.next()] == [0, 1, 2]
        first._pager.release()
        collection.session_ts += 1
        second, calls = self.open(collection, path, batch_size=3)
        assert "Query" not in calls.methods()
        assert [key for page in drain(second) for key in page] == list(range(3, 10))
        assert {m.guarantee_timestamp for m in calls.messages("Query")} == {449_000_000_000_000_000}

    def test_resuming_does_not_skip_the_offset_again(self, path):
        collection = numbered(10)
        first, _calls = self.open(collection, path, batch_size=3, options={"offset": 2})
        first.next()
        first._pager.release()
        second, _calls = self.open(collection, path, batch_size=3, options={"offset": 2})
        assert [key for page in drain(second) for key in page] == list(range(5, 10))

    @given(st.sets(texts, min_size=1, max_size=12), st.integers(1, 3))
    @settings(max_examples=60, deadline=None)
    def test_any_string_key_survives_the_file(self, tmp_path_factory, keys, batch_size):
        keys = {key.replace("\x00", "0") for key in keys}
        path = tmp_path_factory.mktemp("cp") / "place"
        seen = []
        while True:  # a new process for every page
            iterator, _calls = self.open(keyed(keys), path, batch_size=batch_size)
            page = iterator.next()
            iterator._pager.release()
            if not page:
                break
            seen += [row["id"] for row in page]
        assert seen == sorted(keys)

    @given(st.one_of(texts, st.integers(-(2**63), INT64_MAX)))
    def test_cursor_lines_are_what_pymilvus_reads(self, pk):
        """Its rule: JSON with a "pk" is that key, any other text is the key itself, stripped."""
        line = Cursor(pk).line() + "\n"
        if "\n" in line[:-1] or "\r" in line:
            raise AssertionError("more than one line")
        text = line.strip()
        try:
            record = json.loads(text)
        except json.JSONDecodeError:
            record = None
        theirs = record["pk"] if isinstance(record, dict) and "pk" in record else text
        assert str(theirs) == str(pk)
        assert Cursor.from_line(line, isinstance(pk, str)) == Cursor(pk)

    def test_a_key_of_brackets_survives_the_file(self):
        cursor = Cursor(pk="[" * 65535)
        assert Cursor.from_line(cursor.line(), True) == cursor

    def test_element_cursors_survive_the_file(self):
        cursor = Cursor(pk="a\nb", element_offset=3)
        assert cursor.line() == '{"pk":"a\\nb","last_element_offset":3}'
        assert Cursor.from_line(cursor.line(), True) == cursor

    def test_the_file_is_written_anew_after_a_hundred_cursors(self, path):
        iterator, _calls = self.open(numbered(103), path, batch_size=1)
        for _ in range(100):
            iterator.next()
        assert len(path.read_text().splitlines()) == 101
        iterator.next()
        assert path.read_text().splitlines() == ["449000000000000000", "100"]
        iterator.next()
        assert path.read_text().splitlines() == ["449000000000000000", "100", "101"]

    def test_a_removed_file_is_made_again(self, path):
        iterator, _calls = self.open(numbered(3), path, batch_size=1)
        iterator.next()
        path.unlink()
        iterator.next()
        assert path.read_text().splitlines() == ["449000000000000000", "1"]

    def test_a_last_line_without_newline_is_not_appended_to(self, path):
        path.write_text("449000000000000000\n4")
        iterator, _calls = self.open(numbered(7), path, batch_size=1)
        assert iterator.next()[0]["id"] == 5
        assert path.read_text() == "449000000000000000\n4\n5\n"

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("", "should contain at least two lines, but only:0 lines"),
            ("449000000000000000\n", "should contain at least two lines, but only:1 lines"),
            ("soon\n4\n", "cannot parse input cp session_ts:soon"),
            ("449000000000000000\n4 or id > 0\n", "cannot parse input cp cursor:4 or id > 0"),
            ('449000000000000000\n{"pk": Infinity}\n', 'cursor:{"pk": Infinity}'),
            ('449000000000000000\n{"pk": null}\n', 'cursor:{"pk": null}'),
            ("449000000000000000\n" + "[" * 65535, "cursor:[["),
        ],
    )
    def test_unusable_files_are_refused(self, path, content, message):
        path.write_text(content)
        with pytest.raises(ParamError) as caught:
            self.open(numbered(3), path)
        assert message in caught.value.message
        assert path.read_text() == content

    def test_a_file_that_cannot_be_made_is_an_error(self, path):
        with pytest.raises(MilvusException) as caught:
            self.open(numbered(3), path / "missing" / "place")
        assert "Failed to open cp file for iterator:" in caught.value.message

    def test_a_place_that_cannot_be_saved_loses_no_row(self, path, monkeypatch):
        iterator, _calls = self.open(numbered(4), path, batch_size=2)
        checkpoint = iterator._pager._checkpoint

        def full(_cursor):
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(checkpoint, "_save", full)
            with pytest.raises(MilvusException, match="failed to save pk cursor"):
                iterator.next()
        assert [row["id"] for row in iterator.next()] == [0, 1]

    def test_leaving_a_with_block_by_an_exception_keeps_the_file(self, path):
        iterator, _calls = self.open(numbered(4), path, batch_size=2)
        with contextlib.suppress(KeyError), iterator:
            iterator.next()
            raise KeyError
        assert path.read_text().endswith("\n1\n")
        iterator, _calls = self.open(numbered(4), path, batch_size=2)
        with iterator:
            assert drain(iterator) == [[2, 3]]
        assert not path.exists()
