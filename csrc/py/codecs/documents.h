/* The $meta column: documents that are made where the rows are gathered. */
#ifndef MVN_PY_CODECS_DOCUMENTS_H
#define MVN_PY_CODECS_DOCUMENTS_H

#include "codec.h"

/* Appends the document (bytes; borrowed) of the next row to a $meta column. 0 or -1. */
int PyMvn_Documents_Append(PyMvn_Column *column, PyObject *document);

#endif
