/* What the decoders of all replies share: their arguments, their text, and the server's status. */
#ifndef MVN_PY_REPLY_H
#define MVN_PY_REPLY_H

#include "errors.h"
#include "../core/result_index.h"

/* The arguments of decode_x(reply, option=...): fills `*reply` (release it with PyBuffer_Release)
 * and `*option` (borrowed; untouched when not given). `keyword` is the option's name, NULL when the
 * function has none. 0, or -1 with TypeError or BufferError set and nothing to release. */
int PyMvn_Reply_Arguments(const char *function, PyObject *const *args, Py_ssize_t n_args,
                          PyObject *keyword_names, const char *keyword, Py_buffer *reply,
                          PyObject **option);

/* A new str. NULL with _core.DecodeError set when the bytes are not UTF-8. */
PyObject *PyMvn_Reply_Text(PyMvn_State *state, mvn_span text);

/* The same, interned: for names that come again in every row and every reply. */
PyObject *PyMvn_Reply_Name(PyMvn_State *state, mvn_span text);

/* Raises _core.DecodeError; `format` is PyUnicode_FromFormat's. Always returns NULL. */
PyObject *PyMvn_Reply_Malformed(PyMvn_State *state, const char *format, ...);

/* 0 when the status means success, else -1 with _core.StatusError set. */
int PyMvn_Reply_CheckStatus(PyMvn_State *state, const mvn_reply_status *status);

/* The cost of the call (Status.extra_info["report_value"]): a new int, 0 when the server sent none
 * or something that is not a number. NULL with an exception set when memory is out. */
PyObject *PyMvn_Reply_Cost(PyMvn_State *state, const mvn_reply_status *status);

/* A new dict of the numbers in Status.extra_info: cost, scanned_remote_bytes, scanned_total_bytes
 * (int), cache_hit_ratio (float), in this order. What the server did not send, or is no number, is
 * left out; but with `always_cost` cost is there. NULL with an exception set on failure. */
PyObject *PyMvn_Reply_Extra(PyMvn_State *state, const mvn_reply_status *status, bool always_cost);

/* New lists of int, str or float. `begin` and `count` must lie within what the cursor's owner
 * counted; each call goes on where the one before ended. NULL with an exception set on failure. */
PyObject *PyMvn_Reply_Ints(PyMvn_State *state, mvn_reader *numbers, size_t count);
PyObject *PyMvn_Reply_Texts(PyMvn_State *state, mvn_reader *message, uint32_t number,
                            size_t count);
PyObject *PyMvn_Reply_Floats(const uint8_t *numbers, size_t count);

/* Holds the cyclic collector off while many objects are made, none of which can be garbage yet;
 * what Hold returns goes to Resume. CPython 3.12 and later never collect inside C code, so this
 * does to 3.10 and 3.11 what is the rule since. Little or no Python code may run in between. */
static inline int PyMvn_Collector_Hold(void)
{
#if PY_VERSION_HEX < 0x030C0000
    return PyGC_Disable();
#else
    return 0;
#endif
}

static inline void PyMvn_Collector_Resume(int held)
{
    if (held) {
        PyGC_Enable();
    }
}

#endif
