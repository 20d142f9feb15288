/* _core.RpcConnection: a gRPC connection for Python to do the I/O of.
 *
 * One thread at a time may be in a method; a second one gets RuntimeError, whatever the kind of
 * build. Nothing of an object is shared with another. */
#ifndef MVN_PY_RPC_CONNECTION_H
#define MVN_PY_RPC_CONNECTION_H

#include <stdatomic.h>

#include "rpc_call.h"

typedef struct {
    PyObject_HEAD
    mvn_connection *connection; /* NULL once the garbage collector has been here */
    atomic_flag busy;           /* a thread is in a method */
    PyThreadState *detached;    /* of that thread, while it works without the GIL */
    PyMvn_RpcCall *calls;       /* all that hold references; changed only under the GIL */
    PyMvn_RpcCall *dead;        /* those the engine has let go of, to be freed */
    uint8_t *inbox;             /* where exchange and pump receive; INBOX_SIZE bytes, made when needed */
    int recv_waits;             /* 1: a recv on its socket does, -1: it does not, 0: not known yet */
    atomic_uint_fast64_t bytes_sent; /* as the engine counts them; for readers outside */
    atomic_uint_fast64_t bytes_received;
} PyMvn_RpcConnection;

/* Claims the object for the calling thread. 0, or -1 with RuntimeError. */
int PyMvn_RpcConnection_Enter(PyMvn_RpcConnection *self);

/* Gives it back, and lets go of what finished calls held; that may run Python code. */
void PyMvn_RpcConnection_Leave(PyMvn_RpcConnection *self);

/* The finished calls, as a list of tuples (see PyMvn_RpcResult). Not while entered. New reference or
 * NULL. */
PyObject *PyMvn_RpcConnection_Collect(PyMvn_RpcConnection *self);

/* rpc_exchange.c: the methods exchange(fd, timeout) and pump(fd, receive). */
PyObject *PyMvn_RpcConnection_Exchange(PyObject *self, PyObject *const *args, Py_ssize_t n_args);
PyObject *PyMvn_RpcConnection_Pump(PyObject *self, PyObject *const *args, Py_ssize_t n_args);
extern const char PyMvn_RpcConnection_ExchangeDoc[];
extern const char PyMvn_RpcConnection_PumpDoc[];

/* Adds the type RpcConnection to the module. 0 or -1. */
int PyMvn_RpcConnection_Init(PyObject *module, PyMvn_State *state);

#endif
