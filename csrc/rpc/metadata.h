/* gRPC metadata: which names and values may go into a request, and a flat store for what came
 * back. */
#ifndef MVN_RPC_METADATA_H
#define MVN_RPC_METADATA_H

#include <stdbool.h>

#include "../core/buffer.h"
#include "../core/status.h"
#include "../core/wire.h"

/* A name and a value. Of a binary name (one that ends with "-bin") the value is raw bytes, never
 * base64. */
typedef struct {
    mvn_span name;
    mvn_span value;
} mvn_metadata;

/* True if `name` ends with "-bin". */
bool mvn_metadata_is_binary(mvn_span name);

/* True if two spans hold the same bytes; the second is a C string. */
bool mvn_span_is(mvn_span span, const char *text);

/* Whether a request may carry the pair. Names: 1 or more of 0-9 a-z _ - . and not one that the
 * engine sets itself; values of names that are not binary: space and printable ASCII, so no CR, LF
 * or NUL. MVN_EFORMAT with a text that names the name and never shows the value. */
MVN_MUST_CHECK mvn_status mvn_metadata_check(const mvn_metadata *pair, mvn_error *error);

/* True for names whose value is new with each call, so that the compression table of the
 * connection is not spent on it. */
bool mvn_metadata_changes(mvn_span name);

/* Appends a pair as it stands on the wire to a store. A binary value is decoded; joined by commas it
 * becomes several pairs, and what is not base64 is left out. All or nothing on MVN_ENOMEM. */
MVN_MUST_CHECK mvn_status mvn_metadata_store(mvn_buffer *store, mvn_span name, mvn_span value);

/* Steps through a store: false at its end. `*cursor` begins at 0. The spans point into the store. */
bool mvn_metadata_next(const mvn_buffer *store, size_t *cursor, mvn_metadata *pair);

#endif
