#include "outbox.h"

#include <string.h>

#include "../core/mem.h"

#define FIRST_SEGMENTS 16
#define COMPACT_FROM ((size_t)64 * 1024)

/* Of the outbox's own bytes (no call), of a call's message, or a mark (a call, size 0). */
struct mvn_segment {
    const uint8_t *data; /* of a call's message */
    size_t offset;       /* in outbox->bytes */
    size_t size;
    mvn_call *call;
};

void mvn_outbox_init(mvn_outbox *outbox)
{
    memset(outbox, 0, sizeof(*outbox));
    mvn_buffer_init(&outbox->bytes);
}

void mvn_outbox_reset(mvn_outbox *outbox)
{
    mvn_buffer_reset(&outbox->bytes);
    mvn_free(outbox->segments);
    mvn_outbox_init(outbox);
}

/* Room for one more segment; NULL when memory is out. */
static mvn_segment *next_segment(mvn_outbox *outbox)
{
    if (outbox->count == outbox->capacity) {
        size_t capacity = outbox->capacity == 0 ? FIRST_SEGMENTS : outbox->capacity * 2;
        mvn_segment *segments =
            mvn_realloc_array(outbox->segments, capacity, sizeof(mvn_segment));
        if (segments == NULL) {
            return NULL;
        }
        outbox->segments = segments;
        outbox->capacity = capacity;
    }
    return &outbox->segments[outbox->count];
}

/* Moves what is left to the front, once the sent part has become large. */
static void compact(mvn_outbox *outbox)
{
    size_t sent = outbox->bytes.size;
    for (size_t i = outbox->head; i < outbox->count; i++) {
        if (outbox->segments[i].call == NULL) {
            sent = outbox->segments[i].offset;
            break;
        }
    }
    if (sent >= COMPACT_FROM && sent >= outbox->bytes.size / 2) {
        outbox->bytes.size -= sent;
        memmove(outbox->bytes.data, outbox->bytes.data + sent, outbox->bytes.size);
        for (size_t i = outbox->head; i < outbox->count; i++) {
            outbox->segments[i].offset -= outbox->segments[i].call == NULL ? sent : 0;
        }
    }
    if (outbox->head >= FIRST_SEGMENTS && outbox->head >= outbox->count / 2) {
        outbox->count -= outbox->head;
        memmove(outbox->segments, outbox->segments + outbox->head,
                outbox->count * sizeof(mvn_segment));
        outbox->head = 0;
    }
}

mvn_status mvn_outbox_copy(mvn_outbox *outbox, const void *data, size_t size)
{
    if (size == 0) {
        return MVN_OK;
    }
    compact(outbox);
    mvn_status status = mvn_buffer_reserve(&outbox->bytes, size);
    if (status != MVN_OK) {
        return status;
    }
    mvn_segment *last =
        outbox->count > outbox->head ? &outbox->segments[outbox->count - 1] : NULL;
    if (last != NULL && last->call == NULL) {
        /* Runs of its own bytes that follow each other lie next to each other. */
        last->size += size;
    } else {
        mvn_segment *segment = next_segment(outbox);
        if (segment == NULL) {
            return MVN_ENOMEM;
        }
        *segment = (mvn_segment){.offset = outbox->bytes.size, .size = size};
        outbox->count++;
    }
    memcpy(outbox->bytes.data + outbox->bytes.size, data, size);
    outbox->bytes.size += size;
    outbox->size += size;
    return MVN_OK;
}

mvn_status mvn_outbox_refer(mvn_outbox *outbox, mvn_span bytes, mvn_call *call)
{
    mvn_segment *segment = next_segment(outbox);
    if (segment == NULL) {
        return MVN_ENOMEM;
    }
    *segment = (mvn_segment){.data = bytes.data, .size = bytes.size, .call = call};
    outbox->count++;
    outbox->size += bytes.size;
    call->refs++;
    return MVN_OK;
}

mvn_status mvn_outbox_mark(mvn_outbox *outbox, mvn_call *call)
{
    return mvn_outbox_refer(outbox, (mvn_span){NULL, 0}, call);
}

size_t mvn_outbox_peek(const mvn_outbox *outbox, mvn_chunk *chunks, size_t max)
{
    size_t n = 0;
    for (size_t i = outbox->head; i < outbox->count; i++) {
        const mvn_segment *segment = &outbox->segments[i];
        if (segment->size == 0) {
            continue;
        }
        const uint8_t *data =
            segment->call == NULL ? outbox->bytes.data + segment->offset : segment->data;
        /* A mark between two runs of the outbox's own bytes does not part them. */
        if (n != 0 && segment->call == NULL && chunks[n - 1].call == NULL &&
            chunks[n - 1].span.data + chunks[n - 1].span.size == data) {
            chunks[n - 1].span.size += segment->size;
            continue;
        }
        if (n == max) {
            break;
        }
        chunks[n++] = (mvn_chunk){{data, segment->size}, segment->call};
    }
    return n;
}

static void rewind_if_empty(mvn_outbox *outbox)
{
    if (outbox->head == outbox->count) {
        outbox->head = outbox->count = 0;
        outbox->bytes.size = 0;
    }
}

void mvn_outbox_consume(mvn_outbox *outbox, size_t size,
                        void (*release)(void *context, mvn_call *call), void *context)
{
    outbox->size -= size;
    while (outbox->head < outbox->count) {
        mvn_segment *segment = &outbox->segments[outbox->head];
        if (segment->size > size) {
            segment->size -= size;
            if (segment->call == NULL) {
                segment->offset += size;
            } else {
                segment->data += size;
            }
            break;
        }
        size -= segment->size;
        mvn_call *call = segment->call;
        bool mark = segment->size == 0;
        outbox->head++;
        if (call != NULL) {
            call->message_out |= mark;
            release(context, call);
        }
    }
    rewind_if_empty(outbox);
}

void mvn_outbox_drop(mvn_outbox *outbox, void (*release)(void *context, mvn_call *call),
                     void *context)
{
    while (outbox->head < outbox->count) {
        mvn_call *call = outbox->segments[outbox->head++].call;
        if (call != NULL) {
            release(context, call);
        }
    }
    outbox->size = 0;
    rewind_if_empty(outbox);
}
