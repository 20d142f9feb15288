/* Per-module state of milvus_native._core, and how to reach it.
 *
 * Every pointer below is a strong reference owned by the module, listed file by file; module.c
 * visits and clears all of them through MVN_STATE_OBJECTS, so a new member is added in one place.
 * All are written once, while the module is executed, and only read afterwards, except those that
 * say otherwise. */
#ifndef MVN_PY_STATE_H
#define MVN_PY_STATE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* X(C type, member). Sections name the file that sets the members. */
#define MVN_STATE_OBJECTS(X)                                                                      \
    /* errors.c */                                                                                \
    X(PyObject, status_error)  /* _core.StatusError */                                            \
    X(PyObject, decode_error)  /* _core.DecodeError */                                            \
    X(PyObject, text_error)    /* _core.TextError */                                              \
    /* json.c: orjson's two functions; each written when first needed, under a lock */            \
    X(PyObject, json_dumps)                                                                       \
    X(PyObject, json_loads)                                                                       \
    /* schema.c */                                                                                \
    X(PyTypeObject, schema_type)                                                                  \
    /* schema_entries.c */                                                                        \
    X(PyTypeObject, schema_entry_type)                                                            \
    /* schema_cache.c */                                                                          \
    X(PyTypeObject, schema_cache_type)                                                            \
    /* row_encoder.c */                                                                           \
    X(PyTypeObject, row_encoder_type)                                                             \
    /* rpc_connection.c */                                                                        \
    X(PyTypeObject, rpc_connection_type)                                                          \
    /* hit.c */                                                                                   \
    X(PyTypeObject, hit_type)                                                                     \
    X(PyObject, hit_names) /* frozenset of the names that are attributes of Hit */                \
    /* results.c: tuple of the types that were registered; written once, atomically */            \
    X(PyObject, result_types)                                                                     \
    /* mutation.c */                                                                              \
    X(PyTypeObject, mutation_type)                                                                \
    /* state.c: interned strings */                                                               \
    X(PyObject, str_id)                                                                           \
    X(PyObject, str_distance)                                                                     \
    X(PyObject, str_entity)                                                                       \
    X(PyObject, str_offset)                                                                       \
    X(PyObject, str_highlight)                                                                    \
    X(PyObject, str_meta) /* "$meta" */                                                           \
    X(PyObject, str_ids)                                                                          \
    X(PyObject, str_distances)                                                                    \
    X(PyObject, str_start)                                                                        \
    X(PyObject, str_dynamic_fields)                                                               \
    X(PyObject, str_extra)                                                                        \
    X(PyObject, str_recalls)                                                                      \
    X(PyObject, str_agg_buckets)                                                                  \
    X(PyObject, str_session_ts)      /* "_session_ts" */                                          \
    X(PyObject, str_search_iterator) /* "_search_iterator_v2_results" */                          \
    X(PyObject, str_fragments)                                                                    \
    X(PyObject, str_scores)                                                                       \
    X(PyObject, empty_tuple)

typedef struct {
#define MVN_MEMBER(type, name) type *name;
    MVN_STATE_OBJECTS(MVN_MEMBER)
#undef MVN_MEMBER
} PyMvn_State;

extern struct PyModuleDef PyMvn_ModuleDef;

/* State of a module object; never NULL for a module of ours. */
static inline PyMvn_State *PyMvn_StateOfModule(PyObject *module)
{
    return (PyMvn_State *)PyModule_GetState(module);
}

/* State through a type that was made with PyType_FromModuleAndSpec and cannot be subclassed. */
static inline PyMvn_State *PyMvn_StateOfType(PyTypeObject *type)
{
    return (PyMvn_State *)PyType_GetModuleState(type);
}

/* Fills the members of section state.c. 0, or -1 with an exception set. */
int PyMvn_State_Init(PyMvn_State *state);

#endif
