/* The decoders of _core (decode_search, decode_query, decode_mutation) and the Python types that
 * they make objects of. */
#ifndef MVN_PY_RESULTS_H
#define MVN_PY_RESULTS_H

#include "state.h"

/* The types that the package registers, in the order of set_result_types's arguments. */
typedef enum {
    PyMvn_SEARCH_RESULT, /* list of the next */
    PyMvn_HITS,          /* list of Hit */
    PyMvn_QUERY_RESULT,  /* list of dict */
    PyMvn_EXTRA,         /* dict; QUERY_RESULT's `extra` */
    PyMvn_ITERATOR,      /* called with token, last_bound */
    PyMvn_AGGREGATION_BUCKET, /* made by its method _of */
    PyMvn_AGGREGATION_HIT,    /* the same */
    PyMvn_N_RESULT_TYPES
} PyMvn_ResultTypeIndex;

/* 0 when the types are registered, else -1 with RuntimeError set. Every decoder that makes objects
 * of them calls it first. */
int PyMvn_Results_Ready(PyMvn_State *state);

/* A registered type, borrowed from the state. PyMvn_Results_Ready must have succeeded. */
PyObject *PyMvn_ResultType(PyMvn_State *state, PyMvn_ResultTypeIndex index);

/* A new object of one of the three list types, with the items of the list `items`. Its __init__ is
 * not called: that is for programs, which make results from pymilvus's messages. */
PyObject *PyMvn_ResultList(PyMvn_State *state, PyMvn_ResultTypeIndex index, PyObject *items);

/* decode_x(reply, ...) -> object: module-level functions, METH_FASTCALL | METH_KEYWORDS. */
PyObject *PyMvn_DecodeSearch(PyObject *module, PyObject *const *args, Py_ssize_t n_args,
                             PyObject *keywords); /* search_results.c */
PyObject *PyMvn_DecodeQuery(PyObject *module, PyObject *const *args, Py_ssize_t n_args,
                            PyObject *keywords); /* query_results.c */
PyObject *PyMvn_DecodeMutation(PyObject *module, PyObject *const *args, Py_ssize_t n_args,
                               PyObject *keywords); /* mutation.c */

/* Makes the type of decode_mutation's result. 0 or -1. (mutation.c) */
int PyMvn_Mutation_Init(PyObject *module, PyMvn_State *state);

/* Adds the functions to the module. 0 or -1. */
int PyMvn_Results_Init(PyObject *module, PyMvn_State *state);

#endif
