/* JSON by orjson, imported when the first document is met. */
#ifndef MVN_PY_JSON_H
#define MVN_PY_JSON_H

#include "state.h"

/* orjson.dumps(value): new bytes, or NULL with orjson's TypeError. */
PyObject *PyMvn_Json_Dumps(PyMvn_State *state, PyObject *value);

/* orjson.loads of `size` bytes: new object, or NULL with orjson's ValueError. */
PyObject *PyMvn_Json_Loads(PyMvn_State *state, const char *data, Py_ssize_t size);

/* A value of a JSON column as bytes: a str must be JSON text and is sent as it is; NumPy scalars
 * and arrays inside lists and dicts become numbers and lists; nesting too deep for orjson goes to
 * the json module. New bytes. NULL with DataNotMatchException for text that is not JSON and for
 * keys of the top level that are no str; with TypeError for what JSON cannot express (the caller
 * adds the place). */
PyObject *PyMvn_Json_Document(PyMvn_State *state, PyObject *value);

#endif
