/* A growable byte buffer, for messages that are too small or too irregular to be sized first.
 *
 * Every append is all-or-nothing: on MVN_ENOMEM or MVN_ETOOBIG the buffer keeps its old content.
 * The buffer owns `data`; it must be reset when done. Not thread-safe. */
#ifndef MVN_CORE_BUFFER_H
#define MVN_CORE_BUFFER_H

#include "status.h"
#include "wire.h"

typedef struct {
    uint8_t *data; /* NULL while capacity is 0 */
    size_t size;
    size_t capacity;
} mvn_buffer;

static inline void mvn_buffer_init(mvn_buffer *buffer)
{
    buffer->data = NULL;
    buffer->size = 0;
    buffer->capacity = 0;
}

/* Frees the memory and leaves an empty, usable buffer. */
void mvn_buffer_reset(mvn_buffer *buffer);

/* Makes room for `extra` more bytes, growing geometrically. */
MVN_MUST_CHECK mvn_status mvn_buffer_reserve(mvn_buffer *buffer, size_t extra);

MVN_MUST_CHECK mvn_status mvn_buffer_append(mvn_buffer *buffer, const void *data, size_t size);
MVN_MUST_CHECK mvn_status mvn_buffer_append_varint(mvn_buffer *buffer, uint64_t value);

/* Whole fields. The varint form is written even when value is 0; proto3 callers skip zeros. */
MVN_MUST_CHECK mvn_status mvn_buffer_append_varint_field(mvn_buffer *buffer, uint32_t field,
                                                         uint64_t value);
MVN_MUST_CHECK mvn_status mvn_buffer_append_bytes_field(mvn_buffer *buffer, uint32_t field,
                                                        const void *data, size_t size);

/* Opens a nested message: writes the tag and room for a one-byte length, stores in `*mark` what
 * mvn_buffer_end needs. */
MVN_MUST_CHECK mvn_status mvn_buffer_begin(mvn_buffer *buffer, uint32_t field, size_t *mark);

/* Closes the message opened at `mark`: fills in its length, moving the payload when the length
 * needs more than one byte. */
MVN_MUST_CHECK mvn_status mvn_buffer_end(mvn_buffer *buffer, size_t mark);

#endif
