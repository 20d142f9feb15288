/* The scratch of codecs that convert a cell once, when it is measured: numbers, arrays and
 * documents, whose Python objects may answer otherwise when asked again, or are dear to ask. */
#ifndef MVN_PY_CODECS_SPOOLED_H
#define MVN_PY_CODECS_SPOOLED_H

#include "../../core/buffer.h"
#include "../../core/spool.h"
#include "codec.h"

typedef struct {
    mvn_spool spool;   /* the measured rows in wire form */
    mvn_buffer buffer; /* one row, or a few, under construction */
} PyMvn_Spooled;

/* The column's scratch, made on first use. NULL with MemoryError. */
PyMvn_Spooled *PyMvn_Spooled_Of(PyMvn_Column *column);

/* Moves what is in `buffer` to the end of `spool`. 0 or -1. */
int PyMvn_Spooled_Flush(PyMvn_Spooled *scratch);

/* Bytes in the spool; 0 for a column without scratch. */
static inline size_t PyMvn_Spooled_Bytes(const PyMvn_Column *column)
{
    const PyMvn_Spooled *scratch = column->scratch;
    return scratch == NULL ? 0 : scratch->spool.size;
}

/* The codec's functions, for rows that are fields of the array message of themselves. */
size_t PyMvn_Spooled_Size(const PyMvn_Column *column);
int PyMvn_Spooled_Open(PyMvn_Column *column, mvn_writer *out);
int PyMvn_Spooled_Write(PyMvn_Column *column, Py_ssize_t begin, Py_ssize_t end, mvn_writer *out);
void PyMvn_Spooled_Release(PyMvn_Column *column);

#endif
