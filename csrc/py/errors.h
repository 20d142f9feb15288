/* Failures of csrc/core, of the server and of the input as exceptions of their own classes, and what
 * C code does with an exception that is set.
 *
 * pymilvus's own exception classes are imported when one of them is raised, never before. */
#ifndef MVN_PY_ERRORS_H
#define MVN_PY_ERRORS_H

#include "state.h"
#include "../core/status.h"

/* The exception that is set, as one normalised object with its traceback (a new reference, or NULL
 * when there is none); none is set afterwards. */
PyObject *PyMvn_TakeException(void);

/* Sets what PyMvn_TakeException returned again, and steals the reference. NULL sets nothing. */
void PyMvn_RestoreException(PyObject *exception);

/* Forgets the exception that is set, which only says that something is not so: 0. -1, and still set,
 * if it says that there is no memory, or is no Exception (an interrupt). */
int PyMvn_ForgetException(void);

/* object.name: 1 with a new reference, 0 when there is no such attribute, -1 with an exception. */
int PyMvn_GetOptional(PyObject *object, const char *name, PyObject **value);

/* Whether `object` has the attribute: 1 or 0, or -1 with an exception. */
int PyMvn_HasAttribute(PyObject *object, const char *name);

/* Raises class `name` of pymilvus.exceptions with `message=` the formatted text (formats of
 * PyUnicode_FromFormat). Always returns NULL. If an exception is already set it becomes the
 * __cause__ of the new one. */
PyObject *PyMvn_RaiseMilvus(const char *name, const char *format, ...);

/* Raises for a status of csrc/core: MemoryError for MVN_ENOMEM, otherwise _core.DecodeError with
 * `what`, the status and the error's text (`error` may be NULL). Always returns NULL. */
PyObject *PyMvn_RaiseStatus(PyMvn_State *state, mvn_status status, const mvn_error *error,
                            const char *what);

/* Raises _core.StatusError for a Status message of the server. `reason`, a str, and `extra_info`, a
 * dict of str to str, are stolen; with a NULL among them the exception that is set stays. */
void PyMvn_RaiseServerStatus(PyMvn_State *state, int code, int error_code, PyObject *reason,
                             int retriable, PyObject *extra_info);

/* Makes the exception types and adds them to the module. 0 or -1. */
int PyMvn_Errors_Init(PyObject *module, PyMvn_State *state);

#endif
