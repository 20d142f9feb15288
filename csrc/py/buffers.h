/* Python values into an mvn_buffer: the small fields of requests.
 *
 * int results: 0, or -1 with an exception set; the buffer then still owns its memory and holds
 * what was appended before. None of these runs Python code, except PyMvn_Buffer_Texts over
 * something that is neither list nor tuple. */
#ifndef MVN_PY_BUFFERS_H
#define MVN_PY_BUFFERS_H

#include <stdbool.h>

#include "state.h"
#include "../core/buffer.h"

/* 0 for MVN_OK; else -1 with MemoryError, or ParamError for what no message can hold (2 GiB). */
int PyMvn_Buffer_Check(mvn_status status);

/* A string field from a str, or from bytes that are UTF-8. Written also when empty. _core.TextError
 * for another type, in which `what` names the value; UnicodeError for lone surrogates and for bytes
 * that are not UTF-8. */
int PyMvn_Buffer_Text(PyMvn_State *state, mvn_buffer *buffer, uint32_t field, PyObject *value,
                      const char *what);

/* The same for a field without presence: NULL, None and empty text are left out. */
int PyMvn_Buffer_OptionalText(PyMvn_State *state, mvn_buffer *buffer, uint32_t field,
                              PyObject *value, const char *what);

/* A repeated string field from any iterable but text itself; NULL and None are no elements. */
int PyMvn_Buffer_Texts(PyMvn_State *state, mvn_buffer *buffer, uint32_t field, PyObject *values,
                       const char *what);

/* An integer field without presence, at most 64 bits: NULL, None and 0 are left out. OverflowError
 * outside [low, high]; `high` may exceed INT64_MAX only when `low` is 0. */
int PyMvn_Buffer_Integer(mvn_buffer *buffer, uint32_t field, PyObject *value, int64_t low,
                         uint64_t high, const char *what);

/* New bytes of the content. */
PyObject *PyMvn_Buffer_ToBytes(const mvn_buffer *buffer);

#endif
