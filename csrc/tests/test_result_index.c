/* Replies, indexed: pieces that merge, packed and unpacked numbers, oneofs, and hostile bytes. */
#include <stdlib.h>

#include "../core/buffer.h"
#include "../core/mem.h"
#include "../core/result_index.h"
#include "check.h"

/* Messages are written with these; memory is never short in the tests that use them. */
static void put_varint(mvn_buffer *out, uint32_t field, uint64_t value)
{
    if (mvn_buffer_append_varint_field(out, field, value) != MVN_OK) {
        abort();
    }
}

static void put_bytes(mvn_buffer *out, uint32_t field, const void *data, size_t size)
{
    if (mvn_buffer_append_bytes_field(out, field, data, size) != MVN_OK) {
        abort();
    }
}

static void put_text(mvn_buffer *out, uint32_t field, const char *text)
{
    put_bytes(out, field, text, strlen(text));
}

static size_t begin(mvn_buffer *out, uint32_t field)
{
    size_t mark;
    if (mvn_buffer_begin(out, field, &mark) != MVN_OK) {
        abort();
    }
    return mark;
}

static void end(mvn_buffer *out, size_t mark)
{
    if (mvn_buffer_end(out, mark) != MVN_OK) {
        abort();
    }
}

static mvn_span span_of(const mvn_buffer *buffer)
{
    mvn_span span = {buffer->data, buffer->size};
    return span;
}

static int is_text(mvn_span span, const char *text)
{
    return span.size == strlen(text) && (span.size == 0 || memcmp(span.data, text, span.size) == 0);
}

/* FieldData{type: Int64, field_name: name, scalars{long_data{data: packed}}}. */
static void put_long_column(mvn_buffer *out, uint32_t field, const char *name, const char *packed,
                            size_t size)
{
    size_t column = begin(out, field);
    put_varint(out, 1, 5);
    put_text(out, 2, name);
    size_t scalars = begin(out, 3);
    size_t array = begin(out, 3);
    put_bytes(out, 1, packed, size);
    end(out, array);
    end(out, scalars);
    end(out, column);
}

static void put_search_reply(mvn_buffer *out)
{
    size_t status = begin(out, 1);
    size_t entry = begin(out, 6);
    put_text(out, 1, "report_value");
    put_text(out, 2, "12");
    end(out, entry);
    end(out, status);
    size_t results = begin(out, 2);
    put_varint(out, 1, 2);
    put_long_column(out, 3, "age", "\x01\xac\x02\x03", 4);
    put_bytes(out, 4, "\0\0\x80\x3f\0\0\0\x40\0\0\0\0", 12);
    size_t ids = begin(out, 5);
    size_t array = begin(out, 1);
    put_bytes(out, 1, "\x01\x02\xac\x02", 4);
    end(out, array);
    end(out, ids);
    put_bytes(out, 6, "\x02\x01", 2);
    put_text(out, 7, "age");
    put_text(out, 7, "other");
    size_t iterator = begin(out, 11);
    put_text(out, 1, "token");
    end(out, iterator);
    put_text(out, 13, "pk");
    end(out, results);
    put_varint(out, 4, 77);
}

static void search_reply(void)
{
    mvn_buffer buffer;
    mvn_arena arena;
    mvn_search_reply reply;
    mvn_buffer_init(&buffer);
    mvn_arena_init(&arena);
    put_search_reply(&buffer);
    REQUIRE(mvn_index_search(&arena, span_of(&buffer), &reply, NULL) == MVN_OK);
    CHECK(!mvn_reply_failed(&reply.status));
    CHECK_EQUAL(reply.status.extra_info.count, 1);
    CHECK_EQUAL(reply.session_ts, 77);
    CHECK_EQUAL(reply.num_queries, 2);
    REQUIRE(reply.n_columns == 1);
    CHECK(is_text(reply.columns[0].name, "age"));
    CHECK_EQUAL(reply.columns[0].type, 5);
    CHECK_EQUAL(reply.columns[0].kind, MVN_COLUMN_SCALARS);
    CHECK_EQUAL(reply.columns[0].scalars.kind, MVN_SCALARS_LONG);
    CHECK_EQUAL(reply.columns[0].scalars.count, 3);
    CHECK_EQUAL(reply.scores.count, 3);
    CHECK_EQUAL(reply.ids.kind, MVN_IDS_INT);
    CHECK_EQUAL(reply.ids.count, 3);
    CHECK_EQUAL(reply.topks.count, 2);
    REQUIRE(reply.output_fields.count == 2);
    CHECK(is_text(reply.output_fields.items[1], "other"));
    CHECK(reply.has_iterator);
    CHECK(is_text(reply.iterator_token, "token"));
    CHECK(is_text(reply.primary_field_name, "pk"));
    CHECK(arena.blocks == NULL); /* a small reply takes no heap */
    mvn_arena_reset(&arena);
    mvn_buffer_reset(&buffer);
}

static void empty_reply(void)
{
    mvn_arena arena;
    mvn_search_reply search;
    mvn_query_reply query;
    mvn_mutation_reply mutation;
    mvn_span nothing = {NULL, 0};
    mvn_arena_init(&arena);
    CHECK_EQUAL(mvn_index_search(&arena, nothing, &search, NULL), MVN_OK);
    CHECK_EQUAL(search.n_columns + search.topks.count + search.ids.count, 0);
    CHECK_EQUAL(mvn_index_query(&arena, nothing, &query, NULL), MVN_OK);
    CHECK_EQUAL(query.n_columns, 0);
    CHECK_EQUAL(mvn_index_mutation(&arena, nothing, &mutation, NULL), MVN_OK);
    CHECK_EQUAL(mutation.ids.kind, MVN_IDS_NONE);
    mvn_arena_reset(&arena);
}

/* An error status: the rest of the reply is not even looked at. */
static void failed_reply(void)
{
    mvn_buffer buffer;
    mvn_arena arena;
    mvn_query_reply reply;
    mvn_buffer_init(&buffer);
    mvn_arena_init(&arena);
    put_bytes(&buffer, 2, "\xff", 1);
    size_t status = begin(&buffer, 1);
    put_varint(&buffer, 1, 26);
    put_varint(&buffer, 3, (uint64_t)-7);
    put_varint(&buffer, 4, 1);
    put_text(&buffer, 2, "no");
    end(&buffer, status);
    REQUIRE(mvn_index_query(&arena, span_of(&buffer), &reply, NULL) == MVN_OK);
    CHECK(mvn_reply_failed(&reply.status));
    CHECK_EQUAL(reply.status.error_code, 26);
    CHECK_EQUAL(reply.status.code, -7);
    CHECK(reply.status.retriable);
    CHECK(is_text(reply.status.reason, "no"));
    mvn_arena_reset(&arena);
    mvn_buffer_reset(&buffer);
}

/* Sub-messages and packed numbers in pieces, with unpacked ones in between. */
static void pieces_merge(void)
{
    mvn_buffer buffer;
    mvn_arena arena;
    mvn_search_reply reply;
    mvn_buffer_init(&buffer);
    mvn_arena_init(&arena);
    for (int piece = 0; piece < 3; piece++) {
        size_t results = begin(&buffer, 2);
        put_bytes(&buffer, 6, "\x01", 1);
        put_varint(&buffer, 6, 300);
        size_t ids = begin(&buffer, 5);
        size_t array = begin(&buffer, 2);
        put_text(&buffer, 1, "key");
        end(&buffer, array);
        end(&buffer, ids);
        put_text(&buffer, 13, piece == 2 ? "last" : "first");
        end(&buffer, results);
    }
    REQUIRE(mvn_index_search(&arena, span_of(&buffer), &reply, NULL) == MVN_OK);
    CHECK_EQUAL(reply.ids.kind, MVN_IDS_STRING);
    CHECK_EQUAL(reply.ids.count, 3);
    CHECK(is_text(reply.primary_field_name, "last"));
    CHECK_EQUAL(reply.topks.count, 6);
    CHECK_BYTES(reply.topks.span.data, reply.topks.span.size,
                "\x01\xac\x02\x01\xac\x02\x01\xac\x02");
    mvn_arena_reset(&arena);
    mvn_buffer_reset(&buffer);
}

/* The last member of a oneof counts; what came before it is gone, even of the same member. */
static void last_member_wins(void)
{
    mvn_buffer buffer;
    mvn_arena arena;
    mvn_scalars scalars;
    mvn_vectors vectors;
    mvn_buffer_init(&buffer);
    mvn_arena_init(&arena);
    put_bytes(&buffer, 3, "\x0a\x02\x01\x02", 4); /* long_data */
    put_bytes(&buffer, 1, "\x0a\x01\x01", 3);     /* bool_data */
    put_bytes(&buffer, 3, "\x0a\x01\x07", 3);
    REQUIRE(mvn_index_scalars(&arena, span_of(&buffer), &scalars) == MVN_OK);
    CHECK_EQUAL(scalars.kind, MVN_SCALARS_LONG);
    CHECK_EQUAL(scalars.count, 1);
    CHECK_BYTES(scalars.numbers.data, scalars.numbers.size, "\x07");
    mvn_buffer_reset(&buffer);
    put_varint(&buffer, 1, 8);
    put_bytes(&buffer, 3, "ab", 2); /* bytes do not merge */
    put_bytes(&buffer, 3, "c", 1);
    REQUIRE(mvn_index_vectors(&arena, span_of(&buffer), &vectors) == MVN_OK);
    CHECK_EQUAL(vectors.kind, MVN_VECTORS_BINARY);
    CHECK_EQUAL(vectors.dim, 8);
    CHECK(is_text(vectors.data, "c"));
    mvn_arena_reset(&arena);
    mvn_buffer_reset(&buffer);
}

/* ScalarField.valid_data and VectorField.valid_data are preferred to FieldData's. */
static void validity_from_both_places(void)
{
    mvn_buffer buffer;
    mvn_arena arena;
    mvn_column column;
    mvn_buffer_init(&buffer);
    mvn_arena_init(&arena);
    put_bytes(&buffer, 7, "\x01\x01\x01", 3);
    size_t scalars = begin(&buffer, 3);
    put_bytes(&buffer, 3, "", 0);
    end(&buffer, scalars);
    REQUIRE(mvn_index_column(&arena, span_of(&buffer), &column) == MVN_OK);
    CHECK_EQUAL(column.valid.count, 3);
    scalars = begin(&buffer, 3);
    put_bytes(&buffer, 17, "\x01\x00", 2);
    put_varint(&buffer, 17, 1u << 20); /* a long way to say true */
    end(&buffer, scalars);
    REQUIRE(mvn_index_column(&arena, span_of(&buffer), &column) == MVN_OK);
    CHECK_BYTES(column.valid.data, column.valid.count, "\x01\x00\x01");
    size_t vectors = begin(&buffer, 4);
    put_bytes(&buffer, 9, "\x00", 1);
    end(&buffer, vectors);
    REQUIRE(mvn_index_column(&arena, span_of(&buffer), &column) == MVN_OK);
    CHECK_EQUAL(column.kind, MVN_COLUMN_VECTORS);
    CHECK_BYTES(column.valid.data, column.valid.count, "\x00");
    mvn_arena_reset(&arena);
    mvn_buffer_reset(&buffer);
}

static void rows_of(mvn_arena *arena, const mvn_buffer *buffer, mvn_rows_status want,
                    size_t want_rows)
{
    mvn_column column;
    size_t rows, total;
    REQUIRE(mvn_index_column(arena, span_of(buffer), &column) == MVN_OK);
    CHECK_EQUAL(mvn_column_rows(&column, &rows, &total), want);
    CHECK_EQUAL(rows, want_rows);
}

/* Rows by payload; the dimension may be anything. */
static void counts_rows(void)
{
    static const int64_t bad_dims[] = {0, -1, INT64_MIN};
    mvn_buffer buffer;
    mvn_arena arena;
    mvn_buffer_init(&buffer);
    mvn_arena_init(&arena);
    rows_of(&arena, &buffer, MVN_ROWS_UNKNOWN_FIELD, 0);
    size_t vectors = begin(&buffer, 4);
    put_bytes(&buffer, 7, "123456", 6);
    end(&buffer, vectors);
    for (size_t i = 0; i < 3; i++) {
        mvn_buffer bad;
        mvn_buffer_init(&bad);
        vectors = begin(&bad, 4);
        put_varint(&bad, 1, (uint64_t)bad_dims[i]);
        put_bytes(&bad, 7, "123456", 6);
        end(&bad, vectors);
        rows_of(&arena, &bad, MVN_ROWS_BAD_DIM, 0);
        mvn_buffer_reset(&bad);
    }
    vectors = begin(&buffer, 4);
    put_varint(&buffer, 1, 4);
    end(&buffer, vectors);
    rows_of(&arena, &buffer, MVN_ROWS_OK, 1);
    vectors = begin(&buffer, 4);
    put_bytes(&buffer, 4, "1234567", 7);
    end(&buffer, vectors);
    rows_of(&arena, &buffer, MVN_ROWS_UNEVEN_HALF, 0);
    vectors = begin(&buffer, 4);
    put_varint(&buffer, 1, (uint64_t)INT64_MAX);
    put_bytes(&buffer, 3, "12", 2);
    end(&buffer, vectors);
    rows_of(&arena, &buffer, MVN_ROWS_OK, 0);
    size_t structs = begin(&buffer, 8);
    end(&buffer, structs);
    rows_of(&arena, &buffer, MVN_ROWS_NO_SUB_FIELD, 0);
    structs = begin(&buffer, 8);
    put_long_column(&buffer, 1, "sub", "\x01\x02", 2);
    end(&buffer, structs);
    rows_of(&arena, &buffer, MVN_ROWS_OK, 2);
    mvn_arena_reset(&arena);
    mvn_buffer_reset(&buffer);
}

/* Struct arrays inside struct arrays, deeper than any reader follows. */
static void nesting_is_limited(void)
{
    mvn_buffer inner, outer;
    mvn_arena arena;
    mvn_column column;
    mvn_buffer_init(&inner);
    mvn_arena_init(&arena);
    mvn_status status = MVN_OK;
    for (int depth = 0; depth <= MVN_MAX_DEPTH; depth++) {
        status = mvn_index_column(&arena, span_of(&inner), &column);
        CHECK_EQUAL(status, depth < MVN_MAX_DEPTH ? MVN_OK : MVN_EDEPTH);
        mvn_buffer_init(&outer);
        size_t structs = begin(&outer, 8);
        put_bytes(&outer, 1, inner.data, inner.size);
        end(&outer, structs);
        mvn_buffer_reset(&inner);
        inner = outer;
    }
    mvn_arena_reset(&arena);
    mvn_buffer_reset(&inner);
}

/* Two bytes of message would cost some hundred of memory. */
static void columns_are_limited(void)
{
    mvn_buffer buffer;
    mvn_arena arena;
    mvn_query_reply reply;
    mvn_error error;
    mvn_buffer_init(&buffer);
    mvn_arena_init(&arena);
    for (int i = 0; i <= MVN_MAX_COLUMNS; i++) {
        put_bytes(&buffer, 2, "", 0);
    }
    CHECK_EQUAL(mvn_index_query(&arena, span_of(&buffer), &reply, &error), MVN_ETOOBIG);
    CHECK(strstr(error.message, "fields_data") != NULL);
    mvn_arena_reset(&arena);
    mvn_buffer_reset(&buffer);
}

static void lengths_are_not_trusted(void)
{
    static const char *const bad[] = {
        "\x12\x7f",                     /* a length beyond the end */
        "\x12\xff\xff\xff\xff\x0f",     /* 4 GiB */
        "\x12\x03\x1a\x05\x01",         /* a column longer than its message */
        "\x12\x06\x22\x04\x01\x02\x03", /* cut */
        "\x12\x05\x22\x03\x01\x02\x03", /* scores: not a multiple of 4 */
        "\x12\x03\x32\x01\x80",         /* topks: a varint that does not end */
        "\x08",                         /* a tag alone */
        "\x0b\x0c\x0c",                 /* group ends */
    };
    mvn_arena arena;
    mvn_search_reply reply;
    mvn_arena_init(&arena);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        mvn_span span = {(const uint8_t *)bad[i], strlen(bad[i])};
        mvn_status status = mvn_index_search(&arena, span, &reply, NULL);
        CHECK(status == MVN_ETRUNCATED || status == MVN_EFORMAT);
    }
    mvn_arena_reset(&arena);
}

/* Every cut and every changed byte of a good reply: any status, no stray read (the sanitizers
 * watch: each variant lies in a block of its own size). */
static void survives_damage(void)
{
    static const uint8_t values[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
    mvn_buffer buffer;
    mvn_arena arena;
    mvn_search_reply reply;
    size_t refused = 0;
    mvn_buffer_init(&buffer);
    mvn_arena_init(&arena);
    put_search_reply(&buffer);
    for (size_t size = 0; size < buffer.size; size++) {
        uint8_t *copy = malloc(size == 0 ? 1 : size);
        REQUIRE(copy != NULL);
        memcpy(copy, buffer.data, size);
        mvn_span span = {copy, size};
        refused += mvn_index_search(&arena, span, &reply, NULL) != MVN_OK;
        mvn_arena_reset(&arena);
        free(copy);
    }
    CHECK(refused > buffer.size / 2);
    for (size_t at = 0; at < buffer.size; at++) {
        for (size_t v = 0; v < sizeof(values); v++) {
            uint8_t *copy = malloc(buffer.size);
            REQUIRE(copy != NULL);
            memcpy(copy, buffer.data, buffer.size);
            copy[at] = values[v];
            mvn_span span = {copy, buffer.size};
            mvn_status status = mvn_index_search(&arena, span, &reply, NULL);
            CHECK(status <= MVN_ETOOBIG && status != MVN_ENOMEM);
            mvn_arena_reset(&arena);
            free(copy);
        }
    }
    mvn_buffer_reset(&buffer);
}

#ifdef MVN_FAULT_INJECTION
/* A reply in so many pieces that the arena needs the heap, with each allocation failing in turn. */
static void every_allocation_may_fail(void)
{
    mvn_buffer buffer;
    mvn_arena arena;
    mvn_search_reply reply;
    mvn_buffer_init(&buffer);
    mvn_arena_init(&arena);
    for (int i = 0; i < 200; i++) {
        size_t results = begin(&buffer, 2);
        put_bytes(&buffer, 6, "\x01\x02\x03", 3);
        put_long_column(&buffer, 3, "age", "\x01\x02\x03", 3);
        end(&buffer, results);
    }
    mvn_mem_fail_on(0);
    REQUIRE(mvn_index_search(&arena, span_of(&buffer), &reply, NULL) == MVN_OK);
    CHECK_EQUAL(reply.n_columns, 200);
    CHECK_EQUAL(reply.topks.count, 600);
    unsigned long total = mvn_mem_count();
    mvn_arena_reset(&arena);
    CHECK(total > 2);
    for (unsigned long n = 1; n <= total; n++) {
        mvn_mem_fail_on(n);
        CHECK_EQUAL(mvn_index_search(&arena, span_of(&buffer), &reply, NULL), MVN_ENOMEM);
        mvn_arena_reset(&arena);
    }
    mvn_mem_fail_on(0);
    mvn_buffer_reset(&buffer);
}
#endif

/* Joined one by one, each with a copy of all before it, these would take minutes. */
static void many_pieces_are_cheap(void)
{
    mvn_buffer buffer;
    mvn_arena arena;
    mvn_mutation_reply reply;
    mvn_buffer_init(&buffer);
    mvn_arena_init(&arena);
    for (int i = 0; i < 200000; i++) {
        put_bytes(&buffer, 2, "\x0a\x03\x0a\x01\x05", 5);
    }
    REQUIRE(mvn_index_mutation(&arena, span_of(&buffer), &reply, NULL) == MVN_OK);
    CHECK_EQUAL(reply.ids.count, 200000);
    mvn_arena_reset(&arena);
    mvn_buffer_reset(&buffer);
}

int main(void)
{
    RUN(search_reply);
    RUN(empty_reply);
    RUN(failed_reply);
    RUN(pieces_merge);
    RUN(last_member_wins);
    RUN(validity_from_both_places);
    RUN(counts_rows);
    RUN(nesting_is_limited);
    RUN(columns_are_limited);
    RUN(lengths_are_not_trusted);
    RUN(survives_damage);
#ifdef MVN_FAULT_INJECTION
    RUN(every_allocation_may_fail);
#endif
    RUN(many_pieces_are_cheap);
    return check_end();
}
