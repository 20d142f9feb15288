/* The reply of one unary call: headers in, DATA in, one message and a status out.
 *
 * A reply knows nothing of streams and connections. A function that returns false has found the
 * call to have failed; `outcome` then says how, and nothing more may be fed. Not thread-safe. */
#ifndef MVN_RPC_REPLY_H
#define MVN_RPC_REPLY_H

#include <stdbool.h>

#include "../core/buffer.h"
#include "../core/wire.h"
#include "grpc_status.h"

/* Where the message of a reply is put. `allocate` returns `size` writable bytes (non-NULL also for
 * size 0) and stores in `*handle` what stands for them, or returns NULL when memory is out;
 * `release` frees what a handle stands for. Both are called from within the function that feeds
 * the reply, never later. */
typedef struct {
    uint8_t *(*allocate)(void *context, size_t size, void **handle);
    void (*release)(void *context, void *handle);
    void *context;
} mvn_reply_memory;

typedef struct {
    size_t max_message;     /* bytes of the message, after decompression; at most MVN_MAX_MESSAGE */
    size_t max_header_list; /* bytes of one header block: names, values and 32 for each pair */
    mvn_reply_memory memory;
} mvn_reply_limits;

typedef struct {
    mvn_grpc_code code;
    char text[192]; /* NUL-terminated, cut to fit */
} mvn_outcome;

typedef enum {
    MVN_ENCODING_NONE,   /* no grpc-encoding, or identity */
    MVN_ENCODING_ZLIB,   /* gzip or deflate */
    MVN_ENCODING_UNKNOWN /* something we never said we accept */
} mvn_encoding;

typedef struct {
    /* Headers and trailers. */
    int http_status;          /* 0 until it is known */
    bool headers_done;        /* the first block that is not informational is complete */
    bool is_grpc;             /* the content-type is application/grpc or one of its kin */
    char content_type[48];    /* NUL-terminated, cut to fit; for error texts */
    bool has_status;          /* a grpc-status has come */
    mvn_grpc_code status;
    mvn_buffer status_text;   /* grpc-message, percent-decoded */
    mvn_buffer metadata;      /* everything else; see metadata.h */
    mvn_encoding encoding;
    size_t header_list;       /* size of the block that is being read */
    /* The message. */
    uint8_t prefix[5];
    uint8_t prefix_size;
    bool compressed;
    bool complete;
    size_t size;              /* as the prefix says */
    size_t filled;
    uint8_t *data;            /* `size` bytes: of `handle`, or of `packed` if compressed */
    uint8_t *packed;          /* owned; compressed bytes */
    void *handle;             /* of mvn_reply_memory, or NULL */
    size_t message_size;      /* once complete */
} mvn_reply;

void mvn_reply_init(mvn_reply *reply);

/* Frees everything, also a message nobody took. */
void mvn_reply_reset(mvn_reply *reply, const mvn_reply_limits *limits);

/* A header block begins. An informational (1xx) block before it is forgotten. */
void mvn_reply_begin_headers(mvn_reply *reply);

/* One pair of the block. */
bool mvn_reply_header(mvn_reply *reply, const mvn_reply_limits *limits, mvn_span name,
                      mvn_span value, mvn_outcome *outcome);

/* A block has ended. After the first that is not informational: is this a gRPC response at all? */
bool mvn_reply_end_headers(mvn_reply *reply, mvn_outcome *outcome);

/* Payload of DATA frames, in pieces of any size. */
bool mvn_reply_data(mvn_reply *reply, const mvn_reply_limits *limits, const uint8_t *data,
                    size_t size, mvn_outcome *outcome);

/* The server has ended the stream. True if the call succeeded: there is one message, and the status
 * is OK. If it failed with a status of the server's own, outcome->text is empty and
 * reply->status_text holds the server's words. */
bool mvn_reply_end(mvn_reply *reply, mvn_outcome *outcome);

/* Hands the message's handle over to the caller, who releases it. Only after mvn_reply_end said
 * true. */
void *mvn_reply_take_message(mvn_reply *reply);

/* Fills `outcome`. */
void mvn_outcome_set(mvn_outcome *outcome, mvn_grpc_code code, const char *format, ...)
    MVN_PRINTF(3, 4);

#endif
