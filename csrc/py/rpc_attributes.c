#include "rpc_attributes.h"

#include "rpc_connection.h"

/* The attributes that look into the engine, as the closure of `show`. */
typedef enum {
    SHOW_ACCEPTS,
    SHOW_CLOSED,
    SHOW_ERROR,
    SHOW_FREE_STREAMS,
    SHOW_OPEN_CALLS,
    SHOW_SETTINGS_CAME,
    SHOW_GOAWAY_CODE,
    SHOW_PINGS_ANSWERED
} shown;

static PyObject *show_error(const mvn_connection *connection)
{
    const char *text = mvn_connection_error(connection);
    return PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace");
}

static PyObject *show(PyObject *object, void *closure)
{
    PyMvn_RpcConnection *self = (PyMvn_RpcConnection *)object;
    shown what = (shown)(intptr_t)closure;
    if (PyMvn_RpcConnection_Enter(self) < 0) {
        return NULL;
    }
    mvn_connection_stats stats = mvn_connection_get_stats(self->connection);
    mvn_connection_state state = mvn_connection_get_state(self->connection);
    size_t busy = stats.open + stats.waiting;
    size_t free = state == MVN_CONNECTION_OPEN && stats.max_streams > busy
                      ? stats.max_streams - busy
                      : 0;
    PyObject *error = what == SHOW_ERROR ? show_error(self->connection) : NULL;
    PyMvn_RpcConnection_Leave(self);
    switch (what) {
    case SHOW_ACCEPTS:
        return PyBool_FromLong(state == MVN_CONNECTION_OPEN);
    case SHOW_CLOSED:
        return PyBool_FromLong(state == MVN_CONNECTION_CLOSED);
    case SHOW_ERROR:
        return error;
    case SHOW_FREE_STREAMS:
        return PyLong_FromSize_t(free);
    case SHOW_OPEN_CALLS:
        return PyLong_FromSize_t(busy);
    case SHOW_SETTINGS_CAME:
        return PyBool_FromLong(stats.settings_came);
    case SHOW_GOAWAY_CODE:
        return stats.goaway_came ? PyLong_FromUnsignedLong(stats.goaway_code) : Py_NewRef(Py_None);
    case SHOW_PINGS_ANSWERED:
        return PyLong_FromUnsignedLongLong(stats.pings_answered);
    }
    Py_UNREACHABLE();
}

static PyObject *bytes_sent(PyObject *object, void *unused)
{
    (void)unused;
    PyMvn_RpcConnection *self = (PyMvn_RpcConnection *)object;
    return PyLong_FromUnsignedLongLong(
        atomic_load_explicit(&self->bytes_sent, memory_order_relaxed));
}

static PyObject *bytes_received(PyObject *object, void *unused)
{
    (void)unused;
    PyMvn_RpcConnection *self = (PyMvn_RpcConnection *)object;
    return PyLong_FromUnsignedLongLong(
        atomic_load_explicit(&self->bytes_received, memory_order_relaxed));
}

PyGetSetDef PyMvn_RpcConnection_Attributes[] = {
    {"accepts", show, NULL, "Whether calls may begin.", (void *)SHOW_ACCEPTS},
    {"closed", show, NULL, "Whether all is over.", (void *)SHOW_CLOSED},
    {"error", show, NULL, "Why calls may not begin; '' while they may.", (void *)SHOW_ERROR},
    {"free_streams", show, NULL,
     "How many more calls the server lets run at once; 100 in all until it has told.",
     (void *)SHOW_FREE_STREAMS},
    {"open_calls", show, NULL, "Calls begun and not finished.", (void *)SHOW_OPEN_CALLS},
    {"settings_came", show, NULL, "Whether the server has shown to speak HTTP/2.",
     (void *)SHOW_SETTINGS_CAME},
    {"goaway_code", show, NULL, "HTTP/2 error code of the server's GOAWAY, or None.",
     (void *)SHOW_GOAWAY_CODE},
    {"pings_answered", show, NULL, "Answers to PINGs.", (void *)SHOW_PINGS_ANSWERED},
    {"bytes_sent", bytes_sent, NULL, "Bytes handed to the socket; any thread may ask.", NULL},
    {"bytes_received", bytes_received, NULL, "Bytes received; any thread may ask.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};
