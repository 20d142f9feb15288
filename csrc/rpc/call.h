/* One unary call: its request while it goes out, its reply while it comes in, and how it ended.
 *
 * Calls are made and driven by a connection (connection.h); those outside read a finished one. */
#ifndef MVN_RPC_CALL_H
#define MVN_RPC_CALL_H

#include "reply.h"
#include "request_headers.h"

typedef enum {
    MVN_CALL_WAITING, /* no stream yet: nothing of it was sent */
    MVN_CALL_OPEN,    /* on a stream */
    MVN_CALL_FINISHED
} mvn_call_state;

typedef struct mvn_call mvn_call;

struct mvn_call {
    /* For those outside, once it has finished. */
    uint64_t id;        /* unique on its connection */
    void *user;         /* as submitted */
    mvn_grpc_code code;
    mvn_buffer text;    /* why it failed: the server's words, or ours; UTF-8 unless the server erred */
    mvn_reply reply;    /* metadata and message */
    /* False if the server cannot have acted on the call, so that it may be repeated safely: not all
     * of the message was handed out, or the server said that it did not look at it. */
    bool sent;

    /* For the connection. */
    mvn_call *previous;
    mvn_call *next;
    mvn_call_state state;
    unsigned refs;
    int32_t stream_id;  /* 0 while waiting */
    int64_t deadline;   /* MVN_NEVER: none */
    bool message_out;   /* the last byte of the message has been handed out */
    bool reset;         /* RST_STREAM was asked for */
    nghttp2_nv *headers;
    size_t header_count;
    uint8_t prefix[5];  /* before the message: flags and size */
    size_t unframed;    /* bytes of prefix and message that are not in a frame yet */
    size_t part;        /* where the next frame begins: parts[part] ... */
    size_t part_offset; /* ... at this byte */
    size_t part_count;
    mvn_span *parts;    /* parts[0] is the prefix; the others belong to the caller */
};

/* A call with one reference, its parts and headers in one block. The metadata and path are copied,
 * the message is not. MVN_EFORMAT, MVN_ETOOBIG or MVN_ENOMEM with a text. */
MVN_MUST_CHECK mvn_status mvn_call_new(const mvn_request_origin *origin,
                                       const mvn_request_head *head, size_t max_header_list,
                                       const mvn_span *message, size_t message_count,
                                       mvn_call **call, mvn_error *error);

/* Frees the call, its reply included, whatever its references. */
void mvn_call_free(mvn_call *call, const mvn_reply_limits *limits);

/* The next bytes to frame, at most `limit` and at least one: a run that lies in one piece. Only
 * while call->unframed is not 0. Moves the call's position past them. */
mvn_span mvn_call_next_bytes(mvn_call *call, size_t limit);

/* A doubly linked list, newest at the end. */
typedef struct {
    mvn_call *first;
    mvn_call *last;
    size_t count;
} mvn_call_list;

void mvn_call_list_append(mvn_call_list *list, mvn_call *call);
void mvn_call_list_prepend(mvn_call_list *list, mvn_call *call);
void mvn_call_list_remove(mvn_call_list *list, mvn_call *call);

#endif
