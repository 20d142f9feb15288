/* The floor of encoding lists: visits every float object once and stores its value as a float32.
 * No checks, no growth, no message around it. */
#include <Python.h>

size_t walk_rows(PyObject *rows, char *out);

size_t walk_rows(PyObject *rows, char *out)
{
    size_t count = 0;
    float *values = (float *)(void *)out;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(rows); i++) {
        PyObject *row = PyList_GET_ITEM(rows, i);
        for (Py_ssize_t j = 0; j < PyList_GET_SIZE(row); j++) {
            values[count++] = (float)PyFloat_AS_DOUBLE(PyList_GET_ITEM(row, j));
        }
    }
    return count;
}
