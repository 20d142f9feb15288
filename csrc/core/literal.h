/* Literals of Milvus's filter language (Plan.g4 of the server), appended to an expression.
 *
 * What is written here reads back as exactly the value that was given, whatever is in it: no
 * value can end its literal early and become part of the expression. */
#ifndef MVN_CORE_LITERAL_H
#define MVN_CORE_LITERAL_H

#include "buffer.h"

/* Decimal digits, with a minus sign where needed. */
MVN_MUST_CHECK mvn_status mvn_literal_append_int(mvn_buffer *buffer, int64_t value);

/* `text` is valid UTF-8 of `size` bytes, NUL included if there is one. Quoted with ' as it is where
 * that is possible, else with " as it is, and only else with " and backslash escapes, so that most
 * strings need nothing of the server's (over time different) ideas of unescaping. Line ends must
 * be escaped always, they cannot stand in a literal; so must supplementary ideographs, which the
 * server's own preprocessing would cut to 16 bits. All-or-nothing. */
MVN_MUST_CHECK mvn_status mvn_literal_append_string(mvn_buffer *buffer, const char *text,
                                                    size_t size);

#endif
