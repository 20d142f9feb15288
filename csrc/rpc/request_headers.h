/* The header block of a gRPC request, for nghttp2. */
#ifndef MVN_RPC_REQUEST_HEADERS_H
#define MVN_RPC_REQUEST_HEADERS_H

#include <nghttp2/nghttp2.h>

#include "metadata.h"

#define MVN_GRPC_TIMEOUT_ROOM 10 /* eight digits, a unit, NUL */
#define MVN_TIMEOUT_NONE INT64_C(-1)

/* Writes `timeout` nanoseconds as a grpc-timeout, rounded up, NUL-terminated, and returns its
 * length. A timeout of 0 becomes the shortest that can be said; the longest is 99999999 hours. */
size_t mvn_grpc_timeout(int64_t timeout, char text[MVN_GRPC_TIMEOUT_ROOM]);

/* What all requests of a connection say. The bytes outlive every request. */
typedef struct {
    mvn_span scheme;
    mvn_span authority;
    mvn_span user_agent;
} mvn_request_origin;

/* What one request says. `timeout` in ns, or MVN_TIMEOUT_NONE. */
typedef struct {
    mvn_span path;
    int64_t timeout;
    const mvn_metadata *metadata;
    size_t metadata_count;
} mvn_request_head;

/* Checks path and metadata (see mvn_metadata_check) and computes how many headers and how many
 * bytes of text mvn_request_headers_write will need. MVN_EFORMAT, or MVN_ETOOBIG when the block is
 * larger than `limit` bytes, counted as a header list is. */
MVN_MUST_CHECK mvn_status mvn_request_headers_measure(const mvn_request_origin *origin,
                                                      const mvn_request_head *head, size_t limit,
                                                      size_t *count, size_t *text_size,
                                                      mvn_error *error);

/* Writes the headers. Names and values point into `text`, into `origin` or to constants, and are
 * not copied by nghttp2: all three must live until the frame is sent. */
void mvn_request_headers_write(const mvn_request_origin *origin, const mvn_request_head *head,
                               nghttp2_nv *headers, uint8_t *text);

#endif
