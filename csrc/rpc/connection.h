/* A client's end of one HTTP/2 connection that carries unary gRPC calls; sans-I/O.
 *
 * The engine opens no socket, starts no thread and reads no clock. Whoever drives it submits calls,
 * sends the bytes that mvn_connection_peek shows, feeds the bytes that arrive, collects finished
 * calls, and from time to time tells the time. Times are nanoseconds on any monotonic clock of the
 * caller's, the same one throughout.
 *
 * Not thread-safe: one call at a time per connection. Callbacks are called from within the functions
 * below and must not call back into the connection. */
#ifndef MVN_RPC_CONNECTION_H
#define MVN_RPC_CONNECTION_H

#include "call.h"
#include "keepalive.h"
#include "outbox.h"

/* Calls on streams at once, whatever the server's limit; more wait here, not there. gRPC's C core,
 * on which servers in Python are built, kills calls when more than 1,000 wait for their program. */
#define MVN_MAX_OPEN_CALLS 800

typedef struct mvn_connection mvn_connection;

typedef struct {
    mvn_request_origin origin;  /* copied */
    uint32_t stream_window;     /* bytes a reply may have under way; at most INT32_MAX */
    uint32_t connection_window; /* the same for all replies together */
    size_t send_batch;          /* about how many bytes are framed ahead of the socket */
    mvn_reply_limits limits;
    mvn_keepalive_config keepalive;
    /* The connection is through with a call: its message and user pointer are no longer needed. */
    void (*released)(void *context, void *user);
    void *context;
} mvn_connection_config;

typedef enum {
    MVN_CONNECTION_OPEN,
    MVN_CONNECTION_DRAINING, /* the server takes no new calls (GOAWAY); those open go on */
    MVN_CONNECTION_CLOSED    /* broken, lost or given up; all calls are finished */
} mvn_connection_state;

typedef struct {
    mvn_span path;
    const mvn_metadata *metadata; /* copied */
    size_t metadata_count;
    const mvn_span *message;      /* in pieces; they must live until config.released is called */
    size_t message_count;
    int64_t timeout;              /* told to the server, ns, or MVN_TIMEOUT_NONE */
    int64_t deadline;             /* when mvn_connection_tick gives the call up, or MVN_NEVER */
    void *user;
} mvn_call_request;

/* A connection with the client's preface and settings waiting to be sent. MVN_EFORMAT if the origin
 * has bytes that are not printable ASCII, MVN_ENOMEM. */
MVN_MUST_CHECK mvn_status mvn_connection_new(const mvn_connection_config *config,
                                             mvn_connection **connection, mvn_error *error);

/* Frees the connection and its calls, those not collected too. NULL is allowed. */
void mvn_connection_free(mvn_connection *connection);

/* Begins a call and returns its id (1 or more) in `*id`. It waits its turn while the server's limit
 * on concurrent streams, or MVN_MAX_OPEN_CALLS, is reached. MVN_EFORMAT for a path or metadata that
 * cannot be sent, MVN_ETOOBIG, MVN_ENOMEM; MVN_ERANGE if the connection takes no calls (see
 * mvn_connection_get_state). On failure config.released is not called. */
MVN_MUST_CHECK mvn_status mvn_connection_submit(mvn_connection *connection,
                                                const mvn_call_request *request, uint64_t *id,
                                                mvn_error *error);

/* Finishes a call at once with `code` and `text`, and resets its stream. False if there is no such
 * call, or it has finished. */
bool mvn_connection_cancel(mvn_connection *connection, uint64_t id, mvn_grpc_code code,
                           const char *text);

/* Frames what may be sent, up to the batch, and returns how many bytes wait for the socket. */
size_t mvn_connection_pull(mvn_connection *connection);

/* Shows the first bytes to send; see mvn_outbox_peek. Valid until the next call of any other
 * function on the connection. */
size_t mvn_connection_peek(const mvn_connection *connection, mvn_chunk *chunks, size_t max);

/* The first `size` of those bytes have been handed to the socket. */
void mvn_connection_consume(mvn_connection *connection, size_t size);

/* Bytes from the server, cut anywhere. MVN_OK, or the reason why the connection is now closed, with
 * its text in mvn_connection_error; what pull still gives (a GOAWAY) should be sent if it can be. */
MVN_MUST_CHECK mvn_status mvn_connection_receive(mvn_connection *connection, const void *data,
                                                 size_t size);

/* The socket is gone, or is about to be closed: finishes all calls with UNAVAILABLE and `text`. */
void mvn_connection_lost(mvn_connection *connection, const char *text);

/* Gives up calls whose deadline has passed, and pings a silent server. Returns when it wants to be
 * called again, at the latest (MVN_NEVER: when a call has been submitted). May close the
 * connection. */
int64_t mvn_connection_tick(mvn_connection *connection, int64_t now);

/* Sends a PING; pings_answered of mvn_connection_get_stats counts the answers. MVN_ENOMEM. */
MVN_MUST_CHECK mvn_status mvn_connection_ping(mvn_connection *connection);

/* The next finished call, in the order they finished, or NULL. It must be given back with
 * mvn_connection_return, or be put back. */
mvn_call *mvn_connection_finished(mvn_connection *connection);

/* The caller is through with a finished call. */
void mvn_connection_return(mvn_connection *connection, mvn_call *call);

/* The caller could not do with `call` what it wanted: it is the next finished one again. */
void mvn_connection_put_back(mvn_connection *connection, mvn_call *call);

mvn_connection_state mvn_connection_get_state(const mvn_connection *connection);

/* Why the connection drains or is closed; an empty string while it is open. */
const char *mvn_connection_error(const mvn_connection *connection);

typedef struct {
    size_t open;            /* calls on a stream */
    size_t waiting;         /* calls that wait for one */
    size_t finished;        /* calls to be collected */
    uint32_t max_streams;   /* the server's limit; 100 until it has told */
    bool settings_came;     /* the server has sent its settings: it speaks HTTP/2 */
    bool goaway_came;
    uint32_t goaway_code;   /* HTTP/2 error code */
    uint64_t pings_answered;
    uint64_t bytes_sent;    /* consumed */
    uint64_t bytes_received;
} mvn_connection_stats;

mvn_connection_stats mvn_connection_get_stats(const mvn_connection *connection);

#endif
