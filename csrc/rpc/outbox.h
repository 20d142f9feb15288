/* Bytes on their way to the socket: frame headers and small payloads in memory of its own, large
 * payloads where the caller has them.
 *
 * A call is kept alive (a reference) while bytes of its message are in the outbox. Appending is all
 * or nothing. Not thread-safe. */
#ifndef MVN_RPC_OUTBOX_H
#define MVN_RPC_OUTBOX_H

#include "../core/buffer.h"
#include "../core/wire.h"
#include "call.h"

/* Payloads smaller than this are copied: gathering them costs more than the copy. */
#define MVN_OUTBOX_COPY ((size_t)8192)

/* A run of bytes to send. `call` is the call whose message they belong to, or NULL if they are the
 * outbox's own. */
typedef struct {
    mvn_span span;
    mvn_call *call;
} mvn_chunk;

typedef struct mvn_segment mvn_segment;

typedef struct {
    mvn_buffer bytes;      /* memory of its own */
    mvn_segment *segments; /* in sending order; [head, count) are left */
    size_t head;
    size_t count;
    size_t capacity;
    size_t size;           /* bytes left to send */
} mvn_outbox;

void mvn_outbox_init(mvn_outbox *outbox);

/* Frees its memory. No call may be left in it; see mvn_outbox_drop. */
void mvn_outbox_reset(mvn_outbox *outbox);

/* Appends a copy. */
MVN_MUST_CHECK mvn_status mvn_outbox_copy(mvn_outbox *outbox, const void *data, size_t size);

/* Appends bytes of the call's message, by reference. Takes a reference to the call. */
MVN_MUST_CHECK mvn_status mvn_outbox_refer(mvn_outbox *outbox, mvn_span bytes, mvn_call *call);

/* Marks the place where the call's message ends: when everything before it has been sent,
 * call->message_out becomes true. Takes a reference to the call. */
MVN_MUST_CHECK mvn_status mvn_outbox_mark(mvn_outbox *outbox, mvn_call *call);

/* Stores the first runs, up to `max`, in `chunks` and returns how many. They stay valid until the
 * outbox is next changed. */
size_t mvn_outbox_peek(const mvn_outbox *outbox, mvn_chunk *chunks, size_t max);

/* Forgets the first `size` bytes, sent; `size` is at most outbox->size. Gives back the references of
 * the calls that are through with `release(context, call)`. */
void mvn_outbox_consume(mvn_outbox *outbox, size_t size,
                        void (*release)(void *context, mvn_call *call), void *context);

/* Forgets everything, unsent: like consuming it, but no message counts as out. */
void mvn_outbox_drop(mvn_outbox *outbox, void (*release)(void *context, mvn_call *call),
                     void *context);

#endif
