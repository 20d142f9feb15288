/* Values of filter templates: the dict of `filter_params` as TemplateValue messages.
 *
 * A value keeps its meaning: bool, int, float, str and bytes go into the field of their kind, NumPy
 * scalars of any width as the number they are; lists, tuples and NumPy arrays become typed arrays
 * when all their elements are of one type, else each element is sent as a JSON document (a str as
 * a JSON string). */
#ifndef MVN_PY_TEMPLATES_H
#define MVN_PY_TEMPLATES_H

#include "state.h"
#include "../core/buffer.h"

/* Appends one entry of map field number `field` for each item of `templates`, a dict of str or
 * None. 0, or -1 with ParamError for a value of a type that a template cannot have, ValueError for
 * an int outside int64, _core.TextError for a key that is not str; `out` then holds a part. May run
 * Python code. */
int PyMvn_Templates_Append(PyMvn_State *state, mvn_buffer *out, uint32_t field,
                           PyObject *templates);

#endif
