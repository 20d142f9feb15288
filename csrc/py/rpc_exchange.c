/* RpcConnection.exchange: the I/O of a blocking caller on a plain socket.
 *
 * One method instead of send, poll and recv from Python: the GIL is let go once for all three, which
 * is what matters when many threads call; and a large message goes to the socket from where it lies.
 * The socket stays Python's: made, configured and closed there. On a blocking one a call takes
 * three system calls, a look, send and recv; on a non-blocking one poll comes before the recv. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>

#include "../core/mem.h"
#include "clock.h"
#include "rpc_connection.h"

#define INBOX_SIZE ((size_t)64 << 10)
#define MAX_PIECES 64
#define PUMP_LIMIT ((size_t)1 << 20)
#define PATIENCE INT64_C(1000000000) /* how long is waited before Python may see to signals, ns */
#define ROUND_LIMIT ((size_t)16 << 20) /* how many bytes are taken in before that */

#ifdef MSG_NOSIGNAL
#define SEND_FLAGS (MSG_DONTWAIT | MSG_NOSIGNAL)
#else
#define SEND_FLAGS MSG_DONTWAIT /* Python ignores SIGPIPE */
#endif

typedef enum {
    GOT_BYTES,   /* `size` bytes are in the inbox */
    GOT_NOTHING, /* the time is over */
    GOT_SIGNAL,  /* or it is time to see whether there was one */
    GOT_END,     /* the server has closed the socket */
    GOT_ERROR    /* errno is in `error` */
} outcome;

typedef struct {
    int fd;
    int64_t until; /* when to stop waiting, or MVN_NEVER */
    bool look;     /* read before anything is sent: the server may have gone while nobody looked */
    size_t size;
    int error;
} io_round;

/* Sends what the engine has, until there is no more or the socket takes no more (true). */
static bool send_ready(mvn_connection *connection, int fd, bool *broken)
{
    while (mvn_connection_pull(connection) != 0) {
        mvn_chunk chunks[MAX_PIECES];
        struct iovec pieces[MAX_PIECES];
        struct msghdr message = {.msg_iov = pieces};
        size_t count = mvn_connection_peek(connection, chunks, MAX_PIECES);
        for (size_t i = 0; i < count; i++) {
            /* sendmsg takes pointers to non-const bytes, and does not write to them. */
            pieces[i].iov_base = (void *)(uintptr_t)chunks[i].span.data;
            pieces[i].iov_len = chunks[i].span.size;
        }
        message.msg_iovlen = count;
        ssize_t sent = sendmsg(fd, &message, SEND_FLAGS);
        if (sent < 0) {
            if (errno == EINTR) {
                continue;
            }
            *broken = errno != EAGAIN && errno != EWOULDBLOCK;
            return true;
        }
        mvn_connection_consume(connection, (size_t)sent);
    }
    return false;
}

/* Milliseconds for poll, rounded up: until then, but no longer than PATIENCE. */
static int poll_timeout(int64_t until)
{
    int64_t left = until - PyMvn_Now();
    left = left < 0 ? 0 : left > PATIENCE ? PATIENCE : left;
    return (int)((left + 999999) / 1000000);
}

/* Receives what is there; with `flags` 0 it waits for it. False if there is nothing, else `*got` says
 * what came of it. */
static bool receive_ready(PyMvn_RpcConnection *self, io_round *round, int flags, outcome *got)
{
    ssize_t size = recv(round->fd, self->inbox, INBOX_SIZE, flags);
    if (size > 0) {
        round->size = (size_t)size;
        *got = GOT_BYTES;
    } else if (size == 0) {
        *got = GOT_END;
    } else if (errno == EINTR) {
        *got = GOT_SIGNAL;
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
        return false;
    } else {
        round->error = errno;
        *got = GOT_ERROR;
    }
    return true;
}

/* Whether a recv on the socket waits, for PATIENCE. Found out once. */
static bool recv_waits(PyMvn_RpcConnection *self, int fd)
{
    if (self->recv_waits == 0) {
        const struct timeval patience = {.tv_sec = PATIENCE / 1000000000};
        int flags = fcntl(fd, F_GETFL);
        bool waits = flags >= 0 && (flags & O_NONBLOCK) == 0 &&
                     setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0;
        self->recv_waits = waits ? 1 : -1;
    }
    return self->recv_waits > 0;
}

/* Sends, waits for bytes, receives them. Runs without the GIL. */
static outcome do_round(PyMvn_RpcConnection *self, io_round *round)
{
    outcome got;
    if (round->look && receive_ready(self, round, MSG_DONTWAIT, &got)) {
        return got;
    }
    for (;;) {
        bool broken = false;
        bool blocked = send_ready(self->connection, round->fd, &broken);
        int send_error = broken ? errno : 0;
        if (mvn_connection_get_stats(self->connection).finished != 0) {
            return GOT_NOTHING; /* a call came to its end in being sent: there is nothing to wait for */
        }
        if (!blocked && recv_waits(self, round->fd) &&
            (round->until == MVN_NEVER || round->until - PyMvn_Now() > PATIENCE)) {
            /* Out of patience, not of time: a signal may have come just before the wait. */
            return receive_ready(self, round, 0, &got) ? got : GOT_SIGNAL;
        }
        struct pollfd wanted = {.fd = round->fd, .events = POLLIN};
        if (blocked && !broken) {
            wanted.events |= POLLOUT;
        }
        /* After a failed send there may still be an answer that says why, so it is read; without
         * waiting. */
        int ready = poll(&wanted, 1, broken ? 0 : poll_timeout(round->until));
        if (ready < 0 && errno == EINTR) {
            return GOT_SIGNAL;
        }
        if (ready < 0 || (ready == 0 && broken)) {
            round->error = broken ? send_error : errno;
            return GOT_ERROR;
        }
        if (ready == 0) {
            return PyMvn_Now() < round->until ? GOT_SIGNAL : GOT_NOTHING;
        }
        if ((wanted.revents & ~POLLOUT) == 0) {
            continue;
        }
        if (receive_ready(self, round, MSG_DONTWAIT, &got)) {
            return got;
        }
    }
}

/* Rounds without the GIL, until something is for the caller or for Python to see to. Bulk is taken
 * in without coming back for the GIL: a full inbox means that more is there. A server that never
 * stops sending does not keep the caller here: neither past its deadline, nor from a signal. */
static outcome do_rounds(PyMvn_RpcConnection *self, io_round *round)
{
    outcome got;
    size_t taken = 0;
    self->detached = PyEval_SaveThread();
    for (;;) {
        got = do_round(self, round);
        if (got != GOT_BYTES || round->size < INBOX_SIZE) {
            break;
        }
        taken += round->size;
        if (mvn_connection_receive(self->connection, self->inbox, round->size) != MVN_OK ||
            mvn_connection_get_stats(self->connection).finished != 0) {
            round->size = 0;
            break;
        }
        if (round->until != MVN_NEVER && PyMvn_Now() >= round->until) {
            round->size = 0;
            break;
        }
        if (taken >= ROUND_LIMIT) {
            got = GOT_SIGNAL;
            break;
        }
        round->look = false;
    }
    PyThreadState *detached = self->detached;
    self->detached = NULL;
    PyEval_RestoreThread(detached);
    return got;
}

static void lose(PyMvn_RpcConnection *self, int error)
{
    char text[160];
    if (error == 0) {
        mvn_connection_lost(self->connection, "the server closed the connection");
        return;
    }
    (void)PyOS_snprintf(text, sizeof(text), "the connection was lost (%s)", strerror(error));
    mvn_connection_lost(self->connection, text);
}

/* Whether there is something for the caller to see that was not there before. */
static bool has_news(const mvn_connection *connection, const mvn_connection_stats *before)
{
    mvn_connection_stats now = mvn_connection_get_stats(connection);
    return now.finished != 0 || now.pings_answered != before->pings_answered ||
           now.settings_came != before->settings_came ||
           mvn_connection_get_state(connection) == MVN_CONNECTION_CLOSED;
}

/* Until there is something for the caller to see, or the time is over; `*signalled` if a signal may
 * have come first. Entered. */
static void exchange(PyMvn_RpcConnection *self, int fd, int64_t until, bool *signalled)
{
    mvn_connection *connection = self->connection;
    mvn_connection_stats before = mvn_connection_get_stats(connection);
    int64_t began = PyMvn_Now(), now = began;
    for (bool first = true;; first = false) {
        int64_t next = mvn_connection_tick(connection, now);
        if (has_news(connection, &before) || (now >= until && !first)) {
            return;
        }
        if (now - began >= PATIENCE) {
            *signalled = true; /* bytes that trickle in keep a wait from being the longest there is */
            return;
        }
        io_round round = {.fd = fd, .until = next < until ? next : until, .look = first};
        switch (do_rounds(self, &round)) {
        case GOT_BYTES: {
            /* What breaks the connection shows in the results of its calls. */
            mvn_status status = round.size == 0
                                    ? MVN_OK
                                    : mvn_connection_receive(connection, self->inbox, round.size);
            (void)status;
            break;
        }
        case GOT_NOTHING:
            break;
        case GOT_SIGNAL:
            *signalled = !has_news(connection, &before);
            return;
        case GOT_END:
            lose(self, 0);
            break;
        case GOT_ERROR:
            lose(self, round.error);
            break;
        }
        now = PyMvn_Now();
    }
}

const char PyMvn_RpcConnection_ExchangeDoc[] = PyDoc_STR(
"exchange($self, fd, timeout, /)\n"
"--\n\n"
"Send and receive on a connected, plain socket until a call has finished, the server's settings or\n"
"the answer to a PING have come, the connection has closed, or `timeout` seconds (None: no limit)\n"
"have passed; return finished(). Errors of the socket close the connection. It reads before it\n"
"writes, so that a call is not sent to a server that has said good-bye. A blocking socket gets a\n"
"receive timeout, and takes one system call less.");

/* Memory for what exchange and pump receive. False if there is none. Entered. */
static bool have_inbox(PyMvn_RpcConnection *self)
{
    if (self->inbox == NULL) {
        self->inbox = mvn_malloc_array(INBOX_SIZE, 1);
    }
    return self->inbox != NULL;
}

PyObject *PyMvn_RpcConnection_Exchange(PyObject *object, PyObject *const *args, Py_ssize_t n_args)
{
    PyMvn_RpcConnection *self = (PyMvn_RpcConnection *)object;
    int64_t timeout;
    bool signalled;

    if (n_args != 2) {
        PyErr_Format(PyExc_TypeError, "exchange() takes 2 arguments, %zd given", n_args);
        return NULL;
    }
    int fd = PyObject_AsFileDescriptor(args[0]);
    if (fd < 0 || PyMvn_RpcSeconds(args[1], MVN_NEVER, &timeout) < 0) {
        return NULL;
    }
    int64_t until = timeout == MVN_NEVER ? MVN_NEVER : PyMvn_Now() + timeout;
    do {
        signalled = false;
        if (PyMvn_RpcConnection_Enter(self) < 0) {
            return NULL;
        }
        bool ready = have_inbox(self);
        if (ready) {
            exchange(self, fd, until, &signalled);
        }
        PyMvn_RpcConnection_Leave(self);
        if (!ready) {
            return PyErr_NoMemory();
        }
        /* Handlers run Python code, perhaps on this connection. */
        if (signalled && PyErr_CheckSignals() < 0) {
            return NULL;
        }
    } while (signalled);
    return PyMvn_RpcConnection_Collect(self);
}

/* ---- without waiting, for event loops ---- */

/* Takes in what has come, up to PUMP_LIMIT bytes so that others get their turn. False if the socket is
 * through; errno, or 0 for its regular end, is in `*error`. Without the GIL. */
static bool take_in(PyMvn_RpcConnection *self, int fd, int *error)
{
    io_round round = {.fd = fd};
    outcome got;
    for (size_t taken = 0; taken < PUMP_LIMIT; taken += round.size) {
        round.size = 0;
        if (!receive_ready(self, &round, MSG_DONTWAIT, &got)) {
            break;
        }
        if (got == GOT_SIGNAL) {
            continue;
        }
        if (got != GOT_BYTES) {
            *error = got == GOT_END ? 0 : round.error;
            return false;
        }
        if (mvn_connection_receive(self->connection, self->inbox, round.size) != MVN_OK ||
            round.size < INBOX_SIZE) {
            break;
        }
    }
    return true;
}

/* Whether bytes wait for the socket. Entered. */
static bool pump(PyMvn_RpcConnection *self, int fd, bool receive)
{
    bool broken = false, blocked = false;
    int error = 0;

    self->detached = PyEval_SaveThread();
    bool alive = !receive || take_in(self, fd, &error);
    if (alive) {
        blocked = send_ready(self->connection, fd, &broken);
    }
    if (broken) {
        /* There may still be an answer that says why. */
        error = errno;
        int ignored;
        (void)(receive || take_in(self, fd, &ignored));
        alive = false;
    }
    PyThreadState *detached = self->detached;
    self->detached = NULL;
    PyEval_RestoreThread(detached);
    if (!alive) {
        lose(self, error);
    }
    return blocked && alive;
}

const char PyMvn_RpcConnection_PumpDoc[] = PyDoc_STR(
"pump($self, fd, receive, /)\n"
"--\n\n"
"Do what a connected, non-blocking, plain socket allows without waiting: take in what has come, if\n"
"`receive`, and send. Returns (finished(), whether bytes wait until the socket takes more). Errors of\n"
"the socket close the connection.");

PyObject *PyMvn_RpcConnection_Pump(PyObject *object, PyObject *const *args, Py_ssize_t n_args)
{
    PyMvn_RpcConnection *self = (PyMvn_RpcConnection *)object;

    if (n_args != 2) {
        PyErr_Format(PyExc_TypeError, "pump() takes 2 arguments, %zd given", n_args);
        return NULL;
    }
    int fd = PyObject_AsFileDescriptor(args[0]);
    int receive = fd < 0 ? -1 : PyObject_IsTrue(args[1]);
    if (receive < 0 || PyMvn_RpcConnection_Enter(self) < 0) {
        return NULL;
    }
    bool ready = have_inbox(self);
    bool blocked = ready && pump(self, fd, receive != 0);
    PyMvn_RpcConnection_Leave(self);
    if (!ready) {
        return PyErr_NoMemory();
    }
    PyObject *result = PyTuple_New(2);
    PyObject *finished = result == NULL ? NULL : PyMvn_RpcConnection_Collect(self);
    if (finished == NULL) {
        Py_XDECREF(result);
        return NULL;
    }
    PyTuple_SET_ITEM(result, 0, finished);
    PyTuple_SET_ITEM(result, 1, Py_NewRef(blocked ? Py_True : Py_False));
    return result;
}
