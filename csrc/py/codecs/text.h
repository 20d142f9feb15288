/* Text as UTF-8, for columns of strings and for arrays of them. */
#ifndef MVN_PY_CODECS_TEXT_H
#define MVN_PY_CODECS_TEXT_H

#include "codec.h"

/* Bytes that `value` takes in UTF-8: a str, or bytes that are valid UTF-8. 0, or -1 with TypeError,
 * UnicodeEncodeError (a lone surrogate) or UnicodeDecodeError. Runs no Python code. */
int PyMvn_Text_Size(PyObject *value, size_t *size);

/* Writes at `out` the bytes of a value that PyMvn_Text_Size accepted, as many as it said. */
void PyMvn_Text_Write(PyObject *value, uint8_t *out);

/* Refuses a text of `size` bytes that is longer than the field's max_length, which servers count
 * in bytes of UTF-8, too. 0, or -1 with DataNotMatchException. */
int PyMvn_Text_CheckLength(const PyMvn_Column *column, Py_ssize_t row, size_t size);

#endif
