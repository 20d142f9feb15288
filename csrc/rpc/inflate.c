#include "inflate.h"

#include <limits.h>
#include <stdbool.h>
#include <zlib.h>

#include "../core/mem.h"

#define WINDOW_BITS_ANY (32 + 15) /* the largest window; gzip or zlib, by its first bytes */
#define STEP ((size_t)64 * 1024)

static voidpf take_memory(voidpf opaque, uInt count, uInt size)
{
    (void)opaque;
    return mvn_malloc_array(count, size);
}

static void give_memory(voidpf opaque, voidpf block)
{
    (void)opaque;
    mvn_free(block);
}

/* One inflate() call over what is left of input and room. */
static int step(z_stream *stream, mvn_span *left, mvn_buffer *out, size_t room)
{
    uInt in = left->size > UINT_MAX ? UINT_MAX : (uInt)left->size;
    uInt space = room > UINT_MAX ? UINT_MAX : (uInt)room;
    stream->next_in = (z_const Bytef *)(uintptr_t)left->data;
    stream->avail_in = in;
    stream->next_out = out->data + out->size;
    stream->avail_out = space;
    int result = inflate(stream, Z_NO_FLUSH);
    left->data += in - stream->avail_in;
    left->size -= in - stream->avail_in;
    out->size += space - stream->avail_out;
    return result;
}

mvn_status mvn_inflate(mvn_span packed, size_t limit, mvn_buffer *out)
{
    z_stream stream = {.zalloc = take_memory, .zfree = give_memory};
    mvn_status status = MVN_OK;
    size_t start = out->size;
    bool ended = false;

    switch (inflateInit2(&stream, WINDOW_BITS_ANY)) {
    case Z_OK:
        break;
    case Z_MEM_ERROR:
        return MVN_ENOMEM;
    default:
        return MVN_EFORMAT;
    }
    while (!ended) {
        /* One byte more than allowed, so that the limit itself still passes. */
        size_t room = limit - (out->size - start);
        room = room >= STEP ? STEP : room + 1;
        status = mvn_buffer_reserve(out, room);
        if (status != MVN_OK) {
            break;
        }
        size_t had = packed.size, held = out->size;
        int result = step(&stream, &packed, out, room);
        if (out->size - start > limit) {
            status = MVN_ETOOBIG;
            break;
        }
        if (result == Z_MEM_ERROR) {
            status = MVN_ENOMEM;
            break;
        }
        if (result == Z_STREAM_END) {
            ended = packed.size == 0;
            if (!ended && inflateReset(&stream) != Z_OK) {
                status = MVN_EFORMAT;
                break;
            }
        } else if ((result != Z_OK && result != Z_BUF_ERROR) ||
                   (packed.size == had && out->size == held)) {
            /* Damaged, or no way forward: the input ended inside the stream. */
            status = MVN_EFORMAT;
            break;
        }
    }
    (void)inflateEnd(&stream);
    return status;
}
