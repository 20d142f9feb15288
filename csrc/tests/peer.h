/* The other end of a connection, for the tests of the engine: a server of nghttp2's, in memory, that
 * remembers what it was asked and says what a test tells it to. */
#ifndef MVN_TESTS_PEER_H
#define MVN_TESTS_PEER_H

#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>

#include "../rpc/connection.h"

#define PEER_STREAMS 600

typedef struct {
    int32_t id;
    char path[64];
    char metadata[512]; /* "name=value\n" of all headers */
    uint8_t *body;      /* the message with its prefix */
    size_t size;
    bool ended;         /* END_STREAM has come */
    bool closed;
    uint32_t reset;     /* error code it was closed with */
    /* What is being answered. */
    const uint8_t *reply;
    size_t reply_size;
    const char *status;
    const char *message;
} peer_stream;

typedef struct {
    nghttp2_session *session;
    peer_stream streams[PEER_STREAMS];
    size_t count;
    int pings;
    bool goaway;        /* the client has said GOAWAY */
    uint32_t goaway_code;
    bool broken;        /* the client broke HTTP/2 */
} peer;

static inline peer_stream *peer_find(peer *p, int32_t id)
{
    for (size_t i = p->count; i-- > 0;) {
        if (p->streams[i].id == id) {
            return &p->streams[i];
        }
    }
    return NULL;
}

static inline int peer_on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame,
                                        void *user)
{
    (void)session;
    peer *p = user;
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST && p->count < PEER_STREAMS) {
        p->streams[p->count++].id = frame->hd.stream_id;
    }
    return 0;
}

static inline int peer_on_header(nghttp2_session *session, const nghttp2_frame *frame,
                                 const uint8_t *name, size_t name_size, const uint8_t *value,
                                 size_t value_size, uint8_t flags, void *user)
{
    (void)session, (void)flags;
    peer_stream *stream = peer_find(user, frame->hd.stream_id);
    if (stream != NULL) {
        size_t used = strlen(stream->metadata);
        snprintf(stream->metadata + used, sizeof(stream->metadata) - used, "%.*s=%.*s\n",
                 (int)name_size, (const char *)name, (int)value_size, (const char *)value);
        if (name_size == 5 && memcmp(name, ":path", 5) == 0) {
            snprintf(stream->path, sizeof(stream->path), "%.*s", (int)value_size,
                     (const char *)value);
        }
    }
    return 0;
}

static inline int peer_on_data(nghttp2_session *session, uint8_t flags, int32_t id,
                               const uint8_t *data, size_t size, void *user)
{
    (void)session, (void)flags;
    peer_stream *stream = peer_find(user, id);
    if (stream != NULL) {
        stream->body = realloc(stream->body, stream->size + size);
        memcpy(stream->body + stream->size, data, size);
        stream->size += size;
    }
    return 0;
}

static inline int peer_on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    (void)session;
    peer *p = user;
    peer_stream *stream = peer_find(p, frame->hd.stream_id);
    if (stream != NULL && (frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) &&
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) {
        stream->ended = true;
    }
    if (frame->hd.type == NGHTTP2_PING && !(frame->hd.flags & NGHTTP2_FLAG_ACK)) {
        p->pings++;
    }
    if (frame->hd.type == NGHTTP2_GOAWAY) {
        p->goaway = true;
        p->goaway_code = frame->goaway.error_code;
    }
    return 0;
}

static inline int peer_on_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
    (void)session;
    peer_stream *stream = peer_find(user, id);
    if (stream != NULL) {
        stream->closed = true;
        stream->reset = code;
    }
    return 0;
}

static inline int peer_on_invalid(nghttp2_session *session, const nghttp2_frame *frame, int code,
                                  void *user)
{
    (void)session, (void)frame, (void)code;
    ((peer *)user)->broken = true;
    return 0;
}

/* A server; `settings` may be NULL. */
static inline peer *peer_new(const nghttp2_settings_entry *settings, size_t count)
{
    peer *p = calloc(1, sizeof(*p));
    nghttp2_session_callbacks *callbacks;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, peer_on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, peer_on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, peer_on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, peer_on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, peer_on_close);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, peer_on_invalid);
    nghttp2_session_server_new(&p->session, callbacks, p);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(p->session, NGHTTP2_FLAG_NONE, settings, count);
    return p;
}

static inline void peer_free(peer *p)
{
    nghttp2_session_del(p->session);
    for (size_t i = 0; i < p->count; i++) {
        free(p->streams[i].body);
    }
    free(p);
}

#define PEER_NV(name, value)                                                                      \
    {(uint8_t *)(uintptr_t)(name), (uint8_t *)(uintptr_t)(value), strlen(name), strlen(value),    \
     NGHTTP2_NV_FLAG_NONE}

static inline ssize_t peer_read(nghttp2_session *session, int32_t id, uint8_t *out, size_t room,
                                uint32_t *flags, nghttp2_data_source *source, void *user)
{
    (void)user;
    peer_stream *stream = source->ptr;
    size_t size = stream->reply_size < room ? stream->reply_size : room;
    memcpy(out, stream->reply, size);
    stream->reply += size;
    stream->reply_size -= size;
    if (stream->reply_size == 0) {
        nghttp2_nv trailers[2] = {
            PEER_NV("grpc-status", stream->status),
            PEER_NV("grpc-message", stream->message == NULL ? "" : stream->message)};
        *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
        nghttp2_submit_trailer(session, id, trailers, stream->message == NULL ? 1 : 2);
    }
    return (ssize_t)size;
}

/* Answers the stream with headers, `reply` (a message with its prefix, which must live on) and a
 * status. */
static inline void peer_answer(peer *p, peer_stream *stream, const void *reply, size_t size,
                               const char *status, const char *message)
{
    nghttp2_nv headers[2] = {PEER_NV(":status", "200"),
                             PEER_NV("content-type", "application/grpc")};
    nghttp2_data_provider provider = {.source = {.ptr = stream}, .read_callback = peer_read};
    stream->reply = reply;
    stream->reply_size = size;
    stream->status = status;
    stream->message = message;
    nghttp2_submit_response(p->session, stream->id, headers, 2, &provider);
}

/* Answers with one header block that ends the stream. */
static inline void peer_answer_headers(peer *p, peer_stream *stream, const nghttp2_nv *headers,
                                       size_t count)
{
    nghttp2_submit_response(p->session, stream->id, headers, count, NULL);
}

/* Everything the server has to say, in a block the caller frees. */
static inline uint8_t *peer_take(peer *p, size_t *size)
{
    uint8_t *all = NULL;
    *size = 0;
    for (;;) {
        const uint8_t *data;
        ssize_t n = nghttp2_session_mem_send(p->session, &data);
        if (n <= 0) {
            return all;
        }
        all = realloc(all, *size + (size_t)n);
        memcpy(all + *size, data, (size_t)n);
        *size += (size_t)n;
    }
}

/* Moves what the client has to say to the server, at most `step` bytes at a time. */
static inline bool peer_feed(peer *p, mvn_connection *client, size_t step)
{
    bool moved = false;
    mvn_chunk chunks[8];
    while (mvn_connection_pull(client) != 0) {
        size_t n = mvn_connection_peek(client, chunks, 8);
        size_t sent = 0;
        for (size_t i = 0; i < n && (sent == 0 || step > chunks[i].span.size); i++) {
            size_t size = chunks[i].span.size < step ? chunks[i].span.size : step;
            ssize_t taken = nghttp2_session_mem_recv(p->session, chunks[i].span.data, size);
            if (taken < 0) {
                p->broken = true;
                return false;
            }
            sent += size;
            if (size < chunks[i].span.size) {
                break;
            }
        }
        mvn_connection_consume(client, sent);
        moved = true;
    }
    return moved;
}

/* Lets both talk until neither has anything to say; the server's bytes arrive in pieces of `step`.
 * Returns the client's verdict. */
static inline mvn_status peer_talk(peer *p, mvn_connection *client, size_t step)
{
    mvn_status status = MVN_OK;
    for (;;) {
        size_t size;
        bool moved = peer_feed(p, client, step);
        uint8_t *data = peer_take(p, &size);
        for (size_t at = 0; at < size && status == MVN_OK; at += step) {
            status = mvn_connection_receive(client, data + at, size - at < step ? size - at : step);
        }
        free(data);
        if (status != MVN_OK || (!moved && size == 0)) {
            return status;
        }
    }
}

#endif
