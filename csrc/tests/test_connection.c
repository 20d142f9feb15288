/* connection.c and session.c against a server in memory that keeps the rules: every outcome a call
 * can have, in every split of the bytes, with every allocation failing. */
#include "../core/mem.h"
#include "conversation.h"

static void a_call_succeeds_in_every_split(void)
{
    static const size_t steps[] = {1, 2, 3, 7, 9, 10, 64, WHOLE};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        mvn_connection *client = open_connection();
        peer *server = peer_new(NULL, 0);
        uint64_t id = begin(client, "question");
        CHECK_EQUAL(peer_talk(server, client, steps[i]), MVN_OK);
        REQUIRE(server->count == 1);
        peer_stream *stream = &server->streams[0];
        CHECK(stream->ended);
        CHECK(strcmp(stream->path, "/milvus/Search") == 0);
        CHECK(strcmp(stream->metadata, ":method=POST\n:scheme=http\n:path=/milvus/Search\n"
                                       ":authority=localhost:19530\ngrpc-timeout=2000000u\n"
                                       "te=trailers\ncontent-type=application/grpc\n"
                                       "user-agent=test/1\ngrpc-accept-encoding=identity, gzip\n"
                                       "authorization=token\n") == 0);
        CHECK_BYTES(stream->body, stream->size, "\0\0\0\0\x08question");
        CHECK(mvn_connection_finished(client) == NULL);
        peer_answer(server, stream, "\0\0\0\0\6answer", 11, "0", NULL);
        CHECK_EQUAL(peer_talk(server, client, steps[i]), MVN_OK);
        expect_reply(client, id, "answer", 6);
        CHECK(stream->closed && stream->reset == 0);
        close_both(client, server, 1);
    }
}

/* Two-way bulk: larger than the windows, in several parts, in frames the peer's settings allow. */
static void large_messages_go_both_ways(void)
{
    const size_t size = 5 << 20;
    static const uint32_t frames[] = {16384, 1 << 20};
    uint8_t *message = malloc(size + 5), *answer = malloc(size + 5);
    for (size_t i = 0; i < size + 5; i++) {
        message[i] = (uint8_t)(i * 31 % 255);
        answer[i] = (uint8_t)(i * 17 % 253);
    }
    memcpy(answer, (uint8_t[5]){0, 0, 0x50, 0, 0}, 5);
    for (size_t i = 0; i < 2; i++) {
        nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_MAX_FRAME_SIZE, frames[i]},
                                             {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 100000}};
        mvn_connection *client = open_connection();
        peer *server = peer_new(settings, 2);
        mvn_span parts[4] = {{message, 10}, {message, 0}, {message + 10, 100000},
                             {message + 100010, size - 100010}};
        mvn_call_request request = {.path = text("/s/m"),
                                    .message = parts,
                                    .message_count = 4,
                                    .timeout = MVN_TIMEOUT_NONE,
                                    .deadline = MVN_NEVER};
        uint64_t id;
        REQUIRE(mvn_connection_submit(client, &request, &id, NULL) == MVN_OK);
        CHECK(mvn_connection_pull(client) <= (1 << 18) + (1 << 16) + 100);
        CHECK_EQUAL(peer_talk(server, client, WHOLE), MVN_OK);
        REQUIRE(server->count == 1 && server->streams[0].ended);
        CHECK_EQUAL(server->streams[0].size, size + 5);
        CHECK(memcmp(server->streams[0].body + 5, message, size) == 0);
        peer_answer(server, &server->streams[0], answer, size + 5, "0", NULL);
        CHECK_EQUAL(peer_talk(server, client, 10000), MVN_OK);
        expect_reply(client, id, answer + 5, size);
        mvn_connection_stats stats = mvn_connection_get_stats(client);
        CHECK(stats.bytes_sent > size && stats.bytes_received > size);
        close_both(client, server, 1);
    }
    free(message);
    free(answer);
}

/* A large body is shown where it lies; only small ones are copied. */
static void large_bodies_are_not_copied(void)
{
    const size_t size = 1 << 20;
    uint8_t *message = calloc(size, 1);
    nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 22}};
    mvn_connection *client = open_connection();
    peer *server = peer_new(settings, 1);
    uint64_t id;
    CHECK_EQUAL(peer_talk(server, client, WHOLE), MVN_OK);
    nghttp2_submit_window_update(server->session, NGHTTP2_FLAG_NONE, 0, 1 << 22);
    CHECK_EQUAL(peer_talk(server, client, WHOLE), MVN_OK);
    REQUIRE(submit(client, message, size, &id) == MVN_OK);
    size_t referred = 0, copied = 0;
    while (mvn_connection_pull(client) != 0) {
        mvn_chunk chunk;
        REQUIRE(mvn_connection_peek(client, &chunk, 1) == 1);
        if (chunk.call != NULL) {
            CHECK(chunk.span.data >= message && chunk.span.data < message + size);
            referred += chunk.span.size;
        } else {
            copied += chunk.span.size;
        }
        mvn_connection_consume(client, chunk.span.size);
    }
    CHECK(referred > size - MVN_OUTBOX_COPY);
    CHECK(copied < MVN_OUTBOX_COPY + 2000);
    mvn_connection_free(client);
    peer_free(server);
    free(message);
    CHECK_EQUAL(released, 1);
}

static void many_calls_share_a_connection(void)
{
    mvn_connection *client = open_connection();
    peer *server = peer_new(NULL, 0);
    uint64_t ids[100];
    CHECK_EQUAL(peer_talk(server, client, WHOLE), MVN_OK);
    for (int i = 0; i < 100; i++) {
        ids[i] = begin(client, "question");
    }
    /* All the small calls of a turn are one run of bytes. */
    mvn_chunk chunks[4];
    CHECK(mvn_connection_pull(client) > 0);
    CHECK_EQUAL(mvn_connection_peek(client, chunks, 4), 1);
    CHECK_EQUAL(peer_talk(server, client, WHOLE), MVN_OK);
    CHECK_EQUAL(server->count, 100);
    for (int i = 99; i >= 0; i--) {
        peer_answer(server, &server->streams[i], "\0\0\0\0\6answer", 11, "0", NULL);
    }
    CHECK_EQUAL(peer_talk(server, client, WHOLE), MVN_OK);
    bool seen[101] = {false};
    for (int i = 0; i < 100; i++) {
        mvn_call *call = mvn_connection_finished(client);
        REQUIRE(call != NULL && call->id >= ids[0] && call->id <= ids[99] && !seen[call->id]);
        seen[call->id] = true;
        CHECK_EQUAL(call->code, MVN_GRPC_OK);
        mvn_connection_return(client, call);
    }
    close_both(client, server, 100);
}

static void the_servers_stream_limit_is_kept(void)
{
    nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 2}};
    mvn_connection *client = open_connection();
    peer *server = peer_new(settings, 1);
    CHECK_EQUAL(mvn_connection_get_stats(client).max_streams, 100);
    CHECK_EQUAL(peer_talk(server, client, WHOLE), MVN_OK);
    CHECK_EQUAL(mvn_connection_get_stats(client).max_streams, 2);
    uint64_t a = begin(client, "a"), b = begin(client, "b"), c = begin(client, "c"),
             d = begin(client, "d");
    CHECK_EQUAL(peer_talk(server, client, WHOLE), MVN_OK);
    CHECK_EQUAL(server->count, 2);
    CHECK_EQUAL(mvn_connection_get_stats(client).open, 2);
    CHECK_EQUAL(mvn_connection_get_stats(client).waiting, 2);
    /* One that waits is cancelled without a trace; one on a stream makes room for the next. */
    CHECK(mvn_connection_cancel(client, c, MVN_GRPC_CANCELLED, "gone"));
    expect(client, c, MVN_GRPC_CANCELLED, false, "gone");
    CHECK(mvn_connection_cancel(client, a, MVN_GRPC_CANCELLED, "gone"));
    expect(client, a, MVN_GRPC_CANCELLED, true, "gone");
    CHECK_EQUAL(peer_talk(server, client, WHOLE), MVN_OK);
    CHECK_EQUAL(server->count, 3);
    CHECK(server->streams[0].closed && server->streams[0].reset == NGHTTP2_CANCEL);
    peer_answer(server, &server->streams[1], "\0\0\0\0\1b", 6, "0", NULL);
    peer_answer(server, &server->streams[2], "\0\0\0\0\1d", 6, "0", NULL);
    CHECK_EQUAL(peer_talk(server, client, WHOLE), MVN_OK);
    expect_reply(client, b, "b", 1);
    expect_reply(client, d, "d", 1);
    close_both(client, server, 4);
}

static void errors_of_the_server(void)
{
    mvn_connection *client = open_connection();
    peer *server = peer_new(NULL, 0);
    uint64_t a = begin(client, "a"), b = begin(client, "b"), c = begin(client, "c");
    CHECK_EQUAL(peer_talk(server, client, WHOLE), MVN_OK);
    REQUIRE(server->count == 3);
    nghttp2_nv only[] = {PEER_NV(":status", "200"), PEER_NV("content-type", "application/grpc"),
                         PEER_NV("grpc-status", "12"), PEER_NV("grpc-message", "not%20here")};
    nghttp2_nv proxy[] = {PEER_NV(":status", "502"), PEER_NV("content-type", "text/html")};
    peer_answer_headers(server, &server->streams[0], only, 4);
    peer_answer_headers(server, &server->streams[1], proxy, 2);
    peer_answer(server, &server->streams[2], "\0\0\0\0\1c", 6, "14", "overloaded");
    CHECK_EQUAL(peer_talk(server, client, WHOLE), MVN_OK);
    expect(client, a, MVN_GRPC_UNIMPLEMENTED, true, "not here");
    expect(client, b, MVN_GRPC_UNAVAILABLE, true, "HTTP status 502");
    expect(client, c, MVN_GRPC_UNAVAILABLE, true, "overloaded");
    close_both(client, server, 3);
}

static void resets_have_codes(void)
{
    for (uint32_t code = 0; code < 15; code++) {
        mvn_connection *client = open_connection();
        peer *server = peer_new(NULL, 0);
        uint64_t id = begin(client, "a");
        CHECK_EQUAL(peer_talk(server, client, WHOLE), MVN_OK);
        nghttp2_submit_rst_stream(server->session, NGHTTP2_FLAG_NONE, server->streams[0].id, code);
        CHECK_EQUAL(peer_talk(server, client, 1), MVN_OK);
        expect(client, id, mvn_grpc_from_h2(code), code != NGHTTP2_REFUSED_STREAM,
               code == NGHTTP2_REFUSED_STREAM ? "refused" : "was reset");
        CHECK_EQUAL(mvn_connection_get_state(client), MVN_CONNECTION_OPEN);
        close_both(client, server, 1);
    }
}

/* The server answers before it has the whole message: the rest is not sent, and the call counts. */
static void early_replies(void)
{
    const size_t size = 1 << 20;
    uint8_t *message = calloc(size, 1);
    mvn_connection *client = open_connection();
    peer *server = peer_new(NULL, 0); /* windows of 64 KiB, which nobody opens */
    uint64_t id;
    nghttp2_session_set_local_window_size(server->session, NGHTTP2_FLAG_NONE, 0, 65535);
    REQUIRE(submit(client, message, size, &id) == MVN_OK);
    for (int i = 0; i < 3; i++) {
        (void)peer_feed(server, client, 1000);
    }
    REQUIRE(server->count == 1 && !server->streams[0].ended);
    peer_answer(server, &server->streams[0], "\0\0\0\0\2no", 7, "8", "too%20much");
    CHECK_EQUAL(peer_talk(server, client, WHOLE), MVN_OK);
    expect(client, id, MVN_GRPC_RESOURCE_EXHAUSTED, true, "too much");
    CHECK(server->streams[0].closed && server->streams[0].size < size);
    CHECK_EQUAL(server->streams[0].reset, NGHTTP2_NO_ERROR);
    uint64_t next = begin(client, "next");
    CHECK_EQUAL(peer_talk(server, client, WHOLE), MVN_OK);
    REQUIRE(server->count == 2);
    peer_answer(server, &server->streams[1], "\0\0\0\0\1x", 6, "0", NULL);
    CHECK_EQUAL(peer_talk(server, client, WHOLE), MVN_OK);
    expect_reply(client, next, "x", 1);
    close_both(client, server, 2);
    free(message);
}

static void goaway_parts_the_calls(void)
{
    mvn_connection *client = open_connection();
    peer *server = peer_new(NULL, 0);
    uint64_t a = begin(client, "a");
    CHECK_EQUAL(peer_talk(server, client, WHOLE), MVN_OK);
    uint64_t b = begin(client, "b");
    CHECK(mvn_connection_pull(client) > 0);
    mvn_connection_consume(client, mvn_connection_pull(client)); /* lost on the way */
    uint64_t c = begin(client, "c"); /* not framed yet */
    nghttp2_submit_goaway(server->session, NGHTTP2_FLAG_NONE, server->streams[0].id,
                          NGHTTP2_ENHANCE_YOUR_CALM, (const uint8_t *)"too_many_pings", 14);
    size_t size;
    uint8_t *bytes = peer_take(server, &size);
    CHECK_EQUAL(mvn_connection_receive(client, bytes, size), MVN_OK);
    free(bytes);
    CHECK_EQUAL(mvn_connection_get_state(client), MVN_CONNECTION_DRAINING);
    CHECK_EQUAL(mvn_connection_get_stats(client).goaway_code, NGHTTP2_ENHANCE_YOUR_CALM);
    expect(client, c, MVN_GRPC_UNAVAILABLE, false, "GOAWAY ENHANCE_YOUR_CALM: too_many_pings");
    expect(client, b, MVN_GRPC_UNAVAILABLE, false, "too_many_pings");
    uint64_t none;
    CHECK_EQUAL(submit(client, "x", 1, &none), MVN_ERANGE);
    peer_answer(server, &server->streams[0], "\0\0\0\0\1A", 6, "0", NULL);
    bytes = peer_take(server, &size);
    CHECK_EQUAL(mvn_connection_receive(client, bytes, size), MVN_OK);
    free(bytes);
    expect_reply(client, a, "A", 1);
    CHECK_EQUAL(mvn_connection_get_state(client), MVN_CONNECTION_CLOSED);
    mvn_connection_free(client);
    peer_free(server);
    CHECK_EQUAL(released, 3);
}

static void a_lost_connection_says_what_was_sent(void)
{
    const size_t size = 1 << 20;
    uint8_t *message = calloc(size, 1);
    mvn_connection *client = open_connection();
    peer *server = peer_new(NULL, 0);
    uint64_t a = begin(client, "a"), b;
    CHECK_EQUAL(peer_talk(server, client, WHOLE), MVN_OK);
    REQUIRE(submit(client, message, size, &b) == MVN_OK);
    CHECK(mvn_connection_pull(client) > 1000);
    mvn_connection_consume(client, 1000);
    uint64_t c = begin(client, "c");
    mvn_connection_lost(client, "connection reset by peer");
    expect(client, c, MVN_GRPC_UNAVAILABLE, false, "reset by peer");
    expect(client, a, MVN_GRPC_UNAVAILABLE, true, "reset by peer");
    expect(client, b, MVN_GRPC_UNAVAILABLE, false, "reset by peer");
    CHECK_EQUAL(mvn_connection_get_state(client), MVN_CONNECTION_CLOSED);
    CHECK(strcmp(mvn_connection_error(client), "connection reset by peer") == 0);
    CHECK_EQUAL(mvn_connection_receive(client, "x", 1), MVN_ETRUNCATED);
    close_both(client, server, 3);
    free(message);
}

static void time_passes(void)
{
    mvn_connection *client = open_connection();
    peer *server = peer_new(NULL, 0);
    mvn_call_request request = {
        .path = text("/s/m"), .timeout = 3 * S, .deadline = 103 * S};
    uint64_t a, b;
    CHECK_EQUAL(mvn_connection_tick(client, 100 * S), MVN_NEVER);
    REQUIRE(mvn_connection_submit(client, &request, &a, NULL) == MVN_OK);
    request.deadline = 200 * S;
    REQUIRE(mvn_connection_submit(client, &request, &b, NULL) == MVN_OK);
    CHECK_EQUAL(mvn_connection_tick(client, 100 * S), 103 * S);
    CHECK_EQUAL(peer_talk(server, client, WHOLE), MVN_OK);
    CHECK_EQUAL(mvn_connection_tick(client, 103 * S), 113 * S);
    expect(client, a, MVN_GRPC_DEADLINE_EXCEEDED, true, "Deadline Exceeded");
    CHECK_EQUAL(peer_talk(server, client, WHOLE), MVN_OK);
    CHECK(server->streams[0].closed && server->streams[0].reset == NGHTTP2_CANCEL);
    CHECK_EQUAL(mvn_connection_tick(client, 113 * S), 118 * S); /* a PING went out */
    CHECK_EQUAL(peer_talk(server, client, WHOLE), MVN_OK);
    CHECK_EQUAL(server->pings, 1);
    CHECK_EQUAL(mvn_connection_get_stats(client).pings_answered, 1);
    int64_t next = mvn_connection_tick(client, 118 * S);
    CHECK(next > 118 * S && next <= 200 * S);
    next = mvn_connection_tick(client, next);
    mvn_connection_consume(client, mvn_connection_pull(client)); /* this PING is lost */
    CHECK_EQUAL(mvn_connection_tick(client, next), MVN_NEVER);
    expect(client, b, MVN_GRPC_UNAVAILABLE, true, "stopped answering");
    CHECK_EQUAL(mvn_connection_get_state(client), MVN_CONNECTION_CLOSED);
    close_both(client, server, 2);
}

/* Cancelled calls leave nothing behind, whatever they were doing; their message stays valid until
 * the last frame that shows it is gone. */
static void cancelled_at_every_point(void)
{
    const size_t size = 300000;
    for (size_t cut = 0; cut < size; cut += 9973) {
        uint8_t *message = malloc(size);
        memset(message, 'm', size);
        mvn_connection *client = open_connection();
        peer *server = peer_new(NULL, 0);
        uint64_t id, other;
        REQUIRE(submit(client, message, size, &id) == MVN_OK);
        size_t sent = 0;
        while (sent < cut) {
            size_t ready = mvn_connection_pull(client);
            if (ready == 0) {
                CHECK_EQUAL(peer_talk(server, client, WHOLE), MVN_OK);
                break;
            }
            mvn_chunk chunk;
            REQUIRE(mvn_connection_peek(client, &chunk, 1) == 1);
            size_t take = chunk.span.size < cut - sent ? chunk.span.size : cut - sent;
            REQUIRE(nghttp2_session_mem_recv(server->session, chunk.span.data, take) ==
                    (ssize_t)take);
            mvn_connection_consume(client, take);
            sent += take;
        }
        if (mvn_connection_cancel(client, id, MVN_GRPC_CANCELLED, "cancelled")) {
            CHECK(!mvn_connection_cancel(client, id, MVN_GRPC_CANCELLED, "again"));
            mvn_call *call = mvn_connection_finished(client);
            REQUIRE(call != NULL && call->code == MVN_GRPC_CANCELLED);
            mvn_connection_return(client, call);
        }
        other = begin(client, "other");
        CHECK_EQUAL(peer_talk(server, client, WHOLE), MVN_OK);
        peer_stream *last = &server->streams[server->count - 1];
        CHECK(last->ended && last->size == 10);
        CHECK_EQUAL(released, 1);
        free(message);
        peer_answer(server, last, "\0\0\0\0\1x", 6, "0", NULL);
        CHECK_EQUAL(peer_talk(server, client, WHOLE), MVN_OK);
        expect_reply(client, other, "x", 1);
        close_both(client, server, 2);
    }
}

/* A whole conversation, with the n-th allocation failing, for every n. */
static void every_allocation_may_fail(void)
{
    uint8_t *message = calloc(100000, 1);
    for (unsigned long n = 1;; n++) {
        mvn_connection_config config = make_config();
        mvn_connection *client = NULL;
        peer *server = peer_new(NULL, 0);
        uint64_t id = 0;
        held = released = 0;
        int submitted = 0;
        mvn_mem_fail_on(n);
        mvn_status status = mvn_connection_new(&config, &client, NULL);
        CHECK(status == MVN_OK || status == MVN_ENOMEM);
        if (status == MVN_OK) {
            submitted += submit(client, message, 100000, &id) == MVN_OK;
            submitted += submit(client, message, 100, &id) == MVN_OK;
            (void)peer_talk(server, client, 5000);
            for (size_t i = 0; i < server->count; i++) {
                if (server->streams[i].ended) {
                    peer_answer(server, &server->streams[i], "\0\0\0\0\6answer", 11,
                                i == 0 ? "0" : "3", i == 0 ? NULL : "bad");
                }
            }
            (void)peer_talk(server, client, 5000);
            (void)mvn_connection_tick(client, 0);
            (void)mvn_connection_tick(client, 100 * S);
            mvn_status ping = mvn_connection_ping(client);
            CHECK(ping == MVN_OK || ping == MVN_ENOMEM);
            mvn_connection_lost(client, "over");
        }
        unsigned long asked = mvn_mem_count();
        mvn_mem_fail_on(0);
        int collected = 0;
        if (client != NULL) {
            for (mvn_call *call; (call = mvn_connection_finished(client)) != NULL;) {
                collected++;
                mvn_connection_return(client, call);
            }
        }
        CHECK_EQUAL(collected, submitted);
        mvn_connection_free(client);
        peer_free(server);
        CHECK_EQUAL(held, 0);
        CHECK_EQUAL(released, submitted);
        if (n > asked) {
            CHECK_EQUAL(submitted, 2);
            break;
        }
    }
    free(message);
}

static void refused_before_they_begin(void)
{
    mvn_connection *client = open_connection();
    peer *server = peer_new(NULL, 0);
    mvn_metadata bad = {text("authorization"), text("se\ncret")};
    mvn_call_request request = {.path = text("/s/m"),
                                .metadata = &bad,
                                .metadata_count = 1,
                                .timeout = MVN_TIMEOUT_NONE,
                                .deadline = MVN_NEVER};
    mvn_error error;
    uint64_t id;
    CHECK_EQUAL(mvn_connection_submit(client, &request, &id, &error), MVN_EFORMAT);
    CHECK(strstr(error.message, "cret") == NULL);
    mvn_span parts[2] = {{(const uint8_t *)"", MVN_MAX_MESSAGE}, {(const uint8_t *)"", 1}};
    request = (mvn_call_request){.path = text("/s/m"), .message = parts, .message_count = 2};
    CHECK_EQUAL(mvn_connection_submit(client, &request, &id, &error), MVN_ETOOBIG);
    close_both(client, server, 0);

    static const char *const authorities[] = {"", "host\r\nx: y", "h\xc3\xb6st"};
    for (size_t i = 0; i < sizeof(authorities) / sizeof(authorities[0]); i++) {
        mvn_connection_config config = make_config();
        config.origin.authority = text(authorities[i]);
        CHECK_EQUAL(mvn_connection_new(&config, &client, &error), MVN_EFORMAT);
        CHECK(strstr(error.message, "authority") != NULL);
    }
}

int main(void)
{
    RUN(a_call_succeeds_in_every_split);
    RUN(large_messages_go_both_ways);
    RUN(large_bodies_are_not_copied);
    RUN(many_calls_share_a_connection);
    RUN(the_servers_stream_limit_is_kept);
    RUN(errors_of_the_server);
    RUN(resets_have_codes);
    RUN(early_replies);
    RUN(goaway_parts_the_calls);
    RUN(a_lost_connection_says_what_was_sent);
    RUN(time_passes);
    RUN(cancelled_at_every_point);
    RUN(every_allocation_may_fail);
    RUN(refused_before_they_begin);
    return check_end();
}
