#include "results.h"

/* The types are written once and read by all threads: one pointer to a tuple, so that a reader sees
 * all of them or none. */
static PyObject *load_types(PyMvn_State *state)
{
#ifdef __GNUC__
    return __atomic_load_n(&state->result_types, __ATOMIC_ACQUIRE);
#else
    return state->result_types;
#endif
}

static void store_types(PyMvn_State *state, PyObject *types)
{
#ifdef __GNUC__
    __atomic_store_n(&state->result_types, types, __ATOMIC_RELEASE);
#else
    state->result_types = types;
#endif
}

int PyMvn_Results_Ready(PyMvn_State *state)
{
    if (load_types(state) == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "set_result_types() was not called yet");
        return -1;
    }
    return 0;
}

PyObject *PyMvn_ResultType(PyMvn_State *state, PyMvn_ResultTypeIndex index)
{
    return PyTuple_GET_ITEM(load_types(state), (Py_ssize_t)index);
}

PyObject *PyMvn_ResultList(PyMvn_State *state, PyMvn_ResultTypeIndex index, PyObject *items)
{
    PyTypeObject *type = (PyTypeObject *)PyMvn_ResultType(state, index);
    PyObject *list = PyList_Type.tp_new(type, state->empty_tuple, NULL);
    if (list != NULL && PyList_SetSlice(list, 0, 0, items) < 0) {
        Py_CLEAR(list);
    }
    return list;
}

static PyObject *set_result_types(PyObject *module, PyObject *args)
{
    PyMvn_State *state = PyMvn_StateOfModule(module);
    if (PyTuple_GET_SIZE(args) != PyMvn_N_RESULT_TYPES) {
        PyErr_Format(PyExc_TypeError, "set_result_types() takes %d types",
                     (int)PyMvn_N_RESULT_TYPES);
        return NULL;
    }
    for (Py_ssize_t i = 0; i < PyMvn_N_RESULT_TYPES; i++) {
        PyObject *type = PyTuple_GET_ITEM(args, i); /* borrowed */
        PyTypeObject *base = i <= PyMvn_QUERY_RESULT ? &PyList_Type
                             : i == PyMvn_EXTRA      ? &PyDict_Type
                                                     : &PyBaseObject_Type;
        if (!PyType_Check(type) || !PyType_IsSubtype((PyTypeObject *)type, base)) {
            PyErr_Format(PyExc_TypeError, "set_result_types(): argument %zd is not a subclass of %s",
                         i + 1, base->tp_name);
            return NULL;
        }
    }
    if (load_types(state) != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "the result types are registered already");
        return NULL;
    }
    store_types(state, Py_NewRef(args));
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"decode_search", (PyCFunction)(void (*)(void))PyMvn_DecodeSearch,
     METH_FASTCALL | METH_KEYWORDS,
     "decode_search($module, /, reply, round_decimal=None)\n--\n\n"
     "SearchResult of the bytes of a SearchResults message. Distances are rounded to\n"
     "round_decimal digits when it is positive. StatusError, DecodeError."},
    {"decode_query", (PyCFunction)(void (*)(void))PyMvn_DecodeQuery,
     METH_FASTCALL | METH_KEYWORDS,
     "decode_query($module, /, reply, strict_float32=False)\n--\n\n"
     "HybridExtraList of the bytes of a QueryResults message. With strict_float32, float vectors\n"
     "are numpy.float32 arrays. StatusError, DecodeError, pymilvus's MilvusException."},
    {"decode_mutation", (PyCFunction)(void (*)(void))PyMvn_DecodeMutation,
     METH_FASTCALL | METH_KEYWORDS,
     "decode_mutation($module, /, reply)\n--\n\n"
     "Mutation of the bytes of a MutationResult message. StatusError, DecodeError."},
    {"set_result_types", set_result_types, METH_VARARGS,
     "Registers the types that results are made of. Once, before anything is decoded."},
    {NULL, NULL, 0, NULL},
};

int PyMvn_Results_Init(PyObject *module, PyMvn_State *state)
{
    if (PyMvn_Mutation_Init(module, state) < 0) {
        return -1;
    }
    return PyModule_AddFunctions(module, functions);
}
