/* Module glue of milvus_native._core: slots, and one init call per file. No logic. */
#include "../core/mem.h"
#include "connect.h"
#include "errors.h"
#include "hit.h"
#include "indexes.h"
#include "primary_keys.h"
#include "requests.h"
#include "results.h"
#include "row_encoder.h"
#include "rpc_connection.h"
#include "schema.h"
#include "schema_cache.h"
#include "schema_entries.h"
#include "state.h"

typedef int (*init_function)(PyObject *module, PyMvn_State *state);

#ifdef MVN_FAULT_INJECTION
/* _core._fail_on(n): see mvn_mem_fail_on. Returns what was asked for since the last call. */
static PyObject *fail_on(PyObject *module, PyObject *n)
{
    (void)module;
    unsigned long nth = PyLong_AsUnsignedLong(n);
    if (nth == (unsigned long)-1 && PyErr_Occurred()) {
        return NULL;
    }
    unsigned long asked = mvn_mem_count();
    mvn_mem_fail_on(nth);
    return PyLong_FromUnsignedLong(asked);
}

static PyObject *live_blocks(PyObject *module, PyObject *ignored)
{
    (void)module;
    (void)ignored;
    return PyLong_FromUnsignedLong(mvn_mem_live());
}

static PyMethodDef debug_methods[] = {
    {"_fail_on", fail_on, METH_O, NULL},
    {"_live_blocks", live_blocks, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static int debug_init(PyObject *module, PyMvn_State *state)
{
    (void)state;
    return PyModule_AddFunctions(module, debug_methods);
}
#endif

/* In dependency order. */
static const init_function inits[] = {
    PyMvn_Errors_Init,
    PyMvn_Hit_Init,
    PyMvn_Results_Init,
    PyMvn_Indexes_Init,
    PyMvn_Connect_Init,
    PyMvn_Schema_Init,
    PyMvn_SchemaEntries_Init,
    PyMvn_SchemaCache_Init,
    PyMvn_RowEncoder_Init,
    PyMvn_PrimaryKeys_Init,
    PyMvn_Requests_Init,
    PyMvn_RpcConnection_Init,
#ifdef MVN_FAULT_INJECTION
    debug_init,
#endif
};

static int module_exec(PyObject *module)
{
    PyMvn_State *state = PyMvn_StateOfModule(module);
    if (PyMvn_State_Init(state) < 0) {
        return -1;
    }
    for (size_t i = 0; i < sizeof(inits) / sizeof(inits[0]); i++) {
        if (inits[i](module, state) < 0) {
            return -1;
        }
    }
    return 0;
}

static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
    PyMvn_State *state = PyMvn_StateOfModule(module);
#define MVN_VISIT(type, name) Py_VISIT(state->name);
    MVN_STATE_OBJECTS(MVN_VISIT)
#undef MVN_VISIT
    return 0;
}

static int module_clear(PyObject *module)
{
    PyMvn_State *state = PyMvn_StateOfModule(module);
#define MVN_CLEAR(type, name) Py_CLEAR(state->name);
    MVN_STATE_OBJECTS(MVN_CLEAR)
#undef MVN_CLEAR
    return 0;
}

static void module_free(void *module)
{
    (void)module_clear((PyObject *)module);
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, (void *)module_exec},
#ifdef Py_MOD_PER_INTERPRETER_GIL_SUPPORTED
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#ifdef Py_MOD_GIL_NOT_USED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

struct PyModuleDef PyMvn_ModuleDef = {
    PyModuleDef_HEAD_INIT,
    .m_name = "milvus_native._core",
    .m_doc = "The C core of milvus_native: wire encoding, result decoding, schema cache.",
    .m_size = sizeof(PyMvn_State),
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC PyInit__core(void)
{
    return PyModuleDef_Init(&PyMvn_ModuleDef);
}
