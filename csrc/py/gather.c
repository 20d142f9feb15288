/* Rows to cells. */
#include <string.h>

#include "codecs/documents.h"
#include "compat.h"
#include "errors.h"
#include "json.h"
#include "row_encoder.h"

/* Where a key stands: "rows[17]", or "data" for columns. New reference or NULL. */
static PyObject *place_of_keys(const PyMvn_RowEncoder *self, Py_ssize_t row)
{
    return self->data == NULL ? PyUnicode_FromString("data")
                              : PyUnicode_FromFormat("rows[%zd]", row);
}

/* Raises DataNotMatchException with the place and a format that takes two objects. */
static void refuse(const PyMvn_RowEncoder *self, Py_ssize_t row, const char *format,
                   PyObject *first, PyObject *second)
{
    PyObject *place = place_of_keys(self, row);
    PyObject *text = place == NULL ? NULL : PyUnicode_FromFormat(format, first, second);
    if (text != NULL) {
        (void)PyMvn_RaiseMilvus("DataNotMatchException", "%U: %U", place, text);
    }
    Py_XDECREF(place);
    Py_XDECREF(text);
}

/* The struct array in which `key` names a sub-field, "struct[sub]" as the server has it: an upsert
 * must not take it for a dynamic key. NULL if there is none, with an exception if memory is out. */
static const PyMvn_Field *struct_of(const PyMvn_Schema *schema, PyObject *key)
{
    Py_ssize_t size = 0;
    const char *text = PyUnicode_Check(key) ? PyUnicode_AsUTF8AndSize(key, &size) : NULL;
    if (text == NULL) {
        if (PyErr_Occurred()) { /* a lone surrogate: the JSON of the dynamic keys will complain */
            (void)PyMvn_ForgetException();
        }
        return NULL;
    }
    const PyMvn_Field *parent = NULL;
    (void)PyMvn_Schema_FindSubField(schema, text, (size_t)size, &parent);
    return parent;
}

/* A key that the schema does not know. */
static Py_ssize_t unknown_key(const PyMvn_RowEncoder *self, Py_ssize_t row, PyObject *key)
{
    const PyMvn_Field *parent = self->upsert ? struct_of(self->schema, key) : NULL;
    if (parent == NULL && PyErr_Occurred()) {
        return MVN_NO_SLOT;
    }
    if (parent != NULL) {
        refuse(self, row,
               self->partial ? "Partial struct update is unsupported for struct sub-field `%S`; "
                               "update the whole struct field `%U` instead"
                             : "Struct sub-field `%S` cannot be used as a top-level field; write "
                               "the whole struct field `%U` instead",
               key, parent->name);
        return MVN_NO_SLOT;
    }
    if (self->meta_slot < 0) {
        refuse(self, row,
               "Attempt to insert an unexpected field `%S` to collection without enabling dynamic "
               "field",
               key, NULL);
        return MVN_NO_SLOT;
    }
    return MVN_DYNAMIC_KEY;
}

static Py_ssize_t known_key(const PyMvn_RowEncoder *self, Py_ssize_t row, PyObject *key,
                            PyObject *found)
{
    Py_ssize_t index = PyLong_AsSsize_t(found);
    if (index == MVN_META_INDEX) {
        refuse(self, row,
               "the key `%S` names the column that dynamic fields are kept in: give the fields "
               "themselves",
               key, NULL);
        return MVN_NO_SLOT;
    }
    if (self->slot_of[index] == MVN_NO_SLOT) {
        refuse(self, row,
               "Attempt to insert an unexpected function output field `%S` to collection", key,
               NULL);
    }
    return self->slot_of[index];
}

MVN_NOINLINE Py_ssize_t PyMvn_Gather_FindSlot(const PyMvn_RowEncoder *self, Py_ssize_t row,
                                              PyObject *key)
{
    Py_ssize_t slot = MVN_NO_SLOT;
    Py_INCREF(key); /* raising runs Python code, which may drop the caller's dict */
    PyObject *found = PyDict_GetItemWithError(self->schema->lookup, key); /* borrowed */
    if (found != NULL) {
        slot = known_key(self, row, key, found);
    } else if (!PyErr_Occurred()) {
        slot = unknown_key(self, row, key);
    }
    Py_DECREF(key);
    return slot;
}

/* PyMvn_Gather_FindSlot through the guess for position `j`. */
static inline Py_ssize_t slot_of_key(PyMvn_RowEncoder *self, Py_ssize_t row, Py_ssize_t j,
                                     PyObject *key)
{
    PyMvn_Guess *guess = j < self->n_guesses ? &self->guesses[j] : NULL;
    if (MVN_LIKELY(guess != NULL && guess->key == key)) {
        return guess->slot;
    }
    Py_ssize_t slot = PyMvn_Gather_FindSlot(self, row, key);
    if (guess != NULL && slot != MVN_NO_SLOT && PyUnicode_CheckExact(key)) {
        guess->slot = slot;
        Py_XSETREF(guess->key, Py_NewRef(key));
    }
    return slot;
}

/* Raises for a partial update that gives a field in some rows only: the server would pair its
 * values with the wrong rows. */
static int refuse_uneven(const PyMvn_Slot *slot, Py_ssize_t row, Py_ssize_t before, Py_ssize_t now)
{
    return PyMvn_Column_Fail(&slot->column, row, "DataNotMatchException",
                             "The data fields length is inconsistent. previous length is %zd, "
                             "current length is %zd: a partial update gives a field in all rows "
                             "or in none",
                             before, now);
}

/* One key and value of a row. 1 when a slot took it, 0 when it is dynamic, -1. */
static inline int take(PyMvn_RowEncoder *self, Py_ssize_t row, Py_ssize_t j, PyObject *key,
                       PyObject *value)
{
    Py_ssize_t index = slot_of_key(self, row, j, key);
    if (MVN_UNLIKELY(index < 0)) {
        if (index == MVN_NO_SLOT) {
            return -1;
        }
        return PyDict_SetItem(self->document, key, value);
    }
    PyMvn_Slot *slot = &self->slots[index];
    if (MVN_UNLIKELY(slot->column.cells == NULL) && PyMvn_Slot_MakeCells(slot) < 0) {
        return -1;
    }
    if (MVN_UNLIKELY(self->partial && row > 0 && slot->last_row != row)) {
        return refuse_uneven(slot, row, row + 1, slot->last_row + 1);
    }
    slot->last_row = row + 1;
    return PyMvn_Slot_Store(slot, row, value) < 0 ? -1 : 1;
}

/* All items of an exact dict with str keys: nothing that runs meanwhile is Python code, so the walk
 * is safe. Stops before the first key of another type and says so in *odd. Number of slots that
 * were given, or -1. */
static Py_ssize_t walk(PyMvn_RowEncoder *self, Py_ssize_t row, PyObject *dict, bool *odd)
{
    Py_ssize_t pos = 0, j = 0, given = 0;
    PyObject *key = NULL, *value = NULL; /* borrowed from the dict, which is locked */
    MVN_BEGIN_CRITICAL_SECTION(dict);
    while (given >= 0 && PyDict_Next(dict, &pos, &key, &value)) {
        if (MVN_UNLIKELY(!PyUnicode_CheckExact(key))) {
            *odd = true;
            break;
        }
        int taken = take(self, row, j++, key, value);
        given = taken < 0 ? -1 : given + taken;
    }
    MVN_END_CRITICAL_SECTION();
    return given;
}

static void forget_cell(PyMvn_Slot *slot, Py_ssize_t row)
{
    if (slot->column.cells != NULL && slot->column.cells[row] != NULL) {
        Py_CLEAR(slot->column.cells[row]);
        slot->column.n_valid--;
    }
}

/* As walk, for keys whose hash or equality may be Python code: over a copy of the items. */
static MVN_NOINLINE Py_ssize_t walk_odd(PyMvn_RowEncoder *self, Py_ssize_t row, PyObject *dict)
{
    Py_ssize_t given = 0;
    PyObject *items = PyDict_Items(dict);
    for (Py_ssize_t i = 0; i < self->n_slots; i++) { /* what walk stored before it stopped */
        forget_cell(&self->slots[i], row);
        if (self->slots[i].last_row == row + 1) {
            self->slots[i].last_row = row;
        }
    }
    if (self->document != NULL) {
        PyDict_Clear(self->document);
    }
    if (items == NULL) {
        return -1;
    }
    for (Py_ssize_t i = 0; given >= 0 && i < PyList_GET_SIZE(items); i++) {
        PyObject *pair = PyList_GET_ITEM(items, i); /* borrowed: `items` is ours alone */
        int taken =
            take(self, row, self->n_guesses, PyTuple_GET_ITEM(pair, 0), PyTuple_GET_ITEM(pair, 1));
        given = taken < 0 ? -1 : given + taken;
    }
    Py_DECREF(items);
    return given;
}

/* The dynamic key that JSON cannot express: new reference, or NULL without an exception when none
 * of them fails alone. */
static PyObject *find_culprit(PyMvn_RowEncoder *self, PyObject *keys)
{
    Py_ssize_t pos = 0;
    PyObject *key = NULL, *value = NULL; /* borrowed from `keys`, which is ours alone */
    while (PyDict_Next(keys, &pos, &key, &value)) {
        PyObject *lone = PyDict_New(), *bytes = NULL;
        if (lone != NULL && PyDict_SetItem(lone, key, value) == 0) {
            bytes = PyMvn_Json_Document(self->state, lone);
        }
        Py_XDECREF(lone);
        if (bytes == NULL) {
            PyErr_Clear();
            return Py_NewRef(key);
        }
        Py_DECREF(bytes);
    }
    return NULL;
}

/* Adds the place to the exception of PyMvn_Json_Document. */
static int refuse_document(PyMvn_RowEncoder *self, Py_ssize_t row, PyObject *keys)
{
    PyObject *error = PyMvn_TakeException(), *culprit = NULL, *reason = NULL, *place = NULL;
    if (PyErr_GivenExceptionMatches(error, PyExc_TypeError) ||
        PyErr_GivenExceptionMatches(error, PyExc_ValueError) ||
        PyErr_GivenExceptionMatches(error, PyExc_RecursionError)) {
        culprit = find_culprit(self, keys);
        PyObject *name = culprit == NULL ? self->state->str_meta : culprit; /* borrowed */
        place = self->data == NULL ? PyUnicode_FromFormat("data[\"%S\"][%zd]", name, row)
                                   : PyUnicode_FromFormat("rows[%zd][\"%S\"]", row, name);
        reason = place == NULL ? NULL : PyObject_Str(error);
        PyErr_Clear();
    }
    PyMvn_RestoreException(error);
    if (reason != NULL) {
        (void)PyMvn_RaiseMilvus("DataNotMatchException",
                                "%U: The Input data type is inconsistent with defined schema, "
                                "please check it. Detail: %U",
                                place, reason);
    }
    Py_XDECREF(culprit);
    Py_XDECREF(place);
    Py_XDECREF(reason);
    return -1;
}

int PyMvn_Gather_Document(PyMvn_RowEncoder *self, Py_ssize_t row, PyObject *keys)
{
    PyObject *document = PyDict_GET_SIZE(keys) == 0 ? Py_NewRef(self->no_document)
                                                    : PyMvn_Json_Document(self->state, keys);
    if (document == NULL) {
        return refuse_document(self, row, keys);
    }
    int status = PyMvn_Documents_Append(&self->slots[self->meta_slot].column, document);
    Py_DECREF(document);
    return status;
}

/* Absence of one slot in a row. */
static int check_missing(PyMvn_RowEncoder *self, Py_ssize_t index, Py_ssize_t row)
{
    PyMvn_Slot *slot = &self->slots[index];
    if (self->partial) {
        return row > 0 && slot->last_row == row ? refuse_uneven(slot, row, row + 1, row) : 0;
    }
    if (index == self->key_slot) {
        return slot->last_row == 0
                   ? 0
                   : PyMvn_Column_Fail(&slot->column, row, "DataNotMatchException",
                                       "the primary key is given in rows[%zd] and missing here: "
                                       "give it in all rows, or in none to have the server make "
                                       "it",
                                       slot->last_row - 1);
    }
    if (slot->null_ok) {
        return PyMvn_Slot_MakeCells(slot);
    }
    (void)PyMvn_RaiseMilvus("DataNotMatchException",
                            "rows[%zd]: Insert missed an field `%U` to collection without set "
                            "nullable==true or set default_value",
                            row, slot->column.field->name);
    return -1;
}

/* An auto-generated key that appears after rows that had none. */
static int check_late_key(PyMvn_RowEncoder *self, Py_ssize_t row)
{
    PyMvn_Slot *slot = self->key_slot < 0 ? NULL : &self->slots[self->key_slot];
    if (slot == NULL || slot->last_row != row + 1 || row == 0 || slot->present) {
        return 0;
    }
    return PyMvn_Column_Fail(&slot->column, row, "DataNotMatchException",
                             "the primary key is missing in rows[%zd] and given here: give it in "
                             "all rows, or in none to have the server make it",
                             row - 1);
}

static int gather_dict(PyMvn_RowEncoder *self, Py_ssize_t row, PyObject *dict)
{
    bool odd = false;
    if (self->meta_slot >= 0) {
        if (self->document == NULL) {
            self->document = PyDict_New();
            if (self->document == NULL) {
                return -1;
            }
        } else if (PyDict_GET_SIZE(self->document) != 0) {
            PyDict_Clear(self->document);
        }
    }
    Py_ssize_t given = walk(self, row, dict, &odd);
    if (given >= 0 && odd) {
        given = walk_odd(self, row, dict);
    }
    if (given < 0) {
        return -1;
    }
    if (given != self->n_named) {
        for (Py_ssize_t i = 0; i < self->n_slots; i++) {
            if (self->slots[i].last_row != row + 1 && i != self->meta_slot &&
                check_missing(self, i, row) < 0) {
                return -1;
            }
        }
    }
    if (check_late_key(self, row) < 0) {
        return -1;
    }
    if (row == 0 && self->key_slot >= 0) {
        self->slots[self->key_slot].present = self->slots[self->key_slot].last_row == 1;
    }
    return self->meta_slot < 0 ? 0 : PyMvn_Gather_Document(self, row, self->document);
}

/* A subclass of dict may show other items than it stores: as items() says. */
static PyObject *exact_dict(PyObject *mapping)
{
    PyObject *items = PyMapping_Items(mapping);
    PyObject *dict = items == NULL ? NULL : PyDict_New();
    if (dict != NULL && PyDict_MergeFromSeq2(dict, items, 1) < 0) {
        Py_CLEAR(dict);
    }
    Py_XDECREF(items);
    return dict;
}

/* Strong reference to a row, or NULL: the caller may have changed the list between two slices. */
static PyObject *row_at(PyMvn_RowEncoder *self, Py_ssize_t row)
{
    PyObject *item = NULL;
    MVN_BEGIN_CRITICAL_SECTION(self->data);
    if (row < PyList_GET_SIZE(self->data)) {
        item = Py_NewRef(PyList_GET_ITEM(self->data, row));
    }
    MVN_END_CRITICAL_SECTION();
    if (item == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "the list of rows shrank while it was encoded");
    }
    return item;
}

int PyMvn_Gather_Row(PyMvn_RowEncoder *self, Py_ssize_t row)
{
    PyObject *item = row_at(self, row);
    int status = -1;
    if (item == NULL) {
        return -1;
    }
    if (!PyDict_Check(item)) {
        (void)PyMvn_RaiseMilvus("DataNotMatchException",
                                "rows[%zd]: The Input data type is inconsistent with defined "
                                "schema, please check it. Detail: expected Dict, got '%s'",
                                row, Py_TYPE(item)->tp_name);
        goto done;
    }
    if (!PyDict_CheckExact(item)) {
        PyObject *copy = exact_dict(item);
        if (copy == NULL) {
            goto done;
        }
        Py_SETREF(item, copy);
    }
    status = gather_dict(self, row, item);
done:
    Py_DECREF(item);
    return status;
}

void PyMvn_Gather_EndRows(PyMvn_RowEncoder *self)
{
    for (Py_ssize_t i = 0; i < self->n_slots; i++) {
        PyMvn_Slot *slot = &self->slots[i];
        if (i == self->key_slot || (self->partial && i != self->meta_slot)) {
            slot->present = slot->last_row != 0;
        } else {
            slot->present = true;
        }
    }
    Py_CLEAR(self->data);
    Py_CLEAR(self->document);
}
