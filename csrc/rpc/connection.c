#include <stdio.h>
#include <string.h>

#include "../core/mem.h"
#include "session.h"

/* ---- life ---- */

static mvn_status copy_origin(mvn_connection *connection, const mvn_request_origin *origin,
                              mvn_error *error)
{
    static const char *const names[] = {"scheme", "authority", "user agent"};
    mvn_request_origin *own = &connection->config.origin;
    mvn_span *const to[] = {&own->scheme, &own->authority, &own->user_agent};
    const mvn_span from[] = {origin->scheme, origin->authority, origin->user_agent};
    size_t size = 0;

    for (size_t i = 0; i < 3; i++) {
        /* Each makes part of every header block, whose limit is checked call by call. */
        bool ok = from[i].size != 0 && from[i].size <= connection->config.limits.max_header_list;
        for (size_t j = 0; ok && j < from[i].size; j++) {
            ok = from[i].data[j] >= 0x20 && from[i].data[j] <= 0x7e;
        }
        if (!ok) {
            return mvn_fail(error, MVN_EFORMAT, "the %s is empty, too long or not plain ASCII",
                            names[i]);
        }
        size += from[i].size;
    }
    connection->origin_text = mvn_malloc_array(size, 1);
    if (connection->origin_text == NULL) {
        return MVN_ENOMEM;
    }
    char *at = connection->origin_text;
    for (size_t i = 0; i < 3; i++) {
        if (from[i].size != 0) {
            memcpy(at, from[i].data, from[i].size);
        }
        *to[i] = (mvn_span){(const uint8_t *)at, from[i].size};
        at += from[i].size;
    }
    return MVN_OK;
}

mvn_status mvn_connection_new(const mvn_connection_config *config, mvn_connection **out,
                              mvn_error *error)
{
    mvn_connection *connection = mvn_malloc_array(1, sizeof(*connection));
    if (connection == NULL) {
        return MVN_ENOMEM;
    }
    memset(connection, 0, sizeof(*connection));
    connection->config = *config;
    mvn_outbox_init(&connection->outbox);
    mvn_keepalive_init(&connection->keepalive, config->keepalive);
    mvn_status status = copy_origin(connection, &config->origin, error);
    if (status == MVN_OK) {
        status = mvn_session_open(connection);
    }
    if (status != MVN_OK) {
        mvn_connection_free(connection);
        return status;
    }
    *out = connection;
    return MVN_OK;
}

static void free_call(mvn_connection *connection, mvn_call *call)
{
    void *user = call->user;
    mvn_call_free(call, &connection->config.limits);
    connection->config.released(connection->config.context, user);
}

static void free_list(mvn_connection *connection, mvn_call_list *list)
{
    while (list->first != NULL) {
        mvn_call *call = list->first;
        mvn_call_list_remove(list, call);
        free_call(connection, call);
    }
}

void mvn_connection_free(mvn_connection *connection)
{
    if (connection == NULL) {
        return;
    }
    /* nghttp2 goes without telling of the streams that were open; then nothing points to a call. */
    nghttp2_session_del(connection->session);
    mvn_outbox_reset(&connection->outbox);
    free_list(connection, &connection->waiting);
    free_list(connection, &connection->open);
    free_list(connection, &connection->finished);
    free_list(connection, &connection->collected);
    free_list(connection, &connection->lingering);
    mvn_free(connection->origin_text);
    mvn_free(connection);
}

void mvn_connection_unref(void *context, mvn_call *call)
{
    mvn_connection *connection = context;
    if (--call->refs == 0) {
        /* The caller's own reference is the last but in this list. */
        mvn_call_list_remove(&connection->lingering, call);
        free_call(connection, call);
    }
}

/* ---- how calls end ---- */

void mvn_connection_finish(mvn_connection *connection, mvn_call *call, mvn_grpc_code code,
                           const char *text)
{
    mvn_call_list_remove(call->state == MVN_CALL_WAITING ? &connection->waiting : &connection->open,
                         call);
    mvn_call_list_append(&connection->finished, call);
    call->state = MVN_CALL_FINISHED;
    call->sent |= call->message_out;
    call->code = code;
    if (code != MVN_GRPC_OK && text[0] == '\0') {
        call->text = call->reply.status_text;
        mvn_buffer_init(&call->reply.status_text);
    } else if (mvn_buffer_append(&call->text, text, strlen(text)) != MVN_OK) {
        /* The code says enough. */
        mvn_buffer_reset(&call->text);
    }
}

void mvn_connection_drain(mvn_connection *connection)
{
    if (connection->state == MVN_CONNECTION_OPEN) {
        connection->state = MVN_CONNECTION_DRAINING;
    }
    while (connection->waiting.first != NULL) {
        mvn_connection_finish(connection, connection->waiting.first, MVN_GRPC_UNAVAILABLE,
                              connection->error);
    }
}

void mvn_connection_close(mvn_connection *connection, mvn_status failure, const char *text)
{
    if (connection->state == MVN_CONNECTION_CLOSED) {
        return;
    }
    /* A GOAWAY explains the end better than the end itself. */
    if (!connection->goaway_came) {
        (void)snprintf(connection->error, sizeof(connection->error), "%s", text);
    }
    mvn_connection_drain(connection);
    connection->state = MVN_CONNECTION_CLOSED;
    connection->failure = failure;
    while (connection->open.first != NULL) {
        mvn_connection_finish(connection, connection->open.first, MVN_GRPC_UNAVAILABLE,
                              connection->error);
    }
}

static void close_broken(mvn_connection *connection, mvn_status failure)
{
    char text[MVN_CONNECTION_ERROR_ROOM];
    if (failure == MVN_ENOMEM) {
        mvn_connection_close(connection, failure, "the connection ran out of memory");
        return;
    }
    (void)snprintf(text, sizeof(text), "the server breaks HTTP/2 (%s)",
                   connection->complaint[0] == '\0' ? "protocol error" : connection->complaint);
    mvn_connection_close(connection, failure, text);
}

void mvn_connection_lost(mvn_connection *connection, const char *text)
{
    mvn_connection_close(connection, MVN_ETRUNCATED, text);
}

static mvn_call *find(const mvn_call_list *list, uint64_t id)
{
    /* Young calls are cancelled more often than old ones. */
    mvn_call *call = list->last;
    while (call != NULL && call->id != id) {
        call = call->previous;
    }
    return call;
}

bool mvn_connection_cancel(mvn_connection *connection, uint64_t id, mvn_grpc_code code,
                           const char *text)
{
    mvn_call *call = find(&connection->open, id);
    if (call == NULL) {
        call = find(&connection->waiting, id);
    }
    if (call == NULL) {
        return false;
    }
    mvn_session_reset(connection, call, NGHTTP2_CANCEL);
    mvn_connection_finish(connection, call, code, text);
    return true;
}

mvn_call *mvn_connection_finished(mvn_connection *connection)
{
    mvn_call *call = connection->finished.first;
    if (call != NULL) {
        mvn_call_list_remove(&connection->finished, call);
        mvn_call_list_append(&connection->collected, call);
    }
    return call;
}

void mvn_connection_return(mvn_connection *connection, mvn_call *call)
{
    mvn_call_list_remove(&connection->collected, call);
    mvn_call_list_append(&connection->lingering, call);
    mvn_connection_unref(connection, call);
}

void mvn_connection_put_back(mvn_connection *connection, mvn_call *call)
{
    mvn_call_list_remove(&connection->collected, call);
    mvn_call_list_prepend(&connection->finished, call);
}

/* ---- calls begin ---- */

mvn_status mvn_connection_submit(mvn_connection *connection, const mvn_call_request *request,
                                 uint64_t *id, mvn_error *error)
{
    mvn_request_head head = {
        .path = request->path,
        .timeout = request->timeout,
        .metadata = request->metadata,
        .metadata_count = request->metadata_count,
    };
    mvn_call *call;

    if (connection->state != MVN_CONNECTION_OPEN) {
        return mvn_fail(error, MVN_ERANGE, "%s", connection->error);
    }
    mvn_status status = mvn_call_new(&connection->config.origin, &head,
                                     connection->config.limits.max_header_list, request->message,
                                     request->message_count, &call, error);
    if (status != MVN_OK) {
        return status;
    }
    call->id = ++connection->last_id;
    call->user = request->user;
    call->deadline = request->deadline;
    mvn_call_list_append(&connection->waiting, call);
    *id = call->id;
    return MVN_OK;
}

static uint32_t max_streams(const mvn_connection *connection)
{
    return nghttp2_session_get_remote_settings(connection->session,
                                               NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

/* Puts as many waiting calls on streams as may be there. */
static void start_waiting(mvn_connection *connection)
{
    uint32_t allowed = max_streams(connection);
    size_t limit = allowed < MVN_MAX_OPEN_CALLS ? allowed : MVN_MAX_OPEN_CALLS;
    while (connection->waiting.first != NULL && connection->state == MVN_CONNECTION_OPEN &&
           connection->open.count < limit) {
        mvn_call *call = connection->waiting.first;
        switch (mvn_session_start(connection, call)) {
        case MVN_OK:
            mvn_call_list_remove(&connection->waiting, call);
            mvn_call_list_append(&connection->open, call);
            call->state = MVN_CALL_OPEN;
            break;
        case MVN_ENOMEM:
            mvn_connection_finish(connection, call, MVN_GRPC_RESOURCE_EXHAUSTED,
                                  "there is not enough memory to send the call");
            break;
        default:
            (void)snprintf(connection->error, sizeof(connection->error),
                           "the connection has used up its streams");
            mvn_connection_drain(connection);
            break;
        }
    }
}

/* ---- bytes ---- */

size_t mvn_connection_pull(mvn_connection *connection)
{
    if (connection->waiting.first != NULL) {
        start_waiting(connection);
    }
    if (connection->session_dead) {
        return connection->outbox.size;
    }
    mvn_status status = mvn_session_pull(connection);
    if (status != MVN_OK) {
        connection->session_dead = true;
        close_broken(connection, status);
    } else if (!nghttp2_session_want_read(connection->session) &&
               !nghttp2_session_want_write(connection->session)) {
        /* Drained after a GOAWAY of the server's, or we have sent one. */
        close_broken(connection, connection->goaway_came && connection->open.count == 0
                                     ? MVN_OK
                                     : MVN_EFORMAT);
    }
    return connection->outbox.size;
}

size_t mvn_connection_peek(const mvn_connection *connection, mvn_chunk *chunks, size_t max)
{
    return mvn_outbox_peek(&connection->outbox, chunks, max);
}

void mvn_connection_consume(mvn_connection *connection, size_t size)
{
    connection->bytes_sent += size;
    mvn_outbox_consume(&connection->outbox, size, mvn_connection_unref, connection);
}

/* Servers of other kinds answer in their own language: tells them by their first bytes. */
static const char *foreign_protocol(mvn_connection *connection, const uint8_t *data, size_t size)
{
    uint8_t *first = connection->first_bytes;
    while (size != 0 && connection->first_count < sizeof(connection->first_bytes)) {
        first[connection->first_count++] = *data++;
        size--;
    }
    if (connection->first_count >= 2 && first[0] == 0x15 && first[1] == 0x03) {
        return "the server speaks TLS on this port; use an https:// address";
    }
    if (connection->first_count == sizeof(connection->first_bytes) &&
        memcmp(first, "HTTP/", sizeof(connection->first_bytes)) == 0) {
        return "the server speaks HTTP/1 on this port, not gRPC over HTTP/2";
    }
    return NULL;
}

mvn_status mvn_connection_receive(mvn_connection *connection, const void *data, size_t size)
{
    if (connection->state == MVN_CONNECTION_CLOSED) {
        return connection->failure;
    }
    connection->bytes_received += size;
    mvn_keepalive_heard(&connection->keepalive, false);
    if (connection->first_count < sizeof(connection->first_bytes)) {
        const char *foreign = foreign_protocol(connection, data, size);
        if (foreign != NULL) {
            mvn_connection_close(connection, MVN_EFORMAT, foreign);
            return MVN_EFORMAT;
        }
    }
    ssize_t taken = nghttp2_session_mem_recv(connection->session, data, size);
    if (taken < 0) {
        if (connection->complaint[0] == '\0') {
            (void)snprintf(connection->complaint, sizeof(connection->complaint), "%s",
                           nghttp2_strerror((int)taken));
        }
        connection->session_dead = true;
        close_broken(connection, taken == NGHTTP2_ERR_NOMEM ? MVN_ENOMEM : MVN_EFORMAT);
        return connection->failure;
    }
    /* Answers (SETTINGS and PING acknowledgements, window updates) are framed at once, and so is
     * the GOAWAY with which nghttp2 reacts to an offence: this is where it shows. */
    (void)mvn_connection_pull(connection);
    return connection->state == MVN_CONNECTION_CLOSED ? connection->failure : MVN_OK;
}

mvn_status mvn_connection_ping(mvn_connection *connection)
{
    int result = nghttp2_submit_ping(connection->session, NGHTTP2_FLAG_NONE, NULL);
    return result == 0 ? MVN_OK : MVN_ENOMEM;
}

/* ---- time ---- */

static int64_t expire(mvn_connection *connection, const mvn_call_list *list, int64_t now,
                      int64_t next)
{
    mvn_call *call = list->first;
    while (call != NULL) {
        mvn_call *following = call->next;
        if (call->deadline <= now) {
            mvn_session_reset(connection, call, NGHTTP2_CANCEL);
            mvn_connection_finish(connection, call, MVN_GRPC_DEADLINE_EXCEEDED,
                                  "Deadline Exceeded");
        } else if (call->deadline < next) {
            next = call->deadline;
        }
        call = following;
    }
    return next;
}

int64_t mvn_connection_tick(mvn_connection *connection, int64_t now)
{
    int64_t next;
    bool calls = connection->open.count + connection->waiting.count != 0;

    if (connection->state == MVN_CONNECTION_CLOSED) {
        return MVN_NEVER;
    }
    switch (mvn_keepalive_look(&connection->keepalive, now, calls, &next)) {
    case MVN_KEEPALIVE_PING:
        if (mvn_connection_ping(connection) != MVN_OK) {
            close_broken(connection, MVN_ENOMEM);
        }
        break;
    case MVN_KEEPALIVE_DEAD:
        mvn_connection_close(connection, MVN_ETRUNCATED,
                             "the server stopped answering (no reply to a PING)");
        return MVN_NEVER;
    case MVN_KEEPALIVE_IDLE:
        break;
    }
    next = expire(connection, &connection->open, now, next);
    return expire(connection, &connection->waiting, now, next);
}

/* ---- looking ---- */

mvn_connection_state mvn_connection_get_state(const mvn_connection *connection)
{
    return connection->state;
}

const char *mvn_connection_error(const mvn_connection *connection)
{
    return connection->error;
}

mvn_connection_stats mvn_connection_get_stats(const mvn_connection *connection)
{
    return (mvn_connection_stats){
        .open = connection->open.count,
        .waiting = connection->waiting.count,
        .finished = connection->finished.count,
        .max_streams = max_streams(connection),
        .settings_came = connection->settings_came,
        .goaway_came = connection->goaway_came,
        .goaway_code = connection->goaway_code,
        .pings_answered = connection->pings_answered,
        .bytes_sent = connection->bytes_sent,
        .bytes_received = connection->bytes_received,
    };
}
