/* Vectors as Python objects: the forms they come in, and how each becomes bytes.
 *
 * numpy is never imported: its arrays are known by the buffer protocol, and those that have none
 * (ml_dtypes' bfloat16) by asking the array itself. Nothing here is kept between calls. */
#ifndef MVN_PY_VECTORS_H
#define MVN_PY_VECTORS_H

#include <stdbool.h>

#include "state.h"
#include "../core/element.h"
#include "../core/status.h"

typedef enum {
    MVN_FORM_NUMBERS = 0, /* an exact list or tuple, not looked into yet; no view */
    MVN_FORM_ARRAY,       /* a buffer of numbers with one dimension; the view is held */
    MVN_FORM_BYTES,       /* bytes (no view), a bytearray or a memoryview of bytes (view held) */
    MVN_FORM_OTHER        /* an array of what no vector holds (strings, dates, complex numbers);
                             a view may be held */
} PyMvn_VectorForm;

/* A buffer that is held, and what its elements are. */
typedef struct {
    Py_buffer buffer; /* buffer.obj is NULL when none is held */
    mvn_element element;
    bool swapped;
    bool bytes; /* the object stands for raw bytes, not for numbers below 256 */
} PyMvn_VectorView;

/* Takes the memory of `object` with any number of dimensions. 1: held, release it; 0: it exports
 * none, nothing is held; -1 with the exporter's exception (TypeError for BufferError). An array
 * whose elements cannot be exported is 1 with MVN_ELEMENT_OTHER, and possibly nothing held. Runs
 * Python code. */
int PyMvn_View_Take(PyObject *object, PyMvn_VectorView *view);

/* Releases what is held, if anything. The view may be taken again. */
void PyMvn_View_Release(PyMvn_VectorView *view);

/* Row `row` of a held view of two dimensions, or all of one of one dimension (`row` is 0). The
 * result lives as long as the view is held. */
mvn_strided PyMvn_View_Row(const PyMvn_VectorView *view, Py_ssize_t row);

/* Finds the form of `*object` (a reference that the caller owns) and fills `view`. `likely` is the
 * element that an array probably has; it only decides what is tried first. Sequences that
 * are no list or tuple (a range, a tensor, a subclass with its own ideas) are replaced: `*object`
 * is then a new list or array, and the old one is given up. -1 with TypeError when it is no vector
 * at all (a str, a number, a dict, an array that is not one-dimensional), or with whatever the
 * object's own code raised; nothing is held then. Runs Python code. */
int PyMvn_Vector_Open(PyObject **object, mvn_element likely, PyMvn_VectorView *view);

/* Elements of a vector in any form but OTHER; bytes of one in form BYTES. */
Py_ssize_t PyMvn_Vector_Length(PyObject *object, const PyMvn_VectorView *view);

/* Writes `count` numbers of an exact list or tuple as `target`: F32, F16, BF16, I8 or U8. The
 * length is checked again. 0, or -1 with TypeError, ValueError or OverflowError for an element
 * that does not fit and for a sequence that changed its length meanwhile, or with whatever an
 * element's own code raised. Runs Python code. */
int PyMvn_Vector_WriteNumbers(PyObject *sequence, mvn_element target, Py_ssize_t count,
                              uint8_t *out);

/* Raises ValueError for element `index`, an integer outside the signed or unsigned bytes. */
void PyMvn_Strided_FailRange(const mvn_strided *source, size_t index, bool is_signed);

/* What `object` is, for a message: "an array of dtype int64", "dict". New str, or NULL. */
PyObject *PyMvn_Vector_Describe(PyObject *object);

/* If the exception that is set says that a value is of no use (TypeError, ValueError,
 * OverflowError, and what they cover), its text as a new str, the exception staying
 * set; otherwise (and when none is set) NULL, the exception staying as it was. Such exceptions are
 * reported with the place of the value, others pass through. */
PyObject *PyMvn_Vector_Complaint(void);

#endif
