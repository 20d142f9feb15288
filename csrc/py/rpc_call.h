/* What crosses between Python and the gRPC engine for one call: the request's arguments on their way
 * in, the finished call as a tuple on its way out. */
#ifndef MVN_PY_RPC_CALL_H
#define MVN_PY_RPC_CALL_H

#include "state.h"
#include "../rpc/connection.h"

/* What a connection holds for a call it has not let go of: strong references, and its place in the
 * connection's list of them. */
typedef struct PyMvn_RpcCall PyMvn_RpcCall;

struct PyMvn_RpcCall {
    PyObject *tag;     /* the caller's, handed back with the result */
    PyObject *message; /* what keeps the bytes of the message alive */
    PyMvn_RpcCall *previous;
    PyMvn_RpcCall *next;
    PyMvn_RpcCall *next_dead;
    mvn_call *next_out; /* while it is being collected: the one that was taken before it */
};

#define MVN_RPC_PARTS 8     /* of a message, before memory is asked for */
#define MVN_RPC_METADATA 16 /* likewise */

/* The arguments of submit, as the engine wants them. Spans point into the objects that
 * `metadata` and `message` hold. */
typedef struct {
    PyObject *metadata;                /* a tuple, or NULL */
    PyObject *message;                 /* see PyMvn_RpcCall */
    mvn_span *parts;                   /* part_room, or memory of its own */
    size_t part_count;
    mvn_metadata *pairs;               /* pair_room, or memory of its own */
    size_t pair_count;
    mvn_span part_room[MVN_RPC_PARTS];
    mvn_metadata pair_room[MVN_RPC_METADATA];
} PyMvn_RpcArguments;

/* Reads message (bytes, any contiguous buffer, or a list or tuple of those) and metadata (None, or
 * an iterable of (str, str | bytes) tuples). May run Python code. 0, or -1 with an exception; to be
 * cleared in both cases. */
int PyMvn_RpcArguments_Read(PyMvn_RpcArguments *arguments, PyObject *message, PyObject *metadata);

void PyMvn_RpcArguments_Clear(PyMvn_RpcArguments *arguments);

/* Seconds as a Python number, or None, in nanoseconds: `none` for None, 0 for what is negative, the
 * longest time there is for what is longer. 0, or -1 with an exception. */
int PyMvn_RpcSeconds(PyObject *seconds, int64_t none, int64_t *nanoseconds);

/* The result of a call that has finished: the tuple
 * (tag, code, text or None, metadata or None, message bytes or None, sent). New reference or NULL. */
PyObject *PyMvn_RpcResult(const mvn_call *call);

/* What mvn_reply_memory's `allocate` gives: room in a new bytes object, the handle being the reference
 * to it. NULL, with no exception set, when memory is out. Needs the GIL. */
uint8_t *PyMvn_RpcMessage_New(size_t size, void **handle);

#endif
