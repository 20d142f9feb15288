#include "buffer.h"

#include <string.h>

#include "mem.h"

#define MVN_BUFFER_FIRST 256

void mvn_buffer_reset(mvn_buffer *buffer)
{
    mvn_free(buffer->data);
    mvn_buffer_init(buffer);
}

static MVN_NOINLINE mvn_status mvn_buffer_grow(mvn_buffer *buffer, size_t extra)
{
    if (extra > MVN_MAX_MESSAGE - buffer->size) {
        return MVN_ETOOBIG;
    }
    size_t need = buffer->size + extra;
    size_t capacity = buffer->capacity == 0 ? MVN_BUFFER_FIRST : buffer->capacity;
    while (capacity < need) {
        capacity += capacity / 2 + 1;
    }
    uint8_t *data = mvn_realloc_array(buffer->data, capacity, 1);
    if (data == NULL) {
        return MVN_ENOMEM;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return MVN_OK;
}

mvn_status mvn_buffer_reserve(mvn_buffer *buffer, size_t extra)
{
    if (MVN_LIKELY(extra <= buffer->capacity - buffer->size)) {
        return MVN_OK;
    }
    return mvn_buffer_grow(buffer, extra);
}

static void put_varint(mvn_buffer *buffer, uint64_t value)
{
    while (value >= 0x80) {
        buffer->data[buffer->size++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    buffer->data[buffer->size++] = (uint8_t)value;
}

mvn_status mvn_buffer_append(mvn_buffer *buffer, const void *data, size_t size)
{
    mvn_status status = mvn_buffer_reserve(buffer, size);
    if (status == MVN_OK && size != 0) {
        memcpy(buffer->data + buffer->size, data, size);
        buffer->size += size;
    }
    return status;
}

mvn_status mvn_buffer_append_varint(mvn_buffer *buffer, uint64_t value)
{
    mvn_status status = mvn_buffer_reserve(buffer, MVN_MAX_VARINT);
    if (status == MVN_OK) {
        put_varint(buffer, value);
    }
    return status;
}

mvn_status mvn_buffer_append_varint_field(mvn_buffer *buffer, uint32_t field, uint64_t value)
{
    mvn_status status = mvn_buffer_reserve(buffer, 2 * MVN_MAX_VARINT);
    if (status == MVN_OK) {
        put_varint(buffer, mvn_tag(field, MVN_WIRE_VARINT));
        put_varint(buffer, value);
    }
    return status;
}

mvn_status mvn_buffer_append_bytes_field(mvn_buffer *buffer, uint32_t field, const void *data,
                                         size_t size)
{
    if (size > MVN_MAX_MESSAGE) {
        return MVN_ETOOBIG;
    }
    mvn_status status = mvn_buffer_reserve(buffer, 2 * MVN_MAX_VARINT + size);
    if (status == MVN_OK) {
        put_varint(buffer, mvn_tag(field, MVN_WIRE_BYTES));
        put_varint(buffer, size);
        if (size != 0) {
            memcpy(buffer->data + buffer->size, data, size);
            buffer->size += size;
        }
    }
    return status;
}

mvn_status mvn_buffer_begin(mvn_buffer *buffer, uint32_t field, size_t *mark)
{
    mvn_status status = mvn_buffer_reserve(buffer, MVN_MAX_VARINT + 1);
    if (status == MVN_OK) {
        put_varint(buffer, mvn_tag(field, MVN_WIRE_BYTES));
        buffer->data[buffer->size++] = 0;
        *mark = buffer->size;
    }
    return status;
}

mvn_status mvn_buffer_end(mvn_buffer *buffer, size_t mark)
{
    size_t payload = buffer->size - mark;
    size_t shift = mvn_varint_size(payload) - 1;
    mvn_status status = mvn_buffer_reserve(buffer, shift);
    if (status != MVN_OK) {
        return status;
    }
    if (shift != 0) {
        memmove(buffer->data + mark + shift, buffer->data + mark, payload);
    }
    size_t end = buffer->size + shift;
    buffer->size = mark - 1;
    put_varint(buffer, payload);
    buffer->size = end;
    return MVN_OK;
}
