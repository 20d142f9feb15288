/* connection.c and session.c against a server that speaks something else, breaks the rules of HTTP/2,
 * or sends more than anybody wants: what it costs is said, and no more than that. */
#include "conversation.h"

static void other_protocols_are_named(void)
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *says;
    } cases[] = {
        {"HTTP/1.1 400 Bad Request\r\n\r\n", 28, "speaks HTTP/1"},
        {"\x15\x03\x01\x00\x02\x02\x46", 7, "speaks TLS"},
        {"SSH-2.0-OpenSSH_9.2\r\n", 21, "breaks HTTP/2"},
        {"\0\0\0\x07\0\0\0\0\0\0\0\0\0\0\0\0\0", 17, "breaks HTTP/2"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (size_t step = 1; step <= cases[i].size; step += cases[i].size - 1) {
            mvn_connection *client = open_connection();
            uint64_t id = begin(client, "question");
            mvn_connection_consume(client, mvn_connection_pull(client));
            mvn_status status = MVN_OK;
            for (size_t at = 0; at < cases[i].size && status == MVN_OK; at += step) {
                size_t left = cases[i].size - at;
                status = mvn_connection_receive(client, cases[i].bytes + at,
                                                left < step ? left : step);
            }
            CHECK_EQUAL(status, MVN_EFORMAT);
            CHECK(strstr(mvn_connection_error(client), cases[i].says) != NULL);
            expect(client, id, MVN_GRPC_UNAVAILABLE, true, cases[i].says);
            mvn_connection_free(client);
        }
    }
}

/* Frames that are wrong in themselves, after a proper beginning. */
static void broken_frames_close_the_connection(void)
{
    static const struct {
        const char *bytes;
        size_t size;
    } cases[] = {
        {"\x05\0\0\0\0\0\0\0\1", 9},                    /* DATA larger than allowed */
        {"\0\0\4\1\4\0\0\0\1\xff\xff\xff\xff", 13},     /* HPACK rubbish */
        {"\0\0\5\6\0\0\0\0\0zzzzz", 14},                /* PING of 5 bytes */
        {"\0\0\4\x08\0\0\0\0\0\0\0\0\0", 13},           /* WINDOW_UPDATE of 0 */
        {"\0\0\4\x08\0\0\0\0\0\x7f\xff\xff\xff", 13},   /* window overflow */
        {"\0\0\4\5\4\0\0\0\1\0\0\0\2", 13},             /* PUSH_PROMISE */
        {"\0\0\1\x09\4\0\0\0\1x", 10},                  /* CONTINUATION of nothing */
        {"\0\0\5\4\0\0\0\0\0xxxxx", 14},                /* SETTINGS of 5 bytes */
        {"\0\0\0\1\4\0\0\0\x63", 9},                    /* HEADERS on a stream never opened */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        mvn_connection *client = open_connection();
        peer *server = peer_new(NULL, 0);
        uint64_t id = begin(client, "question");
        CHECK_EQUAL(peer_talk(server, client, WHOLE), MVN_OK);
        CHECK_EQUAL(mvn_connection_receive(client, cases[i].bytes, cases[i].size), MVN_EFORMAT);
        CHECK_EQUAL(mvn_connection_get_state(client), MVN_CONNECTION_CLOSED);
        expect(client, id, MVN_GRPC_UNAVAILABLE, true, "breaks HTTP/2");
        (void)peer_feed(server, client, WHOLE);
        CHECK(server->goaway && server->goaway_code != 0);
        close_both(client, server, 1);
    }
}

static void oversized_header_blocks_cost_one_call(void)
{
    char value[9001];
    memset(value, 'x', 9000);
    value[9000] = '\0';
    mvn_connection *client = open_connection();
    peer *server = peer_new(NULL, 0);
    uint64_t id = begin(client, "question");
    CHECK_EQUAL(peer_talk(server, client, WHOLE), MVN_OK);
    /* Large enough to be split into HEADERS and CONTINUATION. */
    nghttp2_nv headers[] = {PEER_NV(":status", "200"), PEER_NV("content-type", "application/grpc"),
                            PEER_NV("a", value), PEER_NV("b", value), PEER_NV("c", value)};
    peer_answer_headers(server, &server->streams[0], headers, 5);
    CHECK_EQUAL(peer_talk(server, client, 100), MVN_OK);
    expect(client, id, MVN_GRPC_RESOURCE_EXHAUSTED, true, "larger than 8192 bytes");
    CHECK_EQUAL(mvn_connection_get_state(client), MVN_CONNECTION_OPEN);
    close_both(client, server, 1);
}

/* 4 KB on the wire that stand for 160 KB of headers: one large entry, and 40 references to it. */
static void header_bombs_close_the_connection(void)
{
    uint8_t frame[9 + 1 + 3 + 3 + 4000 + 40], *at = frame;
    const size_t payload = sizeof(frame) - 9;
    mvn_connection *client = open_connection();
    peer *server = peer_new(NULL, 0);
    uint64_t id = begin(client, "question");
    CHECK_EQUAL(peer_talk(server, client, WHOLE), MVN_OK);
    memcpy(at, (uint8_t[]){0, (uint8_t)(payload >> 8), (uint8_t)payload, 1, 4, 0, 0, 0, 1}, 9);
    memcpy(at + 9, (uint8_t[]){0x88, 0x40, 1, 'x', 0x7f, 0xa1, 0x1e}, 7);
    memset(at + 16, 'y', 4000);
    memset(at + 4016, 0xbe, 40);
    CHECK_EQUAL(mvn_connection_receive(client, frame, sizeof(frame)), MVN_EFORMAT);
    expect(client, id, MVN_GRPC_RESOURCE_EXHAUSTED, true, "larger than 8192 bytes");
    CHECK_EQUAL(mvn_connection_get_state(client), MVN_CONNECTION_CLOSED);
    CHECK(strstr(mvn_connection_error(client), "a header block of more than") != NULL);
    close_both(client, server, 1);
}

static void oversized_replies_cost_one_call(void)
{
    mvn_connection_config config = make_config();
    mvn_connection *client;
    config.limits.max_message = 10;
    held = released = 0;
    REQUIRE(mvn_connection_new(&config, &client, NULL) == MVN_OK);
    peer *server = peer_new(NULL, 0);
    uint64_t a = begin(client, "a"), b = begin(client, "b");
    CHECK_EQUAL(peer_talk(server, client, WHOLE), MVN_OK);
    peer_answer(server, &server->streams[0], "\0\0\0\0\x0b" "12345678901", 16, "0", NULL);
    peer_answer(server, &server->streams[1], "\0\0\0\0\x0a" "1234567890", 15, "0", NULL);
    CHECK_EQUAL(peer_talk(server, client, 1), MVN_OK);
    expect(client, a, MVN_GRPC_RESOURCE_EXHAUSTED, true, "11 bytes, more than the allowed 10");
    expect_reply(client, b, "1234567890", 10);
    CHECK(server->streams[0].closed);
    close_both(client, server, 2);
}

static void a_flood_of_pings_is_not_answered_for_ever(void)
{
    mvn_connection *client = open_connection();
    peer *server = peer_new(NULL, 0);
    CHECK_EQUAL(peer_talk(server, client, WHOLE), MVN_OK);
    mvn_status status = MVN_OK;
    int pings = 0;
    while (status == MVN_OK && pings < 1000000) {
        status = mvn_connection_receive(client, "\0\0\x08\6\0\0\0\0\0abcdefgh", 17);
        pings++;
    }
    CHECK_EQUAL(status, MVN_EFORMAT);
    CHECK(pings < 50000);
    close_both(client, server, 0);
}

int main(void)
{
    RUN(other_protocols_are_named);
    RUN(broken_frames_close_the_connection);
    RUN(oversized_header_blocks_cost_one_call);
    RUN(header_bombs_close_the_connection);
    RUN(oversized_replies_cost_one_call);
    RUN(a_flood_of_pings_is_not_answered_for_ever);
    return check_end();
}
