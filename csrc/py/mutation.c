/* decode_mutation: the reply of insert, upsert and delete. */
#include "reply.h"
#include "results.h"

#define MEMBERS 6

static PyObject *ids_list(PyMvn_State *state, const mvn_ids *ids)
{
    mvn_reader reader;
    switch (ids->kind) {
    case MVN_IDS_INT:
        reader = mvn_reader_of(ids->numbers);
        return PyMvn_Reply_Ints(state, &reader, ids->count);
    case MVN_IDS_STRING:
        reader = mvn_reader_of(ids->strings.message);
        return PyMvn_Reply_Texts(state, &reader, ids->strings.number, ids->count);
    case MVN_IDS_NONE:
        break;
    }
    return PyList_New(0);
}

/* The member of a Mutation at `index`. */
static PyObject *member(PyMvn_State *state, const mvn_mutation_reply *reply, int index)
{
    switch (index) {
    case 0:
        return PyLong_FromLongLong(reply->insert_count);
    case 1:
        return PyLong_FromLongLong(reply->delete_count);
    case 2:
        return PyLong_FromLongLong(reply->upsert_count);
    case 3:
        return ids_list(state, &reply->ids);
    case 4:
        return PyLong_FromUnsignedLongLong(reply->timestamp);
    default:
        return PyMvn_Reply_Cost(state, &reply->status);
    }
}

PyObject *PyMvn_DecodeMutation(PyObject *module, PyObject *const *args, Py_ssize_t n_args,
                               PyObject *keywords)
{
    PyMvn_State *state = PyMvn_StateOfModule(module);
    mvn_mutation_reply reply;
    mvn_error error;
    mvn_arena arena;
    Py_buffer buffer;
    PyObject *result = NULL;

    if (PyMvn_Reply_Arguments("decode_mutation", args, n_args, keywords, NULL, &buffer, NULL) <
        0) {
        return NULL;
    }
    mvn_arena_init(&arena);
    mvn_span bytes = {buffer.buf, (size_t)buffer.len};
    mvn_status status = mvn_index_mutation(&arena, bytes, &reply, &error);
    if (status != MVN_OK) {
        PyMvn_RaiseStatus(state, status, &error, "mutation result");
        goto done;
    }
    if (PyMvn_Reply_CheckStatus(state, &reply.status) < 0) {
        goto done;
    }
    result = PyStructSequence_New(state->mutation_type);
    if (result == NULL) {
        goto done;
    }
    for (int i = 0; i < MEMBERS; i++) {
        PyObject *value = member(state, &reply, i);
        if (value == NULL) {
            Py_CLEAR(result);
            break;
        }
        PyStructSequence_SetItem(result, i, value);
    }
done:
    mvn_arena_reset(&arena);
    PyBuffer_Release(&buffer);
    return result;
}

int PyMvn_Mutation_Init(PyObject *module, PyMvn_State *state)
{
    PyStructSequence_Field fields[MEMBERS + 1] = {
        {"insert_count", "Rows inserted."},
        {"delete_count", "Rows deleted."},
        {"upsert_count", "Rows upserted."},
        {"ids", "Primary keys, a list of int or str."},
        {"timestamp", "When the write happened, on the server's hybrid clock."},
        {"cost", "What the server charges for the call, 0 when it does not say."},
        {NULL, NULL},
    };
    PyStructSequence_Desc description = {
        .name = "milvus_native._core.Mutation",
        .doc = "What the server says of an insert, upsert or delete.",
        .fields = fields,
        .n_in_sequence = MEMBERS,
    };
    state->mutation_type = PyStructSequence_NewType(&description);
    if (state->mutation_type == NULL) {
        return -1;
    }
    return PyModule_AddObjectRef(module, "Mutation", (PyObject *)state->mutation_type);
}
