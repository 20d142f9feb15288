/* reply.c and inflate.c: replies good and bad, fed in every split, with every allocation failing. */
#include <stdlib.h>
#include <zlib.h>

#include "../core/mem.h"
#include "../rpc/inflate.h"
#include "../rpc/metadata.h"
#include "check.h"
#include "messages.h"
#include "text.h"

static const mvn_reply_limits limits = {
    .max_message = 1000, .max_header_list = 500, .memory = {allocate, release, NULL}};

static bool header(mvn_reply *reply, const char *name, const char *value, mvn_outcome *outcome)
{
    return mvn_reply_header(reply, &limits, text(name), text(value), outcome);
}

static bool start(mvn_reply *reply, const char *encoding, mvn_outcome *outcome)
{
    mvn_reply_init(reply);
    mvn_reply_begin_headers(reply);
    return header(reply, ":status", "200", outcome) &&
           header(reply, "content-type", "application/grpc+proto", outcome) &&
           (encoding == NULL || header(reply, "grpc-encoding", encoding, outcome)) &&
           mvn_reply_end_headers(reply, outcome);
}

static bool finish(mvn_reply *reply, const char *status, mvn_outcome *outcome)
{
    mvn_reply_begin_headers(reply);
    return (status == NULL || header(reply, "grpc-status", status, outcome)) &&
           mvn_reply_end_headers(reply, outcome) && mvn_reply_end(reply, outcome);
}

static bool feed(mvn_reply *reply, const void *data, size_t size, mvn_outcome *outcome)
{
    return mvn_reply_data(reply, &limits, data, size, outcome);
}

static void a_message_in_every_split(void)
{
    static const char bytes[] = "\0\0\0\0\x05hello";
    const size_t size = sizeof(bytes) - 1;
    for (size_t a = 0; a <= size; a++) {
        for (size_t b = a; b <= size; b++) {
            mvn_reply reply;
            mvn_outcome outcome;
            REQUIRE(start(&reply, NULL, &outcome));
            CHECK(feed(&reply, bytes, a, &outcome) && feed(&reply, bytes + a, b - a, &outcome) &&
                  feed(&reply, bytes + b, size - b, &outcome));
            CHECK(finish(&reply, "0", &outcome));
            CHECK_EQUAL(reply.message_size, 5);
            void *message = mvn_reply_take_message(&reply);
            CHECK_BYTES(message, 5, "hello");
            release(NULL, message);
            mvn_reply_reset(&reply, &limits);
        }
    }
    CHECK_EQUAL(held, 0);
}

static void an_empty_message_is_a_message(void)
{
    mvn_reply reply;
    mvn_outcome outcome;
    REQUIRE(start(&reply, NULL, &outcome));
    CHECK(feed(&reply, "\0\0\0\0\0", 5, &outcome));
    CHECK(finish(&reply, "0", &outcome));
    CHECK_EQUAL(reply.message_size, 0);
    CHECK(reply.handle != NULL);
    mvn_reply_reset(&reply, &limits);
    CHECK_EQUAL(held, 0);
}

/* What the server sends between headers and status, and how the call ends. */
static void bad_messages(void)
{
    static const struct {
        const char *encoding;
        const char *bytes;
        size_t size;
        const char *status;
        int code;
        const char *says;
    } cases[] = {
        {NULL, "", 0, "0", MVN_GRPC_UNIMPLEMENTED, "no message"},
        {NULL, "\0\0", 2, "0", MVN_GRPC_INTERNAL, "cut short"},
        {NULL, "\0\0\0\0\3ab", 7, "0", MVN_GRPC_INTERNAL, "2 of 3"},
        {NULL, "\0\0\0\0\1a\0\0\0\0\1b", 12, "0", MVN_GRPC_UNIMPLEMENTED, "more than one"},
        {NULL, "\2\0\0\0\1a", 6, "0", MVN_GRPC_INTERNAL, "flags 0x02"},
        {NULL, "\1\0\0\0\1a", 6, "0", MVN_GRPC_INTERNAL, "no grpc-encoding"},
        {"identity", "\1\0\0\0\1a", 6, "0", MVN_GRPC_INTERNAL, "no grpc-encoding"},
        {"snappy", "\1\0\0\0\1a", 6, "0", MVN_GRPC_INTERNAL, "not offered"},
        {"gzip", "\1\0\0\0\1a", 6, "0", MVN_GRPC_INTERNAL, "decompressed"},
        {"gzip", "\1\0\0\0\0", 5, "0", MVN_GRPC_INTERNAL, "decompressed"},
        {NULL, "\0\0\0\3\xe9", 5, "0", MVN_GRPC_RESOURCE_EXHAUSTED, "1001 bytes"},
        {NULL, "\0\xff\xff\xff\xff", 5, "0", MVN_GRPC_RESOURCE_EXHAUSTED, "4294967295"},
        {NULL, "\0\0\0\0\0", 5, NULL, MVN_GRPC_UNKNOWN, "without a grpc-status"},
        {NULL, "\0\0\0\0\0", 5, "7", MVN_GRPC_PERMISSION_DENIED, ""},
        {NULL, "\0\0\0\0\0", 5, "x", MVN_GRPC_UNKNOWN, ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        mvn_reply reply;
        mvn_outcome outcome = {MVN_GRPC_OK, "untouched"};
        REQUIRE(start(&reply, cases[i].encoding, &outcome));
        CHECK(!(feed(&reply, cases[i].bytes, cases[i].size, &outcome) &&
                finish(&reply, cases[i].status, &outcome)));
        CHECK_EQUAL(outcome.code, cases[i].code);
        CHECK(strstr(outcome.text, cases[i].says) != NULL);
        mvn_reply_reset(&reply, &limits);
    }
    CHECK_EQUAL(held, 0);
}

static void answers_that_are_not_grpc(void)
{
    static const struct {
        const char *http;
        const char *content_type;
        int code;
        const char *says;
    } cases[] = {
        {"503", "text/html", MVN_GRPC_UNAVAILABLE, "HTTP status 503 (content-type: text/html)"},
        {"404", NULL, MVN_GRPC_UNIMPLEMENTED, "content-type: none"},
        {"401", "application/json", MVN_GRPC_UNAUTHENTICATED, "401"},
        {"200", "text/html\x1b[31m", MVN_GRPC_UNKNOWN, "content-type text/html?[31m"},
        {"200", NULL, MVN_GRPC_UNKNOWN, "content-type missing"},
        {"200", "application/grpc-web", MVN_GRPC_UNKNOWN, "application/grpc-web"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        mvn_reply reply;
        mvn_outcome outcome;
        mvn_reply_init(&reply);
        mvn_reply_begin_headers(&reply);
        CHECK(header(&reply, ":status", cases[i].http, &outcome));
        if (cases[i].content_type != NULL) {
            CHECK(header(&reply, "content-type", cases[i].content_type, &outcome));
        }
        CHECK(!mvn_reply_end_headers(&reply, &outcome));
        CHECK_EQUAL(outcome.code, cases[i].code);
        CHECK(strstr(outcome.text, cases[i].says) != NULL);
        mvn_reply_reset(&reply, &limits);
    }
}

static void trailers_only_and_informational_blocks(void)
{
    mvn_reply reply;
    mvn_outcome outcome;
    mvn_metadata pair;
    size_t cursor = 0;
    mvn_reply_init(&reply);
    mvn_reply_begin_headers(&reply);
    CHECK(header(&reply, ":status", "103", &outcome));
    CHECK(header(&reply, "link", "</x>", &outcome));
    CHECK(mvn_reply_end_headers(&reply, &outcome));
    mvn_reply_begin_headers(&reply);
    CHECK(header(&reply, ":status", "200", &outcome));
    CHECK(header(&reply, "content-type", "application/grpc", &outcome));
    CHECK(header(&reply, "grpc-status", "5", &outcome));
    CHECK(header(&reply, "grpc-message", "no%20such%20thing", &outcome));
    CHECK(header(&reply, "grpc-status-details-bin", "Zm9v", &outcome));
    CHECK(header(&reply, "grpc-accept-encoding", "gzip", &outcome));
    CHECK(mvn_reply_end_headers(&reply, &outcome));
    CHECK(!mvn_reply_end(&reply, &outcome));
    CHECK_EQUAL(outcome.code, MVN_GRPC_NOT_FOUND);
    CHECK_EQUAL(outcome.text[0], '\0');
    CHECK_BYTES(reply.status_text.data, reply.status_text.size, "no such thing");
    REQUIRE(mvn_metadata_next(&reply.metadata, &cursor, &pair));
    CHECK(mvn_span_is(pair.name, "grpc-status-details-bin") && mvn_span_is(pair.value, "foo"));
    CHECK(!mvn_metadata_next(&reply.metadata, &cursor, &pair));
    mvn_reply_reset(&reply, &limits);
}

static void header_blocks_are_bounded(void)
{
    mvn_reply reply;
    mvn_outcome outcome;
    REQUIRE(start(&reply, NULL, &outcome));
    mvn_reply_begin_headers(&reply);
    int taken = 0;
    while (header(&reply, "abcdefgh", "ijklmnop", &outcome)) {
        taken++;
    }
    CHECK_EQUAL(taken, 500 / (8 + 8 + 32));
    CHECK_EQUAL(outcome.code, MVN_GRPC_RESOURCE_EXHAUSTED);
    mvn_reply_reset(&reply, &limits);
}

/* gzip (31) or zlib (15) form of `size` bytes, each (i * 7) % 251. */
static size_t pack(int window_bits, size_t size, uint8_t *out, size_t room)
{
    z_stream stream = {0};
    uint8_t *plain = malloc(size + 1);
    for (size_t i = 0; i < size; i++) {
        plain[i] = (uint8_t)(i * 7 % 251);
    }
    if (deflateInit2(&stream, 9, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        abort();
    }
    stream.next_in = plain;
    stream.avail_in = (uInt)size;
    stream.next_out = out;
    stream.avail_out = (uInt)room;
    if (deflate(&stream, Z_FINISH) != Z_STREAM_END) {
        abort();
    }
    deflateEnd(&stream);
    free(plain);
    return room - stream.avail_out;
}

static void compressed_replies(void)
{
    static const size_t sizes[] = {0, 1, 999, 1000, 1001, 5000};
    uint8_t bytes[2048];
    for (int windows = 15; windows <= 31; windows += 16) {
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            mvn_reply reply;
            mvn_outcome outcome;
            size_t size = pack(windows, sizes[i], bytes + 5, sizeof(bytes) - 5);
            memcpy(bytes, (uint8_t[5]){1, 0, 0, (uint8_t)(size >> 8), (uint8_t)size}, 5);
            REQUIRE(size <= 1000);
            REQUIRE(start(&reply, windows == 31 ? "gzip" : "deflate", &outcome));
            bool ok = feed(&reply, bytes, size + 5, &outcome);
            CHECK_EQUAL(ok, sizes[i] <= 1000);
            if (ok) {
                CHECK(finish(&reply, "0", &outcome));
                CHECK_EQUAL(reply.message_size, sizes[i]);
                CHECK(sizes[i] < 2 || reply.data[1] == 7);
            } else {
                CHECK_EQUAL(outcome.code, MVN_GRPC_RESOURCE_EXHAUSTED);
            }
            mvn_reply_reset(&reply, &limits);
        }
    }
    CHECK_EQUAL(held, 0);
}

static void damaged_streams_do_not_inflate(void)
{
    uint8_t bytes[4096];
    size_t size = pack(31, 700, bytes, sizeof(bytes));
    mvn_buffer out;
    mvn_buffer_init(&out);
    for (size_t cut = 0; cut < size; cut++) {
        out.size = 0;
        CHECK_EQUAL(mvn_inflate((mvn_span){bytes, cut}, 1000, &out), MVN_EFORMAT);
    }
    out.size = 0;
    CHECK_EQUAL(mvn_inflate((mvn_span){bytes, size}, 1000, &out), MVN_OK);
    CHECK_EQUAL(out.size, 700);
    /* Two members are one message; other bytes behind the first are not. */
    memcpy(bytes + size, bytes, size);
    out.size = 0;
    CHECK_EQUAL(mvn_inflate((mvn_span){bytes, 2 * size}, 1400, &out), MVN_OK);
    CHECK_EQUAL(out.size, 1400);
    out.size = 0;
    CHECK_EQUAL(mvn_inflate((mvn_span){bytes, 2 * size}, 1399, &out), MVN_ETOOBIG);
    bytes[size] = 'x';
    out.size = 0;
    CHECK_EQUAL(mvn_inflate((mvn_span){bytes, size + 1}, 1000, &out), MVN_EFORMAT);
    mvn_buffer_reset(&out);
}

static void every_allocation_may_fail(void)
{
    uint8_t bytes[2048];
    size_t size = pack(31, 900, bytes + 5, sizeof(bytes) - 5);
    memcpy(bytes, (uint8_t[5]){1, 0, 0, (uint8_t)(size >> 8), (uint8_t)size}, 5);
    for (unsigned long n = 1;; n++) {
        mvn_reply reply;
        mvn_outcome outcome;
        mvn_mem_fail_on(n);
        bool ok = start(&reply, "gzip", &outcome) && feed(&reply, bytes, size + 5, &outcome) &&
                  header(&reply, "grpc-message", "text", &outcome) &&
                  header(&reply, "other", "text", &outcome) && finish(&reply, "0", &outcome);
        unsigned long count = mvn_mem_count();
        mvn_mem_fail_on(0);
        CHECK(ok || outcome.code == MVN_GRPC_RESOURCE_EXHAUSTED);
        CHECK_EQUAL(ok, n > count);
        mvn_reply_reset(&reply, &limits);
        CHECK_EQUAL(held, 0);
        if (n > count) {
            break;
        }
    }
}

int main(void)
{
    RUN(a_message_in_every_split);
    RUN(an_empty_message_is_a_message);
    RUN(bad_messages);
    RUN(answers_that_are_not_grpc);
    RUN(trailers_only_and_informational_blocks);
    RUN(header_blocks_are_bounded);
    RUN(compressed_replies);
    RUN(damaged_streams_do_not_inflate);
    RUN(every_allocation_may_fail);
    return check_end();
}
