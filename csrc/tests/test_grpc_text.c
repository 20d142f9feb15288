/* The small text rules of gRPC: statuses, percent-encoding, base64, timeouts, metadata. */
#include "../core/mem.h"
#include "../rpc/base64.h"
#include "../rpc/grpc_status.h"
#include "../rpc/request_headers.h"
#include "check.h"
#include "text.h"

static void http_statuses_have_codes(void)
{
    static const int want[][2] = {
        {400, MVN_GRPC_INTERNAL},     {401, MVN_GRPC_UNAUTHENTICATED},
        {403, MVN_GRPC_PERMISSION_DENIED}, {404, MVN_GRPC_UNIMPLEMENTED},
        {429, MVN_GRPC_UNAVAILABLE},  {502, MVN_GRPC_UNAVAILABLE},
        {503, MVN_GRPC_UNAVAILABLE},  {504, MVN_GRPC_UNAVAILABLE},
        {200, MVN_GRPC_UNKNOWN},      {500, MVN_GRPC_UNKNOWN},
        {302, MVN_GRPC_UNKNOWN},      {0, MVN_GRPC_UNKNOWN},
    };
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        CHECK_EQUAL(mvn_grpc_from_http(want[i][0]), want[i][1]);
    }
}

static void reset_codes_have_codes(void)
{
    for (uint32_t code = 0; code < 16; code++) {
        mvn_grpc_code want = code == NGHTTP2_REFUSED_STREAM        ? MVN_GRPC_UNAVAILABLE
                             : code == NGHTTP2_CANCEL              ? MVN_GRPC_CANCELLED
                             : code == NGHTTP2_ENHANCE_YOUR_CALM   ? MVN_GRPC_RESOURCE_EXHAUSTED
                             : code == NGHTTP2_INADEQUATE_SECURITY ? MVN_GRPC_PERMISSION_DENIED
                                                                   : MVN_GRPC_INTERNAL;
        CHECK_EQUAL(mvn_grpc_from_h2(code), want);
        CHECK(mvn_h2_error_name(code) != NULL);
    }
}

static void statuses_are_numbers(void)
{
    static const struct {
        const char *text;
        int code;
    } want[] = {{"0", 0}, {"5", 5}, {"16", 16}, {"17", 2}, {"99", 2}, {"100", 2},
                {"", 2},  {"-1", 2}, {"1x", 2}, {"OK", 2}, {" 0", 2}};
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        mvn_span value = text(want[i].text);
        CHECK_EQUAL(mvn_grpc_parse_status(value.data, value.size), want[i].code);
    }
}

static void percent_encoding_is_undone(void)
{
    static const char *const want[][2] = {
        {"plain", "plain"},       {"a%20b", "a b"},   {"%E2%82%ac", "\xe2\x82\xac"},
        {"100%", "100%"},         {"%4", "%4"},       {"%zz%41", "%zzA"},
        {"%%41", "%A"},           {"", ""},           {"%25%32%35", "%25"},
    };
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        uint8_t buffer[32];
        memcpy(buffer, want[i][0], strlen(want[i][0]));
        size_t size = mvn_percent_decode(buffer, strlen(want[i][0]));
        CHECK(size == strlen(want[i][1]) && memcmp(buffer, want[i][1], size) == 0);
    }
}

static void base64_round_trips(void)
{
    static const char *const want[][2] = {
        {"", ""},         {"f", "Zg"},       {"fo", "Zm8"},         {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xff\xfe\xfd", "//79"},
    };
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        uint8_t encoded[64], decoded[64];
        char padded[64];
        size_t size = strlen(want[i][0]), decoded_size = 99;
        mvn_base64_encode((const uint8_t *)want[i][0], size, encoded);
        CHECK_EQUAL(mvn_base64_encoded_size(size), strlen(want[i][1]));
        CHECK(memcmp(encoded, want[i][1], strlen(want[i][1])) == 0);
        CHECK_EQUAL(mvn_base64_decode(encoded, strlen(want[i][1]), decoded, &decoded_size), MVN_OK);
        CHECK(decoded_size == size && memcmp(decoded, want[i][0], size) == 0);
        snprintf(padded, sizeof(padded), "%s%.*s", want[i][1], (int)(4 - strlen(want[i][1]) % 4) % 4,
                 "===");
        CHECK_EQUAL(mvn_base64_decode((const uint8_t *)padded, strlen(padded), decoded,
                                      &decoded_size),
                    MVN_OK);
        CHECK_EQUAL(decoded_size, size);
    }
    static const char *const bad[] = {"A", "AAAAA", "A===", "Zg=", "Z g=", "Zm9v====", "=", "Zg\n"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint8_t decoded[64];
        size_t size;
        CHECK_EQUAL(mvn_base64_decode((const uint8_t *)bad[i], strlen(bad[i]), decoded, &size),
                    MVN_EFORMAT);
    }
}

static void timeouts_round_up_and_fit(void)
{
    static const struct {
        int64_t nanoseconds;
        const char *text;
    } want[] = {
        {0, "1n"},
        {1, "1n"},
        {99999999, "99999999n"},
        {100000000, "100000u"},
        {100000001, "100001u"},
        {INT64_C(99999999000), "99999999u"},
        {INT64_C(99999999001), "100000m"},
        {INT64_C(500000000), "500000u"},
        {INT64_C(3600000000000), "3600000m"},
        {INT64_C(99999999000001), "100000S"},
        {INT64_C(99999999000000001), "1666667M"},
        {INT64_MAX, "2562048H"},
    };
    char out[MVN_GRPC_TIMEOUT_ROOM];
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        CHECK_EQUAL(mvn_grpc_timeout(want[i].nanoseconds, out), strlen(want[i].text));
        CHECK(strcmp(out, want[i].text) == 0);
    }
}

static mvn_status checked(const char *name, const char *value, mvn_error *error)
{
    mvn_metadata pair = {text(name), text(value)};
    return mvn_metadata_check(&pair, error);
}

static void metadata_is_checked(void)
{
    static const char *const good[] = {"authorization", "a", "x_1-y.z", "grpc-trace-bin", "0"};
    static const char *const bad[] = {"",        "Upper", "sp ace", "new\nline", ":path",
                                      "te",      "grpc-timeout", "content-type", "host",
                                      "\xc3\xa9", "connection"};
    mvn_error error;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        CHECK_EQUAL(checked(good[i], "value ~!", &error), MVN_OK);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CHECK_EQUAL(checked(bad[i], "value", &error), MVN_EFORMAT);
    }
    static const char *const values[] = {"se\rcret", "se\ncret", "secret\x7f", "secret\xc3\xa9",
                                         "\x01"};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        CHECK_EQUAL(checked("authorization", values[i], &error), MVN_EFORMAT);
        CHECK(strstr(error.message, "authorization") != NULL);
        CHECK(strstr(error.message, "cret") == NULL);
        CHECK_EQUAL(checked("authorization-bin", values[i], &error), MVN_OK);
    }
    mvn_metadata nul = {text("a"), {(const uint8_t *)"x\0y", 3}};
    CHECK_EQUAL(mvn_metadata_check(&nul, &error), MVN_EFORMAT);
}

static void metadata_is_stored(void)
{
    mvn_buffer store;
    mvn_metadata pair;
    size_t cursor = 0;
    mvn_buffer_init(&store);
    CHECK_EQUAL(mvn_metadata_store(&store, text("server"), text("milvus")), MVN_OK);
    CHECK_EQUAL(mvn_metadata_store(&store, text("d-bin"), text("Zm9v,Zg==,!,")), MVN_OK);
    CHECK_EQUAL(mvn_metadata_store(&store, text("empty"), text("")), MVN_OK);
    static const char *const want[][2] = {
        {"server", "milvus"}, {"d-bin", "foo"}, {"d-bin", "f"}, {"d-bin", ""}, {"empty", ""}};
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        REQUIRE(mvn_metadata_next(&store, &cursor, &pair));
        CHECK(mvn_span_is(pair.name, want[i][0]));
        CHECK(mvn_span_is(pair.value, want[i][1]));
    }
    CHECK(!mvn_metadata_next(&store, &cursor, &pair));
    size_t before = store.size;
    for (unsigned long n = 1; n < 3; n++) {
        mvn_buffer copy;
        mvn_buffer_init(&copy);
        mvn_mem_fail_on(n);
        mvn_status status = mvn_metadata_store(&copy, text("d-bin"), text("Zm9v,Zg"));
        mvn_mem_fail_on(0);
        CHECK(status == MVN_OK || copy.size == 0);
        mvn_buffer_reset(&copy);
    }
    CHECK_EQUAL(store.size, before);
    mvn_buffer_reset(&store);
}

static void header_blocks_are_measured(void)
{
    mvn_request_origin origin = {text("http"), text("localhost:19530"), text("agent")};
    mvn_metadata pairs[] = {{text("key"), text("value")}, {text("raw-bin"), text("foob")}};
    mvn_request_head head = {text("/s/m"), MVN_TIMEOUT_NONE, pairs, 2};
    size_t count, size;
    mvn_error error;
    CHECK_EQUAL(mvn_request_headers_measure(&origin, &head, 65536, &count, &size, &error), MVN_OK);
    CHECK_EQUAL(count, 10);
    head.timeout = 1000;
    CHECK_EQUAL(mvn_request_headers_measure(&origin, &head, 65536, &count, &size, &error), MVN_OK);
    CHECK_EQUAL(count, 11);
    nghttp2_nv headers[11];
    uint8_t room[256];
    REQUIRE(size <= sizeof(room));
    mvn_request_headers_write(&origin, &head, headers, room);
    static const char *const want[][2] = {
        {":method", "POST"},
        {":scheme", "http"},
        {":path", "/s/m"},
        {":authority", "localhost:19530"},
        {"grpc-timeout", "1000n"},
        {"te", "trailers"},
        {"content-type", "application/grpc"},
        {"user-agent", "agent"},
        {"grpc-accept-encoding", "identity, gzip"},
        {"key", "value"},
        {"raw-bin", "Zm9vYg"},
    };
    for (size_t i = 0; i < 11; i++) {
        CHECK(mvn_span_is((mvn_span){headers[i].name, headers[i].namelen}, want[i][0]));
        CHECK(mvn_span_is((mvn_span){headers[i].value, headers[i].valuelen}, want[i][1]));
    }
    CHECK_EQUAL(mvn_request_headers_measure(&origin, &head, 500, &count, &size, &error),
                MVN_ETOOBIG);
    static const char *const paths[] = {"", "s/m", "/s m", "/s\n", "/\x7f"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        head.path = text(paths[i]);
        CHECK_EQUAL(mvn_request_headers_measure(&origin, &head, 65536, &count, &size, &error),
                    MVN_EFORMAT);
    }
}

int main(void)
{
    RUN(http_statuses_have_codes);
    RUN(reset_codes_have_codes);
    RUN(statuses_are_numbers);
    RUN(percent_encoding_is_undone);
    RUN(base64_round_trips);
    RUN(timeouts_round_up_and_fit);
    RUN(metadata_is_checked);
    RUN(metadata_is_stored);
    RUN(header_blocks_are_measured);
    return check_end();
}
