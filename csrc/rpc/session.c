#include "session.h"

#include <stdio.h>
#include <string.h>

#include "../core/mem.h"

#define MAX_RECEIVED_FRAME (256 * 1024)
#define MAX_SENT_FRAME ((size_t)64 * 1024)
/* A block this many times the limit of one call breaks the connection: it cannot be an accident. */
#define HEADER_BLOCK_FACTOR 16

/* ---- memory ---- */

static void *take_memory(size_t size, void *unused)
{
    (void)unused;
    return mvn_malloc_array(size, 1);
}

static void give_memory(void *block, void *unused)
{
    (void)unused;
    mvn_free(block);
}

static void *take_zeroed_memory(size_t count, size_t size, void *unused)
{
    (void)unused;
    void *block = mvn_malloc_array(count, size);
    if (block != NULL && count != 0 && size != 0) {
        memset(block, 0, count * size);
    }
    return block;
}

static void *resize_memory(void *block, size_t size, void *unused)
{
    (void)unused;
    return mvn_realloc_array(block, size, 1);
}

/* ---- sending ---- */

static ssize_t read_message(nghttp2_session *session, int32_t stream_id, uint8_t *buffer,
                            size_t length, uint32_t *data_flags, nghttp2_data_source *source,
                            void *user_data)
{
    (void)session, (void)stream_id, (void)buffer, (void)user_data;
    const mvn_call *call = source->ptr;
    *data_flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (call->unframed <= length) {
        *data_flags |= NGHTTP2_DATA_FLAG_EOF;
        return (ssize_t)call->unframed;
    }
    return (ssize_t)length;
}

static int send_message(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *frame_header,
                        size_t length, nghttp2_data_source *source, void *user_data)
{
    (void)session, (void)frame;
    mvn_connection *connection = user_data;
    mvn_outbox *outbox = &connection->outbox;
    mvn_call *call = source->ptr;
    const size_t frame_header_size = 9;
    mvn_status status = mvn_outbox_copy(outbox, frame_header, frame_header_size);

    while (length != 0 && status == MVN_OK) {
        mvn_span run = mvn_call_next_bytes(call, length);
        length -= run.size;
        status = run.size < MVN_OUTBOX_COPY ? mvn_outbox_copy(outbox, run.data, run.size)
                                            : mvn_outbox_refer(outbox, run, call);
    }
    if (status == MVN_OK && call->unframed == 0) {
        status = mvn_outbox_mark(outbox, call);
    }
    if (status != MVN_OK) {
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    return outbox->size < connection->config.send_batch ? 0 : NGHTTP2_ERR_PAUSE;
}

static ssize_t choose_frame_size(nghttp2_session *session, uint8_t frame_type, int32_t stream_id,
                                 int32_t session_window, int32_t stream_window,
                                 uint32_t max_frame_size, void *user_data)
{
    (void)session, (void)frame_type, (void)stream_id, (void)user_data;
    size_t size = max_frame_size < MAX_SENT_FRAME ? max_frame_size : MAX_SENT_FRAME;
    int32_t window = session_window < stream_window ? session_window : stream_window;
    return window < (int32_t)size ? window : (ssize_t)size;
}

mvn_status mvn_session_start(mvn_connection *connection, mvn_call *call)
{
    nghttp2_data_provider provider = {.source = {.ptr = call}, .read_callback = read_message};
    int32_t id = nghttp2_submit_request(connection->session, NULL, call->headers,
                                        call->header_count, &provider, call);
    if (id < 0) {
        return id == NGHTTP2_ERR_NOMEM ? MVN_ENOMEM : MVN_ERANGE;
    }
    call->stream_id = id;
    call->refs++; /* the stream's; given back in on_stream_close */
    return MVN_OK;
}

void mvn_session_reset(mvn_connection *connection, mvn_call *call, uint32_t error_code)
{
    if (call->stream_id == 0 || call->reset) {
        return;
    }
    call->reset = true;
    /* Without memory the stream lives on unheeded, until the server ends it. */
    (void)nghttp2_submit_rst_stream(connection->session, NGHTTP2_FLAG_NONE, call->stream_id,
                                    error_code);
}

mvn_status mvn_session_pull(mvn_connection *connection)
{
    mvn_outbox *outbox = &connection->outbox;
    while (outbox->size < connection->config.send_batch) {
        const uint8_t *data;
        ssize_t size = nghttp2_session_mem_send(connection->session, &data);
        if (size < 0) {
            return size == NGHTTP2_ERR_NOMEM || size == NGHTTP2_ERR_CALLBACK_FAILURE ? MVN_ENOMEM
                                                                                     : MVN_EFORMAT;
        }
        if (size == 0) {
            break;
        }
        mvn_status status = mvn_outbox_copy(outbox, data, (size_t)size);
        if (status != MVN_OK) {
            return status;
        }
    }
    return MVN_OK;
}

/* ---- receiving ---- */

/* The call of a stream, or NULL if nobody waits for it any more. */
static mvn_call *live_call(nghttp2_session *session, int32_t stream_id)
{
    mvn_call *call = nghttp2_session_get_stream_user_data(session, stream_id);
    return call != NULL && call->state == MVN_CALL_OPEN ? call : NULL;
}

static void fail_call(mvn_connection *connection, mvn_call *call, const mvn_outcome *outcome)
{
    mvn_session_reset(connection, call, NGHTTP2_CANCEL);
    mvn_connection_finish(connection, call, outcome->code, outcome->text);
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    mvn_connection *connection = user_data;
    mvn_call *call = live_call(session, frame->hd.stream_id);
    connection->header_block = 0;
    mvn_keepalive_heard(&connection->keepalive, true);
    if (call != NULL) {
        call->sent = true;
        mvn_reply_begin_headers(&call->reply);
    }
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags,
                     void *user_data)
{
    (void)flags;
    mvn_connection *connection = user_data;
    const mvn_reply_limits *limits = &connection->config.limits;
    mvn_call *call = live_call(session, frame->hd.stream_id);
    mvn_outcome outcome;

    connection->header_block += name_size + value_size + 32;
    if (connection->header_block / HEADER_BLOCK_FACTOR > limits->max_header_list) {
        (void)snprintf(connection->complaint, sizeof(connection->complaint),
                       "a header block of more than %zu bytes", connection->header_block);
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    if (call != NULL &&
        !mvn_reply_header(&call->reply, limits, (mvn_span){name, name_size},
                          (mvn_span){value, value_size}, &outcome)) {
        fail_call(connection, call, &outcome);
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *data,
                   size_t size, void *user_data)
{
    (void)flags;
    mvn_connection *connection = user_data;
    mvn_call *call = live_call(session, stream_id);
    mvn_outcome outcome;

    mvn_keepalive_heard(&connection->keepalive, true);
    if (call != NULL &&
        !mvn_reply_data(&call->reply, &connection->config.limits, data, size, &outcome)) {
        fail_call(connection, call, &outcome);
    }
    return 0;
}

static void end_call(mvn_connection *connection, mvn_call *call)
{
    mvn_outcome outcome = {.code = MVN_GRPC_OK};
    if (call->unframed != 0) {
        /* An early reply: the rest of the message is not wanted. */
        mvn_session_reset(connection, call, NGHTTP2_NO_ERROR);
    }
    (void)mvn_reply_end(&call->reply, &outcome);
    mvn_connection_finish(connection, call, outcome.code, outcome.text);
}

static void note_goaway(mvn_connection *connection, const nghttp2_goaway *frame)
{
    char said[96];
    size_t size = frame->opaque_data_len < sizeof(said) - 1 ? frame->opaque_data_len
                                                            : sizeof(said) - 1;
    for (size_t i = 0; i < size; i++) {
        uint8_t c = frame->opaque_data[i];
        said[i] = c >= 0x20 && c <= 0x7e ? (char)c : '?';
    }
    said[size] = '\0';
    connection->goaway_came = true;
    connection->goaway_code = frame->error_code;
    (void)snprintf(connection->error, sizeof(connection->error),
                   "the server closes the connection (GOAWAY %s%s%s)",
                   mvn_h2_error_name(frame->error_code), size == 0 ? "" : ": ", said);
    mvn_connection_drain(connection);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    mvn_connection *connection = user_data;
    mvn_call *call;
    mvn_outcome outcome;

    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        call = live_call(session, frame->hd.stream_id);
        if (call != NULL && !mvn_reply_end_headers(&call->reply, &outcome)) {
            fail_call(connection, call, &outcome);
            break;
        }
        /* fall through */
    case NGHTTP2_DATA:
        call = live_call(session, frame->hd.stream_id);
        if (call != NULL && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
            end_call(connection, call);
        }
        break;
    case NGHTTP2_SETTINGS:
        connection->settings_came = true;
        break;
    case NGHTTP2_PING:
        connection->pings_answered += (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0;
        break;
    case NGHTTP2_GOAWAY:
        note_goaway(connection, &frame->goaway);
        break;
    default:
        break;
    }
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t error_code,
                           void *user_data)
{
    mvn_connection *connection = user_data;
    mvn_call *call = nghttp2_session_get_stream_user_data(session, stream_id);
    if (call == NULL) {
        return 0;
    }
    if (call->state == MVN_CALL_OPEN) {
        char text[MVN_CONNECTION_ERROR_ROOM];
        if (error_code == NGHTTP2_REFUSED_STREAM && !call->sent) {
            /* RST_STREAM, or GOAWAY with a lower last stream: the server promises that it did not
             * look at the call. One that has begun to answer has broken that promise. */
            call->message_out = false;
            (void)snprintf(text, sizeof(text), "%s",
                           connection->goaway_came ? connection->error
                                                   : "the server refused the stream");
        } else {
            (void)snprintf(text, sizeof(text), "the stream was reset (%s)",
                           mvn_h2_error_name(error_code));
        }
        mvn_connection_finish(connection, call, mvn_grpc_from_h2(error_code), text);
    }
    call->stream_id = 0;
    (void)nghttp2_session_set_stream_user_data(session, stream_id, NULL);
    mvn_connection_unref(connection, call);
    return 0;
}

static int on_complaint(nghttp2_session *session, int code, const char *text, size_t size,
                        void *user_data)
{
    (void)session, (void)code;
    mvn_connection *connection = user_data;
    int length = size < sizeof(connection->complaint) ? (int)size
                                                      : (int)sizeof(connection->complaint) - 1;
    for (int i = 0; i < length; i++) {
        connection->complaint[i] = text[i] >= 0x20 && text[i] <= 0x7e ? text[i] : '?';
    }
    connection->complaint[length] = '\0';
    return 0;
}

/* ---- set-up ---- */

static nghttp2_session_callbacks *make_callbacks(void)
{
    nghttp2_session_callbacks *callbacks;
    if (nghttp2_session_callbacks_new(&callbacks) != 0) {
        return NULL;
    }
    nghttp2_session_callbacks_set_send_data_callback(callbacks, send_message);
    nghttp2_session_callbacks_set_data_source_read_length_callback(callbacks, choose_frame_size);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_error_callback2(callbacks, on_complaint);
    return callbacks;
}

static int queue_settings(const mvn_connection *connection)
{
    const mvn_connection_config *config = &connection->config;
    size_t list = config->limits.max_header_list;
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, config->stream_window},
        {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, MAX_RECEIVED_FRAME},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, list > UINT32_MAX ? UINT32_MAX : (uint32_t)list},
    };
    int result = nghttp2_submit_settings(connection->session, NGHTTP2_FLAG_NONE, settings,
                                         sizeof(settings) / sizeof(settings[0]));
    if (result == 0) {
        result = nghttp2_session_set_local_window_size(connection->session, NGHTTP2_FLAG_NONE, 0,
                                                       (int32_t)config->connection_window);
    }
    return result;
}

mvn_status mvn_session_open(mvn_connection *connection)
{
    nghttp2_mem memory = {NULL, take_memory, give_memory, take_zeroed_memory, resize_memory};
    nghttp2_session_callbacks *callbacks = make_callbacks();
    nghttp2_option *option = NULL;
    mvn_status status = MVN_ENOMEM;

    if (callbacks == NULL || nghttp2_option_new(&option) != 0) {
        goto done;
    }
    nghttp2_option_set_no_closed_streams(option, 1);
    if (nghttp2_session_client_new3(&connection->session, callbacks, connection, option, &memory) ==
            0 &&
        queue_settings(connection) == 0) {
        status = MVN_OK;
    }
done:
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return status;
}
