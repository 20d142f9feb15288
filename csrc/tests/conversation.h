/* What the tests of a connection share: a client, a server in memory (peer.h) that it talks to, and
 * what a test expects of a finished call. */
#ifndef MVN_TESTS_CONVERSATION_H
#define MVN_TESTS_CONVERSATION_H

#include "check.h"
#include "messages.h"
#include "peer.h"
#include "text.h"

#define S INT64_C(1000000000)
#define WHOLE ((size_t)1 << 30)

static int released; /* calls that the engine has let go of */

static inline void on_released(void *context, void *user)
{
    (void)context, (void)user;
    released++;
}

static inline mvn_connection_config make_config(void)
{
    return (mvn_connection_config){
        .origin = {text("http"), text("localhost:19530"), text("test/1")},
        .stream_window = 1 << 20,
        .connection_window = 1 << 21,
        .send_batch = 1 << 18,
        .limits = {.max_message = 100 << 20,
                   .max_header_list = 8192,
                   .memory = {allocate, release, NULL}},
        .keepalive = {10 * S, 5 * S},
        .released = on_released,
    };
}

static inline mvn_connection *open_connection(void)
{
    mvn_connection_config config = make_config();
    mvn_connection *client = NULL;
    held = released = 0;
    CHECK_EQUAL(mvn_connection_new(&config, &client, NULL), MVN_OK);
    return client;
}

static inline mvn_status submit(mvn_connection *client, const void *message, size_t size,
                                uint64_t *id)
{
    mvn_span part = {message, size};
    mvn_metadata metadata = {text("authorization"), text("token")};
    mvn_call_request request = {
        .path = text("/milvus/Search"),
        .metadata = &metadata,
        .metadata_count = 1,
        .message = &part,
        .message_count = 1,
        .timeout = 2 * S,
        .deadline = MVN_NEVER,
    };
    mvn_error error;
    return mvn_connection_submit(client, &request, id, &error);
}

static inline uint64_t begin(mvn_connection *client, const char *message)
{
    uint64_t id = 0;
    CHECK_EQUAL(submit(client, message, strlen(message), &id), MVN_OK);
    return id;
}

static inline bool text_has(const mvn_call *call, const char *part)
{
    char all[512];
    snprintf(all, sizeof(all), "%.*s", (int)call->text.size, (const char *)call->text.data);
    return strstr(all, part) != NULL;
}

/* Collects one finished call and checks how it ended. */
static inline void expect(mvn_connection *client, uint64_t id, mvn_grpc_code code, bool sent,
                          const char *says)
{
    mvn_call *call = mvn_connection_finished(client);
    REQUIRE(call != NULL);
    CHECK_EQUAL(call->id, id);
    CHECK_EQUAL(call->code, code);
    CHECK_EQUAL(call->sent, sent);
    if (!text_has(call, says)) {
        fprintf(stderr, "    text: %.*s\n", (int)call->text.size, (const char *)call->text.data);
    }
    CHECK(text_has(call, says));
    mvn_connection_return(client, call);
}

static inline void expect_reply(mvn_connection *client, uint64_t id, const void *message,
                                size_t size)
{
    mvn_call *call = mvn_connection_finished(client);
    REQUIRE(call != NULL);
    CHECK_EQUAL(call->id, id);
    CHECK_EQUAL(call->code, MVN_GRPC_OK);
    CHECK(call->sent);
    CHECK_EQUAL(call->reply.message_size, size);
    void *handle = mvn_reply_take_message(&call->reply);
    CHECK(size == call->reply.message_size && memcmp(handle, message, size) == 0);
    release(NULL, handle);
    mvn_connection_return(client, call);
}

static inline void close_both(mvn_connection *client, peer *server, int calls)
{
    CHECK(mvn_connection_finished(client) == NULL);
    CHECK(!server->broken);
    mvn_connection_free(client);
    peer_free(server);
    CHECK_EQUAL(held, 0);
    CHECK_EQUAL(released, calls);
}

#endif
