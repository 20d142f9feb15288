/* The two halves of a connection, private to connection.c and session.c: connection.c owns the calls
 * and what is done with them, session.c speaks with nghttp2. */
#ifndef MVN_RPC_SESSION_H
#define MVN_RPC_SESSION_H

#include <nghttp2/nghttp2.h>

#include "connection.h"

#define MVN_CONNECTION_ERROR_ROOM 320

struct mvn_connection {
    mvn_connection_config config;
    char *origin_text;       /* owned; what config.origin points to */
    nghttp2_session *session;
    bool session_dead;       /* nghttp2 failed inside: it may only be deleted */
    mvn_outbox outbox;
    /* Every call is in exactly one of these. */
    mvn_call_list waiting;   /* for a stream */
    mvn_call_list open;
    mvn_call_list finished;  /* to be collected */
    mvn_call_list collected; /* in the hands of the caller */
    mvn_call_list lingering; /* given back, but nghttp2 or the outbox still know it */
    uint64_t last_id;
    mvn_connection_state state;
    mvn_status failure;      /* once closed */
    char error[MVN_CONNECTION_ERROR_ROOM];
    char complaint[160];     /* the last thing nghttp2 objected to */
    mvn_keepalive keepalive;
    uint8_t first_bytes[5];  /* of what the server sent */
    uint8_t first_count;
    size_t header_block;     /* size of the block being read, of whatever stream */
    bool settings_came;
    bool goaway_came;
    uint32_t goaway_code;
    uint64_t pings_answered;
    uint64_t bytes_sent;
    uint64_t bytes_received;
};

/* session.c: makes the nghttp2 session and queues preface, settings and window. MVN_ENOMEM. */
MVN_MUST_CHECK mvn_status mvn_session_open(mvn_connection *connection);

/* session.c: puts a waiting call on a stream. MVN_ENOMEM, or MVN_ERANGE when the connection has used
 * up its stream ids. The call's state and list are the caller's matter. */
MVN_MUST_CHECK mvn_status mvn_session_start(mvn_connection *connection, mvn_call *call);

/* session.c: resets the stream of a call, unless that was done before. */
void mvn_session_reset(mvn_connection *connection, mvn_call *call, uint32_t error_code);

/* session.c: moves frames to the outbox until it holds a batch. MVN_ENOMEM or MVN_EFORMAT. */
MVN_MUST_CHECK mvn_status mvn_session_pull(mvn_connection *connection);

/* connection.c: a call has ended, in success or not. It must not have ended before. */
void mvn_connection_finish(mvn_connection *connection, mvn_call *call, mvn_grpc_code code,
                           const char *text);

/* connection.c: no new calls; those that wait are finished as not sent. */
void mvn_connection_drain(mvn_connection *connection);

/* connection.c: finishes all calls and closes the connection, because of `failure`. */
void mvn_connection_close(mvn_connection *connection, mvn_status failure, const char *text);

/* connection.c: gives back one reference. `connection` is a mvn_connection *. */
void mvn_connection_unref(void *connection, mvn_call *call);

#endif
