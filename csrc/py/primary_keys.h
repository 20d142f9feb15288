/* Primary keys as a filter: id in [1,2], id in ['a',"O'Brien"].
 *
 * primary_key_expression(field_name, ids, primary_type=0) writes the expression that matches
 * exactly `ids`, an iterable. `primary_type` is the data type of the field: keys of a VARCHAR field
 * are quoted, also when they are given as numbers, and keys of an INT64 field are numbers, also
 * when they are given as their decimal digits; 0 goes by each key's own type. It raises ParamError
 * for a key that the type cannot hold, and UnicodeError for lone surrogates. key_literal(key) is
 * one such key alone, an int or a str, for other comparisons. */
#ifndef MVN_PY_PRIMARY_KEYS_H
#define MVN_PY_PRIMARY_KEYS_H

#include "state.h"

/* Adds the functions to the module. 0 or -1. */
int PyMvn_PrimaryKeys_Init(PyObject *module, PyMvn_State *state);

#endif
