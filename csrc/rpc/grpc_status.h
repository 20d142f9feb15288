/* gRPC status codes, and how HTTP answers them when gRPC itself has not.
 *
 * Sources: the gRPC documents "gRPC over HTTP2", "HTTP to gRPC Status Code Mapping" and "Status
 * codes and their use in gRPC". Pure functions, thread-safe. */
#ifndef MVN_RPC_GRPC_STATUS_H
#define MVN_RPC_GRPC_STATUS_H

#include <stddef.h>
#include <stdint.h>

typedef enum {
    MVN_GRPC_OK = 0,
    MVN_GRPC_CANCELLED = 1,
    MVN_GRPC_UNKNOWN = 2,
    MVN_GRPC_INVALID_ARGUMENT = 3,
    MVN_GRPC_DEADLINE_EXCEEDED = 4,
    MVN_GRPC_NOT_FOUND = 5,
    MVN_GRPC_ALREADY_EXISTS = 6,
    MVN_GRPC_PERMISSION_DENIED = 7,
    MVN_GRPC_RESOURCE_EXHAUSTED = 8,
    MVN_GRPC_FAILED_PRECONDITION = 9,
    MVN_GRPC_ABORTED = 10,
    MVN_GRPC_OUT_OF_RANGE = 11,
    MVN_GRPC_UNIMPLEMENTED = 12,
    MVN_GRPC_INTERNAL = 13,
    MVN_GRPC_UNAVAILABLE = 14,
    MVN_GRPC_DATA_LOSS = 15,
    MVN_GRPC_UNAUTHENTICATED = 16
} mvn_grpc_code;

/* The code that stands for an HTTP status whose response carried no grpc-status. */
mvn_grpc_code mvn_grpc_from_http(int http_status);

/* The code that stands for a stream reset with HTTP/2 error `error_code`. */
mvn_grpc_code mvn_grpc_from_h2(uint32_t error_code);

/* The name of an HTTP/2 error code as in RFC 9113 ("REFUSED_STREAM"); never NULL. */
const char *mvn_h2_error_name(uint32_t error_code);

/* The value of a grpc-status header. What is not a decimal number is MVN_GRPC_UNKNOWN; so is a
 * number that no code has. */
mvn_grpc_code mvn_grpc_parse_status(const uint8_t *text, size_t size);

/* Undoes the percent-encoding of a grpc-message in place and returns the new size. Broken escapes
 * stay as they are, as the protocol asks. */
size_t mvn_percent_decode(uint8_t *text, size_t size);

#endif
