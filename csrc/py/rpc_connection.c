#include "rpc_connection.h"

#include "../core/mem.h"
#include "clock.h"
#include "rpc_attributes.h"

#define DEFAULT_WINDOW (64 << 20)
#define DEFAULT_BATCH (256 << 10)
#define DEFAULT_HEADER_LIST (64 << 10)

/* ---- what the engine asks of us; called while entered, perhaps without the GIL ---- */

static uint8_t *allocate_message(void *context, size_t size, void **handle)
{
    PyMvn_RpcConnection *self = context;
    PyThreadState *detached = self->detached;
    if (detached != NULL) {
        PyEval_RestoreThread(detached);
    }
    uint8_t *data = PyMvn_RpcMessage_New(size, handle);
    if (detached != NULL) {
        self->detached = PyEval_SaveThread();
    }
    return data;
}

static void release_message(void *context, void *handle)
{
    PyMvn_RpcConnection *self = context;
    PyThreadState *detached = self->detached;
    if (detached != NULL) {
        PyEval_RestoreThread(detached);
    }
    Py_DECREF((PyObject *)handle); /* bytes: no Python code runs */
    if (detached != NULL) {
        self->detached = PyEval_SaveThread();
    }
}

static void release_call(void *context, void *user)
{
    PyMvn_RpcConnection *self = context;
    PyMvn_RpcCall *call = user;
    call->next_dead = self->dead;
    self->dead = call;
}

/* ---- one thread at a time ---- */

int PyMvn_RpcConnection_Enter(PyMvn_RpcConnection *self)
{
    if (atomic_flag_test_and_set_explicit(&self->busy, memory_order_acquire)) {
        PyErr_SetString(PyExc_RuntimeError, "an RpcConnection is used by two threads at once");
        return -1;
    }
    if (self->connection == NULL) {
        atomic_flag_clear_explicit(&self->busy, memory_order_release);
        PyErr_SetString(PyExc_RuntimeError, "the RpcConnection has been cleared");
        return -1;
    }
    return 0;
}

static void unlink_call(PyMvn_RpcConnection *self, PyMvn_RpcCall *call)
{
    if (call->previous != NULL) {
        call->previous->next = call->next;
    } else {
        self->calls = call->next;
    }
    if (call->next != NULL) {
        call->next->previous = call->previous;
    }
}

/* Dead calls, unlinked, ready for free_calls. */
static PyMvn_RpcCall *take_dead(PyMvn_RpcConnection *self)
{
    PyMvn_RpcCall *dead = self->dead;
    self->dead = NULL;
    for (PyMvn_RpcCall *call = dead; call != NULL; call = call->next_dead) {
        unlink_call(self, call);
    }
    return dead;
}

static void free_calls(PyMvn_RpcCall *dead)
{
    while (dead != NULL) {
        PyMvn_RpcCall *call = dead;
        dead = call->next_dead;
        Py_XDECREF(call->tag);
        Py_XDECREF(call->message);
        PyMem_Free(call);
    }
}

void PyMvn_RpcConnection_Leave(PyMvn_RpcConnection *self)
{
    PyMvn_RpcCall *dead = self->dead == NULL ? NULL : take_dead(self);
    mvn_connection_stats stats = mvn_connection_get_stats(self->connection);
    atomic_store_explicit(&self->bytes_sent, stats.bytes_sent, memory_order_relaxed);
    atomic_store_explicit(&self->bytes_received, stats.bytes_received, memory_order_relaxed);
    atomic_flag_clear_explicit(&self->busy, memory_order_release);
    if (dead != NULL) {
        free_calls(dead);
    }
}

/* ---- life ---- */

PyDoc_STRVAR(type_doc,
"RpcConnection(authority, scheme, user_agent, *, window=67108864, send_batch=262144,\n"
"              max_message=2147483647, max_header_list=65536, keepalive_time=10.0,\n"
"              keepalive_timeout=10.0)\n"
"--\n\n"
"A client's end of one HTTP/2 connection with unary gRPC calls on it, without a socket.\n\n"
"Sizes are bytes, times are seconds; keepalive_time=None switches PINGs off. One thread at a time\n"
"may be in a method; a second one gets RuntimeError.");

static int read_keepalive(PyObject *silence, PyObject *timeout, mvn_keepalive_config *config)
{
    return (silence == NULL ? 0 : PyMvn_RpcSeconds(silence, 0, &config->silence)) |
           (timeout == NULL ? 0 : PyMvn_RpcSeconds(timeout, 0, &config->timeout));
}

static PyObject *connection_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"authority",   "scheme",          "user_agent",     "window",
                            "send_batch",  "max_message",     "max_header_list", "keepalive_time",
                            "keepalive_timeout", NULL};
    const char *authority, *scheme, *user_agent;
    Py_ssize_t authority_size, scheme_size, user_agent_size;
    Py_ssize_t window = DEFAULT_WINDOW, batch = DEFAULT_BATCH, header_list = DEFAULT_HEADER_LIST;
    Py_ssize_t max_message = (Py_ssize_t)MVN_MAX_MESSAGE;
    PyObject *silence = NULL, *timeout = NULL; /* borrowed */

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "s#s#s#|$nnnnOO:RpcConnection", names,
                                     &authority, &authority_size, &scheme, &scheme_size,
                                     &user_agent, &user_agent_size, &window, &batch, &max_message,
                                     &header_list, &silence, &timeout)) {
        return NULL;
    }
    if (window < 1 || window > INT32_MAX || batch < 1 || max_message < 0 ||
        (size_t)max_message > MVN_MAX_MESSAGE || header_list < 1) {
        PyErr_SetString(PyExc_ValueError, "a size is out of range");
        return NULL;
    }
    mvn_connection_config config = {
        .origin = {.scheme = {(const uint8_t *)scheme, (size_t)scheme_size},
                   .authority = {(const uint8_t *)authority, (size_t)authority_size},
                   .user_agent = {(const uint8_t *)user_agent, (size_t)user_agent_size}},
        .stream_window = (uint32_t)window,
        .connection_window = (uint32_t)window,
        .send_batch = (size_t)batch,
        .limits = {.max_message = (size_t)max_message, .max_header_list = (size_t)header_list},
        .keepalive = {INT64_C(10000000000), INT64_C(10000000000)},
        .released = release_call,
    };
    if (read_keepalive(silence, timeout, &config.keepalive) != 0) {
        return NULL;
    }
    PyMvn_RpcConnection *self = (PyMvn_RpcConnection *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    atomic_flag_clear(&self->busy);
    config.context = self;
    config.limits.memory =
        (mvn_reply_memory){.allocate = allocate_message, .release = release_message, .context = self};
    mvn_error error = {MVN_OK, ""};
    mvn_status status = mvn_connection_new(&config, &self->connection, &error);
    if (status == MVN_ENOMEM) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    if (status != MVN_OK) {
        PyErr_SetString(PyExc_ValueError, error.message);
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

static int connection_traverse(PyObject *object, visitproc visit, void *arg)
{
    PyMvn_RpcConnection *self = (PyMvn_RpcConnection *)object;
    Py_VISIT(Py_TYPE(object));
    for (PyMvn_RpcCall *call = self->calls; call != NULL; call = call->next) {
        Py_VISIT(call->tag);
        Py_VISIT(call->message);
    }
    return 0;
}

static int connection_clear(PyObject *object)
{
    PyMvn_RpcConnection *self = (PyMvn_RpcConnection *)object;
    mvn_connection *connection = self->connection;
    if (connection == NULL || atomic_flag_test_and_set_explicit(&self->busy, memory_order_acquire)) {
        return 0;
    }
    self->connection = NULL;
    mvn_connection_free(connection);
    PyMvn_RpcCall *dead = take_dead(self);
    atomic_flag_clear_explicit(&self->busy, memory_order_release);
    free_calls(dead);
    return 0;
}

static void connection_dealloc(PyObject *object)
{
    PyMvn_RpcConnection *self = (PyMvn_RpcConnection *)object;
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    (void)connection_clear(object);
    mvn_free(self->inbox);
    type->tp_free(object);
    Py_DECREF(type);
}

/* ---- methods ---- */

static int check_count(const char *name, Py_ssize_t n_args, Py_ssize_t want)
{
    if (n_args == want) {
        return 0;
    }
    PyErr_Format(PyExc_TypeError, "%s() takes %zd arguments, %zd given", name, want, n_args);
    return -1;
}

PyDoc_STRVAR(submit_doc,
"submit($self, path, message, metadata, timeout, tag, /)\n"
"--\n\n"
"Begin a call and return its id. `message` is bytes, a contiguous buffer or a list of those, and is\n"
"not copied; `timeout` is in seconds, or None. The result carries `tag`. ValueError for a path,\n"
"metadata or message that cannot be sent, ConnectionError if the connection takes no calls.");

static PyObject *raise_submit(mvn_status status, const mvn_error *error)
{
    if (status == MVN_ENOMEM) {
        return PyErr_NoMemory();
    }
    PyErr_SetString(status == MVN_ERANGE ? PyExc_ConnectionError : PyExc_ValueError,
                    error->message);
    return NULL;
}

static PyObject *connection_submit(PyObject *object, PyObject *const *args, Py_ssize_t n_args)
{
    PyMvn_RpcConnection *self = (PyMvn_RpcConnection *)object;
    PyMvn_RpcArguments arguments;
    PyMvn_RpcCall *own = NULL;
    PyObject *id_object = NULL;
    mvn_call_request request = {.deadline = MVN_NEVER};
    mvn_error error;
    Py_ssize_t path_size;
    uint64_t id = 0;

    if (check_count("submit", n_args, 5) < 0 ||
        PyMvn_RpcSeconds(args[3], MVN_TIMEOUT_NONE, &request.timeout) < 0) {
        return NULL;
    }
    const char *path = PyUnicode_AsUTF8AndSize(args[0], &path_size);
    if (path == NULL) {
        return NULL;
    }
    if (PyMvn_RpcArguments_Read(&arguments, args[1], args[2]) < 0) {
        goto done;
    }
    own = PyMem_Calloc(1, sizeof(*own));
    if (own == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    request.path = (mvn_span){(const uint8_t *)path, (size_t)path_size};
    request.metadata = arguments.pairs;
    request.metadata_count = arguments.pair_count;
    request.message = arguments.parts;
    request.message_count = arguments.part_count;
    request.user = own;
    if (request.timeout != MVN_TIMEOUT_NONE) {
        request.deadline = PyMvn_Now() + request.timeout;
    }
    if (PyMvn_RpcConnection_Enter(self) < 0) {
        goto done;
    }
    mvn_status status = mvn_connection_submit(self->connection, &request, &id, &error);
    if (status == MVN_OK) {
        own->tag = Py_NewRef(args[4]);
        own->message = arguments.message;
        arguments.message = NULL;
        own->next = self->calls;
        if (own->next != NULL) {
            own->next->previous = own;
        }
        self->calls = own;
        own = NULL;
    }
    PyMvn_RpcConnection_Leave(self);
    id_object = status == MVN_OK ? PyLong_FromUnsignedLongLong(id) : raise_submit(status, &error);
done:
    PyMem_Free(own);
    PyMvn_RpcArguments_Clear(&arguments);
    return id_object;
}

/* Ends the loan of the calls from `call` on, the last one first: they have been told of, or they stay
 * to be collected again. -1 with RuntimeError if another thread is at it. */
static int give_back_calls(PyMvn_RpcConnection *self, mvn_call *call, bool told)
{
    mvn_call *next = NULL;
    if (PyMvn_RpcConnection_Enter(self) < 0) {
        return -1;
    }
    for (; call != NULL; call = next) {
        next = ((PyMvn_RpcCall *)call->user)->next_out;
        if (!told) {
            mvn_connection_put_back(self->connection, call);
            continue;
        }
        /* The message is the caller's now, however long the call lingers. */
        Py_XDECREF((PyObject *)mvn_reply_take_message(&call->reply));
        mvn_connection_return(self->connection, call);
    }
    PyMvn_RpcConnection_Leave(self);
    return 0;
}

PyObject *PyMvn_RpcConnection_Collect(PyMvn_RpcConnection *self)
{
    PyObject *list = PyList_New(0);
    mvn_call *out = NULL; /* the calls of this collection: others may be under way */
    while (list != NULL) {
        /* Tuples are made outside: making them may run a garbage collection, and with it code that
         * cancels or collects calls on this very connection. */
        if (PyMvn_RpcConnection_Enter(self) < 0) {
            Py_CLEAR(list);
            break;
        }
        mvn_call *call = mvn_connection_finished(self->connection);
        PyMvn_RpcConnection_Leave(self);
        if (call == NULL) {
            break;
        }
        ((PyMvn_RpcCall *)call->user)->next_out = out;
        out = call;
        PyObject *result = PyMvn_RpcResult(call);
        if (result == NULL || PyList_Append(list, result) < 0) {
            Py_CLEAR(list);
        }
        Py_XDECREF(result);
    }
    /* All or nothing: a call that was told of to nobody would be waited for without end. */
    if (out != NULL && give_back_calls(self, out, list != NULL) < 0) {
        Py_CLEAR(list);
    }
    return list;
}

PyDoc_STRVAR(finished_doc,
"finished($self, /)\n"
"--\n\n"
"The calls that have finished since the last time, as a list of\n"
"(tag, code, text or None, metadata or None, message or None, sent): a gRPC status code, what the\n"
"server or the engine says of it, list of (str, str | bytes), bytes, and whether the server can have\n"
"acted on the call. After MemoryError they are all still there.");

static PyObject *connection_finished(PyObject *object, PyObject *unused)
{
    (void)unused;
    return PyMvn_RpcConnection_Collect((PyMvn_RpcConnection *)object);
}

PyDoc_STRVAR(cancel_doc,
"cancel($self, id, code, text, /)\n"
"--\n\n"
"Finish a call at once with `code` and `text`, and reset its stream. False if there is no such call\n"
"or it has finished.");

static PyObject *connection_cancel(PyObject *object, PyObject *const *args, Py_ssize_t n_args)
{
    PyMvn_RpcConnection *self = (PyMvn_RpcConnection *)object;
    if (check_count("cancel", n_args, 3) < 0) {
        return NULL;
    }
    unsigned long long id = PyLong_AsUnsignedLongLong(args[0]);
    long code = PyErr_Occurred() ? -1 : PyLong_AsLong(args[1]);
    const char *text = PyErr_Occurred() ? NULL : PyUnicode_AsUTF8(args[2]);
    if (text == NULL) {
        return NULL;
    }
    if (code < MVN_GRPC_CANCELLED || code > MVN_GRPC_UNAUTHENTICATED) {
        PyErr_SetString(PyExc_ValueError, "a call is cancelled with a gRPC error code");
        return NULL;
    }
    if (PyMvn_RpcConnection_Enter(self) < 0) {
        return NULL;
    }
    bool found = mvn_connection_cancel(self->connection, id, (mvn_grpc_code)code, text);
    PyMvn_RpcConnection_Leave(self);
    return PyBool_FromLong(found);
}

PyDoc_STRVAR(data_to_send_doc,
"data_to_send($self, /)\n"
"--\n\n"
"Bytes for the socket, about send_batch of them at most, which count as sent; empty if there is\n"
"nothing to send, or the server allows no more for now.");

static PyObject *connection_data_to_send(PyObject *object, PyObject *unused)
{
    (void)unused;
    PyMvn_RpcConnection *self = (PyMvn_RpcConnection *)object;
    if (PyMvn_RpcConnection_Enter(self) < 0) {
        return NULL;
    }
    size_t size = mvn_connection_pull(self->connection);
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
    if (bytes != NULL) {
        char *at = PyBytes_AS_STRING(bytes);
        while (size != 0) {
            mvn_chunk chunks[16];
            size_t count = mvn_connection_peek(self->connection, chunks, 16), copied = 0;
            for (size_t i = 0; i < count; i++) {
                memcpy(at + copied, chunks[i].span.data, chunks[i].span.size);
                copied += chunks[i].span.size;
            }
            mvn_connection_consume(self->connection, copied);
            at += copied;
            size -= copied;
        }
    }
    PyMvn_RpcConnection_Leave(self);
    return bytes;
}

PyDoc_STRVAR(receive_doc,
"receive($self, data, /)\n"
"--\n\n"
"Take bytes from the socket and return finished(). What breaks HTTP/2 closes the connection.");

static PyObject *connection_receive(PyObject *object, PyObject *data)
{
    PyMvn_RpcConnection *self = (PyMvn_RpcConnection *)object;
    Py_buffer buffer;
    if (PyObject_GetBuffer(data, &buffer, PyBUF_SIMPLE) < 0) {
        return NULL;
    }
    if (PyMvn_RpcConnection_Enter(self) < 0) {
        PyBuffer_Release(&buffer);
        return NULL;
    }
    mvn_status status = mvn_connection_receive(self->connection, buffer.buf, (size_t)buffer.len);
    (void)status; /* it shows in `closed`, and in the results */
    PyMvn_RpcConnection_Leave(self);
    PyBuffer_Release(&buffer);
    return PyMvn_RpcConnection_Collect(self);
}

PyDoc_STRVAR(lost_doc,
"lost($self, text, /)\n"
"--\n\n"
"The socket is gone, or is about to be closed: finish all calls as UNAVAILABLE, with `text`.");

static PyObject *connection_lost(PyObject *object, PyObject *text)
{
    PyMvn_RpcConnection *self = (PyMvn_RpcConnection *)object;
    const char *utf8 = PyUnicode_AsUTF8(text);
    if (utf8 == NULL || PyMvn_RpcConnection_Enter(self) < 0) {
        return NULL;
    }
    mvn_connection_lost(self->connection, utf8);
    PyMvn_RpcConnection_Leave(self);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(tick_doc,
"tick($self, /)\n"
"--\n\n"
"Give up calls whose time is over, and ping a server that is silent for too long. Returns after how\n"
"many seconds it wants to be called again, or None: when a call has begun.");

static PyObject *connection_tick(PyObject *object, PyObject *unused)
{
    (void)unused;
    PyMvn_RpcConnection *self = (PyMvn_RpcConnection *)object;
    int64_t now = PyMvn_Now();
    if (PyMvn_RpcConnection_Enter(self) < 0) {
        return NULL;
    }
    int64_t next = mvn_connection_tick(self->connection, now);
    PyMvn_RpcConnection_Leave(self);
    if (next == MVN_NEVER) {
        Py_RETURN_NONE;
    }
    return PyFloat_FromDouble((double)(next - now) * 1e-9);
}

PyDoc_STRVAR(ping_doc,
"ping($self, /)\n"
"--\n\n"
"Send a PING; `pings_answered` counts the answers.");

static PyObject *connection_ping(PyObject *object, PyObject *unused)
{
    (void)unused;
    PyMvn_RpcConnection *self = (PyMvn_RpcConnection *)object;
    if (PyMvn_RpcConnection_Enter(self) < 0) {
        return NULL;
    }
    mvn_status status = mvn_connection_ping(self->connection);
    PyMvn_RpcConnection_Leave(self);
    if (status != MVN_OK) {
        return PyErr_NoMemory();
    }
    Py_RETURN_NONE;
}

static PyMethodDef connection_methods[] = {
    {"submit", (PyCFunction)(void (*)(void))connection_submit, METH_FASTCALL, submit_doc},
    {"cancel", (PyCFunction)(void (*)(void))connection_cancel, METH_FASTCALL, cancel_doc},
    {"data_to_send", connection_data_to_send, METH_NOARGS, data_to_send_doc},
    {"receive", connection_receive, METH_O, receive_doc},
    {"finished", connection_finished, METH_NOARGS, finished_doc},
    {"lost", connection_lost, METH_O, lost_doc},
    {"tick", connection_tick, METH_NOARGS, tick_doc},
    {"ping", connection_ping, METH_NOARGS, ping_doc},
    {"exchange", (PyCFunction)(void (*)(void))PyMvn_RpcConnection_Exchange, METH_FASTCALL,
     PyMvn_RpcConnection_ExchangeDoc},
    {"pump", (PyCFunction)(void (*)(void))PyMvn_RpcConnection_Pump, METH_FASTCALL,
     PyMvn_RpcConnection_PumpDoc},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot connection_slots[] = {
    {Py_tp_doc, (void *)type_doc},
    {Py_tp_new, connection_new},
    {Py_tp_dealloc, connection_dealloc},
    {Py_tp_traverse, connection_traverse},
    {Py_tp_clear, connection_clear},
    {Py_tp_methods, connection_methods},
    {Py_tp_getset, PyMvn_RpcConnection_Attributes},
    {0, NULL},
};

static PyType_Spec connection_spec = {
    .name = "milvus_native._core.RpcConnection",
    .basicsize = sizeof(PyMvn_RpcConnection),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = connection_slots,
};

int PyMvn_RpcConnection_Init(PyObject *module, PyMvn_State *state)
{
    state->rpc_connection_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &connection_spec, NULL);
    if (state->rpc_connection_type == NULL) {
        return -1;
    }
    return PyModule_AddObjectRef(module, "RpcConnection", (PyObject *)state->rpc_connection_type);
}
