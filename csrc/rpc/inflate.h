/* Unpacking of compressed replies with zlib, bounded. */
#ifndef MVN_RPC_INFLATE_H
#define MVN_RPC_INFLATE_H

#include "../core/buffer.h"
#include "../core/status.h"
#include "../core/wire.h"

/* Appends to `out` what the gzip or zlib stream `packed` holds; gzip members may follow each other.
 * MVN_EFORMAT if it is damaged, cut short or followed by other bytes, MVN_ETOOBIG as soon as more
 * than `limit` bytes come out, MVN_ENOMEM; `out` is then undefined but may be reset. Thread-safe. */
MVN_MUST_CHECK mvn_status mvn_inflate(mvn_span packed, size_t limit, mvn_buffer *out);

#endif
