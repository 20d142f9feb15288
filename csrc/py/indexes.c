#include "indexes.h"

#include "control.h"
#include "errors.h"

PyDoc_STRVAR(index_request_doc,
             "index_request(collection_name, /)\n--\n\n"
             "DescribeIndexRequest for all indexes of a collection, as bytes.");

static PyObject *index_request(PyObject *module, PyObject *name)
{
    (void)module;
    Mvn__DescribeIndexRequest request = MVN__DESCRIBE_INDEX_REQUEST__INIT;
    const char *utf8 = PyMvn_Control_Name(name);
    if (utf8 == NULL) {
        return NULL;
    }
    request.collection_name = (char *)utf8; /* packed, not kept */
    return PyMvn_Control_Pack(&request.base);
}

/* (index_name, field_name, {parameter: value}) */
static PyObject *description(const Mvn__IndexDescription *index)
{
    PyObject *params = PyDict_New(), *result = NULL;
    PyObject *name = PyMvn_Control_Text(index->index_name);
    PyObject *field = PyMvn_Control_Text(index->field_name);
    if (params == NULL || name == NULL || field == NULL) {
        goto done;
    }
    for (size_t i = 0; i < index->n_params; i++) {
        if (PyMvn_Control_AddText(params, index->params[i]->key, index->params[i]->value) < 0) {
            goto done;
        }
    }
    result = PyTuple_Pack(3, name, field, params);
done:
    Py_XDECREF(field);
    Py_XDECREF(name);
    Py_XDECREF(params);
    return result;
}

PyDoc_STRVAR(parse_indexes_doc,
             "parse_indexes(reply, /)\n--\n\n"
             "DescribeIndexResponse bytes as a list of (index_name, field_name, params) tuples,\n"
             "params a dict of str to str. StatusError if the reply's status is an error.");

static PyObject *parse_indexes(PyObject *module, PyObject *reply)
{
    PyMvn_State *state = PyMvn_StateOfModule(module);
    Mvn__DescribeIndexResponse *response = NULL;
    PyObject *result = NULL;

    if (!PyBytes_Check(reply)) {
        return PyErr_Format(PyExc_TypeError, "reply must be bytes, not %.200s",
                            Py_TYPE(reply)->tp_name);
    }
    response = PyMvn_Control_Unpack(state, &mvn__describe_index_response__descriptor, reply,
                                    "DescribeIndexResponse");
    if (response == NULL) {
        return NULL;
    }
    if (PyMvn_Control_CheckStatus(state, response->status) < 0) {
        goto done;
    }
    result = PyList_New((Py_ssize_t)response->n_index_descriptions);
    for (size_t i = 0; result != NULL && i < response->n_index_descriptions; i++) {
        PyObject *item = description(response->index_descriptions[i]);
        if (item == NULL) {
            Py_CLEAR(result);
            break;
        }
        PyList_SET_ITEM(result, (Py_ssize_t)i, item);
    }
done:
    PyMvn_Control_Free(response);
    return result;
}

static PyMethodDef methods[] = {
    {"index_request", index_request, METH_O, index_request_doc},
    {"parse_indexes", parse_indexes, METH_O, parse_indexes_doc},
    {NULL, NULL, 0, NULL},
};

int PyMvn_Indexes_Init(PyObject *module, PyMvn_State *state)
{
    (void)state;
    return PyModule_AddFunctions(module, methods);
}
